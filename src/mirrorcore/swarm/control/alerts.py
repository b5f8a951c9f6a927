"""What an operator should look at until acknowledged: failing agents, gateway, stops, findings."""

from __future__ import annotations

from collections import deque

import msgspec

from mirrorcore.errors import UsageError
from mirrorcore.recent import Recent
from mirrorcore.swarm.control.actions import Action, By, Stop
from mirrorcore.syncbus import BusEvent, EventKind
from mirrorcore.trading.gateway import GatewayChange

_MOST = 500
_EVENTS = {
    EventKind.ISOLATED: "warning",
    EventKind.BLOCKED: "warning",
    EventKind.FLOOD: "warning",
    EventKind.STORM: "warning",
    EventKind.RELOCATED: "warning",
    EventKind.FAILED: "bad",
    EventKind.ESCALATION: "bad",
}


class Alert(msgspec.Struct):
    """One alert: ``level`` is ``warning`` or ``bad``, ``ts`` market time in ns, ``by`` who has
    acknowledged it, empty while nobody has."""

    id: int
    ts: int
    level: str
    about: str
    text: str
    by: str = ""


class Alerts:
    """The alerts of one run, newest last; the oldest go when there are more than 500."""

    def __init__(self) -> None:
        self.entries: deque[Alert] = deque(maxlen=_MOST)
        self._count = 0
        self._gateway_changes = 0

    def life(self, event: BusEvent) -> None:
        """A life event of an agent."""
        level = _EVENTS.get(event.kind)
        if level is not None and event.detail != "ordinary":
            self._add(event.t, level, event.agent_id, f"{event.kind}: {event.detail}")

    def gateway(self, changes: Recent[GatewayChange]) -> None:
        """The changes of the gateway; those not seen yet become alerts."""
        new, self._gateway_changes = changes.since(self._gateway_changes)
        for change in new:
            level = "warning" if change.after == "active" else "bad"
            text = f"{change.before} → {change.after}: {change.reason}"
            self._add(change.ts, level, "gateway", text)

    def command(self, ts: int, action: Action, by: By) -> None:
        """A stop is an alert of its own, so that who comes later sees who gave it."""
        if isinstance(action, Stop):
            self._add(ts, "bad", "swarm", f"emergency stop ({action.level}) by {by}")

    def finding(self, ts: int, agents: str, text: str) -> int:
        """Something nobody coded; the number by which it is acknowledged."""
        self._add(ts, "warning", agents or "swarm", text)
        return self._count

    def acknowledge(self, number: int, by: str) -> None:
        """The first who has seen it is who is told; UsageError where there is no such alert."""
        alert = self.find(number)
        alert.by = alert.by or by

    def find(self, number: int) -> Alert:
        """UsageError where there is no such alert."""
        for alert in self.entries:
            if alert.id == number:
                return alert
        raise UsageError(f"there is no alert {number}", hint="'alerts' lists them")

    def _add(self, ts: int, level: str, about: str, text: str) -> None:
        self._count += 1
        self.entries.append(Alert(self._count, ts, level, about, text))
