"""What happened to the agents of a run: failures, isolations, and how long they were away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from mirrorcore.recent import Recent
from mirrorcore.report.swarm_records import OutageRecord
from mirrorcore.syncbus import BusEvent, EventKind

_MOST = 500
_MOST_OF_ONE = 50


@dataclass(slots=True)
class LifeLog:
    """Counts the life events the agents table shows, and keeps the newest; the journal has all.

    ``calls_before`` are calls of the warm-up, which are not the run's.
    """

    isolations: dict[str, int] = field(default_factory=dict)
    last_error: dict[str, str] = field(default_factory=dict)
    events: Recent[BusEvent] = field(default_factory=lambda: Recent(_MOST))
    calls_before: dict[str, int] = field(default_factory=dict)
    _of_one: dict[str, deque[BusEvent]] = field(default_factory=dict)
    _away: dict[str, int] = field(default_factory=dict)
    _ended: list[OutageRecord] = field(default_factory=list)

    def note(self, event: BusEvent) -> None:
        if event.kind in (EventKind.FAILURE, EventKind.EXPIRED, EventKind.FLOOD, EventKind.BLOCKED):
            self.last_error[event.agent_id] = event.detail
        elif event.kind is EventKind.ISOLATED:
            self.isolations[event.agent_id] = self.isolations.get(event.agent_id, 0) + 1
        elif event.kind is EventKind.REGISTERED:
            return
        self.events.append(event)
        # Kept apart, so that one that fails all the time leaves room for the others.
        own = self._of_one.setdefault(event.agent_id, deque(maxlen=_MOST_OF_ONE))
        own.append(event)
        self._follow(event)

    def _follow(self, event: BusEvent) -> None:
        if event.kind in (EventKind.ISOLATED, EventKind.FAILED):
            self._away.setdefault(event.agent_id, event.t)
        elif event.kind in (EventKind.RECOVERED, EventKind.REMOVED):
            began = self._away.pop(event.agent_id, None)
            if began is not None:
                self._ended.append(OutageRecord(agent=event.agent_id, start=began, end=event.t))

    def of(self, agent_id: str) -> list[BusEvent]:
        """The newest events of one agent, oldest first."""
        return list(self._of_one.get(agent_id, ()))

    def outages(self) -> Iterator[OutageRecord]:
        """Each time an agent was away, in the order of their ends, those without end last.

        An agent is away from its isolation or failure until it has recovered: a restart that fails
        its probation is no recovery.
        """
        yield from self._ended
        for agent_id, began in self._away.items():
            yield OutageRecord(agent=agent_id, start=began, end=None)
