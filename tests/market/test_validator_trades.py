"""Trades over columns: one verdict however they are cut, gaps and who fills them, one order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.merge import merge_records
from mirrorcore.market.records import Flag, GapRecord, Trade
from mirrorcore.market.trade_columns import TradeColumns
from mirrorcore.market.trade_merge import merge_trades
from mirrorcore.market.trade_rules import TradeTrack
from mirrorcore.market.validator import MarketDataProcessor

NOW = 1_700_000_000 * clock.SECOND
BTC = "BTC/USDT"


def trade(number: int, price: float = 100.0, **more: Any) -> Trade:
    at = NOW + number * clock.SECOND
    fields: dict[str, Any] = {
        "source": "v",
        "symbol": BTC,
        "ts_event": at,
        "ts_recv": at + 5,
        "ts_avail": at + 5,
        "seq": number,
        "price": price,
        "quantity": 1.0 + number % 7,
        "side": "buy",
        "trade_id": str(number) if number else "",
    }
    return Trade(**{**fields, **more})


def numbered(**options: Any) -> MarketDataProcessor:
    """Of a source that numbers its trades one after the other."""
    return MarketDataProcessor(contiguous=("v",), **options)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([100.0, 100.5, 130.0, 1000.0, 0.0, math.nan]),
        st.sampled_from([1.0, 2.0, -1.0]),
        st.integers(0, 1),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(0, 40), st.integers(0, 40))
def test_one_verdict_however_the_trades_are_cut(
    rows: list[tuple[int, float, float, int]], first: int, second: int
) -> None:
    trades = TradeColumns.of(
        [trade(n, p, quantity=q, epoch=e, ts_recv=NOW + 10**11) for n, p, q, e in rows]
    )
    trades = TradeColumns(**{**fields_of(trades), "ts_avail": trades.ts_recv})
    whole, parts = TradeTrack(clock.SECOND), TradeTrack(clock.SECOND)
    expected = whole.judge(trades)
    low, high = sorted((first, second))
    got = [
        parts.judge(trades.take(s)) for s in (slice(0, low), slice(low, high), slice(high, None))
    ]
    assert np.concatenate([v.cases for v in got]).tolist() == expected.cases.tolist()
    assert np.concatenate([v.flags for v in got]).tolist() == expected.flags.tolist()
    assert [gap for v in got for gap in v.gaps] == list(expected.gaps)
    assert parts.numbers == whole.numbers
    accepted = trades.seq[expected.accepted]
    numbered = accepted[accepted > 0].tolist()
    assert len(numbered) == len(set(numbered))
    if numbered:
        missing = set(range(min(numbered), max(numbered))) - set(numbered)
        held = {n for start, end in whole.numbers.holes for n in range(start, end)}
        assert held == missing


def fields_of(trades: TradeColumns) -> dict[str, Any]:
    return {name: getattr(trades, name) for name in TradeColumns.__dataclass_fields__}


def test_a_gap_is_told_and_a_late_trade_fills_it() -> None:
    one = numbered()
    one.validate([trade(1), trade(2)])
    gap, five = one.validate(trade(5))
    assert isinstance(gap, GapRecord)
    assert (gap.start, gap.end) == (trade(2).ts_event, trade(5).ts_event)
    assert five.flags == Flag.AFTER_GAP
    late = one.validate([trade(4), trade(3)])
    assert [record.seq for record in late] == [3, 4]
    assert all(record.flags == Flag.OUT_OF_ORDER for record in late)
    assert one.validate([trade(3), trade(4)]) == ()
    counted = {case: n for (_, case), n in one.report.counts.items()}
    assert counted == {
        Case.SEQUENCE_GAP: 1,
        Case.LATE: 2,
        Case.REORDERED: 1,
        Case.DUPLICATE: 2,
        Case.CLOCK_JUMP: 2,
    }


def test_a_gap_that_was_told_already_is_not_told_again() -> None:
    one = numbered()
    told, after = trade(5, flags=int(Flag.AFTER_GAP)), trade(9)
    out = one.validate([trade(1), told, after])
    assert [type(record) for record in out] == [Trade, Trade, GapRecord, Trade]
    assert (out[2].ts_event, out[2].start) == (after.ts_event, told.ts_event)
    assert one.report.counts["v", Case.SEQUENCE_GAP] == 2


def test_numbers_that_skip_are_no_gap_unless_the_source_counts_up_by_one() -> None:
    one = MarketDataProcessor()
    assert len(one.validate([trade(1), trade(5), trade(9)])) == 3
    assert one.report.counts == {}


def test_what_a_new_connection_repeats_is_dropped() -> None:
    one = numbered()
    one.validate([trade(i) for i in range(1, 10)])
    again = one.validate([trade(i, epoch=1) for i in range(5, 12)])
    assert [record.seq for record in again] == [10, 11]
    assert one.report.counts["v", Case.REPLAYED] == 5


def test_a_repetition_is_known_long_after() -> None:
    one = numbered()
    one.validate([trade(i) for i in range(1, 3000)])
    assert one.validate(trade(7)) == ()
    assert one.report.counts["v", Case.DUPLICATE] == 1


@pytest.mark.parametrize(
    ("field", "value", "case"),
    [
        ("price", "100.0", Case.WRONG_TYPE),
        ("price", None, Case.MISSING_VALUE),
        ("seq", 1.5, Case.WRONG_TYPE),
        ("ts_event", 2**70, Case.TIME_RANGE),
        ("quantity", 10**400, Case.NOT_FINITE),
    ],
)
def test_a_trade_of_wrong_types_is_refused_and_its_batch_goes_on(
    field: str, value: Any, case: Case
) -> None:
    one = numbered()
    bad = trade(2, **{field: value})
    assert [r.seq for r in one.validate([trade(1), bad, trade(2)])] == [1, 2]
    assert one.report.counts == {("v", case): 1}
    assert one.report.seen["v"] == 3


def test_columns_do_not_take_text_or_none_for_numbers() -> None:
    with pytest.raises(TypeError):
        TradeColumns.of([trade(1, price="100.0")])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        TradeColumns.of([trade(1, quantity=None)])


def test_columns_give_the_same_records_back() -> None:
    trades = [trade(1, side="sell"), trade(2, side=""), trade(3)]
    assert TradeColumns.of(trades).records("v", BTC) == trades


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=8), max_size=4))
def test_columns_are_merged_in_the_order_of_records(
    streams: list[list[tuple[int, int]]],
) -> None:
    made = [
        [
            trade(n, ts_recv=NOW + at, ts_avail=NOW + at, symbol=f"S{i}", price=1.0 + k)
            for k, (at, n) in enumerate(sorted(rows))
        ]
        for i, rows in enumerate(streams)
    ]
    expected = [(r.symbol, r.ts_avail, r.seq, r.price) for r in merge_records(made)]
    rank, rows = merge_trades([TradeColumns.of(one) for one in made])
    got = zip(rank.tolist(), rows.ts_avail.tolist(), rows.seq.tolist(), rows.price, strict=True)
    assert [(f"S{i}", at, seq, price) for i, at, seq, price in got] == expected


def test_memory_does_not_grow_with_the_run() -> None:
    track = TradeTrack(clock.SECOND)
    for start in range(1, 20_000, 1000):
        numbers = range(start, start + 1000, 2)
        track.judge(TradeColumns.of([trade(n) for n in numbers]))
    assert len(track.tail) == 1024
    assert len(track.numbers.holes) == 256
    assert track.tail.price.base is None


def test_the_report_counts_every_trade_once() -> None:
    report = IntakeReport()
    one = numbered(report=report)
    one.validate([trade(1), trade(1), trade(2, price=-1.0)])
    assert report.seen == {"v": 3}
    assert report.rejected_share() == pytest.approx(1 / 3)


ODD: tuple[dict[str, Any], ...] = (
    {"price": 0.0},
    {"price": 1000.0},
    {"price": 103.0},
    {"price": math.nan},
    {"quantity": 0.0},
    {"quantity": 1e9},
    {"seq": 5},
    {"ts_event": NOW},
    {"ts_event": NOW + 10**15},
    {"ts_recv": NOW},
    {"ts_avail": NOW},
    {"flags": int(Flag.BACKFILL)},
    {"epoch": 1},
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 299), st.sampled_from(ODD))))
def test_trades_that_pass_quietly_are_those_the_columns_pass(
    seed: int, odd: list[tuple[int, dict[str, Any]]]
) -> None:
    rng = np.random.default_rng(seed)
    trades = [
        trade(i + 1, 100.0 + int(rng.integers(0, 2)) / 100, quantity=float(rng.integers(1, 3)))
        for i in range(300)
    ]
    for at, changes in odd:
        trades[at] = trade(at + 1, **changes)
    whole, single = TradeTrack(clock.SECOND), TradeTrack(clock.SECOND)
    expected = whole.judge(TradeColumns.of(trades))
    cases, flags, quiet = [], [], 0
    for one in trades:
        if single.passes_quietly(one):
            quiet += 1
            cases.append(0)
            flags.append(one.flags)
        else:
            verdict = single.judge(TradeColumns.of([one]))
            cases += verdict.cases.tolist()
            flags += verdict.flags.tolist()
    assert cases == expected.cases.tolist()
    assert flags == expected.flags.tolist()
    if not odd:
        assert quiet >= 285
    single.flush()
    assert single.numbers == whole.numbers
    assert (single.event, single.receipt, single.run) == (whole.event, whole.receipt, whole.run)
    assert single.tail.seq.tolist() == whole.tail.seq.tolist()


def test_nineteen_trades_in_a_row_with_one_price_and_size_are_nothing_and_twenty_are() -> None:
    one = numbered()
    out = [one.validate(trade(i, quantity=1.0))[0].flags for i in range(1, 31)]
    assert out == [0] * 19 + [Flag.WASH_LIKE] * 11
