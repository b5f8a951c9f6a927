"""A look at all agents of a bus again and again: what it finds is what the bus knows."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.syncbus import SyncBus


def bus_of(*names: str) -> tuple[SyncBus, VirtualClock, dict[str, Any]]:
    clock = VirtualClock(1)
    bus = SyncBus(clock, admission="tick")
    return bus, clock, {name: bus.register(name, kind=name[0] + "kind") for name in names}


def test_what_was_said_since_the_last_look_is_all_there() -> None:
    bus, clock, handles = bus_of("a", "b", "c")
    survey, rng, known = bus.survey(), Random(5), {name: {} for name in "abc"}
    for step in range(400):
        clock.advance_to(step * SECOND)
        for name in rng.sample("abc", rng.choice([0, 1, 2])):
            for _ in range(rng.choice([1, 1, 3])):
                fields = rng.sample(["x", "y", "z"], rng.choice([1, 1, 2]))
                handles[name].publish({field: rng.random() for field in fields})
        if rng.random() < 0.5:
            continue
        for row, fields, t in survey.said():
            known[survey.ids[row]].update(fields)
            assert t == bus.read(survey.ids[row]).t
        assert known == {name: dict(bus.read(name).state) for name in "abc"}
    assert survey.said() == []


def test_rows_of_a_block_count_as_they_are_reached() -> None:
    bus, clock, handles = bus_of("a")
    survey = bus.survey()
    survey.said()
    ts = np.arange(1, 4, dtype=np.int64) * SECOND
    handles["a"].load_block({"x": np.array([0.1, 0.2, 0.3])}, ts, 3)
    assert survey.said() == []
    clock.advance_to(2 * SECOND)
    bus.reach(1)
    ((row, fields, t),) = survey.said()
    assert (row, fields["x"], t) == (0, 0.2, 2 * SECOND)


def test_a_condition_is_health_and_counters() -> None:
    clock = VirtualClock(1)
    bus = SyncBus(clock, admission="tick")

    def fails(view: object) -> None:
        raise ValueError("no")

    bus.register("good", kind="sound", on_tick=lambda view: None)
    bus.register("bad", kind="broken", on_tick=fails)
    bus.register("idle", kind="sound", interests=("sound",), on_tick=lambda view: None)
    survey = bus.survey()
    for step in range(1, 9):
        clock.advance_to(step * SECOND)
        bus.tick(None, ["good", "bad"])
        bus.sweep()
        for row, name in enumerate(survey.ids):
            found, counts = survey.condition(row), bus.statistics(name)
            assert str(found.status) == counts.state == str(bus.status(name))
            assert found.health == bus.health(name).score
            assert (found.calls, found.failures, found.restarts, found.version) == (
                counts.calls, counts.failures, counts.restarts, counts.version,
            )  # fmt: skip
            assert survey.failures(row) == counts.failures
    assert survey.condition(1).health < 0.5 < survey.condition(0).health
    assert [survey.quiet(row) for row in range(3)] == [True, False, True]


def test_what_waits_is_counted_by_source_not_by_change() -> None:
    bus, _, handles = bus_of("a", "b")
    bus.register("r", kind="reader", interests=("a", "b"), on_tick=lambda view: None)
    bus.register("n", kind="never called", interests=("a",))
    survey = bus.survey()
    for _ in range(9):
        handles["a"].publish({"x": 1.0})
    assert survey.condition(2).pending == 1
    assert not survey.quiet(2)
    handles["b"].publish({"x": 1.0})
    assert survey.condition(2).pending == 2
    assert survey.condition(3).pending == 0
    flow = survey.flow()
    assert flow["akind", "reader"] == [9, 0, 0, 0, 9]
    # Whoever nobody calls is handed what it reads.
    assert flow["akind", "never called"] == [9, 9, 0, 0, 0]


def test_a_row_is_kept_for_good() -> None:
    bus, _, _ = bus_of("a", "b")
    survey = bus.survey()
    survey.said()
    bus.remove("a")
    assert str(survey.status(0)) == "removed"
    assert survey.condition(0).health == 0.0
    bus.register("c", kind="ckind")
    assert survey.refresh() == [2]
    again = bus.register("a", kind="akind")
    assert survey.refresh() == [0]
    assert survey.refresh() == []
    again.publish({"x": 2.0})
    assert [(survey.ids[row], fields["x"]) for row, fields, _ in survey.said() if fields] == [
        ("a", 2.0)
    ]
    assert (survey.ids, len(survey), survey.row_of("c")) == (["a", "b", "c"], 3, 2)


def test_looking_changes_no_account() -> None:
    bus, _, handles = bus_of("a")
    bus.register("r", kind="reader", interests=("a",), on_tick=lambda view: None)
    survey = bus.survey()
    handles["a"].publish({"x": 1.0})
    before = bus.statistics("r")
    survey.said()
    survey.flow()
    survey.condition(1)
    assert bus.statistics("r") == before
    assert bus.accounting_residual() == 0
