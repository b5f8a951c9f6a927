"""What the runs of a kind say, as numbers: false alarms of each quiet world, power of each planted.

A row has plain values only, so that it is the same in memory and in ``docs/evidence``.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.score import wilson
from benchmarks.evidence.record import Finding

Line = Mapping[str, Any]
Row = dict[str, Any]

POOLED = "all of them"
SEEDS_ASKED = 200
MOST = 0.05
LEAST_POWER = 0.95
OWN_LEAST: Mapping[tuple[str, str], float] = {
    ("drift", "frequency .7"): 0.90,
    ("drift", "again frequency .7"): 0.90,
}
"""Where the research names another power than ``LEAST_POWER``."""


def quiet_rows(lines: Sequence[Line], kind: str) -> list[Row]:
    """One a quiet world that was run, and last all of them together."""
    by_world = {name: _of(lines, kind, name) for name in KINDS[kind].nulls}
    rows = [_quiet(name, runs) for name, runs in by_world.items() if runs]
    pooled = [line for runs in by_world.values() for line in runs]
    return [*rows, _quiet(POOLED, pooled)] if pooled else []


def planted_rows(lines: Sequence[Line], kind: str) -> list[Row]:
    """One a planted world that was run."""
    return [
        _planted(kind, name, allowed, runs)
        for name, (_, allowed) in KINDS[kind].planted.items()
        if (runs := _of(lines, kind, name))
    ]


def evidence(lines: Sequence[Line], kind: str) -> Finding:
    """All runs of a kind beside what is asked for."""
    mine = [line for line in lines if line["kind"] == kind]
    quiet, planted = quiet_rows(mine, kind), planted_rows(mine, kind)
    seeds = sorted({int(line["seed"]) for line in mine})
    fewest = min(row["runs"] for row in (*quiet, *planted))
    loud = [row["world"] for row in quiet if not row["kept"]]
    weak = [row["world"] for row in planted if not row["reached"]]
    return Finding(
        claim=(
            f"{kind}: no quiet world whose Wilson lower bound of any alarm in 10,000 ticks lies "
            f"above {MOST:.0%} at {SEEDS_ASKED} seeds, at most {MOST:.0%} over all of them; of "
            f"every planted effect at least {LEAST_POWER:.0%} found in time"
            + "".join(
                f" ({name}: {least:.0%})" for (k, name), least in OWN_LEAST.items() if k == kind
            )
        ),
        passed=not loud and not weak and fewest >= SEEDS_ASKED,
        headline=[
            f"{fewest} seeds and more a world",
            f"quiet: {quiet[-1]['alarms']} of {quiet[-1]['runs']:,} runs alarmed; "
            f"above the bar: {', '.join(loud) or 'none'}",
            "; ".join(
                f"{row['world']}: {row['power']:.3f} within {row['within']}" for row in planted
            ),
        ],
        figures={
            "quiet": quiet,
            "planted": planted,
            "runs_at_commit": dict(Counter(line["commit"] for line in mine)),
        },
        seeds=seeds,
    )


def totals(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """By kind: quiet runs and those with an alarm, planted runs and those found in time."""
    found = {}
    for kind in sorted({line["kind"] for line in lines}):
        pooled = quiet_rows(lines, kind)[-1:]
        planted = planted_rows(lines, kind)
        found[kind] = {
            "quiet": sum(row["runs"] for row in pooled),
            "alarmed": sum(row["alarms"] for row in pooled),
            "planted": sum(row["runs"] for row in planted),
            "in_time": sum(row["found"] for row in planted),
        }
    return found


def _of(lines: Sequence[Line], kind: str, scenario: str) -> list[Line]:
    return [line for line in lines if (line["kind"], line["scenario"]) == (kind, scenario)]


def _interval(hits: int, trials: int) -> list[float]:
    return [round(bound, 4) for bound in wilson(hits, trials)]


def _quiet(world: str, runs: Sequence[Line]) -> Row:
    alarms = sum(bool(line["findings"]) for line in runs)
    findings = sum(len(line["findings"]) for line in runs)
    ticks = sum(line["ticks"] for line in runs)
    asked = [line for line in runs if "naive" in line]
    interval = _interval(alarms, len(runs))
    share = alarms / len(runs)
    return {
        "world": world,
        "alarms": alarms,
        "runs": len(runs),
        "share": round(share, 4),
        "interval": interval,
        "kept": (share if world == POOLED else interval[0]) <= MOST,
        "findings_in_10k": round(findings / ticks * 10_000, 4),
        "naive": [sum(bool(line["naive"]) for line in asked), len(asked)],
        "us_a_tick": round(statistics.median(line["us_a_tick"] for line in runs)),
    }


def _planted(kind: str, world: str, allowed: int, runs: Sequence[Line]) -> Row:
    delays, recalls, precisions, early = [], [], [], 0
    for line in runs:
        after = [found for found in line["findings"] if found[0] >= line["onset"]]
        early += len(after) < len(line["findings"])
        if after:
            delays.append(after[0][0] - line["onset"])
        named = {agent for _, agents in after for agent in agents}
        truth = set(line["agents"])
        if truth:
            recalls.append(len(named & truth) / len(truth))
            if named:
                precisions.append(len(named & truth) / len(named))
    hits = sum(delay <= allowed for delay in delays)
    asked = [line for line in runs if "naive" in line]
    too_soon = sum(any(at < line["onset"] for at in line["naive"]) for line in asked)
    power = hits / len(runs)
    return {
        "world": world,
        "within": allowed,
        "found": hits,
        "runs": len(runs),
        "power": round(power, 4),
        "interval": _interval(hits, len(runs)),
        "reached": power >= OWN_LEAST.get((kind, world), LEAST_POWER),
        "median_delay": round(statistics.median(delays)) if delays else None,
        "recall": round(statistics.mean(recalls), 3) if recalls else None,
        "precision": round(statistics.mean(precisions), 3) if precisions else None,
        "early": early,
        "naive_early": [too_soon, len(asked)] if any(line["onset"] for line in asked) else None,
    }
