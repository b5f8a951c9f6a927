"""Observers: they see everything they asked for, and nobody notices that they are there."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    BusEvent,
    EventKind,
    Gap,
    Interest,
    Missed,
    RegistrationError,
    SyncBus,
    Update,
)


def test_a_watch_sees_states_merged_and_events_in_order() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    a = bus.register("a")
    watch = bus.watch("a")
    a.publish({"x": 1})
    a.publish({"y": 2})
    bus.pause("a")
    event, update = watch.look()
    assert isinstance(event, BusEvent)
    assert event.kind is EventKind.PAUSED
    assert isinstance(update, Update)
    assert (update.fields, update.gap) == ({"x": 1, "y": 2}, 2)
    assert watch.look() == []


def test_a_watch_begins_with_the_states_it_finds_and_hears_of_sources_to_come() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    bus.register("a").publish({"x": 1})
    watch = bus.watch("all", events=False)
    bus.register("b").publish({"x": 2})
    found = [u for u in watch.look() if isinstance(u, Update)]
    assert [(u.source, u.resync, dict(u.fields)) for u in found] == [
        ("a", True, {"x": 1}),
        ("b", False, {"x": 2}),
    ]


def test_a_watch_that_never_looks_costs_its_bounds_and_no_more() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    a = bus.register("a")
    watch = bus.watch("a", Interest("b", None, "every"), room=8)
    b = bus.register("b")
    for number in range(500):
        a.publish({"x": number})
        b.publish({"x": number})
        bus.pause("a")
        bus.resume("a")
    missed, *rest = watch.look()
    assert missed == Missed(1001 - 8)  # b's registration was an event too
    events, updates = rest[:8], rest[8:]
    assert all(isinstance(event, BusEvent) for event in events)
    merged, gap, *stream = updates
    assert isinstance(merged, Update)
    assert (merged.resync, merged.fields["x"]) == (True, 499)
    assert gap == Gap("b", 1, 492, 492)
    assert [u.fields["x"] for u in stream if isinstance(u, Update)] == list(range(492, 500))


def test_nobody_notices_a_watch() -> None:
    """The same deliveries, statistics and versions with and without."""

    def run(watched: bool) -> Any:
        bus = SyncBus(VirtualClock(SECOND), seed=5)
        log: list[Any] = []
        handles = [
            bus.register(
                f"a{n}",
                kind="k",
                interests=["k"],
                on_update=lambda u: log.append((u.source, u.gap)),
            )
            for n in range(4)
        ]
        if watched:
            bus.watch("all", Interest("a1", None, "every"))
        for number in range(50):
            handles[number % 4].publish({"x": number})
            if number % 7 == 0:
                bus.settle()
        bus.settle()
        return log, [bus.statistics(name) for name in bus.agent_ids], bus.checkpoint()

    assert run(True) == run(False)


def test_a_closed_watch_is_forgotten() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    a = bus.register("a")
    watch = bus.watch("all")
    watch.close()
    watch.close()
    a.publish({"x": 1})
    bus.pause("a")
    bus.register("b")
    assert watch.look() == []
    assert a._agent.source.readers == ()


def test_a_watched_source_may_go() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    watch = bus.watch("all", events=False)
    bus.register("a").publish({"x": 1})
    bus.remove("a")
    assert watch.look() == []
    bus.register("a").publish({"x": 2})
    assert [u.fields["x"] for u in watch.look() if isinstance(u, Update)] == [2]


def test_a_watch_sees_rows_of_blocks() -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a")
    watch = bus.watch("a", events=False)
    handle.load_block({"x": np.arange(5.0)}, np.arange(5) + 1, 5)
    bus.reach(2)
    (update,) = watch.look()
    assert isinstance(update, Update)
    assert (update.fields["x"], update.gap) == (2.0, 3)
    bus.end_block()
    assert watch.look() == []


def test_iterating_looks_again_and_ends_when_closed() -> None:
    clock = VirtualClock(SECOND)
    loop = VirtualTimeLoop(clock)
    bus = SyncBus(clock)
    a = bus.register("a")
    seen: list[tuple[int, int]] = []

    async def main() -> None:
        async with bus.watch("a", events=False, every_ns=10 * MILLISECOND) as watch:

            async def read() -> None:
                async for update in watch:
                    assert isinstance(update, Update)
                    seen.append((clock.now() // MILLISECOND, update.fields["x"]))

            reader = asyncio.ensure_future(read())
            for number in range(3):
                a.publish({"x": number})
                await asyncio.sleep(0.015)
        await reader

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert seen == [(1000, 0), (1020, 1), (1030, 2)]


def test_a_watch_cannot_be_called() -> None:
    with pytest.raises(RegistrationError, match=r"a watch.* wants to be called"):
        SyncBus().watch(Interest("a", None, "eager"))
