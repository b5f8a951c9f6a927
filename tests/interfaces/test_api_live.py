"""Frames over real sockets, from a real paper run."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from api_world import HOSTILE, LiveSwarm
from raw_http import until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from mirrorcore.interfaces.api.tokens import rotate
from mirrorcore.interfaces.live.model import ClientModel


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("live")) as world:
        yield world


def dial(swarm: LiveSwarm, path: str = "/api/v1/live", **more: Any) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{swarm.port}{path}",
        compression=None,
        max_size=None,
        max_queue=None,
        ping_interval=None,
        close_timeout=2,
        **more,
    )


def hello(swarm: LiveSwarm, role: str = "viewer", **more: Any) -> str:
    return json.dumps({"op": "hello", "v": 2, "token": swarm.token(role), **more})


def heard(socket_: ClientConnection) -> Any:
    return json.loads(socket_.recv(timeout=10))


def close_code(socket_: ClientConnection) -> int:
    """The code with which the server ended the connection."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket_.recv(timeout=10)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 0
    raise AssertionError("it goes on talking")


TOO_BIG = (1009, 0)
"""The server's code; 0 where its last frame was lost because more was still coming in."""


def test_a_hello_is_answered_with_everything_and_then_what_changes(swarm: LiveSwarm) -> None:
    with dial(swarm) as client:
        client.send(hello(swarm))
        first, snap = heard(client), heard(client)
        assert first["t"] == "hello"
        assert (first["role"], first["mode"], first["run"]) == (
            "viewer", "paper", swarm.run.folder.id,
        )  # fmt: skip
        assert snap["t"] == "snap"
        assert snap["agents"]["n"] == len(swarm.run.swarm.members)
        seq, ticks = snap["seq"], []
        while len(ticks) < 5:
            frame = heard(client)
            assert frame["t"] in {"d", "hb"}
            if frame["t"] == "d":
                assert frame["seq"] == seq + 1
                seq = frame["seq"]
                ticks += [frame["top"]["tick"]] if "tick" in frame.get("top", {}) else []
        assert ticks == sorted(set(ticks))


def test_who_comes_back_gets_what_was_missed(swarm: LiveSwarm) -> None:
    with dial(swarm) as stays, dial(swarm) as client:
        for one in (stays, client):
            one.send(hello(swarm))
        assert heard(client)["t"] == "hello"
        snap = heard(client)
        client.close()
        until(lambda: heard(stays).get("seq", 0) > snap["seq"] + 3)
        with dial(swarm) as again:
            again.send(hello(swarm, resume={"epoch": snap["epoch"], "seq": snap["seq"]}))
            assert heard(again)["t"] == "hello"
            frame = heard(again)
            assert (frame["t"], frame["seq"]) == ("d", snap["seq"] + 1)


def test_a_resync_brings_a_snapshot(swarm: LiveSwarm) -> None:
    with dial(swarm) as client:
        client.send(hello(swarm))
        client.send('{"op":"resync"}')
        until(lambda: heard(client).get("why") == "resync")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", 4400),
        ("{}", 4400),
        ("null", 4400),
        ("[" * 9000, 4400),
        (b"\xff\xfe", 4400),
        ('{"op":"hello","v":1}', 4400),
        ('{"op":"hello","v":2,"rate":99}', 4400),
        ('{"op":"hello","v":2,"token":7}', 4400),
        ('{"op":"hello","v":2}', 4401),
        ('{"op":"hello","v":2,"token":"x"}', 4401),
    ],
)
def test_a_stranger_is_shown_out(swarm: LiveSwarm, message: str | bytes, code: int) -> None:
    with dial(swarm) as client:
        client.send(message)
        assert close_code(client) == code


def test_who_says_nothing_is_shown_out(swarm: LiveSwarm) -> None:
    with dial(swarm) as client:
        assert close_code(client) == 4408


def test_a_token_in_the_address_is_not_looked_at(swarm: LiveSwarm) -> None:
    with dial(swarm, f"/api/v1/live?token={swarm.token('admin')}") as client:
        client.send('{"op":"hello","v":2}')
        assert close_code(client) == 4401


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1_000_000])
def test_an_oversized_message_ends_the_connection(swarm: LiveSwarm, size: int) -> None:
    for first in ([], [hello(swarm)]):
        with dial(swarm) as client:
            for message in first:
                client.send(message)
            client.send("x" * size)
            assert close_code(client) in TOO_BIG


def test_many_small_pieces_of_an_oversized_message_do_not_pass_either(swarm: LiveSwarm) -> None:
    with dial(swarm) as client:
        with suppress(ConnectionClosed):
            client.send(["x" * 1000 for _ in range(200)])
        assert close_code(client) in TOO_BIG


def test_a_client_that_talks_without_end_is_let_go(swarm: LiveSwarm) -> None:
    with dial(swarm) as client:
        client.send(hello(swarm))
        with suppress(ConnectionClosed):
            for _ in range(500):
                client.send('{"op":"resync"}')
        assert close_code(client) == 1008


def test_thirty_two_may_look_on(swarm: LiveSwarm) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(dial(swarm)) for _ in range(32)]
        for client in clients:
            client.send(hello(swarm))
            assert heard(client)["t"] == "hello"
        with dial(swarm) as one_more:
            one_more.send(hello(swarm))
            assert close_code(one_more) == 4429
        with dial(swarm, "/agents/live") as one_more:
            one_more.send(json.dumps({"token": swarm.token()}))
            assert close_code(one_more) == 4429
        assert swarm.command("emergency_stop", _reason="with 32 clients").status == 200
    until(lambda: not metric(swarm, "mcx_ws_clients"))


def metric(swarm: LiveSwarm, name: str) -> float:
    text = swarm.get("/metrics").body.decode()
    return next(
        float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")
    )


def test_a_reader_that_stalls_costs_nobody_anything(swarm: LiveSwarm) -> None:
    """It reads nothing while 30 frames pass; others go on, and then it gets one snapshot."""
    with dial(swarm) as stalled, dial(swarm) as other:
        stalled.send(hello(swarm))
        assert heard(stalled)["t"] == "hello"
        raw = stalled.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        other.send(hello(swarm))
        seen = []
        while len(seen) < 30:
            frame = heard(other)
            seen += [frame["seq"]] if frame["t"] == "d" else []
        assert seen == list(range(seen[0], seen[0] + 30))
        assert not swarm.run.warnings


def test_the_guide_s_socket_gives_plain_objects(swarm: LiveSwarm) -> None:
    with dial(swarm, "/agents/live") as client:
        client.send(json.dumps({"token": swarm.token("viewer")}))
        first, second = heard(client), heard(client)
    names = {member.agent_id for member in swarm.run.swarm.members}
    for told in (first, second):
        assert set(told) == names
        assert {"status", "confidence", "last_action", "performance", "health"} <= set(
            told["FearAnalyzer"]
        )
    header = {"Authorization": f"Bearer {swarm.token('viewer')}"}
    with dial(swarm, "/agents/live", additional_headers=header) as client:
        assert set(heard(client)) == names
    with dial(swarm, "/agents/live") as client:
        client.send(json.dumps({"token": "x" * 43}))
        assert close_code(client) == 4401


def test_sockets_elsewhere_are_refused(swarm: LiveSwarm) -> None:
    for path in ("/", "/api/v1/commands", "/api/v1/live/", "/agents/status"):
        with pytest.raises(Exception, match="404") as told, dial(swarm, path):
            pass
        assert told.type.__name__ == "InvalidStatus"


def test_hostile_text_stays_text(swarm: LiveSwarm) -> None:
    """In whichever frame the agent's error comes: the first may be of before its first call."""
    with dial(swarm) as client:
        client.send(hello(swarm))
        model, end = ClientModel(), time.monotonic() + 30
        while "onerror" not in (said := said_by(model, "Rude")):
            assert time.monotonic() < end, "it said nothing"
            raw = client.recv(timeout=10)
            assert "\x00" not in raw
            model.receive(raw)
    assert HOSTILE[:20] in said


def said_by(model: ClientModel, agent: str) -> str:
    """The last error of an agent, as a client knows it; empty before there is one."""
    if not model.known:
        return ""
    error: str = model.agents["err"][model.agents["id"].index(agent)]
    return error


def test_new_tokens_end_old_conversations(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as swarm, dial(swarm) as client, dial(swarm) as keeps:
        client.send(hello(swarm, "operator"))
        keeps.send(hello(swarm, "viewer"))
        heard(client)
        rotate(swarm.config.storage.runs, "operator")
        assert close_code(client) == 4401
        assert heard(keeps)["t"] == "hello"


def test_the_end_of_a_run_is_told_and_the_next_one_has_the_same_tokens(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as first:
        token = first.token()
        with dial(first) as client:
            client.send(hello(first))
            epoch = heard(client)["epoch"]
            first.stop()
            frames: list[Any] = []
            end = time.monotonic() + 30
            while not frames or frames[-1]["t"] != "end":
                frames.append(heard(client))
                assert time.monotonic() < end
            assert close_code(client) == 1001
        assert not (first.folder / "control.json").exists()
    with LiveSwarm(tmp_path) as second:
        assert second.token() == token
        with dial(second) as client:
            client.send(hello(second, resume={"epoch": epoch, "seq": 3}))
            told = heard(client)
            assert told["epoch"] > epoch
            assert heard(client)["t"] == "snap"
