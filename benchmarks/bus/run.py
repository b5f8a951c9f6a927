"""Every scenario with every rival that is there, and the rows of the design judged from them."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.bus.bars import Row
from benchmarks.bus.rivals import BareLoop, Ours, Queues, Sketch, left_out, present
from benchmarks.bus.rounds import Figures, ratio, spread
from benchmarks.bus.scenarios import cost, memory
from benchmarks.measure import calibration, machine

SIZES = (10, 100, 1_000)
"""Agents on the bus."""

ROUNDS = 7
"""Of each figure of CPU, beside the one that warms up."""

Costs = dict[tuple[str, int, str], Figures]
"""By handlers (``sync`` or ``async``), agents and pattern."""


def costs(*, quick: bool) -> Costs:
    """CPU of a delivery in every pattern at every size; each size in a loop of its own."""
    rounds, deliveries = (2, 2_000) if quick else (ROUNDS, 20_000)
    found: Costs = {}
    for handlers in ("sync", "async"):
        for agents in SIZES:
            waits = handlers == "async"
            patterns = ("burst",) if quick and agents == SIZES[-1] else tuple(cost.PATTERNS)
            measured = asyncio.run(
                cost.measure(present(), agents, rounds, deliveries, waits=waits, patterns=patterns)
            )
            for pattern, figures in measured.items():
                found[handlers, agents, pattern] = figures
    return found


def cost_rows(found: Costs) -> list[Row]:
    """The four rows about CPU."""
    ours, bare = Ours.label, BareLoop.label
    ten, hundred, thousand = (found["sync", agents, "burst"] for agents in SIZES)
    return [
        Row.of(
            "against the bare call loop, 100 agents",
            "x",
            10,
            7,
            ratio(hundred[ours], hundred[bare]),
        ),
        Row.of(
            "cheaper than asyncio.Queue + task, 100 agents",
            "x",
            1.8,
            5,
            ratio(hundred[Queues.label], hundred[ours]),
            at_most=False,
        ),
        Row.of(
            "growth from 10 to 1,000 agents beyond the bare loop's",
            "x",
            1.4,
            1.2,
            ratio(ratio(thousand[ours], thousand[bare]), ratio(ten[ours], ten[bare])),
        ),
        Row.of(
            "cheaper than the guide's sketch, 1,000 agents",
            "x",
            50,
            150,
            ratio(thousand[Sketch.label], thousand[ours]),
            at_most=False,
        ),
    ]


def memory_row(found: dict[str, int]) -> Row:
    return Row.of("memory of an idle agent", "bytes", 5_000, 2_500, [found[Ours.label]])


def run(*, quick: bool = False) -> dict[str, Any]:
    """The whole benchmark as one document."""
    before = calibration()
    spent = costs(quick=quick)
    idle = asyncio.run(memory.measure(present()))
    rows = [*cost_rows(spent), memory_row(idle)]
    return {
        "benchmark": "bus",
        "quick": quick,
        "machine": machine(),
        "calibration": {"before": before, "after": calibration()},
        "versions": {rival.label: rival.version() for rival in present() if rival.distribution},
        "left_out": [rival.label for rival in left_out()],
        "cost": cost_document(spent),
        "bytes_per_idle_agent": idle,
        "rows": [row.document() for row in rows],
        "met": all(row.met for row in rows),
    }


def cost_document(found: Costs) -> dict[str, Any]:
    """{handlers: {pattern: {agents: {rival: its CPU and multiples}}}}."""
    document: dict[str, Any] = {}
    for (handlers, agents, pattern), figures in found.items():
        bare = figures[BareLoop.label]
        document.setdefault(handlers, {}).setdefault(pattern, {})[str(agents)] = {
            label: {"ns": spread(spent), "times_bare": spread(ratio(spent, bare), 2)}
            for label, spent in figures.items()
        }
    return document
