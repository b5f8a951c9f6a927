"""Failing agents: isolation of the others, breaker, restart, failure for good. Virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from mirrorcore.clock import HOUR, MILLISECOND, SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    AgentDown,
    AgentHandle,
    AgentPolicy,
    BreakerPolicy,
    BusEvent,
    BusPolicy,
    EventKind,
    Field,
    FloodError,
    Handlers,
    LifeState,
    RestartPolicy,
    StateError,
    SyncBus,
    Update,
)
from mirrorcore.syncbus.breaker import Breaker, BreakerState
from mirrorcore.syncbus.faults import IllegalStepError
from mirrorcore.syncbus.supervision import RestartWindow, step


def play(clock: VirtualClock, main: Coroutine[Any, Any, None]) -> None:
    loop = VirtualTimeLoop(clock)
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def boom(*_: Any) -> None:
    raise ValueError("boom")


def test_of_200_agents_four_misbehave_and_the_others_get_everything() -> None:
    clock = VirtualClock(SECOND)

    async def main() -> None:
        bus = SyncBus(clock, seed=1)
        received: dict[str, int] = {}
        publisher = bus.register("publisher", kind="source")
        handles: dict[str, AgentHandle] = {}

        def counting(name: str) -> Any:
            received[name] = 0

            def on_update(_: Update) -> None:
                received[name] += 1
                handles[name].publish({"seen": received[name]})

            return on_update

        async def waits_for_ever(_: Update) -> None:
            await asyncio.get_running_loop().create_future()

        def floods(_: Update) -> None:
            while True:
                handles["flooder"].publish({"x": 1.0})

        def lies(_: Update) -> None:
            handles["liar"].publish({"x": math.nan})

        bad = {"raiser": boom, "waiter": waits_for_ever, "flooder": floods, "liar": lies}
        for name in [f"good{i}" for i in range(196)] + list(bad):
            handles[name] = bus.register(
                name, kind="agent_", interests=["source"], on_update=bad.get(name, counting(name))
            )
        for round_number in range(50):
            publisher.publish({"price": float(round_number)})
            bus.settle()
            await bus.wait_quiet(clock.now() + SECOND)
            clock.advance_to(clock.now() + SECOND)
            bus.sweep()
            assert bus.accounting_residual() == 0
        assert all(received[f"good{i}"] == 50 for i in range(196))
        for name in bad:
            statistics = bus.statistics(name)
            assert statistics.failures >= 5 or statistics.expired >= 1
            assert bus.status(name) is LifeState.FAILED
        assert "x" not in bus.read("liar").state
        await bus.aclose()

    play(clock, main())


def test_breaker_opens_probes_and_closes() -> None:
    clock = VirtualClock(0)
    bus = SyncBus(clock, seed=7)
    events: list[BusEvent] = []
    bus.on_event(events.append)
    broken = [True]
    seen: list[Update] = []

    def on_update(update: Update) -> None:
        if broken[0]:
            raise ValueError("boom")
        seen.append(update)

    source = bus.register("source", kind="s")
    reader = bus.register("reader", kind="r", interests=["source"], on_update=on_update)
    for value in range(5):
        assert bus.status("reader") is LifeState.RUNNING
        source.publish({"x": value})
        bus.settle()
    assert bus.status("reader") is LifeState.ISOLATED
    with pytest.raises(AgentDown):
        reader.publish({"y": 1})
    for value in range(5, 105):
        source.publish({"x": value, f"f{value}": 1})
    assert bus.statistics("reader").pending == 100
    broken[0] = False
    clock.advance_to(SECOND)  # full jitter: at most base
    bus.sweep()
    assert bus.status("reader") is LifeState.PROBING
    bus.settle()
    assert seen[0].resync
    assert seen[0].gap == 100
    assert len(seen[0].fields) == 101
    for value in range(2):
        source.publish({"x": value})
        bus.settle()
    assert bus.status("reader") is LifeState.RUNNING
    reader.publish({"y": 1})
    moves = [event.detail for event in events if event.kind is EventKind.BREAKER]
    assert moves == ["closed -> open", "open -> half_open", "half_open -> closed"]
    assert bus.statistics("reader").restarts == 1
    assert bus.accounting_residual() == 0


def test_restart_limit_then_failed_and_escalated() -> None:
    clock = VirtualClock(0)
    escalated: list[str] = []
    bus = SyncBus(clock, on_escalation=escalated.append)
    source = bus.register("source", kind="s")
    bus.register("risk", kind="r", interests=["source"], on_update=boom, essential=True)
    bus.register("other", kind="r", interests=["source"], on_update=boom)
    for tick in range(400):
        source.publish({"x": tick})
        bus.settle()
        clock.advance_to(clock.now() + 100 * MILLISECOND)
        bus.sweep()
    assert bus.status("risk") is LifeState.FAILED
    assert bus.statistics("risk").restarts == 3
    assert escalated == ["risk"]
    before = bus.statistics("risk")
    source.publish({"x": -1})
    bus.settle()
    after = bus.statistics("risk")
    assert after.calls == before.calls
    assert after.rejected == before.rejected + 1
    assert bus.accounting_residual() == 0
    assert bus.restart("risk")
    assert bus.status("risk") is LifeState.PROBING


def test_restart_hands_over_checkpoint_and_refuses_the_zombie() -> None:
    bus = SyncBus(VirtualClock(0))
    got: list[bytes | None] = []

    def factory(handle: AgentHandle, checkpoint: bytes | None) -> Handlers:
        got.append(checkpoint)
        handle.publish({"born": handle.incarnation})
        return Handlers(on_message=lambda message: handle.publish({"message": message}))

    old = bus.register("a", factory=factory)
    old.publish({"x": 1})
    old.save(b"memory")
    assert bus.restart("a")
    assert got == [b"memory"]
    with pytest.raises(AgentDown, match="incarnation 1"):
        old.publish({"x": 2})
    bus.send("a", "hello")
    bus.settle()
    assert dict(bus.read("a").state) == {"x": 1, "born": 2, "message": "hello"}


def test_a_factory_that_fails_is_a_failed_restart() -> None:
    clock = VirtualClock(0)
    bus = SyncBus(clock)
    bus.register("a", factory=boom)
    assert not bus.restart("a")
    assert bus.status("a") is LifeState.ISOLATED
    for _ in range(200):
        clock.advance_to(clock.now() + SECOND)
        bus.sweep()
    assert bus.status("a") is LifeState.FAILED


def test_a_hang_opens_at_once_and_its_zombie_changes_nothing() -> None:
    clock = VirtualClock(0)

    async def main() -> None:
        bus = SyncBus(clock)
        source = bus.register("source", kind="s")
        handles: list[AgentHandle] = []

        async def stubborn(_: Update) -> None:
            try:
                await asyncio.sleep(HOUR / SECOND)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
                handles[0].publish({"zombie": True})

        handles.append(bus.register("a", kind="r", interests=["source"], on_update=stubborn))
        handles[0].publish({"x": 1})
        source.publish({"x": 1})
        bus.settle()
        assert bus.suspended
        assert bus.statistics("a").waiting == 1
        await bus.wait_quiet(SECOND)
        assert clock.now() == 250 * MILLISECOND
        assert bus.status("a") is LifeState.ISOLATED
        assert bus.statistics("a").zombies == 1
        clock.advance_to(SECOND)
        bus.sweep()
        assert bus.status("a") is LifeState.PROBING
        await asyncio.sleep(5)
        assert bus.statistics("a").zombies == 0
        assert dict(bus.read("a").state) == {"x": 1}
        assert bus.statistics("a").refused == 1
        await bus.aclose()

    play(clock, main())


def test_isolated_state_stays_readable_with_its_age() -> None:
    clock = VirtualClock(5)
    bus = SyncBus(clock)
    handle = bus.register("a")
    reader = bus.register("r", kind="reader", interests=["a"])
    handle.publish({"x": 1})
    bus.isolate("a")
    clock.advance_to(25)
    view = reader.read("a")
    assert view is not None
    assert (view.state["x"], view.stale, view.age) == (1, True, 20)


def test_hidden_flood_is_still_a_failure() -> None:
    bus = SyncBus(VirtualClock(0))
    handles: list[AgentHandle] = []

    def sly(_: Any) -> None:
        for number in range(1000):
            try:
                handles[0].publish({"x": number})
            except FloodError:
                continue

    handles.append(bus.register("a", on_tick=sly))
    handles.append(bus.register("b", kind="r", interests=["a"], on_update=lambda _: None))
    bus.tick(None)
    statistics = bus.statistics("a")
    assert (statistics.failures, statistics.version) == (1, 256)
    assert bus.statistics("b").delivered == 1
    bus.tick(None)
    assert bus.statistics("a").failures == 2


def test_flood_of_messages_fails_the_sender_alone() -> None:
    bus = SyncBus(VirtualClock(0))
    received: list[int] = []
    handles: list[AgentHandle] = []

    def flood(_: Any) -> None:
        for number in range(1000):
            handles[0].send("b", number)

    handles.append(bus.register("a", on_tick=flood))
    bus.register("b", on_message=received.append)
    bus.tick(None)
    assert received == list(range(256))
    assert bus.statistics("a").failures == 1
    assert bus.statistics("b").failures == 0


def test_a_feedback_storm_ends_and_bystanders_are_spared() -> None:
    bus = SyncBus(VirtualClock(0), policy=BusPolicy(storm_calls=32))
    handles: dict[str, AgentHandle] = {}

    def echo(name: str) -> Any:
        return lambda update: handles[name].publish({"x": update.version})

    handles["ping"] = bus.register("ping", kind="k", interests=["pong"], on_update=echo("ping"))
    handles["pong"] = bus.register("pong", kind="k", interests=["ping"], on_update=echo("pong"))
    handles["relay"] = bus.register("relay", kind="k", interests=["ping"], on_update=echo("relay"))
    bus.register("listener", kind="k", interests=["k"], on_update=lambda _: None)
    handles["ping"].publish({"x": 0})
    bus.settle()
    states = {name: bus.status(name) for name in ("ping", "pong", "relay", "listener")}
    assert states == {
        "ping": LifeState.ISOLATED,
        "pong": LifeState.ISOLATED,
        "relay": LifeState.RUNNING,
        "listener": LifeState.RUNNING,
    }
    assert bus.accounting_residual() == 0


def test_guarded_calls_are_on_the_agents_account() -> None:
    bus = SyncBus(VirtualClock(0))
    bus.register("a")
    assert bus.guarded("a", lambda x: x + 1, 2) == (True, 3)
    for _ in range(5):
        assert bus.guarded("a", boom) == (False, None)
    assert bus.status("a") is LifeState.ISOLATED
    assert bus.guarded("a", lambda: 1) == (False, None)
    statistics = bus.statistics("a")
    assert (statistics.calls, statistics.failures, statistics.successes) == (6, 5, 1)
    assert statistics.skipped == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt])
def test_the_operator_gets_through(stop: type[BaseException]) -> None:
    bus = SyncBus(VirtualClock(0))

    def interrupted(_: Any) -> None:
        raise stop

    bus.register("a", on_tick=interrupted)
    ran: list[Any] = []
    bus.register("b", on_tick=ran.append)
    with pytest.raises(stop):
        bus.tick(1)
    assert bus.statistics("a").failures == 0
    bus.tick(2, due=["b"])
    assert ran == [2]


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, RecursionError, SystemExit]
)
def test_other_exceptions_are_failures(error: type[BaseException]) -> None:
    bus = SyncBus(VirtualClock(0))

    def fails(_: Any) -> None:
        raise error

    bus.register("a", on_tick=fails)
    bus.tick(None)
    assert bus.statistics("a").failures == 1


def test_a_hostile_exception_text_is_contained() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

    def fails(_: Any) -> None:
        raise Hostile

    bus = SyncBus(VirtualClock(0))
    events: list[BusEvent] = []
    bus.on_event(boom)
    bus.on_event(events.append)
    bus.register("a", on_tick=fails)
    bus.tick(None)
    assert events[-1].detail == "Hostile: its message raises RuntimeError"
    assert bus._observers.failure_count == 2


def test_a_blocking_sync_handler_is_isolated_on_a_live_clock() -> None:
    bus = SyncBus(seed=1)
    policy = AgentPolicy(deadline_ns=2 * MILLISECOND)

    def blocks(_: Any) -> None:
        end = time.perf_counter_ns() + 5 * MILLISECOND
        while time.perf_counter_ns() < end:
            pass

    bus.register("a", on_tick=blocks, policy=policy)
    source = bus.register("s", kind="source")
    bus.register("b", interests=["s"], on_update=blocks, policy=policy)
    bus.tick(None)
    source.publish({"x": 1})
    bus.settle()
    bus.sweep()
    for name in ("a", "b"):
        assert bus.statistics(name).expired == 1
        assert bus.status(name) is LifeState.ISOLATED


def test_breaker_waits_with_full_jitter_within_its_bounds() -> None:
    policy = BreakerPolicy(base_ns=SECOND, cap_ns=8 * SECOND)
    rng = np.random.default_rng(0)
    breaker = Breaker(policy)
    now = 0
    for wait in (1, 2, 4, 8, 8):
        assert breaker.longest_wait_ns() == wait * SECOND
        breaker.failed(1, now)
        breaker.open(now, rng)
        assert breaker.retry_at is not None
        assert now <= breaker.retry_at <= now + wait * SECOND
        now = breaker.retry_at
        breaker.half_open()


def test_breaker_back_off_follows_the_cadence() -> None:
    breaker = Breaker(BreakerPolicy(), cadence_ns=HOUR)
    assert breaker.longest_wait_ns() == HOUR
    assert not RestartWindowProbe().forgets_within(49 * HOUR)
    assert RestartWindowProbe().forgets_within(51 * HOUR)


class RestartWindowProbe:
    def forgets_within(self, ns: int) -> bool:
        window = RestartWindow(RestartPolicy(intensity=1), cadence_ns=HOUR)
        assert window.allow(0)
        return window.allow(ns)


def test_breaker_rate_rule_counts_the_window() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=99))
    opened = [breaker.failed(call, 0) for call in range(2, 21, 2)]
    assert not any(opened)  # every other call: 50 %, not more
    assert breaker.failed(21, 0)


def test_breaker_level_falls_in_quiet_minutes() -> None:
    breaker = Breaker(BreakerPolicy())
    rng = np.random.default_rng(0)
    for call in (1, 2, 3):
        breaker.failed(call, 0)
        breaker.open(0, rng)
        breaker.half_open()
    assert breaker.level == 3
    breaker.failed(4, 2 * 60 * SECOND)
    assert breaker.level == 1


def test_illegal_steps_name_both_states() -> None:
    with pytest.raises(IllegalStepError, match="closed cannot become half_open"):
        Breaker(BreakerPolicy()).half_open()
    with pytest.raises(IllegalStepError, match="removed and cannot become running"):
        step("a", LifeState.REMOVED, LifeState.RUNNING)
    assert Breaker(BreakerPolicy()).state is BreakerState.CLOSED


def test_health_moves_with_each_cause() -> None:
    clock = VirtualClock(0)
    bus = SyncBus(clock)
    source = bus.register("source", kind="s")
    bus.register("a", kind="r", interests=["source"], on_update=boom)
    assert bus.health("a").score == 1.0
    source.publish({"x": 1})
    clock.advance_to(250 * MILLISECOND)
    waiting = bus.health("a")
    assert waiting.backlog == pytest.approx(math.exp(-1))
    bus.settle()
    failed = bus.health("a")
    assert failed.success == pytest.approx(0.5 ** (1 / 50))
    assert failed.backlog == 1.0
    for value in range(4):
        source.publish({"x": value})
        bus.settle()
    assert bus.health("a").score == 0.0
    clock.advance_to(2 * SECOND)
    bus.sweep()
    probing = bus.health("a")
    assert (probing.breaker, probing.restarts) == (0.5, pytest.approx(2 / 3))


# -- what an agent must not do, and hides -----------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_a_call_that_publishes_lies_has_failed_even_if_it_hides_the_error(waits: bool) -> None:
    clock = VirtualClock(SECOND)
    bus = SyncBus(clock)
    heard: list[str] = []
    bus.on_event(lambda event: heard.append(f"{event.kind} {event.agent_id}"))

    def lie() -> None:
        for delta in ({"x": float("nan")}, {"y": 1.0}, {"x": "one"}):
            with contextlib.suppress(StateError):
                liar.publish(delta)

    async def lie_later(_: Any) -> None:
        await asyncio.sleep(0.01)
        lie()

    liar = bus.register(
        "liar", on_tick=lie_later if waits else lambda _: lie(), schema={"x": Field()}
    )

    async def main() -> None:
        for _ in range(5):
            bus.tick(None)
            await bus.wait_quiet(clock.now() + SECOND)

    loop = VirtualTimeLoop(clock)
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    statistics = bus.statistics("liar")
    assert (statistics.calls, statistics.failures, statistics.refused) == (5, 5, 15)
    assert bus.status("liar") is LifeState.ISOLATED
    assert heard.count("rejected_publish liar") == 15
    assert bus.read("liar").version == 0


def test_each_call_is_judged_by_what_it_did_itself() -> None:
    """Of several deliveries in one turn only the one that lied has failed."""
    bus = SyncBus(VirtualClock(SECOND))
    sources = [bus.register(f"s{n}", kind="source") for n in range(6)]

    def on_update(update: Update) -> None:
        if update.source in ("s1", "s3"):
            with contextlib.suppress(StateError):
                reader.publish({"x": object()})
        else:
            reader.publish({"x": 1})

    reader = bus.register("reader", interests=["source"], on_update=on_update)
    for source in sources:
        source.publish({"v": 1})
    bus.settle()
    statistics = bus.statistics("reader")
    assert (statistics.calls, statistics.failures, statistics.refused) == (6, 2, 2)
    assert bus.read("reader").version == 4
    assert bus.status("reader") is LifeState.RUNNING
    assert bus.accounting_residual() == 0


def test_a_lie_of_the_assembly_is_nobodys_failed_call() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    handle = bus.register("a", on_tick=lambda _: None)
    with pytest.raises(StateError):
        handle.publish({"x": float("inf")})
    bus.tick(None)
    statistics = bus.statistics("a")
    assert (statistics.refused, statistics.failures) == (1, 0)


def test_who_waits_is_not_blamed_for_the_time_another_held_the_loop() -> None:
    """A stall of three deadlines: it does not count for those who could not go on meanwhile."""
    deadline = 100 * MILLISECOND

    async def main() -> None:
        bus = SyncBus(policy=BusPolicy(sweep_ns=5 * MILLISECOND))
        policy = AgentPolicy(deadline_ns=deadline)
        woken: list[str] = []

        async def patient(_: Any) -> None:
            await asyncio.sleep(0.02)
            woken.append("patient")

        async def never(_: Any) -> None:
            await asyncio.get_running_loop().create_future()

        bus.register("patient", on_tick=patient, policy=policy)
        bus.register("never", on_tick=never, policy=policy)
        bus.register("blocks", on_tick=lambda _: time.sleep(3 * deadline / SECOND), policy=policy)
        bus.tick(None)
        await bus.drain(20 * SECOND)
        assert woken == ["patient"]
        assert bus.status("patient") is LifeState.RUNNING
        assert bus.statistics("patient").expired == 0
        assert bus.statistics("never").expired == 1
        assert bus.statistics("blocks").expired == 1
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())
