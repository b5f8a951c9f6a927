"""The bus against a trivial model, under every order of operations hypothesis can think of."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.syncbus import (
    AgentDown,
    AgentPolicy,
    BreakerPolicy,
    Interest,
    LaneFull,
    LifeState,
    RestartPolicy,
    SyncBus,
    Update,
)

NAMES = ("a0", "a1", "a2", "b0", "b1")
POLICY = AgentPolicy(
    inbox=4,
    stream=1 << 20,
    breaker=BreakerPolicy(consecutive=2),
    restart=RestartPolicy(intensity=2),
)
INTERESTS = {
    "a0": ("all",),
    "a1": (Interest("beta", None, "every"),),
    "a2": ("a0", ("b0", ("x", "y"))),
    "b0": ("alpha",),
    "b1": ("a0", "b0", "ghost"),
}
names = st.sampled_from(NAMES)


class Reader:
    """Applies what it is told; fails while ``broken``."""

    def __init__(self) -> None:
        self.views: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.messages: list[int] = []
        self.broken = False

    def on_update(self, update: Update) -> None:
        if update.resync:
            self.views[update.source] = dict(update.fields)
        else:
            assert update.version > self.versions.get(update.source, 0)
            self.views.setdefault(update.source, {}).update(update.fields)
        self.versions[update.source] = update.version
        if self.broken:
            raise ValueError("broken")

    def on_message(self, message: int) -> None:
        self.messages.append(message)
        if self.broken:
            raise ValueError("broken")


class BusMachine(RuleBasedStateMachine):
    """Pull reader ``b1``, push readers the others, ``a2`` with a mask, ``a1`` of every delta."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(SECOND)
        self.bus = SyncBus(self.clock, seed=3)
        self.readers: dict[str, Reader] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.accepted: dict[str, list[int]] = {}
        self.number = 0
        self.rows = 0  # of the blocks loaded; 0: none are
        self.row = -1
        self.blocks: dict[str, Any] = {}

    def known(self, name: str) -> bool:
        return name in self.readers

    @rule(name=names)
    def register(self, name: str) -> None:
        if self.known(name):
            return
        reader = self.readers[name] = Reader()
        self.states[name] = {}
        self.accepted[name] = []
        self.bus.register(
            name,
            kind="alpha" if name[0] == "a" else "beta",
            interests=INTERESTS[name],
            on_update=None if name == "b1" else reader.on_update,
            on_message=reader.on_message,
            policy=POLICY,
        )

    @rule(name=names)
    def remove(self, name: str) -> None:
        if self.known(name):
            self.bus.remove(name)
            del self.readers[name], self.states[name], self.accepted[name]
            self.blocks.pop(name, None)
            for reader in self.readers.values():
                reader.views.pop(name, None)
                reader.versions.pop(name, None)

    @rule(
        name=names, times=st.sampled_from([1, 2, 3, 63, 64, 65, 150]), field=st.sampled_from("xyz")
    )
    def publish(self, name: str, times: int, field: str) -> None:
        """Floods change distinct fields: a slot of the ring lost shows up as a field lost."""
        if not self.known(name):
            return
        handle = self.bus._agent(name).handle
        for step in range(times):
            self.number += 1
            delta = {field if step == 0 else f"{field}{step}": self.number}
            try:
                handle.publish(delta)
            except AgentDown:
                assert self.bus.status(name) in (LifeState.ISOLATED, LifeState.FAILED)
                return
            self.states[name].update(delta)

    @rule(
        owners=st.sets(names, min_size=1),
        rows=st.sampled_from([1, 7, 64, 65, 130]),
        fields=st.sampled_from(["x", "xy", "z"]),
    )
    def load_blocks(self, owners: set[str], rows: int, fields: str) -> None:
        """Rows ahead of time for some of the agents."""
        if self.rows:
            return
        self.rows = rows
        for name in sorted(owners):
            if not self.known(name) or self.bus._agent(name).down:
                continue
            self.number += rows
            arrays = {field: np.arange(self.number, self.number + rows) * 1.0 for field in fields}
            ts = self.clock.now() + np.arange(rows, dtype=np.int64)
            self.bus._agent(name).handle.load_block(arrays, ts, rows)
            self.blocks[name] = arrays

    @rule(steps=st.sampled_from([1, 2, 63, 64, 65]))
    def reach(self, steps: int) -> None:
        """The clock goes on by some rows; one that is down keeps those it had reached."""
        if not self.rows:
            return
        self.row = min(self.row + steps, self.rows - 1)
        for name, arrays in self.blocks.items():
            if self.known(name) and self.bus._agent(name).source.block is not None:
                self.states[name].update({f: float(v[self.row]) for f, v in arrays.items()})
        self.bus.reach(self.row)

    @rule()
    def end_blocks(self) -> None:
        self.bus.end_block()
        self.rows, self.row = 0, -1
        self.blocks.clear()

    @rule(name=names, count=st.integers(1, 6))
    def send(self, name: str, count: int) -> None:
        if not self.known(name):
            return
        for _ in range(count):
            self.number += 1
            try:
                self.bus.send(name, self.number)
            except LaneFull:
                assert self.bus.statistics(name).inbox == POLICY.inbox
            except AgentDown:
                assert self.bus.status(name) in (LifeState.ISOLATED, LifeState.FAILED)
            else:
                self.accepted[name].append(self.number)

    @rule(name=names)
    def toggle_pause(self, name: str) -> None:
        if self.known(name):
            paused = self.bus._agent(name).paused
            (self.bus.resume if paused else self.bus.pause)(name)

    @rule(name=names)
    def toggle_broken(self, name: str) -> None:
        if self.known(name):
            self.readers[name].broken = not self.readers[name].broken

    @rule(name=names)
    def restart(self, name: str) -> None:
        if self.known(name):
            self.bus.restart(name)

    @rule(name=names)
    def isolate(self, name: str) -> None:
        if self.known(name):
            self.bus.isolate(name)

    @rule()
    def settle(self) -> None:
        self.bus.settle()

    @rule(seconds=st.sampled_from([0, 1, 40]))
    def sweep(self, seconds: int) -> None:
        self.clock.advance_to(self.clock.now() + seconds * SECOND)
        self.bus.sweep()

    @rule()
    def collect(self) -> None:
        if self.known("b1"):
            try:
                updates = self.bus._agent("b1").handle.collect()
            except AgentDown:
                return
            broken, self.readers["b1"].broken = self.readers["b1"].broken, False
            for update in updates:
                self.readers["b1"].on_update(update)
            self.readers["b1"].broken = broken

    @rule()
    def acknowledge(self) -> None:
        """Looking at the states themselves leaves nothing to collect."""
        if self.known("b1"):
            handle = self.bus._agent("b1").handle
            try:
                handle.acknowledge()
                assert handle.collect() == []
            except AgentDown:
                return
            reader = self.readers["b1"]
            for name, state in handle.relevant_states().items():
                reader.views[name] = dict(state)
                reader.versions[name] = self.bus.read(name).version

    @invariant()
    def nothing_is_unexplained(self) -> None:
        assert self.bus.accounting_residual() == 0

    @invariant()
    def backlog_is_bounded(self) -> None:
        for name in self.readers:
            mailbox = self.bus._agent(name).mailbox
            assert len(mailbox.pending) <= len(mailbox.edges)

    @invariant()
    def state_is_what_was_published(self) -> None:
        for name, state in self.states.items():
            assert dict(self.bus.read(name).state) == state

    def teardown(self) -> None:
        """After the storm every live reader sees every source as it is, and no message is lost."""
        self.end_blocks()
        for name, reader in self.readers.items():
            reader.broken = False
            self.bus.resume(name)
            if self.bus.status(name) in (LifeState.ISOLATED, LifeState.FAILED):
                self.bus.restart(name)
        self.bus.settle()
        self.collect()
        self.bus.settle()
        assert self.bus.accounting_residual() == 0
        dead = {letter.message for letter in self.bus.dead_letters}
        for name, reader in self.readers.items():
            assert [m for m in self.accepted[name] if m not in dead] == reader.messages
            for source, edge in self.bus._agent(name).mailbox.edges.items():
                state = self.states[source]
                wanted = dict(edge.restrict(state))
                assert reader.views.get(source, {}) == wanted, (name, source)


BusMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBusModel = BusMachine.TestCase
