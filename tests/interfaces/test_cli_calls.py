"""How calls are read and refused: help, mistakes, exit codes, one document on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_calls import PROGRAM, Caller

from mirrorcore import __version__

COMMANDS = (
    "demo", "backtest", "run", "replay", "report", "runs list", "runs show", "check determinism",
    "check lookahead", "check accounting", "agents list", "agents show", "config show",
    "config check", "data sources", "data fetch", "data import", "data check", "data record",
    "doctor",
)  # fmt: skip
HEAVY = ("numpy", "pydantic", "polars", "plotly", "rich", "asyncio", "msgspec", "sqlite3")


def test_help_lists_every_command(call: Caller) -> None:
    shown = call("--help", runs=False)
    assert shown.code == 0
    listed = shown.out.split("Commands:")[1]
    for name in {command.split()[0] for command in COMMANDS}:
        assert f"\n  {name} " in listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(call: Caller, command: str) -> None:
    shown = call(*command.split(), "--help", runs=False)
    assert shown.code == 0
    assert f"Usage: mirrorcore {command}" in shown.out
    assert "--json" in shown.out
    assert "--debug" in shown.out


def test_help_loads_nothing_heavy_and_is_quick() -> None:
    code = (
        "import sys, json, time; from mirrorcore.interfaces.cli import main\n"
        "code = main(['--help'])\n"
        "json.dump([code, time.process_time(), sorted(sys.modules)], sys.stderr)"
    )
    spent = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        exit_code, cpu_s, modules = json.loads(done.stderr)
        assert exit_code == 0
        assert not set(HEAVY) & set(modules)
        spent.append(cpu_s)
    assert min(spent) <= 0.2


def test_version(call: Caller) -> None:
    assert call("--version", runs=False).out == f"mirrorcore-x {__version__}\n"


def test_without_a_command_help_is_the_answer(call: Caller) -> None:
    shown = call(runs=False)
    assert shown.code == 2
    assert "Commands:" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backtst"], "No such command 'backtst'. Did you mean 'backtest'?"),
        (["runs", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["backtest", "--sede", "3"], "--seed"),
        (["backtest", "--bars", "many"], "'--bars'"),
        (["replay"], "Missing argument 'RUN'"),
        (["run", "--mode", "fast"], "--mode was 'fast', must be paper or live"),
        (["backtest", "--symbols", "x"], "--symbols was 'x', not a symbol such as BTC/USDT"),
        (["agents", "show", "ChainWacher"], "did you mean ChainWatcher?"),
    ],
)
def test_a_call_that_cannot_be_read(call: Caller, arguments: list[str], said: str) -> None:
    refused = call(*arguments, runs=False)
    assert refused.code == 2
    assert said in refused.err
    assert refused.out == ""
    document = call(*arguments, "--json", runs=False).document
    assert document["exit_code"] == 2
    assert said in document["error"]["message"] + document["error"].get("hint", "")


def test_every_mistake_of_a_configuration_at_once(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[market]\npreset = "defalt"\n[costs]\nfe_bps = 3\n', encoding="utf-8")
    options = ["--bars", "-4", "--without", "EgoProcesor"]
    refused = call("backtest", "-c", str(file), *options)
    assert refused.code == 3
    for said in (
        f"{file}:2: market.preset",
        f"{file}:4: costs.fe_bps",
        "did you mean fee_bps",
        "market.bars = -4",
        'did you mean "EgoProcessor"',
    ):
        assert said in refused.err
    assert "Traceback" not in refused.err
    mistakes = call("backtest", "-c", str(file), *options, "--json").document["error"]["mistakes"]
    assert {mistake["key"] for mistake in mistakes} >= {"market.preset", "market.bars"}
    assert [mistake["line"] for mistake in mistakes if mistake["origin"] == "file"] == [2, 4]
    assert call.made() == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["backtest", "--data", "nowhere"], 4, "nowhere"),
        (["backtest", "-c", "nowhere.toml"], 3, "there is no such file"),
        (["run", "--mode", "live"], 6, "live trading is not there yet"),
        (["replay", "last"], 2, "there is no run in"),
        (["report", "x"], 2, "there is no run in"),
    ],
)
def test_refusals_have_their_exit_codes(
    call: Caller, arguments: list[str], code: int, said: str
) -> None:
    refused = call(*arguments)
    assert refused.code == code
    assert said in refused.err
    assert "→" in refused.err  # and what to do about it
    assert call(*arguments, "--json").document["exit_code"] == code
    assert call.made() == []


def test_an_unknown_run_is_told_with_the_nearest(call: Caller) -> None:
    name = call("backtest", "--bars", "50", "--symbols", "1", "--json").document["run_id"]
    refused = call("report", name[:-2] + "zz")
    assert refused.code == 2
    assert f"did you mean {name}?" in refused.err


def test_a_folder_that_cannot_be_made_is_no_defect(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file stands where the folder should be", encoding="utf-8")
    refused = call("backtest", "--bars", "50", "--symbols", "1")
    assert refused.code == 1
    assert str(tmp_path / "runs") in refused.err
    assert "defect" not in refused.err


def test_a_defect_is_one_line_and_a_file(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from mirrorcore.journal import RunRegistry

    def broken(self: RunRegistry) -> list[object]:
        raise RuntimeError("nobody thought of this")

    call("backtest", "--bars", "50", "--symbols", "1")
    monkeypatch.setattr(RunRegistry, "runs", broken)
    told = call("runs", "list")
    assert told.code == 1
    assert "this is a defect of ours: RuntimeError: nobody thought of this" in told.err
    assert "Traceback" not in told.err
    [file] = [name for name in call.made() if name.startswith("defect-")]
    assert "nobody thought of this" in (call.runs / file).read_text(encoding="utf-8")
    assert str(call.runs / file) in told.err
    shown = call("runs", "list", "--debug")
    assert "Traceback" in shown.err


def test_output_nobody_reads_is_no_defect(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "config", "show", "--json"],
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


WITHOUT_ROOM = """
import resource, sys
from mirrorcore.interfaces.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
if sys.argv[1] == "broken":
    from mirrorcore.journal import RunRegistry
    def broken(self): raise RuntimeError("nobody thought of this")
    RunRegistry.runs = broken
    del sys.argv[1]
sys.exit(main())
"""
"""A process whose files cannot grow past a size: what writes them fails as on a full disk."""


def _without_room(size: int, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, str(size), *arguments],
        capture_output=True, text=True, check=False, timeout=120, cwd=folder,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_defect_whose_file_cannot_be_written_is_told_in_two_lines(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    done = _without_room(0, tmp_path, "broken", "runs", "list")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert told[0].endswith("this is a defect of ours: RuntimeError: nobody thought of this")
    assert "it was in broken, line 7 of <string>" in told[1]
    assert "--debug shows it" in told[1]
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_disk_without_room_is_told_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    rows = "".join(f"{1_704_067_200 + 60 * i},1.1,1.2,1.0,1.1,{i}.5\n" for i in range(2_000))
    (tmp_path / "BTC-USDT_1m.csv").write_text("time,open,high,low,close,volume\n" + rows)
    done = _without_room(200, tmp_path, "data", "import", "BTC-USDT_1m.csv", "--out", "made")
    assert done.returncode != 0
    assert "the file cannot be written" in done.stdout + done.stderr
    assert "how much room" in done.stdout + done.stderr
    assert "defect" not in done.stdout + done.stderr
    assert list((tmp_path / "made").iterdir()) == []
