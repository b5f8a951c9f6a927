"""The bus keeps nothing it should let go; each kind of work in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.measure import ROOT, last_json

WORK = {"messages": 10_000_000, "buses": 1_000, "agents": 10_000}
QUICK = {"messages": 20_000, "buses": 10, "agents": 500}
MOST_GROWTH = 0.05
CLAIM = (
    f"resident memory grows by at most {MOST_GROWTH:.0%} after the first tenth of "
    f"{WORK['messages']:,} messages through one bus, of {WORK['buses']:,} buses of a hundred "
    f"agents made and closed, and of {WORK['agents']:,} agents registered and removed"
)


def flat(kind: str, work: int) -> dict[str, Any]:
    """One kind of work in an interpreter of its own, and by how much it grew."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bus.flat", kind, str(work)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = last_json(done, f"benchmarks.bus.flat {kind}")
    marks = found["resident_bytes"]
    found["growth"] = round(max(marks) / marks[0] - 1.0, 4)
    return found


def run(*, quick: bool = False) -> Finding:
    found = {kind: flat(kind, work) for kind, work in (QUICK if quick else WORK).items()}
    return Finding(
        CLAIM,
        passed=all(told["growth"] <= MOST_GROWTH for told in found.values()),
        headline=[
            f"{told['work']:,} {kind}: {told['growth']:+.1%}, "
            f"{mib(told['resident_bytes'][0])} to {mib(told['resident_bytes'][-1])} MiB"
            for kind, told in found.items()
        ],
        figures=found,
    )


def mib(size: int) -> str:
    return f"{size / 2**20:.1f}"
