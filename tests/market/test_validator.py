"""The bar validator: each case by an injected fault, and the same verdict however rows arrive."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.errors import DataError
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.conversion import record_from_bar
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.records import Bar, Flag, GapRecord
from mirrorcore.market.standstill import STANDSTILL_BARS
from mirrorcore.market.validator import Action, Case, IntakeReport, MarketDataProcessor

MINUTE = clock.MINUTE
START = 1_700_000_000 * clock.SECOND // MINUTE * MINUTE
SYMBOL = "BTC/USDT"


def calm_market(count: int, seed: int = 1, *, price: float = 100.0) -> BarColumns:
    """A random walk with wicks, volume and no fault."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 5e-4, count)))
    open_ = np.concatenate([[price], close[:-1]])
    wick = 1 + np.abs(rng.normal(0, 2e-4, (2, count)))
    times = START + MINUTE * np.arange(count, dtype=np.int64)
    return BarColumns(
        open_ts=times,
        ts_recv=times + MINUTE,
        ts_avail=times + MINUTE,
        open=open_,
        high=np.maximum(open_, close) * wick[0],
        low=np.minimum(open_, close) / wick[1],
        close=close,
        volume=rng.lognormal(0, 1, count),
        flags=np.zeros(count, np.int64),
    )


def changed(bars: BarColumns, row: int, **values: float) -> BarColumns:
    """The same bars with some fields of one row set."""
    columns = {f.name: getattr(bars, f.name).copy() for f in fields(BarColumns)}
    for name, value in values.items():
        columns[name][row] = value
    return BarColumns(**columns)


def processor(**options: Any) -> MarketDataProcessor:
    sparse = options.pop("sparse", False)
    return MarketDataProcessor([undescribed(SYMBOL, sparse=sparse)], MINUTE, **options)


def scaled(bars: BarColumns, rows: slice, factor: float) -> BarColumns:
    columns = {f.name: getattr(bars, f.name).copy() for f in fields(BarColumns)}
    for name in ("open", "high", "low", "close"):
        columns[name][rows] *= factor
    return BarColumns(**columns)


def records(bars: BarColumns, symbol: str = SYMBOL) -> list[Bar]:
    return [
        Bar(
            source="feed",
            symbol=symbol,
            ts_event=int(bars.open_ts[i]),
            ts_recv=int(bars.ts_recv[i]),
            ts_avail=int(bars.ts_avail[i]),
            open=float(bars.open[i]),
            high=float(bars.high[i]),
            low=float(bars.low[i]),
            close=float(bars.close[i]),
            volume=float(bars.volume[i]),
            flags=int(bars.flags[i]),
        )
        for i in range(len(bars))
    ]


ROW = 200
INJECTED: dict[Case, Callable[[BarColumns], BarColumns]] = {
    Case.NOT_FINITE: lambda b: changed(b, ROW, high=math.inf),
    Case.PRICE_NOT_POSITIVE: lambda b: changed(b, ROW, low=0.0),
    Case.NEGATIVE_VOLUME: lambda b: changed(b, ROW, volume=-1.0),
    Case.HIGH_LOW: lambda b: changed(b, ROW, high=b.close[ROW] * 0.99),
    Case.TIME_RANGE: lambda b: changed(b, ROW, open_ts=1_700_000_000_000),
    Case.FUTURE: lambda b: changed(b, ROW, ts_recv=b.open_ts[ROW] - 6 * clock.SECOND),
    Case.LOOK_AHEAD: lambda b: changed(b, ROW, ts_avail=b.open_ts[ROW] + MINUTE - 1),
    Case.OUT_OF_ORDER: lambda b: changed(b, ROW, open_ts=b.open_ts[ROW - 80]),
    Case.REVISED: lambda b: changed(b, ROW, open_ts=b.open_ts[ROW - 1]),
    Case.OVERLAP: lambda b: changed(b, ROW, open_ts=b.open_ts[ROW - 1] + MINUTE // 2),
    Case.DECIMAL_SHIFT: lambda b: scaled(b, slice(ROW, ROW + 1), 100.0),
    Case.PROVISIONAL: lambda b: changed(b, ROW, flags=Flag.PROVISIONAL),
}


@pytest.mark.parametrize("case", INJECTED)
def test_one_faulty_bar_is_refused_and_nothing_else(case: Case) -> None:
    bars = INJECTED[case](calm_market(300))
    one = processor(source="file.csv")
    verdict = one.judge({SYMBOL: bars})[SYMBOL]
    assert [ROW, case] == [int(np.flatnonzero(verdict.cases)[0]), verdict.cases[ROW]]
    assert np.count_nonzero(verdict.cases) == 1
    assert one.report.counts["file.csv", case] == 1
    sample = next(s for s in one.report.quarantine if s.case is case)
    assert (sample.symbol, sample.ts_event) == (SYMBOL, bars.open_ts[ROW])
    refused = case.action is Action.REJECT
    assert one.report.rejected_share("file.csv") == pytest.approx(refused / 300)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none_gets_through(field: str, value: float) -> None:
    verdict = processor().judge({SYMBOL: changed(calm_market(5), 3, **{field: value})})[SYMBOL]
    assert verdict.cases.tolist() == [0, 0, 0, Case.NOT_FINITE, 0]


def test_the_identical_bar_again_is_dropped_and_does_not_count_as_bad_data() -> None:
    bars = calm_market(300)
    twice = bars.take(np.insert(np.arange(300), 100, [98, 98]))
    one = processor()
    verdict = one.judge({SYMBOL: twice})[SYMBOL]
    assert np.flatnonzero(verdict.cases).tolist() == [100, 101]
    assert one.report.counts["market", Case.DUPLICATE] == 2
    assert one.report.rejected_share() == 0


def test_prices_below_zero_pass_where_the_instrument_has_them() -> None:
    from msgspec.structs import replace as with_fields

    bars = changed(calm_market(3), 1, open=-3.0, high=-1.0, low=-40.0, close=-37.63)
    instrument = with_fields(undescribed(SYMBOL), negative_prices=True)
    verdict = MarketDataProcessor([instrument], MINUTE).judge({SYMBOL: bars})[SYMBOL]
    assert not verdict.cases.any()


@pytest.mark.parametrize("factor", [0.863, 1.137, 0.5, 2.0, 7.9, 9.5, 11.0])
def test_a_real_move_within_one_bar_passes_at_once_and_is_marked(factor: float) -> None:
    bars = calm_market(300)
    close = bars.close[ROW - 1] * factor
    high, low = max(close, bars.open[ROW]), min(close, bars.open[ROW])
    moved = scaled(bars, slice(ROW + 1, None), factor)
    moved = changed(moved, ROW, high=high, low=low, close=close)
    verdict = processor().judge({SYMBOL: moved})[SYMBOL]
    assert not verdict.cases.any()
    assert verdict.flags[ROW] & Flag.OUTLIER
    assert not (verdict.flags[:ROW] & Flag.OUTLIER).any()


def test_a_wick_to_a_hundredth_is_a_mark_and_no_decimal_shift() -> None:
    bars = calm_market(300)
    verdict = processor().judge({SYMBOL: changed(bars, ROW, low=bars.low[ROW] / 100)})[SYMBOL]
    assert not verdict.cases.any()
    assert verdict.flags[ROW] & Flag.OUTLIER


@pytest.mark.parametrize("power", [-8, -3, -1, 1, 2, 5, 8])
def test_shifted_bars_are_rejected_until_the_level_returns(power: int) -> None:
    bars = scaled(calm_market(300), slice(150, 160), 10.0**power)
    verdict = processor().judge({SYMBOL: bars})[SYMBOL]
    assert np.flatnonzero(verdict.cases == Case.DECIMAL_SHIFT).tolist() == list(range(150, 160))
    assert np.count_nonzero(verdict.cases) == 10


def test_a_wrong_first_bar_does_not_cost_the_rest() -> None:
    verdict = processor().judge({SYMBOL: scaled(calm_market(300), slice(0, 1), 1000.0)})[SYMBOL]
    assert np.flatnonzero(verdict.cases).tolist() == [1]


def test_the_young_level_forgets_refusals_before_a_good_bar_however_cut() -> None:
    bars = calm_market(12)
    for row in (2, 4, 5, 6, 7):
        bars = scaled(bars, slice(row, row + 1), 100.0)
    whole = judged_in_pieces(bars, [])
    assert np.flatnonzero(whole[0]).tolist()[:4] == [2, 4, 5, 6]
    for cut in range(1, 12):
        assert judged_in_pieces(bars, [cut])[:2] == whole[:2]


def test_a_move_over_a_long_hole_is_measured_against_the_time_it_had() -> None:
    bars = calm_market(400)
    jumped = scaled(bars, slice(300, None), 1.04)
    at_once = processor(sparse=True).judge({SYMBOL: jumped})[SYMBOL]
    assert at_once.flags[300] & Flag.OUTLIER
    times = jumped.open_ts + np.where(np.arange(400) >= 300, 100 * MINUTE, 0)
    later = replace(jumped, open_ts=times, ts_recv=times + MINUTE, ts_avail=times + MINUTE)
    after_hole = processor(sparse=True).judge({SYMBOL: later})[SYMBOL]
    assert not after_hole.flags[300] & Flag.OUTLIER


def test_a_lasting_shift_ends_the_run_and_speaks_of_redenomination() -> None:
    one = processor(source="old.csv")
    one.judge({SYMBOL: scaled(calm_market(2000), slice(1000, None), 0.001)})
    with pytest.raises(DataError, match=r"old\.csv: 1000 of 2000 .*power of ten") as raised:
        one.report.check()
    assert "redenominated" in raised.value.hint


def test_missing_bars_are_a_gap_where_all_are_due_and_no_error_where_they_are_not() -> None:
    bars = calm_market(300).take(np.delete(np.arange(300), [50, 51, 52, 120]))
    dense = processor()
    verdict = dense.judge({SYMBOL: bars})[SYMBOL]
    assert verdict.gaps == (
        (START + 50 * MINUTE, START + 53 * MINUTE),
        (START + 120 * MINUTE, START + 121 * MINUTE),
    )
    assert np.flatnonzero(verdict.flags & Flag.AFTER_GAP).tolist() == [50, 117]
    assert dense.report.counts["market", Case.GAP] == 2
    sparse = processor(sparse=True)
    verdict = sparse.judge({SYMBOL: bars})[SYMBOL]
    assert not verdict.gaps
    assert not verdict.flags.any()
    assert sparse.report.counts["market", Case.SPARSE_HOLE] == 2
    assert sparse.report.rejected_share() == 0


def test_the_weekend_is_no_gap_where_trading_stops() -> None:
    from msgspec.structs import replace as with_fields

    friday = 1_700_254_800 * clock.SECOND  # 2023-11-17 21:00 UTC
    hours = np.array([-2, -1, 48, 49, 52]) * clock.HOUR + friday
    bars = calm_market(5)
    bars = replace(bars, open_ts=hours, ts_recv=hours + clock.HOUR, ts_avail=hours + clock.HOUR)
    instrument = with_fields(undescribed("EUR/USD"), trading_hours="24/5")
    verdict = MarketDataProcessor([instrument], clock.HOUR).judge({"EUR/USD": bars})["EUR/USD"]
    assert np.flatnonzero(verdict.flags & Flag.AFTER_GAP).tolist() == [4]


def test_a_bar_off_the_grid_is_noted() -> None:
    bars = calm_market(20)
    late = replace(bars, open_ts=bars.open_ts + np.where(np.arange(20) >= 10, 7, 0))
    one = processor(tolerance_ns=clock.MINUTE)
    late = replace(late, ts_avail=late.open_ts + MINUTE)
    verdict = one.judge({SYMBOL: late})[SYMBOL]
    assert not verdict.cases.any()
    assert one.report.counts["market", Case.OFF_GRID] == 1


def test_a_move_without_volume_and_a_burst_of_volume_are_marked() -> None:
    bars = changed(changed(calm_market(300), ROW, volume=0.0), 250, volume=1e6)
    verdict = processor().judge({SYMBOL: bars})[SYMBOL]
    assert np.flatnonzero(verdict.flags & Flag.ZERO_VOLUME_MOVE).tolist() == [ROW]
    assert 250 in np.flatnonzero(verdict.flags & Flag.VOLUME_SPIKE)
    assert not verdict.cases.any()


def test_a_bar_without_volume_at_the_last_price_is_not_marked() -> None:
    bars = calm_market(300)
    price = bars.close[ROW - 1]
    still = changed(bars, ROW, open=price, high=price, low=price, close=price, volume=0.0)
    verdict = processor().judge({SYMBOL: still})[SYMBOL]
    assert not verdict.flags[ROW] & Flag.ZERO_VOLUME_MOVE


def frozen_pair(repeat: bool) -> dict[str, BarColumns]:
    bars = calm_market(200)
    columns = {f.name: getattr(bars, f.name).copy() for f in fields(BarColumns)}
    for name in ("open", "high", "low", "close"):
        columns[name][100:160] = getattr(bars, name if repeat else "close")[99]
    return {SYMBOL: BarColumns(**columns), "ETH/USDT": calm_market(200, 2)}


@pytest.mark.parametrize("repeat", [False, True])
def test_a_feed_that_stands_still_while_others_move_is_marked(repeat: bool) -> None:
    two = [undescribed(SYMBOL), undescribed("ETH/USDT")]
    verdicts = MarketDataProcessor(two, MINUTE).judge(frozen_pair(repeat))
    stale = np.flatnonzero(verdicts[SYMBOL].flags & Flag.STALE_VALUE)
    assert stale.tolist() == list(range(99 + STANDSTILL_BARS, 160))
    assert not (verdicts["ETH/USDT"].flags & Flag.STALE_VALUE).any()


def test_a_quiet_market_as_a_whole_is_not_a_stale_feed() -> None:
    batch = frozen_pair(repeat=True)
    both = {SYMBOL: batch[SYMBOL], "ETH/USDT": batch[SYMBOL]}
    two = [undescribed(SYMBOL), undescribed("ETH/USDT")]
    verdicts = MarketDataProcessor(two, MINUTE).judge(both)
    assert not any((v.flags & Flag.STALE_VALUE).any() for v in verdicts.values())


def test_a_silent_feed_is_stale_once_until_it_speaks_again() -> None:
    one = processor()
    bars = records(calm_market(10))
    one.validate(bars[:2])
    last = bars[1].ts_avail
    assert one.stale(last + 3 * MINUTE) == ()
    assert one.stale(last + 3 * MINUTE + 1) == (SYMBOL,)
    assert one.stale(last + 4 * MINUTE) == (SYMBOL,)
    assert one.report.counts["market", Case.STALE_FEED] == 1
    one.validate(bars[5])
    assert one.stale(bars[5].ts_avail) == ()
    assert one.stale(bars[5].ts_avail + 4 * MINUTE) == (SYMBOL,)
    assert one.report.counts["market", Case.STALE_FEED] == 2


# --- the same verdict however the rows arrive ----------------------------------------------------


@st.composite
def disturbed(draw: st.DrawFn) -> BarColumns:
    """A market with faults of all kinds strewn in, by row, repetition and order."""
    bars = calm_market(draw(st.sampled_from([20, 90, 340])), draw(st.integers(0, 3)))
    rows = st.integers(0, len(bars) - 1)
    for _ in range(draw(st.integers(0, 8))):
        row = draw(rows)
        kind = draw(st.sampled_from(["nan", "sign", "high", "time", "shift", "flat", "spike"]))
        if kind == "nan":
            bars = changed(bars, row, close=math.nan)
        elif kind == "sign":
            bars = changed(bars, row, low=-1.0)
        elif kind == "high":
            bars = changed(bars, row, high=bars.low[row] / 2)
        elif kind == "time":
            moved = bars.open_ts[draw(rows)] + draw(st.sampled_from([0, 1, MINUTE // 2]))
            bars = changed(bars, row, open_ts=moved)
        elif kind == "shift":
            stop = row + draw(st.integers(1, 12))
            bars = scaled(bars, slice(row, stop), 10.0 ** draw(st.sampled_from([-2, -1, 1, 3])))
        elif kind == "flat":
            columns = {f.name: getattr(bars, f.name).copy() for f in fields(BarColumns)}
            for name in ("open", "high", "low", "close"):
                columns[name][row + 1 : row + 50] = bars.close[row]
            bars = BarColumns(**columns)
        else:
            bars = changed(bars, row, high=bars.high[row] * 1.5, volume=1e9)
    order = list(range(len(bars)))
    for _ in range(draw(st.integers(0, 4))):
        order.insert(draw(rows), draw(rows))
    return bars.take(np.array(order))


def judged_in_pieces(
    bars: BarColumns, cuts: list[int]
) -> tuple[list[int], list[int], list[tuple[int, int]], IntakeReport]:
    one = processor()
    cases: list[int] = []
    flags: list[int] = []
    gaps: list[tuple[int, int]] = []
    edges = [0, *sorted(cuts), len(bars)]
    for start, stop in pairwise(edges):
        verdict = one.judge({SYMBOL: bars.take(slice(start, stop))})[SYMBOL]
        cases += verdict.cases.tolist()
        flags += verdict.flags.tolist()
        gaps += verdict.gaps
    return cases, flags, gaps, one.report


@settings(max_examples=60, deadline=None)
@given(disturbed(), st.data())
def test_the_verdict_does_not_depend_on_how_rows_are_cut(bars: BarColumns, data: Any) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(bars)), max_size=8))
    whole = judged_in_pieces(bars, [])
    assert judged_in_pieces(bars, cuts)[:3] == whole[:3]
    single = judged_in_pieces(bars, list(range(1, len(bars))))
    assert single[:3] == whole[:3]
    assert single[3].counts == whole[3].counts
    assert single[3].seen == whole[3].seen


@settings(max_examples=30, deadline=None)
@given(disturbed())
def test_live_records_get_the_verdict_of_columns_and_keep_their_values(bars: BarColumns) -> None:
    cases, flags, gaps, _ = judged_in_pieces(bars, [])
    one = processor()
    given_records = records(bars)
    accepted = [out for record in given_records for out in one.validate(record)]
    expected = [
        (record, flag)
        for record, case, flag in zip(given_records, cases, flags, strict=True)
        if not case
    ]
    got = [record for record in accepted if isinstance(record, Bar)]
    # Equal but for the flags: no value, time or name was changed.
    unmarked = [type(r)(**{**as_dict(r), "flags": 0}) for r in got]
    assert unmarked == [record for record, _ in expected]
    assert [record.flags for record in got] == [flag for _, flag in expected]
    holes = [(r.start, r.end) for r in accepted if isinstance(r, GapRecord)]
    assert holes == gaps


def as_dict(record: Bar) -> dict[str, Any]:
    import msgspec

    return msgspec.structs.asdict(record)


def reference_sequence(bars: BarColumns) -> list[Case]:
    """The rules of sequence once more, row by row in plain Python."""
    cases: list[Case] = []
    kept: list[int] = []
    refused = 0
    for i in range(len(bars)):
        row = [float(getattr(bars, n)[i]) for n in ("open", "high", "low", "close", "volume")]
        o, h, low, c, v = row
        ts = int(bars.open_ts[i])
        if not all(map(math.isfinite, row)):
            cases.append(Case.NOT_FINITE)
        elif min(o, h, low, c) <= 0:
            cases.append(Case.PRICE_NOT_POSITIVE)
        elif v < 0:
            cases.append(Case.NEGATIVE_VOLUME)
        elif h < max(o, c) or low > min(o, c):
            cases.append(Case.HIGH_LOW)
        elif ts > bars.ts_recv[i] + 5 * clock.SECOND:
            cases.append(Case.FUTURE)
        elif ts + MINUTE > bars.ts_avail[i]:
            cases.append(Case.LOOK_AHEAD)
        elif kept and ts <= bars.open_ts[kept[-1]]:
            same = [k for k in kept[-64:] if bars.open_ts[k] == ts]
            equal = same and all(
                getattr(bars, n)[same[0]] == getattr(bars, n)[i]
                for n in ("open", "high", "low", "close", "volume")
            )
            cases.append(Case.DUPLICATE if equal else Case.REVISED if same else Case.OUT_OF_ORDER)
        elif kept and ts < bars.open_ts[kept[-1]] + MINUTE:
            cases.append(Case.OVERLAP)
        else:
            shift = False
            if kept:
                level = float(np.median(bars.close[kept[-7:]]))
                last = float(bars.close[kept[-1]])
                shift = any(
                    all(
                        10**k / 1.25 <= x / y <= 1.25 * 10**k
                        for x, y in ((o, last), (c, last), (c, level))
                    )
                    for k in (*range(-8, 0), *range(1, 9))
                )
            if shift and not (len(kept) < 8 and refused >= len(kept)):
                refused += 1
                cases.append(Case.DECIMAL_SHIFT)
                continue
            refused = 0
            kept.append(i)
            cases.append(Case.NONE)
    return cases


@settings(max_examples=60, deadline=None)
@given(disturbed())
def test_sequence_rules_agree_with_a_plain_implementation(bars: BarColumns) -> None:
    assert judged_in_pieces(bars, [])[0] == reference_sequence(bars)


def test_memory_does_not_grow_with_the_run() -> None:
    one = processor()
    bars = calm_market(4000)
    for start in range(0, 4000, 500):
        one.judge({SYMBOL: bars.take(slice(start, start + 500))})
    track = one._bars._tracks[SYMBOL]
    assert (len(track.tail), len(track.usual.moves), len(track.usual.volumes)) == (64, 320, 320)
    assert track.tail.close.base is None
    assert track.usual.moves.base is None


# --- the report ----------------------------------------------------------------------------------


def test_a_source_fails_by_what_it_did_lately() -> None:
    report = IntakeReport()
    for _ in range(50):
        report.saw("a", 100)
    assert report.failing() == ()
    for _ in range(20):
        report.saw("a", 100)
        report.count("a", Case.HIGH_LOW, 10)
        report.count("a", Case.DUPLICATE, 90)
    assert report.failing() == ("a",)
    assert report.rejected_share("a") < 0.05
    for _ in range(20):
        report.saw("a", 100)
    assert report.failing() == ()
    assert report.rejected_lately("b") == (0, 0)
    report.saw("b", 10)
    report.count("b", Case.HIGH_LOW, 10)
    assert report.failing() == ()
    assert report.failing(least=10) == ("b",)


def test_one_percent_rejected_is_borne_and_more_is_not() -> None:
    report = IntakeReport()
    report.saw("a.csv", 1000)
    report.count("a.csv", Case.HIGH_LOW, 10)
    report.count("a.csv", Case.DUPLICATE, 500)
    report.count("a.csv", Case.OUTLIER, 500)
    report.check()
    report.count("a.csv", Case.HIGH_LOW)
    with pytest.raises(
        DataError, match=r"a\.csv: 11 of 1000 records .* 11 × high or low"
    ) as raised:
        report.check()
    assert raised.value.exit_code == 4
    assert report.rejected_share("a.csv") == pytest.approx(0.011)


def test_a_good_source_does_not_hide_a_bad_one_and_few_records_wait_for_the_end() -> None:
    report = IntakeReport()
    report.saw("good", 1_000_000)
    report.saw("bad", 900)
    report.count("bad", Case.NOT_FINITE, 100)
    report.check()
    with pytest.raises(DataError, match="bad: 100 of 900"):
        report.check(least=0)
    assert report.rejected_share() == pytest.approx(100 / 1_000_900)


def test_a_flood_of_one_case_leaves_the_samples_of_the_others() -> None:
    one = processor()
    bars = calm_market(300)
    bars = changed(bars, 5, volume=-1.0)
    columns = {f.name: getattr(bars, f.name).copy() for f in fields(BarColumns)}
    columns["close"][100:] = math.nan
    one.judge({SYMBOL: BarColumns(**columns)}, rows={SYMBOL: np.arange(300) + 1000})
    kept = [(s.case, s.row) for s in one.report.quarantine]
    assert (Case.NEGATIVE_VOLUME, 1005) in kept
    assert [row for case, row in kept if case is Case.NOT_FINITE] == list(range(1292, 1300))


def test_every_case_says_what_it_is_and_what_is_done() -> None:
    assert all(case.description and isinstance(case.action, Action) for case in Case)


def test_record_from_bar_is_available_at_its_close() -> None:
    bar = record_from_bar(SYMBOL, START, (1.0, 2.0, 0.5, 1.5, 9.0), bar_ns=MINUTE, source="x")
    assert (bar.ts_event, bar.ts_avail, bar.close) == (START, START + MINUTE, 1.5)
