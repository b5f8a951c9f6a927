"""What an agent in a process of its own has been sent of one source and has not collected yet."""

from __future__ import annotations

from collections import deque

from mirrorcore.syncbus.messages import Gap, Update
from mirrorcore.syncbus.process_frames import pickled, unpack

_ROOM = 1_024


class Pending:
    """Pickled updates, oldest first; bounded, whether or not anybody collects.

    ``merged`` says that they become one in the end; else each counts, and what the room does not
    hold is told as a :class:`Gap`. They are read when they are collected: one that cannot be read
    here raises in the agent that asked for it.
    """

    __slots__ = ("_gap", "_merged", "_waiting")

    def __init__(self, *, merged: bool) -> None:
        self._merged = merged
        self._waiting: deque[bytes] = deque()
        self._gap: Gap | None = None

    def add(self, update: bytes) -> None:
        self._waiting.append(update)
        if len(self._waiting) <= _ROOM:
            return
        if self._merged:
            whole = pickled(self._whole())
            self._waiting.clear()
            self._waiting.append(whole)
        else:
            self._lose(unpack(self._waiting.popleft()))

    def taken(self) -> list[Update | Gap]:
        """What waits, as the bus would have given it."""
        if self._merged:
            return [self._whole()]
        told: list[Update | Gap] = [] if self._gap is None else [self._gap]
        return told + [unpack(update) for update in self._waiting]

    def _whole(self) -> Update:
        update: Update = unpack(self._waiting[0])
        for later in map(unpack, list(self._waiting)[1:]):
            resync = later.resync or update.resync
            fields = later.fields if later.resync else {**update.fields, **later.fields}
            gap = update.gap + later.gap
            update = Update(later.source, fields, later.version, gap, resync, later.t)
        return update

    def _lose(self, oldest: Update | Gap) -> None:
        if isinstance(oldest, Gap):
            first, last, count = oldest.first, oldest.last, oldest.count
        else:
            first, last, count = oldest.version, oldest.version, 1
        if self._gap is not None:
            first, count = self._gap.first, self._gap.count + count
        self._gap = Gap(oldest.source, first, last, count)
