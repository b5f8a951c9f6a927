"""Readers that see every delta, with their losses told, and readers called within the publish."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.syncbus import (
    AgentHandle,
    AgentPolicy,
    Gap,
    Interest,
    RegistrationError,
    SyncBus,
    Update,
)


def make() -> SyncBus:
    return SyncBus(VirtualClock(SECOND))


class Log(list[Any]):
    """What a reader was given: (version, fields), or the gap itself."""

    def __call__(self, update: Update | Gap) -> None:
        if isinstance(update, Gap):
            self.append((update.first, update.last, update.count))
        else:
            self.append((update.version, dict(update.fields), update.gap, update.resync))


def stream(bus: SyncBus, log: Log | None, *fields: str, room: int = 4) -> AgentHandle:
    return bus.register(
        "reader",
        interests=[Interest("a", fields or None, "every")],
        on_update=log,
        policy=AgentPolicy(stream=room),
    )


def test_a_stream_sees_every_delta_by_itself() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log)
    for number in range(4):
        a.publish({"x": number})
    bus.settle()
    assert log == [(n + 1, {"x": n}, 1, False) for n in range(4)]
    statistics = bus.statistics("reader")
    assert (statistics.delivered, statistics.conflated, statistics.lost) == (4, 0, 0)
    assert bus.accounting_residual() == 0


def test_what_a_stream_lost_is_told_in_its_place() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log)
    for number in range(9):
        a.publish({"x": number})
    assert bus.statistics("reader").lost == 5
    bus.settle()
    assert log == [(1, 5, 5), *((n + 1, {"x": n}, 1, False) for n in range(5, 9))]
    a.publish({"x": 9})
    bus.settle()
    assert log[-1] == (10, {"x": 9}, 1, False)
    assert bus.accounting_residual() == 0


def test_a_stream_of_some_fields_counts_those_alone() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log, "x")
    for number in range(3):
        a.publish({"x": number, "y": 0})
        a.publish({"y": number})
    bus.settle()
    assert log == [(2 * n + 1, {"x": n}, 1, False) for n in range(3)]
    assert bus.statistics("reader").published == 3
    assert bus.accounting_residual() == 0


def test_a_stream_begins_with_the_state_it_finds() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    a.publish({"x": 1, "y": 2})
    stream(bus, log)
    a.publish({"x": 3})
    bus.settle()
    assert [entry[3] for entry in log] == [True, False]
    assert log[-1] == (2, {"x": 3}, 1, False)
    assert bus.accounting_residual() == 0


def test_a_stream_never_goes_back_in_versions() -> None:
    """What it found is what it found, not what there is by the time it is called."""
    bus, log = make(), Log()
    a = bus.register("a")
    a.publish({"x": 1, "y": 2})
    stream(bus, log)
    a.publish({"x": 3})
    a.publish({"x": 4})
    bus.settle()
    assert log == [
        (1, {"x": 1, "y": 2}, 0, True),
        (2, {"x": 3}, 1, False),
        (3, {"x": 4}, 1, False),
    ]
    assert bus.accounting_residual() == 0


def test_a_publish_within_a_publish_comes_after_it_for_everybody() -> None:
    """Two eager readers of each other: streams and masks still see each delta once, in order."""
    bus, log, masked = make(), Log(), Log()
    handles: dict[str, AgentHandle] = {}

    def answer(update: Update | Gap) -> None:
        assert isinstance(update, Update)
        if update.version < 3:
            handles["a"].publish({"x": 10 * update.version})

    def pass_on(update: Update | Gap) -> None:
        assert isinstance(update, Update)
        handles["b"].publish({"y": update.version})

    handles["b"] = bus.register("b", interests=[Interest("a", None, "eager")], on_update=pass_on)
    handles["a"] = bus.register("a", interests=[Interest("b", None, "eager")], on_update=answer)
    stream(bus, log, room=9)
    bus.register("some", interests=[Interest("a", ("x",), "every")], on_update=masked)
    handles["a"].publish({"x": 1})
    bus.settle()
    wanted = [(1, {"x": 1}, 1, False), (2, {"x": 10}, 1, False), (3, {"x": 20}, 1, False)]
    assert log == wanted
    assert masked == wanted
    assert bus.accounting_residual() == 0


def test_a_stream_goes_on_after_a_restart_where_it_stopped() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log)
    a.publish({"x": 0})
    bus.settle()
    bus.isolate("reader")
    for number in range(1, 4):
        a.publish({"x": number})
    bus.settle()
    assert len(log) == 1
    bus.restart("reader")
    bus.settle()
    assert [entry[1]["x"] for entry in log] == [0, 1, 2, 3]
    assert bus.accounting_residual() == 0


def test_other_readers_have_their_turn_between_two_of_a_stream() -> None:
    """It holds one place in the queue of its agent however much waits."""
    bus, log = make(), Log()
    a, b = bus.register("a"), bus.register("b")
    bus.register("reader", interests=[Interest("a", None, "every"), "b"], on_update=log)
    for number in range(5):
        a.publish({"x": number})
    b.publish({"x": 99})
    bus.settle()
    assert [entry[1]["x"] for entry in log] == [0, 99, 1, 2, 3, 4]


def test_a_stream_that_is_collected_comes_as_a_list() -> None:
    bus = make()
    a = bus.register("a")
    reader = stream(bus, None)
    for number in range(6):
        a.publish({"x": number})
    found = reader.collect()
    assert isinstance(found[0], Gap)
    assert [update.fields["x"] for update in found[1:] if isinstance(update, Update)] == [
        2,
        3,
        4,
        5,
    ]
    assert reader.collect() == []
    assert bus.accounting_residual() == 0


def test_of_a_stream_that_failed_over_its_losses_nothing_older_comes_back() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log)
    for number in range(6):
        a.publish({"x": number})
    bus._supervisor.isolate(bus._agent("reader"), "drill", manual=True)
    bus._supervisor.fail(bus._agent("reader"), "drill")
    bus.restart("reader")
    bus.settle()
    assert log == [(6, {"x": 5}, 0, True)]
    assert bus.accounting_residual() == 0


def test_a_failed_readers_stream_is_rejected_not_lost() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    stream(bus, log)
    a.publish({"x": 0, "y": 0})
    bus._supervisor.isolate(bus._agent("reader"), "drill", manual=True)
    bus._supervisor.fail(bus._agent("reader"), "drill")
    a.publish({"x": 1})
    assert bus.statistics("reader").rejected == 1
    assert bus.accounting_residual() == 0
    bus.restart("reader")
    a.publish({"x": 2})
    bus.settle()
    # What it was not told of is in the state that it begins again with.
    assert log == [(2, {"x": 1, "y": 0}, 0, True), (3, {"x": 2}, 1, False)]
    assert bus.accounting_residual() == 0


def test_a_checkpoint_waits_until_streams_are_empty() -> None:
    bus = make()
    a = bus.register("a")
    reader = stream(bus, None)
    a.publish({"x": 0})
    assert bus.checkpoint() is None
    reader.collect()
    assert bus.checkpoint() is not None


# -- eager ------------------------------------------------------------------------------------


def test_an_eager_reader_has_looked_when_publish_returns() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    bus.register("risk", interests=[Interest("a", None, "eager")], on_update=log)
    a.publish({"x": 1})
    assert log == [(1, {"x": 1}, 1, False)]
    a.publish({"x": 2})
    assert bus.settle() == 0
    assert [entry[1]["x"] for entry in log] == [1, 2]
    assert bus.statistics("risk").delivered == 2
    assert bus.accounting_residual() == 0


def test_what_an_eager_reader_raises_is_its_own() -> None:
    bus, log = make(), Log()
    a = bus.register("a")

    def broken(_update: Update) -> None:
        raise ValueError("no")

    bus.register("risk", interests=[Interest("a", None, "eager")], on_update=broken)
    bus.register("other", interests=["a"], on_update=log)
    for number in range(5):
        assert a.publish({"x": number}) == number + 1
    assert bus.status("risk") == "isolated"
    assert bus.statistics("a").failures == 0
    bus.settle()
    assert log == [(5, {"x": 4}, 5, False)]
    assert bus.accounting_residual() == 0


def test_an_eager_reader_that_cannot_be_called_is_told_later() -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    bus.register("risk", interests=[Interest("a", None, "eager")], on_update=log)
    bus.pause("risk")
    a.publish({"x": 1})
    a.publish({"x": 2})
    assert log == []
    bus.resume("risk")
    bus.settle()
    assert log == [(2, {"x": 2}, 2, False)]
    assert bus.accounting_residual() == 0


def test_eager_readers_that_answer_each_other_do_not_go_round_in_circles() -> None:
    """Each is called once within the other's publish; the answer to the answer waits its turn."""
    bus = make()
    seen: list[tuple[str, int]] = []
    handles: dict[str, AgentHandle] = {}

    def answer(name: str, limit: int) -> Any:
        def on_update(update: Update) -> None:
            seen.append((name, update.fields["x"]))
            if update.fields["x"] < limit:
                handles[name].publish({"x": update.fields["x"] + 1})

        return on_update

    for name, other in (("a", "b"), ("b", "a")):
        handles[name] = bus.register(
            name, interests=[Interest(other, None, "eager")], on_update=answer(name, 6)
        )
    handles["a"].publish({"x": 0})
    assert seen == [("b", 0), ("a", 1)]
    bus.settle()
    assert seen == [("b" if n % 2 == 0 else "a", n) for n in range(7)]
    assert bus.accounting_residual() == 0


def test_who_sees_every_delta_sees_them_in_order_whatever_an_eager_reader_publishes() -> None:
    bus, log = make(), Log()
    view = bus.open_source("book", kind="view")

    def answer(update: Update) -> None:
        if update.fields["x"] < 3:
            view.publish({"x": update.fields["x"] + 1})

    bus.register("risk", interests=[Interest("book", None, "eager")], on_update=answer)
    bus.register("reader", interests=[Interest("book", None, "every")], on_update=log)
    view.publish({"x": 0})
    bus.settle()
    assert log == [(n + 1, {"x": n}, 1, False) for n in range(4)]
    assert bus.accounting_residual() == 0


def test_an_eager_reader_of_some_fields_is_refused() -> None:
    bus = make()
    bus.register("a")
    with pytest.raises(RegistrationError, match="for some fields alone"):
        bus.register("risk", interests=[Interest("a", ("x",), "eager")], on_update=Log())
    assert bus.agent_ids == ["a"]


def test_an_unknown_mode_is_refused_at_once() -> None:
    with pytest.raises(RegistrationError, match="'latest', 'every' or 'eager'"):
        make().register("risk", interests=[Interest("a", None, "sometimes")])  # type: ignore[arg-type]


async def waits(_update: Update) -> None:
    """An eager reader may not."""


@pytest.mark.parametrize(("handler", "match"), [(None, "without"), (waits, "with an async")])
def test_an_eager_reader_needs_a_sync_handler(handler: Any, match: str) -> None:
    with pytest.raises(RegistrationError, match=f"{match} on_update"):
        make().register("risk", interests=[Interest("a", None, "eager")], on_update=handler)


# -- whose turn it is -------------------------------------------------------------------------


def test_however_many_of_its_sources_call_a_reader_has_one_place_in_the_queue() -> None:
    """Forty dirty edges, in some fields, are three turns of sixteen with others in between."""
    bus = make()
    order: list[str] = []
    sources = [bus.register(f"s{number}", kind="source") for number in range(40)]
    bus.register("wide", interests=[("source", "x")], on_update=lambda update: order.append("wide"))
    bus.register("first", kind="source", on_update=lambda update: order.append("first"))
    bus.register("late", interests=["s39"], on_update=lambda update: order.append("late"))
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert order == ["wide"] * 16 + ["late"] + ["wide"] * 24


@pytest.mark.parametrize("fields", [None, ("x",)])
@pytest.mark.parametrize("mode", ["latest", "every"])
def test_who_became_ready_first_is_called_first(fields: Any, mode: Any) -> None:
    bus = make()
    order: list[str] = []
    sources = {name: bus.register(name, kind="source") for name in ("b", "c", "a")}
    for name in sources:
        bus.register(
            f"reader of {name}",
            interests=[Interest(name, fields, mode)],
            on_update=lambda update: order.append(update.source),
        )
    for name in ("c", "a", "b"):
        sources[name].publish({"x": 1})
    bus.settle()
    assert order == ["c", "a", "b"]


@pytest.mark.parametrize("reads", [False, True], ids=["pulls", "is called"])
def test_messages_go_in_the_order_in_which_their_receivers_got_the_first(reads: bool) -> None:
    bus = make()
    order: list[str] = []
    for name in ("b", "c", "a"):
        bus.register(
            name,
            on_update=(lambda update: None) if reads else None,
            on_message=order.append,
        )
    for message in ("c1", "a1", "b1", "c2"):
        bus.send(message[0], message)
    bus.settle()
    assert order == ["c1", "c2", "a1", "b1"]


@pytest.mark.parametrize("reads", [False, True], ids=["pulls", "is called"])
def test_forty_messages_are_three_turns_with_others_in_between(reads: bool) -> None:
    bus = make()
    order: list[str] = []
    for name in ("many", "one"):
        bus.register(
            name, on_update=(lambda update: None) if reads else None, on_message=order.append
        )
    for _ in range(40):
        bus.send("many", "m")
    bus.send("one", "1")
    bus.settle()
    assert order == ["m"] * 16 + ["1"] + ["m"] * 24


def test_what_comes_while_a_rest_waits_gives_no_second_place_in_the_queue() -> None:
    bus = make()
    order: list[str] = []
    handles: dict[str, AgentHandle] = {}
    sources = [bus.register(f"s{number}", kind="source") for number in range(40)]

    def between(update: Update | Gap) -> None:
        order.append("between")
        handles["between"].publish({"x": 1})

    wide = [("source", "x"), ("between", "x")]
    bus.register("wide", interests=wide, on_update=lambda update: order.append("wide"))
    handles["between"] = bus.register("between", interests=["s39"], on_update=between)
    bus.register("last", interests=["between"], on_update=lambda update: order.append("last"))
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert order == ["wide"] * 16 + ["between"] + ["wide"] * 16 + ["last"] + ["wide"] * 9


@pytest.mark.parametrize("lane", ["state", "lossless"])
def test_an_agent_that_rested_while_its_gate_was_shut_is_found_again(lane: str) -> None:
    bus, log = make(), Log()
    a = bus.register("a")
    heard: list[int] = []
    bus.register("reader", interests=["a"], on_update=log, on_message=heard.append)
    bus.pause("reader")
    bus.resume("reader")
    if lane == "state":
        a.publish({"x": 1})
    else:
        bus.send("reader", 1)
    bus.settle()
    assert len(log) + len(heard) == 1


def test_signals_to_one_agent_arrive_in_order() -> None:
    bus = make()
    heard: list[int] = []
    bus.register("a", on_signal=heard.append)
    for number in range(5):
        bus.signal("a", number)
    bus.settle()
    assert heard == list(range(5))


def test_what_is_collected_comes_in_order_of_registration() -> None:
    bus = make()
    sources = [bus.register(f"s{number}", kind="source") for number in range(4)]
    reader = bus.register("reader", interests=["source"])
    for count in (4, 2, 1):
        for source in reversed(sources[:count]):
            source.publish({"x": 1})
        assert [update.source for update in reader.collect()] == [f"s{n}" for n in range(count)]
        assert len(bus._agent("reader").mailbox.pending) == 0


def test_of_a_source_that_has_gone_nothing_is_left_with_its_readers() -> None:
    bus, log = make(), Log()
    bus.register("a", kind="k").publish({"x": 1})
    reader = bus.register("reader", interests=["k"], on_update=log)
    bus.register("b", kind="k").publish({"x": 2})
    bus.remove("a")
    assert bus.statistics("reader").edges == 1
    assert reader.relevant_states() == {"b": {"x": 2}}
    assert reader.read("a") is None
    bus.settle()
    assert log == [(1, {"x": 2}, 1, False)]
    assert bus.accounting_residual() == 0


def test_an_agent_stopped_in_the_middle_of_its_turn_keeps_the_rest_in_order() -> None:
    """Paused by a signal while it has three of sixteen edges behind it."""
    bus = make()
    order: list[str] = []
    sources = [bus.register(f"s{number}", kind="source") for number in range(10)]

    def on_update(update: Update | Gap) -> None:
        order.append(update.source)
        if len(order) == 3:
            bus.pause("reader")
            sources[0].publish({"x": 2})

    bus.register("reader", interests=["source"], on_update=on_update)
    for source in sources:
        source.publish({"x": 1})
    bus.settle()
    assert order == ["s0", "s1", "s2"]
    bus.resume("reader")
    bus.settle()
    assert order == [*(f"s{number}" for number in range(10)), "s0"]
    assert bus.accounting_residual() == 0
