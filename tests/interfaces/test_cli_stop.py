"""A run that is told to stop does so where nothing is half done, and soon."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pexpect
import pytest
from command_calls import Caller, in_terminal, plain

from mirrorcore import report
from mirrorcore.report.store import save_results


def results(runs: Path) -> dict[str, object]:
    [file] = runs.glob("*/results.json")
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_history_stops_between_two_blocks(tmp_path: Path) -> None:
    child = in_terminal("backtest", "--bars", "100000", "--runs", str(tmp_path))
    child.expect("replay.*%")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    found = results(tmp_path)
    assert found["identity"]["ticks"] % 4096 == 0  # type: ignore[index]
    assert found["accounting_residual"] in ("0", "0E-8")
    assert not [line for line in found["warnings"] if "unaccounted" in line]  # type: ignore[attr-defined]


def test_half_a_rerun_is_compared_with_nothing(call: Caller) -> None:
    assert call("backtest", "--bars", "40000", "--symbols", "4", "--no-report").code == 0
    child = in_terminal("replay", "last", "--runs", str(call.runs))
    child.expect("replay of.*%")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "NOT the same" not in plain(child.before)


def test_paper_ends_on_time_between_two_bars(call: Caller) -> None:
    # At the pace of the market the next bar is minutes away.
    paper = call(
        "run", "--symbols", "2", "--warmup", "1d", "--speed", "1", "--seconds", "1", "--json"
    )
    assert paper.code == 0
    assert paper.document["status"] == "finished"
    assert paper.document["ticks"] == 0
    assert paper.document["wall_s"] < 30


PAPER = ("run", "--symbols", "2", "--warmup", "1d", "--speed", "30000", "--bars", "330")


def test_ctrl_c_while_a_run_writes_its_results_or_is_reported_loses_neither(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed a second time because nothing seemed to happen."""
    pressed: list[str] = []

    def pressing(where: str, plainly: Any) -> Any:
        def press(*args: Any, **more: Any) -> Any:
            pressed.append(where)
            os.kill(os.getpid(), signal.SIGINT)
            return plainly(*args, **more)

        return press

    monkeypatch.setattr("mirrorcore.swarm.run.save_results", pressing("results", save_results))
    monkeypatch.setattr(report, "evaluate", pressing("report", report.evaluate))
    done = call(*PAPER, "--no-report", "--json")
    assert pressed == ["results", "report"]
    assert done.code == 0, done.err
    assert done.document["status"] == "finished"
    assert results(call.runs)["identity"]["ticks"] == done.document["ticks"]  # type: ignore[index]


def test_twice_while_it_is_reported_leaves(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second one leaves at once")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(report, "evaluate", twice)
    done = call(*PAPER, "--no-report")
    assert done.code == 130
    assert "complete are" in done.err
    assert signal.getsignal(signal.SIGINT) is before


def test_a_folder_that_cannot_be_made_is_named(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for runs in ("/proc/x", str(tmp_path / "file" / "runs")):
        for arguments in (("backtest", "--bars", "600"), PAPER, ("token", "show")):
            done = call(*arguments, "--runs", runs, runs=False)
            assert done.code == 1
            assert f"the folder of the runs {runs} cannot be made" in done.err
            assert "defect" not in done.err
