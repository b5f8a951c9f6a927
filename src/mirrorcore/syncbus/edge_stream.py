"""The edge of a reader that has to see every delta: bar builders, counters, recorders.

Nothing is merged. What waits is bounded; when the bound is reached the oldest goes, and the reader
is told in its place how much it lost: a :class:`Gap` instead of silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from mirrorcore.syncbus.edge import CountingEdge
from mirrorcore.syncbus.messages import Gap, Update

if TYPE_CHECKING:
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.source import Block, StateSource


class StreamEdge(CountingEdge):
    """Every delta that touches ``mask`` (None: every one), in order, at most ``room`` waiting.

    ``gap`` is what was dropped and not yet told: (first version, last version, how many). ``first``
    is the state it found when it was made, or opened again: the deltas that wait came after it.
    """

    __slots__ = ("first", "gap", "mask", "matched", "room", "waiting")

    memory: ClassVar[tuple[str, ...]] = (*CountingEdge.memory, "matched", "gap")
    may_be_plain: ClassVar[bool] = False

    def __init__(
        self, source: StateSource, mailbox: Mailbox, mask: frozenset[str] | None, room: int
    ) -> None:
        super().__init__(source, mailbox)
        self.mask = mask
        self.room = room
        self.matched = 0
        self.gap: tuple[int, int, int] | None = None
        self.waiting: deque[Update] = deque()
        self.first = self._snapshot(0) if self.resync else None

    @property
    def published(self) -> int:
        self.source.settle()
        return self.matched

    @property
    def behind(self) -> int:
        self.source.settle()
        return len(self.waiting)

    def note(self, delta: dict[str, Any], version: int) -> None:
        source = self.source
        if self.mask is None:
            self._keep(source.latest())
        elif not self.mask.isdisjoint(delta):
            fields = self.restrict(delta)
            self._keep(Update(source.name, fields, version, 1, False, source.t))
        else:
            return
        self.mailbox.mark(self)

    def note_rows(self, block: Block, start: int, stop: int) -> None:
        if self.mask is not None and self.mask.isdisjoint(block.arrays):
            return
        source = self.source
        behind = source.version - stop  # row r has become version behind + r + 1
        for row in range(start, stop):
            fields = self.restrict(MappingProxyType(block.row(row)))
            t = int(block.ts[row])
            self._keep(Update(source.name, fields, behind + row + 1, 1, False, t))

    def take(self) -> Update | Gap | None:
        """The next of what waits; it marks itself again while more does."""
        self.source.settle()
        taken: Update | Gap
        if self.resync:
            taken = self.first or self._snapshot(0)
            self.first, self.resync = None, False
            self.resyncs += 1
        elif self.gap is not None:
            first, last, count = self.gap
            self.gap = None
            taken = Gap(self.source.name, first, last, count)
        elif self.waiting:
            taken = self.waiting.popleft()
            self.delivered += 1
            self.seen = taken.version
        else:
            return None
        if self.waiting and not self.queued:
            self.mailbox.mark(self)
        return taken

    def skip(self) -> None:
        self.source.settle()
        gap = len(self.waiting)
        self.waiting.clear()
        self.first = self.gap = None
        self._account(gap)

    def renew(self) -> None:
        """A new incarnation goes on where the last one stopped; what it missed in between waits."""

    def close(self) -> None:
        super().close()
        self.rejected += len(self.waiting)
        self.waiting.clear()

    def reopen(self) -> None:
        """It was down for good: it begins again with the state it finds."""
        super().reopen()
        self.gap = None
        self.resync = self.source.version > 0
        self.first = self._snapshot(0) if self.resync else None

    def restrict(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        mask = self.mask
        if mask is None:
            return fields
        return MappingProxyType({name: fields[name] for name in fields if name in mask})

    def oldest_pending(self) -> int | None:
        return self.waiting[0].t if self.waiting else None

    def _keep(self, update: Update) -> None:
        self.matched += 1
        self.waiting.append(update)
        if len(self.waiting) > self.room:
            version = self.waiting.popleft().version
            self.lost += 1
            first, _, count = self.gap or (version, version, 0)
            self.gap = (first, version, count + 1)
