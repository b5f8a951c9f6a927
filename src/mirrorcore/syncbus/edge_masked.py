"""The edge of a reader that asked for some fields: only deltas that touch them count."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from mirrorcore.syncbus.edge import RING, CountingEdge
from mirrorcore.syncbus.messages import Gap, Update

if TYPE_CHECKING:
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.source import Block, StateSource


class MaskedEdge(CountingEdge):
    """``matched`` deltas touched the fields of ``mask``, ``taken`` of them are accounted for."""

    __slots__ = ("mask", "matched", "taken")

    memory: ClassVar[tuple[str, ...]] = (*CountingEdge.memory, "matched", "taken")
    may_be_plain: ClassVar[bool] = False

    def __init__(self, source: StateSource, mailbox: Mailbox, mask: frozenset[str]) -> None:
        super().__init__(source, mailbox)
        self.mask = mask
        self.matched = self.taken = 0

    @property
    def published(self) -> int:
        return self.matched + self._unsettled()

    @property
    def behind(self) -> int:
        return self.published - self.taken

    def note(self, delta: dict[str, Any], version: int) -> None:
        if not self.mask.isdisjoint(delta):
            self.matched += 1
            self.mailbox.mark(self)
        elif self.matched == self.taken and not self.resync:
            self.seen = version

    def note_rows(self, block: Block, start: int, stop: int) -> None:
        if not self.mask.isdisjoint(block.arrays):
            self.matched += stop - start
        elif self.matched == self.taken and not self.resync:
            self.seen = self.source.version

    def take(self) -> Update | Gap | None:
        source = self.source
        source.settle()
        gap = self.matched - self.taken
        if gap == 0 and not self.resync:
            self.seen = source.version
            return None
        far = self.resync or source.version - self.seen > RING
        update = self._snapshot(gap) if far else self._merge(gap)
        self._account(gap)
        return update

    def _merge(self, gap: int) -> Update:
        source = self.source
        fields = self.restrict(source.merged(self.seen).fields)
        return Update(source.name, fields, source.version, gap, False, source.t)

    def restrict(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        mask = self.mask
        return MappingProxyType({name: fields[name] for name in fields if name in mask})

    def _catch_up(self) -> None:
        self.seen, self.taken = self.source.version, self.matched

    def _unsettled(self) -> int:
        """Rows reached that have not yet become versions and touch the mask."""
        block = self.source.block
        if block is None or self.mask.isdisjoint(block.arrays):
            return 0
        return self.source.unsettled(block)
