"""Feedback storms: found live, by what caused what, and blamed on the loop alone.

A bus that is busy is not ill. When it has not come to rest for a long run of calls, its calls are
*traced* for a while: each mailbox gets one call a turn, and what a call publishes or sends
remembers the call that did it. Causes so form chains, and only feedback makes them grow without
end: news that passes the same agent ``storm_calls`` times on one chain goes round a loop. However
fast somebody outside publishes, the chains of a system without feedback end where its longest path
ends, and the trace with them. While nothing is traced all this costs one addition a turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.syncbus.agent import Agent
from mirrorcore.syncbus.edge import RING
from mirrorcore.syncbus.edge_masked import MaskedEdge
from mirrorcore.syncbus.edge_stream import StreamEdge
from mirrorcore.syncbus.messages import Gap, Update

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.policy import BusPolicy
    from mirrorcore.syncbus.source import StateSource
    from mirrorcore.syncbus.supervisor import Supervisor

_STRETCHES = 32
"""Tracing goes on in stretches of this fraction of the calls that made it begin."""


class Call:
    """One call of an agent and the call whose publication or message brought it about."""

    __slots__ = ("agent", "cause", "depth")

    def __init__(self, agent: Agent, cause: Call | None) -> None:
        self.agent = agent
        self.cause = cause
        self.depth: int = 1 if cause is None else cause.depth + 1


class Trace:
    """Which call brought about which, from now on.

    Of several deltas delivered as one, the one at the end of the longest chain counts as the cause.
    ``deepest`` is the call at the end of the longest chain so far, of those that acted.
    """

    __slots__ = ("_check_at", "_laps", "_posted", "_published", "_waiting", "current", "deepest",
                 "loop")  # fmt: skip

    def __init__(self, laps: int) -> None:
        self._laps = laps
        self._check_at = laps
        self._published: dict[str, deque[tuple[int, Mapping[str, Any], Call | None]]] = {}
        self._posted: dict[str, deque[Call | None]] = {}
        self._waiting: dict[str, Call] = {}
        self.current: Call | None = None
        self.deepest: Call | None = None
        self.loop: list[Agent] = []

    # -- what calls do ------------------------------------------------------------------------

    def published(
        self, source: StateSource, delta: Mapping[str, Any], running: Agent | None
    ) -> None:
        """``source`` has taken ``delta`` while ``running``'s code ran."""
        known = self._published.get(source.name)
        if known is None:
            known = self._published[source.name] = deque(maxlen=_memory(source))
        known.append((source.version, delta, self._acting(running)))

    def posted(self, receiver: Agent, running: Agent | None) -> None:
        """A message has just gone to ``receiver`` while ``running``'s code ran."""
        queue = self._posted.get(receiver.agent_id)
        if queue is None:
            before = receiver.mailbox.inbox_length - 1
            queue = self._posted[receiver.agent_id] = deque([None] * before)
        queue.append(self._acting(running))

    def _acting(self, running: Agent | None) -> Call | None:
        """The call that acts now; None where it is nobody's, or was not seen to begin."""
        call = self.current
        if call is None:
            call = None if running is None else self._waiting.get(running.agent_id)
        elif running is not None and running is not call.agent:
            call = Call(running, call)
        if call is not None and (self.deepest is None or call.depth > self.deepest.depth):
            self.deepest = call
            if call.depth >= self._check_at and not self.loop:
                self._check_at = 2 * call.depth
                self.loop = find_loop(call, self._laps)
        return call

    # -- what brings calls about --------------------------------------------------------------

    def note_update(
        self, agent: Agent, handler: Callable[[Any], Any]
    ) -> Callable[[Update | Gap], Any]:
        """``handler``, each call of it noted before it is made."""

        def on_update(update: Update | Gap) -> Any:
            self.current = Call(agent, self._cause_of_update(agent, update))
            return handler(update)

        return on_update

    def note_message(self, agent: Agent, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """``handler``, each call of it noted before it is made."""

        def on_message(message: Any) -> Any:
            self.current = Call(agent, self._cause_of_message(agent))
            return handler(message)

        return on_message

    def leave(self, agent: Agent) -> None:
        """The agent's turn is over; what it waits for goes on on account of its last call."""
        if agent.busy is not None and self.current is not None:
            self._waiting[agent.agent_id] = self.current
        else:
            self._waiting.pop(agent.agent_id, None)
        self.current = None

    def _cause_of_update(self, agent: Agent, update: Update | Gap) -> Call | None:
        edge = agent.mailbox.edges.get(update.source)
        mask = edge.mask if isinstance(edge, MaskedEdge | StreamEdge) else None
        if isinstance(update, Gap):
            last, left = update.last, update.count
        else:
            last, left = update.version, update.gap
        cause: Call | None = None
        for version, delta, call in reversed(self._published.get(update.source, ())):
            if version > last or (mask is not None and mask.isdisjoint(delta)):
                continue
            if left == 0:
                break
            left -= 1
            if call is not None and (cause is None or call.depth > cause.depth):
                cause = call
        return cause

    def _cause_of_message(self, agent: Agent) -> Call | None:
        queue = self._posted.get(agent.agent_id)
        if not queue:
            return None
        # What the inbox still holds are the last of those posted; those before never arrived.
        while len(queue) > agent.mailbox.inbox_length + 1:
            queue.popleft()
        return queue.popleft() if len(queue) > agent.mailbox.inbox_length else None


def _memory(source: StateSource) -> int:
    """How many of its deltas may still wait somewhere, or have just been dropped."""
    rooms = [edge.room for edge in source.counting if isinstance(edge, StreamEdge)]
    return 2 * max([RING, *rooms])


def _waiting(mailbox: Mailbox) -> int:
    """Calls in which it is empty if nothing is added."""
    states = (len(edge.waiting) + 1 if isinstance(edge, StreamEdge) else 1
              for edge in mailbox.pending)  # fmt: skip
    return mailbox.inbox_length + sum(states)


def find_loop(call: Call, laps: int) -> list[Agent]:
    """Who is on the loop that the chain ending in ``call`` goes round, in the order of its news.

    Empty when no agent occurs ``laps`` times. An agent that less than half of the laps went
    through does not keep the loop alive.
    """
    counts: dict[Agent, int] = {}
    link: Call | None = call
    while link is not None:
        counts[link.agent] = counts.get(link.agent, 0) + 1
        link = link.cause
    most = max(counts.values())
    if most < laps:
        return []
    loop: dict[Agent, None] = {}
    link = call
    while link is not None:
        if 2 * counts[link.agent] >= most:
            loop.setdefault(link.agent)
        link = link.cause
    return list(reversed(loop))


class StormWatch:
    """Counts calls since the bus last came to rest; traces, and ends, what does not.

    ``acquitted`` counts the traces that found no loop; after each the next comes twice as late,
    until the bus has come to rest once.
    """

    __slots__ = (
        "_calls",
        "_depth",
        "_dispatcher",
        "_patience",
        "_policy",
        "_sources",
        "_supervisor",
        "_tap",
        "_until",
        "_witness",
        "acquitted",
        "trace",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        supervisor: Supervisor,
        sources: Mapping[str, StateSource],
        policy: BusPolicy,
    ) -> None:
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._sources = sources
        self._policy = policy
        self.trace: Trace | None = None
        self.acquitted = 0
        self._tap = self._published
        self._witness = dispatcher.witness
        self._calls = self._depth = self._until = 0
        self._patience = 1
        self._rest()

    def stretch(self) -> int:
        """Calls after which to look up from work that is otherwise done until it is done."""
        if self.trace is not None:
            return self._policy.turn
        return max(1, self._until - self._calls)

    def note(self, calls: int, *, busy: bool) -> None:
        """``calls`` more were made; ``busy`` says whether any are left to make."""
        if not busy:
            if self._calls or self.trace is not None:
                self._rest()
            return
        self._calls += calls
        if self.trace is not None and self.trace.loop:
            self._blame(self.trace.loop)
        elif self._calls >= self._until:
            self._decide()

    def turn(self, mailbox: Mailbox, dispatch: Callable[[Mailbox], int]) -> int:
        """One call of one agent as ``dispatch`` makes it; traced."""
        trace = self.trace
        assert trace is not None, "turns are traced while there is a trace"
        agent: Agent = mailbox.agent
        own, on_update, calls = agent.handlers, mailbox.on_update, mailbox.turn
        heard, noted = own, on_update
        if own.on_message is not None:
            on_message = trace.note_message(agent, own.on_message)
            agent.handlers = heard = msgspec.structs.replace(own, on_message=on_message)
        if on_update is not None:
            mailbox.on_update = noted = trace.note_update(agent, on_update)
        mailbox.turn = 1
        try:
            return dispatch(mailbox)
        finally:
            mailbox.turn = calls
            # Unless it was restarted meanwhile and has others.
            if agent.handlers is heard:
                agent.handlers = own
            if mailbox.on_update is noted:
                mailbox.on_update = on_update
            trace.leave(agent)

    def posted(self, receiver: Agent) -> None:
        """A message was accepted for ``receiver``."""
        if self.trace is not None:
            self.trace.posted(receiver, self._dispatcher.window.agent)

    # -- parts --------------------------------------------------------------------------------

    def _limit(self) -> int:
        return self._patience * self._policy.storm_calls * self._supervisor.size()

    def _decide(self) -> None:
        trace = self.trace
        if trace is None:
            limit = self._limit()
            if self._calls < limit:  # the first look counts agents alone, which costs nothing
                self._until = limit
            else:
                self._begin()
            return
        depth = 0 if trace.deepest is None else trace.deepest.depth
        if depth > self._depth:
            self._depth = depth
            self._calls, self._until = 0, self._stretch()
            return
        self.acquitted += 1
        self._end()
        self._patience *= 2
        self._until = self._limit()

    def _stretch(self) -> int:
        """Calls in which whatever waits now is delivered, so that a chain that can grow does."""
        agents = self._supervisor.agents.values()
        longest = max((_waiting(agent.mailbox) for agent in agents), default=0)
        return max(len(agents) * longest, self._limit() // _STRETCHES, 1)

    def _begin(self) -> None:
        self.trace = Trace(max(4, self._policy.storm_calls // 8))
        self._depth = self._calls = 0
        self._until = self._stretch()
        self._witness = self._dispatcher.witness
        self._dispatcher.witness = self._tap

    def _end(self) -> None:
        if self.trace is not None:
            self.trace = None
            if self._dispatcher.witness == self._tap:
                self._dispatcher.witness = self._witness
        self._calls = 0

    def _rest(self) -> None:
        self._end()
        self._depth = 0
        self._patience = 1
        self._until = self._policy.storm_calls * (1 + len(self._supervisor.agents))

    def _blame(self, loop: list[Agent]) -> None:
        """End the loop; the trace goes on with those that are left, there may be another."""
        self._end()
        self._supervisor.break_storm(loop)
        if self._dispatcher.busy:
            self._begin()
        else:
            self._rest()

    def _published(self, name: str, t: int, delta: Mapping[str, Any]) -> None:
        """In place of the bus's witness, if there is one, who is told all the same."""
        if self.trace is not None:
            source = self._sources[name]
            self.trace.published(source, delta, self._dispatcher.window.agent)
        if self._witness is not None:
            self._witness(name, t, delta)
