"""What happened to the agents of a run: failures, isolations, and how long they were away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirrorcore.report.swarm_records import OutageRecord
from mirrorcore.syncbus import BusEvent, EventKind


@dataclass(slots=True)
class LifeLog:
    """Counts the life events the agents table shows.

    ``calls_before`` are calls of the warm-up, which are not the run's.
    """

    isolations: dict[str, int] = field(default_factory=dict)
    last_error: dict[str, str] = field(default_factory=dict)
    events: list[BusEvent] = field(default_factory=list)
    calls_before: dict[str, int] = field(default_factory=dict)

    def note(self, event: BusEvent) -> None:
        if event.kind in (EventKind.FAILURE, EventKind.EXPIRED, EventKind.FLOOD, EventKind.BLOCKED):
            self.last_error[event.agent_id] = event.detail
        elif event.kind is EventKind.ISOLATED:
            self.isolations[event.agent_id] = self.isolations.get(event.agent_id, 0) + 1
        elif event.kind is EventKind.REGISTERED:
            return
        self.events.append(event)

    def outages(self) -> Iterator[OutageRecord]:
        """Each time an agent was away, in the order of their ends, those without end last.

        An agent is away from its isolation or failure until it has recovered: a restart that fails
        its probation is no recovery.
        """
        away: dict[str, int] = {}
        for event in self.events:
            if event.kind in (EventKind.ISOLATED, EventKind.FAILED):
                away.setdefault(event.agent_id, event.t)
            elif event.kind in (EventKind.RECOVERED, EventKind.REMOVED):
                began = away.pop(event.agent_id, None)
                if began is not None:
                    yield OutageRecord(agent=event.agent_id, start=began, end=event.t)
        for agent_id, began in away.items():
            yield OutageRecord(agent=agent_id, start=began, end=None)
