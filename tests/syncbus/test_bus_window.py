"""Every way in which agents' code is called: whose it is known to be, and whose time it took."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from threading import get_ident
from typing import Any

import pytest
from called import Called, Struck

from mirrorcore.clock import SECOND, LiveClock, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    ALL,
    BusEvent,
    EventKind,
    Field,
    FloodError,
    Handlers,
    Interest,
    StateError,
    SyncBus,
)
from mirrorcore.syncbus.faults import AgentBlocked

WAYS = ("update", "eager", "message", "signal", "tick", "guarded", "ahead")


class Stamps:
    """The bus's stamps of time, moved by hand."""

    now = 0

    def spend(self, _: Any) -> None:
        """A call that takes a second."""
        self.now += SECOND


@pytest.fixture
def stamps(monkeypatch: pytest.MonkeyPatch) -> Stamps:
    moved = Stamps()
    for module in ("dispatcher", "outcomes"):
        monkeypatch.setattr(f"mirrorcore.syncbus.{module}.stamp_ns", lambda: moved.now)
    return moved


@pytest.mark.parametrize("way", WAYS)
def test_while_its_code_runs_and_only_then_it_is_known_whose_it_is(way: str) -> None:
    seen: list[Any] = []

    def act(_: Any) -> None:
        seen.append((called.window.agent.agent_id, called.window.thread_id == get_ident()))
        seen.append(called.window.agent.ahead)

    called = Called(act)
    called.window.thread_id = 0
    called.call(way)
    assert seen == [("a", True), 3 if way == "ahead" else 0]
    assert called.window.agent is None
    assert called.bus._agent("a").ahead == 0
    assert called.bus._dispatcher.current is None


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_that_lands_as_the_window_closes_is_its_agents(way: str) -> None:
    called = Called(lambda _: None)
    called.window.strikes = 1
    if way == "ahead":
        with pytest.raises(AgentBlocked):
            called.call(way)
    else:
        assert called.call(way) == ((False, None) if way == "guarded" else None)
        assert called.bus.statistics("a").expired == 1
    assert called.window.strikes == 0
    assert called.window.agent is None
    assert called.bus._dispatcher.current is None


@pytest.mark.parametrize("way", WAYS)
def test_what_its_code_raises_leaves_no_window_open(way: str) -> None:
    def fails(_: Any) -> None:
        raise ValueError("no")

    called = Called(fails)
    if way == "ahead":
        with pytest.raises(ValueError, match="no"):
            called.call(way)
    else:
        assert called.call(way) == ((False, None) if way == "guarded" else None)
    assert called.window.agent is None
    assert called.bus._agent("a").ahead == 0


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("ahead", "eager")])
def test_every_call_is_in_the_histogram_however_it_is_called(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four calls of a second and one of none. (An eager call is time of whoever published.)"""
    now = 5 * SECOND
    monkeypatch.setattr("mirrorcore.syncbus.dispatcher.stamp_ns", lambda: now)

    took = [SECOND, SECOND, 0, SECOND, SECOND]

    def act(_: Any) -> None:
        nonlocal now
        now += took.pop()

    called = Called(act)
    while took:
        now += SECOND  # nobody's
        called.call(way)
    latency = called.bus._agent("a").latency
    assert {n: calls for n, calls in enumerate(latency) if calls} == {
        0: 1,
        SECOND.bit_length(): 4,
    }


def test_of_two_in_a_tick_each_has_its_own_time(stamps: Stamps) -> None:
    bus = SyncBus(VirtualClock(SECOND))

    bus.register("slow", on_tick=stamps.spend)
    bus.register("none")
    bus.register("quick", on_tick=lambda _: None)
    bus.tick(None, due=["slow", "none", "quick"])
    assert sum(bus._agent("slow").latency[1:]) == 1
    assert bus._agent("quick").latency[0] == 1


def test_of_those_who_hear_a_signal_each_has_its_own_time(stamps: Stamps) -> None:
    """And what a failure costs is nobody's, unless it is the agent's own."""
    bus = SyncBus(VirtualClock(SECOND))

    def lies(_: Any) -> None:
        with contextlib.suppress(StateError):
            liar.publish({"x": "high"})

    def told(event: BusEvent) -> None:
        if event.kind is EventKind.FAILURE:
            stamps.spend(None)

    bus.register("slow", on_signal=stamps.spend)
    bus.register("quick", on_signal=lambda _: None)
    liar = bus.register("liar", on_signal=lies, schema={"x": Field(low=0.0, high=1.0)})
    bus.register("last", on_signal=lambda _: None)
    bus.on_event(told)
    bus.signal(ALL, "hear")
    bus.settle()
    assert stamps.now == 2 * SECOND
    assert bus._agent("slow").latency[SECOND.bit_length()] == 1
    assert bus._agent("quick").latency[0] == 1
    assert bus._agent("last").latency[0] == 1


@pytest.mark.parametrize("how", ["isolate", "restart"])
def test_who_cannot_hear_a_signal_holds_up_nobody_who_can(how: str) -> None:
    """Neither who is down by now nor who begins anew: the next still goes before any state."""
    bus = SyncBus(VirtualClock(SECOND))
    order: list[str] = []

    def hears(name: str) -> Callable[[Any], None]:
        return lambda _: order.append(name)

    def first(_: Any) -> None:
        order.append("first")
        getattr(bus, how)("second")

    def built(handle: Any, checkpoint: bytes | None) -> Handlers:
        return Handlers(on_signal=hears("second"))

    bus.register("first", on_signal=first)
    bus.register("second", on_signal=hears("second"), factory=built)
    bus.register("third", on_signal=hears("third"))
    source = bus.register("source")
    bus.register("reader", interests=["source"], on_update=hears("reader"))
    source.publish({"x": 1})
    bus.signal(ALL, "hear")
    bus.settle()
    assert order[-2:] == ["third", "reader"]


def test_a_signal_given_in_a_tick_is_heard_before_the_next_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And its time is not that agent's."""
    now = 0
    monkeypatch.setattr("mirrorcore.syncbus.dispatcher.stamp_ns", lambda: now)
    bus = SyncBus(VirtualClock(SECOND))
    order: list[str] = []

    def hear(_: Any) -> None:
        nonlocal now
        now += SECOND
        order.append("hears")

    def act(_: Any) -> None:
        order.append("first")
        bus.signal("last", "hear")

    bus.register("first", on_tick=act)
    bus.register("second", on_tick=lambda _: order.append("second"))
    bus.register("last", on_signal=hear)
    bus.tick(None)
    assert order == ["first", "hears", "second"]
    assert bus._agent("second").latency[0] == 1


def test_after_an_eager_call_within_its_own_the_code_is_again_its_own() -> None:
    bus = SyncBus(VirtualClock(SECOND))
    window, seen = bus._dispatcher.window, []

    def whose(_: Any) -> None:
        seen.append(window.agent and window.agent.agent_id)

    def act(update: Any) -> None:
        whose(update)
        middle.publish({"x": 1})
        whose(update)

    source = bus.register("source")
    middle = bus.register("middle", interests=["source"], on_update=act)
    bus.register("eager", interests=[Interest("middle", None, "eager")], on_update=whose)
    source.publish({"x": 1})
    bus.settle()
    assert seen == ["middle", "eager", "middle"]


def test_outside_of_any_call_an_eager_one_belongs_to_the_thread_that_publishes() -> None:
    """Within the bus's own work the thread is known already."""
    bus = SyncBus(VirtualClock(SECOND))
    window, seen = bus._dispatcher.window, []
    source = bus.register("source")

    def tick(_: Any) -> None:
        window.thread_id = 7
        source.publish({"x": 2})

    bus.register("ticks", on_tick=tick)
    bus.register(
        "eager",
        interests=[Interest("source", None, "eager")],
        on_update=lambda _: seen.append(window.thread_id),
    )
    window.thread_id = 0
    source.publish({"x": 1})
    bus.tick(None)
    assert seen == [get_ident(), 7]


class Asked:
    """An answer of which it is asked whether it can be awaited; that is its agent's code too."""

    def __init__(self, window: Any, seen: list[Any]) -> None:
        self.window, self.seen = window, seen

    def __getattr__(self, name: str) -> Any:
        self.seen.append((name, self.window.agent and self.window.agent.agent_id))
        raise AttributeError(name)


@pytest.mark.parametrize("strikes", [0, 1])
def test_to_ask_whether_an_answer_waits_is_to_run_its_agents_code(strikes: int) -> None:
    seen: list[Any] = []

    def act(_: Any) -> Any:
        def later() -> None:
            called.window.strikes = strikes

        return Striking(later) if strikes else Asked(called.window, seen)

    called = Called(act)
    called.call("update")
    assert called.window.agent is None
    assert called.window.strikes == 0
    assert called.bus.statistics("a").expired == strikes
    if not strikes:
        assert seen == [("__await__", "a")]


class Striking:
    """An answer in whose code, when it is asked, an exception from outside is thrown."""

    def __init__(self, strike: Any) -> None:
        self.strike = strike

    def __getattr__(self, name: str) -> Any:
        self.strike()
        raise AttributeError(name)


class Awaitable:
    """What can be awaited and is no coroutine."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def __await__(self) -> Any:
        self.seen.append("awaited")
        yield from asyncio.sleep(0).__await__()
        self.seen.append("done")


def test_whatever_can_be_awaited_is_awaited() -> None:
    clock = VirtualClock(SECOND)
    loop, seen = VirtualTimeLoop(clock), []

    async def main() -> None:
        bus = SyncBus(clock)
        bus.register("a", on_message=lambda _: Awaitable(seen))
        bus.send("a", 1)
        await bus.wait_quiet(2 * SECOND)
        assert bus.statistics("a").failures == 0

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert seen == ["awaited", "done"]


@pytest.mark.parametrize("strikes", [0, 1])
def test_a_coroutine_without_a_loop_runs_as_its_agents_code(strikes: int) -> None:
    seen: list[Any] = []

    async def act(_: Any) -> None:
        seen.append(called.window.agent.agent_id)
        called.window.strikes = strikes

    def begin(update: Any) -> Any:
        return act(update)

    called = Called(begin)
    called.call("update")
    assert seen == ["a"]
    assert called.window.agent is None
    assert called.bus.statistics("a").expired == strikes


def test_within_its_own_call_an_agent_can_be_asked_something_on_its_account() -> None:
    bus, answers = SyncBus(LiveClock()), []
    bus.register("a", on_message=lambda _: answers.append(bus.guarded("a", lambda: 5)))
    bus.send("a", 1)
    bus.settle()
    assert answers == [(True, 5)]
    assert bus.statistics("a").failures == 0


class Bare:
    """Waits, and needs no event loop to say so."""

    def __await__(self) -> Any:
        yield


class Ends:
    """Coroutines that end in each way where no event loop is running."""

    def __init__(self) -> None:
        self.closed = False

    async def answers(self) -> int:
        return 5

    async def fails(self) -> None:
        raise ValueError("no")

    async def waits(self) -> None:
        try:
            await Bare()
        finally:
            self.closed = True

    async def will_not_close(self) -> None:
        try:
            await Bare()
        except GeneratorExit:
            raise ValueError("never") from None


@pytest.mark.parametrize(
    ("way", "failure"),
    [
        ("answers", None),
        ("fails", "ValueError: no"),
        ("waits", "no event loop is running"),
        ("will_not_close", "no event loop is running"),
    ],
)
def test_how_a_coroutine_ends_without_a_loop(way: str, failure: str | None) -> None:
    bus, ends, told = SyncBus(VirtualClock(SECOND)), Ends(), []
    bus.on_event(lambda event: told.append(event.detail) if event.kind == "failure" else None)
    bus.register("a", on_message=lambda _: getattr(ends, way)())
    bus.send("a", 1)
    bus.settle()
    assert bus.statistics("a").failures == (failure is not None)
    assert bus.accounting_residual() == 0
    assert [failure for text in told if failure in text] == ([failure] if failure else []), told
    assert ends.closed == (way == "waits")


def test_on_its_account_a_hidden_flood_is_a_failure_too() -> None:
    bus = SyncBus(VirtualClock(SECOND))

    def floods() -> int:
        with contextlib.suppress(FloodError):
            for number in range(300):
                handle.publish({"x": number})
        return 5

    handle = bus.register("a")
    assert bus.guarded("a", floods) == (False, None)
    assert bus.statistics("a").failures == 1
    assert bus.guarded("a", lambda: 5) == (True, 5)


def test_signals_are_served_with_all_else_but_for_the_pause_of_a_tick() -> None:
    """There nobody is being called, so what the driver does is nobody's."""
    bus, order = SyncBus(VirtualClock(SECOND)), []
    source = bus.register("source")
    bus.register(
        "a",
        interests=["source"],
        on_update=lambda _: order.append("update"),
        on_signal=lambda _: order.append("signal"),
        on_tick=lambda _: order.append("tick"),
    )
    source.publish({"x": 1})
    bus.serve_signals()
    assert order == ["update"]

    def between() -> None:
        source.publish({"x": 2})
        bus.signal("a", 1)
        bus.serve_signals()
        assert bus._dispatcher.current is None

    bus.tick(None, between=between)
    assert order == ["update", "signal", "tick", "update"]


def test_an_interrupt_of_the_operator_that_a_strike_overtakes_is_not_lost() -> None:
    def act(_: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise AgentBlocked("from outside")  # noqa: B904  # as it lands there

    with pytest.raises(KeyboardInterrupt):
        Called(act).call("update")


@pytest.mark.parametrize("strikes", [0, 1])
def test_a_done_callback_of_a_call_is_its_agents_code(strikes: int) -> None:
    clock = VirtualClock(SECOND)
    loop, seen, told = VirtualTimeLoop(clock), [], []

    async def act(_: Any) -> None:
        def done(_: Any) -> None:
            seen.append((window.agent.agent_id, window.thread_id == get_ident()))
            window.strikes = strikes

        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(done)
        await asyncio.sleep(0)
        window.thread_id = 0

    async def main() -> None:
        bus.register("a", on_message=act)
        bus.send("a", 1)
        await bus.wait_quiet(2 * SECOND)

    bus = SyncBus(clock)
    bus.on_event(lambda event: told.append(event.detail) if event.kind == "failure" else None)
    window = bus._dispatcher.window = Struck()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert seen == [("a", True)]
    assert window.agent is None
    assert [text.startswith("after a call") for text in told] == [True] * strikes
    assert bus.statistics("a").failures == bus.statistics("a").expired == 0


def test_work_that_keeps_an_agent_busy_is_one_call_without_a_deadline() -> None:
    """As the building of an agent in a process of its own, however long that takes."""
    clock = VirtualClock(SECOND)
    loop, ends = VirtualTimeLoop(clock), []

    async def work() -> None:
        await asyncio.sleep(1e6)
        ends.append("done")

    async def main() -> None:
        bus = SyncBus(clock)
        bus.register("a", on_message=ends.append)
        agent = bus._agent("a")
        bus._dispatcher.outcomes.engage(agent, work())
        assert agent.mailbox.calls == 1
        assert agent.busy is not None
        assert agent.busy.deadline > (2100 - 1970) * 365 * 86_400 * SECOND
        bus.send("a", "waits")
        await bus.wait_quiet(2_000_000 * SECOND)
        assert bus.statistics("a").expired == 0

        async def at_once() -> None:
            ends.append("at once")

        bus._dispatcher.outcomes.engage(agent, at_once())
        assert agent.busy is None

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert ends == ["done", "waits", "at once"]
