"""When the dispatcher runs, on which loop, how much in one turn, and who may drive it."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import AgentHandle, BusEvent, BusPolicy, EventKind, SyncBus, Update


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
    bus.register("pulls", interests=["a"])
    bus.register("b", interests=["a"], on_update=lambda update: heard.append(update.fields["x"]))
    a.load_block({"x": np.arange(3.0)}, np.arange(3) + SECOND, 3)
    bus.reach(1)
    bus.settle()
    assert heard == [1.0]
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
