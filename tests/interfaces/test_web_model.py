"""The page's own model of a run against the Python one: the same frames, the same state.

Both follow docs/wire.md and were written apart. The server is real as far as frames go, the way
between it and the clients loses, repeats and disorders them, and servers are restarted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from chromium import browser
from made_pictures import Invented
from page_world import unserved_page

from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.model import ClientModel, Heard

STEPS = (
    "step", "step", "step", "beat", "behind", "lose", "repeat", "disorder", "deliver", "deliver",
    "deliver", "again", "connect", "restart later", "restart earlier", "end",
)  # fmt: skip

FEED = """script => {
    const model = new window.mirrorcore.link.client.constructor();
    const states = [];
    for (const [what, text] of script) {
        if (what === "connect") {
            model.connected();
            states.push({ resume: model.resume });
            continue;
        }
        const verdict = model.receive(JSON.parse(text));
        const { state, epoch, seq, behind, ended } = model;
        let shown = null;
        if (state) {
            const { ts, wall, agents, eq, emo, ...rest } = state;
            shown = { epoch, seq, ...rest, agents: agents.c, n: agents.n, eq: eq.p, emo: emo.p };
        }
        states.push({ verdict, behind, ended, shown: shown && JSON.stringify(shown) });
    }
    return states;
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """The built page, without a swarm: its model is all that is asked for."""
    with browser() as chromium, unserved_page(chromium) as found:
        yield found


class Way:
    """A server, the Python client, and all that either was told, to be told to the page."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = Invented(self.rng)
        self.epoch = 1000
        self.channel = Channel(self.epoch, self.world.picture())
        self.model = ClientModel()
        self.line: list[bytes] = []
        self.past: list[bytes] = []
        self.script: list[tuple[str, str]] = []
        self.expected: list[dict[str, Any]] = []
        self.connect()

    def connect(self) -> None:
        self.line.clear()
        self.past.clear()
        hello = json.loads(self.model.hello("token"))
        self.script.append(("connect", ""))
        self.expected.append({"resume": hello.get("resume")})
        resume = wire.read_hello(json.dumps(hello)).resume
        missed = None if resume is None else self.channel.since(resume)
        self.line.append(wire.hello(self.epoch, 10, "viewer", 1, run="r", mode="paper"))
        self.line += [self.channel.snapshot("hello")] if missed is None else missed

    def restart(self, later: int) -> None:
        self.epoch += later
        self.world = Invented(self.rng)
        self.channel = Channel(self.epoch, self.world.picture())
        self.connect()

    def step(self) -> None:
        self.world.step()
        frame = self.channel.advance(self.world.picture())
        if frame is not None:
            self.line.append(frame)

    def beat(self) -> None:
        self.line.append(self.channel.heartbeat(1))

    def end(self) -> None:
        self.line.append(wire.end(self.epoch, self.channel.seq, "finished"))

    def behind(self) -> None:
        self.line[:] = [self.channel.snapshot("behind")]

    def lose(self) -> None:
        if self.line:
            del self.line[self.rng.randrange(len(self.line))]

    def repeat(self) -> None:
        if self.past:
            self.line.insert(0, self.rng.choice(self.past))

    def disorder(self) -> None:
        self.rng.shuffle(self.line)

    def again(self) -> None:
        self.line.append(self.channel.snapshot("resync"))

    def deliver(self) -> None:
        if not self.line:
            return
        frame = self.line.pop(0)
        self.past.append(frame)
        heard = self.model.receive(frame)
        self.script.append(("frame", frame.decode()))
        known = {**self.model.state(), "n": self.model.n} if self.model.known else None
        self.expected.append(
            {
                "applied": heard is Heard.APPLIED,
                "behind": self.model.known and self.model.waiting,
                "ended": self.model.ended or None,
                "shown": json.loads(json.dumps(known)),
            }
        )
        if heard is Heard.RESYNC:
            self.line.append(self.channel.snapshot("resync"))


@pytest.mark.parametrize("seed", range(20))
def test_the_page_knows_what_the_other_client_knows(page: Any, seed: int) -> None:
    way = Way(seed)
    for _ in range(120):
        name = way.rng.choice(STEPS)
        if name.startswith("restart"):
            way.restart(7 if name.endswith("later") else -3)
        else:
            getattr(way, name)()
    way.restart(5)
    for _ in range(20):
        way.step()
        way.deliver()
    while way.line:
        way.deliver()
    told = page.evaluate(FEED, way.script)
    assert len(told) == len(way.expected)
    applied = 0
    for at, (ours, theirs) in enumerate(zip(told, way.expected, strict=True)):
        if "resume" in theirs:
            assert ours["resume"] == theirs["resume"], at
            continue
        applied += theirs["applied"]
        assert (ours["verdict"] == "applied") == theirs["applied"], at
        assert (ours["behind"] and ours["shown"] is not None) == theirs["behind"], at
        assert ours["ended"] == theirs["ended"], at
        assert (ours["shown"] and json.loads(ours["shown"])) == theirs["shown"], at
    assert applied >= 20
