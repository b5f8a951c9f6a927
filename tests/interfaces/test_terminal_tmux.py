"""The monitor in a real terminal: its own driver, a swarm in another process, 1,000 agents."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_calls import PROGRAM, ROOT

from benchmarks.interfaces.terminal import cpu_seconds, monitor, swarm
from benchmarks.interfaces.tmux import MISSING, TMUX, Terminal
from mirrorcore.clock import SECOND, LiveClock, Stopwatch
from mirrorcore.journal import RunRegistry, RunStatus

pytestmark = pytest.mark.skipif(TMUX is None and "CI" not in os.environ, reason=MISSING)

ENVIRONMENT = {"PYTHONPATH": str(ROOT / "src")}
BUDGET = 12.0
"""Percent of a core at four frames a second. The budget is 8, which the benchmark holds; here the
machine does other work besides, and a few seconds are a coarse measure."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A paper run in a process of its own, as somebody starts it; its folder of runs."""
    folder = tmp_path_factory.mktemp("run") / "runs"
    log = folder.parent / "log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [
                sys.executable, "-c", PROGRAM, "run", "--symbols", "3", "--bars", "100000",
                "--warmup", "1d", "--speed", "600", "--port", "0", "--seconds", "300",
                "--runs", str(folder),
            ],
            stdout=out,
            stderr=out,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        try:
            clock = LiveClock()
            deadline = clock.now() + 60 * SECOND
            while not list(folder.glob("*/control.json")):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert clock.now() < deadline, log.read_text(encoding="utf-8")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            yield folder
        finally:
            process.terminate()
            process.wait(30)


def test_a_swarm_of_another_process_is_watched_commanded_and_stopped(
    runs: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, "monitor", "--runs", str(runs)]
    with Terminal(command, tmp_path, environment=ENVIRONMENT) as screen:
        screen.until(lambda text: "● live" in text and "FearAnalyzer" in text, 60)
        # A filter, then the agent it leaves, paused and resumed by the swarm itself.
        screen.press("/")
        screen.type("chain")
        screen.press("Enter")
        screen.until(lambda text: "1/22 agents" in text)
        screen.press("p")
        screen.until(lambda text: "pause_agent ChainWatcher" in text)
        screen.press("Enter")
        screen.until(
            lambda text: "ChainWatcher" in text and "paused" in _line(text, "ChainWatcher")
        )
        screen.press("p")
        screen.until(lambda text: "resume_agent ChainWatcher" in text)
        screen.press("Enter")
        screen.until(lambda text: "running" in _line(text, "ChainWatcher"))
        # Why it holds what it holds, and who did what.
        screen.press("5")
        screen.until(lambda text: "VOTES" in text and "that it rises" in text)
        screen.press("6")
        screen.until(lambda text: "resume_agent" in text and "operator · terminal" in text)
        # Stop: the same key twice, whatever is on the screen.
        screen.press("F10")
        screen.until(lambda text: "EMERGENCY STOP" in text)
        screen.press("F10")
        screen.until(lambda text: "■ HALTED" in text)
        screen.until(lambda text: "agents acknowledged" in text)
        screen.press("1")
        screen.until(lambda text: "filter chain" in text)
        screen.press("Escape")
        screen.until(lambda text: "filter chain" not in text)
        screen.press("q")
        screen.until(lambda _: screen.ended())
        assert "goes on; 'mirrorcore monitor' shows it again" in screen.said()
    [run] = RunRegistry(runs).runs()
    assert run.status is RunStatus.RUNNING


def _line(text: str, word: str) -> str:
    return next((line for line in text.splitlines() if line.lstrip("▌ ").startswith(word)), "")


def test_a_thousand_agents_within_the_budget(tmp_path: Path) -> None:
    with (
        swarm(1000, 1.0) as port,
        Terminal(monitor(port, 4), tmp_path, environment=ENVIRONMENT) as screen,
    ):
        screen.until(lambda text: "● live" in text and "1,000/1,000 agents" in text, 60)
        # Hostile names came through a real terminal and did nothing to it.
        text = screen.until(lambda text: "evil␛[2J" in text)
        assert "FearAnalyzer" in text
        pid, watch = screen.pid(), Stopwatch()
        before, moments = cpu_seconds(pid), set()
        while watch.wall_ns() < 5 * SECOND:
            moments.add(screen.shown().splitlines()[0])
        used = 100 * (cpu_seconds(pid) - before) / (watch.wall_ns() / SECOND)
        assert used < BUDGET
        assert len(moments) > 5  # it was drawn all the while
        screen.press("G")
        screen.until(lambda text: "Agent-0999" in text)
        screen.press("q")
        screen.until(lambda _: screen.ended())


def test_the_screen_is_given_back_when_the_swarm_cannot_be_reached(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "monitor", "--runs", str(tmp_path / "none")]
    with Terminal(command, tmp_path, environment=ENVIRONMENT) as screen:
        screen.until(lambda _: screen.ended())
        assert "error: no swarm runs in" in screen.said()
        assert "Traceback" not in screen.said()
