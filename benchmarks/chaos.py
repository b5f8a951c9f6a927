"""A swarm in which some agents misbehave, one way and one lane at a time, and what the others got.

Every agent reads five others, takes messages and signals. In each round the well-behaved publish,
everybody is sent a message and signalled; at the end of the round the others must have had it all.
Used in virtual time by the tests and by the evidence point ``bus_chaos``, which adds a minute on a
real loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    ALL,
    AgentDown,
    AgentHandle,
    AgentPolicy,
    BreakerPolicy,
    BusEvent,
    BusPolicy,
    EventKind,
    Field,
    Handlers,
    LaneFull,
    StateError,
    SyncBus,
)

FAULTS = (
    "hang", "crash", "slow", "flood", "cancel", "self", "restarts", "many", "liar", "intruder",
)  # fmt: skip
LANES = ("state", "lossless", "critical")
READS = 5
STORM_CALLS = 32
DEADLINE_NS = 250 * MILLISECOND
ROUND_NS = 100 * MILLISECOND
NAMING = (EventKind.FAILURE, EventKind.EXPIRED, EventKind.FLOOD, EventKind.STORM,
          EventKind.REJECTED_PUBLISH, EventKind.ISOLATED, EventKind.FAILED)  # fmt: skip
"""Events that say of an agent that it did wrong."""


class Agent:
    """A well-behaved agent: it notes what it got."""

    def __init__(self, world: World, index: int) -> None:
        self.world = world
        self.index = index
        self.name = f"agent-{index}"
        self.versions: dict[str, list[int]] = {}
        self.messages: list[int] = []
        self.signals: list[int] = []

    @property
    def handle(self) -> AgentHandle:
        handle: AgentHandle = self.world.bus._agent(self.name).handle
        return handle

    def interests(self) -> list[str]:
        size = self.world.size
        return [f"agent-{(self.index + step) % size}" for step in range(1, READS + 1)]

    def handlers(self) -> Handlers:
        return Handlers(None, self.on_update, self.on_message, self.on_signal)

    def reborn(self, handle: AgentHandle, checkpoint: bytes | None) -> Handlers:
        return self.handlers()

    def on_update(self, update: Any) -> Any:
        self.versions.setdefault(update.source, []).append(update.version)

    def on_message(self, message: int) -> Any:
        if message >= 0:
            self.messages.append(message)

    def on_signal(self, signal: int) -> Any:
        self.signals.append(signal)


class Offender(Agent):
    """Misbehaves in one way when called on one lane."""

    def __init__(self, world: World, index: int, fault: str, lane: str) -> None:
        super().__init__(world, index)
        self.fault = fault
        self.lane = lane
        self.calls = 0
        self.rng = np.random.default_rng([world.seed, index])
        self.act: Callable[[], Any] = getattr(self, fault)

    def interests(self) -> list[str]:
        own = [self.name] if self.fault == "self" else []
        return [*own, *super().interests()]

    def on_update(self, update: Any) -> Any:
        itself = self.fault == "self" and update.source == self.name
        if self.lane == "state" or (itself and self.lane == "critical"):
            return self.act()
        return super().on_update(update)

    def on_message(self, message: int) -> Any:
        return self.act() if self.lane == "lossless" else super().on_message(message)

    def on_signal(self, signal: int) -> Any:
        return self.act() if self.lane == "critical" else super().on_signal(signal)

    async def hang(self) -> None:
        await asyncio.get_running_loop().create_future()

    def crash(self) -> None:
        """At every call from the third on."""
        self.calls += 1
        if self.calls >= 3:
            raise ValueError("crash")

    async def slow(self) -> None:
        await asyncio.sleep(0.8 * DEADLINE_NS / SECOND)

    def flood(self) -> None:
        target = f"agent-{(self.index + 7) % self.world.size}"
        for number in range(10_000):
            if self.lane == "lossless":
                self.handle.send(target, -1 - number)
            else:
                self.handle.publish({"x": float(number)})

    async def cancel(self) -> None:
        """Cancelled at one of its waits, by somebody else."""
        task = asyncio.current_task()
        assert task is not None
        for wait in range(int(self.rng.integers(1, 4))):
            if wait:
                await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.sleep(0.01)

    def self(self) -> None:
        """Every call brings about the next."""
        if self.lane == "lossless":
            self.handle.send(self.name, -1)
        else:
            self.handle.publish({"x": 1.0})

    def restarts(self) -> None:
        raise RuntimeError("again")

    many = restarts

    def liar(self) -> None:
        """What it says is not what its schema declares; it hides that it was told so."""
        for lie in ({"x": "high"}, {"x": float("nan")}, {"x": 1e9}, {"y": 1.0}, {"x": object()}):
            try:
                self.handle.publish(lie)
            except StateError:
                continue

    def intruder(self) -> None:
        """Writes into what it reads of another."""
        other = self.interests()[0]
        view: Any = self.handle.read(other)
        try:
            view.state["x"] = -1.0
        except TypeError:
            view = self.handle.relevant_states()[other]
        view["x"] = -1.0


@dataclass
class Outcome:
    """What a run showed. ``named`` are those of whom an event said that they did wrong."""

    wanted: int = 0
    got: int = 0
    worst_residual: int = 0
    offenders: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    innocent: list[str] = field(default_factory=list)
    wrong_states: list[str] = field(default_factory=list)


class World:
    """``size`` agents, ``offenders`` of them with ``fault`` on ``lane`` (or all, in turn)."""

    def __init__(
        self,
        bus: SyncBus,
        size: int,
        seed: int,
        cases: list[tuple[str, str]],
        *,
        policy: AgentPolicy | None = None,
    ) -> None:
        self.bus = bus
        self.size = size
        self.seed = seed
        self.events: list[BusEvent] = []
        bus.on_event(self._note)
        self.agents: list[Agent] = []
        spread = max(1, size // max(1, len(cases)))
        at = {index * spread: case for index, case in enumerate(cases)}
        for index in range(size):
            agent = Offender(self, index, *at[index]) if index in at else Agent(self, index)
            self.agents.append(agent)
            made = agent.handlers()
            bus.register(
                agent.name,
                interests=agent.interests(),
                on_update=made.on_update,
                on_message=made.on_message,
                on_signal=made.on_signal,
                schema={"x": Field(low=-1e6, high=1e6)},
                policy=policy or AgentPolicy(deadline_ns=DEADLINE_NS),
                factory=agent.reborn,
            )
        self.offenders = [agent for agent in self.agents if isinstance(agent, Offender)]
        self.good = [agent for agent in self.agents if not isinstance(agent, Offender)]
        self.published = dict.fromkeys((agent.name for agent in self.good), 0)

    def _note(self, event: BusEvent) -> None:
        if event.kind in NAMING:
            self.events.append(event)

    def publish(self, agent: Agent, number: int) -> None:
        self.published[agent.name] += 1
        agent.handle.publish({"x": float(number)})

    def send(self, agent: Agent, number: int) -> None:
        try:
            self.bus.send(agent.name, number)
        except (AgentDown, LaneFull):
            if not isinstance(agent, Offender):
                raise

    async def round(self, number: int) -> None:
        """Everybody well-behaved publishes, everybody is told and signalled; then time passes."""
        end = self.bus.clock.now() + ROUND_NS
        for agent in self.good:
            self.publish(agent, number)
        for agent in self.agents:
            self.send(agent, number)
        self.bus.signal(ALL, number)
        await self.bus.wait_quiet(end)
        left = end - self.bus.clock.now()
        if left > 0:
            await asyncio.sleep(left / SECOND)

    def outcome(self, rounds: int) -> Outcome:
        """What the well-behaved got of what they should have got of each other."""
        found = Outcome(offenders=[agent.name for agent in self.offenders])
        wanted = list(range(rounds))
        for agent in self.good:
            for source in agent.interests():
                if source in self.published:
                    told = agent.versions.get(source, [])
                    found.wanted += rounds
                    found.got += sum(
                        a == b for a, b in zip(told, range(1, rounds + 1), strict=False)
                    )
            for log in (agent.messages, agent.signals):
                found.wanted += rounds
                found.got += sum(a == b for a, b in zip(log, wanted, strict=False))
            if dict(self.bus.read(agent.name).state) != {"x": float(rounds - 1)}:
                found.wrong_states.append(agent.name)
        named = {event.agent_id: None for event in self.events}
        for agent in self.offenders:
            statistics = self.bus.statistics(agent.name)
            if (
                agent.fault == "slow"
                and statistics.conflated + statistics.inbox + statistics.waiting
            ):
                named[agent.name] = None  # no fault of its own, but its backlog shows
        found.named = [name for name in found.offenders if name in named]
        found.innocent = [agent.name for agent in self.good if agent.name in named]
        found.worst_residual = self.bus.accounting_residual()
        return found


def case_list(fault: str, lane: str, size: int) -> list[tuple[str, str]]:
    """Three offenders, or a tenth of all."""
    return [(fault, lane)] * (size // 10 if fault == "many" else 3)


def virtual(fault: str, lane: str, size: int, rounds: int, seed: int) -> Outcome:
    """One cell of the matrix in virtual time."""
    clock = VirtualClock(SECOND)
    loop = VirtualTimeLoop(clock)
    worst = 0

    async def main() -> Outcome:
        nonlocal worst
        bus = SyncBus(clock, seed=seed, policy=BusPolicy(storm_calls=STORM_CALLS))
        world = World(bus, size, seed, case_list(fault, lane, size))
        for number in range(rounds):
            await world.round(number)
            worst = max(worst, bus.accounting_residual())
        found = world.outcome(rounds)
        await bus.aclose()
        return found

    try:
        found = loop.run_until_complete(main())
    finally:
        loop.close()
    found.worst_residual = max(found.worst_residual, worst)
    return found


PERSISTENT = AgentPolicy(
    deadline_ns=DEADLINE_NS,
    breaker=BreakerPolicy(cap_ns=2 * SECOND),
    restart=msgspec.structs.replace(AgentPolicy().restart, intensity=1 << 20),
)
"""For a minute of chaos that does not end by everybody's having failed."""
