"""The local order book against a plain dictionary, and the rules by which it is aligned."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.market.book import KEPT_CHANGES, Applied, BookState, OrderBook
from mirrorcore.market.book_check import TopCheck
from mirrorcore.market.records import BookDelta, BookSnapshot, GapRecord, Levels, Quote
from mirrorcore.market.validator import Case, MarketDataProcessor

NOW = 1_700_000_000 * clock.SECOND
SYMBOL = "BTC/USDT"


def common(at: int = 0) -> dict[str, Any]:
    instant = NOW + at * clock.SECOND // 10
    return {
        "source": "v",
        "symbol": SYMBOL,
        "ts_event": instant,
        "ts_recv": instant,
        "ts_avail": instant,
    }


def snapshot(seq: int, bids: Levels = ((99.0, 1.0),), asks: Levels = ((101.0, 1.0),)) -> Any:
    return BookSnapshot(**common(seq), seq=seq, bids=bids, asks=asks)


def delta(first: int, last: int, previous: int = 0, **levels: Levels) -> BookDelta:
    return BookDelta(
        **common(last),
        first_seq=first,
        seq=last,
        previous_seq=previous,
        bids=levels.get("bids", ()),
        asks=levels.get("asks", ()),
    )


SIZES = st.sampled_from([0.0, 0.5, 1.0, 2.5])
BIDS = st.lists(st.tuples(st.integers(80, 99).map(float), SIZES), max_size=6).map(tuple)
ASKS = st.lists(st.tuples(st.integers(101, 120).map(float), SIZES), max_size=6).map(tuple)


def plain(side: dict[float, float], levels: Levels) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(BIDS, ASKS),
    st.lists(st.tuples(BIDS, ASKS, st.integers(1, 9)), max_size=30),
    st.integers(0, 30),
)
def test_book_equals_a_dictionary_whenever_its_snapshot_comes(
    first: tuple[Levels, Levels], changes: list[tuple[Levels, Levels, int]], late: int
) -> None:
    """The snapshot is as of the start; it arrives after ``late`` of the changes."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    plain(bids, first[0])
    plain(asks, first[1])
    book, seq = OrderBook(), 100
    opening = snapshot(seq, first[0], first[1])
    for i, (bid, ask, length) in enumerate(changes):
        if i == late:
            assert book.reset(opening) is not None
        change = delta(seq + 1, seq + length, bids=bid, asks=ask)
        seq += length
        assert book.change(change) is (Applied.CHANGED if i >= late else Applied.WAITS)
        plain(bids, bid)
        plain(asks, ask)
    if late >= len(changes):
        assert book.reset(opening) is not None
    assert book.state is BookState.LIVE
    assert book.seq == seq
    assert dict(book.bids()) == bids
    assert dict(book.asks()) == asks
    assert [p for p, _ in book.bids()] == sorted(bids, reverse=True)
    assert [p for p, _ in book.asks()] == sorted(asks)
    assert book.best_bid == (max(bids.items()) if bids else None)
    assert book.best_ask == (min(asks.items()) if asks else None)


@pytest.mark.parametrize(
    ("change", "applied"),
    [
        (delta(11, 12), Applied.CHANGED),
        (delta(8, 11), Applied.CHANGED),
        (delta(8, 10), Applied.OLD),
        (delta(12, 13), Applied.GAP),
        (delta(15, 20, previous=10), Applied.CHANGED),
        (delta(15, 20, previous=12), Applied.GAP),
    ],
)
def test_a_change_must_begin_where_the_snapshot_ends(change: BookDelta, applied: Applied) -> None:
    book = OrderBook()
    book.reset(snapshot(10))
    assert book.change(change) is applied
    assert book.state is (BookState.WAITING if applied is Applied.GAP else BookState.LIVE)


def test_a_snapshot_older_than_the_changes_kept_does_not_fit() -> None:
    book = OrderBook()
    assert book.change(delta(21, 22)) is Applied.WAITS
    assert book.reset(snapshot(10)) is None
    assert book.state is BookState.WAITING
    assert book.reset(snapshot(20)) is not None
    assert book.seq == 22


def test_a_live_book_is_compared_with_a_later_snapshot() -> None:
    book = OrderBook()
    book.reset(snapshot(10))
    book.change(delta(11, 11, bids=((98.0, 3.0),)))
    same = book.reset(snapshot(10))
    assert same is not None
    assert same.differing == 0
    without = book.reset(snapshot(11))
    assert without is not None
    assert without.differing == 0  # the snapshot does not reach as deep as 98
    ghost = book.reset(snapshot(11, bids=((99.0, 2.0), (98.5, 1.0))))
    assert ghost is not None
    assert ghost.differing == 1
    assert book.bids() == ((99.0, 2.0), (98.5, 1.0))
    assert book.reset(snapshot(9)) is None
    assert book.seq == 11


def test_memory_is_bounded_and_the_best_levels_stay() -> None:
    book = OrderBook(levels=10)
    book.reset(snapshot(0, bids=tuple((90.0 - i, 1.0) for i in range(20))))
    for i in range(1, 2 * KEPT_CHANGES):
        book.change(delta(i, i, asks=((101.0 + i, 1.0),), bids=((50.0 - i / 1e4, 1.0),)))
    assert len(book.bids()) == len(book.asks()) == 10
    assert book.best_bid == (90.0, 1.0)
    assert book.best_ask == (101.0, 1.0)
    assert book.trimmed > 0
    assert len(book._recent) == KEPT_CHANGES


def test_imbalance_is_of_the_best_levels() -> None:
    book = OrderBook()
    assert book.imbalance() is None
    book.reset(snapshot(1, ((99.0, 3.0), (98.0, 50.0)), ((101.0, 1.0), (102.0, 2.0))))
    assert book.imbalance(1) == pytest.approx(0.5)
    assert book.imbalance(2) == pytest.approx((53 - 3) / 56)


# --- through the processor -----------------------------------------------------------------------


def test_changes_before_the_snapshot_come_out_behind_it() -> None:
    one = MarketDataProcessor()
    first, second = delta(11, 12), delta(13, 14)
    assert one.validate([first, second]) == ()
    assert one.wanting_snapshot() == (("v", SYMBOL),)
    opening = snapshot(11)
    assert one.validate(opening) == (opening, first, second)
    assert one.wanting_snapshot() == ()
    book = one.book("v", SYMBOL)
    assert book is not None
    assert book.seq == 14
    assert one.report.counts["v", Case.AWAITING_SNAPSHOT] == 2
    assert one.report.rejected_share() == 0


def test_a_gap_drops_the_book_and_asks_for_a_snapshot() -> None:
    one = MarketDataProcessor()
    one.validate([snapshot(10), delta(11, 12)])
    (gap,) = one.validate(delta(14, 15))
    assert isinstance(gap, GapRecord)
    assert (gap.start, gap.end) == (NOW + 1_200_000_000, NOW + 1_500_000_000)
    assert one.wanting_snapshot() == (("v", SYMBOL),)
    book = one.book("v", SYMBOL)
    assert book is not None
    assert book.best_bid is None
    again = snapshot(14)
    assert one.validate(again)[0] == again
    assert book.seq == 15
    assert one.report.counts["v", Case.SEQUENCE_GAP] == 1


def test_a_new_connection_begins_a_new_book_even_if_it_numbers_anew() -> None:
    from msgspec.structs import replace

    one = MarketDataProcessor()
    one.validate([snapshot(1000), delta(1001, 1002)])
    assert one.validate(replace(delta(5, 6), epoch=1)) == ()
    assert one.wanting_snapshot() == (("v", SYMBOL),)
    assert len(one.validate(replace(snapshot(5), epoch=1))) == 2
    book = one.book("v", SYMBOL)
    assert book is not None
    assert book.seq == 6


def test_a_crossed_snapshot_is_held_back() -> None:
    one = MarketDataProcessor()
    assert one.validate(snapshot(10, bids=((102.0, 1.0),))) == ()
    assert one.report.counts == {("v", Case.CROSSED): 1}


def test_a_book_crossed_for_one_change_lives_and_one_crossed_for_long_is_dropped() -> None:
    one = MarketDataProcessor()
    one.validate(snapshot(10))
    one.validate(delta(11, 11, bids=((102.0, 1.0),)))
    one.validate(delta(12, 12, bids=((102.0, 0.0),)))
    assert one.wanting_snapshot() == ()
    out = one.validate([delta(13, 13, bids=((102.0, 1.0),)), *(delta(i, i) for i in range(14, 20))])
    assert [record for record in out if isinstance(record, GapRecord)]
    assert one.wanting_snapshot() == (("v", SYMBOL),)
    assert one.report.counts["v", Case.CROSSED_LONG] == 1


# --- top of book ---------------------------------------------------------------------------------


def quote(seq: int, bid: float, ask: float) -> Quote:
    return Quote(**common(), seq=seq, bid=bid, ask=ask, bid_size=1.0, ask_size=1.0)


def test_tops_are_compared_at_equal_numbers_whichever_comes_first() -> None:
    check, book = TopCheck(), OrderBook()
    check.quoted(quote(11, 99.0, 101.0))
    book.reset(snapshot(10))
    check.book_changed(book)
    book.change(delta(11, 11))
    check.book_changed(book)
    check.quoted(quote(10, 98.0, 101.0))
    check.quoted(quote(12, 1.0, 2.0))
    assert (check.equal, check.different, check.compared) == (1, 1, 2)


def test_snapshots_without_numbers_replace_each_other() -> None:
    one = MarketDataProcessor()
    one.validate([snapshot(0), snapshot(0, bids=((98.0, 2.0),))])
    book = one.book("v", SYMBOL)
    assert book is not None
    assert book.bids() == ((98.0, 2.0),)
    assert one.report.counts == {}
