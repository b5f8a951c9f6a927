"""A block of rows is the same as publishing row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import VirtualClock
from mirrorcore.syncbus import AgentPolicy, BusError, Field, Gap, Interest, StateError, SyncBus

SYMBOLS = 2


class World:
    """Two block sources, one plain; readers that pull, push, look at one field, or see all."""

    def __init__(self, by_rows: bool) -> None:
        self.by_rows = by_rows
        self.clock = VirtualClock(0)
        self.bus = SyncBus(self.clock)
        self.log: list[Any] = []
        self.sources = {n: self.bus.register(n, kind="source") for n in ("s0", "s1", "plain")}
        self.pull = self.bus.register("pull", kind="reader", interests=["source"])
        self.masked = self.bus.register("masked", kind="reader", interests=[("source", ("extra",))])
        self.half = self.bus.register("half", kind="reader", interests=[("source", ("f", "extra"))])
        self.stream = self.bus.register(
            "stream",
            kind="reader",
            interests=[Interest("source", ("f", "extra"), "every")],
            policy=AgentPolicy(stream=100),
        )
        self.block: dict[str, dict[str, np.ndarray]] = {}
        self.row = -1
        self.ts = np.empty(0, np.int64)

    def add_push_reader(self) -> None:
        self.bus.register(
            "push", kind="reader", interests=["s0", ("s1", ("f",))], on_update=self.note("push")
        )

    def note(self, who: str) -> Any:
        return lambda update: self.log.append((who, plain(update)))

    def load(self, arrays: dict[str, dict[str, np.ndarray]], ts: np.ndarray) -> None:
        self.block, self.ts, self.row = arrays, ts, -1
        if not self.by_rows:
            for name, fields in arrays.items():
                self.sources[name].load_block(fields, ts, len(ts))

    def reach(self, row: int) -> None:
        if not self.by_rows:
            self.clock.advance_to(int(self.ts[row]))
            self.bus.reach(row)
        else:
            for index in range(self.row + 1, row + 1):
                self.clock.advance_to(int(self.ts[index]))
                for name, fields in self.block.items():
                    self.sources[name].publish(
                        {
                            key: value[index] if value.ndim == 2 else value[index].item()
                            for key, value in fields.items()
                        }
                    )
        self.row = row
        self.bus.settle()

    def end(self) -> None:
        if not self.by_rows:
            self.bus.end_block()
        self.bus.settle()

    def look(self, who: str) -> None:
        self.log.append((who, [plain(u) for u in getattr(self, who).collect()]))

    def picture(self) -> Any:
        reads = {n: self.pull.read(n) for n in self.sources}
        history = {n: self.bus.history(n) for n in self.sources}
        return (
            {n: (v.version, v.t, plain(v.state), v.age) for n, v in reads.items() if v},
            {
                n: {f: (deep(s.t), deep(s.values)) for f, s in sorted(h.items())}
                for n, h in history.items()
            },
            [
                (
                    *(s.published, s.delivered, s.conflated, s.lost, s.pending, s.rejected),
                    *(s.resyncs, s.version),
                )
                for s in map(self.bus.statistics, self.bus.agent_ids)
            ],
            self.bus.accounting_residual(),
        )


def plain(value: Any) -> Any:
    if isinstance(value, Gap):
        return ("gap", value.source, value.first, value.last, value.count)
    if hasattr(value, "fields"):
        head = (value.source, value.version, value.gap, value.resync, value.t)
        return (*head, plain(value.fields))
    return {k: deep(v) for k, v in value.items()}


def deep(value: Any) -> Any:
    """Lists all the way down, to compare with ==."""
    if isinstance(value, np.ndarray):
        return [deep(inner) for inner in value.tolist()]
    return value


READERS = ("pull", "masked", "half", "stream")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("block"), st.sampled_from([1, 3, 70, 130]), st.integers(0, 99)),
        st.tuples(st.just("reach"), st.integers(1, 80), st.just(0)),
        st.tuples(st.just("look"), st.sampled_from(READERS), st.just(0)),
        st.tuples(st.just("nod"), st.sampled_from(READERS), st.just(0)),
        st.tuples(
            st.just("publish"),
            st.sampled_from(["s0", "s1", "plain"]),
            st.sampled_from(["f", "extra"]),
        ),
        st.tuples(st.just("push"), st.just(0), st.just(0)),
        st.tuples(st.just("picture"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


def play(by_rows: bool, script: list[Any]) -> list[Any]:
    world = World(by_rows)
    pushed = False
    rows = 0
    start = 1_000
    for kind, first, second in script:
        if kind == "block":
            if rows:
                world.end()
            rows = first
            rng = np.random.default_rng(second)
            ts = start + 10 * np.arange(1, rows + 1)
            start = int(ts[-1])
            blocks = {
                "s0": {"f": rng.normal(size=(rows, SYMBOLS)), "n": rng.integers(0, 9, rows)},
                "s1": {"f": rng.normal(size=rows)},
            }
            world.load(blocks, ts)
        elif kind == "reach" and rows:
            world.reach(min(rows - 1, world.row + first))
        elif kind == "look":
            world.look(first)
        elif kind == "nod":
            getattr(world, first).acknowledge()
        elif kind == "publish":
            value: Any = 1.5 if second == "extra" else np.ones(SYMBOLS)
            world.sources[first].publish({second: value})
            world.bus.settle()
        elif kind == "push" and not pushed:
            # Who is in push mode must be known before a block is loaded, as in a run.
            pushed = not rows
            if pushed:
                world.add_push_reader()
        elif kind == "picture":
            world.log.append(world.picture())
    if rows:
        world.end()
    for who in READERS:
        world.look(who)
    return [*world.log, world.picture()]


@settings(max_examples=200, deadline=None)
@given(steps)
def test_block_equals_row_by_row(script: list[Any]) -> None:
    ahead, by_rows = play(False, script), play(True, script)
    assert ahead == by_rows
    assert ahead[-1][-1] == 0


def test_rows_not_reached_are_not_published() -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a")
    handle.load_block({"x": np.arange(5.0)}, np.arange(5) + 1, 5)
    bus.reach(1)
    bus.end_block()
    assert bus.read("a").state["x"] == 1.0
    assert bus.read("a").version == 2


def test_isolation_drops_the_rows_to_come() -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a")
    handle.load_block({"x": np.arange(5.0)}, np.arange(5) + 1, 5)
    bus.reach(1)
    bus.isolate("a")
    bus.reach(4)
    view = bus.read("a")
    assert (view.state["x"], view.version, view.stale) == (1.0, 2, True)
    assert bus.accounting_residual() == 0


def test_a_push_reader_that_registers_within_a_block_is_served() -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a")
    handle.load_block({"x": np.arange(5.0)}, np.arange(5) + 1, 5)
    bus.reach(0)
    seen: list[float] = []
    bus.register("late", kind="r", interests=["a"], on_update=lambda u: seen.append(u.fields["x"]))
    for row in (1, 2):
        bus.reach(row)
        bus.settle()
    assert seen[-1] == 2.0
    assert bus.accounting_residual() == 0


@pytest.mark.parametrize(
    ("arrays", "schema", "message"),
    [
        ({"x": np.array([1.0, np.nan])}, None, "NaN"),
        ({"x": np.ones(3)}, None, "shape"),
        ({"y": np.ones(2)}, {"x": Field()}, "does not declare"),
        ({"x": np.ones((2, 2))}, {"x": Field()}, "declared as float"),
        ({"x": np.array([0.0, 2.0])}, {"x": Field(high=1.0)}, "outside"),
    ],
)
def test_a_wrong_block_changes_nothing(arrays: Any, schema: Any, message: str) -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a", schema=schema)
    with pytest.raises(StateError, match=message):
        handle.load_block(arrays, np.arange(2), 2)
    bus.reach(1)
    assert bus.read("a").version == 0
    assert bus.statistics("a").refused == 1


def test_nan_ok_lets_warm_up_through() -> None:
    bus = SyncBus(VirtualClock(0))
    handle = bus.register("a", schema={"x": Field("array", nan_ok=True)})
    handle.load_block({"x": np.full((2, 2), np.nan)}, np.arange(2), 2)
    bus.reach(1)
    assert np.isnan(bus.read("a").state["x"]).all()


def test_the_clock_does_not_run_backwards() -> None:
    bus = SyncBus(VirtualClock(0))
    bus.register("a").load_block({"x": np.ones(3)}, np.arange(3), 3)
    bus.reach(2)
    with pytest.raises(BusError, match="already passed"):
        bus.reach(1)
