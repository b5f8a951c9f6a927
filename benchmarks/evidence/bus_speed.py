"""What the bus costs and withstands beside its rivals: the rows of the design."""

from __future__ import annotations

from typing import Any

from benchmarks.bus.run import SEED
from benchmarks.bus.run import run as benchmark
from benchmarks.evidence.record import Finding

CLAIM = (
    "the rows of the design for the bus, in one run beside the bare call loop, asyncio.Queue, the "
    "guide's sketch, blinker, psygnal and NautilusTrader's bus, medians of at least 5 rounds"
)


def run(*, quick: bool = False) -> Finding:
    found = benchmark(quick=quick)
    shown = [told(row) for row in (*found["rows"], *found["more"])]
    if found["left_out"]:
        shown.append("left out, not installed: " + ", ".join(found["left_out"]))
    return Finding(CLAIM, passed=found["met"], headline=shown, figures=found, seeds=[SEED])


def told(row: dict[str, Any]) -> str:
    """One row in words."""
    unit = f" {row['unit']}".rstrip()
    sign = "≤" if row["at_most"] else "≥"
    outcome = "" if row["met"] else ", MISSED"
    return (
        f"{row['name']}: {row['measured']:,.4g}{unit} ({row['statistic']}; {sign} {row['bar']:,g}, "
        f"aim {row['aim']:,g}{outcome})"
    )
