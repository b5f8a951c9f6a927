"""Order books: which snapshot and which change may be used, and when a new snapshot is due."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mirrorcore.market.book import KEPT_LEVELS, Applied, BookState, OrderBook
from mirrorcore.market.intake import Case
from mirrorcore.market.quote_rules import CrossedSpell
from mirrorcore.market.records import BookDelta, BookSnapshot, Flag, GapRecord, Levels
from mirrorcore.market.rulings import Ruling, time_fault, type_fault

ABSURD_SIZE = 100.0
"""A level larger than so many times all that one side of the last snapshot held."""


@dataclass(slots=True)
class BookTrack:
    """One source's book of one symbol.

    A change before its snapshot is kept, and comes out behind the snapshot once that is there. A
    book that stays crossed is dropped: some level was never removed.
    """

    tolerance_ns: int
    levels: int = KEPT_LEVELS
    book: OrderBook = field(init=False)
    spell: CrossedSpell = field(default_factory=CrossedSpell)
    wants_snapshot: bool = True
    event: int = 0
    """Event time of the record applied last."""
    epoch: int = 0
    _held: float = 0.0

    def __post_init__(self) -> None:
        self.book = OrderBook(levels=self.levels)

    def judge(self, record: BookSnapshot | BookDelta) -> Ruling:
        """Judge the next record of the book and apply it if it fits."""
        fault = self._fault(record)
        if fault is not Case.NONE:
            return Ruling(fault)
        if record.epoch > self.epoch:
            # What a new connection says need not go on from the old one, nor number as it did.
            self.epoch = record.epoch
            self.book.drop()
            self._drop()
        trimmed = self.book.trimmed
        ruling = self._snapshot(record) if isinstance(record, BookSnapshot) else self._delta(record)
        if self.book.trimmed > trimmed:
            ruling = _noting(ruling, Case.BOOK_TOO_DEEP)
        return ruling

    def _fault(self, record: BookSnapshot | BookDelta) -> Case:
        fault = type_fault(record)
        if fault is Case.NONE:
            fault = time_fault(record, self.tolerance_ns)
        if fault is not Case.NONE:
            return fault
        for price, size in (*record.bids, *record.asks):
            if not (math.isfinite(price) and math.isfinite(size)):
                return Case.NOT_FINITE
            if price <= 0:
                return Case.PRICE_NOT_POSITIVE
            if size < 0:
                return Case.NEGATIVE_VOLUME
        if isinstance(record, BookSnapshot) and _is_crossed(record):
            return Case.CROSSED
        return Case.NONE

    def _snapshot(self, snapshot: BookSnapshot) -> Ruling:
        was_live = self.book.state is BookState.LIVE
        reset = self.book.reset(snapshot)
        if reset is None:
            return Ruling(Case.NOT_ALIGNED)
        self.wants_snapshot = False
        self._held = max(_total(snapshot.bids), _total(snapshot.asks))
        self.event = snapshot.ts_event
        noted = (Case.BOOK_DRIFT,) if reset.differing else ()
        detail = f"{reset.differing} levels differ" if reset.differing else ""
        after = () if was_live else reset.applied
        return Ruling(noted=noted, detail=detail, after=after)

    def _delta(self, delta: BookDelta) -> Ruling:
        applied = self.book.change(delta)
        if applied is Applied.OLD:
            return Ruling(Case.NOT_ALIGNED)
        if applied is Applied.WAITS:
            return Ruling(Case.AWAITING_SNAPSHOT)
        if applied is Applied.GAP:
            gap = _gap(delta, self.event, "book updates are missing")
            self._drop()
            told = bool(delta.flags & Flag.AFTER_GAP)
            before = () if told else (gap,)
            return Ruling(Case.AWAITING_SNAPSHOT, noted=(Case.SEQUENCE_GAP,), before=before)
        self.event = delta.ts_event
        flags, noted = 0, []
        if self._absurd(delta):
            flags |= Flag.VOLUME_SPIKE
            noted.append(Case.VOLUME_SPIKE)
        if self.book.crossed:
            return self._crossed(delta, flags, noted)
        self.spell.end()
        if self.book.locked:
            flags |= Flag.LOCKED
            noted.append(Case.LOCKED)
        return Ruling(flags=flags, noted=tuple(noted))

    def _crossed(self, delta: BookDelta, flags: int, noted: list[Case]) -> Ruling:
        """The change is part of the book either way; what is held back is its top."""
        noted.append(Case.CROSSED)
        if not self.spell.begins_to_last(delta.ts_event):
            return Ruling(flags=flags, noted=tuple(noted))
        noted.append(Case.CROSSED_LONG)
        gap = _gap(delta, delta.ts_event, "the book stayed crossed")
        self.book.drop()
        self._drop()
        return Ruling(Case.AWAITING_SNAPSHOT, noted=tuple(noted), before=(gap,))

    def _drop(self) -> None:
        self.wants_snapshot = True
        self.spell.end()

    def _absurd(self, delta: BookDelta) -> bool:
        most = ABSURD_SIZE * self._held
        return most > 0 and any(size > most for _, size in (*delta.bids, *delta.asks))


def _is_crossed(snapshot: BookSnapshot) -> bool:
    if not snapshot.bids or not snapshot.asks:
        return False
    return max(p for p, _ in snapshot.bids) > min(p for p, _ in snapshot.asks)


def _total(levels: Levels) -> float:
    return math.fsum(size for _, size in levels)


def _noting(ruling: Ruling, case: Case) -> Ruling:
    return Ruling(
        case=ruling.case,
        flags=ruling.flags,
        noted=(*ruling.noted, case),
        detail=ruling.detail,
        before=ruling.before,
        after=ruling.after,
    )


def _gap(delta: BookDelta, start: int, reason: str) -> GapRecord:
    return GapRecord(
        source=delta.source,
        symbol=delta.symbol,
        ts_event=delta.ts_event,
        ts_recv=delta.ts_recv,
        ts_avail=delta.ts_avail,
        epoch=delta.epoch,
        start=start,
        end=delta.ts_event,
        reason=reason,
    )
