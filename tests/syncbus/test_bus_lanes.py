"""Lanes, interests, state rules, async handlers, admission, and the guide's names."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec
import numpy as np
import pytest

from mirrorcore.clock import MILLISECOND, SECOND, LiveClock, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    ALL,
    AgentDown,
    AgentHandle,
    AgentPolicy,
    BusError,
    BusPolicy,
    Command,
    Expired,
    Field,
    FloodError,
    HighPerformanceSyncBus,
    LaneFull,
    LifeState,
    RegistrationError,
    RequestFailed,
    ResilientSyncBus,
    StateError,
    SyncBus,
    UndeclaredReadError,
    UnknownAgentError,
    Update,
    thaw,
)


def play(main: Coroutine[Any, Any, None], clock: VirtualClock) -> None:
    loop = VirtualTimeLoop(clock)
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def make() -> tuple[VirtualClock, SyncBus]:
    clock = VirtualClock(SECOND)
    return clock, SyncBus(clock)


# -- interests --------------------------------------------------------------------------------


@pytest.mark.parametrize("reader_first", [True, False])
def test_interests_resolve_when_either_side_registers(reader_first: bool) -> None:
    _, bus = make()
    seen: list[Update] = []

    def join() -> None:
        bus.register("reader", interests=["ego", "risk", "ghost"], on_update=seen.append)

    if reader_first:
        join()
        assert ("reader", "ego") in bus.unresolved_interests()
    ego = bus.register("ego", kind="mind")
    fear = bus.register("fear", kind="risk")
    other = bus.register("other", kind="mind")
    if not reader_first:
        join()
    assert bus.unresolved_interests() == [("reader", "ghost")]
    for handle in (ego, fear, other):
        handle.publish({"x": 1})
    bus.settle()
    assert [update.source for update in seen] == ["ego", "fear"]


def test_all_leaves_the_agent_itself_out() -> None:
    _, bus = make()
    handle = bus.register("a", interests=[ALL])
    bus.register("b").publish({"x": 1})
    handle.publish({"x": 1})
    assert [update.source for update in handle.collect()] == ["b"]


def test_a_masked_edge_never_shows_foreign_fields() -> None:
    _, bus = make()
    reader = bus.register("reader", interests=[("a", ("x", "y"))])
    a = bus.register("a", kind="k")
    a.publish({"z": 1})
    assert reader.collect() == []
    a.publish({"x": 1, "z": 2})
    a.publish({"z": 3})
    a.publish({"y": 2})
    (update,) = reader.collect()
    assert (dict(update.fields), update.gap) == ({"x": 1, "y": 2}, 2)
    for number in range(100):
        a.publish({"z": number})
    a.publish({"x": 9})
    (update,) = reader.collect()
    assert (dict(update.fields), update.gap, update.resync) == ({"x": 9}, 1, False)
    view = reader.read("a")
    assert view is not None
    assert set(view.state) == {"x", "y"}


@pytest.mark.parametrize("missed", [1, 2, 63, 64, 65, 150])
def test_what_was_missed_arrives_merged(missed: int) -> None:
    _, bus = make()
    source = bus.register("a", kind="k")
    reader = bus.register("reader", interests=["a"])
    for number in range(missed):
        source.publish({f"f{number}": number})
    (update,) = reader.collect()
    assert dict(update.fields) == {f"f{n}": n for n in range(missed)}
    assert (update.gap, update.resync) == (missed, missed > 64)
    assert reader.collect() == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [("mind", "x"), ("x", "ego"), ("x", "x"), ("all", "x"), ("ego", "x"), ("", "x")],
)
def test_ambiguous_names_are_refused(name: str, kind: str) -> None:
    _, bus = make()
    bus.register("ego", kind="mind")
    with pytest.raises(RegistrationError):
        bus.register(name, kind=kind)
    assert bus.agent_ids == ["ego"]


def test_reading_what_was_not_declared_is_refused() -> None:
    _, bus = make()
    bus.register("a", kind="k")
    reader = bus.register("reader", interests=["b"])
    with pytest.raises(UndeclaredReadError):
        reader.read("a")
    assert reader.read("b") is None


# -- state ------------------------------------------------------------------------------------


def test_readers_cannot_change_a_state_and_neither_can_its_owner_afterwards() -> None:
    _, bus = make()
    handle = bus.register("a", kind="k")
    reader = bus.register("reader", interests=["a"])
    array, inner = np.zeros(2), {"list": [1, 2]}
    handle.publish({"array": array, "inner": inner})
    array[0] = 7
    inner["list"].append(3)
    (update,) = reader.collect()
    view = reader.read("a")
    assert view is not None
    for fields in (update.fields, view.state):
        assert fields["array"].tolist() == [0, 0]
        assert fields["inner"]["list"] == (1, 2)
        with pytest.raises(TypeError):
            fields["x"] = 1  # type: ignore[index]
        with pytest.raises(TypeError):
            fields["inner"]["x"] = 1
        with pytest.raises(ValueError, match="read-only"):
            fields["array"][0] = 1
    copy = thaw(view.state)
    copy["inner"]["list"].append(9)
    assert view.state["inner"]["list"] == (1, 2)


class Opaque:
    pass


@pytest.mark.parametrize(
    "delta",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"ok": 1, "x": [1.0, float("nan")]},
        {"x": np.array([1.0, np.inf])},
        {"x": np.float64("nan")},
        {"x": Opaque()},
        {"x": np.array([Opaque()])},
        {1: 2},
        [("x", 1)],
    ],
)
def test_what_is_not_plain_and_finite_is_refused_and_changes_nothing(delta: Any) -> None:
    _, bus = make()
    handle = bus.register("a")
    handle.publish({"x": 1})
    with pytest.raises(StateError):
        handle.publish(delta)
    assert dict(bus.read("a").state) == {"x": 1}
    assert (bus.read("a").version, bus.statistics("a").refused) == (1, 1)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"y": 1}, "does not declare"),
        ({"level": "high"}, "declared as float"),
        ({"level": True}, "declared as float"),
        ({"level": 2.0}, "outside"),
        ({"trades": 1}, "an event"),
        ({"votes": [0.5]}, "declared as array"),
    ],
)
def test_the_schema_is_kept(delta: Any, message: str) -> None:
    _, bus = make()
    schema = {
        "level": Field(low=0, high=1),
        "trades": Field("int", event=True),
        "votes": Field("array", nan_ok=True),
    }
    handle = bus.register("a", schema=schema)
    handle.publish({"level": 1, "votes": np.array([np.nan, 0.5])})
    with pytest.raises(StateError, match=message):
        handle.publish(delta)
    assert bus.read("a").version == 1


def test_ten_read_modify_writes_keep_ten() -> None:
    clock, bus = make()

    async def main() -> None:
        handle = bus.register("a")
        handle.publish({"n": 0})

        async def add() -> None:
            await asyncio.sleep(0)
            handle.publish({"n": bus.read("a").state["n"] + 1})

        await asyncio.gather(*(add() for _ in range(10)))
        assert bus.read("a").state["n"] == 10

    play(main(), clock)


def test_a_million_updates_nobody_reads_stall_nothing() -> None:
    _, bus = make()
    handle = bus.register("a", kind="k")
    bus.register("dead", interests=["a"])
    for number in range(20_000):
        handle.publish({"x": float(number)})
    statistics = bus.statistics("dead")
    assert (statistics.published, statistics.pending, statistics.edges) == (20_000, 20_000, 1)
    assert bus.accounting_residual() == 0
    assert bus.history_bytes <= bus.policy.source_history_bytes


def test_history_is_bounded_and_its_views_never_change() -> None:
    clock = VirtualClock(0)
    bus = SyncBus(clock, policy=BusPolicy(source_history_bytes=16 << 10))
    handle = bus.register("a")
    for number in range(500):
        clock.advance_to(number)
        handle.publish({"x": float(number), "word": str(number)})
    early = bus.history("a", ["x"], since=480, limit=10)["x"]
    frozen = early.values.copy()
    for number in range(500, 3000):
        clock.advance_to(number)
        handle.publish({"x": float(number), "word": str(number)})
    assert early.t.tolist() == list(range(490, 500))
    assert (early.values == frozen).all()
    late = bus.history("a")
    assert late["x"].values[-1] == 2999.0
    assert late["word"].values[-1] == "2999"
    assert len(late["x"].t) == ((16 << 10) // 4 - 2048) // 32
    assert bus.history_bytes <= 16 << 10
    with pytest.raises(ValueError, match="read-only"):
        late["x"].values[0] = 1


@pytest.mark.parametrize("first", [{"x": np.ones(600)}, {"x": "word"}, {"x": 1.0}, {}])
@pytest.mark.parametrize("second", [{}, {"y": 1.0}, {"x": 2.0}, {"x": np.zeros(600)}])
def test_a_merge_holds_what_each_of_its_deltas_brought(first: Any, second: Any) -> None:
    _, bus = make()
    seen: list[Update] = []
    handle = bus.register("a")
    bus.register("reader", interests=["a"], on_update=seen.append)
    for _ in range(2):
        handle.publish(first)
        handle.publish(second)
        bus.settle()
        wanted = {**first, **second}
        assert seen[-1].gap == 2
        assert seen[-1].fields.keys() == wanted.keys() == bus.read("a").state.keys()
        for name, value in wanted.items():
            assert np.all(seen[-1].fields[name] == value)
            assert np.all(bus.read("a").state[name] == value)


def test_a_field_that_changes_its_kind_keeps_its_past() -> None:
    _, bus = make()
    handle = bus.register("a")
    for value in (1.5, 2, np.ones(2), 10**400, "text"):
        handle.publish({"x": value})
    values = bus.history("a")["x"].values
    assert values[0] == 1.5
    assert values[1] == 2
    assert values[2].tolist() == [1.0, 1.0]
    assert values[3:].tolist() == [10**400, "text"]


# -- messages and signals ---------------------------------------------------------------------


def test_messages_are_bounded_in_order_and_never_silently_lost() -> None:
    _, bus = make()
    received: list[int] = []
    bus.register("a", on_message=received.append, policy=AgentPolicy(inbox=3))
    for number in range(3):
        bus.send("a", number)
    with pytest.raises(LaneFull):
        bus.send("a", 3)
    bus.pause("a")
    bus.settle()
    assert received == []
    bus.resume("a")
    bus.settle()
    assert received == [0, 1, 2]
    bus.send("a", 4)
    bus.isolate("a")
    with pytest.raises(AgentDown):
        bus.send("a", 5)
    with pytest.raises(UnknownAgentError):
        bus.send("nobody", 5)
    bus.remove("a")
    assert [(letter.message, letter.target) for letter in bus.dead_letters] == [(4, "a")]


def test_a_message_past_its_time_is_a_dead_letter() -> None:
    clock, bus = make()
    received: list[Any] = []
    sender = bus.register("s", kind="k")
    bus.register("a", on_message=received.append)
    sender.send("a", "late", ttl_ns=SECOND)
    clock.advance_to(3 * SECOND)
    bus.settle()
    assert received == []
    assert bus.dead_letters[0].reason == "expired in the inbox"
    assert bus.accounting_residual() == 0


def test_signals_go_before_everything_and_reach_the_paused() -> None:
    _, bus = make()
    order: list[str] = []
    source = bus.register("source", kind="k")

    def on_update(_: Update) -> None:
        order.append("update")
        if order.count("update") == 3:
            bus.signal(ALL, "stop")

    for index in range(50):
        bus.register(
            f"a{index}",
            interests=["k"],
            on_update=on_update,
            on_message=lambda _: order.append("message"),
            on_signal=order.append,
        )
        bus.send(f"a{index}", "m")
    bus.pause("a7")
    source.publish({"x": 1})
    bus.settle()
    assert order[:6] == ["message", "update"] * 3
    assert order[6:56] == ["stop"] * 50


def test_a_signal_interrupts_an_agents_own_backlog() -> None:
    _, bus = make()
    order: list[Any] = []
    handle = bus.register("s", kind="k")
    sources = [bus.register(f"s{i}", kind="k") for i in range(10)]

    def on_update(update: Update) -> None:
        order.append(update.source)
        if update.source == "s2":
            bus.signal("a", "now")
            handle.send("a", "mail")

    bus.register(
        "a", interests=["k"], on_update=on_update, on_signal=order.append, on_message=order.append
    )
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert order[:6] == ["s0", "s1", "s2", "now", "mail", "s3"]


def test_request_answers_fails_and_expires() -> None:
    clock, bus = make()

    async def main() -> None:
        def answer(message: Any) -> Any:
            if message == "fail":
                raise ValueError("no")
            return message * 2

        async def sleepy(_: Any) -> None:
            await asyncio.sleep(10)

        bus.register("server", on_message=answer)
        bus.register("sleepy", on_message=sleepy, policy=AgentPolicy(deadline_ns=60 * SECOND))
        client = bus.register("client", kind="k")
        assert await client.request("server", 21) == 42
        with pytest.raises(RequestFailed, match="ValueError: no"):
            await client.request("server", "fail")
        with pytest.raises(Expired):
            await client.request("sleepy", 1, timeout_ns=SECOND)
        assert bus.accounting_residual() == 0
        await bus.aclose()
        with pytest.raises(UnknownAgentError):
            bus.send("server", 1)

    play(main(), clock)


# -- async handlers ---------------------------------------------------------------------------


def test_async_handlers_run_in_place_unless_they_wait() -> None:
    clock, bus = make()

    async def main() -> None:
        done: list[str] = []
        source = bus.register("source", kind="k")

        async def quick(_: Update) -> None:
            done.append("quick")

        async def slow(_: Update) -> None:
            await asyncio.sleep(0.1)
            done.append("slow")

        bus.register("quick", interests=["k"], on_update=quick)
        bus.register("slow", interests=["k"], on_update=slow)
        source.publish({"x": 1})
        bus.settle()
        assert done == ["quick"]
        assert bus.suspended
        spare = id(bus._agent("quick").spare)  # a reference would keep it from being used again
        source.publish({"x": 2})
        source.publish({"x": 3})
        bus.settle()
        assert bus._agent("quick").spare is not None
        assert id(bus._agent("quick").spare) == spare
        await bus.wait_quiet(clock.now() + SECOND)
        assert done == ["quick", "quick", "slow", "slow"]
        assert bus.statistics("slow").conflated == 1
        assert bus.accounting_residual() == 0

    play(main(), clock)


def test_time_outs_and_task_groups_bind_to_the_handler() -> None:
    """Used before the first wait, inside a driver that is itself a task (trap T1)."""
    clock, bus = make()

    async def main() -> None:
        log: list[str] = []
        tasks: list[Any] = []

        async def timed(_: Any) -> None:
            tasks.append(asyncio.current_task())
            try:
                async with asyncio.timeout(0.05):
                    await asyncio.sleep(5)
            except TimeoutError:
                log.append("timed out")
            assert asyncio.current_task() is tasks[0]

        async def grouped(_: Any) -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(5))
                    group.create_task(fail())
            except ExceptionGroup:
                log.append("group failed")

        async def fail() -> None:
            await asyncio.sleep(0.01)
            raise ValueError

        async def waits_for(_: Any) -> None:
            log.append(await asyncio.wait_for(asyncio.sleep(0.02, "waited for"), 0.2))

        async def held(_: Any) -> None:
            tasks.append(asyncio.current_task())

        for name, handler in (("a", timed), ("b", grouped), ("c", waits_for), ("d", held)):
            bus.register(name, on_tick=handler)
        driver = asyncio.current_task()
        bus.tick(None)
        assert asyncio.current_task() is driver
        await bus.wait_quiet(clock.now() + SECOND)
        assert sorted(log) == ["group failed", "timed out", "waited for"]
        assert driver is not None
        assert driver.cancelling() == 0
        assert all(task.done() for task in tasks)
        for name in "abcd":
            assert bus.statistics(name).failures == 0

    play(main(), clock)


def test_without_a_loop_a_handler_that_waits_fails() -> None:
    _, bus = make()

    class Bare:
        def __await__(self) -> Any:
            yield

    async def waits(_: Any) -> None:
        await Bare()

    async def works(_: Any) -> None:
        return None

    bus.register("a", on_tick=waits)
    bus.register("b", on_tick=works)
    bus.tick(None)
    assert (bus.statistics("a").failures, bus.statistics("b").failures) == (1, 0)


def test_an_agent_that_waits_is_called_once_at_most() -> None:
    clock, bus = make()

    async def main() -> None:
        running, most = [0], [0]

        async def slow(_: Any) -> None:
            running[0] += 1
            most[0] = max(most[0], running[0])
            await asyncio.sleep(0.2)
            running[0] -= 1

        bus.register("a", on_tick=slow)
        for _ in range(5):
            bus.tick(None)
        assert bus.statistics("a").skipped == 4
        await bus.wait_quiet(clock.now() + SECOND)
        assert most == [1]

    play(main(), clock)


def staged_bus(clock: VirtualClock) -> tuple[SyncBus, list[str]]:
    bus = SyncBus(clock, admission="tick")
    inbox: list[str] = []
    bus.register("target", kind="k", on_message=inbox.append)

    def worker(name: str, seconds: float) -> None:
        async def on_tick(_: Any) -> None:
            handle.publish({"phase": "started"})
            await asyncio.sleep(seconds)
            handle.publish({"phase": "finished"})
            handle.send("target", name)

        handle = bus.register(name, kind="w", on_tick=on_tick)

    worker("slow", 0.2)
    worker("fast", 0.1)
    return bus, inbox


@pytest.mark.parametrize("recorded", [None, ["fast", "slow"], ["slow", "fast"]])
def test_what_waiting_handlers_do_is_applied_on_admission(recorded: list[str] | None) -> None:
    clock = VirtualClock(0)

    async def main() -> None:
        bus, inbox = staged_bus(clock)
        bus.tick(None)
        await bus.wait_quiet(SECOND)
        assert clock.now() == 200 * MILLISECOND
        for name in ("slow", "fast"):
            assert bus.read(name).state["phase"] == "started"
            assert bus.statistics(name).waiting == 1
        bus.sweep()
        assert bus.admit(recorded) == (recorded or ["fast", "slow"])
        bus.settle()
        assert inbox == (recorded or ["fast", "slow"])
        for name in ("slow", "fast"):
            assert bus.read(name).state["phase"] == "finished"
            assert bus.statistics(name).successes == 1
        assert bus.admit() == []

    play(main(), clock)


def test_a_delta_has_the_instant_of_the_buss_own_clock_whatever_it_is_derived_from() -> None:
    class Ahead(LiveClock):
        def now(self) -> int:
            return super().now() + 3600 * SECOND

    clock = Ahead()
    bus = SyncBus(clock)
    before = clock.now()
    bus.register("a").publish({"x": 1.0})
    assert before <= bus.read("a").t <= clock.now()


def test_the_admission_of_what_was_held_back_runs_no_code_of_its_publisher() -> None:
    """It was checked when it was published, in the agent's own call."""
    clock = VirtualClock(0)
    bus = SyncBus(clock, admission="tick")
    made: list[str] = []
    where = "in its call"

    class Note(msgspec.Struct, frozen=True):
        words: Any

        def __post_init__(self) -> None:
            made.append(where)

    async def on_tick(_: Any) -> None:
        await asyncio.sleep(0.1)
        handle.publish({"note": Note({"a": [1]})})

    handle = bus.register("a", on_tick=on_tick)

    async def main() -> None:
        nonlocal where
        bus.tick(None)
        await bus.wait_quiet(SECOND)
        where = "at its admission"
        bus.admit()
        assert bus.read("a").state["note"].words == {"a": (1,)}

    play(main(), clock)
    assert made
    assert set(made) == {"in its call"}


def test_a_publish_held_back_answers_with_the_version_it_gets() -> None:
    """Whatever else the handler does in between, and in the next call again."""
    clock = VirtualClock(0)
    bus = SyncBus(clock, admission="tick")
    promised: list[int] = []

    async def on_tick(_: Any) -> None:
        promised.append(handle.publish({"n": 0}))
        await asyncio.sleep(0.1)
        handle.send("sink", "hello")
        promised.append(handle.publish({"n": 1}))
        handle.send("sink", "hello")
        promised.append(handle.publish({"n": 2}))

    handle = bus.register("a", on_tick=on_tick)
    bus.register("sink", on_message=lambda _: None)

    async def main() -> None:
        for tick in (1, 2):
            bus.tick(None)
            await bus.wait_quiet(tick * SECOND)
            bus.admit()
            assert bus.read("a").version == promised[-1] == 3 * tick

    play(main(), clock)
    assert promised == [1, 2, 3, 4, 5, 6]


def test_admission_of_what_has_not_completed_is_an_error() -> None:
    clock = VirtualClock(0)

    async def main() -> None:
        bus, _ = staged_bus(clock)
        bus.tick(None)
        with pytest.raises(BusError, match="has not completed"):
            bus.admit(["slow"])
        await bus.aclose()

    play(main(), clock)


def test_expire_drops_what_was_not_admitted() -> None:
    clock = VirtualClock(0)

    async def main() -> None:
        bus, inbox = staged_bus(clock)
        bus.tick(None)
        await bus.wait_quiet(SECOND)
        bus.expire("slow")
        assert bus.admit() == ["fast"]
        bus.settle()
        assert inbox == ["fast"]
        assert bus.read("slow").state["phase"] == "started"
        assert bus.status("slow") is LifeState.ISOLATED
        assert bus.accounting_residual() == 0

    play(main(), clock)


def test_a_live_loop_dispatches_by_itself() -> None:
    async def main() -> None:
        bus = SyncBus()
        done = asyncio.get_running_loop().create_future()
        source = bus.register("source", kind="k")
        bus.register("a", interests=["k"], on_update=done.set_result)
        source.publish({"x": 1})
        update = await asyncio.wait_for(done, 5)
        assert update.fields["x"] == 1
        await bus.aclose()

    asyncio.run(main())


def test_a_live_loop_expires_a_hang_by_itself() -> None:
    async def main() -> None:
        bus = SyncBus()
        expired = asyncio.get_running_loop().create_future()
        bus.on_event(lambda e: expired.set_result(e) if e.kind == "expired" else None)

        async def hangs(_: Any) -> None:
            await asyncio.get_running_loop().create_future()

        bus.register("a", on_tick=hangs, policy=AgentPolicy(deadline_ns=20 * MILLISECOND))
        bus.tick(None)
        event = await asyncio.wait_for(expired, 5)
        assert event.agent_id == "a"
        await bus.aclose()

    asyncio.run(main())


# -- the guide --------------------------------------------------------------------------------


def test_the_guides_names_are_one_class() -> None:
    assert HighPerformanceSyncBus is ResilientSyncBus is SyncBus


def test_the_guides_calls_do_what_they_say() -> None:
    clock, bus = make()

    async def main() -> None:
        commands: list[Command] = []

        def obey(command: Command) -> str:
            commands.append(command)
            return "done"

        await bus.register_agent("ego")
        await bus.register_agent("picky", interests=["ego"])
        bus.register("worker", kind="w", on_message=obey, on_signal=commands.append)
        await bus.update_agent_state("ego", {"confidence": 0.5})
        await bus.update_agent_state("new", {"x": 1})
        assert set(await bus.get_relevant_states("ego")) == {"new"}
        assert set(await bus.get_relevant_states("picky")) == {"ego"}
        assert (await bus.get_all_states())["ego"]["confidence"] == 0.5
        await bus.update_agent_state("ego", {"confidence": 0.7})
        past = await bus.get_historical_states("ego")
        assert past["ego"]["confidence"].values.tolist() == [0.5, 0.7]
        reply = await bus.send_command("worker", "adjust", {"to": 1})
        assert (reply.ok, reply.value, commands[0].params["to"]) == (True, "done", 1)
        assert (await bus.send_command("worker", "pause")).ok
        assert bus.status("worker") is LifeState.PAUSED
        stopped = await bus.broadcast_command("emergency_stop")
        assert commands[-1].name == "emergency_stop"
        assert [name for name, answer in stopped.items() if answer.ok] == ["worker"]
        refused = await bus.send_command("ego", "adjust")
        assert not refused.ok
        assert "takes no messages" in refused.error
        bus.isolate("ego")
        assert await bus.update_agent_state("ego", {"confidence": 0.0}) is None
        assert bus.read("ego").state["confidence"] == 0.7

    play(main(), clock)


def test_a_mailbox_nobody_empties_holds_up_nobody() -> None:
    """The guide's sketch stands still for good after 101 messages to one that does not read."""
    clock, bus = make()

    async def main() -> None:
        await bus.register_agent("dead")
        heard: list[Update] = []
        await bus.register_agent("alive", handler=heard.append)
        for number in range(1000):
            await asyncio.wait_for(bus.update_agent_state("source", {"n": number}), 1)
        bus.settle()
        assert heard[-1].fields["n"] == 999
        assert clock.now() == SECOND

    play(main(), clock)


# -- determinism ------------------------------------------------------------------------------


def delivery_digest() -> str:
    """A busy hour with failures, restarts and messages; SHA-256 over every delivery and event."""
    clock = VirtualClock(0)
    bus = SyncBus(clock, seed=42)
    digest = hashlib.sha256()
    rng = np.random.default_rng(1)
    handles: dict[str, AgentHandle] = {}

    def note(*parts: Any) -> None:
        digest.update(repr(parts).encode())

    def reader(name: str) -> Any:
        def on_update(update: Update) -> None:
            note(name, update.source, dict(update.fields), update.version, update.gap, update.t)
            if update.fields.get("x", 0) > 0.98:
                raise ValueError("boom")
            if update.version % 7 == 0:
                handles[name].send("sink", name)

        return on_update

    bus.on_event(lambda event: note(event.t, str(event.kind), event.agent_id, event.detail))
    bus.register("sink", kind="s", on_message=lambda m: note("sink", m))
    names = [f"agent-{chr(97 + i)}" for i in range(20)]
    for index, name in enumerate(names):
        handles[name] = bus.register(
            name,
            kind=f"kind{index % 3}",
            interests=[names[index - 1], "kind0", ("kind1", ("x",))],
            on_update=reader(name),
        )
    for _ in range(400):
        clock.advance_to(clock.now() + SECOND)
        for index in rng.integers(0, 20, 5):
            try:
                handles[names[index]].publish({"x": float(rng.random()), "y": {"b", "a", "c"}})
            except (AgentDown, FloodError) as error:
                note(error.message)
        bus.settle()
        bus.sweep()
    return digest.hexdigest()


def test_deliveries_do_not_depend_on_the_hash_seed() -> None:
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    code += "from test_bus_lanes import delivery_digest; print(delivery_digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }
    assert digests == {delivery_digest()}


def test_one_that_has_waited_lets_those_go_before_who_have_not_been_called() -> None:
    """On a live loop the slow one's steps come due together with other agents' news."""
    story: list[str] = []

    async def main() -> None:
        bus = SyncBus()
        own, news = bus.register("own"), bus.register("news")
        arrives = asyncio.get_running_loop().create_future()
        slept = [arrives]

        async def slow(_: Any) -> None:
            story.append("slow begins")
            if slept:
                await slept.pop()
                story.append("slow goes on")

        bus.register("slow", interests=["own"], on_update=slow)
        bus.register("quick", interests=["news"], on_update=lambda _: story.append("quick"))
        own.publish({"x": 1})
        while not story:
            await asyncio.sleep(0)
        own.publish({"x": 2})
        # Its future first, then the news: the quick one was not kept waiting for its step.
        arrives.set_result(None)
        news.publish({"x": 1})
        while "slow goes on" not in story:
            await asyncio.sleep(0)
        # Nor for its next call, which it had been waiting for.
        news.publish({"x": 2})
        await bus.drain()
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())
    assert story == ["slow begins", "quick", "slow goes on", "quick", "slow begins"]
