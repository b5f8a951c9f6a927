"""Every command, every role and every error of the tables, typed into the terminal monitor."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api_world import LiveSwarm
from terminal_world import shown_by
from test_commands import CHANGING, ERRORS, READING
from textual.pilot import Pilot

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.attaching import attach
from mirrorcore.interfaces.commands import ROLES, SPECS
from mirrorcore.interfaces.console.doors import RemoteDoor
from mirrorcore.interfaces.console.reading import read, words_of
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.dialogs import ConfirmDialog, StopDialog, TextDialog
from mirrorcore.interfaces.terminal.link import Link, LinkState
from mirrorcore.interfaces.terminal.prompt import Prompt

TOO_OFTEN = "too many commands"


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("typed"), paper__speed=900.0) as one:
        yield one


class Seat:
    """Somebody before the monitor, who types."""

    def __init__(self, app: Monitor, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, holds: Callable[[], Any], why: str, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, f"{why}; shown is:\n{shown_by(self.app)}"
            await self.pilot.pause(0.01)
        return found

    def said(self) -> str:
        """The line above the keys."""
        return "".join(text for text, _ in self.app._said).strip()

    async def say(self, line: str) -> str:
        """Write a line and send it; what is said of it, or ``asked`` where a dialog asks first.

        The line is driven by its own actions; that keys lead to them is tested elsewhere.
        A line that came sooner than a token may command is typed again, as a person would.
        """
        deadline = time.monotonic() + 60
        while TOO_OFTEN in (told := await self._typed(line)):
            assert time.monotonic() < deadline, line
        return told

    async def _typed(self, line: str) -> str:
        self.app.action_ask_command()
        prompt = self.app.query_one(Prompt)
        prompt.value = line
        await prompt.action_submit()
        told = str(await self.until(self._answer, line))
        if isinstance(self.app.screen, TextDialog):
            self.app.screen.action_close()
            await self.until(lambda: len(self.app.screen_stack) == 1, "the answer is closed")
        return told

    def _answer(self) -> str:
        if isinstance(self.app.screen, ConfirmDialog):
            return "asked"
        said = self.said()
        return "" if said.startswith(("…", "Tab completes")) else said


@asynccontextmanager
async def seat(swarm: LiveSwarm, role: str) -> AsyncIterator[Seat]:
    attachment = attach(swarm.config.storage.runs)
    link = Link(lambda: attachment, role=role, rate=1)
    app = Monitor(link, lambda: RemoteDoor(attachment, role, name="terminal"), rate=1)
    async with app.run_test(size=(120, 30)) as pilot:
        found = Seat(app, pilot)
        await found.until(lambda: link.state() is LinkState.LIVE, "the link is up")
        await found.until(lambda: app.catalogue.entries, "the commands are known")
        yield found


def line_of(name: str, args: dict[str, Any]) -> str:
    """The command as somebody types it."""
    given = (
        f"{key}={json.dumps(value) if isinstance(value, dict) else value}"
        for key, value in args.items()
    )
    return " ".join(map(shlex.quote, (name, *given)))


@pytest.mark.parametrize("role", ROLES)
def test_everything_that_reads_is_answered_in_every_role(swarm: LiveSwarm, role: str) -> None:
    async def scene() -> None:
        async with seat(swarm, role) as at:
            for name, args in READING.items():
                said = await at.say(line_of(name, args))
                assert said.startswith(name), name
                assert ": done" in said, (name, said)

    asyncio.run(scene())


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_what_changes_is_done_or_asked_about_or_says_why_not(swarm: LiveSwarm, role: str) -> None:
    reasons = ("is working", "nothing to resume", "no alert", "has learned no weights")

    async def scene() -> None:
        async with seat(swarm, role) as at:
            for name, args in CHANGING.items():
                if name == "emergency_stop":
                    continue  # test_terminal_attached stops
                told = await at.say(line_of(name, args))
                if told == "asked":
                    assert SPECS[name].confirms, name
                    at.app.screen.action_answer(False)
                    await at.until(lambda: at.said().startswith("not done"), name)
                else:
                    assert ": done" in told or any(why in told for why in reasons), (name, told)

    asyncio.run(scene())
    entered = [one["command"] for one in swarm.audit() if one["by"]["role"] == role]
    assert {"pause_agent", "resume_agent", "annotate", "pause_entries"} <= set(entered)


def test_a_viewer_is_offered_nothing_that_changes_and_stops_nothing(swarm: LiveSwarm) -> None:
    async def scene() -> None:
        async with seat(swarm, "viewer") as at:
            assert not CHANGING.keys() & at.app.catalogue.entries.keys()
            for name, args in CHANGING.items():
                told = await at.say(line_of(name, args))
                assert f"{name} needs the role operator" in told, name
                assert "the role operator" in told, name
            # The key of the stop is there for all; the swarm says who may not.
            await at.pilot.press("f10")
            await at.until(lambda: isinstance(at.app.screen, StopDialog), "it asks")
            await at.pilot.press("f10")
            await at.until(lambda: "viewer" in at.said() and "■" in at.said(), "it is refused")

    asyncio.run(scene())
    assert swarm.run.swarm.parts.path.gateway.state.value == "active"


# What is typed is text: a name that is no parameter's, and a number, are read as an agent.
TYPED_OTHERWISE = {
    "status colour=1": "there is no agent 'colour=1'",
    "pause_agent target=7": "there is no agent '7'",
}


def test_an_error_is_told_where_it_was_typed(swarm: LiveSwarm) -> None:
    """What the line itself refuses is said by the line, everything else by the swarm."""

    async def scene() -> None:
        async with seat(swarm, "operator") as at:
            for name, args, code, says in ERRORS:
                line = line_of(name, args)
                told = await at.say(line)
                assert told.startswith("■"), (line, told)
                try:
                    read(words_of(line), at.app.catalogue)
                except MirrorCoreError as error:
                    assert code in ("bad_args", "unknown_command"), (line, code)
                    says = error.message
                assert TYPED_OTHERWISE.get(line, says) in told, (line, told)

    asyncio.run(scene())
