"""What the benchmarks share: rounds of CPU time, a calibration of the minute, tables, facts.

CPU time is the process's own, so other work on the machine disturbs it little; but clocks and
caches are shared, and the same script swings by tens of per cent between minutes. So no absolute
figure stands alone: beside it goes what a fixed piece of work cost just then.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorcore.clock import Stopwatch
from mirrorcore.swarm.environment import package_versions, processor_class

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder."""

DATA = ROOT.parent / "shared" / "data"
"""Real market data beside the project; never part of it, and absent in most checkouts."""

_LOOP = 200_000
_ELEMENTS, _ADDITIONS = 4096, 2000


@dataclass(frozen=True, slots=True)
class Spread:
    """Several rounds of one figure."""

    best: float
    median: float
    worst: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float], *, higher_is_better: bool = False) -> Spread:
        best, worst = min(values), max(values)
        if higher_is_better:
            best, worst = worst, best
        return cls(best, statistics.median(values), worst, len(values))

    def rounded(self, digits: int) -> dict[str, float | int]:
        return {
            "best": round(self.best, digits),
            "median": round(self.median, digits),
            "worst": round(self.worst, digits),
            "rounds": self.rounds,
        }


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process that one call takes."""
    watch = Stopwatch()
    work()
    return watch.cpu_ns() / 1e9


def all_cpu_seconds() -> float:
    """CPU time so far of this process and of every process it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def calibration(rounds: int = 3) -> dict[str, float]:
    """How fast this machine is right now: best of a few rounds of two fixed pieces of work.

    ``loop_ns``: one turn of a Python loop that adds to an integer. ``addition_ns``: one element of
    an addition of two arrays that lie in the cache.
    """

    def loop() -> None:
        total = 0
        for number in range(_LOOP):
            total += number

    a, b, out = np.ones(_ELEMENTS), np.ones(_ELEMENTS), np.empty(_ELEMENTS)

    def additions() -> None:
        for _ in range(_ADDITIONS):
            np.add(a, b, out=out)

    return {
        "loop_ns": round(min(cpu_seconds(loop) for _ in range(rounds)) / _LOOP * 1e9, 2),
        "addition_ns": round(
            min(cpu_seconds(additions) for _ in range(rounds)) / (_ADDITIONS * _ELEMENTS) * 1e9, 4
        ),
    }


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "system": platform.system(),
        "processor": processor_class(),
        "cores": os.cpu_count(),
        "versions": package_versions(),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they need to be; the first one left-aligned, the others right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def report(summary: Mapping[str, Any]) -> None:
    """The last line of a benchmark: everything it found, as JSON."""
    print(json.dumps(summary))


@contextmanager
def with_bytecode() -> Iterator[dict[str, str]]:
    """An environment in which every module finds its bytecode, once it has been imported.

    As after an installation, even where bytecode is switched off or the checkout is read-only. It
    lies in a folder of its own, so that nothing is written beside the sources.
    """
    with tempfile.TemporaryDirectory(prefix="mirrorcore-bytecode-") as folder:
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        yield {**kept, "PYTHONPYCACHEPREFIX": folder}


def python_says(code: str, environment: Mapping[str, str], *arguments: str) -> Any:
    """Run ``code`` in a fresh interpreter and parse the JSON it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return last_json(done, "a measuring interpreter")


def last_json(done: subprocess.CompletedProcess[str], what: str) -> Any:
    """The JSON object a process printed as its last line; SystemExit says why there is none."""
    if done.returncode != 0:
        raise SystemExit(f"{what} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
