"""The watchdog with the real thing: threads, real time, agents that keep the loop.

Nothing here sleeps for a fixed time: each test waits for a condition, with a bound.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import numpy as np
import pytest

import mirrorcore.syncbus
from mirrorcore.clock import MILLISECOND, SECOND
from mirrorcore.syncbus import (
    AgentBlocked,
    AgentPolicy,
    BusEvent,
    Ending,
    EventKind,
    Handlers,
    Interest,
    Stall,
    SyncBus,
    WatchdogPolicy,
)
from mirrorcore.syncbus.interrupt import Starvation

DEADLINE = 100 * MILLISECOND
PATIENCE = 60.0
"""Seconds within which whatever is waited for must have happened, on a busy machine."""


async def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.002)


class Scene:
    """A bus with a watchdog, an agent that is up to something, and one that must not notice."""

    def __init__(self, *, deadline_ns: int = DEADLINE, **policy: Any) -> None:
        self.bus = SyncBus()
        self.told: list[tuple[float, Stall]] = []
        self.events: list[BusEvent] = []
        self.loop_errors: list[Any] = []
        self.bus.on_event(self.events.append)
        self.dog = self.bus.start_watchdog(WatchdogPolicy(**policy), self._tell)
        self.deadline_ns = deadline_ns
        self.source = self.bus.register("source")
        self.seen: list[Any] = []

    def _tell(self, stall: Stall) -> None:
        self.told.append((time.monotonic(), stall))

    def offender(self, handler: Callable[..., Any] | None, **more: Any) -> Any:
        """Registered before the witness, so that its turn comes first."""
        interests = more.pop("interests", ["source"])
        handle = self.bus.register(
            "offender",
            interests=interests,
            on_update=handler,
            policy=AgentPolicy(deadline_ns=self.deadline_ns, max_publishes_per_call=10**9),
            **more,
        )
        self.bus.register("witness", interests=["source"], on_update=self.seen.append)
        return handle

    def kinds(self) -> list[str]:
        return [str(event.kind) for event in self.events if event.agent_id == "offender"]

    @property
    def stall(self) -> Stall:
        return self.told[0][1]

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _loop, context: self.loop_errors.append(context))
            await story()
            assert self.bus.accounting_residual() == 0
            await self.bus.aclose()

        asyncio.run(work())
        assert not self.loop_errors
        assert not self.dog.alive

    def provoke(self, handler: Callable[..., Any], **more: Any) -> None:
        """One update to the offender; over when it is down and the witness has seen its own."""

        async def story() -> None:
            self.offender(handler, **more)
            self.source.publish({"x": 1})
            await until(lambda: self.seen and self.told)
            await until(lambda: self.bus.status("offender") == "isolated")
            self.source.publish({"x": 2})
            await until(lambda: len(self.seen) == 2)

        self.play(story)
        assert [update.fields["x"] for update in self.seen] == [1, 2]


def spins(update: Any) -> None:
    while True:
        pass


def goes_on_after_errors(update: Any) -> None:
    while True:
        with suppress(Exception):
            len("work")


def never_ends(update: Any) -> None:
    def numbers() -> Iterator[int]:
        while True:
            yield 1

    for _ in numbers():
        pass


def calls_short_c(update: Any) -> None:
    while True:
        time.sleep(0.001)


async def spins_at_once(update: Any) -> None:
    while True:
        pass


async def spins_after_waiting(update: Any) -> None:
    await asyncio.sleep(0.001)
    while True:
        pass


@pytest.mark.parametrize(
    "handler",
    [spins, goes_on_after_errors, never_ends, calls_short_c, spins_at_once, spins_after_waiting],
)
def test_a_loop_in_python_is_ended_soon_after_its_deadline(handler: Callable[..., Any]) -> None:
    scene = Scene()
    scene.provoke(handler)
    stall = scene.stall
    assert (stall.agent_id, stall.call, stall.ended) == ("offender", 1, Ending.PYTHON)
    assert stall.strikes == 1
    assert stall.later is (handler is spins_after_waiting)
    assert DEADLINE / SECOND <= stall.seconds < DEADLINE / SECOND + 2
    assert handler.__name__ in stall.stack[0] or "numbers" in stall.stack[-1]
    assert scene.kinds()[1:5] == ["blocked", "expired", "breaker", "isolated"]
    blocked = next(event for event in scene.events if event.kind is EventKind.BLOCKED)
    assert "ended at" in blocked.detail


def test_a_call_in_c_is_named_while_it_still_runs_and_ends_by_itself() -> None:
    scene = Scene()
    began = time.monotonic()
    scene.provoke(lambda update: time.sleep(1.0))
    told, stall = scene.told[0]
    assert stall.ended is Ending.NATIVE
    assert told - began < 1.0
    assert stall.seconds < 0.95
    assert "time.sleep(1.0)" in stall.stack[-1]
    assert len(scene.told) == 1
    blocked = next(event for event in scene.events if event.kind is EventKind.BLOCKED)
    assert "native" in blocked.detail


def test_c_code_that_keeps_the_interpreter_is_named_when_it_returns() -> None:
    million = 1_000_000
    started = time.perf_counter()
    sum(range(million))
    # Long enough to be certain on this machine, as fast as it is now: more than a second.
    numbers = round(1.2 / (time.perf_counter() - started)) * million
    scene = Scene()
    scene.provoke(lambda update: sum(range(numbers)))
    assert scene.stall.ended is Ending.NATIVE
    assert scene.stall.seconds > DEADLINE / SECOND


def test_who_catches_everything_is_struck_again_and_named_as_such() -> None:
    caught = []

    def catches(update: Any) -> None:
        while len(caught) < 8:
            try:
                while True:
                    len("work")
            except BaseException as error:
                caught.append(error)

    scene = Scene(again_ns=5 * MILLISECOND)
    scene.provoke(catches)
    assert len(caught) == 8
    assert all(isinstance(error, AgentBlocked) for error in caught)
    assert scene.stall.ended is Ending.STUBBORN
    assert "expired" in scene.kinds()


def test_hiding_the_exception_is_a_hang_all_the_same() -> None:
    def hides(update: Any) -> None:
        try:
            spins(update)
        except BaseException:
            return

    scene = Scene()
    scene.provoke(hides)
    assert scene.kinds()[1:5] == ["blocked", "expired", "breaker", "isolated"]


def test_every_way_in_which_an_agent_is_called_is_watched() -> None:
    scene = Scene()
    bus = scene.bus

    async def story() -> None:
        def spoilt(handle: Any, checkpoint: Any) -> Handlers:
            while True:
                pass

        scene.offender(
            None,
            on_tick=spins,
            on_message=spins,
            on_signal=spins,
            factory=lambda handle, checkpoint: None,
        )

        def down() -> bool:
            return bus.status("offender") == "isolated"

        for number, act in enumerate(
            (
                lambda: bus.tick(None),
                lambda: bus.send("offender", "message"),
                lambda: bus.signal("offender", "signal"),
                lambda: bus.guarded("offender", spins, None),
            )
        ):
            act()
            await until(down)
            await until(lambda n=number: len(scene.told) == n + 1)  # type: ignore[misc]
            bus.isolate("offender")
            assert bus.restart("offender")
        agent = bus._agents["offender"]
        agent.factory = spoilt
        assert not bus.restart("offender")
        await until(lambda: len(scene.told) == 5)
        assert bus.statistics("offender").blocked == 5

    scene.play(story)
    assert all(stall.ended is Ending.PYTHON for _, stall in scene.told)


@pytest.mark.parametrize("where", ["paused", "waiting", "in the turn of another", "later step"])
def test_an_endless_signal_handler_is_ended_wherever_it_is_called(where: str) -> None:
    scene = Scene()
    bus = scene.bus

    async def later_spins(_: Any) -> None:
        await asyncio.sleep(0)
        spins(None)

    async def waits(_: Any) -> None:
        await asyncio.sleep(60.0)

    async def story() -> None:
        scene.offender(
            waits if where == "waiting" else None,
            on_signal=later_spins if where == "later step" else spins,
        )
        bus.register(
            "giver",
            interests=["source"],
            on_update=lambda _: bus.signal("offender", "signal"),
        )
        if where == "paused":
            bus.pause("offender")
        scene.source.publish({"x": 1})
        await until(lambda: scene.told and bus.status("offender") == "isolated")
        assert bus.statistics("offender").blocked == 1
        assert bus.statistics("giver").failures == 0

    scene.play(story)
    assert (scene.stall.agent_id, scene.stall.ended) == ("offender", Ending.PYTHON)


def test_a_bus_that_goes_on_in_another_thread_is_watched_there_from_its_first_call() -> None:
    scene = Scene()
    bus = scene.bus
    bus.register("offender", on_signal=spins, policy=AgentPolicy(deadline_ns=scene.deadline_ns))

    async def story() -> None:
        bus.signal("offender", "signal")
        await until(lambda: scene.told and bus.status("offender") == "isolated")

    thread = threading.Thread(target=lambda: asyncio.run(story()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    bus.stop_watchdog()
    assert (scene.stall.agent_id, scene.stall.ended) == ("offender", Ending.PYTHON)


def test_what_a_handler_left_for_its_end_is_watched_too() -> None:
    scene = Scene()

    async def leaves(_: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(spins)

    async def story() -> None:
        scene.offender(leaves)
        scene.source.publish({"x": 1})
        await until(lambda: scene.told and scene.bus.status("offender") == "isolated")

    scene.play(story)
    assert (scene.stall.agent_id, scene.stall.ended) == ("offender", Ending.PYTHON)


def test_within_a_publish_the_one_that_spins_is_ended_not_the_publisher() -> None:
    scene = Scene()
    published = []

    def publishes(update: Any) -> None:
        published.append(handle.publish({"y": 1}))

    async def story() -> None:
        nonlocal handle
        handle = scene.bus.register("publisher", interests=["source"], on_update=publishes)
        scene.offender(spins, interests=[Interest("publisher", mode="eager")])
        scene.source.publish({"x": 1})
        await until(lambda: scene.seen and scene.told)
        assert scene.bus.status("publisher") == "running"
        assert scene.bus.statistics("publisher").failures == 0

    handle: Any = None
    scene.play(story)
    assert published == [1]
    assert (scene.stall.agent_id, scene.stall.ended) == ("offender", Ending.PYTHON)


def test_many_short_calls_and_steps_are_not_one_long_call() -> None:
    scene = Scene(deadline_ns=20 * MILLISECOND, poll_ns=MILLISECOND)

    async def story() -> None:
        done = []

        async def steps(update: Any) -> None:
            for _ in range(60):
                end = time.perf_counter() + 0.001
                while time.perf_counter() < end:
                    pass
                await asyncio.sleep(0)
            done.append(update)

        agent_policy = AgentPolicy(deadline_ns=5 * SECOND)
        scene.bus.register("patient", interests=["source"], on_update=steps, policy=agent_policy)
        scene.source.publish({"x": 1})
        await until(lambda: done)

    scene.dog.policy = WatchdogPolicy(poll_ns=MILLISECOND, deadline_ns=20 * MILLISECOND)
    scene.play(story)
    assert not scene.told


# -- at the deadline ------------------------------------------------------------------------------

TIGHT = {"poll_ns": 200_000, "deadline_ns": MILLISECOND, "again_ns": MILLISECOND}


@contextmanager
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def hammer(scene: Scene, handler: Callable[..., Any], hand: dict[str, Any] | None = None) -> None:
    """Call after call that ends about at the deadline, until enough of them were struck.

    ``hand`` is given the handle of each incarnation under that name.
    """
    bus = scene.bus
    held = {} if hand is None else hand
    rounds = 0

    def reborn(handle: Any, checkpoint: Any) -> None:
        held["handle"] = handle

    async def story() -> None:
        nonlocal rounds
        held["handle"] = scene.offender(handler, factory=reborn)
        end = time.monotonic() + 3 * PATIENCE
        while rounds < 300 or bus.statistics("offender").blocked < 20:
            assert time.monotonic() < end, "too few calls were struck"
            rounds += 1
            if bus.status("offender") in ("isolated", "failed"):
                bus.restart("offender")
            scene.source.publish({"x": rounds})
            await until(lambda number=rounds: len(scene.seen) == number)  # type: ignore[misc]
            bus.sweep()
            assert bus.accounting_residual() == 0

    with quick_switches():
        scene.play(story)
    assert [update.fields["x"] for update in scene.seen] == list(range(1, rounds + 1))


BUS = os.path.dirname(mirrorcore.syncbus.__file__)


@pytest.mark.parametrize("what", ["compute", "publish", "read", "collect", "send"])
@pytest.mark.parametrize("later", [False, True])
def test_nothing_lands_in_the_buss_own_code(what: str, later: bool) -> None:
    scene = Scene(**TIGHT)
    rng = random.Random(5)
    received: list[Any] = []
    innermost: list[tuple[FrameType, int]] = []
    hand: dict[str, Any] = {}

    def work() -> None:
        sent: list[None] = []
        handle = hand["handle"]
        acts = {
            "compute": lambda: None,
            "publish": lambda: handle.publish({"y": 1}),
            "read": lambda: handle.read("source"),
            "collect": handle.collect,
            "send": lambda: sent.append(handle.send("receiver", 1)) if len(sent) < 50 else None,
        }
        act, end = acts[what], time.perf_counter() + rng.uniform(0.0, 0.003)
        try:
            while time.perf_counter() < end:
                act()
        except AgentBlocked as error:
            innermost.append(list(traceback.walk_tb(error.__traceback__))[-1])
            raise

    async def handler(update: Any) -> None:
        if later:
            await asyncio.sleep(0)
        work()

    roomy = AgentPolicy(inbox=10**9)
    scene.bus.register("receiver", on_message=received.append, policy=roomy)
    hammer(scene, handler, hand)
    assert innermost or what != "compute"
    within = [
        f"{frame.f_code.co_qualname}:{line}"
        for frame, line in innermost
        # Arriving where the agent calls the bus, before anything is done, is as good.
        if frame.f_code.co_filename.startswith(BUS) and line != frame.f_code.co_firstlineno
    ]
    assert not within


def test_what_arrives_only_as_the_handler_returns_or_raises_is_the_handlers() -> None:
    ours, theirs = socket.socketpair()
    rng = random.Random(5)
    big = np.ones(1_000_000 * rng.randint(3, 5))

    def receives(update: Any) -> None:
        """C code lets others run, then raises, straight out of the handler."""
        ours.settimeout(rng.uniform(0.0002, 0.003))
        ours.recv(1)

    def adds(update: Any) -> None:
        """C code lets others run, and after it nothing in the handler looks for exceptions."""
        big + big

    async def receives_at_once(update: Any) -> None:
        receives(update)

    async def receives_later(update: Any) -> None:
        await asyncio.sleep(0)
        receives(update)

    with ours, theirs:
        for handler in (receives, adds, receives_at_once, receives_later):
            hammer(Scene(**TIGHT), handler)


# -- whose business it is not ---------------------------------------------------------------------


def test_a_bus_in_another_thread_is_not_touched() -> None:
    rounds: list[int] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def elsewhere() -> None:
        async def work() -> None:
            bus = SyncBus()
            source = bus.register("source")
            # Slow is no hang there, however little of the machine it gets.
            patient = AgentPolicy(deadline_ns=600 * SECOND)
            bus.register("slow", interests=["source"], on_update=slow, policy=patient)
            while not over.is_set():
                source.publish({"x": 1})
                await bus.drain()
                rounds.append(1)
            assert bus.statistics("slow").failures == 0
            await bus.aclose()

        def slow(update: Any) -> None:
            end = time.perf_counter() + 0.15
            while time.perf_counter() < end:
                pass

        try:
            asyncio.run(work())
        except BaseException as error:  # handed to the test
            failed.append(error)

    other = threading.Thread(target=elsewhere)
    other.start()
    try:
        scene = Scene(deadline_ns=20 * MILLISECOND)
        for _ in range(3):
            scene = Scene(deadline_ns=20 * MILLISECOND)
            scene.provoke(spins)
    finally:
        over.set()
        other.join(PATIENCE)
    assert rounds
    assert not failed


def test_ctrl_c_breaks_into_a_watched_call() -> None:
    scene = Scene(deadline_ns=30 * SECOND)
    began = threading.Event()

    def spins_visibly(update: Any) -> None:
        began.set()
        while True:
            pass

    def interrupt() -> None:
        began.wait(PATIENCE)
        signal.raise_signal(signal.SIGINT)

    async def story() -> None:
        scene.offender(spins_visibly)
        scene.source.publish({"x": 1})
        await until(lambda: False)

    loop = asyncio.new_event_loop()  # asyncio.run would keep the first one for itself
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(story())
    assert time.monotonic() - started < PATIENCE
    interrupter.join(PATIENCE)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert not scene.told
    scene.bus.stop_watchdog()


def test_ctrl_c_is_not_lost_when_both_come_at_once() -> None:
    def interrupted(update: Any) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise AgentBlocked

    bus = SyncBus()
    source = bus.register("source")
    bus.register("offender", interests=["source"], on_update=interrupted)
    source.publish({"x": 1})
    with pytest.raises(KeyboardInterrupt):
        bus.settle()


# -- the thread -----------------------------------------------------------------------------------


def watching() -> int:
    return sum(thread.name == "mirrorcore-watchdog" for thread in threading.enumerate())


def test_the_thread_ends_with_the_bus_however_that_ends() -> None:
    before = watching()
    bus = SyncBus(watchdog=True)
    assert watching() == before + 1
    bus.stop_watchdog()
    assert watching() == before

    asyncio.run(SyncBus(watchdog=True).aclose())
    assert watching() == before

    forgotten = SyncBus(watchdog=True)
    dog = forgotten._watchdog
    assert dog is not None
    del forgotten
    gc.collect()
    dog._thread.join(PATIENCE)
    assert watching() == before


def test_the_thread_ends_with_the_thread_it_watches() -> None:
    made: list[SyncBus] = []
    thread = threading.Thread(target=lambda: made.append(SyncBus(watchdog=True)))
    thread.start()
    thread.join(PATIENCE)
    dog = made[0]._watchdog
    assert dog is not None
    dog._thread.join(PATIENCE)
    assert not dog.alive


def test_a_bus_that_nobody_watches_has_no_thread() -> None:
    before = watching()
    bus = SyncBus()
    bus.register("scout")
    assert watching() == before


def test_where_a_native_block_is_known_the_restart_asks_where_to_go() -> None:
    scene = Scene()
    asked: list[str] = []

    async def story() -> None:
        scene.bus._supervisor.relocate = lambda agent: not asked.append(agent.agent_id)
        scene.offender(lambda update: time.sleep(0.4))
        scene.source.publish({"x": 1})
        await until(lambda: asked)

    scene.play(story)
    assert asked[0] == "offender"
    assert "relocated" in scene.kinds()


def test_what_a_callback_raises_is_kept_and_watching_goes_on() -> None:
    scene = Scene()
    tell = scene.dog._on_stall

    def fails(stall: Stall) -> None:
        assert tell is not None
        tell(stall)
        raise ValueError("no screen")

    scene.dog._on_stall = fails
    scene.provoke(spins)
    assert list(scene.dog.failures) == ["ValueError: no screen"]


# -- whose time it was ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worked", "starved", "lost"), [(0.9, 1.0, 0.0), (0.1, 0.0, 0.9), (0.0, 0.0, 1.0)]
)
def test_time_that_the_process_did_not_have_is_not_the_agents(
    monkeypatch: pytest.MonkeyPatch, worked: float, starved: float, lost: float
) -> None:
    """A look that comes a second late, of which the watched thread worked for a part."""
    now, used = 0, 0
    monkeypatch.setattr("mirrorcore.syncbus.interrupt.stamp_ns", lambda: now)
    monkeypatch.setattr("mirrorcore.clock.ThreadClock.cpu_ns", lambda _clock: used)
    starvation = Starvation()
    now, used = 20 * MILLISECOND, 10 * MILLISECOND
    assert starvation.overslept(20 * MILLISECOND) == (0, 0)
    now, used = now + SECOND + 20 * MILLISECOND, used + round(worked * SECOND)
    found = starvation.overslept(20 * MILLISECOND)
    assert found == (round(starved * SECOND), round(lost * SECOND))
