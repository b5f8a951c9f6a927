"""The monitor at 1,000 agents: ``python -m benchmarks.interfaces.terminal [--quick]``.

A real terminal (tmux, 160×45) shows an invented swarm in which every agent says something new in
every frame. Measured is the processor time of the monitor's process as a share of one core, at 4
and 10 frames a second, and how long a key takes to the screen meanwhile. Beside it,
key by key, stands what a program of four lines needs that does nothing but echo: the way through
tmux and whatever else the machine does. ``nice -n -10`` takes other work out of the figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.interfaces.tmux import MISSING, TMUX, Terminal
from benchmarks.measure import ROOT, calibration, machine, report, table

TARGETS = {"cpu_percent_4hz": 8.0, "cpu_percent_10hz": 20.0, "echo_p95_ms": 50.0}
"""At most: row 8 of the budget."""

_PROGRAM = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main())"
_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"
"""No screen of the monitor has any of them, so each is seen when it is echoed."""
_TICKS = os.sysconf("SC_CLK_TCK")
_BARE = """
import os, tty
tty.setraw(0)
os.write(1, b"ready")
while True:
    os.write(1, os.read(0, 100))
"""


@contextmanager
def swarm(agents: int, churn: float) -> Iterator[int]:
    """An invented swarm on a port of its own."""
    command = [sys.executable, "-m", "benchmarks.interfaces.invented_server"]
    process = subprocess.Popen(
        [*command, "--agents", str(agents), "--churn", str(churn)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def monitor(port: int, rate: int) -> list[str]:
    """The command that watches it."""
    where = ("--url", f"http://127.0.0.1:{port}", "--token", "any")
    return [sys.executable, "-c", _PROGRAM, "monitor", *where, "--rate", str(rate)]


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measure(agents: int, rate: int, seconds: float, keys: int) -> dict[str, float]:
    """One monitor on one swarm."""
    environment = {"PYTHONPATH": str(ROOT / "src")}
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        swarm(agents, 1.0) as port,
        Terminal(monitor(port, rate), Path(one), environment=environment) as screen,
        Terminal([sys.executable, "-c", _BARE], Path(other)) as bare,
    ):
        bare.until(lambda text: "ready" in text)
        screen.until(lambda text: "● live" in text and f"{agents:,}/{agents:,}" in text, 60)
        time.sleep(2.0)
        pid = screen.pid()
        begun, used = time.perf_counter(), cpu_seconds(pid)
        time.sleep(seconds)
        used, passed = cpu_seconds(pid) - used, time.perf_counter() - begun
        screen.press(":")
        screen.until(lambda text: "Tab completes" in text)
        echoes, bares = [], []
        for at in range(keys):
            letter = _LETTERS[at % len(_LETTERS)]
            echoes.append(screen.echo(letter))
            time.sleep(0.02)
            bares.append(bare.echo(letter))
            time.sleep(0.017)  # not in step with the frames
    return {
        "cpu_percent": 100 * used / passed,
        "echo_median_ms": statistics.median(echoes),
        "echo_p95_ms": _p95(echoes),
        "bare_echo_p95_ms": _p95(bares),
    }


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def run(*, quick: bool) -> dict[str, Any]:
    """All figures, by name."""
    agents, seconds, keys = (200, 2.0, 5) if quick else (1000, 20.0, 100)
    slow, fast = measure(agents, 4, seconds, keys), measure(agents, 10, seconds, keys)
    figures = {
        "cpu_percent_4hz": round(slow["cpu_percent"], 2),
        "cpu_percent_10hz": round(fast["cpu_percent"], 2),
        "echo_median_ms": round(slow["echo_median_ms"], 1),
        "echo_p95_ms": round(slow["echo_p95_ms"], 1),
        "echo_p95_ms_10hz": round(fast["echo_p95_ms"], 1),
        "bare_echo_p95_ms": round(slow["bare_echo_p95_ms"], 1),
    }
    return {
        "benchmark": "interfaces.terminal",
        "agents": agents,
        "load_average": os.getloadavg()[0],
        "machine": machine(),
        "calibration": calibration(),
        "figures": figures,
        "targets": TARGETS,
        "met": {name: figures[name] <= bound for name, bound in TARGETS.items()},
    }


def show(found: Mapping[str, Any]) -> None:
    rows = [
        [name, value, TARGETS.get(name, ""), found["met"].get(name, "")]
        for name, value in found["figures"].items()
    ]
    print(table([f"monitor, {found['agents']} agents", "found", "at most", "met"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a smoke run")
    quick = parser.parse_args().quick
    if TMUX is None:
        raise SystemExit(MISSING)
    found = run(quick=quick)
    show(found)
    report(found)


if __name__ == "__main__":
    main()
