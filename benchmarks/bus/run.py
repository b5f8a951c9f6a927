"""Every scenario with every rival that is there, and the rows of the design judged from them."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from benchmarks.bus.rivals import MODES, BareLoop, Ours, left_out, present
from benchmarks.bus.rounds import Figures, ratio, spread
from benchmarks.bus.rows import cost_rows, memory_row, more_rows, slow_row, stop_rows
from benchmarks.bus.scenarios import (
    backlog,
    cold,
    cost,
    latency,
    memory,
    raising,
    registration,
    stop,
)
from benchmarks.measure import calibration, machine

SIZES = (10, 100, 1_000)
"""Agents on the bus."""

ROUNDS = 7
"""Of each figure, beside the one that warms up."""

LATENCY_ROUNDS, MORE_ROUNDS = 5, 15
"""Of latency, for everybody, and then for SyncBus alone."""

SEED = 4
"""Of the moments at which the stop is asked for."""


def costs(*, quick: bool) -> dict[tuple[str, int, str], Figures]:
    """CPU of a delivery in every pattern at every size; each size in a loop of its own."""
    rounds, deliveries = (1, 2_000) if quick else (ROUNDS, 20_000)
    rivals = [*present(), *MODES]
    found: dict[tuple[str, int, str], Figures] = {}
    for handlers in ("sync", "async"):
        for agents in SIZES:
            waits = handlers == "async"
            patterns = ("burst",) if quick and agents == SIZES[-1] else tuple(cost.PATTERNS)
            measured = asyncio.run(
                cost.measure(rivals, agents, rounds, deliveries, waits=waits, patterns=patterns)
            )
            for pattern, figures in measured.items():
                found[handlers, agents, pattern] = figures
    return found


def latencies(*, quick: bool) -> latency.Runs:
    """Of all of them; a p99 is a restless figure, so ours is taken more often."""
    if quick:
        return asyncio.run(latency.measure(present(), 1, 0.15))
    runs = asyncio.run(latency.measure(present(), LATENCY_ROUNDS, 1.0))
    more = asyncio.run(latency.measure([Ours], MORE_ROUNDS, 1.0))
    for kind, told in more.items():
        runs[kind][Ours.label] += told[Ours.label]
    return runs


def run(*, quick: bool = False) -> dict[str, Any]:
    """The whole benchmark as one document."""
    rounds = 1 if quick else ROUNDS
    rivals = present()
    before = calibration()
    spent = costs(quick=quick)
    first = {agents: asyncio.run(cold.measure(rivals, agents, rounds)) for agents in (100, 1_000)}
    joining, churning = asyncio.run(
        registration.measure(rivals, 1_000, rounds, 50 if quick else 2_000)
    )
    idle = asyncio.run(memory.measure(rivals))
    lost = asyncio.run(raising.measure(rivals, *((200, 2.0) if quick else (500,))))
    runs = latencies(quick=quick)
    behind = asyncio.run(backlog.measure(rivals, rounds))
    stopped = asyncio.run(stop.measure(3 if quick else 100, SEED))
    rows = [
        *cost_rows(spent),
        slow_row(runs),
        *stop_rows(stopped["us"]),
        memory_row(idle),
    ]
    more = more_rows(spent, first, runs, lost)
    return {
        "benchmark": "bus",
        "quick": quick,
        "machine": machine(),
        "calibration": {"before": before, "after": calibration()},
        "versions": {rival.label: rival.version() for rival in rivals if rival.distribution},
        "left_out": [rival.label for rival in left_out()],
        "order": [rival.label for rival in (*rivals, *MODES)],
        "lacks": {rival.label: rival.lacks for rival in rivals},
        "cost": cost_document(spent),
        "cold": {str(n): multiples(figures) for n, figures in first.items()},
        "registration": {"joining": multiples(joining), "churning": multiples(churning)},
        "latency": latency_document(runs),
        "raising": lost,
        "stop": stop_document(stopped),
        "backlog": {
            label: {name: spread(turns) for name, turns in told.items()}
            for label, told in behind.items()
        },
        "bytes_per_idle_agent": idle,
        "rows": [row.document() for row in rows],
        "more": [row.document() for row in more],
        "met": all(row.met for row in rows),
    }


def cost_document(found: dict[tuple[str, int, str], Figures]) -> dict[str, Any]:
    """{handlers: {pattern: {agents: {rival: its CPU and multiples}}}}."""
    document: dict[str, Any] = {}
    for (handlers, agents, pattern), figures in found.items():
        document.setdefault(handlers, {}).setdefault(pattern, {})[str(agents)] = multiples(figures)
    return document


def multiples(figures: Figures) -> dict[str, Any]:
    """CPU ns of each rival, and as multiples of the bare call loop in the same round."""
    bare = figures[BareLoop.label]
    return {
        label: {"ns": spread(spent), "times_bare": spread(ratio(spent, bare), 2)}
        for label, spent in figures.items()
    }


def latency_document(runs: latency.Runs) -> dict[str, Any]:
    """{kind of run: {rival: {figure: its spread}}}; without figures that were never taken."""
    return {
        kind: {
            label: {
                name: spread([float(turn[name]) for turn in turns], 3)
                for name in turns[0]
                if all(turn[name] is not None for turn in turns)
            }
            for label, turns in told.items()
        }
        for kind, told in runs.items()
    }


def stop_document(stopped: dict[str, Any]) -> dict[str, Any]:
    """Percentiles of each stretch, us."""
    return {
        "agents": stopped["agents"],
        "runs": stopped["runs"],
        "least_flooded": stopped["least_flooded"],
        "us": {
            name: {
                "p50": round(float(np.quantile(figures, 0.5)), 1),
                "p99": round(float(np.quantile(figures, 0.99)), 1),
                "max": round(max(figures), 1),
            }
            for name, figures in stopped["us"].items()
        },
    }
