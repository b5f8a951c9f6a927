"""What the monitor finds where there is nothing to find: a year of the null market, seed by seed.

The standard swarm and three voters of a user's own without any skill, all seven types watched, on
every symbol. A year takes minutes, so what each gave is kept as a line beside the evidence and is
not made again: ``python -m benchmarks.evidence emergence_null`` goes on where it ended, and
``MIRRORCORE_SEEDS`` says how many there are to be.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence.record import Finding, provenance
from benchmarks.evidence.setting import configured
from benchmarks.measure import ROOT
from benchmarks.replay import YEAR_BARS
from mirrorcore.clock import Stopwatch
from mirrorcore.config.quantities import EMERGENCE_TYPES
from mirrorcore.swarm.emergence.written import read_findings
from mirrorcore.swarm.replay import replay_history

SEEDS = 30
SYMBOLS = 2
ROWS = ROOT / "docs" / "evidence" / "emergence_null.jsonl"
FILE = Path(__file__).with_name("outsiders.py").as_posix()
OUTSIDERS = tuple(
    {"id": name, "file": FILE, "class": name} for name in ("Dreamer", "Follower", "Doubter")
)
PROVEN = ("novelty", "collective")
CLAIM = (
    f"null preset, {SEEDS} seeds of one year, all seven types on every symbol: findings of novelty "
    "and collective within the budget of 0.05 in 10,000 ticks; every other finding listed"
)


def run(*, quick: bool = False) -> Finding:
    """The seeds that are missing, then all of them; told as what it is where some still are."""
    if quick:
        return told([year(seed, 3_000) for seed in range(2)], range(2))
    wanted = range(int(os.environ.get("MIRRORCORE_SEEDS", SEEDS)))
    rows = _rows()
    for seed in wanted:
        if seed not in rows:
            rows[seed] = year(seed, YEAR_BARS)
            with ROWS.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[seed], sort_keys=True) + "\n")
    return told([rows[seed] for seed in sorted(rows)], sorted(rows))


def _rows() -> dict[int, dict[str, Any]]:
    if not ROWS.is_file():
        return {}
    lines = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    return {line["seed"]: line for line in lines}


def year(seed: int, bars: int) -> dict[str, Any]:
    """One run, and all that was found in it."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-null-") as runs:
        config = configured(
            runs,
            [
                ("seed", seed),
                ("market.preset", "null"),
                ("market.symbols", SYMBOLS),
                ("market.bars", bars),
                ("emergence.history", True),
                ("emergence.detectors", list(EMERGENCE_TYPES)),
            ],
            OUTSIDERS,
        )
        watch = Stopwatch()
        outcome = replay_history(config)
        spent = watch.cpu_ns() / 1e9
        written = read_findings(outcome.path / "journal.sqlite")
    if written.ticks < bars:
        raise KeyboardInterrupt  # a signal ends the run it meets; no other is begun
    return {
        "seed": seed,
        "ticks": written.ticks,
        "commit": provenance()["commit"],
        "cpu_s": round(spent, 1),
        "types": {
            kind: {
                "ticks": one.ticks,
                "findings": one.findings,
                "explained": one.explained,
                "idle": one.idle,
                "budget": one.budget,
            }
            for kind, one in written.watched.items()
        },
        "findings": [
            {
                "type": one.type,
                "symbol": one.symbol,
                "tick": one.tick,
                "agents": list(one.agents),
                "e": one.e,
                "effect": f"{one.effect.name} {one.effect.value:.3g} {one.effect.direction}",
                "explained": one.explained,
            }
            for one in written.findings
        ],
    }


def _by_agents(years: Sequence[Mapping[str, Any]], kind: str) -> dict[str, int]:
    """How many findings were about whom, the most first."""
    counts = Counter(
        ", ".join(one["agents"]) or "the swarm"
        for year in years
        for one in year["findings"]
        if one["type"] == kind and not one["explained"]
    )
    return dict(counts.most_common())


def told(years: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Finding:
    """Findings of each type beside the number luck makes."""
    figures: dict[str, Any] = {
        "symbols": SYMBOLS,
        # What was found in each stands beside, a line a year.
        "years": [{k: v for k, v in one.items() if k != "findings"} for one in years],
        "runs_at_commit": dict(Counter(one["commit"] for one in years)),
    }
    headline = [f"{len(years)} seeds, {sum(y['cpu_s'] for y in years) / len(years):.0f} CPU s each"]
    kept = []
    for kind in EMERGENCE_TYPES:
        mine = [one["types"][kind] for one in years]
        luck = sum(one["budget"] for one in mine)
        found = sum(one["findings"] for one in mine)
        explained = sum(one["explained"] for one in mine)
        figures[kind] = {
            "findings": found,
            "explained": explained,
            "budget": luck,
            "by_agents": _by_agents(years, kind),
        }
        headline.append(f"{kind}: {found} found, luck makes {luck:.2f}; {explained} explained")
        if kind in PROVEN:
            kept.append(found <= luck and not any(one["idle"] for one in mine))
    return Finding(
        CLAIM,
        passed=all(kept) and len(years) >= SEEDS,
        headline=headline,
        figures=figures,
        seeds=list(seeds),
    )
