"""Order books."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.faults.harness import (
    _APART,
    Clean,
    Generator,
    Outcome,
    changed,
    compared,
    injects,
    intake,
    places,
    tried,
)
from mirrorcore.market.book import OrderBook
from mirrorcore.market.intake import Case
from mirrorcore.market.records import (
    BookDelta,
    BookSnapshot,
    FeedRecord,
)

Damage = Callable[[BookDelta, OrderBook, Generator], list[BookDelta]]


def _books(
    clean: Clean,
    rng: Generator,
    damage: Damage,
    cases: Sequence[Case],
    *,
    heal_after: int = 3,
) -> Outcome:
    """Damage changes of a book; a few changes later a true snapshot comes, as if asked for."""
    at = dict.fromkeys(places(rng, len(clean.depth), first=_APART))
    truth = OrderBook()
    heal = -1
    records: list[FeedRecord] = []
    for i, record in enumerate(clean.depth):
        if isinstance(record, BookSnapshot):
            truth.reset(record)
            records.append(record)
            continue
        if i in at:
            records.extend(damage(record, truth, rng))
            heal = i + heal_after
        else:
            records.append(record)
        truth.change(record)
        if i == heal:
            records.append(true_snapshot(record, truth))
    before = intake(clean.depth, clean)
    found = compared(before, intake(records, clean), cases, len(at))
    waiting = (Case.AWAITING_SNAPSHOT, Case.CROSSED)
    after = compared(before, intake(records, clean), (*cases, *waiting), 0)
    return Outcome(found.injected, found.detected, after.collateral)


def true_snapshot(record: BookDelta, book: OrderBook) -> BookSnapshot:
    """What the venue would answer as of this change."""
    return BookSnapshot(
        source=record.source,
        symbol=record.symbol,
        ts_event=record.ts_event,
        ts_recv=record.ts_recv,
        ts_avail=record.ts_avail,
        seq=book.seq,
        bids=book.bids(),
        asks=book.asks(),
    )


def _crossing(delta: BookDelta, book: OrderBook, _: Generator) -> list[BookDelta]:
    ask = book.best_ask
    if ask is None:
        raise ValueError("the book has no ask")
    return [changed(delta, bids=(*delta.bids, (ask[0] * 1.01, 1.0)))]


@injects(5)
def book_crossed(clean: Clean, rng: Generator) -> Outcome:
    """A bid above the best ask that is never taken away: dropped after a few changes."""
    return _books(clean, rng, _crossing, (Case.CROSSED_LONG,), heal_after=10)


@injects(21)
def book_changes_missing(clean: Clean, rng: Generator) -> Outcome:
    return _books(clean, rng, lambda *_: [], (Case.SEQUENCE_GAP,))


@injects(21)
def trades_missing(clean: Clean, rng: Generator) -> Outcome:
    at = places(rng, len(clean.trades))
    return tried(clean.trades, at, lambda _: (), (Case.SEQUENCE_GAP,), clean)


@injects(22)
def old_changes(clean: Clean, rng: Generator) -> Outcome:
    """A change the book already holds comes again."""
    return _books(clean, rng, lambda delta, *_: [delta, delta], (Case.NOT_ALIGNED,))


@injects(22)
def old_snapshot(clean: Clean, _: Generator) -> Outcome:
    """The first snapshot is older than the changes kept for it; then the right one comes."""
    snapshot, *changes = clean.depth
    early = changed(snapshot, seq=snapshot.seq - 10**9)
    late = [changes[0], changes[1], early, *changes[2:]]
    before = intake(clean.depth, clean)
    found = compared(before, intake(late, clean), (Case.NOT_ALIGNED,), 1)
    return Outcome(found.injected, found.detected)


@injects(23)
def levels_never_removed(clean: Clean, rng: Generator) -> Outcome:
    """A level is added that the venue does not have; the next snapshot tells."""

    def damage(delta: BookDelta, book: OrderBook, _: Generator) -> list[BookDelta]:
        bids = book.bids(3)
        ghost = (bids[-1][0] * (1 - 1e-7), 1.0)
        return [changed(delta, bids=(*delta.bids, ghost))]

    return _books(clean, rng, damage, (Case.BOOK_DRIFT,))


@injects(23)
def books_too_deep(clean: Clean, rng: Generator) -> Outcome:
    def damage(delta: BookDelta, book: OrderBook, _: Generator) -> list[BookDelta]:
        best = book.bids(1)[0][0]
        levels = tuple((best * (0.5 - i * 1e-5), 0.1) for i in range(6_000))
        return [changed(delta, bids=(*delta.bids, *levels))]

    return _books(clean, rng, damage, (Case.BOOK_TOO_DEEP,))


@injects(23)
def sizes_absurd(clean: Clean, rng: Generator) -> Outcome:
    def damage(delta: BookDelta, book: OrderBook, _: Generator) -> list[BookDelta]:
        return [changed(delta, bids=(*delta.bids, (book.bids(1)[0][0] * 0.9, 1e12)))]

    return _books(clean, rng, damage, (Case.VOLUME_SPIKE,))
