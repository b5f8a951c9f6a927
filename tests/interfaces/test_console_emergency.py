"""A stop from a second process, with the server up, hung and dead; and what is said of each."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from command_calls import PROGRAM, Caller
from console_world import announce, served

from mirrorcore.config.model import RunConfig
from mirrorcore.interfaces.console import emergency
from mirrorcore.journal import JournalError, JournalReader, RunInfo, RunRegistry, RunStatus
from mirrorcore.swarm.control import stop_signs
from mirrorcore.trading.gateway import HALTED

SETTINGS = (
    "--symbols", "3", "--seed", "7", "--bars", "40000", "--warmup", "1d", "--speed", "30000",
    "--no-report",
)  # fmt: skip

Running = tuple[RunInfo, Path, int]
"""A run, the folder of runs it is in, and its process."""

QUIET = {"MIRRORCORE__WEB__ENABLED": "false"} if "web" in RunConfig.model_fields else {}
"""No server of its own: these tests say what becomes of one that is not there, or hangs."""


def test_the_names_of_the_files_are_those_the_swarm_looks_for() -> None:
    assert emergency.STOP_FILE == stop_signs.STOP_FILE
    assert emergency.ANSWER_FILE == stop_signs.ANSWER_FILE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real run in a process of its own, whose server is not there, or pretends to be."""
    folder = tmp_path_factory.mktemp("stopped")
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", *SETTINGS, "--runs", str(folder / "runs")],
        stdout=log, stderr=log, cwd=folder, env={**os.environ, **QUIET},
    )  # fmt: skip
    try:
        yield until(lambda: _trading(folder / "runs")), folder / "runs", process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        log.close()


def _trading(runs: Path) -> RunInfo | None:
    """The run, once it decides: then it listens as well."""
    for run in RunRegistry(runs).runs() if runs.is_dir() else []:
        # The file is there a little before it is a journal.
        with suppress(JournalError), JournalReader(run.journal) as reader:
            if any(True for _ in reader.entries("decision")):
                return run
    return None


def until(look: Any, seconds: float = 90.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def commands(run: RunInfo) -> list[Any]:
    with JournalReader(run.journal) as reader:
        return [entry.body for entry in reader.entries("command")]


@pytest.fixture
def ctl(call: Caller, running: Running) -> Caller:
    call.runs = running[1]
    return call


def test_a_run_without_a_server_is_stopped_by_file(ctl: Caller, running: Running) -> None:
    run, _, _ = running
    (run.path / "control.json").unlink(missing_ok=True)
    before = len(commands(run))
    done = ctl("ctl", "emergency_stop", "--reason", "by hand", "--json")
    assert done.code == 0, done.err
    document = done.document
    assert document["status"] == "done"
    assert document["result"]["gateway"] == "halted"
    assert document["result"]["ways"] == [f"the file {run.path / 'STOP'}"]
    by = {"name": "operator", "role": "operator", "origin": "console", "address": "file"}
    assert document["result"]["by"] == commands(run)[-1]["by"] == by
    assert len(document["acked"]) == document["target_count"] >= 22
    assert len(commands(run)) == before + 1
    assert "by hand" in json.dumps(commands(run)[-1], default=str)


def test_a_server_that_hangs_is_not_waited_for(ctl: Caller, running: Running) -> None:
    run, runs, _ = running
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        announce(run.path, runs, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        started = time.monotonic()
        done = ctl("ctl", "emergency_stop", "--level", "flatten")
        took = time.monotonic() - started
    assert done.code == 0, done.err
    assert "acknowledged" in done.out
    assert "flatten" in done.out
    assert "does not answer" in done.out
    assert 2.0 <= took < 8.0


def test_a_dead_server_is_gone_around_at_once(ctl: Caller, running: Running) -> None:
    run, runs, _ = running
    announce(run.path, runs, "http://127.0.0.1:9")
    done = ctl("ctl", "emergency_stop", "--json")
    assert done.code == 0
    assert "does not answer" in done.document["result"]["server"]


def test_the_console_stops_without_a_server_too(running: Running) -> None:
    run, runs, _ = running
    (run.path / "control.json").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "console", "--runs", str(runs), "--json"],
        input="status\nemergency_stop flatten\n", capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    refused, stopped = (json.loads(line) for line in done.stdout.splitlines())
    assert "without its server" in refused["error"]["message"]
    assert stopped["status"] == "done"


def test_where_the_file_cannot_be_written_the_signal_does_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, runs, pid = running
    announce(run.path, runs, "http://127.0.0.1:9", pid=pid)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(emergency, "write_atomic", full)
    reached = emergency.stop(run, "cancel", "")
    assert reached.ways == ("SIGUSR1",)
    assert reached.outcome("cancel", "")["status"] == "done"


def test_a_process_that_does_not_listen_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "60"]) as deaf:
        assert not emergency._signal(deaf.pid)
        assert deaf.poll() is None, "the signal would have ended it"
        deaf.kill()


def test_no_acknowledgement_is_said_honestly(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunRegistry(call.runs).create("paper", {}, run_id="stuck")
    stop = emergency.stop
    monkeypatch.setattr(
        emergency, "stop", lambda *args, door: stop(*args, door=door, patience_s=0.2)
    )
    done = call("ctl", "emergency_stop", "--json")
    assert done.code == 1
    assert done.document["error"]["code"] == "ack_timeout"
    assert "has not said that it was carried out" in done.document["error"]["message"]
    assert (folder.path / "STOP").read_text().splitlines()[0] == "cancel"
    folder.release()


def test_where_there_is_no_way_it_is_an_error(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunRegistry(call.runs).create("paper", {}, run_id="locked")

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(emergency, "write_atomic", forbidden)
    done = call("ctl", "emergency_stop")
    assert done.code == 1
    assert "no way to stop run locked" in done.err
    assert "Permission denied" in done.err
    folder.release()


def test_a_run_that_ends_meanwhile_is_said_to_be_over(call: Caller) -> None:
    folder = RunRegistry(call.runs).create("paper", {}, run_id="ending")
    run = RunRegistry(call.runs).find("ending")
    folder.finish(RunStatus.FINISHED)
    outcome = emergency.stop(run, "cancel", "").outcome("cancel", "")
    assert outcome["error"]["code"] == "run_ended"


def test_nothing_to_stop(call: Caller) -> None:
    done = call("ctl", "emergency_stop")
    assert done.code == 1
    assert "no swarm runs" in done.err


def test_with_the_server_up_it_is_asked_and_nothing_else(tmp_path: Path, call: Caller) -> None:
    with served(tmp_path) as swarm:
        call.runs = swarm.runs
        done = call("ctl", "emergency_stop", "--level=flatten", "--reason", "drill", "--json")
        assert done.code == 0, done.err
        assert done.document["result"]["closed_ms"] < 100
        assert len(swarm.asked) == 1, "one question, no catalogue first"
        assert not (swarm.folder / "STOP").exists()
        assert swarm.swarm.run.swarm.parts.path.gateway.state is HALTED
        again = call("ctl", "resume_trading", "--yes")
        assert again.code == 0, again.err
