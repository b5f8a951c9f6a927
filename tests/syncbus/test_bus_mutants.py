"""What only a small fault in mailbox, breaker or dispatcher would change; each was one once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    AgentHandle,
    AgentPolicy,
    BreakerPolicy,
    BusPolicy,
    Interest,
    SyncBus,
    Update,
)
from mirrorcore.syncbus.breaker import Breaker


def make() -> SyncBus:
    return SyncBus(VirtualClock(SECOND))


def test_failures_forgotten_by_command_count_no_more() -> None:
    """Neither those in a row, nor those of the window, nor how often it was open."""
    in_a_row = Breaker(BreakerPolicy(consecutive=3, window=100, minimum=100))
    in_a_row.failed(1, 0)
    in_a_row.failed(2, 0)
    in_a_row.level = 3
    in_a_row.forget()
    assert in_a_row.level == 0
    assert [in_a_row.failed(call, 0) for call in (3, 4, 5)] == [False, False, True]
    window = Breaker(BreakerPolicy(consecutive=9, window=4, minimum=4))
    window.failed(2, 0)
    window.failed(3, 0)
    window.forget()
    assert not window.failed(5, 0)  # 2, 3 and 5 of 2 .. 5, were they not forgotten


def test_who_has_several_messages_is_announced_once() -> None:
    """Its second turn comes after the others' first."""
    bus = SyncBus(VirtualClock(SECOND), policy=BusPolicy(agent_turn=2))
    heard: list[str] = []
    for name in ("many", "one"):
        bus.register(name, on_message=heard.append)
    for number in range(3):
        bus.send("many", f"many {number}")
    bus.send("one", "one 0")
    bus.settle()
    assert heard == ["many 0", "many 1", "one 0", "many 2"]


def test_a_source_removed_by_its_reader_is_not_read_in_the_same_turn() -> None:
    bus = make()
    first, second = bus.register("first"), bus.register("second")
    seen: list[str] = []

    def on_update(update: Any) -> None:
        seen.append(update.source)
        bus.remove("second")

    bus.register("reader", interests=["first", "second"], on_update=on_update)
    first.publish({"x": 1})
    second.publish({"x": 1})
    bus.settle()
    assert seen == ["first"]
    assert bus.accounting_residual() == 0


def test_a_source_that_has_gone_does_not_wait_with_who_collects() -> None:
    bus = make()
    source = bus.register("source")
    bus.register("reader", interests=["source"])
    source.publish({"x": 1})
    bus.remove("source")
    memory = bus.checkpoint()
    assert memory is not None
    assert memory["agents"]["reader"]["pending"] == []


def test_a_message_to_who_collects_leaves_its_updates_alone() -> None:
    bus = make()
    source = bus.register("source")
    heard: list[str] = []
    reader = bus.register("reader", interests=["source"], on_message=heard.append)
    source.publish({"x": 1})
    bus.send("reader", "hello")
    bus.settle()
    assert heard == ["hello"]
    assert bus.statistics("reader").failures == 0
    assert [update.source for update in reader.collect()] == ["source"]


def test_eager_calls_go_thirty_two_deep() -> None:
    """Each link publishes within the call by the one before; the rest is called from the loop."""
    bus = make()
    links: list[AgentHandle] = []
    depth = deepest = 0

    def linked(number: int) -> Any:
        def on_update(_: Update) -> None:
            nonlocal depth, deepest
            depth += 1
            deepest = max(deepest, depth)
            links[number].publish({"x": 1})
            depth -= 1

        return on_update

    head = bus.register("link 0")
    links.append(head)
    for number in range(1, 41):
        before = Interest(f"link {number - 1}", mode="eager")
        links.append(bus.register(f"link {number}", interests=[before], on_update=linked(number)))
    head.publish({"x": 1})
    assert deepest == 32
    bus.settle()
    assert bus.read("link 40").state == {"x": 1}


def test_every_call_is_in_the_histogram_of_latencies() -> None:
    """However many in a row are of the same bucket."""
    bus = make()
    source = bus.register("source")
    bus.register("reader", interests=["source"], on_update=lambda _: None)
    for number in range(200):
        source.publish({"x": number})
        bus.settle()
    assert sum(bus._agent("reader").latency) == 200


def test_an_agent_interrupted_by_a_signal_is_limited_in_the_rest_of_its_turn() -> None:
    bus = make()
    sources = [bus.register(name) for name in ("first", "second")]
    bus.register("other", on_signal=lambda _: None)

    def on_update(update: Any) -> None:
        if update.source == "first":
            bus.signal("other", "hear")
        else:
            for number in range(5):
                reader.publish({"x": number})

    reader = bus.register(
        "reader",
        interests=["first", "second"],
        on_update=on_update,
        policy=AgentPolicy(max_publishes_per_call=2),
    )
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert bus.read("reader").state == {"x": 1}
    assert bus.statistics("reader").failures == 1


def test_who_fails_in_a_message_hears_no_state_after_it_in_the_same_turn() -> None:
    bus = make()
    source = bus.register("source")
    seen: list[Any] = []

    def on_message(_: Any) -> None:
        raise ValueError("no")

    bus.register(
        "reader",
        interests=["source"],
        on_message=on_message,
        on_update=seen.append,
        policy=AgentPolicy(breaker=BreakerPolicy(consecutive=1)),
    )
    source.publish({"x": 1})
    bus.send("reader", "hello")
    bus.settle()
    assert bus.status("reader") == "isolated"
    assert seen == []


def test_readers_who_missed_nothing_get_one_and_the_same_update() -> None:
    bus = make()
    source = bus.register("source")
    seen: list[Update] = []
    for name in ("a", "b", "c"):
        bus.register(name, interests=["source"], on_update=seen.append)
    for number in range(3):
        source.publish({"x": float(number)})
        bus.settle()
        assert len({id(update) for update in seen[-3:]}) == 1
        assert seen[-1] is bus._registry.source("source").newest


def test_a_signal_given_in_an_eager_call_of_nobodys_publish_is_heard() -> None:
    """Whoever published is no agent, so there is nobody to interrupt for it."""
    bus = make()
    source = bus.register("source")
    heard: list[Any] = []
    bus.register("other", on_signal=heard.append)
    bus.register(
        "eager",
        interests=[Interest("source", mode="eager")],
        on_update=lambda _: bus.signal("other", "hear"),
    )
    source.publish({"x": 1})
    bus.settle()
    assert heard == ["hear"]
    assert bus.statistics("eager").failures == 0


def test_what_an_agent_publishes_between_its_steps_is_held_back_no_longer() -> None:
    """Where ticks admit what waiting handlers do, each step of them alone is held back."""
    clock = VirtualClock(0)
    bus = SyncBus(clock, admission="tick")

    async def on_tick(_: Any) -> None:
        for _ in range(2):
            await asyncio.sleep(0.1)
            handle.publish({"held": True})

    handle = bus.register("a", on_tick=on_tick)
    heard: list[Any] = []
    bus.register("b", on_message=heard.append)
    loop = VirtualTimeLoop(clock)

    def between() -> None:
        handle.publish({"at_once": True})
        handle.send("b", "at once")
        bus.settle()

    async def main() -> None:
        bus.tick(None)
        loop.call_later(0.15, between)
        await asyncio.sleep(0.16)
        assert dict(bus.read("a").state) == {"at_once": True}
        assert heard == ["at once"]
        await bus.wait_quiet(SECOND)
        bus.admit()
        assert dict(bus.read("a").state) == {"at_once": True, "held": True}

    loop.run_until_complete(main())
    loop.close()


def test_the_operators_interrupt_passes_through_a_coroutine_that_is_closed() -> None:
    """No loop runs, so the handler that waits is closed at once; on its way out Ctrl-C comes."""
    bus = make()
    source = bus.register("source")

    class Pause:
        def __await__(self) -> Any:
            yield

    async def on_update(_: Any) -> None:
        try:
            await Pause()
        finally:
            raise KeyboardInterrupt

    bus.register("reader", interests=["source"], on_update=on_update)
    source.publish({"x": 1})
    with pytest.raises(KeyboardInterrupt):
        bus.settle()
