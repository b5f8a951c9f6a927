"""What if: with and without side by side, and a run shared out, as a user asks for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_calls import PROGRAM, SMALL, Caller

CHEAP = ("--fee", "1", "--slippage", "0")


def test_with_and_without_side_by_side(call: Caller) -> None:
    done = call("backtest", *SMALL, *CHEAP, "--without", "ChainWatcher", "--json")
    assert done.code == 0
    document = done.document
    assert len(call.made()) == 2
    assert document["comparison"]["without"] == ["ChainWatcher"]
    assert "ChainWatcher" in document["whole"]["agents"]
    assert "ChainWatcher" not in document["agents"]
    result = document["comparison"]["result"]
    assert result["with"] == pytest.approx(document["whole"]["final_equity"] - 100_000)
    assert result["without"] == pytest.approx(document["final_equity"] - 100_000)
    assert document["whole"]["inputs"] == document["inputs"]
    assert document["comparison"]["paired"]["reason"].startswith("needs 20 whole UTC days")


def test_several_are_left_out_together_and_beside_those_of_the_file(
    call: Caller, tmp_path: Path
) -> None:
    file = tmp_path / "swarm.toml"
    file.write_text('[agents]\nwithout = ["SentimentEar"]\n')
    options = ("--no-report", "--without", "MomentumScout,ArchCtrl", "--without", "ChainWatcher")
    done = call("backtest", "-c", str(file), *SMALL, *options)
    assert done.code == 0, done.err
    assert "Without MomentumScout, ArchCtrl, ChainWatcher" in done.out
    assert "whole swarm" in done.out
    shown = call("backtest", "-c", str(file), *SMALL, *options, "--json").document
    assert "SentimentEar" not in shown["whole"]["agents"]
    gone = {"SentimentEar", "MomentumScout", "ArchCtrl", "ChainWatcher"}
    assert not gone & set(shown["agents"])
    assert gone - set(shown["whole"]["agents"]) == {"SentimentEar"}


def test_whoever_is_left_out_already_or_not_there_is_named_before_anything_runs(
    call: Caller, tmp_path: Path
) -> None:
    file = tmp_path / "swarm.toml"
    file.write_text('[agents]\nwithout = ["SentimentEar"]\n')
    done = call("backtest", "-c", str(file), *SMALL, "--without", "SentimentEar")
    assert done.code == 2
    assert "SentimentEar is left out by the configuration already" in done.err
    done = call("backtest", *SMALL, "--without", "ChainWatchr")
    assert done.code == 3
    assert 'did you mean "ChainWatcher"' in done.err
    assert call.made() == []


def test_a_run_shared_out(call: Caller) -> None:
    run = call("backtest", *SMALL, *CHEAP, "--no-report", "--json").document
    agents = "ChainWatcher,SentimentEar,TradeAnalyst"
    done = call("attribution", "last", "--agents", agents, "--jobs", "1", "--json")
    assert done.code == 0, done.err
    found = done.document
    assert found["fingerprint"] == run["fingerprint"]
    assert found["whole"] == pytest.approx(run["final_equity"] - run["initial_equity"])
    assert sum(a["shapley"] for a in found["agents"]) == pytest.approx(
        found["whole"] - found["empty"], abs=1e-9 * run["initial_equity"]
    )
    kept = json.loads((Path(run["path"]) / "attribution.json").read_text())
    assert kept["agents"] == found["agents"]
    assert call.made() == [run["run_id"]]  # replays leave nothing behind


def test_shared_out_on_the_screen_and_in_the_report(call: Caller) -> None:
    call("backtest", *SMALL, *CHEAP, "--no-report")
    done = call("attribution", "last", "--agents", "ChainWatcher,SentimentEar", "--jobs", "1")
    assert done.code == 0, done.err
    for words in ("Shapley", "left out alone", "shared out", "whole run", "all 4 coalitions"):
        assert words in done.out


def test_questions_that_cannot_be_answered(call: Caller) -> None:
    assert "there is no run in" in call("attribution", "last").err
    call("backtest", *SMALL, "--no-report")
    unknown = call("attribution", "last", "--agents", "ChainWatcher,Chain")
    assert unknown.code == 2
    assert "there is no agent 'Chain' in this run" in unknown.err
    assert call("attribution", "20990101-000000-ffffffff").code == 2
    identity = next(call.runs.glob("*/run.json"))
    forged = json.loads(identity.read_text())
    forged["fingerprint"] = "0" * 64
    forged["parts"]["orders"] = "0" * 64
    identity.write_text(json.dumps(forged))
    other = call("attribution", "last", "--agents", "ChainWatcher", "--jobs", "1")
    assert other.code == 5
    assert "does not come out as it was recorded (orders differ)" in other.err
    del forged["fingerprint"]
    forged["status"] = "running"
    identity.write_text(json.dumps(forged))
    killed = call("attribution", "last")
    assert killed.code == 2
    assert "is interrupted and has no fingerprint" in killed.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_nothing_is_left(call: Caller, number: signal.Signals) -> None:
    call("backtest", "--bars", "3000", "--symbols", "3", "--no-report")
    working = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "attribution", "last", "--jobs", "2",
         "--runs", str(call.runs)],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    children = Path(f"/proc/{working.pid}/task/{working.pid}/children")
    deadline = time.monotonic() + 60
    while len(children.read_text().split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    started = children.read_text().split()
    assert len(started) == 3  # two that replay, and Python's own of all such pools
    os.killpg(working.pid, number) if number == signal.SIGINT else working.send_signal(number)
    _, said = working.communicate(timeout=60)
    assert working.returncode == 130
    assert "Traceback" not in said
    assert "interrupted" in said
    while any(map(_lives, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_lives, started))
    assert not list(call.runs.glob("*/attribution.json"))


def _lives(pid: str) -> bool:
    """Whether the process works; one that has ended may wait to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
