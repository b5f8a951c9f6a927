"""What happened, as one log: lives of agents, gateway, limits, halts, sources, commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mirrorcore.interfaces.live.book import grown
from mirrorcore.interfaces.live.figures import ms
from mirrorcore.interfaces.live.picture import ENUMS, LOGS, Log, Row
from mirrorcore.interfaces.live.rules import Clips
from mirrorcore.recent import Recent
from mirrorcore.swarm.control.alerts import Alert
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import EventKind

_LONGEST = 300
_INFO, _WARN, _BAD = range(len(ENUMS["sev"]))
_LIVES: Mapping[EventKind, int] = {
    EventKind.RECOVERED: _INFO,
    EventKind.PAUSED: _INFO,
    EventKind.RESUMED: _INFO,
    EventKind.REMOVED: _INFO,
    EventKind.FAILED: _BAD,
    EventKind.ESCALATION: _BAD,
}
"""How bad a life event is; those that are not named are a warning."""
_ALERTS = 200


class Happenings:
    """Gathers events of one run from where each is written down anyway."""

    def __init__(self, run: Run, clips: Clips) -> None:
        self._run = run
        self._clips = clips
        self._log = Log()
        self._new: list[tuple[int, int, str, str, str]] = []
        self._lives = self._changes = self._warnings = self._drifts = self._notes = 0
        self._halted: dict[int, str] = {}
        self._sources: dict[str, tuple[str, int]] = {}

    def add(self, ts: int, severity: int, kind: str, who: str, text: str) -> None:
        """One event; ``ts`` in ns, ``severity`` a position in the enum ``sev``."""
        self._new.append((ts, severity, kind, who, text))

    def build(self, now: int) -> Log:
        """The log up to now (ns); the same object where nothing is new."""
        self._follow(self._run.lives.events, "_lives", self._life)
        self._follow(self._run.swarm.parts.path.gateway.changes, "_changes", self._gateway)
        raised = self._run.swarm.alarms.raised
        for alarm in raised[self._drifts :]:
            self._drift(alarm)
        self._drifts = len(raised)
        self._follow(self._run.control.notes, "_notes", self._note)
        warnings, self._warnings = self._run.warnings.since(self._warnings)
        for text in warnings:
            self.add(now, _WARN, "warning", "", text)
        for ts, limit, _, text in self._clips.take_firsts():
            self.add(ts, _INFO, "limit", limit, text)
        self._halts(now)
        if self._new:
            self._new.sort(key=lambda event: event[0])
            first = self._log.total + 1
            rows = [_row(first + i, event) for i, event in enumerate(self._new)]
            self._log = grown(self._log, rows, LOGS["ev"])
            self._new.clear()
        return self._log

    def sources(self, now: int, rows: Mapping[str, Row]) -> None:
        """Take note of sources that are in another state than before, or were in between."""
        for name, row in rows.items():
            state, reconnects = str(row["state"]), int(row["reconnects"])
            before, connected = self._sources.get(name, (state, reconnects))
            text, why = "", str(row["reason"])
            if state != before:
                text = f"{before} → {state}" + (f": {why}" if why not in ("", state) else "")
            elif reconnects > connected:
                text = f"reconnected → {state}"  # lost and found since the last look
            if text:
                self.add(now, _INFO if row["ok"] else _WARN, "source", name, text)
            self._sources[name] = (state, reconnects)

    def _follow(self, log: Recent[Any], seen: str, tell: Callable[[Any], None]) -> None:
        """Tell of what has come since last time."""
        new, now_seen = log.since(getattr(self, seen))
        for one in new:
            tell(one)
        setattr(self, seen, now_seen)

    def _life(self, event: Any) -> None:
        severity = _LIVES.get(event.kind, _WARN)
        self.add(event.t, severity, str(event.kind), event.agent_id, event.detail)

    def _gateway(self, change: Any) -> None:
        severity = _INFO if change.after == "active" else _BAD
        text = f"{change.before} → {change.after}: {change.reason}"
        self.add(change.ts, severity, "gateway", "gateway", text)

    def _note(self, note: Any) -> None:
        self.add(note.ts, _INFO, note.kind, note.who, note.text)

    def _drift(self, alarm: Any) -> None:
        voters = self._run.swarm.context.voters
        who = voters[alarm.voter] if alarm.voter < len(voters) else str(alarm.voter)
        self.add(alarm.ts, _WARN, "drift", who, "has lost its skill")

    def _halts(self, now: int) -> None:
        halted = {**self._run.engine.halted, **self._run.engine.locks}
        if halted == self._halted:
            return
        names = self._run.swarm.context.symbols
        for symbol, name in enumerate(names):
            before, after = self._halted.get(symbol), halted.get(symbol)
            if before != after:
                text = f"takes no new risk: {after}" if after else f"takes risk again ({before})"
                self.add(now, _WARN if after else _INFO, "halt", name, text)
        self._halted = halted


def _row(number: int, event: tuple[int, int, str, str, str]) -> Row:
    ts, severity, kind, who, text = event
    return {
        "id": f"E{number}",
        "t": ms(ts),
        "sev": severity,
        "kind": kind,
        "who": who,
        "text": text[:_LONGEST],
    }


def alert_rows(alerts: Iterable[Alert]) -> dict[str, Row]:
    """A row for each of the newest alerts, by number."""
    return {
        str(one.id): {
            "t": ms(one.ts),
            "sev": _BAD if one.level == "bad" else _WARN,
            "who": one.about,
            "text": one.text[:_LONGEST],
            "ack": one.by or None,
        }
        for one in tuple(alerts)[-_ALERTS:]
    }
