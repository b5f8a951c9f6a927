"""Does every benchmark still run? ``python -m benchmarks.smoke``: all of them, briefly.

What is judged are facts that hold on any machine at any load: figures come out and are finite,
fingerprints are equal, books balance, spectators change nothing, cheats are caught. A timing is
never judged here, and nothing is written into the project.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.evidence.__main__ import MISSED, POINTS
from benchmarks.measure import ROOT, last_json
from mirrorcore.clock import Stopwatch

SCRIPTS = (
    "bus", "features", "feed", "interfaces.live", "journal", "orders", "replay", "startup",
)  # fmt: skip
WRAPPED = ("speed", "footprint", "bus_speed")
"""Points of evidence that only wrap scripts, which are run by themselves here."""
PROOFS = tuple(name for name in POINTS if name not in WRAPPED)
"""Points of evidence to try."""
STANDING = (
    "isolation",
    "lookahead",
    "spectators",
    "paper_replay",
    "real_data",
    "attribution",
    "validator",
)
"""Points of evidence that hold however short they are run, unless their data is missing."""

Facts = Iterator[tuple[str, bool]]


def replay_facts(found: dict[str, Any]) -> Facts:
    for market in found["markets"]:
        name = f"{market['market']} of {market['symbols']}"
        yield f"{name}: the same fingerprint each time", market["same_fingerprint"]
        yield f"{name}: residual 0", float(market["accounting_residual"]) == 0


def bus_facts(found: dict[str, Any]) -> Facts:
    rows = {row["name"]: row for row in found["rows"] + found["more"]}
    for name in (
        "deliveries lost by others while one raises",
        "calls that wait for the slow agent",
        "memory of an idle agent",
    ):
        yield name, rows[name]["met"]
    yield "every agent was flooded", found["stop"]["least_flooded"] == found["stop"]["agents"]


def evidence_facts(found: dict[str, Any]) -> Facts:
    for name in PROOFS:
        yield f"{name} was written", name in found
    for name in STANDING:
        yield f"{name} holds", found[name]["passed"] is not False
    years = found["null_world"]["figures"]["cost 0"]["years"]
    yield "null world: residual 0", all(float(y["accounting_residual"]) == 0 for y in years)
    yield "chaos: the others get everything", found["bus_chaos"]["figures"]["met"]["every cell"]
    yield "simulator: prefix-invariant", found["simulator"]["figures"]["prefix_invariant"]


JUDGES: dict[str, Callable[[dict[str, Any]], Facts]] = {
    "bus": bus_facts,
    "replay": replay_facts,
    "evidence": evidence_facts,
}


def script(name: str) -> dict[str, Any]:
    """The JSON of one benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = last_json(done, f"benchmarks.{name}")
    return found


def evidence() -> dict[str, Any]:
    """The points, far too short to prove anything; by name."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-smoke-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.evidence", *PROOFS, "--quick", "--into", folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, MISSED):  # as such short runs may
            raise SystemExit(f"benchmarks.evidence: {done.returncode}\n{done.stderr[-2000:]}")
        return {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(Path(folder).glob("*.json"))
        }


def figures(found: Any) -> Iterator[float]:
    """Every number in a document."""
    if isinstance(found, dict):
        for item in found.values():
            yield from figures(item)
    elif isinstance(found, list):
        for item in found:
            yield from figures(item)
    elif isinstance(found, int | float) and not isinstance(found, bool):
        yield float(found)


def judged(name: str, found: dict[str, Any]) -> list[str]:
    """What does not hold."""
    numbers = list(figures(found))
    facts = [
        ("it gives figures", bool(numbers)),
        ("they are finite", all(map(math.isfinite, numbers))),
    ]
    if name in JUDGES:
        facts += JUDGES[name](found)
    return [fact for fact, holds in facts if not holds]


def main() -> int:
    """Run them all; 1 where a fact does not hold."""
    names = [*SCRIPTS, "evidence"]
    try:
        metadata.version("nautilus_trader")
    except metadata.PackageNotFoundError:
        print("nautilus: left out, NautilusTrader is not installed")
    else:
        names.insert(-1, "nautilus")
    broken = 0
    for name in names:
        watch = Stopwatch()
        wrong = judged(name, evidence() if name == "evidence" else script(name))
        broken += len(wrong)
        print(f"{name}: {'; '.join(wrong) or 'ok'} ({watch.wall_ns() / 1e9:.0f} s)", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
