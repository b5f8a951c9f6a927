"""Agents in processes of their own, with real processes: whatever they do, the others go on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from process_world import agent, children, until

from mirrorcore.clock import MILLISECOND, SECOND
from mirrorcore.syncbus import (
    AgentPolicy,
    AgentStatistics,
    BusError,
    BusEvent,
    EventKind,
    Field,
    RestartPolicy,
    SyncBus,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs Unix sockets")

ONCE = AgentPolicy(deadline_ns=20 * SECOND, restart=RestartPolicy(intensity=0))
"""Fails for good at the first thing that isolates it."""
BRIEF = msgspec.structs.replace(ONCE, deadline_ns=400 * MILLISECOND)
# -- the zoo: every fault at once, beside agents that do nothing wrong --------------------------

LOST = {
    "exits": "its process ended with code 3",
    "crashes": "its process was ended by SIGSEGV",
    "writes_rubbish": "it wrote a frame of",
    "sends_a_pickle": "it wrote a frame that cannot be read",
    "answers_unasked": "it wrote a frame that nobody waits for",
    "writes_anothers_state": "it wrote an effect that there is not",
    "floods_frames": "in one call",
    "sends_for_ever": "it wrote ",
    "leaves_a_child": "its process ended with code 4",
}
EXPIRED = ("loops_in_c", "never_reads", "blocks", "waits", "prints")
FAILING = {
    "eats_memory": "MemoryError",
    "floods": "FloodError",
    "floods_unchecked": "FloodError",
    "lies": "declared as float",
    "raises": "ValueError: I always do this",
    "system_exit": "SystemExit: 5",
    "publishes_too_much": "it wrote a frame of",
}
START = {
    "exits_at_once": "its process ended with code 9",
    "built_wrong": "the factory of 'built_wrong' returned a int",
    "cannot_be_built": "LookupError: the model is not there",
    "no_such_factory": "the module 'process_agents' has no 'no_such_factory'",
}
ROUNDS = 60
WITNESSES = 20


class Zoo:
    def __init__(self) -> None:
        self.events: list[BusEvent] = []
        self.heard = dict.fromkeys((f"witness{i}" for i in range(WITNESSES)), 0)
        self.statistics: dict[str, AgentStatistics] = {}
        self.started = ""
        self.residual = -1
        self.left: list[int] = []
        self.echoed = 0

    def told(self, agent_id: str, kind: EventKind) -> list[str]:
        return [e.detail for e in self.events if e.agent_id == agent_id and e.kind is kind]

    async def run(self) -> None:
        bus = SyncBus(seed=3)
        try:
            await self._live(bus)
        finally:
            await bus.aclose()
        self.left = children()

    async def _live(self, bus: SyncBus) -> None:
        bus.on_event(self.events.append)
        source = bus.register("src", kind="source")
        for name in self.heard:
            bus.register(name, kind="good", interests=["src"], on_update=self._hear(name))
        bus.register(
            "echo", kind="good", interests=["src"], isolation="process", process=agent("echo")
        )
        bad = [*LOST, *EXPIRED, *FAILING, *START]
        for name in bad:
            bus.register(
                name,
                kind="bad",
                interests=["src"],
                schema={"fear": Field()} if name == "lies" else None,
                policy=BRIEF if name in EXPIRED else ONCE,
                isolation="process",
                process=agent(name),
            )
        try:
            await bus.started()
        except BusError as error:
            self.started = error.message
        await until(lambda: bus.status("echo") == "running" and bus.statistics("echo").calls)
        rounds = 0
        while rounds < ROUNDS or any(bus.status(name) != "failed" for name in bad):
            rounds += 1
            running = [name for name in bad if bus.status(name) != "failed"]
            assert rounds < 1_000, "\n".join(
                f"{n}: {self.told(n, EventKind.FAILURE)[-1:]}" for n in running
            )
            source.publish({"x": float(rounds)})
            await asyncio.sleep(0.01)
        await bus.drain()
        self.rounds = rounds
        self.echoed = bus.read("echo").state["value"]
        self.statistics = {name: bus.statistics(name) for name in bus.agent_ids}
        self.residual = bus.accounting_residual()

    def _hear(self, name: str) -> Callable[[Any], None]:
        def hear(update: Any) -> None:
            self.heard[name] += update.gap

        return hear


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    bomb = tmp_path_factory.mktemp("bomb") / "owned"
    before = os.environ.get("MIRRORCORE_TEST_BOMB")
    os.environ["MIRRORCORE_TEST_BOMB"] = str(bomb)
    made = Zoo()
    try:
        asyncio.run(made.run())
    finally:
        if before is None:
            del os.environ["MIRRORCORE_TEST_BOMB"]
        else:
            os.environ["MIRRORCORE_TEST_BOMB"] = before
    assert not bomb.exists(), "what a child wrote ran code in the bus's process"
    return made


def test_the_others_get_every_delivery(zoo: Zoo) -> None:
    assert set(zoo.heard.values()) == {zoo.rounds}
    assert zoo.echoed == float(zoo.rounds)
    assert zoo.residual == 0
    for name in zoo.heard:
        assert zoo.statistics[name].failures == 0
        assert zoo.statistics[name].version == 0, "somebody wrote another's state"


@pytest.mark.parametrize("name", LOST)
def test_a_lost_process_isolates_its_agent_and_says_why(zoo: Zoo, name: str) -> None:
    assert LOST[name] in zoo.told(name, EventKind.FAILURE)[0]
    assert zoo.told(name, EventKind.ISOLATED)
    assert zoo.statistics[name].state == "failed"


@pytest.mark.parametrize("name", EXPIRED)
def test_a_silent_process_meets_its_deadline(zoo: Zoo, name: str) -> None:
    assert "beyond its deadline" in zoo.told(name, EventKind.EXPIRED)[0]
    assert zoo.statistics[name].state == "failed"


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_call_is_judged_as_in_the_loop(zoo: Zoo, name: str) -> None:
    kind = EventKind.FLOOD if "Flood" in FAILING[name] else EventKind.FAILURE
    assert FAILING[name] in zoo.told(name, kind)[0]
    assert zoo.statistics[name].state == "failed"
    if not FAILING[name].startswith("it "):
        assert zoo.statistics[name].failures >= 5, "its process was lost, the call had just failed"


@pytest.mark.parametrize("name", START)
def test_an_agent_that_cannot_be_built_is_named_with_the_reason(zoo: Zoo, name: str) -> None:
    assert START[name] in zoo.started
    assert START[name] in zoo.told(name, EventKind.FAILURE)[0]


def test_nobody_is_left_behind(zoo: Zoo) -> None:
    assert zoo.left == []
