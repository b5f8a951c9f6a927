"""``python -m benchmarks.emergence.cost [--quick] [--evidence]``: what the detectors cost a tick.

All seven are fed worlds of 100 and of 1,000 agents. CPU time is counted once each has learned
enough to bet; a detector that works in blocks is averaged over them. Beside it stands how large
what it remembers is, pickled, when half and when all of the ticks have been fed: it may not grow
with the run. ``--evidence`` writes ``docs/evidence/emergence_detectors.json``.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.worlds import (
    collective,
    coordination,
    drift,
    novelty,
    regime,
    risk_estimated,
    specialisation,
)
from benchmarks.emergence.worlds.world import World
from benchmarks.evidence.record import Finding, write
from benchmarks.measure import ROOT, calibration, cpu_seconds, report, table

BARS: Mapping[int, int] = {100: 500, 1000: 10_000}
"""By the number of agents: microseconds of CPU a tick that all detectors together may take."""

AIM = 200
LEARNING = 4096
"""Ticks by which all windows are full, that of coordination being the longest with 3,072."""

COUNTED = 1536
ROUNDS = 3
GROWTH = 0.02
MAKERS: Mapping[str, Callable[..., World]] = {
    "coordination": coordination.make,
    "specialisation": specialisation.make,
    "novelty": novelty.make,
    "drift": drift.make,
    "collective": collective.make,
    "risk": risk_estimated.make,
    "regime": regime.make,
}
HEAD = ("detector", "agents", "µs/tick", "state at half, MB", "state at the end, MB")


def measure(kind: str, agents: int, learning: int, counted: int) -> dict[str, Any]:
    """Of one detector: microseconds a tick once it has learned, best of rounds, and its size."""
    world = MAKERS[kind](1, agents=agents, ticks=learning + counted)
    ticks = list(world.ticks())
    detector = KINDS[kind].detector(world.static)
    for tick in ticks[:learning]:
        detector.update(tick)
    half = len(pickle.dumps(detector))
    size = counted // ROUNDS
    rounds = []
    for start in range(learning, learning + size * ROUNDS, size):
        spent = cpu_seconds(partial(_feed, detector, ticks[start : start + size]))
        rounds.append(spent / size * 1e6)
    return {
        "detector": kind,
        "agents": agents,
        "us_a_tick": round(min(rounds), 1),
        "us_a_tick_worst": round(max(rounds), 1),
        "bytes_half": half,
        "bytes_end": len(pickle.dumps(detector)),
    }


def _feed(detector: Any, ticks: list[dict[str, Any]]) -> None:
    for tick in ticks:
        detector.update(tick)


def cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of :func:`measure` and their sums, for the terminal and the documentation."""
    out = [
        [
            row["detector"],
            f"{row['agents']:,}",
            f"{row['us_a_tick']:,.0f}",
            f"{row['bytes_half'] / 1e6:.2f}",
            f"{row['bytes_end'] / 1e6:.2f}",
        ]
        for row in rows
    ]
    for agents, bar in BARS.items():
        total = _total(rows, agents)
        if total:
            met = "at most" if total <= bar else "**missed**:"
            out.append([f"all, {met} {bar:,}", f"{agents:,}", f"{total:,.0f}", "", ""])
    return out


def _total(rows: list[dict[str, Any]], agents: int) -> float:
    return sum(float(row["us_a_tick"]) for row in rows if row["agents"] == agents)


def evidence(rows: list[dict[str, Any]]) -> Finding:
    """The rows beside what is asked for."""
    totals = {agents: round(_total(rows, agents)) for agents in BARS}
    grown = [
        f"{row['detector']} at {row['agents']}"
        for row in rows
        if row["bytes_end"] > row["bytes_half"] * (1.0 + GROWTH)
    ]
    return Finding(
        claim=(
            "all seven detectors of emergence together: at most 500 us of CPU a tick at 100 agents "
            f"(aim {AIM}), 10 ms at 1,000; what they remember does not grow with the run"
        ),
        passed=not grown and all(totals[agents] <= bar for agents, bar in BARS.items()),
        headline=[
            "; ".join(
                f"{agents:,} agents: {total:,} us a tick" for agents, total in totals.items()
            ),
            f"grown by more than {GROWTH:.0%}: {', '.join(grown) or 'none'}",
        ],
        figures={"rows": rows, "totals": totals, "calibration": calibration()},
        seeds=[1],
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write the evidence where that is asked for."""
    parser = argparse.ArgumentParser(description="What the detectors of emergence cost a tick.")
    parser.add_argument("--quick", action="store_true", help="few ticks of 100 agents only")
    parser.add_argument("--evidence", action="store_true", help="write docs/evidence")
    given = parser.parse_args(arguments)
    learning, counted = (64, 96) if given.quick else (LEARNING, COUNTED)
    with threadpool_limits(limits=1, user_api="blas"):  # as in a run
        rows = [
            measure(kind, agents, learning, counted)
            for agents in (list(BARS)[:1] if given.quick else BARS)
            for kind in MAKERS
        ]
    print(table(HEAD, cells(rows)))
    if given.evidence:
        spent = sum(row["us_a_tick"] * counted for row in rows) / 1e6
        into = ROOT / "docs" / "evidence"
        write("emergence_detectors", evidence(rows), into, spent, quick=given.quick)
    report({"benchmark": "emergence cost", "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
