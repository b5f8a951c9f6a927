"""The columns over agents, kept up to date by looking only at what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.clock import MILLISECOND
from mirrorcore.interfaces.live.pacing import Paced
from mirrorcore.interfaces.live.picture import COLUMNS, ENUMS, PLACES, Agents, Array, blank
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.watching import confidence_of, lean_of
from mirrorcore.syncbus import BreakerState, BusEvent, EventKind, LifeState, Missed
from mirrorcore.syncbus.survey import Condition, Survey
from mirrorcore.syncbus.watch import Seen

_LONGEST = 200
_EVERY_S = 1.0
"""Seconds within which every agent is looked at once, and examined if anything is the matter."""
_ROUNDS = 5
"""Rounds after which an agent with which nothing is the matter is examined as well."""
_NEVER = object()
_UNKNOWN = Condition(LifeState.REMOVED, BreakerState.CLOSED, -1.0, -1, -1, -1, -1, -1, -1)
_ST: Mapping[str, int] = {name: i for i, name in enumerate(ENUMS["st"])}
_CB: Mapping[str, int] = {name: i for i, name in enumerate(ENUMS["cb"])}


class AgentTable:
    """Columns over the agents of one run; every build makes new ones where something changed.

    Attributes
    ----------
    kinds: names behind the column ``kind``.
    """

    def __init__(self, run: Run) -> None:
        bus = run.swarm.parts.bus
        self._run = run
        self._survey: Survey = bus.survey()
        self._events = bus.watch()
        self._columns: dict[str, Any] = dict(Agents.empty().columns)
        self._shown = Agents.empty()
        self._kinds: dict[str, int] = {}
        self._silent = {m.agent_id for m in run.swarm.members if m.votes is False}
        self._votes: list[bool] = []
        self._cursor = 0
        self._conditions: dict[int, Condition] = {}
        self._voters: Array = np.zeros(0, dtype=np.int64)
        self._totals: Any = None
        self._books_pace = Paced(_EVERY_S)
        self._weights: Any = None

    def close(self) -> None:
        """Look no more."""
        self._events.close()

    @property
    def survey(self) -> Survey:
        """The look at the bus this is made of."""
        return self._survey

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names behind the column ``kind``."""
        return tuple(self._kinds)

    def build(self, since_s: float) -> Agents:
        """The agents as they are now; the same object where nothing changed.

        The longer the last look is ago (``since_s``), the more of them are examined.
        """
        before = dict(self._columns)
        events = self._events.look()
        if self._votes and not any(map(_may_add, events)):
            found: list[int] = []
        else:
            found = self._join()
        self._said()
        self._books(since_s)
        self._examine(events, found, since_s / _EVERY_S)
        if any(self._columns[name] is not before[name] for name in COLUMNS):
            self._shown = Agents(len(self._survey), dict(self._columns))
        return self._shown

    def _join(self) -> list[int]:
        """Rows for agents that are new; those, and the ones of agents that came back."""
        survey, known = self._survey, len(self._votes)
        found = survey.refresh()
        more = len(survey) - known
        if more > 0:
            for row in range(known, len(survey)):
                self._kinds.setdefault(survey.kinds[row], len(self._kinds))
                self._votes.append(survey.ids[row] not in self._silent)
            for name, kind in COLUMNS.items():
                self._columns[name] = _longer(self._columns[name], blank(kind, more))
            self._columns["id"] = tuple(survey.ids)
            self._columns["kind"] = np.array([self._kinds[kind] for kind in survey.kinds])
        return [*found, *range(known, len(survey))]

    def _said(self) -> None:
        """What agents published since the last time."""
        rows, instants = [], []
        conf_rows, confidences, lean_rows, leans = [], [], [], []
        votes, symbols = self._votes, self._run.swarm.context.symbols
        for row, fields, t in self._survey.said():
            rows.append(row)
            instants.append(t)
            value = fields.get("confidence", _NEVER)
            if value is not _NEVER:
                conf_rows.append(row)
                plain = type(value) is float and value - value == 0.0
                confidences.append(value if plain else confidence_of(value))
            if votes[row]:
                lean = lean_of(fields, symbols)
                if lean is not None:
                    lean_rows.append(row)
                    leans.append(lean)
        if not rows:
            return
        self._put("t", rows, np.array(instants) // MILLISECOND)
        if conf_rows:
            self._put("conf", conf_rows, _rounded("conf", confidences))
        if lean_rows:
            self._put("lean", lean_rows, _rounded("lean", leans))

    def _put(self, name: str, rows: Any, values: Array) -> None:
        """Write into a column without touching the one that was shown."""
        column = self._columns[name].copy()
        column[rows] = values
        self._columns[name] = column

    def _books(self, since_s: float) -> None:
        """Paper results and weights of the voters, where they moved; once a second.

        They move with every price, all of them, and nobody reads them faster.
        """
        self._books_pace.passed(since_s)
        if not self._books_pace.due() and self._totals is not None:
            return
        recorder, voters = self._run.recorder, self._run.swarm.context.voters
        if len(voters) != len(self._voters):
            rows = [self._survey.row_of(voter) for voter in voters]
            self._voters = np.array([-1 if row is None else row for row in rows], dtype=np.int64)
        totals, weights = recorder.final_voter_pnl, recorder.last_weights
        if totals is not self._totals:
            self._totals = totals
            self._put_voters("pnl", 100.0 * totals[1])
        if weights is not self._weights:
            self._weights = weights
            self._put_voters("w", weights)

    def _put_voters(self, name: str, values: Array) -> None:
        rows = self._voters[: len(values)]
        there = rows >= 0
        if there.any():
            self._put(name, rows[there], _rounded(name, values[: len(rows)][there]))

    # -- condition

    def _examine(self, events: Sequence[Seen], new: Sequence[int], share: float) -> None:
        """The condition of those to whom something happened, and of the others in turn."""
        survey = self._survey
        due = dict.fromkeys(new)
        for event in events:
            if isinstance(event, BusEvent):
                row = survey.row_of(event.agent_id)
                if row is not None:
                    due[row] = None
        n = len(survey)
        for _ in range(min(n, math.ceil(share * n))):
            row, self._cursor = self._cursor % n, self._cursor + 1
            if share >= 1.0 or not self._settled(row):
                due[row] = None
        for row in due:
            self._condition(row)

    def _settled(self, row: int) -> bool:
        """Whether an agent need not be examined in this round: all was well and all is.

        What then still moves are counters and the latency of all its calls; every few rounds do.
        """
        known, survey = self._conditions.get(row, _UNKNOWN), self._survey
        if known.pending or known.status is not LifeState.RUNNING or not survey.quiet(row):
            return False
        turn = self._cursor // len(survey) + row
        return survey.failures(row) == known.failures and turn % _ROUNDS != 0

    def _condition(self, row: int) -> None:
        now = self._survey.condition(row)
        known = self._conditions.get(row, _UNKNOWN)
        if now == known:
            return
        self._conditions[row] = now
        if now.calls != known.calls:
            before = self._run.lives.calls_before.get(self._survey.ids[row], 0)
            self._set("calls", row, max(0, now.calls - before))
        if now.version != known.version:
            self._set("v", row, now.version)
        if now.p99_ns != known.p99_ns:
            self._set("lat", row, float(f"{now.p99_ns / MILLISECOND:.3g}"))
        if now.health != known.health:
            self._set("hp", row, round(now.health, PLACES["hp"]))
        if _rest(now) == _rest(known):
            return
        self._set("st", row, _ST[now.status])
        self._set("cb", row, _CB[now.breaker])
        self._set("mb", row, now.pending)
        self._set("fails", row, now.failures)
        self._set("rest", row, now.restarts)
        error = self._run.lives.last_error.get(self._survey.ids[row], "")[:_LONGEST]
        if self._columns["err"][row] != error:
            errors = list(self._columns["err"])
            errors[row] = error
            self._columns["err"] = tuple(errors)

    def _set(self, name: str, row: int, value: float) -> None:
        if self._columns[name][row] != value:
            self._own(name)[row] = value

    def _own(self, name: str) -> Array:
        """A column that may be written: not the one that was shown."""
        if self._columns[name] is self._shown.columns[name]:
            self._columns[name] = self._columns[name].copy()
        column: Array = self._columns[name]
        return column


def _may_add(event: Seen) -> bool:
    """Whether there may be an agent that was not there before."""
    return isinstance(event, Missed) or (
        isinstance(event, BusEvent) and event.kind is EventKind.REGISTERED
    )


def _rest(condition: Condition) -> tuple[object, ...]:
    """What of a condition does not change with every call."""
    return (
        condition.status,
        condition.breaker,
        condition.pending,
        condition.failures,
        condition.restarts,
    )


def _longer(column: Any, more: Any) -> Any:
    return column + more if isinstance(column, tuple) else np.concatenate([column, more])


def _rounded(name: str, values: Any) -> Array:
    """Rounded as a column is; every NaN the same, no −0."""
    made = np.round(np.asarray(values, dtype=np.float64), PLACES[name]) + 0.0
    return np.where(np.isfinite(made), made, np.nan)
