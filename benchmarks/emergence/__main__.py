"""``python -m benchmarks.emergence [KIND ...] [--seeds 0-200] [--into FILE] [--evidence]``.

Every scenario is run once a seed; what each run gave is appended to the file as a line of JSON, and
a run that is there already is not repeated. Then the tables are printed from the file, and last
a line of JSON with the totals. ``--evidence`` writes ``docs/evidence/emergence_KIND.json`` from all
runs in the file; without new runs where ``--seeds`` is empty, as 0-0.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.score import run
from benchmarks.emergence.summary import evidence, planted_rows, quiet_rows, totals
from benchmarks.emergence.tables import PLANTED_HEAD, QUIET_HEAD, planted_cells, quiet_cells
from benchmarks.evidence.record import provenance, write
from benchmarks.measure import ROOT, cpu_seconds, report, table

NAIVE_SEEDS = 10
"""Seeds on which the naive rules are shown: they alarm nearly always, so few are enough."""

QUICK = {"novelty": ("noise", "hidden_feed .12"), "collective": ("shrinkage", "diverse .7")}
"""The smoke form: two detectors, one quiet and one planted world each, one seed."""


def rounds(kinds: list[str], seeds: range, quick: bool) -> Iterator[tuple[str, str, int]]:
    """Seed by seed over all scenarios, so that a run cut short is balanced."""
    for seed in seeds:
        for name in kinds:
            kind = KINDS[name]
            for scenario in QUICK[name] if quick else (*kind.nulls, *kind.planted):
                yield name, scenario, seed


def measure(name: str, scenario: str, seed: int, naive: bool) -> dict[str, Any]:
    """One run of a detector, and of its naive rival where that is wanted."""
    kind = KINDS[name]
    maker = kind.planted[scenario][0] if scenario in kind.planted else kind.nulls[scenario]
    world = maker(seed)
    outcomes = []
    spent = cpu_seconds(lambda: outcomes.append(run(world, kind.detector)))
    line = {
        "kind": name,
        "scenario": scenario,
        "seed": seed,
        "ticks": len(world),
        "onset": world.onset,
        "agents": world.agents,
        "findings": outcomes[0].findings,
        "us_a_tick": round(spent / len(world) * 1e6, 1),
    }
    if naive:
        line["naive"] = [at for at, _ in run(world, kind.naive).findings]
    return line


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, print the tables."""
    parser = argparse.ArgumentParser(description="False alarms, power and delay of the detectors.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--seeds", default="0-200", metavar="FROM-TO", help="half-open")
    parser.add_argument("--quick", action="store_true", help="one seed: that it runs, no more")
    parser.add_argument("--into", type=Path, help="file of runs to add to; else a temporary one")
    parser.add_argument("--evidence", action="store_true", help="write docs/evidence from the runs")
    given = parser.parse_args(arguments)
    unknown = [kind for kind in given.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(KINDS)}")
    kinds = given.kinds or list(KINDS)
    seeds = range(*map(int, given.seeds.split("-")))
    if given.quick:
        kinds, seeds = [kind for kind in kinds if kind in QUICK], seeds[:1]
    commit = _commit()
    with tempfile.TemporaryDirectory(prefix="mirrorcore-emergence-") as folder:
        file = given.into or Path(folder) / "runs.jsonl"
        lines = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        there = {(line["kind"], line["scenario"], line["seed"]) for line in lines}
        # One thread for matrices, as in a run.
        with file.open("a") as out, threadpool_limits(limits=1, user_api="blas"):
            for name, scenario, seed in rounds(kinds, seeds, given.quick):
                if (name, scenario, seed) in there:
                    continue
                naive = seed - seeds[0] < NAIVE_SEEDS
                line = {**measure(name, scenario, seed, naive), "commit": commit}
                lines.append(json.loads(json.dumps(line)))
                out.write(json.dumps(line) + "\n")
                out.flush()
    mine = [line for line in lines if line["kind"] in kinds]
    for head, cells, rows in (
        (QUIET_HEAD, quiet_cells, quiet_rows),
        (PLANTED_HEAD, planted_cells, planted_rows),
    ):
        print(table(head, [row for kind in kinds for row in cells(kind, rows(mine, kind))]))
        print()
    if given.evidence:
        for kind in kinds:
            spent = sum(line["us_a_tick"] * line["ticks"] for line in mine if line["kind"] == kind)
            into = ROOT / "docs" / "evidence"
            write(f"emergence_{kind}", evidence(mine, kind), into, spent / 1e6, quick=given.quick)
    report({"benchmark": "emergence", "kinds": totals(mine)})
    return 0


def _commit() -> str:
    """Of the code that runs, for each run's line: a file may hold those of several."""
    origin = provenance()
    return str(origin["commit"])[:10] + (" + changes" if origin["dirty"] else "")


if __name__ == "__main__":
    sys.exit(main())
