"""What waits for one agent, in three lanes.

*critical*: signals, before anything else, also while paused. *lossless*: messages, first in first
out, bounded. *state*: edges that are dirty; bounded by their number, so it cannot overflow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import Any

import msgspec

from mirrorcore.syncbus.edge import Edge
from mirrorcore.syncbus.messages import Gap, Update


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message on the lossless lane; ``reply`` is set where the sender waits for an answer.

    The garbage collector does not look at it: in a flood there are very many, nothing they refer to
    refers back, and a stop must not wait for a look at all of them.
    """

    sender: str
    target: str
    message: Any
    reply: asyncio.Future[Any] | None = None
    expires: int | None = None


_NOBODYS = Context()


class Mailbox:
    """The lanes of one agent (None: of an observer that nobody calls), how often it was called.

    ``gated`` says that it may not be called now: paused, isolated, failed, or still waiting.
    ``held`` says that a dirty edge need not announce it: it is gated, already announced, or reads
    on its own (``pushes`` False). ``urgent`` asks the dispatcher to look up from the state lane.
    ``waited``: its last call has waited for something, so it lets the others go before, once.
    ``probing``: its agent is on probation. Of latency ``bucket`` were its last ``in_bucket`` calls.
    Every turn needs all this, so it is here and not with the agent: it stays in the cache.
    It gets ``turn`` calls in a row while those take no longer than ``brisk_ns`` of wall time
    together.
    """

    __slots__ = (
        "agent",
        "brisk_ns",
        "bucket",
        "burst",
        "burst_call",
        "calls",
        "context",
        "edges",
        "gated",
        "held",
        "in_bucket",
        "inbox",
        "on_update",
        "pending",
        "probing",
        "ready",
        "sends",
        "sends_call",
        "signals",
        "turn",
        "urgent",
        "waited",
    )

    def __init__(
        self,
        agent: Any,
        ready: deque[Mailbox],
        *,
        on_update: Callable[[Any], Any] | None,
        turn: int,
        brisk_ns: int,
        context: Context,
    ) -> None:
        self.agent = agent
        self.turn = turn
        self.brisk_ns = brisk_ns
        self.ready = ready
        self.on_update = on_update
        self.held = on_update is None
        self.context = context
        self.gated = self.urgent = self.waited = self.probing = False
        self.bucket = self.in_bucket = 0
        self.calls = 0
        self.burst = self.burst_call = self.sends = self.sends_call = 0
        self.pending: list[Edge] = []
        self.inbox: deque[Envelope] | None = None
        self.signals: deque[Any] | None = None
        self.edges: dict[str, Edge] = {}

    @classmethod
    def unread(cls) -> Mailbox:
        """One whose owner nobody calls: it collects by itself, and has no other lanes."""
        return cls(None, deque(), on_update=None, turn=1, brisk_ns=0, context=_NOBODYS)

    @property
    def pushes(self) -> bool:
        """Whether it is called when a source has changed; otherwise it reads on its own."""
        return self.on_update is not None

    def mark(self, edge: Edge) -> None:
        """``edge`` is dirty."""
        if edge.queued:
            return
        edge.queued = True
        self.pending.append(edge)
        if not self.held:
            self.held = True
            self.ready.append(self)

    def put(self, envelope: Envelope) -> None:
        """Add to the lossless lane; the sender has checked the bound."""
        if self.inbox is None:
            self.inbox = deque()
        self.inbox.append(envelope)
        self.urgent = True
        if self.gated:
            return
        if not self.pushes:
            if len(self.inbox) == 1:
                self.ready.append(self)
        elif not self.held:
            self.held = True
            self.ready.append(self)

    @property
    def inbox_length(self) -> int:
        return 0 if self.inbox is None else len(self.inbox)

    def close_gate(self) -> None:
        self.gated = self.held = self.urgent = True

    def leave_queue(self) -> None:
        """It is not to be called for some time: when it is again, it is announced anew, once."""
        while self in self.ready:
            self.ready.remove(self)

    def open_gate(self) -> None:
        """It may be called again; announce it if something waits."""
        self.gated = False
        self.rest()

    def rest(self) -> None:
        """A turn has ended: announce what is left, or wait to be announced."""
        if self.gated:
            return
        if self.inbox or (self.pending and self.on_update is not None):
            self.held = True
            self.ready.append(self)
        else:
            self.held = self.on_update is None

    def put_back(self, edges: Iterator[Edge]) -> None:
        """The rest of what was taken goes before what came since."""
        left = [edge for edge in edges if edge.queued]
        if left:
            self.pending = left + self.pending

    def signal(self, signal: Any) -> None:
        """Add to the critical lane."""
        if self.signals is None:
            self.signals = deque()
        self.signals.append(signal)

    def collect(self, block_sources: Iterable[str]) -> list[Update | Gap]:
        """What its edges missed, in order of registration; for whoever reads on its own."""
        dirty = list(self.pending)
        for name in block_sources:
            edge = self.edges.get(name)
            if edge is not None and not edge.queued and edge.behind:
                dirty.append(edge)
        self.clear_marks()
        if len(dirty) > 1:
            dirty.sort(key=_order)
        updates: list[Update | Gap] = []
        for edge in dirty:
            while (update := edge.take()) is not None:
                updates.append(update)
        self.clear_marks()
        return updates

    def drop(self, edge: Edge) -> None:
        """The source of ``edge`` is gone; so is what waited on it, also in a turn under way."""
        del self.edges[edge.source.name]
        edge.skip()
        edge.queued = False
        edge.closed = True
        if edge in self.pending:
            self.pending.remove(edge)

    def clear_marks(self) -> None:
        for edge in self.pending:
            edge.queued = False
        self.pending.clear()


def _order(edge: Edge) -> int:
    return edge.source.index
