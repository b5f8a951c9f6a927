"""One reader's view of one source: which version it has seen.

Nothing is copied per reader when a source publishes; the reader's backlog is the difference of
two integers, whatever it missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mirrorcore.syncbus.messages import Update

if TYPE_CHECKING:
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.source import StateSource

RING = 64
"""Deltas a source keeps; a reader further behind gets the whole state."""


class Edge:
    """Between ``source`` and the ``mailbox`` of one agent.

    ``mask`` None is the whole source. An edge with a mask counts only the versions that touch it
    (``matched``); one without needs no counter, the source's version is the count.
    """

    __slots__ = (
        "_base",
        "closed",
        "conflated",
        "delivered",
        "mailbox",
        "mask",
        "matched",
        "plain",
        "queued",
        "rejected",
        "resync",
        "resyncs",
        "seen",
        "source",
        "taken",
    )

    def __init__(self, source: StateSource, mailbox: Mailbox, mask: frozenset[str] | None) -> None:
        source.settle()
        self.source = source
        self.mailbox = mailbox
        self.mask = mask
        self.seen = self._base = source.version
        self.matched = self.taken = 0
        self.queued = self.closed = False
        self.resync = source.version > 0
        self.plain = mask is None and not self.resync
        self.delivered = self.conflated = self.rejected = self.resyncs = 0

    @property
    def published(self) -> int:
        """Deltas addressed to this edge since it was made."""
        return self.source.current_version() - self._base if self.mask is None else self._marks()

    @property
    def behind(self) -> int:
        """Deltas published and not yet accounted for."""
        if self.mask is None:
            return self.source.current_version() - self.seen
        return self._marks() - self.taken

    @property
    def pending(self) -> int:
        return 0 if self.closed else self.behind

    @property
    def turned_away(self) -> int:
        """Deltas published while the reader was down for good, and before."""
        return self.rejected + self.behind if self.closed else self.rejected

    def residual(self) -> int:
        """Published deltas that no counter explains; anything but 0 is a defect.

        A delta that waits on an edge nobody is going to look at again counts as unexplained.
        """
        gap = self.published - self.delivered - self.conflated - self.pending - self.turned_away
        lost = self.behind and not (self.closed or self.queued or self.source.reaches(self))
        return gap if gap else int(lost) * self.behind

    def take(self) -> Update | None:
        """What the reader missed, merged, marked as seen; None when there is nothing."""
        source = self.source
        source.settle()
        version = source.version
        gap = version - self.seen if self.mask is None else self.matched - self.taken
        if gap == 0 and not self.resync:
            self.seen = version
            return None
        if self.resync or version - self.seen > RING:
            update = self._snapshot(gap)
        elif self.mask is None and gap == 1:
            update = source.latest()
        else:
            update = self._merge(gap)
        self.seen = version
        self.taken = self.matched
        if gap:
            self.delivered += 1
            self.conflated += gap - 1
        else:
            self.resyncs += 1
        self.resync = False
        self.plain = self.mask is None
        return update

    def skip(self) -> None:
        """The reader has looked at the state itself: what it missed counts as one delivery."""
        version = self.source.current_version()
        marks = version if self.mask is None else self._marks()
        gap = marks - (self.seen if self.mask is None else self.taken)
        if gap:
            self.delivered += 1
            self.conflated += gap - 1
        elif self.resync:
            self.resyncs += 1
        self.seen = version
        if self.mask is not None:
            self.taken = marks
        self.resync = False
        self.plain = self.mask is None

    def renew(self) -> None:
        """The reader begins afresh: its next delivery is the whole state."""
        self.resync = self.source.current_version() > 0
        self.plain = self.mask is None and not self.resync

    def close(self) -> None:
        """The reader is down for good: what is published from now on is rejected."""
        self.source.settle()
        self.closed = True
        self.source.detach(self)

    def reopen(self) -> None:
        self.source.settle()
        self.rejected = self.turned_away
        self.closed = False
        self.seen, self.taken = self.source.version, self.matched
        self.source.attach(self)

    @property
    def base(self) -> int:
        """The source's version when this edge was made."""
        return self._base

    def rebase(self, version: int) -> None:
        """Count from another version on, as the edge did that this one continues."""
        self._base = version

    def restrict(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """``fields``, as far as this reader asked for them."""
        if self.mask is None:
            return fields
        mask = self.mask
        return MappingProxyType({name: fields[name] for name in fields if name in mask})

    def oldest_pending(self) -> int | None:
        """When the oldest delta that waits here was published, as far as the ring goes back."""
        return self.source.instant_after(self.seen) if self.behind else None

    def _marks(self) -> int:
        return self.matched + self.source.unsettled_matches(self)

    def _snapshot(self, gap: int) -> Update:
        source = self.source
        fields = self.restrict(source.view())
        return Update(source.name, fields, source.version, gap, True, source.t)

    def _merge(self, gap: int) -> Update:
        source = self.source
        fields = self.restrict(MappingProxyType(source.merged_after(self.seen)))
        return Update(source.name, fields, source.version, gap, False, source.t)
