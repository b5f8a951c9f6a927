"""CPU of registering a thousand agents, and of one that comes and goes on a bus of a thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks.bus.ring import Counter, Ring, interests_of
from benchmarks.bus.rivals import Rival
from benchmarks.bus.rounds import Figures, Turn, fresh_watch, interleaved

LET_GO = 50
"""Comings and goings between two turns of the loop, in which cancelled tasks end."""


def _joining(rival: type[Rival], agents: int) -> Turn:
    async def turn() -> float:
        ring = Ring(rival(), agents)
        handlers = ring.handlers()
        await ring.rival.open()
        watch = fresh_watch()
        for agent, handler in enumerate(handlers):
            ring.rival.add(agent, handler, interests_of(agent, agents))
        spent = watch.cpu_ns()
        await ring.close()
        return spent / agents

    return turn


def _churning(ring: Ring, comings: int) -> Turn:
    rival, agents = ring.rival, ring.agents
    handlers = [Counter().on_update for _ in range(comings)]
    number = agents

    async def turn() -> float:
        nonlocal number
        watch = fresh_watch()
        for handler in handlers:
            number += 1
            rival.add(number, handler, interests_of(number % agents, agents))
            rival.remove(number)
            if number % LET_GO == 0:
                await asyncio.sleep(0)
        return watch.cpu_ns() / comings

    return turn


async def measure(
    rivals: Sequence[type[Rival]], agents: int, rounds: int, comings: int
) -> tuple[Figures, Figures]:
    """CPU ns of registering one agent, and of one that registers and is removed; by rival."""
    joined = await interleaved(
        {rival.label: _joining(rival, agents) for rival in rivals}, rounds, warm_up=rounds > 1
    )
    rings = {rival.label: await Ring.of(rival, agents) for rival in rivals}
    churned = await interleaved(
        {label: _churning(ring, comings) for label, ring in rings.items()},
        rounds,
        warm_up=rounds > 1,
    )
    for ring in rings.values():
        before = ring.calls
        await ring.rival.burst(ring.sources, 1, 0.0)
        if ring.calls - before != agents * 5:
            raise SystemExit(f"{ring.rival.label}: after churning, deliveries are missing")
        await ring.close()
    return joined, churned
