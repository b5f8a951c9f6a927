"""What a start costs, and how much memory the demo takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import startup
from benchmarks.evidence.record import Finding
from benchmarks.measure import ROOT
from mirrorcore.clock import Stopwatch

DEMO_MB = 300.0
CLAIM = (
    "import ≤ 60 ms CPU; import to SyncBus ready ≤ 250 ms; ≤ 60 MiB at ready; ≤ 5 kB an idle "
    f"agent; help ≤ 200 ms CPU; the demo under {DEMO_MB:.0f} MB"
)
_CODE = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main(sys.argv[1:]))"


def demo(seconds: int) -> dict[str, Any]:
    """`mirrorcore demo` as a process without a terminal: exit code, peak memory, time."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-demo-") as folder:
        told = Path(folder) / "told"
        watch = Stopwatch()
        with told.open("wb") as out:
            arguments = ["demo", "--seconds", str(seconds), "--runs", folder, "--json"]
            child = subprocess.Popen(
                [sys.executable, "-c", _CODE, *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        answered = json.loads(told.read_text(encoding="utf-8")) if child.returncode == 0 else {}
    return {
        "exit_code": child.returncode,
        "peak_rss_mb": round(usage.ru_maxrss / 1024, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "wall_s": round(watch.wall_ns() / 1e9, 1),
        "parts": sorted(answered),
    }


def run(*, quick: bool = False) -> Finding:
    starts = startup.run(quick=quick)
    played = None if quick else demo(20)
    medians, met = starts["median"], starts["met"]
    small = played is None or (played["exit_code"] == 0 and played["peak_rss_mb"] < DEMO_MB)
    shown = [
        f"import {medians['import_ms']:.0f} ms, to bus {medians['import_to_bus_ms']:.0f} ms, to "
        f"first tick {medians['import_to_first_tick_ms']:.0f} ms, help {medians['help_ms']:.0f} ms",
        f"{medians['resident_mib_at_ready']:.0f} MiB at ready, "
        f"{medians['bytes_per_idle_agent']:,} bytes an idle agent",
    ]
    if played is not None:
        shown.append(
            f"demo: peak {played['peak_rss_mb']:.0f} MB, {played['cpu_s']:.0f} CPU s, exit code "
            f"{played['exit_code']}"
        )
    return Finding(
        CLAIM,
        passed=all(met.values()) and small,
        headline=shown,
        figures={"startup": starts, "demo": played},
        seeds=[42],
    )
