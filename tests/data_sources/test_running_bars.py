"""Bars of trades: final at their close, and complete or marked."""

from __future__ import annotations

from feed_fakes import BTC, START, trade
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import MINUTE, SECOND
from mirrorcore.data_sources.bars import BarBuilder
from mirrorcore.market.records import Bar, Flag, GapRecord, Status


def closed(builder: BarBuilder, records: list[object], at: int) -> list[Bar]:
    return builder.read(records, START + at)  # type: ignore[arg-type]


def status(state: str, at: int) -> Status:
    return Status(source="venue", symbol=BTC, ts_event=START + at, ts_recv=START + at,
                  ts_avail=START + at, state=state, reason="")  # type: ignore[arg-type]  # fmt: skip


def test_a_bar_is_final_at_its_close_and_a_little() -> None:
    builder = BarBuilder(MINUTE)
    trades = [trade(n, n * 10 * SECOND, price=p) for n, p in ((1, 5.0), (2, 9.0), (3, 4.0))]
    assert not closed(builder, list(trades), 40 * SECOND)
    late = trade(4, 59 * SECOND, price=6.0)
    assert not closed(builder, [trade(5, 61 * SECOND, price=7.0), late], 61 * SECOND)
    assert not closed(builder, [], 62 * SECOND - 1)
    (bar,) = closed(builder, [], 62 * SECOND)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (5, 9, 4, 6, 4)
    assert (bar.ts_event, bar.ts_avail, bar.flags) == (START, START + 62 * SECOND, 0)
    assert not closed(builder, [trade(6, 59 * SECOND)], 63 * SECOND)
    assert builder.late == 1


def test_intervals_without_trades_give_no_bar_or_one_that_says_so() -> None:
    sparse, dense = BarBuilder(MINUTE), BarBuilder(MINUTE, sparse=False)
    trades = [trade(1, 0, price=5.0), trade(2, 200 * SECOND, price=6.0)]
    opens = [(b.ts_event - START) // MINUTE for b in closed(sparse, list(trades), 300 * SECOND)]
    assert opens == [0, 3]
    bars = closed(dense, list(trades), 300 * SECOND)
    assert [(b.ts_event - START) // MINUTE for b in bars] == [0, 1, 2, 3]
    assert [(b.close, b.volume, bool(b.flags & Flag.SYNTHETIC)) for b in bars[1:3]] == [
        (5.0, 0.0, True)
    ] * 2
    assert not bars[3].flags


def test_a_bar_waits_for_what_is_missing_within_bounds() -> None:
    builder = BarBuilder(MINUTE)
    closed(builder, [trade(1, 0), trade(2, 50 * SECOND), status("stale", 55 * SECOND)], 56 * SECOND)
    assert not closed(builder, [], 80 * SECOND)
    filled = [trade(3, 55 * SECOND), status("live", 85 * SECOND)]
    (bar,) = closed(builder, filled, 85 * SECOND)
    assert bar.volume == 3
    assert not bar.flags
    closed(builder, [trade(4, 86 * SECOND), status("down", 90 * SECOND)], 90 * SECOND)
    assert not closed(builder, [], 149 * SECOND)
    (bar,) = closed(builder, [], 150 * SECOND)
    assert bar.flags == Flag.AFTER_GAP, "given up: it may be incomplete, and says so"


def test_a_gap_that_stays_open_marks_the_bars_it_touches() -> None:
    builder = BarBuilder(MINUTE)
    gap = GapRecord(source="venue", symbol=BTC, ts_event=START, ts_recv=START, ts_avail=START,
                    start=START + 70 * SECOND, end=START + 100 * SECOND, reason="")  # fmt: skip
    records = [trade(1, 0), gap, trade(2, 110 * SECOND), trade(3, 130 * SECOND)]
    bars = closed(builder, records, 300 * SECOND)
    assert [bool(bar.flags & Flag.AFTER_GAP) for bar in bars] == [False, True, False]


@given(
    st.lists(st.tuples(st.integers(0, 599), st.integers(1, 50)), min_size=1, max_size=60),
    st.integers(1, 100),
)
def test_bars_are_the_trades_whatever_the_batches(ticks: list[tuple[int, int]], cut: int) -> None:
    trades = [
        trade(n, at * SECOND, price=float(price))
        for n, (at, price) in enumerate(sorted(ticks, key=lambda one: one[0]), 1)
    ]
    builder, found = BarBuilder(MINUTE), []
    for at in range(0, 700, cut):
        due = [t for t in trades if at - cut < (t.ts_event - START) // SECOND <= at]
        found += closed(builder, list(due), at * SECOND)
    found += closed(builder, [], 10**4 * SECOND)
    expected = {}
    for one in trades:
        expected.setdefault(one.ts_event // MINUTE * MINUTE, []).append(one.price)
    assert builder.late == 0
    assert [(b.ts_event, b.open, b.high, b.low, b.close, b.volume) for b in found] == [
        (t, p[0], max(p), min(p), p[-1], len(p)) for t, p in expected.items()
    ]
