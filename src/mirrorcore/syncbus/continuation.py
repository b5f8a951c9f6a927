"""A bus at rest as plain data, and a bus that goes on from it.

What an observer alone can see is left out: histories, latencies, dead letters. Everything that may
reach an agent or decide about one is in: states and versions, the deltas somebody has still to
read, what each reader has seen, breakers, restarts, incarnations and the generators of back-offs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mirrorcore.syncbus.edge import RING, Edge
from mirrorcore.syncbus.edge_stream import StreamEdge
from mirrorcore.syncbus.schema import freeze
from mirrorcore.syncbus.supervision import LifeState

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.source import StateSource

_COUNTERS = (
    "incarnation", "failures", "restarts", "expired", "blocked", "native", "skipped", "refused",
    "lossless_accepted", "lossless_handled", "lossless_failed", "lossless_dead",
)  # fmt: skip
_CALLS = ("calls", "burst", "burst_call", "sends", "sends_call", "turn", "urgent")


def at_rest(dispatcher: Dispatcher, agents: Iterable[Agent]) -> bool:
    """Whether nothing is under way that plain data cannot hold: no task, no process, no message,
    no block."""
    if dispatcher.busy or dispatcher.completions or dispatcher.block_sources:
        return False
    return not any(
        agent.waiting
        or agent.host is not None
        or agent.staged
        or agent.outcomes
        or agent.zombies
        or agent.overrun
        or agent.fault is not None
        or agent.mailbox.inbox
        or agent.mailbox.signals
        or any(_streams(edge) for edge in agent.mailbox.edges.values())
        for agent in agents
    )


def _streams(edge: Edge) -> bool:
    """Whether deltas wait on it one by one: the ring may not have them any more."""
    return isinstance(edge, StreamEdge) and edge.behind > 0


def source_memory(source: StateSource) -> dict[str, Any]:
    """A source and those of its last deltas that a reader may still be given."""
    agents = [edge for edge in source.readers if edge.mailbox.agent is not None]
    behind = [edge.seen for edge in agents if source.version - edge.seen <= RING]
    first = min([*behind, source.version - 1]) if source.version else 0
    return {
        "version": source.version,
        "t": source.t,
        "stale": source.stale,
        "state": _plain(source.view()),
        "deltas": [
            [version, t, _plain(delta)] for version, delta, t in source.deltas_after(max(first, 0))
        ],
    }


def restore_source(source: StateSource, memory: Mapping[str, Any]) -> None:
    """Continue from :func:`source_memory`; nobody is told."""
    deltas = [(version, _frozen(source, fields), t) for version, t, fields in memory["deltas"]]
    source.resume(
        memory["version"], memory["t"], _frozen(source, memory["state"]), deltas,
        stale=memory["stale"],
    )  # fmt: skip
    for edge in source.readers:
        if edge.mailbox.agent is None:  # a watch: what it has seen is of another past
            edge.close()
            edge.reopen()
            edge.renew()
            if edge.resync:
                edge.mailbox.mark(edge)


def agent_memory(agent: Agent) -> dict[str, Any]:
    """An agent at rest: its life, its breaker, what it has seen of whom."""
    mailbox = agent.mailbox
    return {
        "counters": [getattr(agent, name) for name in _COUNTERS],
        "state": str(agent.state),
        "paused": agent.paused,
        "checkpoint": agent.checkpoint,
        "breaker": agent.breaker.checkpoint(),
        "window": agent.window.checkpoint(),
        "success": agent.success_rate.checkpoint(),
        "random": None if agent.rng is None else dict(agent.rng.bit_generator.state),
        "calls": [getattr(mailbox, name) for name in _CALLS],
        "pending": [edge.source.name for edge in mailbox.pending],
        "edges": {
            name: [getattr(edge, field) for field in edge.memory]
            for name, edge in mailbox.edges.items()
        },
    }


def restore_agent(agent: Agent, memory: Mapping[str, Any], seed: int) -> None:
    """Continue from :func:`agent_memory`; the handle of its incarnation is the bus's to make."""
    for name, value in zip(_COUNTERS, memory["counters"], strict=True):
        setattr(agent, name, value)
    agent.state = LifeState(memory["state"])
    agent.paused = memory["paused"]
    agent.checkpoint = memory["checkpoint"]
    agent.breaker.restore(memory["breaker"])
    agent.window.restore(memory["window"])
    agent.success_rate.restore(memory["success"])
    if memory["random"] is not None:
        agent.generator(seed).bit_generator.state = memory["random"]
    mailbox = agent.mailbox
    if not agent.callable:
        mailbox.close_gate()
    for name, value in zip(_CALLS, memory["calls"], strict=True):
        setattr(mailbox, name, value)
    for name, values in memory["edges"].items():
        _restore_edge(mailbox.edges[name], values)
    mailbox.pending = [mailbox.edges[name] for name in memory["pending"]]


def _restore_edge(edge: Edge, values: list[Any]) -> None:
    for field, value in zip(edge.memory, values, strict=True):
        setattr(edge, field, value)
    if edge.closed:
        edge.source.detach(edge)


def _plain(value: Any) -> Any:
    """Mappings as dictionaries, at any depth; all else as it is."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(inner) for inner in value)
    return value


def _frozen(source: StateSource, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: freeze(source.name, name, value, nan_ok=True) for name, value in fields.items()}
