"""What an agent holds of the bus: it can speak for itself and read what it declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Clock, LiveClock, monotonic_ns
from mirrorcore.syncbus.faults import AgentDown, StateError, UndeclaredReadError, describe
from mirrorcore.syncbus.mailbox import Envelope, Mailbox
from mirrorcore.syncbus.messages import EventKind, Gap, StateView, Update
from mirrorcore.syncbus.schema import freeze_delta

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.post import PostOffice
    from mirrorcore.syncbus.source import StateSource


class AgentHandle:
    """One incarnation of one agent. What an earlier incarnation does with its own is refused."""

    __slots__ = ("_agent", "_clock", "_dispatcher", "_offset", "_post", "incarnation", "token")

    def __init__(
        self, agent: Agent, clock: Clock, dispatcher: Dispatcher, post: PostOffice
    ) -> None:
        self._agent = agent
        self._clock = clock
        # Of exactly this kind: one derived from it may tell another time.
        self._offset = clock.offset if type(clock) is LiveClock else None
        self._dispatcher = dispatcher
        self._post = post
        self.incarnation = agent.incarnation
        self.token = object()

    @property
    def agent_id(self) -> str:
        return self._agent.agent_id

    @property
    def sender(self) -> str:
        """Who sent the message being handled; empty for the operator."""
        return self._agent.sender

    @property
    def checkpoint(self) -> bytes | None:
        """What this agent saved last, in whichever incarnation."""
        return self._agent.checkpoint

    def publish(self, delta: Mapping[str, Any]) -> int:
        """Change the own state by ``delta``; returns the version it will have.

        Raises
        ------
        StateError: a value is not finite, not declared, of the wrong type or out of bounds.
        FloodError: this call has published more often than the policy allows.
        AgentDown: this incarnation is no longer alive.
        """
        agent = self._agent
        if self.token is not agent.token:
            raise self._refuse("publish")
        try:
            if self._dispatcher.current is agent:
                self._count_publish(agent)
                if agent.staging:
                    return self._stage(agent, delta)
            # On the machine's own time the sum is done here: a call would cost more than it.
            offset = self._offset
            t = self._clock.now() if offset is None else monotonic_ns() + offset
            return agent.source.publish(delta, t)
        except StateError as error:
            self.deny(error)
            raise

    def _stage(self, agent: Agent, delta: Mapping[str, Any]) -> int:
        """Hold a publish back until the driver of ticks admits it."""
        source = agent.source
        frozen = freeze_delta(source.name, delta, source.schema)
        agent.staged.append(lambda: source.publish(frozen, self._clock.now(), True))
        agent.staged_publishes += 1
        return source.current_version() + agent.staged_publishes

    def _count_publish(self, agent: Agent) -> None:
        """One publish of the call under way; what the assembly does by itself is not limited."""
        mailbox = agent.mailbox
        if mailbox.burst_call != mailbox.calls:
            mailbox.burst_call = mailbox.calls
            mailbox.burst = 0
        mailbox.burst += 1
        if mailbox.burst > agent.policy.max_publishes_per_call:
            self._dispatcher.flood(agent, "published", agent.policy.max_publishes_per_call)

    def load_block(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        ts: npt.NDArray[np.int64],
        rows: int,
    ) -> None:
        """Publish ``rows`` rows ahead of time: row r takes effect when the bus reaches it.

        ``arrays`` maps a field to (rows,) or (rows, symbols), ``ts`` (rows,) is each row's
        instant. Deliveries, versions and history are those of publishing row by row.
        """
        agent = self._agent
        if self.token is not agent.token:
            raise self._refuse("load a block")
        try:
            agent.source.load(arrays, ts, rows)
        except StateError as error:
            self._reject(error)
            raise
        self._dispatcher.watch_block(agent.source)

    def collect(self) -> list[Update | Gap]:
        """What changed since the last look, merged per source, in order of registration.

        Of sources whose every delta it wants, all of them one by one.
        """
        agent = self._agent
        if self.token is not agent.token:
            raise self._refuse("collect")
        return agent.mailbox.collect(self._dispatcher.block_sources)

    def acknowledge(self) -> None:
        """Mark every change as seen, for an agent that reads states as they are (:meth:`read`)."""
        agent = self._agent
        if self.token is not agent.token:
            raise self._refuse("acknowledge")
        mailbox = agent.mailbox
        for dirty in mailbox.pending:
            dirty.skip()
        for name in self._dispatcher.block_sources:
            edge = mailbox.edges.get(name)
            if edge is not None and not edge.queued and edge.behind:
                edge.skip()
        mailbox.clear_marks()

    def read(self, source_id: str) -> StateView | None:
        """The state of one declared source (or the own) as it is now; None if there is none yet.

        Marks nothing as seen. UndeclaredReadError where the agent has no interest in it.
        """
        agent = self._agent
        now = self._clock.now()
        if source_id == agent.agent_id:
            return agent.source.state_view(now)
        edge = agent.mailbox.edges.get(source_id)
        if edge is not None:
            return edge.source.state_view(now, edge)
        if self._post.knows(source_id):
            raise UndeclaredReadError(
                f"agent {agent.agent_id!r} reads {source_id!r} without a declared interest",
                hint=f"add {source_id!r} or its kind to the agent's interests",
            )
        return None

    def relevant_states(self) -> dict[str, Mapping[str, Any]]:
        """The states of all declared sources that have published, read-only."""
        edges = self._agent.mailbox.edges.values()
        return {
            edge.source.name: edge.restrict(edge.source.view())
            for edge in sorted(edges, key=_order)
            if edge.source.current_version()
        }

    def send(self, target: str, message: Any, *, ttl_ns: int | None = None) -> None:
        """Put ``message`` on the lossless lane of ``target``.

        Raises
        ------
        LaneFull: the receiver's lane is at its bound.
        AgentDown: the receiver, or this incarnation, is down.
        UnknownAgentError: nobody of that name is registered.
        """
        agent = self._agent
        self._may_send(agent)
        now = self._clock.now()
        expires = None if ttl_ns is None else now + int(ttl_ns)
        envelope = Envelope(agent.agent_id, target, message, None, expires)
        if agent.staging:
            agent.staged.append(lambda: self._post.post_staged(envelope))
        else:
            self._post.post(envelope)

    async def request(self, target: str, message: Any, *, timeout_ns: int | None = None) -> Any:
        """Send ``message`` and wait for what the receiver's ``on_message`` returns.

        Raises Expired after ``timeout_ns``, RequestFailed where the receiver raised, and what
        :meth:`send` raises.
        """
        agent = self._agent
        self._may_send(agent)
        return await self._post.request(agent, target, message, timeout_ns)

    def save(self, checkpoint: bytes) -> None:
        """Keep ``checkpoint`` for the next incarnation."""
        agent = self._agent
        if self.token is not agent.token:
            raise self._refuse("save a checkpoint")
        if not isinstance(checkpoint, bytes):
            raise StateError(f"a checkpoint is bytes, was a {type(checkpoint).__name__}")
        self._count(agent.mailbox)
        agent.checkpoint = checkpoint

    def deny(self, error: Exception) -> None:
        """The agent reached for what is not its own: counted, told, and its call has failed.

        Also where the agent hides the error.
        """
        self._reject(error)
        self._dispatcher.fault(self._agent, error)

    def _may_send(self, agent: Agent) -> None:
        if self.token is not agent.token:
            raise self._refuse("send")
        mailbox = agent.mailbox
        self._count(mailbox)
        if mailbox.sends > agent.policy.max_publishes_per_call and self._inside(agent):
            self._dispatcher.flood(agent, "sent", agent.policy.max_publishes_per_call)

    @staticmethod
    def _count(mailbox: Mailbox) -> None:
        """One more thing that this call has sent, or saved."""
        if mailbox.sends_call != mailbox.calls:
            mailbox.sends_call = mailbox.calls
            mailbox.sends = 0
        mailbox.sends += 1

    def _inside(self, agent: Agent) -> bool:
        """Whether this is a call of the bus; what the assembly does by itself is not limited."""
        return self._dispatcher.current is agent

    def _refuse(self, what: str) -> AgentDown:
        agent = self._agent
        error = AgentDown(
            f"agent {agent.agent_id!r}, incarnation {self.incarnation}, may not {what}: "
            f"it is {agent.status}, incarnation {agent.incarnation}"
        )
        self._reject(error)
        return error

    def _reject(self, error: Exception) -> None:
        self._agent.refused += 1
        self._post.observers.emit(EventKind.REJECTED_PUBLISH, self._agent.agent_id, describe(error))


class SourceHandle:
    """The assembly's hold of a state that belongs to no agent (performance, execution)."""

    __slots__ = ("_clock", "_source")

    def __init__(self, source: StateSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    @property
    def name(self) -> str:
        return self._source.name

    def publish(self, delta: Mapping[str, Any]) -> int:
        """Change the state by ``delta``; returns the new version. StateError if it is wrong."""
        return self._source.publish(delta, self._clock.now())


def _order(edge: Any) -> int:
    index: int = edge.source.index
    return index
