"""``mirrorcore why`` as a user calls it."""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
from typing import Any

import pytest
from command_calls import SMALL, Caller
from terminal_world import Door, Feed, done, shown_by

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.cli.answer import console
from mirrorcore.interfaces.console.reading import Request
from mirrorcore.interfaces.console.telling import show_outcome
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.dialogs import TextDialog


@pytest.fixture
def asked(call: Caller) -> Caller:
    assert call("backtest", *SMALL, "--no-report", "--json").code == 0
    return call


def test_a_trade_as_a_document_and_as_a_screen(asked: Caller) -> None:
    listed = asked("why", "--json").document
    trade = listed["trades"][-1].split()[0]
    document = asked("why", trade, "--json").document
    assert document["kind"] == "trade"
    assert document["proof"]["same"] is True
    decision = document["decisions"][0]
    assert sum(vote["pull"] for vote in decision["votes"]) == pytest.approx(
        decision["fusion"]["edge"], abs=1e-15
    )
    shown = asked("why", trade)
    assert shown.code == 0
    assert shown.err == ""
    assert shown.out.replace("\n", " ").startswith(document["headline"][:60])
    for word in ("As recorded", "ChainWatcher", "onchain.whale_flow", "gate: ArchCtrl says", "sum"):
        assert word in shown.out
    pulls = [f"{vote['pull']:+.4f}" for vote in decision["votes"]]
    assert all(pull in shown.out for pull in pulls)


def test_every_door_shows_the_same_screen(
    asked: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once `ctl why` printed the document, and the monitor unfolded it: nobody read that."""
    monkeypatch.setenv("COLUMNS", "100")
    document = asked("why", "T1", "--json").document
    screen = asked("why", "T1").out
    outcome = done("why", document)
    show_outcome(outcome, console(sys.stdout), changes=False)
    assert capsys.readouterr().out == screen
    lines = [line.strip() for line in screen.splitlines() if line.strip()]

    async def scene() -> None:
        feed, door = Feed(World(3)), Door({"why": outcome})
        app = Monitor(feed, door, follow=False)  # type: ignore[arg-type]
        async with app.run_test(size=(140, 60)) as pilot:
            app.command(Request("why", {"id": "T1"}))
            while not isinstance(app.screen, TextDialog):
                await pilot.pause(0.01)
            await pilot.pause()
            shown = shown_by(app)
            assert "P(rise)" in shown
            assert "As recorded" in shown
            assert lines[0][:60] in shown

    asyncio.run(asyncio.wait_for(scene(), 60))
    older = show_of({"kind": "trade", "id": "T1"})
    assert "kind" in older, "what another version answers is shown as any answer is"


def show_of(result: dict[str, Any]) -> str:
    page = io.StringIO()
    show_outcome(done("why", result), console(page), changes=False)
    return page.getvalue()


def test_the_last_is_a_word_here_too(asked: Caller) -> None:
    """Once `ctl` knew it, and this command did not. No trade of this run is closed."""
    last = asked("why", "--json").document["orders"][-1].split()[0]
    assert asked("why", "last", "--json").document["orders"][0]["number"] == int(last[1:])
    assert asked("why", "latest").code == 2
    assert "or last" in asked("why", "latest").err


def test_what_an_open_trade_has_brought_is_not_final(asked: Caller) -> None:
    assert asked("why", "T1", "--json").document["trade"]["is_open"]
    screen = " ".join(asked("why", "T1").out.split())
    assert "so far, without what is still held: gross" in screen


def test_a_decision_takes_its_symbol_as_a_word_of_its_own(asked: Caller) -> None:
    done = asked("why", "2025-01-02T00:00", "BBB/USD", "--json")
    assert done.document["decisions"][0]["symbol"] == "BBB/USD"
    assert done.document["decisions"][0]["tick"] == 287


@pytest.mark.parametrize("width", ["80", "120"])
def test_a_screen_is_no_wider_than_the_terminal(
    asked: Caller, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    listed = asked("why", "--json").document
    for name in (listed["trades"][-1].split()[0], listed["orders"][-1].split()[0], "D400"):
        lines = asked("why", name).out.splitlines()
        assert max(map(len, lines)) <= int(width)
        assert len(lines) < 60


def test_a_wrong_id_and_a_wrong_run(asked: Caller) -> None:
    done = asked("why", "T999")
    assert (done.code, done.out) == (2, "")
    assert "its trades are T1 to T" in done.err
    assert asked("why", "T1", "--run", "nobody").code == 2


def test_the_list_without_an_id(asked: Caller) -> None:
    done = asked("why")
    assert done.code == 0
    assert "D0 to D599" in done.out
    assert "O" in done.out


KILLED = """
import os, signal, sys
from mirrorcore.interfaces.cli import main
from mirrorcore.swarm.scribe import Scribe
write, done = Scribe.block, []
def block(self, record):
    done.append(record.block.index)
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, record)
Scribe.block = block
main(["backtest", "--bars", "20000", "--symbols", "3", "--no-report", *sys.argv[1:]])
"""


def test_a_run_killed_half_way_is_explained_as_far_as_its_journal_goes(call: Caller) -> None:
    """kill -9 in its third block: two are on disk, with the checkpoints after them."""
    process = subprocess.run(
        [sys.executable, "-c", KILLED, "--runs", str(call.runs)], capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    listed = call("why", "--json").document
    assert listed["decisions"] == ["D0", "D8191"]
    last = listed["orders"][-1].split()[0]
    document = call("why", last, "--json").document
    assert document["proof"]["same"] is True
    assert document["proof"]["begun_at"] == [4096]
    assert call("why", listed["trades"][-1].split()[0]).code == 0
    assert "D0 to D8191" in call("why", "D8192").err
