"""What only a terminal shows: the live table, progress, and Ctrl-C at any moment."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
from command_calls import in_terminal, plain


def identity(runs: Path) -> dict[str, object]:
    [file] = runs.glob("*/run.json")
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_ctrl_c_ends_a_backtest_with_its_report(tmp_path: Path) -> None:
    child = in_terminal("backtest", "--bars", "100000", "--runs", str(tmp_path))
    child.expect("replay.*%")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    shown = plain(child.before)
    assert child.exitstatus == 130
    assert "Traceback" not in shown
    assert "interrupted: the report covers what was done until then" in shown
    assert "Books           balance" in shown
    [page] = tmp_path.glob("*/report.html")
    assert page.stat().st_size > 10_000
    assert identity(tmp_path)["status"] == "interrupted"


def test_the_live_table_shows_the_swarm_until_ctrl_c(tmp_path: Path) -> None:
    child = in_terminal(
        "run", "--symbols", "2", "--bars", "100000", "--warmup", "1d", "--speed", "3000",
        "--runs", str(tmp_path),
    )  # fmt: skip
    child.expect("MirrorCore-X paper")
    child.expect("SelfAwarenessAgent")
    child.expect("MirrorCore-X paper")  # drawn again
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    shown = plain(child.before)
    assert child.exitstatus == 130
    assert "Traceback" not in shown
    assert "MirrorCore-X · paper" in shown
    assert "interrupted" in shown
    assert identity(tmp_path)["status"] == "interrupted"


def test_ctrl_c_before_anything_has_begun(tmp_path: Path) -> None:
    child = in_terminal(
        "check", "determinism", "--bars", "100000", "--runs", str(tmp_path / "runs")
    )
    child.expect("check.*%")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "interrupted before a run was complete" in plain(child.before)
    assert not (tmp_path / "runs").exists()


def test_a_bar_shows_progress_and_goes(tmp_path: Path) -> None:
    child = in_terminal("backtest", "--bars", "20000", "--symbols", "2", "--runs", str(tmp_path))
    child.expect("replay.*%")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "Total return" in plain(child.before)
