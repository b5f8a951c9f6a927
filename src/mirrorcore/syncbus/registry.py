"""Who publishes and who wants to know: edges are made here, when either side registers."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol, get_args

from mirrorcore.syncbus.edge import Edge
from mirrorcore.syncbus.edge_eager import EagerEdge
from mirrorcore.syncbus.edge_masked import MaskedEdge
from mirrorcore.syncbus.edge_stream import StreamEdge
from mirrorcore.syncbus.faults import RegistrationError, UnknownAgentError
from mirrorcore.syncbus.messages import ALL, Interest, Mode
from mirrorcore.syncbus.schema import Schema
from mirrorcore.syncbus.source import StateSource

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.policy import AgentPolicy, BusPolicy
    from mirrorcore.syncbus.supervision import LifeState


class Reader(Protocol):
    """Whoever may be interested in sources: an agent, or a watch."""

    agent_id: str
    index: int
    interests: tuple[Interest, ...]
    policy: AgentPolicy
    mailbox: Mailbox
    source: Any
    state: LifeState


def check_interests(
    agent_id: str, interests: Iterable[str | tuple[str, Any] | Interest], on_update: Any
) -> tuple[Interest, ...]:
    """The interests as records; RegistrationError where one cannot be served."""
    checked = tuple(Interest.of(interest) for interest in interests)
    for interest in checked:
        if interest.mode not in get_args(Mode):
            raise RegistrationError(
                f"agent {agent_id!r} is interested in {interest.name!r} with mode "
                f"{interest.mode!r}, must be 'latest', 'every' or 'eager'"
            )
        if interest.mode != "eager":
            continue
        wants = f"agent {agent_id!r} wants to be called within each publish of {interest.name!r}"
        if interest.fields is not None:
            raise RegistrationError(
                f"{wants}, for some fields alone", hint="leave the fields of that interest out"
            )
        if on_update is None or iscoroutinefunction(on_update):
            kind = "without on_update" if on_update is None else "with an async on_update"
            raise RegistrationError(
                f"{wants}, {kind}", hint="give it a sync on_update, or leave mode at 'latest'"
            )
    return checked


class Registry:
    """All sources, and which agents are interested in which names."""

    __slots__ = (
        "_by_kind",
        "_capped_for",
        "_count",
        "_dispatcher",
        "_policy",
        "_wanted",
        "sources",
    )

    def __init__(self, dispatcher: Dispatcher, policy: BusPolicy) -> None:
        self._dispatcher = dispatcher
        self._policy = policy
        self.sources: dict[str, StateSource] = {}
        self._by_kind: dict[str, dict[str, StateSource]] = {}
        self._wanted: dict[str, dict[str, Reader]] = {}
        self._count = 0
        self._capped_for = 64

    def open(self, name: str, kind: str, schema: Schema | None, *, owned: bool) -> StateSource:
        """A new source; RegistrationError where its name or kind is ambiguous."""
        self._check_names(name, kind)
        source = StateSource(
            name, kind, self._count, self._dispatcher, schema, self._history_cap(), owned=owned
        )
        self._count += 1
        self.sources[name] = source
        self._by_kind.setdefault(kind, {})[name] = source
        readers = {}
        for wanted in (name, kind, ALL):
            readers.update(self._wanted.get(wanted, {}))
        for agent in sorted(readers.values(), key=lambda agent: agent.index):
            self._connect(agent, source)
        return source

    def join(self, agent: Reader) -> None:
        """Make the edges of a new agent, and remember what it wants of sources to come."""
        found: dict[str, StateSource] = {}
        for interest in agent.interests:
            self._wanted.setdefault(interest.name, {})[agent.agent_id] = agent
            found.update(self._matching(interest))
        for source in sorted(found.values(), key=lambda source: source.index):
            self._connect(agent, source)

    def leave(self, reader: Reader) -> None:
        """Undo the edges of a reader that sees no more."""
        for interest in reader.interests:
            self._wanted[interest.name].pop(reader.agent_id, None)
        for edge in reader.mailbox.edges.values():
            if not edge.closed:
                edge.source.detach(edge)
        reader.mailbox.edges.clear()

    def close(self, source: StateSource) -> None:
        """Forget a source; its readers lose it."""
        for edge in source.readers:
            edge.mailbox.drop(edge)
        del self.sources[source.name]
        kind = self._by_kind[source.kind]
        del kind[source.name]
        if not kind:
            del self._by_kind[source.kind]

    def source(self, name: str) -> StateSource:
        source = self.sources.get(name)
        if source is None:
            raise UnknownAgentError(f"no agent or source {name!r} is registered")
        return source

    def unresolved(self, agents: Iterable[Agent]) -> list[tuple[str, str]]:
        return [
            (agent.agent_id, interest.name)
            for agent in agents
            for interest in agent.interests
            if interest.name != ALL and not self._matching(interest)
        ]

    def _matching(self, interest: Interest) -> dict[str, StateSource]:
        if interest.name == ALL:
            return self.sources
        if interest.name in self._by_kind:
            return self._by_kind[interest.name]
        source = self.sources.get(interest.name)
        return {} if source is None else {source.name: source}

    def _connect(self, agent: Reader, source: StateSource) -> None:
        """One edge per reader and source, over all its interests that match."""
        by_name = any(interest.name == source.name for interest in agent.interests)
        if source is agent.source and not by_name:
            return
        edge = self._edge(agent, source)
        agent.mailbox.edges[source.name] = edge
        if agent.state == "failed":
            edge.closed = True
            return
        source.attach(edge)
        self._dispatcher.watch_block(source)
        if edge.resync:
            agent.mailbox.mark(edge)

    def _edge(self, agent: Reader, source: StateSource) -> Edge:
        """The kind of edge that its interests in this source ask for, taken together."""
        matching = [i for i in agent.interests if i.name in (source.name, source.kind, ALL)]
        mask: frozenset[str] | None = None
        if all(interest.fields is not None for interest in matching):
            mask = frozenset(field for i in matching for field in i.fields or ())
        modes = {interest.mode: None for interest in matching}
        if "eager" in modes:
            return EagerEdge(source, agent.mailbox, self._dispatcher)
        if "every" in modes:
            return StreamEdge(source, agent.mailbox, mask, agent.policy.stream)
        return (
            Edge(source, agent.mailbox) if mask is None else MaskedEdge(source, agent.mailbox, mask)
        )

    def _check_names(self, name: str, kind: str) -> None:
        for text in (name, kind):
            if not text or text == ALL:
                raise RegistrationError(f"{text!r} cannot name an agent, a source or a kind")
        if name in self.sources:
            raise RegistrationError(f"a source {name!r} is already open")
        if name in self._by_kind or name == kind:
            raise RegistrationError(
                f"the id {name!r} is also a kind of agent", hint="rename one of them"
            )
        if kind in self.sources:
            raise RegistrationError(
                f"the kind {kind!r} of {name!r} is also an agent's id", hint="rename one of them"
            )

    def _history_cap(self) -> int:
        """Bytes one source may use, so that all together stay within the bus's bound."""
        policy = self._policy
        if len(self.sources) + 1 > self._capped_for:
            self._capped_for *= 2
            share = policy.history_bytes // self._capped_for
            for source in self.sources.values():
                source.cap_history(share)
        return min(policy.source_history_bytes, policy.history_bytes // self._capped_for)
