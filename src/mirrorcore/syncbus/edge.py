"""One reader's view of one source: which version it has seen.

Nothing is copied per reader when a source publishes; the reader's backlog is the difference of
two integers, whatever it missed. Readers who asked for some fields, for every delta or to be
called at once have edges of their own kind (``edge_masked``, ``edge_stream``, ``edge_eager``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mirrorcore.syncbus.messages import Gap, Update

if TYPE_CHECKING:
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.source import Block, StateSource

RING = 64
"""Deltas a source keeps; a reader further behind gets the whole state."""


class _Hot:
    """What each delivery touches: side by side in memory, which orders slots by class and name."""

    __slots__ = ("delivered", "mailbox", "plain", "queued", "seen", "source")


class Edge(_Hot):
    """Between ``source`` and the ``mailbox`` of one agent; the whole state, the latest of it.

    It needs no counter of what was published: the source's version is the count. ``plain`` says
    that the next delivery may be the newest delta itself if that is all that was missed.
    ``lost`` were dropped for want of room, each told of by a Gap (streams alone).
    """

    __slots__ = (
        "_base",
        "closed",
        "conflated",
        "lost",
        "rejected",
        "resync",
        "resyncs",
    )

    memory: ClassVar[tuple[str, ...]] = (
        "_base", "seen", "queued", "closed", "resync", "plain", "delivered", "conflated",
        "lost", "rejected", "resyncs",
    )  # fmt: skip
    """What a checkpoint of the bus keeps of it."""

    may_be_plain: ClassVar[bool] = True
    """Whether a newest delta may be delivered as it is."""

    def __init__(self, source: StateSource, mailbox: Mailbox) -> None:
        source.settle()
        self.source = source
        self.mailbox = mailbox
        self.seen = self._base = source.version
        self.queued = self.closed = False
        self.resync = source.version > 0
        self.plain = self.may_be_plain and not self.resync
        self.delivered = self.conflated = self.lost = self.rejected = self.resyncs = 0

    @property
    def published(self) -> int:
        """Deltas addressed to this edge since it was made."""
        return self.source.current_version() - self._base

    @property
    def behind(self) -> int:
        """Deltas published and not yet accounted for."""
        return self.source.current_version() - self.seen

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
        explained = self.delivered + self.conflated + self.lost + self.pending + self.turned_away
        gap = self.published - explained
        lost = self.behind and not (self.closed or self.queued or self.source.reaches(self))
        return gap if gap else int(lost) * self.behind

    def take(self) -> Update | Gap | None:
        """What the reader missed, merged, marked as seen; None when there is nothing."""
        source = self.source
        source.settle()
        gap = source.version - self.seen
        if gap == 0 and not self.resync:
            return None
        if self.resync or gap > RING:
            update = self._snapshot(gap)
        elif gap == 1:
            update = source.latest()
        else:
            update = self._merge(gap)
        self._account(gap)
        return update

    def skip(self) -> None:
        """The reader has looked at the state itself: what it missed counts as one delivery."""
        self.source.settle()
        self._account(self.behind)

    def renew(self) -> None:
        """The reader begins afresh: its next delivery is the whole state."""
        self.resync = self.source.current_version() > 0
        self.plain = self.may_be_plain and not self.resync

    def close(self) -> None:
        """The reader is down for good: what is published from now on is rejected."""
        self.source.settle()
        self.closed = True
        self.source.detach(self)

    def reopen(self) -> None:
        self.source.settle()
        self.rejected = self.turned_away
        self.closed = False
        self._catch_up()
        self.source.attach(self)

    def restrict(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """``fields``, as far as this reader asked for them."""
        return fields

    def oldest_pending(self) -> int | None:
        """When the oldest delta that waits here was published, as far as the ring goes back."""
        return self.source.instant_after(self.seen) if self.behind else None

    # -- parts ------------------------------------------------------------------------------------

    def _account(self, gap: int) -> None:
        """Everything up to now was seen, in one delivery."""
        if gap:
            self.delivered += 1
            self.conflated += gap - 1
        elif self.resync:
            self.resyncs += 1
        self._catch_up()
        self.resync = False
        self.plain = self.may_be_plain

    def _catch_up(self) -> None:
        self.seen = self.source.version

    def _snapshot(self, gap: int) -> Update:
        source = self.source
        fields = self.restrict(source.view())
        return Update(source.name, fields, source.version, gap, True, source.t)

    def _merge(self, gap: int) -> Update:
        return self.source.merged(self.seen)


class CountingEdge(Edge, ABC):
    """An edge that each delta has to be shown to; marking it is not enough."""

    __slots__ = ()

    @abstractmethod
    def note(self, delta: dict[str, Any], version: int) -> None:
        """A delta was published."""

    @abstractmethod
    def note_rows(self, block: Block, start: int, stop: int) -> None:
        """Rows start..stop of a block have become versions."""
