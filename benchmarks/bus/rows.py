"""Which figures the rows of the design are judged by, and those the research adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bus.bars import Row
from benchmarks.bus.rivals import (
    BareLoop,
    EqualQueues,
    Floor,
    JoinedQueues,
    Nautilus,
    Ours,
    Queues,
    Sketch,
    WholeSketch,
)
from benchmarks.bus.rounds import Figures, ratio
from benchmarks.bus.scenarios.latency import AGENTS as EDGES
from benchmarks.bus.scenarios.latency import Runs

Costs = Mapping[tuple[str, int, str], Figures]
"""By handlers (``sync`` or ``async``), agents and pattern."""


def cost_rows(found: Costs) -> list[Row]:
    """The rows about CPU; of two readings of a rival both, the harsher as well."""
    ours, bare = Ours.label, BareLoop.label
    ten, hundred, thousand = (found["sync", agents, "burst"] for agents in (10, 100, 1_000))
    return [
        Row.of(
            "cost against the bare call loop, 100 agents",
            "x",
            10,
            7,
            ratio(hundred[ours], hundred[bare]),
        ),
        Row.of(
            "cheaper than asyncio.Queue + task, joined, 100 agents",
            "x",
            1.8,
            5,
            ratio(hundred[JoinedQueues.label], hundred[ours]),
            at_most=False,
        ),
        Row.of(
            "cheaper than asyncio.Queue + task that nobody waits for, 100 agents",
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
            "cheaper than the guide's sketch, interests in full, 1,000 agents",
            "x",
            50,
            150,
            ratio(thousand[WholeSketch.label], thousand[ours]),
            at_most=False,
        ),
        Row.of(
            "cheaper than the guide's sketch, names of agents alone, 1,000 agents",
            "x",
            50,
            150,
            ratio(thousand[Sketch.label], thousand[ours]),
            at_most=False,
        ),
    ]


def slow_row(runs: Runs) -> Row:
    with_it = [run["p99_us"] for run in runs["slow"][Ours.label]]
    without = [run["p99_us"] for run in runs["async"][Ours.label]]
    return Row.of(
        "others' p99 with one slow agent / without it", "x", 1.2, 1, ratio(with_it, without)
    )


def stop_rows(us: Mapping[str, list[float]]) -> list[Row]:
    closed = [figure / 1e3 for figure in us["accepted_to_closed"]]
    heard = [figure / 1e3 for figure in us["accepted_to_all"]]
    return [
        Row.of("stop accepted to gateway closed", "ms", 1, 0.1, closed, quantile=0.99),
        Row.of("stop accepted to 1,000 agents acknowledged", "ms", 100, 10, heard, quantile=0.99),
    ]


def memory_row(found: Mapping[str, int]) -> Row:
    return Row.of("memory of an idle agent", "bytes", 5_000, 2_500, [found[Ours.label]])


def more_rows(
    spent: Costs, cold: Mapping[int, Figures], runs: Runs, raising: Mapping[str, Any]
) -> list[Row]:
    """What the research asks for beside the design; the rival's only where it is installed."""
    pending = [float(run["slow_pending"]) for run in runs["slow"][Ours.label]]
    lost = [float(raising[Ours.label]["lost_by_others"])]
    rows = [
        Row.of("calls that wait for the slow agent", "", EDGES, EDGES, pending, quantile=1.0),
        Row.of("deliveries lost by others while one raises", "", 0, 0, lost),
    ]
    hundred = spent["sync", 100, "burst"]
    rows += [
        Row.of(
            "cheaper than asyncio.Queue + task with the same promises, 100 agents",
            "x",
            1.8,
            5,
            ratio(hundred[EqualQueues.label], hundred[Ours.label]),
            at_most=False,
        ),
        Row.of(
            "cost against the least that keeps the promises, 100 agents",
            "x",
            2,
            1.5,
            ratio(hundred[Ours.label], hundred[Floor.label]),
        ),
    ]
    thousand = cold[1_000]
    if Nautilus.label in thousand:
        rows += [
            Row.of(
                "first publish, 1,000 agents, cheaper than NautilusTrader's",
                "x",
                20,
                20,
                ratio(thousand[Nautilus.label], thousand[Ours.label]),
                at_most=False,
            ),
            Row.of(
                "cost against NautilusTrader's bus, warm, 100 agents",
                "x",
                2,
                1,
                ratio(hundred[Ours.label], hundred[Nautilus.label]),
            ),
        ]
    return rows
