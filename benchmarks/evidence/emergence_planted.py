"""What is planted in a running swarm is found: who, when, and not without it."""

from __future__ import annotations

import os
import statistics
from typing import Any

from benchmarks.evidence.planted import PLANTS, Plant, findings_of
from benchmarks.evidence.record import Finding

SEEDS = 20
LEAST = 0.95
OTHER_ROWS = 97
ASKED = ("coordination", "drift", "novelty", "collective")
"""Types whose plants are asked for; of the others it is told what came out."""
CLAIM = (
    f"in a run, {SEEDS} seeds each: two agents with one private feed, one changed half-way, one "
    "outsider with skill, and agents that know different things are found after their onset and "
    f"named in at least {LEAST:.0%} of the runs, nobody else is; the same findings however ticks "
    "are cut into blocks"
)


def run(*, quick: bool = False) -> Finding:
    seeds = range(1 if quick else int(os.environ.get("MIRRORCORE_SEEDS", SEEDS)))
    figures = {name: _tried(plant, seeds) for name, plant in PLANTS.items()}
    asked = [one for name, one in figures.items() if PLANTS[name].type in ASKED]
    return Finding(
        CLAIM,
        passed=all(one["found"] >= LEAST * one["seeds"] and not one["wrong"] for one in asked)
        and all(one["same_in_other_blocks"] for one in figures.values()),
        headline=[
            f"{name} ({one['type']}): found in {one['found']} of {one['seeds']}, median delay "
            f"{one['median_delay']}, {one['wrong']} wrong; without it {one['without']} findings"
            for name, one in figures.items()
        ],
        figures=figures,
        seeds=list(seeds),
    )


def _tried(plant: Plant, seeds: range) -> dict[str, Any]:
    """Each seed with it and without, the first once more in other blocks."""
    runs, quiet = [], []
    for seed in seeds:
        runs.append(findings_of(plant, seed))
        quiet += findings_of(plant, seed, planted=False)
    right = [[one for one in found if _is_right(plant, one)] for found in runs]
    delays = [found[0].tick - plant.onset for found in right if found]
    return {
        "type": plant.type,
        "seeds": len(seeds),
        "found": len(delays),
        "median_delay": statistics.median(delays) if delays else None,
        "delays": delays,
        "wrong": sum(map(len, runs)) - sum(map(len, right)),
        "without": len(quiet),
        "same_in_other_blocks": findings_of(plant, seeds[0], rows=OTHER_ROWS) == runs[0],
        "summaries": [found[0].summary for found in right if found][:1],
    }


def _is_right(plant: Plant, one: Any) -> bool:
    """About those it was planted in and nobody else, after it began."""
    return one.tick > plant.onset and set(one.agents) <= set(plant.named)
