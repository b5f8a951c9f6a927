"""What an onlooker may see of a running swarm: plain figures, taken between ticks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.swarm.members import Member
from mirrorcore.swarm.run import Run
from mirrorcore.trading.gateway import HALTED

_EVENTS = 20


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent as it is now.

    ``confidence`` is what it publishes under that name; ``lean`` the mean of its vote over the
    symbols as −1 (down) to 1 (up); ``pnl`` its own paper book after costs, a share of capital.
    Each is None for an agent that has none.
    """

    id: str
    kind: str
    state: str
    health: float
    calls: int
    failures: int
    restarts: int
    confidence: float | None
    lean: float | None
    pnl: float | None
    last_error: str


@dataclass(frozen=True, slots=True)
class SwarmSnapshot:
    """The swarm between two ticks; money in settlement currency, shares of equity as fractions.

    ``gateway_why`` says by whom and why the gateway is not active, and is empty while it is.
    ``events`` are the newest lives of agents and commands of operators, oldest first.
    """

    ts: int
    tick: int
    equity: float
    initial_equity: float
    currency: str
    drawdown: float
    gross: float
    gate: float
    fear: float
    confidence: float
    gateway: str
    gateway_why: str
    trades_closed: int
    fills: int
    agents: tuple[AgentRow, ...]
    events: tuple[str, ...]


class Onlooker:
    """Takes snapshots of one run, one after another. Reads only; nothing of the run changes.

    Lives and commands are two logs, and what is new in both is put in order once and stays in it:
    whoever shows only what is new of ``events`` must find what was there before at its front.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lives = self._notes = 0
        self._events: deque[str] = deque(maxlen=_EVENTS)

    def look(self) -> SwarmSnapshot:
        """The swarm as it is now."""
        run = self._run
        lives, self._lives = run.lives.events.since(self._lives)
        notes, self._notes = run.control.notes.since(self._notes)
        told = [(one.t, f"{one.agent_id}: {one.kind} {one.detail}".rstrip()) for one in lives]
        told += [(one.ts, f"{one.who}: {one.text}") for one in notes]
        told.sort(key=lambda event: event[0])
        self._events.extend(text for _, text in told)
        return _snapshot(run, tuple(self._events))


def look(run: Run) -> SwarmSnapshot:
    """One snapshot; whoever takes several keeps an :class:`Onlooker`."""
    return Onlooker(run).look()


def _snapshot(run: Run, events: tuple[str, ...]) -> SwarmSnapshot:
    swarm, recorder = run.swarm, run.recorder
    path = swarm.parts.path
    columns = recorder.columns
    last = {name: float(values[-1][-1]) for name, values in columns.values.items() if values}
    scale = float(10**path.ledger.units.places)
    return SwarmSnapshot(
        ts=swarm.parts.clock.now(),
        tick=recorder.ticks,
        equity=last.get("equity", path.ledger.initial / scale),
        initial_equity=path.ledger.initial / scale,
        currency=path.ledger.units.currency,
        drawdown=path.limits.drawdown,
        gross=last.get("gross", 0.0),
        gate=last.get("gate", 0.0),
        fear=last.get("fear", 0.0),
        confidence=last.get("confidence", 0.0),
        gateway=path.gateway.state.value if path.gateway.latched is None else "halted",
        gateway_why=_why_closed(run),
        trades_closed=path.ledger.trade_count,
        fills=recorder.fill_count,
        agents=tuple(_row(run, member) for member in swarm.members),
        events=events,
    )


def _why_closed(run: Run) -> str:
    gateway, by = run.swarm.parts.path.gateway, run.control.stopped_by
    if gateway.latched is not None and gateway.state is not HALTED:
        return gateway.latched  # who gave it is known when it has been carried out
    if by is None or gateway.reason.endswith(f"by {by}"):
        return gateway.reason
    return f"by {by}: {gateway.reason}"


def _row(run: Run, member: Member) -> AgentRow:
    bus, agent_id = run.swarm.parts.bus, member.agent_id
    counts = bus.statistics(agent_id)
    state = bus.read(agent_id).state
    lean = None if member.votes is False else lean_of(state, run.swarm.context.symbols)
    return AgentRow(
        id=agent_id,
        kind=member.kind,
        state=counts.state,
        health=bus.health(agent_id).score,
        calls=counts.calls - run.lives.calls_before.get(agent_id, 0),
        failures=counts.failures,
        restarts=counts.restarts,
        confidence=_known(confidence_of(state.get("confidence"))),
        lean=_known(lean),
        pnl=_paper_result(run, agent_id),
        last_error=run.lives.last_error.get(agent_id, ""),
    )


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def confidence_of(value: Any) -> float:
    """A published confidence as one number, NaN for none; of an array the mean of what is known."""
    if type(value) is float:
        return value if math.isfinite(value) else math.nan
    if isinstance(value, np.ndarray):
        known = [one for one in value.ravel().tolist() if isinstance(one, int | float)]
        return _mean([one for one in known if math.isfinite(one)])
    return float(value) if isinstance(value, int | float) else math.nan


def lean_of(fields: Mapping[str, Any], symbols: Sequence[str]) -> float | None:
    """The mean of a vote over the symbols, −1 down to 1 up; None where there is no vote in
    ``fields``, NaN where it says nothing. Read as :func:`~mirrorcore.swarm.votes.read_vote` does.
    """
    if "forecast" in fields:
        said = _spoken(fields["forecast"], symbols)
        return 2.0 * _mean([one for one in said if 0.0 <= one <= 1.0]) - 1.0
    if "signal" in fields:
        said = _spoken(fields["signal"], symbols)
        return _mean([one for one in said if -1.0 <= one <= 1.0])
    return None


def _spoken(value: Any, symbols: Sequence[str]) -> list[Any]:
    """What a vote says of the symbols it speaks of, not yet judged."""
    if type(value) is float:
        return [value]
    if isinstance(value, np.ndarray):
        fits = value.shape == (len(symbols),) and value.dtype.kind in "fiub"
        return value.tolist() if fits else []
    if isinstance(value, Mapping):
        told = (value.get(symbol) for symbol in symbols)
        return [one for one in told if isinstance(one, int | float | np.number)]
    return [value] if isinstance(value, int | float) else []


def _mean(known: Sequence[float]) -> float:
    return float(sum(known) / len(known)) if known else math.nan


def _paper_result(run: Run, agent_id: str) -> float | None:
    voters = list(run.swarm.context.voters)
    totals = run.recorder.final_voter_pnl
    if agent_id not in voters or voters.index(agent_id) >= totals.shape[1]:
        return None
    return float(totals[1, voters.index(agent_id)])
