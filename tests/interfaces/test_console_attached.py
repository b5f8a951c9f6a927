"""``ctl`` and ``console`` on a run as a user starts it: its own process, its own server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_calls import PROGRAM, Caller

from mirrorcore.journal import JournalReader, RunInfo, RunRegistry


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunInfo]:
    """A paper run with its dashboard up; its folder of runs is the parent of its own."""
    folder = tmp_path_factory.mktemp("attached")
    arguments = (
        "run", "--symbols", "3", "--seed", "7", "--bars", "40000", "--warmup", "1d", "--speed",
        "30000", "--no-report", "--port", "0", "--runs", str(folder / "runs"),
    )  # fmt: skip
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], stdout=log, stderr=log, cwd=folder
        ) as process,
    ):
        try:
            yield served(folder / "runs", process, folder / "log")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def served(runs: Path, process: subprocess.Popen[bytes], log: Path) -> RunInfo:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        for found in RunRegistry(runs).runs() if runs.is_dir() else []:
            if (found.path / "control.json").exists():
                return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture
def ctl(call: Caller, run: RunInfo) -> Caller:
    call.runs = run.path.parent
    return call


def journalled(run: RunInfo, kind: str) -> list[Any]:
    with JournalReader(run.journal) as reader:
        return [entry.body for entry in reader.entries(kind)]  # type: ignore[arg-type]


def test_the_swarm_is_found_and_says_how_it_is(ctl: Caller, run: RunInfo) -> None:
    done = ctl("ctl", "status", "--json", "--role", "viewer")
    assert done.code == 0, done.err
    assert done.document["result"]["run"] == run.id
    assert done.document["result"]["agents"]["running"] > 20


def test_a_command_takes_effect_and_stands_in_the_journal(ctl: Caller, run: RunInfo) -> None:
    assert ctl("ctl", "pause_agent", "MomentumScout", "--reason", "a drill").code == 0
    (row,) = ctl("ctl", "agents", "MomentumScout", "--json").document["result"]["agents"]
    assert row["status"] == "paused"
    assert "a drill" in json.dumps(journalled(run, "command")[-1], default=str)
    written = json.dumps(journalled(run, "audit")[-1], default=str)
    assert "pause_agent" in written
    assert "console" in written
    assert ctl("ctl", "resume_agent", "MomentumScout").code == 0


def test_the_server_s_own_refusals_have_exit_codes(ctl: Caller) -> None:
    refused = ctl("ctl", "isolate_agent", "DataSentry", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (6, "confirm_required")
    assert ctl("ctl", "restart_agent", "DataSentry", "--yes").code == 0
    stranger = ctl("ctl", "status", "--token", "wrong" * 10)
    assert stranger.code == 6
    assert "mirrorcore token show" in stranger.err
    assert ctl("ctl", "adjust_risk", "gross", "99999").code == 6
    assert ctl("ctl", "inspect", "Nobody").code == 2


def test_a_script_in_the_console(run: RunInfo) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "console", "--runs", str(run.path.parent), "--json"],
        input="positions\npause_entries\nrisk\nresume_entries\nwhy last\n", capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["name"] for one in told] == [
        "positions", "pause_entries", "risk", "resume_entries", "why",
    ]  # fmt: skip
    assert told[2]["result"]["blocked"]


def test_stop_and_go_on(ctl: Caller, run: RunInfo) -> None:
    stopped = ctl("ctl", "emergency_stop", "flatten", "--reason", "a drill", "--json")
    assert stopped.code == 0, stopped.err
    assert stopped.document["result"]["gateway"] == "halted"
    assert stopped.document["result"]["closed_ms"] < 50
    assert not (run.path / "STOP").exists()
    assert ctl("ctl", "status", "--json").document["result"]["gateway"] == "halted"
    assert ctl("ctl", "resume_trading").code == 6
    assert ctl("ctl", "resume_trading", "--yes", "--reason", "over").code == 0
    assert ctl("ctl", "status", "--json").document["result"]["gateway"] == "active"
