"""A run that is told to stop does so where nothing is half done, and soon."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
from command_calls import Caller, in_terminal, plain


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
