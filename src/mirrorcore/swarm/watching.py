"""What an onlooker may see of a running swarm: plain figures, taken between ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.swarm.members import Member
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.votes import read_vote

_EVENTS = 6


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
    """The swarm between two ticks; money in settlement currency, shares of equity as fractions."""

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
    trades_closed: int
    fills: int
    agents: tuple[AgentRow, ...]
    events: tuple[str, ...]


def look(run: Run) -> SwarmSnapshot:
    """Take a snapshot. Reads only; nothing of the run changes."""
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
        gateway=path.gateway.state.value,
        trades_closed=path.ledger.trade_count,
        fills=recorder.fill_count,
        agents=tuple(_row(run, member) for member in swarm.members),
        events=tuple(
            f"{event.agent_id}: {event.kind} {event.detail}".rstrip()
            for event in run.lives.events[-_EVENTS:]
        ),
    )


def _row(run: Run, member: Member) -> AgentRow:
    bus, agent_id = run.swarm.parts.bus, member.agent_id
    counts = bus.statistics(agent_id)
    state = bus.read(agent_id).state
    vote = read_vote(state, run.swarm.context.symbols)
    spoken = vote[np.isfinite(vote)] if vote is not None and member.votes is not False else None
    return AgentRow(
        id=agent_id,
        kind=member.kind,
        state=counts.state,
        health=bus.health(agent_id).score,
        calls=counts.calls - run.lives.calls_before.get(agent_id, 0),
        failures=counts.failures,
        restarts=counts.restarts,
        confidence=_number(state.get("confidence")),
        lean=float(2.0 * spoken.mean() - 1.0) if spoken is not None and spoken.size else None,
        pnl=_paper_result(run, agent_id),
        last_error=run.lives.last_error.get(agent_id, ""),
    )


def _number(value: object) -> float | None:
    if isinstance(value, np.ndarray):
        known = value[np.isfinite(value)]
        return float(known.mean()) if known.size else None
    return float(value) if isinstance(value, int | float) else None


def _paper_result(run: Run, agent_id: str) -> float | None:
    voters = list(run.swarm.context.voters)
    totals = run.recorder.final_voter_pnl
    if agent_id not in voters or voters.index(agent_id) >= totals.shape[1]:
        return None
    return float(totals[1, voters.index(agent_id)])
