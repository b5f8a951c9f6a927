"""Would a compiled bus pay? mypyc on the same files beside the interpreter, in one run.

``python -m benchmarks.compiled [--quick] [--tests]`` needs mypyc (``pip install 'mypy[mypyc]'``)
and a C compiler; it builds in a folder of its own and leaves the checkout alone. Each build runs
in a process of its own and they take turns, each with a bare call loop beside it: figures are CPU
time of the process, medians over rounds, and multiples of the bare loop of the same turn. Why the
project has no such build: ``docs/syncbus.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import util
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Spread, all_cpu_seconds, machine, report, table
from mirrorcore.clock import Stopwatch

FILES = (
    "source", "edge", "edge_masked", "edge_stream", "edge_eager", "mailbox", "dispatcher",
    "outcomes", "handle",
)  # fmt: skip
"""What is compiled. Not the others: mypyc drops ``frozen`` from a msgspec Struct without a word,
the watchdog exchanges the class of ``window``, and ``task`` is a Future that counts references."""

READERS = 5
SIZES = (10, 100, 1_000)
HANDLERS = ("sync", "async")
PATIENCE_S = 300
"""For one file of tests, which takes seconds."""

_BUILD = """
import sys
from mypyc.build import mypycify
from setuptools import setup

config, *paths = sys.argv[1:]
modules = mypycify(["--config-file", config, *paths], opt_level="3", debug_level="0")
setup(name="bus", packages=[], ext_modules=modules, script_args=["build_ext", "-q", "-b", "built"])
"""


class Counter:
    """Handlers that do next to nothing."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def on_update(self, _update: Any) -> None:
        self.count += 1

    async def on_update_waiting(self, _update: Any) -> None:
        self.count += 1

    def handler(self, handlers: str) -> Callable[[Any], Any]:
        return self.on_update if handlers == "sync" else self.on_update_waiting


Publish = Callable[[float], None]


def bare_loop(counters: Sequence[Counter]) -> Publish:
    """Every source calls its readers, and nothing else."""
    agents = len(counters)
    readers = [
        [counters[(source + step) % agents].on_update for step in range(1, READERS + 1)]
        for source in range(agents)
    ]

    def publish(value: float) -> None:
        for handlers in readers:
            delta = {"level": value, "trend": value}
            for handler in handlers:
                handler(delta)

    return publish


def bus(counters: Sequence[Counter], handlers: str) -> Publish:
    """Every source publishes once, then everything is handled."""
    from mirrorcore.syncbus import SyncBus

    swarm = SyncBus()
    agents = len(counters)
    handles = [
        swarm.register(
            f"agent{number}",
            kind="worker",
            interests=[f"agent{(number - step) % agents}" for step in range(1, READERS + 1)],
            on_update=counter.handler(handlers),
        )
        for number, counter in enumerate(counters)
    ]

    def publish(value: float) -> None:
        for handle in handles:
            handle.publish({"level": value, "trend": value})
        swarm.settle()

    return publish


# -- in the process of one build --------------------------------------------------------------


class Measured:
    """One way to deliver, set up once and timed as often as is asked for."""

    def __init__(self, agents: int, what: str) -> None:
        self.counters = [Counter() for _ in range(agents)]
        self.publish = bare_loop(self.counters) if what == "bare" else bus(self.counters, what)
        self.publish(0.0)
        gc.collect()
        gc.freeze()

    def ns(self, deliveries: int) -> float:
        """CPU ns of one delivery."""
        expected = len(self.counters) * READERS
        rounds = max(1, deliveries // expected)
        before = self.calls
        gc.collect()
        watch = Stopwatch()
        for number in range(rounds):
            self.publish(float(number))
        spent = watch.cpu_ns()
        if self.calls - before != rounds * expected:
            raise SystemExit(f"{self.calls - before} deliveries, not {rounds * expected}")
        return spent / (rounds * expected)

    @property
    def calls(self) -> int:
        return sum(counter.count for counter in self.counters)


async def serve() -> None:
    """Answer each line ``[agents, what, deliveries]`` with a figure."""
    from mirrorcore.syncbus import dispatcher

    print(json.dumps(dispatcher.__file__), flush=True)
    known: dict[tuple[int, str], Measured] = {}
    for line in sys.stdin:
        agents, what, deliveries = json.loads(line)
        if (agents, what) not in known:
            known[agents, what] = Measured(agents, what)
        print(json.dumps(known[agents, what].ns(deliveries)), flush=True)


# -- in the process that compares -------------------------------------------------------------


def compiled(folder: Path) -> dict[str, Any]:
    """Copy the sources to ``folder`` and compile the files there; what it took."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    paths = [f"src/mirrorcore/syncbus/{name}.py" for name in FILES]
    before = all_cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(ROOT / "pyproject.toml"), *paths],
        cwd=folder,
        env={**os.environ, "MYPYPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"mypyc: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    spent = all_cpu_seconds() - before
    shutil.copytree(folder / "built", folder / "src", dirs_exist_ok=True)
    size = sum(path.stat().st_size for path in (folder / "src").rglob("*.so"))
    return {"build_cpu_s": round(spent, 1), "machine_code_kib": size // 1024}


Ask = Callable[[int, str, int], float]


@contextmanager
def process(sources: Path) -> Iterator[Ask]:
    """A process that measures the bus found in ``sources``."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.compiled", "--serve"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(sources)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        questions, answers = running.stdin, running.stdout
        assert questions is not None
        assert answers is not None
        where = json.loads(answers.readline() or '""')
        if not Path(where).is_relative_to(sources):
            raise SystemExit(f"measured would be {where}, not what is in {sources}")

        def ask(agents: int, what: str, deliveries: int) -> float:
            print(json.dumps([agents, what, deliveries]), file=questions, flush=True)
            return float(json.loads(answers.readline()))

        yield ask
        questions.close()


def costs(builds: dict[str, Path], rounds: int, deliveries: int) -> dict[str, Any]:
    """{build: {handlers: {agents: its CPU, and multiples of the bare loop}}}."""
    found: dict[str, Any] = {build: {kind: {} for kind in HANDLERS} for build in builds}
    with ExitStack() as stack:
        asked = {name: stack.enter_context(process(where)) for name, where in builds.items()}
        for agents in SIZES:
            told: dict[tuple[str, str], list[float]] = {}
            for number in range(rounds + 1):
                for build, ask in asked.items():
                    for what in ("bare", *HANDLERS):
                        figure = ask(agents, what, deliveries)
                        if number:  # the first one warms up
                            told.setdefault((build, what), []).append(figure)
            for build in builds:
                bare = told[build, "bare"]
                for kind in HANDLERS:
                    spent = told[build, kind]
                    times = [ns / floor for ns, floor in zip(spent, bare, strict=True)]
                    found[build][kind][str(agents)] = {
                        "ns": Spread.of(spent).rounded(0),
                        "times_bare": Spread.of(times).rounded(2),
                    }
    return found


def failing(sources: Path) -> list[str]:
    """Tests of the bus that do not hold there, and files of tests that do not end."""
    failed: list[str] = []
    for path in sorted((ROOT / "tests" / "syncbus").glob("test_*.py")):
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", str(path)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(sources)},
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            failed.append(f"{path.name} does not end")
        else:
            failed += re.findall(r"^(?:FAILED|ERROR) \S*/(\S+)", done.stdout, re.M)
    return failed


def run(*, quick: bool, tests: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mirrorcore-compiled-") as name:
        folder = Path(name).resolve()
        took = compiled(folder)
        builds = {"interpreted": ROOT / "src", "mypyc": folder / "src"}
        found: dict[str, Any] = {
            "benchmark": "compiled",
            "quick": quick,
            "machine": machine(),
            "files": list(FILES),
            **took,
            "cost": costs(builds, *((2, 2_000) if quick else (9, 20_000))),
        }
        print(shown(found), end="\n\n", flush=True)
        if tests:
            found["failing"] = failing(folder / "src")
    return found


def shown(found: dict[str, Any]) -> str:
    """CPU ns of a delivery, and as a multiple of the bare loop."""
    rows = [
        [f"{build}, {kind}", *(_cell(sizes[str(agents)]) for agents in SIZES)]
        for build, kinds in found["cost"].items()
        for kind, sizes in kinds.items()
    ]
    return table(["", *(f"{agents:,} agents" for agents in SIZES)], rows)


def _cell(cost: dict[str, dict[str, float]]) -> str:
    return f"{cost['ns']['median']:,.0f} ({cost['times_bare']['median']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="too short for figures")
    parser.add_argument("--tests", action="store_true", help="the tests of the bus, compiled")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    if util.find_spec("mypyc") is None or util.find_spec("setuptools") is None:
        raise SystemExit("mypyc is not installed: pip install 'mypy[mypyc]'")
    found = run(quick=arguments.quick, tests=arguments.tests)
    for test in found.get("failing", ()):
        print(f"does not hold compiled: {test}")
    report(found)


if __name__ == "__main__":
    main()
