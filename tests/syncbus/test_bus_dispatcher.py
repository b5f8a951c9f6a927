"""When the dispatcher runs, on which loop, how much in one turn, and who may drive it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from called import Called

from mirrorcore.clock import SECOND, LiveClock, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    ALL,
    AgentDown,
    AgentHandle,
    BusEvent,
    BusPolicy,
    EventKind,
    FloodError,
    LifeState,
    StateError,
    SyncBus,
    Update,
)


def make(policy: BusPolicy | None = None) -> SyncBus:
    return SyncBus(VirtualClock(SECOND), policy=policy)


def on_a_loop(main: Any) -> None:
    loop = VirtualTimeLoop(VirtualClock(0))
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def test_settle_says_how_many_calls_it_made() -> None:
    bus = make(BusPolicy(storm_calls=1))
    a = bus.register("a")
    for number in range(7):
        bus.register(f"r{number}", interests=["a"], on_update=lambda update: None)
    a.publish({"x": 1})
    assert bus.settle() == 7
    assert bus.settle() == 0


def test_a_handler_cannot_drive_the_bus() -> None:
    bus = make()
    events: list[BusEvent] = []
    bus.on_event(events.append)
    settled: list[int] = []
    a = bus.register("a")

    def on_update(update: Update) -> None:
        settled.append(bus.settle())
        bus.tick(None)

    bus.register("b", interests=["a"], on_update=on_update)
    bus.register("c", interests=["a"], on_update=lambda update: None)
    a.publish({"x": 1})
    assert bus.settle() == 2
    assert settled == [0]
    failures = [event.detail for event in events if event.kind is EventKind.FAILURE]
    assert failures == ["BusError: an agent's handler cannot drive the bus that called it"]


def test_a_tick_pauses_between_turns_and_signals_are_served_there() -> None:
    bus = make()
    called: list[int] = []
    heard: list[tuple[int, int]] = []
    pauses: list[int] = []

    def join(number: int) -> None:
        bus.register(
            f"a{number}",
            on_tick=lambda _: called.append(number),
            on_signal=lambda _: heard.append((number, len(called))),
        )

    def between() -> None:
        pauses.append(len(called))
        if len(called) == 16:
            bus.signal(ALL, "stop")
            assert bus.settle() == 0, "the tick is not over"
            bus.serve_signals()
            assert len(heard) == 40

    for number in range(40):
        join(number)
    bus.tick(None, between=between)
    assert pauses == [0, 16, 32]
    assert heard == [(number, 16) for number in range(40)]
    assert called == list(range(40))
    bus.signal("a7", "stop")
    bus.serve_signals()
    assert heard[40:] == [(7, 40)]


def test_a_turn_of_the_loop_makes_no_more_calls_than_it_may() -> None:
    """However often somebody published before it came round."""
    policy = BusPolicy(turn=8, agent_turn=4)
    bus = make(policy)
    calls: list[str] = []
    sources = [bus.register(f"s{number}", kind="s") for number in range(20)]
    for number in range(5):
        name = f"r{number}"
        bus.register(name, interests=["s"], on_update=lambda update, n=name: calls.append(n))

    async def main() -> None:
        for source in sources:
            source.publish({"x": 1})
        made = []
        while len(calls) < 100:
            before = len(calls)
            await asyncio.sleep(0)
            made.append(len(calls) - before)
        assert max(made) == 8
        assert sum(made) == 100

    on_a_loop(main())
    assert calls[:8] == ["r0"] * 4 + ["r1"] * 4


def test_a_bus_whose_loop_was_closed_goes_on_with_the_next() -> None:
    bus = make()
    heard: list[int] = []
    a = bus.register("a")
    bus.register("b", interests=["a"], on_update=lambda update: heard.append(update.version))

    async def publish() -> None:
        a.publish({"x": 1})

    async def go_on() -> None:
        bus.pause("b")
        bus.resume("b")
        for _ in range(3):
            await asyncio.sleep(0)
        a.publish({"x": 2})
        for _ in range(3):
            await asyncio.sleep(0)

    loop = VirtualTimeLoop(VirtualClock(0))
    first = loop.create_task(publish())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert first.done()
    loop.close()
    on_a_loop(go_on())
    assert heard == [1, 2]


def test_a_loop_that_stopped_finds_what_was_published_between() -> None:
    bus = make()
    heard: list[int] = []
    a = bus.register("a")
    bus.register("b", interests=["a"], on_update=lambda update: heard.append(update.version))

    async def turn() -> None:
        bus.pause("b")
        bus.resume("b")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    a.publish({"x": 1})
    on_a_loop(turn())
    a.publish({"x": 2})
    on_a_loop(turn())
    assert heard == [1, 2]


def test_rows_reach_those_who_are_called_beside_those_who_read() -> None:
    bus = make()
    heard: list[float] = []
    a = bus.register("a")
    pulls = bus.register("pulls", interests=["a"])
    stranger = bus.register("stranger", interests=["b"])
    bus.register("b", interests=["a"], on_update=lambda update: heard.append(update.fields["x"]))
    a.load_block({"x": np.arange(3.0)}, np.arange(3) + SECOND, 3)
    bus.reach(1)
    bus.settle()
    assert heard == [1.0]
    assert stranger.collect() != pulls.collect() != []
    assert bus.checkpoint() is None
    bus.isolate("a")
    assert bus.checkpoint() is not None  # its block has gone with it
    bus.reach(2)
    bus.settle()
    assert heard == [1.0]


def test_who_waits_for_an_admission_is_not_waited_for() -> None:
    clock = VirtualClock(SECOND)
    bus = SyncBus(clock, admission="tick")
    handles: dict[str, AgentHandle] = {}
    answers: list[Any] = []

    async def on_tick(_: Any) -> None:
        await asyncio.sleep(0)
        answers.append(await handles["a"].request("b", 1, timeout_ns=20 * SECOND))

    handles["a"] = bus.register("a", on_tick=on_tick)
    bus.register("b", on_message=lambda message: message + 1)

    async def main() -> None:
        bus.tick(None)
        await bus.wait_quiet(clock.now() + 10 * SECOND // 100)
        assert clock.now() == SECOND
        assert bus.admit() == ["a"]
        bus.settle()
        await bus.wait_quiet(clock.now() + SECOND // 10)
        assert bus.admit() == ["a"]
        assert answers == [2]
        await bus.aclose()

    loop = VirtualTimeLoop(clock)
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("fields", [None, ("x",)])
def test_a_paused_agent_is_passed_over_and_found_again(fields: Any) -> None:
    bus = make()
    heard: list[str] = []
    a = bus.register("a")
    for name in ("b", "c"):
        bus.register(
            name, interests=[("a", fields) if fields else "a"],
            on_update=lambda update, n=name: heard.append(n),
        )  # fmt: skip
    a.publish({"x": 1})
    bus.pause("b")
    assert bus.settle() == 1
    assert heard == ["c"]
    bus.resume("b")
    bus.settle()
    assert heard == ["c", "b"]


# -- whose time it was ------------------------------------------------------------------------


class Stamps:
    """In place of the machine's stamps: they stand still until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        for module in ("dispatcher", "outcomes"):
            monkeypatch.setattr(f"mirrorcore.syncbus.{module}.stamp_ns", lambda: self.now)

    def spend(self, *_: Any) -> None:
        self.now += 10 * SECOND


def down(bus: SyncBus) -> list[str]:
    bus.sweep()
    return [name for name in bus.agent_ids if bus.status(name) is not LifeState.RUNNING]


def test_the_time_between_two_turns_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    a = bus.register("a")
    bus.register("b", interests=["a"], on_update=lambda update: None)
    for _ in range(3):
        stamps.spend()
        a.publish({"x": 1})
        bus.settle()
    assert down(bus) == []
    assert sum(bus._agent("b").latency[1:]) == 0


def test_who_holds_the_loop_in_a_call_is_found_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    a = bus.register("a")
    for name in ("b", "slow", "c"):
        bus.register(
            name,
            interests=["a"],
            on_update=stamps.spend if name == "slow" else lambda update: None,
        )
    a.publish({"x": 1})
    bus.settle()
    assert down(bus) == ["slow"]
    assert bus.statistics("slow").expired == 1
    assert [sum(bus._agent(name).latency[1:]) for name in ("b", "slow", "c")] == [0, 1, 0]


@pytest.mark.parametrize("within", [False, True], ids=["before a turn", "within a turn"])
def test_the_time_of_a_signal_is_its_receivers(
    within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    a = bus.register("a")
    bus.register("slow", on_signal=stamps.spend)

    def on_update(update: Update) -> None:
        if within:
            bus.signal("slow", 1)

    bus.register("b", interests=["a"], on_update=on_update)
    a.publish({"x": 1})
    if not within:
        bus.signal("slow", 1)
    bus.settle()
    assert down(bus) == ["slow"]
    assert sum(bus._agent("b").latency[1:]) == 0


def test_in_virtual_time_nobody_is_judged_by_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps, bus = Stamps(monkeypatch), make()
    a = bus.register("a")
    bus.register("slow", interests=["a"], on_update=stamps.spend, on_signal=stamps.spend)
    a.publish({"x": 1})
    bus.signal("slow", 1)
    bus.settle()
    bus.guarded("slow", stamps.spend)
    assert down(bus) == []
    assert sum(bus._agent("slow").latency[1:]) == 3


def test_after_a_slow_turn_an_agent_is_called_once_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow, but not beyond its deadline: from then on its turns are short."""
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    order: list[str] = []
    sources = [bus.register(f"s{number}", kind="s") for number in range(4)]

    def on_update(update: Update) -> None:
        order.append("slow")
        stamps.now += SECOND // 10

    bus.register("slow", interests=["s"], on_update=on_update)
    bus.register("b", interests=["s"], on_update=lambda update: order.append("b"))
    sources[0].publish({"x": 1})
    bus.settle()
    order.clear()
    for source in sources:
        source.publish({"x": 2})
    bus.settle()
    assert order == ["slow", *["b"] * 4, *["slow"] * 3]
    assert down(bus) == []


@pytest.mark.parametrize("extra", [0, 1])
def test_a_deadline_is_passed_when_it_is_exceeded(
    extra: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    a = bus.register("a")
    deadline = bus._agent("a").policy.deadline_ns

    def spend(_: Any) -> None:
        stamps.now += deadline + extra

    bus.register("updated", interests=["a"], on_update=spend)
    bus.register("ticked", on_tick=spend)
    bus.register("signalled", on_signal=spend)
    a.publish({"x": 1})
    bus.signal("signalled", 1)
    bus.settle()
    bus.tick(None)
    assert down(bus) == (["updated", "ticked", "signalled"] if extra else [])


def test_the_time_of_a_turn_is_shared_by_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps, bus = Stamps(monkeypatch), make()
    sources = [bus.register(f"s{number}", kind="s") for number in range(2)]
    bus.register("a", interests=["s"], on_update=stamps.spend)
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert bus._agent("a").latency[(10 * SECOND).bit_length()] == 2


def test_a_handler_that_waits_is_timed_from_its_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps, bus = Stamps(monkeypatch), make()
    stamps.spend()

    async def on_message(_: Any) -> None:
        await asyncio.sleep(0)
        stamps.now += SECOND

    bus.register("a", on_message=on_message)

    async def main() -> None:
        bus.send("a", 1)
        bus.settle()
        for _ in range(3):
            await asyncio.sleep(0)

    on_a_loop(main())
    assert bus._agent("a").latency[SECOND.bit_length()] == 1


def test_a_zombie_that_goes_on_leaves_its_successor_alone() -> None:
    """It swallows its cancellation and acts when the next incarnation is already up."""
    bus = make()
    got_through: list[str] = []

    async def on_message(message: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            for act in (lambda: handle.publish({"x": 1}), lambda: handle.send("a", "again")):
                try:
                    act()
                    got_through.append(message)
                except AgentDown:
                    continue

    handle = bus.register("a", on_message=on_message)

    async def main() -> None:
        bus.send("a", "hang")
        bus.settle()
        bus.isolate("a")
        bus.restart("a")
        assert bus.statistics("a").zombies == 1
        for _ in range(3):
            await asyncio.sleep(0)
        assert bus.statistics("a").zombies == 0
        assert handle.publish({"x": 2}) == 1

    on_a_loop(main())
    assert got_through == []


@pytest.mark.parametrize("extra", [0, 1])
def test_of_a_turn_of_several_calls_twice_the_deadline_is_allowed(
    extra: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them took how long is not known: only one that must have been too long counts."""
    stamps, bus = Stamps(monkeypatch), SyncBus(LiveClock())
    sources = [bus.register(f"s{number}", kind="s") for number in range(2)]
    deadline = bus._agent("s0").policy.deadline_ns

    def spend(_: Any) -> None:
        stamps.now += deadline + extra

    bus.register("a", interests=["s"], on_update=spend)
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert down(bus) == (["a"] if extra else [])


# -- every way to be called -------------------------------------------------------------------

WAYS = ("update", "eager", "message", "signal", "tick")


@pytest.mark.parametrize("way", WAYS)
def test_successes_on_probation_count_however_it_is_called(way: str) -> None:
    called = Called(lambda _: None)
    called.bus.restart("a")
    states = []
    for _ in range(3):
        called.call(way)
        states.append(called.bus.status("a"))
    assert states == [LifeState.PROBING, LifeState.PROBING, LifeState.RUNNING]


@pytest.mark.parametrize("way", WAYS)
def test_failures_count_however_it_is_called(way: str) -> None:
    def fails(_: Any) -> None:
        raise ValueError("no")

    called = Called(fails)
    for number in range(1, 6):
        called.call(way)
        assert called.bus.statistics("a").failures == number
    assert called.bus.status("a") is LifeState.ISOLATED


@pytest.mark.parametrize("way", WAYS)
def test_a_flood_it_hides_is_a_failure_however_it_is_called(way: str) -> None:
    handles: list[AgentHandle] = []

    def floods(_: Any) -> None:
        try:
            for number in range(300):
                handles[0].publish({"x": number})
        except FloodError:
            return

    called = Called(floods)
    handles.append(called.handle)
    called.call(way)
    statistics = called.bus.statistics("a")
    assert (statistics.failures, statistics.refused, statistics.version) == (1, 1, 256)
    assert called.bus.status("a") is LifeState.RUNNING
    called.call(way)
    assert called.bus.statistics("a").failures == 2


def test_a_signal_passes_over_who_is_down_and_reaches_the_rest_in_order() -> None:
    bus = make()
    heard: list[str] = []
    for name in ("a", "b", "c", "d"):
        bus.register(name, on_signal=lambda signal, n=name: heard.append(n))
    assert bus.signal(ALL, 1) == ["a", "b", "c", "d"]
    bus.isolate("b")
    bus.settle()
    assert heard == ["a", "c", "d"]


def test_a_handler_of_signals_may_wait_beside_other_calls() -> None:
    bus = make()
    heard: list[str] = []
    a = bus.register("a")

    async def on_signal(_: Any) -> None:
        await asyncio.sleep(0)
        heard.append("signal")

    bus.register(
        "b", interests=["a"], on_signal=on_signal, on_update=lambda update: heard.append("update")
    )

    async def main() -> None:
        bus.signal("b", 1)
        bus.settle()
        assert bus.suspended
        a.publish({"x": 1})
        bus.settle()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not bus.suspended
        assert bus._dispatcher.watched == {}

    on_a_loop(main())
    assert heard == ["update", "signal"]


def test_an_observer_cannot_drive_the_bus_in_the_middle_of_its_work() -> None:
    bus = SyncBus(VirtualClock())
    answers: list[int] = []
    seen: list[Any] = []

    def lies(_: Any) -> None:
        with suppress(StateError):
            liar.publish({"x": float("nan")})

    def observe(event: BusEvent) -> None:
        if event.kind is EventKind.FAILURE:
            answers.append(bus.settle())

    bus.on_event(observe)
    source = bus.register("source")
    liar = bus.register("liar", on_tick=lies)
    bus.register("reader", interests=["source"], on_update=seen.append)
    source.publish({"x": 1})
    bus.tick(None)
    assert answers == [0]
    assert len(seen) == 1
