"""Looking at a bus: states, statistics, health, the past, life events; nothing here changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mirrorcore.clock import MILLISECOND
from mirrorcore.syncbus.health import latency_quantile
from mirrorcore.syncbus.history import Series
from mirrorcore.syncbus.messages import (
    AgentStatistics,
    DeadLetter,
    Health,
    Interest,
    StateView,
)
from mirrorcore.syncbus.observers import Observer
from mirrorcore.syncbus.parts import BusParts
from mirrorcore.syncbus.registry import check_interests
from mirrorcore.syncbus.supervision import LifeState
from mirrorcore.syncbus.survey import Survey, health_of
from mirrorcore.syncbus.watch import Watch

_AFTER_AGENTS = 1 << 40


class Inspection(BusParts):
    """What an observer may ask."""

    def read(self, source_id: str) -> StateView:
        """The state of a source, for observers."""
        return self._registry.source(source_id).state_view(self.clock.now())

    @property
    def holder(self) -> str | None:
        """The agent whose code runs at this instant, None while the bus's own does; any thread may
        look, which is how one that keeps the loop is known while it does."""
        agent = self._dispatcher.window.agent
        return None if agent is None else agent.agent_id

    def health(self, agent_id: str) -> Health:
        agent = self._agent(agent_id)
        return health_of(agent, self.clock.now(), latency_quantile(agent.latency, 0.99))

    def statistics(self, agent_id: str) -> AgentStatistics:
        agent = self._agent(agent_id)
        edges = agent.mailbox.edges.values()
        calls = agent.mailbox.calls
        return AgentStatistics(
            state=str(agent.status),
            incarnation=agent.incarnation,
            calls=calls,
            successes=calls - agent.failures - agent.waiting,
            failures=agent.failures,
            waiting=agent.waiting,
            skipped=agent.skipped,
            expired=agent.expired,
            blocked=agent.blocked,
            restarts=agent.restarts,
            zombies=agent.zombies,
            version=agent.source.current_version(),
            refused=agent.refused,
            published=sum(edge.published for edge in edges),
            delivered=sum(edge.delivered for edge in edges),
            conflated=sum(edge.conflated for edge in edges),
            lost=sum(edge.lost for edge in edges),
            pending=sum(edge.pending for edge in edges),
            rejected=sum(edge.turned_away for edge in edges),
            resyncs=sum(edge.resyncs for edge in edges),
            edges=len(edges),
            accepted=agent.lossless_accepted,
            handled=agent.lossless_handled,
            failed=agent.lossless_failed,
            dead_lettered=agent.lossless_dead,
            inbox=agent.mailbox.inbox_length,
        )

    def accounting_residual(self) -> int:
        """Deltas and messages that no counter explains; anything but 0 is a defect."""
        total = 0
        for agent in self._agents.values():
            total += sum(abs(edge.residual()) for edge in agent.mailbox.edges.values())
            total += abs(agent.lossless_residual())
        return total

    @property
    def history_bytes(self) -> int:
        return sum(source.history_bytes for source in self._registry.sources.values())

    def history(
        self,
        source_id: str,
        fields: Sequence[str] | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> dict[str, Series]:
        """The past of a source by field, oldest first, as read-only views."""
        names = None if fields is None else tuple(fields)
        return self._registry.source(source_id).past(names, since, limit)

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Messages no incarnation will handle, oldest first; the last 1,024."""
        return list(self._supervisor.dead_letters)

    def kind_of(self, agent_id: str) -> str:
        return self._agent(agent_id).kind

    def status(self, agent_id: str) -> LifeState:
        return self._agent(agent_id).status

    def paused(self, agent_id: str) -> bool:
        """Whether a pause is laid on it, whatever else keeps it back."""
        return self._agent(agent_id).paused

    def held_out(self, agent_id: str) -> bool:
        """Whether it was isolated by command: only a restart by command brings it back."""
        return self._agent(agent_id).held_out

    def signals_under_way(self, agent_id: str) -> int:
        """Signals that an agent which waits, or is in a process, has not handled yet."""
        return sum(not task.done() for task in self._agent(agent_id).side_tasks)

    def unresolved_interests(self) -> list[tuple[str, str]]:
        """(agent, interest) for every interest that no source answers to so far."""
        return self._registry.unresolved(self._agents.values())

    def watch(
        self,
        *interests: str | tuple[str, Any] | Interest,
        events: bool = True,
        every_ns: int = 50 * MILLISECOND,
        room: int = 1024,
    ) -> Watch:
        """See life events and the states of ``interests`` without being able to slow anybody.

        States are merged while nobody looks, of events the last ``room`` wait. ``async for`` looks
        every ``every_ns`` of wall time; ``look()`` at once. Close it, or use it as a context.
        """
        self._watches += 1
        return Watch(
            f"watch {self._watches}",
            _AFTER_AGENTS + self._watches,
            check_interests("a watch", interests, None),
            self._dispatcher,
            self._registry,
            self._observers,
            events=events,
            every_ns=every_ns,
            room=room,
        )

    def survey(self) -> Survey:
        """All agents at a glance, for whoever shows them again and again."""
        return Survey(self, self._agents)

    def on_event(self, callback: Observer) -> None:
        """Tell ``callback`` of every life event; what it raises is recorded and goes no further."""
        self._observers.add(callback)

    def on_publish(self, witness: Callable[[str, int, Mapping[str, Any]], None]) -> None:
        """Tell ``witness(source, t, delta)`` of every delta as it takes effect.

        One witness, the run's digest; rows of blocks are known to whoever loads them.
        """
        self._dispatcher.witness = witness

    def on_post(self, witness: Callable[[str, str, int], None]) -> None:
        """Tell ``witness(sender, target, t)`` of every direct message as it is accepted.

        One witness; an operator's message has the sender ``""``.
        """
        self._post.witness = witness
