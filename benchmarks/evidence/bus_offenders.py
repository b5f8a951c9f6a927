"""Seven of a thousand agents misbehave, each in its own way; the others must not notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.evidence.record import Finding
from mirrorcore.agents.base import BusFacade
from mirrorcore.clock import MILLISECOND, SECOND, LiveClock, Stopwatch
from mirrorcore.syncbus import (
    AgentHandle,
    AgentPolicy,
    BusEvent,
    Ending,
    EventKind,
    Field,
    Handlers,
    Interest,
    LaneFull,
    Stall,
    SyncBus,
    Update,
)

AGENTS, SECONDS, SOURCES, PERIOD_S = 1_000, 60.0, 20, 0.1
DEADLINE_NS = 250 * MILLISECOND
AFTER_DEADLINE_MS = 150.0
NAMED_WITHIN_S = 1.0
SETTLING_NS = 100 * MILLISECOND
"""After a stall, what has piled up is worked off for so long."""

CLAIM = (
    "of 1,000 agents one raises on every message, one awaits for ever, one loops in Python, one "
    "blocks in C for a second, one never reads, one floods, one lies about its types and writes "
    "others' states: the other 993 get all their deliveries, p99 outside the reported stalls is at "
    "most twice the control run's, the loop in Python is ended within its deadline + 150 ms, the "
    "block in C named within 1 s, and all are named, isolated and restarted as policy says"
)
ISOLATED = ("raises", "awaits", "loops", "blocks", "floods", "lies")
"""Who never reads hurts nobody, and is left alone."""


def raises(_update: Update) -> None:
    raise ValueError("as always")


async def awaits(_update: Update) -> None:
    await asyncio.get_running_loop().create_future()


def loops(_update: Update) -> None:
    while True:
        pass


def blocks(_update: Update) -> None:
    time.sleep(1.0)


def make_blocks(_handle: AgentHandle, _checkpoint: bytes | None) -> Handlers:
    """By name, so that it can be made in a process of its own."""
    return Handlers(on_update=blocks)


@dataclass(slots=True)
class Outcome:
    """What was seen in one run."""

    published: int = 0
    delivered: list[int] = field(default_factory=list)
    waits: list[tuple[int, int]] = field(default_factory=list)
    """(published at, waited), ns, of the deliveries to the agents that behave."""
    stalls: list[tuple[int, Stall]] = field(default_factory=list)
    """With the instant at which each was over."""
    named: list[Stall] = field(default_factory=list)
    """As told while the loop stood still, or right after."""
    events: list[BusEvent] = field(default_factory=list)
    refused: int = 0
    unread: int = 0
    residual: int = 0
    foreign_writes: int = 0
    victim_version: int = 0

    def outside_stalls(self) -> list[int]:
        """Waits, ns, of what was neither published in a stall nor delivered after one."""
        spans = [
            (over - round(stall.seconds * SECOND), over + SETTLING_NS)
            for over, stall in self.stalls
        ]
        return [
            wait
            for at, wait in self.waits
            if not any(at <= end and at + wait >= start for start, end in spans)
        ]

    def kinds(self, agent_id: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for event in self.events:
            if event.agent_id == agent_id:
                found[str(event.kind)] = found.get(str(event.kind), 0) + 1
        return found


async def scenario(agents: int, seconds: float, *, offenders: bool) -> Outcome:
    """Run ``agents`` for ``seconds`` of real time, seven of them offenders or all of them good."""
    seen = Outcome()
    clock = LiveClock()
    bus = SyncBus(clock)
    bus.on_event(seen.events.append)
    bus.on_stall(lambda stall: seen.stalls.append((clock.now(), stall)))
    bus.start_watchdog(on_stall=seen.named.append)
    sources = [bus.register(f"source{number}", kind="source") for number in range(SOURCES)]
    if offenders:
        _offenders(bus, seen)
    good = agents - (7 if offenders else 0)
    counts = seen.delivered = [0] * good
    for number in range(good):
        bus.register(
            f"good{number}",
            interests=[Interest(f"source{number % SOURCES}", mode="every")],
            on_update=_counter(clock, seen, counts, number),
        )
    watch = Stopwatch()
    try:
        while watch.wall_ns() < seconds * SECOND:
            for source in sources:
                source.publish({"x": seen.published})
            seen.published += 1
            if offenders:
                _write_to_the_deaf(bus, seen)
            await asyncio.sleep(PERIOD_S)
        await bus.drain()
        seen.residual = bus.accounting_residual()
        if offenders:
            seen.unread = bus.statistics("deaf").pending
            seen.victim_version = bus.read("good0").version
    finally:
        await bus.aclose()
    return seen


def _counter(
    clock: LiveClock, seen: Outcome, counts: list[int], number: int
) -> Callable[[Update], None]:
    def receive(update: Update) -> None:
        counts[number] += 1
        seen.waits.append((update.t, clock.now() - update.t))

    return receive


def _offenders(bus: SyncBus, seen: Outcome) -> None:
    policy = AgentPolicy(deadline_ns=DEADLINE_NS)

    def floods(_update: Update) -> None:
        for number in range(1_000_000):
            hands["floods"].publish({"number": number})

    def lies(_update: Update) -> None:
        intruder: Any = BusFacade(hands["lies"]).update_agent_state("good0", {"x": 0.0})
        try:
            intruder.send(None)
        except PermissionError:
            seen.foreign_writes += 1
        hands["lies"].publish({"level": "high"})

    handlers = {"raises": raises, "awaits": awaits, "loops": loops, "floods": floods, "lies": lies}
    hands: dict[str, AgentHandle] = {}
    for name, handler in handlers.items():

        def again(handle: AgentHandle, _checkpoint: bytes | None, name: str = name) -> None:
            hands[name] = handle

        hands[name] = bus.register(
            name,
            interests=["source0"],
            on_update=handler,
            schema={"level": Field(low=0.0, high=1.0)} if name == "lies" else None,
            policy=policy,
            factory=again,
        )
    bus.register(
        "blocks",
        interests=["source0"],
        on_update=blocks,
        policy=policy,
        factory=f"{__name__}:make_blocks",
    )
    bus.register("deaf", interests=["source0"], policy=AgentPolicy(inbox=8))
    bus.pause("deaf")


def _write_to_the_deaf(bus: SyncBus, seen: Outcome) -> None:
    try:
        bus.send("deaf", seen.published)
    except LaneFull:
        seen.refused += 1


def verdict(seen: Outcome) -> dict[str, Any]:
    """What the run with offenders shows by itself, as figures."""
    ended = [s.seconds * 1e3 for _, s in seen.stalls if s.agent_id == "loops"]
    native = [s.seconds for s in seen.named if s.agent_id == "blocks"]
    lives: dict[str, Mapping[str, int]] = {name: seen.kinds(name) for name in ISOLATED}
    return {
        "deliveries_due": seen.published * len(seen.delivered),
        "deliveries": sum(seen.delivered),
        "least_delivered": min(seen.delivered),
        "published": seen.published,
        "ended_after_deadline_ms": [round(ms - DEADLINE_NS / 1e6, 1) for ms in ended],
        "ended_how": sorted({str(s.ended) for _, s in seen.stalls if s.agent_id == "loops"}),
        "native_named_after_s": [round(s, 3) for s in native],
        "native_how": sorted({str(s.ended) for s in seen.named if s.agent_id == "blocks"}),
        "lives": lives,
        "deaf_refused": seen.refused,
        "deaf_unread": seen.unread,
        "foreign_writes_refused": seen.foreign_writes,
        "victim_version": seen.victim_version,
        "residual": seen.residual,
    }


def faults(figures: Mapping[str, Any]) -> list[str]:
    """What is not as claimed, but for the comparison with the control run."""
    lives = figures["lives"]
    checks = {
        "deliveries lost": figures["deliveries"] != figures["deliveries_due"],
        "accounting": figures["residual"] != 0,
        "the loop was not ended": figures["ended_how"] != [str(Ending.PYTHON)],
        "the loop was ended late": max(figures["ended_after_deadline_ms"], default=1e9)
        > AFTER_DEADLINE_MS,
        "the block was not named as one": figures["native_how"] != [str(Ending.NATIVE)],
        "the block was named late": max(figures["native_named_after_s"], default=1e9)
        > NAMED_WITHIN_S,
        "somebody was not isolated": not all(lives[name].get("isolated") for name in ISOLATED),
        "somebody was not restarted": not all(lives[name].get("restart") for name in ISOLATED),
        "a foreign state was written": figures["victim_version"] != 0
        or not figures["foreign_writes_refused"],
        "the deaf one was not refused": not figures["deaf_refused"],
        "the block was not moved": not lives["blocks"].get(str(EventKind.RELOCATED)),
    }
    return [name for name, wrong in checks.items() if wrong]


def p99_us(waits: list[int]) -> float:
    ordered = sorted(waits)
    return ordered[int(len(ordered) * 0.99)] / 1e3 if ordered else 0.0


def run(*, quick: bool = False) -> Finding:
    agents, seconds = (200, 4.0) if quick else (AGENTS, SECONDS)
    control = asyncio.run(scenario(agents, seconds, offenders=False))
    seen = asyncio.run(scenario(agents, seconds, offenders=True))
    calm = [wait for _, wait in control.waits]
    figures = verdict(seen)
    figures["p99_us"] = round(p99_us(seen.outside_stalls()), 1)
    figures["p99_us_control"] = round(p99_us(calm), 1)
    figures["p99_ratio"] = round(figures["p99_us"] / figures["p99_us_control"], 2)
    wrong = faults(figures)
    if figures["p99_ratio"] > 2.0:
        wrong.append("p99 beyond twice the control run's")
    figures["wrong"] = wrong
    late, named = figures["ended_after_deadline_ms"], figures["native_named_after_s"]
    return Finding(
        CLAIM,
        passed=not wrong,
        headline=[
            f"{figures['deliveries']:,} of {figures['deliveries_due']:,} deliveries to "
            f"{len(seen.delivered):,} agents",
            f"loop ended {min(late, default=0):.0f} to {max(late, default=0):.0f} ms after its "
            f"deadline, {len(late)} times",
            f"block of 1 s named after {max(named, default=0):.2f} s at most",
            f"p99 {figures['p99_us']:,.0f} us outside the stalls, "
            f"{figures['p99_us_control']:,.0f} us without offenders",
            *wrong,
        ],
        figures=figures,
    )
