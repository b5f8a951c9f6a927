"""CPU of one delivery: a burst, one at a time, one message to all, ten deltas merged into one.

*burst*: every source publishes one delta, then everything is handled; nothing conflates.
*single*: one delta, and the event loop runs until its five handlers have.
*market*: one message to every agent.
*ten*: every source publishes ten deltas before anything is handled; the cost is that of a
published delivery, so a bus that merges is paid for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.bus.ring import READERS, Ring
from benchmarks.bus.rivals import Rival, Sketch
from benchmarks.bus.rounds import Figures, Turn, fresh_watch, interleaved, set_aside

TEN = 10
MANY = 1_000
"""From here on the sketch's scan of all subscriptions gets one repeat a round, it takes so long."""


async def burst(ring: Ring, repeats: int) -> tuple[int, int]:
    """(deliveries published, calls expected of them)."""
    for repeat in range(repeats):
        await ring.rival.burst(ring.sources, 1, float(repeat))
    made = repeats * ring.agents * READERS
    return made, made


async def ten(ring: Ring, repeats: int) -> tuple[int, int]:
    for repeat in range(repeats):
        await ring.rival.burst(ring.sources, TEN, float(repeat))
    merged = repeats * ring.agents * READERS
    return merged * TEN, merged if ring.rival.conflates else merged * TEN


async def single(ring: Ring, repeats: int) -> tuple[int, int]:
    publish = ring.rival.publish
    for repeat in range(repeats):
        value = float(repeat)
        for source, last in enumerate(ring.last):
            before = last.count
            await publish(source, {"level": value, "trend": value})
            while last.count == before:
                await asyncio.sleep(0)
    made = repeats * ring.agents * READERS
    return made, made


async def market(ring: Ring, repeats: int) -> tuple[int, int]:
    for repeat in range(repeats):
        await ring.rival.broadcast({"level": float(repeat), "trend": float(repeat)})
    made = repeats * ring.agents
    return made, made


Pattern = Callable[[Ring, int], Awaitable[tuple[int, int]]]
PATTERNS: dict[str, tuple[Pattern, int]] = {
    "burst": (burst, READERS),
    "single": (single, READERS),
    "market": (market, 1),
    "ten": (ten, READERS * TEN),
}
"""Name → pattern and deliveries an agent in one repeat."""

PATTERN_NAMES = {
    "burst": "a burst: each source publishes once, nothing conflates",
    "single": "one delta at a time",
    "market": "one message to all agents",
    "ten": "ten deltas a source before the loop runs, per published delivery",
}
"""In words."""


def _turn(name: str, ring: Ring, deliveries: int) -> Turn:
    pattern, each = PATTERNS[name]
    repeats = max(1, deliveries // (ring.agents * each))
    if isinstance(ring.rival, Sketch) and ring.agents >= MANY:
        repeats = 1

    async def turn() -> float:
        before = ring.calls
        watch = fresh_watch()
        made, expected = await pattern(ring, repeats)
        spent = watch.cpu_ns()
        called = ring.calls - before
        if called != expected:
            label = ring.rival.label
            raise SystemExit(f"{label}, {name}: {called} handlers called, not {expected}")
        return spent / made

    return turn


async def measure(
    rivals: Sequence[type[Rival]],
    agents: int,
    rounds: int,
    deliveries: int,
    *,
    waits: bool,
    patterns: Sequence[str] = tuple(PATTERNS),
) -> dict[str, Figures]:
    """{pattern: {rival: CPU ns per delivery in each round}}."""
    rings = {
        rival.label: await Ring.of(rival, agents, waits=waits)
        for rival in rivals
        if rival.takes_coroutines or not waits
    }
    found = {}
    with set_aside():
        for name in patterns:
            turns = {label: _turn(name, ring, deliveries) for label, ring in rings.items()}
            found[name] = await interleaved(turns, rounds)
    for ring in rings.values():
        await ring.close()
    return found
