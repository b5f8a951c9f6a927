"""A client's state is the server's, whatever the way between them does to the frames."""

from __future__ import annotations

import dataclasses
import json
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import Invented, with_top

from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.curves import Tracing
from mirrorcore.interfaces.live.model import RESYNC, ClientModel, Heard
from mirrorcore.interfaces.live.picture import COLUMNS, Agents, Picture


def told(channel: Channel) -> dict[str, Any]:
    """What a client knows that was given a snapshot alone."""
    model = ClientModel()
    model.receive(channel.snapshot("hello"))
    return json.loads(json.dumps(model.state()))


def known(model: ClientModel) -> dict[str, Any]:
    return json.loads(json.dumps(model.state()))


class Way:
    """A server, a client and a bad line between them."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = Invented(self.rng)
        self.epoch = 1000
        self.channel = Channel(self.epoch, self.world.picture())
        self.truth = {(self.epoch, 0): told(self.channel)}
        self.model = ClientModel()
        self.line: list[bytes] = []
        self.past: list[bytes] = []
        self.connect()

    def connect(self) -> None:
        """A new connection: what was under way on the old one is gone."""
        self.line.clear()
        self.past.clear()
        hello = wire.read_hello(self.model.hello("token"))
        self.line.append(wire.hello(self.epoch, 10, "viewer", 1, run="r", mode="paper"))
        missed = None if hello.resume is None else self.channel.since(hello.resume)
        self.line += [self.channel.snapshot("hello")] if missed is None else missed

    def restart(self, later: int) -> None:
        """Another server; its clock may have been set back."""
        self.epoch += later
        self.world = Invented(self.rng)
        self.channel = Channel(self.epoch, self.world.picture())
        self.truth[self.epoch, 0] = told(self.channel)
        self.connect()

    def step(self) -> None:
        self.world.step()
        frame = self.channel.advance(self.world.picture())
        if frame is not None:
            self.line.append(frame)
            self.truth[self.epoch, self.channel.seq] = told(self.channel)

    def beat(self) -> None:
        self.line.append(self.channel.heartbeat(1))

    def behind(self) -> None:
        """The client read too slowly: all that waits becomes one snapshot."""
        self.line[:] = [self.channel.snapshot("behind")]

    def lose(self) -> None:
        if self.line:
            del self.line[self.rng.randrange(len(self.line))]

    def repeat(self) -> None:
        if self.past:
            self.line.insert(0, self.rng.choice(self.past))

    def disorder(self) -> None:
        self.rng.shuffle(self.line)

    def deliver(self) -> None:
        if self.line:
            frame = self.line.pop(0)
            self.past.append(frame)
            if self.model.receive(frame) is Heard.RESYNC:
                assert wire.asks_for_snapshot(RESYNC)
                self.line.append(self.channel.snapshot("resync"))
        self.check()

    def again(self) -> None:
        """Two seconds without the snapshot."""
        if self.model.ask_again():
            self.line.append(self.channel.snapshot("resync"))

    def check(self) -> None:
        """What is shown is a moment that was, whole."""
        if self.model.known:
            assert known(self.model) == self.truth[self.model.epoch, self.model.seq]

    def heal(self) -> None:
        """The line is good again: everything arrives, and a heartbeat after it."""
        while self.line:
            self.deliver()
        self.beat()
        while self.line:
            self.deliver()
        self.again()
        while self.line:
            self.deliver()


STEPS = (
    "step", "step", "step", "beat", "behind", "lose", "repeat", "disorder", "deliver", "deliver",
    "deliver", "again", "connect", "restart later", "restart earlier",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(STEPS), max_size=60))
def test_any_disorder_ends_in_the_servers_state(seed: int, steps: list[str]) -> None:
    way = Way(seed)
    for name in steps:
        if name.startswith("restart"):
            way.restart(7 if name.endswith("later") else -3)
        else:
            getattr(way, name)()
        way.check()
    way.heal()
    assert known(way.model) == told(way.channel)
    assert not way.model.waiting
    way.step()
    way.heal()
    assert known(way.model) == told(way.channel)


def test_a_curve_over_a_long_run_thins_alike_on_both_sides() -> None:
    curve, empty, model = Tracing(), Invented(Random(1), agents=1).picture(), ClientModel()
    channel = Channel(5, empty)
    model.receive(channel.snapshot("hello"))
    lengths = []
    for tick in range(1, 5001):
        curve.note((tick, 60 * tick, 0.5))
        if tick % 3 == 0 or tick > 4990:
            frame = channel.advance(dataclasses.replace(empty, eq=curve.build()))
            assert frame is not None
            assert model.receive(frame) is Heard.APPLIED
            lengths.append(len(model.eq))
    assert known(model) == told(channel)
    # The whole run, evenly: every eighth point, and the last.
    assert [point[0] for point in model.eq] == list(range(8, 5001, 8))
    assert 512 < max(lengths) <= 1024


@pytest.fixture
def pair() -> tuple[Channel, Invented, ClientModel]:
    world = Invented(Random(3))
    channel, model = Channel(5, world.picture()), ClientModel()
    model.hello("")
    model.receive(channel.snapshot("hello"))
    return channel, world, model


def advanced(channel: Channel, world: Invented) -> bytes:
    world.step()
    frame = channel.advance(world.picture())
    assert frame is not None
    return frame


def test_a_gap_is_not_applied_and_asks_once(pair: tuple[Channel, Invented, ClientModel]) -> None:
    channel, world, model = pair
    before = known(model)
    advanced(channel, world)
    assert model.receive(advanced(channel, world)) is Heard.RESYNC
    assert model.receive(advanced(channel, world)) is Heard.IGNORED
    assert (known(model), model.waiting) == (before, True)
    assert model.ask_again()
    assert model.receive(channel.snapshot("resync")) is Heard.APPLIED
    assert known(model) == told(channel)
    assert not model.ask_again()


def test_a_lost_last_frame_shows_with_the_heartbeat(
    pair: tuple[Channel, Invented, ClientModel],
) -> None:
    channel, world, model = pair
    assert model.receive(channel.heartbeat(1)) is Heard.NOTED
    advanced(channel, world)
    assert model.receive(channel.heartbeat(1)) is Heard.RESYNC


def test_a_duplicate_and_an_old_snapshot_change_nothing(
    pair: tuple[Channel, Invented, ClientModel],
) -> None:
    channel, world, model = pair
    old = channel.snapshot("hello")
    frame = advanced(channel, world)
    assert model.receive(frame) is Heard.APPLIED
    now = known(model)
    assert model.receive(frame) is Heard.IGNORED
    assert model.receive(old) is Heard.IGNORED
    assert known(model) == now


def test_frames_of_an_earlier_server_are_ignored(
    pair: tuple[Channel, Invented, ClientModel],
) -> None:
    channel, world, model = pair
    late = advanced(channel, world)
    other = Channel(6, Invented(Random(4)).picture())
    model.receive(other.snapshot("hello"))
    assert model.receive(late) is Heard.IGNORED
    assert known(model) == told(other)


def test_what_it_does_not_know_it_ignores(pair: tuple[Channel, Invented, ClientModel]) -> None:
    _, _, model = pair
    assert model.receive('{"t":"weather"}') is Heard.IGNORED
    frame = {"t": "d", "epoch": 5, "seq": 1, "ts": 1, "wall": 1, "moon": "full", "top": {"tick": 9}}
    assert model.receive(json.dumps(frame)) is Heard.APPLIED
    assert model.top["tick"] == 9
    with pytest.raises(ValueError, match="truncated"):
        model.receive("{")


def test_it_says_where_it_was(pair: tuple[Channel, Invented, ClientModel]) -> None:
    channel, world, model = pair
    model.receive(advanced(channel, world))
    assert json.loads(model.hello("secret")) == {
        "op": "hello", "v": 2, "token": "secret", "rate": 10, "resume": {"epoch": 5, "seq": 1},
    }  # fmt: skip
    missed = [advanced(channel, world), advanced(channel, world)]
    assert channel.since(wire.Resume(5, 1)) == missed
    assert channel.since(wire.Resume(4, 1)) is None
    assert channel.since(wire.Resume(5, 9)) is None
    assert "resume" not in json.loads(ClientModel().hello(""))


def test_the_last_300_frames_can_be_taken_up_again() -> None:
    world = Invented(Random(3), agents=1)
    channel = Channel(5, world.picture())
    for tick in range(1, 401):
        assert channel.advance(with_top(world.picture(), tick=tick)) is not None
    assert len(channel.since(wire.Resume(5, 100)) or []) == 300
    assert channel.since(wire.Resume(5, 99)) is None


def changed(channel: Channel, picture: Picture) -> dict[str, Any]:
    frame = channel.advance(picture)
    assert frame is not None
    told: dict[str, Any] = json.loads(frame)
    return {name: told[name] for name in told if name not in ("t", "epoch", "seq", "ts", "wall")}


def test_of_a_row_the_fields_that_changed_are_sent() -> None:
    empty = Invented(Random(3), agents=1).picture()
    channel, model = Channel(5, empty), ClientModel()
    model.receive(channel.snapshot("hello"))
    for row, sent in (
        ({"mark": 1.0, "qty": 2.0}, {"set": {"A": {"mark": 1.0, "qty": 2.0}}}),
        ({"mark": 1.5, "qty": 2.0}, {"set": {"A": {"mark": 1.5}}}),
        ({"mark": 1.5}, {"del": ["A"], "set": {"A": {"mark": 1.5}}}),
    ):
        seen = model.tables["pos"].get("A", {})
        before = dict(seen)
        assert changed(channel, dataclasses.replace(empty, tables={"pos": {"A": row}})) == {
            "pos": sent
        }
        model.receive(list(channel.since(wire.Resume(5, model.seq)) or ())[-1])
        assert model.tables["pos"]["A"] == row
        assert seen == before, "who holds a row is not surprised"


def test_a_fifth_of_many_agents_is_told_in_few_bytes() -> None:
    rng, n = np.random.default_rng(1), 1000
    columns = {
        name: tuple(f"agent{row}" for row in range(n)) if kind == "text" else np.zeros(n, np.int64)
        for name, kind in COLUMNS.items()
    } | {name: np.full(n, np.nan) for name, kind in COLUMNS.items() if kind == "number"}
    picture = dataclasses.replace(Picture.blank(), agents=Agents(n, columns))
    channel, model = Channel(5, picture), ClientModel()
    model.receive(channel.snapshot("hello"))
    rows = np.sort(rng.choice(n, n // 5, replace=False))
    new = {name: np.full(n, np.nan) for name in ("conf", "lean")}
    new["conf"][rows] = np.round(rng.uniform(0, 1, n // 5), 2)
    new["lean"][rows] = np.round(rng.uniform(-1, 1, n // 5), 2)
    frame = channel.advance(dataclasses.replace(picture, agents=Agents(n, columns | new)))
    assert frame is not None
    assert model.receive(frame) is Heard.APPLIED
    for name, column in new.items():
        told = np.array(model.agents[name], dtype=np.float64)
        assert np.array_equal(told, column, equal_nan=True), "to the last bit"
    assert len(frame) / len(rows) < 10.0


def test_names_are_those_behind_the_numbers(pair: tuple[Channel, Invented, ClientModel]) -> None:
    _, world, model = pair
    agent = model.agent(0)
    assert agent["id"] == "agent0"
    assert agent["kind"] == world.kinds[int(world.columns["kind"][0])]
    assert agent["st"] in ("running", "paused", "isolated")
