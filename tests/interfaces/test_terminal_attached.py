"""The monitor on a real swarm: frames and commands over real sockets, and what a lost link does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_world import LiveSwarm
from command_calls import Caller as CommandLine
from websockets.asyncio.server import Server, ServerConnection, serve

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.clock import SECOND, LiveClock
from mirrorcore.interfaces.attaching import (
    Attachment,
    NotAttachedError,
    attach,
    find_running,
)
from mirrorcore.interfaces.calling import UnreachableError
from mirrorcore.interfaces.console.doors import RemoteDoor
from mirrorcore.interfaces.terminal import link as link_module
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.link import Link, LinkState


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("swarm"), paper__speed=600.0) as found:
        yield found


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    clock = LiveClock()
    deadline = clock.now() + round(seconds * SECOND)
    while not holds():
        assert clock.now() < deadline, "it did not come"
        await asyncio.sleep(0.01)


def runs_of(swarm: LiveSwarm) -> Path:
    return swarm.config.storage.runs


def test_one_grid_where_there_is_no_screen(swarm: LiveSwarm, call: CommandLine) -> None:
    where = ("--runs", str(runs_of(swarm)))
    plain = call("monitor", *where, runs=False)
    assert plain.code == 0, plain.err
    lines = plain.out.splitlines()
    assert lines[0].startswith("PAPER  20")
    assert lines[1].split() == ["Agent", "Status", "Conf", "Signal", "PnL", "%", "Health"]
    agents = [member.agent_id for member in swarm.run.swarm.members]
    assert [line.split()[0] for line in lines[2:]] == agents
    assert "\x1b" not in plain.out

    document = call("monitor", "--json", "--filter", "fear", *where, runs=False).document
    [fear] = document["agents"]
    assert fear["agent"] == "FearAnalyzer"
    assert document["top"]["run"] == swarm.run.folder.id

    wrong = call("monitor", "--filter", "helth<1", *where, runs=False)
    assert wrong.code == 2
    assert "did you mean 'health'?" in wrong.err


def test_what_is_wrong_with_the_way_is_said_first(
    swarm: LiveSwarm, call: CommandLine, tmp_path: Path
) -> None:
    nothing = call("monitor")
    assert nothing.code == 1
    assert "no swarm runs in" in nothing.err
    stranger = call("monitor", "--runs", str(runs_of(swarm)), "--token", "wrong", runs=False)
    assert stranger.code == 1
    assert "does not know this token" in stranger.err
    assert call("monitor", "--rate", "7", runs=False).code == 2


def test_what_is_not_installed_is_named() -> None:
    missing = "websockets"
    program = (
        f"import sys; sys.modules[{missing!r}] = None; "
        "from mirrorcore.interfaces.cli import main; "
        "sys.exit(main(['monitor', '--url', 'http://127.0.0.1:9', '--token', 'any']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert f"the monitor needs {missing}" in done.stderr
    assert "mirrorcore-x[terminal]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_screen_shows_the_swarm_and_commands_it(swarm: LiveSwarm) -> None:
    attachment = attach(runs_of(swarm))
    door = RemoteDoor(attachment, "operator", name="terminal")

    async def scene() -> None:
        link = Link(lambda: attachment, role="operator", rate=10)
        app = Monitor(link, lambda: door, rate=10)
        async with app.run_test(size=(160, 45)) as pilot:
            await until(lambda: link.state() is LinkState.LIVE and app.catalogue.entries)

            def status(agent: str) -> Any:
                row = app.board.row_of(agent)
                return None if row is None else app.board.columns["status"][row]

            await until(lambda: status("ChainWatcher") == "running")
            app.run_line("pause_agent ChainWatcher")
            await until(lambda: status("ChainWatcher") == "paused")
            app.run_line("resume_agent ChainWatcher")
            await until(lambda: status("ChainWatcher") == "running")
            # The second screen has the agent's own state, with its history.
            app.agent.turn_to("FearAnalyzer")
            await pilot.press("2")
            await until(lambda: isinstance(app.agent._found, dict))
            assert "fear" in app.agent._found["state"]
            # The sixth has what was just done, by this door.
            await pilot.press("6")
            audit: Any = app.view
            await until(lambda: len(audit.grid.items) >= 2)
            done = [(row["command"], row["by"]["origin"]) for row in audit.grid.items[:2]]
            assert done == [("resume_agent", "terminal"), ("pause_agent", "terminal")]
            # A command that needs it asks first, with the agents it would hit.
            app.run_line("pause_agent *")
            await until(lambda: len(app.screen_stack) == 2)
            await pilot.press("n")
            await until(lambda: len(app.screen_stack) == 1)
            assert status("FearAnalyzer") == "running"

    asyncio.run(scene())


def test_the_stop_closes_the_gateway_and_every_agent_says_so(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as swarm:
        attachment = attach(runs_of(swarm))
        door = RemoteDoor(attachment, "operator", name="terminal")

        async def scene() -> None:
            link = Link(lambda: attachment, role="operator", rate=10)
            app = Monitor(link, lambda: door, rate=10)
            async with app.run_test(size=(160, 45)) as pilot:
                await until(lambda: link.state() is LinkState.LIVE)
                await pilot.press("f10")
                await pilot.pause()
                await pilot.press("f10")
                await until(lambda: link.model.top.get("gw") == "halted")
                await until(lambda: "acknowledged" in str(app._said))
                # The run ends: its last state is kept, and said to be its last.
                swarm.run.control.ask(lambda run: run.stop.set())
                await until(lambda: link.state() is LinkState.ENDED, 60)
                assert link.model.top["gw"] == "halted"

        asyncio.run(scene())
        assert swarm.run.swarm.parts.path.gateway.state.value == "halted"


def test_the_stop_reaches_a_swarm_whose_server_is_dead(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as swarm:
        dead = replace(attach(runs_of(swarm)), url="http://127.0.0.1:9")
        run = find_running(runs_of(swarm))
        door = RemoteDoor(dead, "operator", run, name="terminal")

        async def scene() -> None:
            link = Link(lambda: dead, role="operator")
            app = Monitor(link, lambda: door)
            async with app.run_test(size=(160, 45)) as pilot:
                await until(lambda: link.state() is LinkState.LOST)
                await pilot.press("f10")
                await pilot.pause()
                await pilot.press("f10")
                await until(lambda: "acknowledged" in str(app._said))

        asyncio.run(scene())
        assert swarm.run.swarm.parts.path.gateway.state.value == "halted"


# -- the link by itself, against a server that misbehaves ---------------------------------------


class Odd:
    """A server of one world that can fall silent, lose frames or close."""

    def __init__(self) -> None:
        self.world = World(5, epoch=3_000)
        self.hellos: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.sockets: list[ServerConnection] = []
        self.refuse = 0

    async def talk(self, socket: ServerConnection) -> None:
        self.hellos.append(json.loads(await socket.recv()))
        if self.refuse:
            await socket.close(self.refuse)
            return
        self.sockets.append(socket)
        for frame in (self.world.hello(), self.world.snapshot()):
            await socket.send(json.dumps(frame))
        async for said in socket:
            self.asked.append(str(said))
            await socket.send(json.dumps(self.world.snapshot()))

    async def send(self, frame: dict[str, Any]) -> None:
        await self.sockets[-1].send(json.dumps(frame))


@asynccontextmanager
async def linked(odd: Odd) -> AsyncIterator[tuple[Link, Server]]:
    async with serve(odd.talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        way = Attachment("r", "paper", Path(), f"http://127.0.0.1:{port}", 1, {"operator": "t"})
        link = Link(lambda: way, role="operator")
        follow = asyncio.create_task(link.run(), name="follow")
        try:
            await until(lambda: link.state() is LinkState.LIVE or link.trouble)
            yield link, server
        finally:
            follow.cancel()
            await asyncio.gather(follow, return_exceptions=True)


def test_a_lost_frame_is_asked_for_again() -> None:
    async def scene() -> None:
        odd = Odd()
        async with linked(odd) as (link, _):
            await odd.send(odd.world.delta())
            await until(lambda: link.applied == 2)
            odd.world.delta()  # never sent
            await odd.send(odd.world.delta())
            await until(lambda: odd.asked)
            assert json.loads(odd.asked[0]) == {"op": "resync"}
            await until(lambda: link.state() is LinkState.LIVE and link.model.seq == 3)

    asyncio.run(scene())


def test_a_closed_connection_is_made_anew_where_it_was_left() -> None:
    async def scene() -> None:
        odd = Odd()
        async with linked(odd) as (link, _):
            await odd.send(odd.world.delta())
            await until(lambda: link.applied == 2)
            await odd.sockets[-1].close()
            await until(lambda: link.state() is LinkState.LOST)
            assert link.trouble
            await until(lambda: len(odd.hellos) == 2)
            assert odd.hellos[1]["resume"] == {"epoch": 3000, "seq": 1}
            await until(lambda: link.state() is LinkState.LIVE)
            assert link.trouble == ""

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("code", "told"), [(4401, "does not know this token"), (4429, "as many clients as it takes")]
)
def test_a_refusal_is_said_in_words(code: int, told: str) -> None:
    async def scene() -> None:
        odd = Odd()
        odd.refuse = code
        async with linked(odd) as (link, _):
            assert told in link.trouble
            assert link.state() is LinkState.LOST
            assert link.countdown() <= link_module.WAITS_S[0]
            with pytest.raises(UnreachableError, match=told):
                await Link(link._find, role="operator").look()

    asyncio.run(scene())


def test_a_link_told_twice_to_stop_leaves_no_socket_behind() -> None:
    """A monitor that ends is cancelled by its screen, and by the loop while the goodbye is out."""

    async def scene() -> None:
        odd = Odd()
        async with linked(odd) as (link, _):
            there = odd.sockets[-1].transport
            there.pause_reading()  # a swarm too busy to say goodbye
            (follow,) = (one for one in asyncio.all_tasks() if one.get_name() == "follow")
            follow.cancel()
            await asyncio.wait([follow], timeout=0.1)
            assert not follow.done(), "it waits for the goodbye"
            follow.cancel()
            await asyncio.wait([follow])
            await asyncio.sleep(0)
            assert link.state() is not LinkState.CONNECTING
            fileno = there.get_extra_info("socket").fileno()
            while os.read(fileno, 4096):
                pass  # what it had said; without an end this raises BlockingIOError
            there.resume_reading()

    asyncio.run(scene())


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = SECOND

    def now(self) -> int:
        return self.time


def test_silence_is_told_by_the_local_clock() -> None:
    hand = Hand()
    link = Link(lambda: pytest.fail("nobody asks"), role="viewer", clock=hand)
    assert link.state() is LinkState.CONNECTING
    for frame in (World(3).hello(), World(3).snapshot()):
        link.model.receive(json.dumps(frame))
    link._open, link._heard = True, hand.now()
    assert link.state() is LinkState.LIVE
    hand.time += 2 * SECOND
    assert link.state() is LinkState.LIVE
    hand.time += SECOND // 10
    assert link.state() is LinkState.STALE
    assert round(link.silence(), 1) == 2.1


def test_no_swarm_is_waited_for() -> None:
    async def scene() -> None:
        asked: list[int] = []

        def find() -> Attachment:
            asked.append(1)
            raise NotAttachedError("no swarm runs in runs")

        link = Link(find, role="operator")
        follow = asyncio.create_task(link.run())
        await until(lambda: len(asked) >= 2)
        assert link.state() is LinkState.LOST
        assert link.trouble == "no swarm runs in runs"
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        nobody = Attachment("r", "paper", Path(), "http://127.0.0.1:9", 1, {"operator": "t"})
        with pytest.raises(UnreachableError, match="nobody answers at its address"):
            await Link(lambda: nobody, role="operator").look()
        with pytest.raises(NotAttachedError, match="no token of role 'viewer'"):
            await Link(lambda: replace(nobody, url="x"), role="viewer").look()

    asyncio.run(scene())
