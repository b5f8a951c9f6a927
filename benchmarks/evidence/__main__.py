"""``python -m benchmarks.evidence [NAME ...] [--quick] [--into DIR]``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.evidence.record import Finding, summarise, write
from benchmarks.measure import ROOT, all_cpu_seconds

POINTS = (
    # First, in a small process: a child's peak memory counts from its parent's size at the fork.
    "footprint",
    "real_data",
    "real_report",
    "speed",
    "bus_speed",
    "bus_stop",
    "swarm_stop",
    "screens",
    "bus_memory",
    "isolation",
    "bus_offenders",
    "bus_chaos",
    "lookahead",
    "spectators",
    "null_world",
    "skill",
    "net_skill",
    "trust",
    "swap",
    "gate",
    "paper_replay",
    "live_exchange",
    "intake",
    "attribution",
    "simulator",
    "validator",
    "why",
    "headlines",
    "emergence_planted",
    "emergence_watching",
    "emergence_null",
)
"""Each a module here with ``run(quick) -> Finding``."""

MISSED = 5
"""Exit code of a check that failed, as everywhere in this project."""


def main() -> int:
    """Run the points, write their files, renew the table; MISSED if any missed its bar."""
    parser = argparse.ArgumentParser(description="What the swarm must show.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="points to run; all by default")
    parser.add_argument("--quick", action="store_true", help="far too short to prove anything")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "evidence")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in POINTS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(POINTS)}")
    missed = []
    for name in sorted(arguments.names or POINTS, key=POINTS.index):
        before = all_cpu_seconds()
        module = import_module(f"benchmarks.evidence.{name}")
        finding: Finding = module.run(quick=arguments.quick)
        spent = all_cpu_seconds() - before
        write(name, finding, arguments.into, spent, quick=arguments.quick)
        summarise(arguments.into, POINTS)
        outcome = {True: "shown", False: "MISSED", None: finding.skipped}[finding.passed]
        print(f"{name}: {outcome} ({spent:.0f} CPU s)", flush=True)
        for line in finding.headline:
            print(f"  {line}", flush=True)
        if finding.passed is False:
            missed.append(name)
    return MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main())
