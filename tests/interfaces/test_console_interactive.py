"""The console: in this process, driven by a pipe, and by somebody at a terminal."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from command_calls import PROGRAM, plain
from console_world import Served, piped, served, spawn

from mirrorcore import CommandInterface, InteractiveConsole, SyncBus
from mirrorcore.interfaces.commands import Caller
from mirrorcore.interfaces.console.lines import PlainLines


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("console")) as found:
        yield found


def documents(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# -- in this process


def test_the_guide_s_console_over_a_bus(capsys: pytest.CaptureFixture[str]) -> None:
    script = "pause_agent EgoProcessor\nagents\npositions\n"

    async def work() -> tuple[int, str]:
        bus = SyncBus()
        await bus.register_agent("EgoProcessor")
        console = InteractiveConsole(CommandInterface(bus), lines=PlainLines(io.StringIO(script)))
        return await console.run_console(), str(bus.status("EgoProcessor"))

    code, status = asyncio.run(work())
    out = capsys.readouterr().out
    assert status == "paused"
    assert "pause_agent: done, 1 of 1 acknowledged" in out
    assert "EgoProcessor" in out
    assert "error: positions needs a swarm" in out, "a bus alone has none"
    assert code == 2


def test_the_event_loop_goes_on_while_nobody_types() -> None:
    reading, writing = os.pipe()

    async def work() -> tuple[int, int]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.001)

        with os.fdopen(reading) as stream, os.fdopen(writing, "w") as hand:
            console = InteractiveConsole(CommandInterface(SyncBus()), lines=PlainLines(stream))
            beating = asyncio.create_task(beat())
            running = asyncio.create_task(console.run_console())
            while beats < 50:
                await asyncio.sleep(0.001)
            assert not running.done(), "it waits for a line"
            hand.write("status\nquit\n")
            hand.flush()
            code = await asyncio.wait_for(running, 30)
            beating.cancel()
            return code, beats

    code, beats = asyncio.run(work())
    assert code == 0
    assert beats >= 50


def test_a_viewer_is_offered_what_a_viewer_may(swarm: Served, capsys: Any) -> None:
    interface = CommandInterface(swarm.swarm.commands, Caller("me", "viewer", "console"))
    lines = PlainLines(io.StringIO("help\npause_agent MomentumScout\n"))
    code = asyncio.run(InteractiveConsole(interface, lines=lines).run_console())
    out = capsys.readouterr().out
    assert "get_performance" in out
    assert "rebalance_weights" not in out
    assert "needs the role operator" in out
    assert code == 6


# -- by a pipe


def test_a_script_is_carried_out_line_by_line(swarm: Served) -> None:
    script = """
    # a comment, and an empty line before
    pause_agent MeanReverter --reason 'too loud'
    agents target=MeanReverter

    resume_agent MeanReverter   # and back
    """
    done = piped(swarm, script, "--json")
    assert done.returncode == 0, done.stderr
    paused, agents, resumed = documents(done.stdout)
    assert (paused["name"], paused["acked"]) == ("pause_agent", ["MeanReverter"])
    (row,) = agents["result"]["agents"]
    assert row["status"] == "paused"
    assert (resumed["name"], resumed["status"]) == ("resume_agent", "done")
    assert paused["audit_seq"] < resumed["audit_seq"]


def test_errors_are_told_and_the_script_goes_on(swarm: Served) -> None:
    done = piped(swarm, "pause_agnt X\norders limit=many\nannotate still here\n", "--json")
    first, second, third = documents(done.stdout)
    assert (first["error"]["code"], first["status"]) == ("unknown_command", "rejected")
    assert "pause_agent" in first["error"]["hint"]
    assert "whole number" in second["error"]["message"]
    assert third["status"] == "done"
    assert done.returncode == 2, "the first failure's"


def test_strict_ends_at_the_first_error(swarm: Served) -> None:
    done = piped(swarm, "annotate one\nnonsense\nannotate two\n", "--json", "--strict")
    assert done.returncode == 2
    assert [one["status"] for one in documents(done.stdout)] == ["done", "rejected"]


def test_in_a_pipe_nobody_is_asked(swarm: Served) -> None:
    script = "restart_agent DataSentry\nrestart_agent DataSentry --yes\n"
    refused, done = documents(piped(swarm, script, "--json").stdout)
    assert refused["error"]["code"] == "confirm_required"
    assert "--yes" in refused["error"]["hint"]
    assert done["acked"] == ["DataSentry"]
    (all_done,) = documents(piped(swarm, "restart_agent DataSentry\n", "--json", "--yes").stdout)
    assert all_done["status"] == "done"


def test_exit_does_not_leave_and_needs_a_target(swarm: Served) -> None:
    done = piped(swarm, "exit\n")
    assert done.returncode == 2
    assert "'quit' leaves the console" in done.stdout


def test_text_that_steers_a_terminal_is_harmless(swarm: Served) -> None:
    done = piped(swarm, "annotate '\x1b[2J\x1b]0;owned\x07'\n")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "␛[2J" in done.stdout


def test_without_a_swarm_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "console", "--runs", str(tmp_path)],
        input="status\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no swarm runs in" in done.stderr


# -- at a terminal


@pytest.fixture
def typing(swarm: Served, tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    child = spawn("console", "--runs", str(swarm.runs), home=tmp_path)
    try:
        child.expect_exact("MirrorCore>")
        yield child
    finally:
        child.close(force=True)


def test_a_person_types_completes_is_asked_and_leaves(
    typing: pexpect.spawn[str], swarm: Served, tmp_path: Path
) -> None:
    typing.send("adjust_r\t")
    typing.expect_exact("isk")
    typing.send(" gross 0.5\r")
    typing.expect("adjust_risk: done")
    typing.expect_exact("MirrorCore>")
    typing.send("agents\r")
    typing.expect("TradeAnalyst")
    typing.expect_exact("MirrorCore>")
    typing.send("isolate_agent TradeAn\t")
    typing.expect_exact("alyst")
    typing.send("\r")
    typing.expect_exact("Go on? [y/N]")
    typing.send("n\r")
    typing.expect("not confirmed; nothing was changed")
    typing.expect_exact("MirrorCore>")
    typing.send("restart_agent TradeAnalyst\r")
    typing.expect_exact("Go on? [y/N]")
    typing.send("y\r")
    typing.expect("restart_agent: done, 1 of 1 acknowledged")
    typing.expect_exact("MirrorCore>")
    typing.send("quit\r")
    typing.expect(pexpect.EOF)
    typing.close()
    assert typing.exitstatus == 1, "the one that was not confirmed"
    assert str(swarm.swarm.run.swarm.parts.bus.status("TradeAnalyst")) in ("running", "probing")
    history = tmp_path / ".mirrorcore_history"
    assert "+restart_agent TradeAnalyst" in history.read_text()
    assert "+y" not in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(typing: pexpect.spawn[str]) -> None:
    typing.send("emergency_st")
    typing.expect_exact("emergency_st")
    typing.sendcontrol("c")
    typing.expect("the swarm goes on")
    typing.expect_exact("MirrorCore>")
    typing.sendcontrol("d")
    typing.expect(pexpect.EOF)
    typing.close()
    assert typing.exitstatus == 0


def test_help_at_the_prompt(typing: pexpect.spawn[str]) -> None:
    typing.send("help adjust_risk\r")
    typing.expect("adjust_risk NAME VALUE")
    typing.expect("confirm")
    typing.expect_exact("MirrorCore>")
    assert "gross or net" in plain(typing.before)


def test_without_prompt_toolkit_lines_are_read_as_they_are(swarm: Served, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['prompt_toolkit'] = None; {PROGRAM}"
    child = spawn("console", "--runs", str(swarm.runs), home=tmp_path, program=program)
    child.expect("mirrorcore-x\\[terminal\\]")
    child.expect_exact("MirrorCore> ")
    child.sendline("restart_agent FlowReader")
    child.expect_exact("Go on? [y/N] ")
    child.sendline("y")
    child.expect("1 of 1 acknowledged")
    child.expect_exact("MirrorCore> ")
    child.sendline("quit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
