"""A bus's agents at a glance, again and again: what changed since the last look, cheaply.

For whoever shows a swarm of a thousand agents ten times a second. It reads what the bus knows
anyway, makes no edges, and costs nothing between two looks. A row, once given, stays its agent's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mirrorcore.syncbus.breaker import BreakerState
from mirrorcore.syncbus.health import health, latency_quantile
from mirrorcore.syncbus.messages import Health
from mirrorcore.syncbus.supervision import LifeState

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.inspection import Inspection


_CLOSED = BreakerState.CLOSED

Said = tuple[int, Mapping[str, Any], int]
"""(row, fields, t): what an agent has published since the last look. ``fields`` are at
least those that changed; the mapping is the bus's own, not to be written. ``t`` is its newest
instant, ns."""


class Condition(NamedTuple):
    """How one agent does. ``pending`` counts messages, and sources with news, that wait for it;
    ``p99_ns`` bounds the 99th percentile of its calls, of wall time; ``version`` is its state's."""

    status: LifeState
    breaker: BreakerState
    health: float
    calls: int
    failures: int
    restarts: int
    pending: int
    p99_ns: int
    version: int


class Survey:
    """Looks at the agents of one bus; rows are given in order of registration, and kept.

    ``ids`` and ``kinds`` by row. A removed agent keeps its row; one that is registered again under
    the same id takes it over.
    """

    def __init__(self, bus: Inspection, agents: Mapping[str, Agent]) -> None:
        self._bus = bus
        self._known = agents
        self._row: dict[str, int] = {}
        self._agents: list[Agent] = []
        self._versions: list[int] = []
        self.ids: list[str] = []
        self.kinds: list[str] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, agent_id: str) -> int | None:
        """The row of an agent, None for one that was never seen."""
        return self._row.get(agent_id)

    def refresh(self) -> list[int]:
        """Take in agents that have come or come back; returns their rows."""
        found = []
        for agent_id, agent in self._known.items():
            row = self._row.get(agent_id)
            if row is None:
                row = self._row[agent_id] = len(self.ids)
                self.ids.append(agent_id)
                self.kinds.append(agent.kind)
                self._agents.append(agent)
                self._versions.append(-1)
            elif self._agents[row] is not agent:
                self._agents[row], self._versions[row] = agent, -1
            else:
                continue
            found.append(row)
        return found

    def said(self) -> list[Said]:
        """Those that have published since the last call, in order of their rows."""
        found: list[Said] = []
        versions = self._versions
        for row, agent in enumerate(self._agents):
            source = agent.source
            seen = versions[row]
            if source.version == seen and source.block is None:
                continue
            fields = source.changed_since(seen)
            if fields is not None:
                versions[row] = source.version
                found.append((row, fields, source.t))
        return found

    def status(self, row: int) -> LifeState:
        """Where an agent is in its life."""
        agent = self._agents[row]
        if self._known.get(agent.agent_id) is not agent:
            return LifeState.REMOVED
        return agent.status

    def failures(self, row: int) -> int:
        """How many of its calls failed."""
        return self._agents[row].failures

    def quiet(self, row: int) -> bool:
        """Whether nothing waits for it and it runs: its condition then moves with calls alone."""
        agent = self._agents[row]
        if agent.state is not LifeState.RUNNING or agent.paused or agent.restarts:
            return False
        if agent.breaker.state is not _CLOSED:
            return False
        return not agent.mailbox.inbox and not _news(agent)

    def condition(self, row: int) -> Condition:
        """The counters and the health of one agent; a few µs."""
        agent = self._agents[row]
        calls, p99 = agent.mailbox.calls, latency_quantile(agent.latency, 0.99)
        version = agent.source.current_version()
        if not agent.failures and self.quiet(row):
            # Most of them, most of the time: nothing but latency can be said against them.
            score = health(1.0, p99, agent.policy.deadline_ns, 0, _CLOSED, 0.0).score
            return Condition(LifeState.RUNNING, _CLOSED, score, calls, 0, 0, 0, p99, version)
        status = self.status(row)
        gone = status is LifeState.REMOVED
        return Condition(
            status,
            agent.breaker.state,
            0.0 if gone else health_of(agent, self._bus.clock.now(), p99).score,
            calls,
            agent.failures,
            agent.restarts,
            agent.mailbox.inbox_length + _news(agent),
            p99,
            version,
        )

    def flow(self) -> dict[tuple[str, str], list[int]]:
        """Deltas by (kind of source, kind of reader): published, delivered, merged, lost, pending.

        Counted over all edges of agents that are there; one look at each edge. What a reader that
        nobody calls was handed directly counts as delivered.
        """
        found: dict[tuple[str, str], list[int]] = {}
        for agent in self._known.values():
            for edge in _edges(agent):
                counts = found.setdefault((edge.source.kind, agent.kind), [0, 0, 0, 0, 0])
                counts[0] += edge.published
                if not _called(agent):
                    counts[1] += edge.published
                    continue
                counts[1] += edge.delivered
                counts[2] += edge.conflated
                counts[3] += edge.lost
                counts[4] += edge.pending
        return found


def health_of(agent: Agent, now: int, p99_ns: int) -> Health:
    """How an agent does; ``p99_ns`` bounds the 99th percentile of its calls."""
    oldest = now
    if agent.mailbox.pushes:
        pending = (edge.oldest_pending() for edge in _edges(agent))
        oldest = min((instant for instant in pending if instant is not None), default=now)
    return health(
        agent.success_rate.after(agent.mailbox.calls),
        p99_ns,
        agent.policy.deadline_ns,
        now - oldest,
        agent.breaker.state,
        agent.window.share(now),
    )


def _edges(agent: Agent) -> Any:
    return agent.mailbox.edges.values()


def _called(agent: Agent) -> bool:
    """Whether the bus calls it; who is not called is handed what it reads by whoever drives it."""
    return agent.handlers.on_tick is not None or agent.handlers.on_update is not None


def _news(agent: Agent) -> int:
    """Sources that have changed and that it has not been called for yet."""
    return sum(edge.pending > 0 for edge in _edges(agent)) if _called(agent) else 0
