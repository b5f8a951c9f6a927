"""What an agent may try against the others: each of these once got through."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import time
import tracemalloc
from decimal import Decimal, getcontext
from typing import Any

import msgspec
import numpy as np
import pytest

from mirrorcore.clock import MILLISECOND, LiveClock, VirtualClock
from mirrorcore.syncbus import AgentPolicy, BusError, Field, Interest, StateError, SyncBus

BRIEF = AgentPolicy(deadline_ns=30 * MILLISECOND)


async def until(condition: Any, seconds: float = 5.0) -> None:
    """Real time: an iteration of the loop after the other until ``condition`` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        await asyncio.sleep(0.002)


# -- what a handler does to the bus while it is called ---------------------------------------


def test_a_source_removed_in_the_middle_of_a_turn_is_gone() -> None:
    bus = SyncBus(VirtualClock())
    first, second = bus.register("first"), bus.register("second")
    seen = []

    def on_update(update: Any) -> None:
        seen.append(update.source)
        bus.remove("second")
        bus.pause("reader")

    bus.register("reader", interests=["first", "second"], on_update=on_update)
    first.publish({"x": 1})
    second.publish({"x": 1})
    bus.settle()

    assert seen == ["first"]
    assert bus.statistics("reader").failures == 0
    memory = bus.checkpoint()
    assert memory is not None
    assert memory["agents"]["reader"]["pending"] == []
    bus.register("second").publish({"x": 2})
    bus.resume("reader")
    bus.settle()
    assert seen == ["first", "second"]


def test_a_signal_given_within_an_eager_call_goes_before_the_rest_of_the_turn() -> None:
    bus = SyncBus(VirtualClock())
    names = [f"s{number}" for number in range(8)]
    sources = [bus.register(name) for name in names]
    log = []

    def trades(update: Any) -> None:
        log.append(update.source)
        trader.publish({"order": len(log)})

    def checks(_: Any) -> None:
        if len(log) == 1:
            bus.signal("gate", "stop")

    trader = bus.register("trader", interests=names, on_update=trades)
    bus.register("risk", interests=[Interest("trader", mode="eager")], on_update=checks)
    bus.register("gate", on_signal=log.append)
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert log == ["s0", "stop", *names[1:]]


def test_a_long_chain_of_eager_agents_loses_nothing() -> None:
    bus = SyncBus(VirtualClock())
    handles = [bus.register("s0")]
    told = []
    for number in range(1, 300):

        def on_update(update: Any, number: int = number) -> None:
            told.append(number)
            handles[number].publish({"x": update.fields["x"]})

        interest = Interest(f"s{number - 1}", mode="eager")
        handles.append(bus.register(f"s{number}", interests=[interest], on_update=on_update))
    handles[0].publish({"x": 1})
    bus.settle()
    assert told == list(range(1, 300))
    assert sum(bus.statistics(name).failures for name in bus.agent_ids) == 0
    assert bus.accounting_residual() == 0


def test_a_handler_that_goes_on_cannot_drive_the_bus_and_so_escape_its_bound() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")
        done = []

        async def on_update(_: Any) -> None:
            await asyncio.sleep(0)
            with pytest.raises(BusError):
                bus.tick(None)
            bus.settle()
            for number in range(1000):
                flooder.publish({"x": number})
                done.append(number)

        flooder = bus.register("flooder", interests=["source"], on_update=on_update)
        source.publish({"x": 1})
        await until(lambda: bus.statistics("flooder").failures)
        assert len(done) == flooder._agent.policy.max_publishes_per_call
        await bus.aclose()

    asyncio.run(main())


def test_pausing_and_resuming_gives_nobody_more_turns() -> None:
    bus = SyncBus(VirtualClock(), policy=None)
    source = bus.register("source")
    bus.register("reader", interests=["source"], on_update=lambda _: None)
    source.publish({"x": 1})
    for _ in range(10):
        bus.pause("reader")
        bus.resume("reader")
    for _ in range(10):
        bus.isolate("reader")
        bus.restart("reader")
    assert len(bus._dispatcher.ready) == 1
    assert bus.settle() == 1


def test_an_agent_removed_by_the_call_that_would_have_ended_its_probation() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    told = []

    def on_update(_: Any) -> None:
        told.append(1)
        if len(told) == AgentPolicy().breaker.probes:
            bus.remove("probed")

    bus.register("probed", interests=["source"], on_update=on_update)
    bus.restart("probed")
    for _ in range(5):
        source.publish({"x": 1})
        bus.settle()
    assert len(told) == AgentPolicy().breaker.probes
    assert bus.agent_ids == ["source"]


def test_an_eager_reader_is_not_left_with_a_source_that_another_removed() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    eager = Interest("source", mode="eager")
    bus.register("removes", interests=[eager], on_update=lambda _: bus.remove("source"))
    told: list[Any] = []
    bus.register("reader", interests=[eager], on_update=told.append)
    bus.pause("reader")
    source.publish({"x": 1})
    bus.resume("reader")
    bus.settle()
    assert told == []
    memory = bus.checkpoint()
    assert memory is not None
    assert memory["agents"]["reader"]["pending"] == []


# -- what a handler returns, awaits and raises -----------------------------------------------


class Lookalike:
    """Raises where one looks for anything."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Yields:
    """Awaiting it hands the loop something."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def __await__(self) -> Any:
        yield self.what


class HalfFuture:
    _asyncio_future_blocking = True


@pytest.mark.parametrize("what", [Lookalike(), Unprintable(), HalfFuture()], ids=["l", "u", "h"])
def test_whatever_is_awaited_is_the_handlers_own_affair(what: Any) -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")
        seen: list[Any] = []

        async def on_message(_: Any) -> None:
            await Yields(what)

        bus.register("odd", on_message=on_message)
        bus.register("reader", interests=["source"], on_update=seen.append)
        bus.send("odd", "go")
        source.publish({"x": 1})
        bus.settle()
        assert len(seen) == 1
        await until(lambda: bus.statistics("odd").failed == 1)
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_whatever_is_returned_is_the_handlers_own_affair() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    seen: list[Any] = []
    bus.register(
        "odd",
        interests=["source"],
        on_update=lambda _: Lookalike(),
        on_message=lambda _: Lookalike(),
    )
    bus.register("reader", interests=["source"], on_update=seen.append)
    bus.send("odd", "go")
    source.publish({"x": 1})
    bus.settle()
    assert len(seen) == 1
    assert bus.statistics("odd").failures == 2
    assert bus.accounting_residual() == 0


class ExitsAsText(Exception):
    def __str__(self) -> str:
        raise SystemExit


class LiesAboutItself(Exception):
    @property
    def __class__(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize("kind", [ExitsAsText, LiesAboutItself])
def test_an_exception_that_attacks_who_looks_at_it_is_a_failure(kind: type[Exception]) -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")
        seen: list[Any] = []

        def raises(_: Any) -> None:
            raise kind

        async def raises_later(_: Any) -> None:
            await asyncio.sleep(0)
            raise kind

        bus.register("odd", interests=["source"], on_update=raises)
        bus.register("later", interests=["source"], on_update=raises_later)
        bus.register("reader", interests=["source"], on_update=seen.append)
        source.publish({"x": 1})
        bus.settle()
        assert len(seen) == 1
        await until(lambda: bus.statistics("later").failures == 1)
        assert bus.statistics("odd").failures == 1
        await bus.aclose()

    asyncio.run(main())


def test_a_future_that_refuses_to_be_cancelled_holds_up_nobody() -> None:
    class Refuses(asyncio.Future[None]):
        def cancel(self, msg: Any = None) -> bool:
            raise RuntimeError("no")

    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")

        async def refuses(_: Any) -> None:
            await Refuses()

        async def hangs(_: Any) -> None:
            await asyncio.Event().wait()

        bus.register("refuses", interests=["source"], on_update=refuses, policy=BRIEF)
        bus.register("hangs", interests=["source"], on_update=hangs, policy=BRIEF)
        source.publish({"x": 1})
        await until(lambda: bus.status("hangs") == "isolated")
        assert bus.status("refuses") == "isolated"
        await bus.aclose()

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_handler_cannot_declare_itself_done_and_so_wait_for_ever() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")

        async def on_update(_: Any) -> None:
            task: Any = asyncio.current_task()
            with contextlib.suppress(RuntimeError):
                task.set_result(1)
            await asyncio.sleep(0)

        bus.register("odd", interests=["source"], on_update=on_update)
        source.publish({"x": 1})
        bus.settle()
        await until(lambda: not bus.statistics("odd").waiting)
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_context_variables_of_an_agent_are_its_own() -> None:
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody")
    seen = []

    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")

        async def sets(_: Any) -> None:
            await asyncio.sleep(0)
            mine.set("sets")
            setter.publish({"x": 1})

        async def asks_later(_: Any) -> None:
            seen.append(mine.get())

        setter = bus.register("setter", interests=["source"], on_update=sets)
        bus.register("asks", interests=["setter"], on_update=lambda _: seen.append(mine.get()))
        bus.register("later", interests=["setter"], on_update=asks_later)
        eager = Interest("setter", mode="eager")
        bus.register("eager", interests=[eager], on_update=lambda _: asks_later(None))
        source.publish({"x": 1})
        await until(lambda: len(seen) == 3)
        await bus.aclose()

    asyncio.run(main())
    assert seen == ["nobody"] * 3


def test_what_a_sync_handler_sets_in_its_context_reaches_nobody_else() -> None:
    """Precision of decimals, numpy's way with errors and every ContextVar are such settings."""
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody")
    bus = SyncBus(VirtualClock())
    seen: dict[str, list[tuple[str, int, str]]] = {"sets": [], "asks": []}

    def look(name: str) -> None:
        seen[name].append((mine.get(), getcontext().prec, np.geterr()["divide"]))

    def sets(_: Any) -> None:
        look("sets")
        mine.set("sets")
        getcontext().prec = 3
        np.seterr(divide="raise")

    ways = {
        "on_tick": lambda: bus.tick(None),
        "on_update": lambda: (source.publish({"x": 1}), bus.settle()),
        "on_message": lambda: (bus.send("sets", 1), bus.send("asks", 1), bus.settle()),
        "on_signal": lambda: (bus.signal("all", 1), bus.settle()),
    }
    source = bus.register("source")
    untouched = ("nobody", getcontext().prec, np.geterr()["divide"])
    for way, act in ways.items():
        interests = [Interest("source", mode="latest")]
        for name, handler in (("sets", sets), ("asks", lambda _: look("asks"))):
            bus.register(name, interests=interests, **{way: handler})
        for _ in range(2):
            act()
        assert seen["asks"] == [untouched] * 2, way
        # What it set is its own, from one call to the next.
        assert seen["sets"] == [untouched, ("sets", 3, "raise")], way
        assert bus.guarded("asks", mine.get) == (True, "nobody")
        assert bus.guarded("sets", mine.get) == (True, "sets")
        assert bus.ahead("sets", 1, mine.get) == "sets"
        assert ("nobody", getcontext().prec, np.geterr()["divide"]) == untouched
        # Its next incarnation begins anew.
        assert bus.restart("sets")
        assert bus.guarded("sets", mine.get) == (True, "nobody")
        for name in ("sets", "asks"):
            bus.remove(name)
            seen[name].clear()


def test_eager_and_signalled_agents_have_their_own_context_within_the_call_of_another() -> None:
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody")
    bus = SyncBus(VirtualClock())
    seen = []

    def sets(_: Any) -> None:
        mine.set("sets")
        setter.publish({"x": 1})
        bus.signal("sets", "now")
        bus.signal("eager", "now")

    source = bus.register("source")
    setter = bus.register(
        "sets",
        interests=["source"],
        on_update=sets,
        on_signal=lambda _: seen.append(("signal to sets", mine.get())),
    )
    bus.register(
        "eager",
        interests=[Interest("sets", mode="eager")],
        on_update=lambda _: seen.append(("eager", mine.get())),
        on_signal=lambda _: seen.append(("signal to eager", mine.get())),
    )
    source.publish({"x": 1})
    bus.settle()
    assert seen == [
        ("eager", "nobody"),
        ("signal to sets", "sets"),
        ("signal to eager", "nobody"),
    ]
    assert bus.statistics("sets").failures == bus.statistics("eager").failures == 0


def test_an_agent_in_its_turn_is_not_called_again_by_those_whom_it_called() -> None:
    bus = SyncBus(VirtualClock())
    story = []

    def first(update: Any) -> None:
        story.append(f"first begins with {update.source}")
        if update.source == "source":
            one.publish({"x": 1})
        story.append("first ends")

    def second(_: Any) -> None:
        two.publish({"x": 1})

    source = bus.register("source")
    one = bus.register(
        "first", interests=["source", Interest("second", mode="eager")], on_update=first
    )
    two = bus.register("second", interests=[Interest("first", mode="eager")], on_update=second)
    source.publish({"x": 1})
    bus.settle()
    assert story == [
        "first begins with source",
        "first ends",
        "first begins with second",
        "first ends",
    ]


def test_what_a_handler_leaves_to_be_done_after_its_end_is_done_and_its_errors_are_told() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        events, errors, called = [], [], []
        bus.on_event(events.append)
        asyncio.get_running_loop().set_exception_handler(lambda _, told: errors.append(told))
        source = bus.register("source")

        def handler(name: str, waits: bool) -> Any:
            async def on_update(_: Any) -> None:
                def later(task: Any) -> None:
                    called.append((name, task.result()))
                    raise ValueError(name)

                def never(_: Any) -> None:
                    called.append((name, "never"))

                task = asyncio.current_task()
                assert task is not None
                task.add_done_callback(later)
                task.add_done_callback(never)
                assert task.remove_done_callback(never) == 1
                if waits:
                    await asyncio.sleep(0)

            return on_update

        bus.register("at once", interests=["source"], on_update=handler("at once", False))
        bus.register("waits", interests=["source"], on_update=handler("waits", True))
        source.publish({"x": 1})
        await until(lambda: len(called) == 2)
        told = [(event.agent_id, event.detail) for event in events if event.kind == "failure"]
        assert called == [("at once", None), ("waits", None)]
        assert told == [
            ("at once", "after a call: ValueError: at once"),
            ("waits", "after a call: ValueError: waits"),
        ]
        assert not errors
        source.publish({"x": 2})
        await until(lambda: len(called) == 4)
        await bus.aclose()

    asyncio.run(main())


def test_what_a_zombie_raises_as_it_is_closed_does_not_stop_the_closing() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")

        async def on_update(_: Any) -> None:
            try:
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.Event().wait()
            finally:
                raise SystemExit

        for name in ("one", "two"):
            bus.register(name, interests=["source"], on_update=on_update, policy=BRIEF)
        source.publish({"x": 1})
        await until(lambda: bus.status("two") == "isolated")
        await bus.aclose()
        assert bus._supervisor.zombies == []

    asyncio.run(main())


def test_one_that_ignores_its_cancellation_does_not_go_on_for_ever() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        source = bus.register("source")

        async def on_update(_: Any) -> None:
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)

        bus.register("hot", interests=["source"], on_update=on_update, policy=BRIEF)
        source.publish({"x": 1})
        await until(lambda: bus.statistics("hot").zombies)
        await until(lambda: not bus.statistics("hot").zombies)
        assert bus.statistics("hot").expired >= 1
        await bus.aclose()

    asyncio.run(main())


def test_the_operators_interrupt_passes_through_a_handler_that_waited() -> None:
    bus = SyncBus(LiveClock())
    source = bus.register("source")

    async def on_update(_: Any) -> None:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    bus.register("reader", interests=["source"], on_update=on_update)

    async def main() -> None:
        source.publish({"x": 1})
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert bus.statistics("reader").waiting == 0


def test_a_factory_that_exits_is_a_failed_restart() -> None:
    bus = SyncBus(VirtualClock())

    def factory(_handle: Any, _checkpoint: Any) -> Any:
        raise SystemExit

    bus.register("odd", factory=factory)
    assert bus.restart("odd") is False
    assert bus.status("odd") == "isolated"


# -- time ------------------------------------------------------------------------------------


def test_who_waits_is_not_expired_for_what_another_does_to_the_loop() -> None:
    async def main() -> None:
        bus = SyncBus(LiveClock())
        one, two = bus.register("one"), bus.register("two")

        async def waits(_: Any) -> None:
            await asyncio.sleep(0.04)

        policy = AgentPolicy(deadline_ns=120 * MILLISECOND)
        bus.register("waits", interests=["one"], on_update=waits, policy=policy)
        slow = AgentPolicy(deadline_ns=2000 * MILLISECOND)
        bus.register("slow", interests=["two"], on_update=lambda _: time.sleep(0.4), policy=slow)
        one.publish({"x": 1})
        await until(lambda: bus.statistics("waits").waiting)
        two.publish({"x": 1})
        await until(lambda: not bus.statistics("waits").waiting)
        assert bus.statistics("waits").expired == 0
        await bus.aclose()

    asyncio.run(main())


def test_deadlines_hold_on_the_next_event_loop_too() -> None:
    bus = SyncBus(LiveClock())
    source = bus.register("source")

    async def hangs(_: Any) -> None:
        await asyncio.Event().wait()

    bus.register("hangs", interests=["source"], on_update=hangs, policy=BRIEF)

    async def first() -> None:
        source.publish({"x": 1})
        await until(lambda: bus.statistics("hangs").waiting)

    async def second() -> None:
        source.publish({"x": 2})
        await until(lambda: bus.status("hangs") == "isolated")
        assert bus.statistics("hangs").expired > 0
        await bus.aclose()

    asyncio.run(first())
    asyncio.run(second())


def test_a_time_to_live_that_is_no_number_is_the_senders_error() -> None:
    bus = SyncBus(VirtualClock())
    sender = bus.register("sender")
    got: list[Any] = []
    bus.register("receiver", on_message=got.append)
    with pytest.raises(TypeError):
        sender.send("receiver", 1, ttl_ns=np.array([1, 2]))  # type: ignore[arg-type]
    sender.send("receiver", 2)
    bus.settle()
    assert got == [2]
    assert bus.accounting_residual() == 0


# -- what is published -----------------------------------------------------------------------


def test_deltas_that_waited_for_a_checkpoint_keep_all_their_fields() -> None:
    def build() -> tuple[SyncBus, Any, list[Any]]:
        bus = SyncBus(VirtualClock())
        seen: list[Any] = []
        source = bus.register("source")
        bus.register("reader", interests=["source"], on_update=seen.append)
        return bus, source, seen

    bus, source, _ = build()
    bus.pause("reader")
    for delta in ({"a": 1}, {"b": 2}, {"c": 3}):
        source.publish(delta)
    again, _, seen = build()
    memory = bus.checkpoint()
    assert memory is not None
    again.restore(memory)
    again.resume("reader")
    again.settle()
    assert [dict(update.fields) for update in seen] == [{"a": 1, "b": 2, "c": 3}]


def test_a_watch_from_before_a_restore_begins_with_the_whole_state() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    for delta in ({"a": 1}, {"b": 2}, {"c": 3}):
        source.publish(delta)
    memory = bus.checkpoint()
    assert memory is not None
    again = SyncBus(VirtualClock())
    again.register("source")
    watches = [again.watch(Interest("source", mode=mode)) for mode in ("latest", "every")]
    handle = again.restore(memory)["source"]
    handle.publish({"d": 4})
    merged, (first, then) = (watch.look() for watch in watches)
    assert [(update.resync, dict(update.fields)) for update in merged] == [
        (True, {"a": 1, "b": 2, "c": 3, "d": 4})
    ]
    assert first.resync
    assert dict(first.fields) == {"a": 1, "b": 2, "c": 3}
    assert dict(then.fields) == {"d": 4}


def test_nobody_can_write_to_an_array_in_a_state() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    own = np.zeros(3)
    own.flags.writeable = False
    source.publish({"x": own})
    own.flags.writeable = True
    own[0] = 9.0
    published = bus.read("source").state["x"]
    with pytest.raises(ValueError, match="WRITEABLE"):
        published.flags.writeable = True
    assert published.tolist() == [0.0, 0.0, 0.0]
    source.publish({"x": published})
    assert bus.read("source").state["x"] is published

    class Own(np.ndarray[Any, Any]):
        pass

    source.publish({"x": np.zeros((2, 0)).view(Own), "y": np.ones(2).view(Own)})
    state = bus.read("source").state
    assert type(state["x"]) is type(state["y"]) is np.ndarray
    assert state["x"].shape == (2, 0)
    with pytest.raises(StateError, match="masked"):
        source.publish({"x": np.ma.masked_array([1.0, 2.0], mask=[False, True])})


class Held(msgspec.Struct, frozen=True):
    items: Any


class Key:
    def __hash__(self) -> int:
        return hash("x")

    def __eq__(self, _: object) -> bool:
        return True


def test_nothing_in_a_state_can_be_changed_or_runs_code_of_the_agent() -> None:
    class Text(str):
        def __float__(self) -> float:
            raise RuntimeError("code of the agent")

    class Whole(int):
        def __abs__(self) -> int:
            raise RuntimeError("code of the agent")

    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    declared = bus.register("declared", schema={"x": Field()})
    source.publish({"x": Held([1, [2]])})
    assert bus.read("source").state["x"].items == (1, (2,))
    source.publish({"x": Text("text"), "y": Whole(7), "z": [Text("text")]})
    source.publish({"x": Text("text"), "y": Whole(7), "z": [Text("text")]})
    state = bus.read("source").state
    assert [type(state[name]) for name in ("x", "y")] == [str, int]
    assert type(state["z"][0]) is str
    assert bus.history("source")["y"].values.tolist() == [7.0, 7.0]
    for publish, delta in (
        (source.publish, {"x": {Key(): 1}}),
        (source.publish, {Key(): 1}),
        (declared.publish, {Key(): 1.0}),
    ):
        with pytest.raises(StateError):
            publish(delta)
    assert list(bus.read("declared").state) == []


@pytest.mark.parametrize("value", [Decimal("sNaN"), Decimal("Infinity"), complex("nan")])
def test_numbers_of_every_kind_are_finite(value: Any) -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    with pytest.raises(StateError, match="finite"):
        source.publish({"x": value})


def test_a_signalling_nan_where_nan_is_allowed_does_not_break_the_history() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source", schema={"x": Field(type="any", nan_ok=True)})
    for _ in range(3):
        source.publish({"x": Decimal("sNaN")})
    assert len(bus.history("source")["x"].t) == 3


def test_the_widest_numbers_of_numpy_and_the_largest_of_python() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    source.publish({"x": np.longdouble(1.5), "y": np.clongdouble(2.0)})
    assert bus.read("source").state == {"x": 1.5, "y": 2.0}
    bounded = bus.register("bounded", schema={"x": Field(type="int", high=10.0)})
    with pytest.raises(StateError, match="bits"):
        bounded.publish({"x": 10 ** (sys.get_int_max_str_digits() + 1)})


def test_a_state_nested_without_end_takes_nobody_the_checkpoint() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = 1
    for _ in range(400):
        deep = {"x": [deep]}
    for value in (endless, deep):
        with pytest.raises(StateError, match="levels"):
            source.publish({"x": value})
    assert bus.checkpoint() is not None


def test_a_key_that_equals_one_of_last_time_is_not_handed_on_as_it_is() -> None:
    class Foreign(str):
        """Equal to a field's name, and its publisher's own object."""

    bus = SyncBus(LiveClock())
    given: list[Any] = []
    source = bus.register("source")
    bus.register("reader", interests=["source"], on_update=given.append)
    for _ in range(2):
        source.publish({"x": 1.0})
    with pytest.raises(StateError):
        source.publish({Foreign("x"): 1.0})
    bus.settle()
    assert [type(name) for update in given for name in update.fields] == [str]
    assert bus.read("source").version == 2


@pytest.mark.parametrize("odd", ["text", "bytes", "nested", "struct"])
def test_history_of_large_odd_values_stays_within_its_bytes(odd: str) -> None:
    class Note(msgspec.Struct, frozen=True):
        text: str

    make: dict[str, Any] = {
        "text": lambda n: f"{n:05d}" * 4_000,
        "bytes": lambda n: b"%05d" % n * 4_000,
        "nested": lambda n: {"inner": [f"{n:05d}" * 4_000]},
        "struct": lambda n: Note(f"{n:05d}" * 4_000),
    }
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    cap = bus.policy.source_history_bytes
    tracemalloc.start()
    try:
        for number in range(400):  # 20 kB each: 8 MB
            source.publish({"odd": make[odd](number), "x": float(number)})
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 2 * cap
    past = bus.history("source")
    assert bus.history_bytes <= cap
    assert past["x"].values.tolist() == [float(number) for number in range(400)]
    kept = past["odd"].values
    assert 1 <= len(kept) < 20
    assert len(past["odd"].t) == len(kept)


def test_history_of_small_odd_values_keeps_hundreds_of_them() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    for number in range(2_000):
        source.publish({"mode": ("calm", "wild")[number % 2], "x": float(number)})
    past = bus.history("source", ["mode"])["mode"].values.tolist()
    assert len(past) > 200
    assert past[-2:] == ["calm", "wild"]


def test_a_value_larger_than_its_history_is_its_newest_row() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    for number in range(3):
        source.publish({"odd": str(number) * 1_000_000})
    assert [value[0] for value in bus.history("source")["odd"].values] == ["2"]


def test_names_without_end_do_not_make_a_history_without_end() -> None:
    bus = SyncBus(VirtualClock())
    source = bus.register("source")
    for number in range(1_000):
        source.publish({f"name{number}": float(number)})
    past = bus.history("source")
    assert len(past) <= bus.policy.source_history_bytes // 1024
    assert past["name999"].values.tolist() == [999.0]
    assert "name0" not in past
