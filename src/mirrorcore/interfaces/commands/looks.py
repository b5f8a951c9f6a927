"""Answers that need the run itself: one agent in full, what was earned, what is not well.

Called in the swarm's loop between two ticks; they take what they need and change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from mirrorcore.clock import SECOND, iso
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.evaluation import curve_measures
from mirrorcore.report.metrics import drawdown, with_start
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import Series

_LISTED = 64
"""Elements of a vector that are shown; agents may publish thousands."""


def inspect(run: Run, member: Member, history: int) -> dict[str, Any]:
    """State with units, past, messages, life of one agent."""
    bus, agent_id = run.swarm.parts.bus, member.agent_id
    view, counts, health = bus.read(agent_id), bus.statistics(agent_id), bus.health(agent_id)
    symbols, voters = run.swarm.context.symbols, run.swarm.context.voters
    names = {"symbols": list(symbols), "voters": list(voters)}
    return {
        "id": agent_id,
        "kind": member.kind,
        "form": member.form.value,
        "votes": member.votes,
        "cadence_s": member.cadence_ns / SECOND,
        "horizon_s": member.horizon_ns / SECOND,
        "reads": list(member.interests),
        "reads_agents": list(member.agent_interests),
        "essential": member.essential,
        "own_process": member.away,
        "state": {
            name: {
                "value": plain(value),
                "unit": member.schema[name].unit if name in member.schema else "",
                "doc": member.schema[name].doc if name in member.schema else "",
                "of": names.get(member.schema[name].shape) if name in member.schema else None,
            }
            for name, value in view.state.items()
        },
        "version": view.version,
        "updated": iso(view.t) if view.version else None,
        "stale": view.stale,
        "statistics": msgspec.to_builtins(counts),
        "health": msgspec.to_builtins(health),
        "history": _past(bus.history(agent_id, limit=history)),
        "events": [
            {"at": iso(event.t), "kind": str(event.kind), "detail": event.detail}
            for event in run.lives.of(agent_id)
        ],
        "last_error": run.lives.last_error.get(agent_id, ""),
        "dead_letters": sum(
            1 for letter in bus.dead_letters if agent_id in (letter.target, letter.sender)
        ),
    }


def _past(series: Mapping[str, Series]) -> dict[str, list[list[Any]]]:
    """By field, rows of instant and value, oldest first."""
    return {
        name: [[iso(int(t)), plain(value)] for t, value in zip(one.t, one.values, strict=True)]
        for name, one in series.items()
    }


def plain(value: Any) -> Any:
    """A published value as JSON holds it: NaN is null, of a long vector the first elements."""
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.ravel()[:_LISTED].tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in list(value.items())[:_LISTED]}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(one) for one in value[:_LISTED]]
    return repr(value)[:200]


def curve_of(run: Run) -> tuple[Ints, Floats, int, float]:
    """Instants and equity so far, the instant and the equity it began with."""
    columns, ledger = run.recorder.columns, run.swarm.parts.path.ledger
    initial = ledger.initial / float(10**ledger.units.places)
    return columns.instants(), columns.joined("equity"), run.started, initial


def earned(curve: tuple[Ints, Floats, int, float]) -> dict[str, Any]:
    """The figures of one equity curve; any thread may work them out. CommandError no_data."""
    ts, equity, start, initial = curve
    if not len(ts):
        raise CommandError("no_data", "the run has not decided anything yet")
    whole = with_start(ts, equity, start, initial)
    measures = curve_measures(whole)
    found: dict[str, Any] = {
        name: {"value": one.value, "reason": one.reason} for name, one in measures.items()
    }
    found["max_drawdown"] = {"value": float(drawdown(whole.equity).max()), "reason": ""}
    return {"equity": float(equity[-1]), "initial_equity": initial, "measures": found}


def by_agent(run: Run, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """What each voter of ``chosen`` earned on its own paper book, and is worth to the fusion."""
    totals, weights = run.recorder.final_voter_pnl, run.recorder.last_weights
    contributions = run.recorder.contributions.totals
    kinds = {member.agent_id: member.kind for member in run.swarm.members}
    found = []
    for place, voter in enumerate(run.swarm.context.voters):
        if voter not in chosen or place >= totals.shape[1]:
            continue
        found.append(
            {
                "agent": voter,
                "kind": kinds[voter],
                "paper_gross": float(totals[0, place]),
                "paper_net": float(totals[1, place]),
                "weight": float(weights[place]) if place < len(weights) else None,
                "contribution": (
                    float(contributions[place]) if place < len(contributions) else None
                ),
            }
        )
    if not found:
        raise CommandError(
            "no_data", "none of these agents has voted yet", hint="only voters have paper books"
        )
    return found


def by_kind(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same added up by kind of agent; paper results are means over the agents."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row)
    return [
        {
            "kind": kind,
            "agents": len(group),
            "paper_gross": sum(row["paper_gross"] for row in group) / len(group),
            "paper_net": sum(row["paper_net"] for row in group) / len(group),
            "contribution": sum(row["contribution"] or 0.0 for row in group),
        }
        for kind, group in kinds.items()
    ]


def health(run: Run) -> dict[str, Any]:
    """What is not as it should be; empty lists are good news."""
    bus, path = run.swarm.parts.bus, run.swarm.parts.path
    unwell = []
    for member in run.swarm.members:
        score, state = bus.health(member.agent_id).score, str(bus.status(member.agent_id))
        if score < 0.8 or state != "running":
            unwell.append(
                {
                    "agent": member.agent_id,
                    "status": state,
                    "health": score,
                    "last_error": run.lives.last_error.get(member.agent_id, ""),
                }
            )
    ledger_residual = abs(path.ledger.residual(run.recorder.last_prices))
    return {
        "agents": unwell,
        "sources": {
            name: str(one.state) for name, one in run.sources().items() if str(one.state) != "live"
        },
        "bus_residual": bus.accounting_residual(),
        "ledger_residual": ledger_residual,
        "gateway": path.gateway.state.value,
        "dead_letters": len(bus.dead_letters),
        "warnings": list(run.warnings.told()),
    }
