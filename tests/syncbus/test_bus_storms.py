"""Feedback storms: what feeds on itself is ended and named, what is merely busy never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    AgentHandle,
    AgentPolicy,
    BusError,
    BusEvent,
    BusPolicy,
    EventKind,
    Interest,
    LifeState,
    SyncBus,
)

POLICY = BusPolicy(storm_calls=64, turn=32)


class Stage:
    """A bus, the handles of its agents, and the storms it has told of."""

    def __init__(self, policy: BusPolicy = POLICY) -> None:
        self.clock = VirtualClock(SECOND)
        self.bus = SyncBus(self.clock, seed=1, policy=policy)
        self.handles: dict[str, AgentHandle] = {}
        self.storms: list[str] = []
        self.bus.on_event(self._note)

    def _note(self, event: BusEvent) -> None:
        if event.kind is EventKind.STORM:
            self.storms.append(event.detail)

    def echo(self, name: str, *sources: str, times: int = 1, mode: Any = "latest") -> None:
        """An agent that answers each update of ``sources`` with ``times`` publications."""

        def on_update(update: Any) -> None:
            for _ in range(times):
                self.handles[name].publish({"x": 1})

        self.add(name, [Interest(source, mode=mode) for source in sources], on_update=on_update)

    def sink(self, name: str, *sources: str) -> None:
        self.add(name, sources, on_update=lambda _: None)

    def add(self, name: str, interests: Any = (), **handlers: Any) -> None:
        self.handles[name] = self.bus.register(name, kind="k", interests=interests, **handlers)

    def crowd(self, *sources: str) -> None:
        """More readers than a turn of the loop can call: the bus never comes to rest."""
        for number in range(40):
            self.sink(f"reader{number}", *sources)

    def start(self, name: str) -> None:
        self.handles[name].publish({"x": 0})

    @property
    def blamed(self) -> list[str]:
        down = (LifeState.ISOLATED, LifeState.FAILED)
        return [name for name in self.handles if self.bus.status(name) in down]

    def live(self, main: Callable[[], Any]) -> None:
        loop = VirtualTimeLoop(self.clock)
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    def busy(self, *names: str, turns: int = 900, beside: int = 8) -> None:
        """A live loop in which ``names`` are published each turn, more than a turn can serve."""

        async def main() -> None:
            for _ in range(turns):
                for _ in range(beside):
                    for name in names:
                        if name not in self.blamed:
                            self.handles[name].publish({"x": 2})
                await asyncio.sleep(0)

        self.live(main)


def rotations(*names: str) -> list[str]:
    ways = [[*names[i:], *names[:i]] for i in range(len(names))]
    return [" -> ".join([*way, way[0]]) for way in ways]


@pytest.mark.parametrize("mode", ["latest", "every"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_ring_is_named_in_order_and_its_bystanders_are_spared(size: int, mode: Any) -> None:
    stage = Stage()
    ring = [f"r{i}" for i in range(size)]
    for index, name in enumerate(ring):
        stage.echo(name, ring[index - 1], mode=mode)
    stage.echo("relay", "r0")
    stage.sink("listener", "k")
    stage.start("r0")
    stage.bus.settle()
    assert stage.blamed == ring
    assert stage.storms in [[way] for way in rotations(*ring)]
    assert stage.bus.accounting_residual() == 0


def test_a_loop_over_the_lossless_lane() -> None:
    stage = Stage()

    def forward(name: str, to: str) -> Any:
        return lambda message: stage.handles[name].send(to, message)

    stage.add("a", on_message=forward("a", "b"))
    stage.add("b", on_message=forward("b", "a"))
    heard: list[int] = []
    stage.add("c", on_message=heard.append)
    stage.bus.send("a", 1)
    stage.bus.send("c", 2)
    stage.bus.settle()
    assert stage.blamed == ["a", "b"]
    assert heard == [2]
    assert stage.bus.accounting_residual() == 0


def test_a_loop_over_two_lanes_and_an_assembly_source() -> None:
    """a publishes into a state of the assembly, b reads that and writes to a."""
    stage = Stage()
    board = stage.bus.open_source("board", kind="view")
    stage.add("a", on_message=lambda _: board.publish({"x": 1}))
    stage.add("b", ["board"], on_update=lambda _: stage.handles["b"].send("a", 1))
    stage.sink("c", "board")
    board.publish({"x": 0})
    stage.bus.settle()
    assert stage.blamed == ["a", "b"]


def test_a_loop_over_the_critical_lane() -> None:
    stage = Stage()
    stage.add("a", ["b"], on_update=lambda _: stage.bus.signal("b", "now"))
    stage.add("b", on_signal=lambda _: stage.handles["b"].publish({"x": 1}))
    stage.sink("c", "b")
    stage.start("b")
    stage.bus.settle()
    assert stage.blamed == ["a", "b"]


def test_a_loop_with_a_step_within_the_publish() -> None:
    stage = Stage()
    stage.echo("a", "b")
    stage.echo("b", "a", mode="eager")
    stage.sink("c", "a", "b")
    stage.start("a")
    stage.bus.settle()
    assert stage.blamed == ["a", "b"]


def test_a_loop_through_conflation() -> None:
    """Each answers threefold and is told the three as one, beside somebody who publishes more."""
    stage = Stage()
    stage.echo("a", "b", times=3)
    stage.echo("b", "a", times=3)
    stage.add("ticker")
    stage.crowd("ticker", "a")
    stage.start("a")
    stage.busy("ticker", turns=600)
    assert stage.blamed == ["a", "b"]
    assert stage.storms in [[way] for way in rotations("a", "b")]


def test_a_loop_whose_handlers_wait() -> None:
    stage = Stage()

    def slow_echo(name: str) -> Any:
        async def on_update(_: Any) -> None:
            await asyncio.sleep(0)
            stage.handles[name].publish({"x": 1})

        return on_update

    stage.add("a", ["b"], on_update=slow_echo("a"))
    stage.add("b", ["a"], on_update=slow_echo("b"))
    stage.add("ticker")
    stage.crowd("ticker")
    stage.start("a")
    stage.busy("ticker", turns=2000)
    assert stage.blamed == ["a", "b"]


def test_two_loops_at_once() -> None:
    stage = Stage()
    stage.echo("a", "b")
    stage.echo("b", "a")
    stage.echo("c", "c")
    stage.echo("d", "a", "c")
    stage.start("a")
    stage.start("c")
    stage.bus.settle()
    assert stage.blamed == ["a", "b", "c"]
    assert len(stage.storms) == 2


def test_of_alternating_partners_the_hub_is_blamed() -> None:
    """Nobody is failed without whom the news would have gone round all the same."""
    stage = Stage()
    turn = [0]

    def hub(_: Any) -> None:
        turn[0] += 1
        stage.handles["hub"].send(f"p{turn[0] % 5}", 1)

    stage.add("hub", on_message=hub)
    for number in range(5):
        name = f"p{number}"
        stage.add(name, on_message=lambda m, n=name: stage.handles[n].send("hub", m))
    stage.bus.send("hub", 1)
    stage.bus.settle()
    assert stage.blamed == ["hub"]


# -- busy is not ill --------------------------------------------------------------------------


def test_a_fast_publisher_and_a_long_pipeline_are_busy_not_ill() -> None:
    stage = Stage()
    stage.add("ticker")
    last = "ticker"
    for number in range(12):
        stage.echo(f"p{number}", last)
        last = f"p{number}"
    stage.sink("everything", "k")
    stage.crowd("ticker")
    stage.busy("ticker", turns=900)
    assert stage.blamed == []
    assert stage.storms == []
    assert stage.bus._dispatcher.storm.acquitted > 0  # it was looked at, and let go


def test_of_two_who_read_each_other_one_answers() -> None:
    stage = Stage()
    stage.sink("asks", "answers")
    stage.echo("answers", "asks")
    stage.crowd("asks", "answers")
    stage.busy("asks")
    assert stage.blamed == []
    assert stage.bus._dispatcher.storm.acquitted > 0


def test_masks_that_do_not_meet_are_no_loop() -> None:
    """a answers b in y; b reads x of a alone."""
    stage = Stage()
    stage.add("a", ["b"], on_update=lambda _: stage.handles["a"].publish({"y": 1}))
    stage.add("b", [("a", "x")], on_update=lambda _: stage.handles["b"].publish({"z": 1}))
    stage.crowd("a", "b")
    stage.busy("a")
    assert stage.blamed == []
    assert stage.bus._dispatcher.storm.acquitted > 0


def test_a_dialogue_that_ends_is_no_loop() -> None:
    """Each tick starts four rounds between two agents; the ticks never stop."""
    stage = Stage()
    stage.add("ticker")

    def answer(name: str, to: str) -> Any:
        def on_message(left: int) -> None:
            if left:
                stage.handles[name].send(to, left - 1)

        return on_message

    stage.add(
        "a",
        ["ticker"],
        on_update=lambda _: stage.handles["a"].send("b", 8),
        on_message=answer("a", "b"),
    )
    stage.add("b", on_message=answer("b", "a"))
    stage.crowd("ticker")
    stage.busy("ticker")
    assert stage.blamed == []
    assert stage.bus._dispatcher.storm.acquitted > 0


def test_a_trace_that_found_nothing_comes_back_half_as_often() -> None:
    stage = Stage()
    stage.add("ticker")
    stage.crowd("ticker")
    stage.busy("ticker", turns=1000)
    first = stage.bus._dispatcher.storm.acquitted
    stage.bus.settle()
    assert stage.bus._dispatcher.storm.acquitted == first
    calls = sum(stage.bus.statistics(name).calls for name in stage.handles)
    limit = POLICY.storm_calls * (1 + 41 + 40)
    assert 2 <= first <= (calls // limit).bit_length()


# -- the price --------------------------------------------------------------------------------


def test_during_a_storm_the_loop_stays_fair() -> None:
    """Between two turns of the event loop no more calls than a turn is allowed, also traced."""
    stage = Stage()
    calls = [0]

    def on_update(name: str) -> Any:
        def handler(_: Any) -> None:
            calls[0] += 1
            stage.handles[name].publish({"x": 1})

        return handler

    stage.add("a", ["b", "a"], on_update=on_update("a"))
    stage.add("b", ["a", "b"], on_update=on_update("b"))
    worst = [0]

    async def main() -> None:
        stage.start("a")
        while not stage.blamed:
            before = calls[0]
            await asyncio.sleep(0)
            worst[0] = max(worst[0], calls[0] - before)

    stage.live(main)
    assert stage.blamed == ["a", "b"]
    assert POLICY.turn <= worst[0] < POLICY.turn + POLICY.agent_turn


def test_nothing_is_traced_once_the_bus_rests_and_the_witness_misses_nothing() -> None:
    stage = Stage()
    seen: list[str] = []
    stage.bus.on_publish(lambda name, t, delta: seen.append(name))
    witness = stage.bus._dispatcher.witness
    stage.echo("a", "a")
    stage.start("a")
    handlers = stage.bus._agent("a").handlers
    stage.bus.settle()
    dispatcher = stage.bus._dispatcher
    assert dispatcher.storm.trace is None
    assert dispatcher.witness is witness
    assert stage.bus._agent("a").handlers is handlers
    assert stage.bus._agent("a").mailbox.turn == POLICY.agent_turn
    assert len(seen) == stage.bus.read("a").version


def test_a_restart_within_a_traced_turn_keeps_its_new_handlers() -> None:
    """Its factory ends the loop: were the old handlers put back, the storm would go on."""
    stage = Stage()
    bus = stage.bus

    def old(_: Any) -> None:
        stage.handles["a"].publish({"x": 1})
        if bus._dispatcher.storm.trace is not None:
            bus.restart("a")

    stage.handles["a"] = bus.register(
        "a",
        interests=["a"],
        on_update=old,
        factory=lambda handle, _: {"on_update": lambda _: None},
        policy=AgentPolicy(),
    )
    stage.start("a")
    bus.settle()
    assert bus.status("a") is not LifeState.ISOLATED
    assert bus.statistics("a").incarnation == 2
    assert stage.storms == []


def test_a_loop_through_an_observer_is_an_error_of_the_assembly() -> None:
    stage = Stage()
    board = stage.bus.open_source("board", kind="view")

    def observer(event: BusEvent) -> None:
        if event.kind is EventKind.DEAD_LETTER:
            board.publish({"x": 1})

    stage.bus.on_event(observer)
    stage.add("c", ["board"], on_update=lambda _: stage.handles["c"].send("d", 1, ttl_ns=0))
    stage.add("d", on_message=lambda _: None)
    board.publish({"x": 0})
    with pytest.raises(BusError, match="does not come to rest"):
        stage.bus.settle()
    assert stage.bus._dispatcher.storm.acquitted == 3
    assert stage.blamed == []


# -- any graph --------------------------------------------------------------------------------


def on_cycles(size: int, answers: set[tuple[int, int]]) -> set[int]:
    """Agents that their own news can reach again: Warshall's closure."""
    reach = [[(i, j) in answers for j in range(size)] for i in range(size)]
    for k in range(size):
        for i in range(size):
            for j in range(size):
                reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
    return {i for i in range(size) if reach[i][i]}


links = st.tuples(st.integers(0, 5), st.integers(0, 5))


@settings(max_examples=60, deadline=None)
@given(
    st.sets(links, max_size=10),
    st.sets(links, max_size=8),
    st.sampled_from(["latest", "every"]),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
)
def test_in_any_graph_blame_falls_on_cycles_alone(
    answers: set[tuple[int, int]], reads: set[tuple[int, int]], mode: Any, starts: list[int]
) -> None:
    """``(i, j)`` in answers: j answers the news of i; in reads: j reads i and says nothing."""
    stage = Stage(BusPolicy(storm_calls=4))
    for j in range(6):
        sources = sorted(i for i in range(6) if (i, j) in answers | reads)

        def on_update(update: Any, j: int = j) -> None:
            if (int(update.source[1:]), j) in answers:
                stage.handles[f"n{j}"].publish({"x": 1})

        interests = [Interest(f"n{i}", mode=mode) for i in sources]
        stage.add(f"n{j}", interests, on_update=on_update, policy=AgentPolicy(stream=6))
    for index in starts:
        stage.start(f"n{index}")
    stage.bus.settle()
    cyclic = on_cycles(6, answers)
    assert {int(name[1:]) for name in stage.blamed} <= cyclic
    assert bool(stage.blamed) == bool(stage.storms)
    # Those left can be started again and come to rest without further blame.
    before = list(stage.storms)
    for index in starts:
        if f"n{index}" not in stage.blamed:
            stage.start(f"n{index}")
    stage.bus.settle()
    assert stage.storms == before
    assert stage.bus.accounting_residual() == 0
