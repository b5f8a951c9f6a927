"""How long a delta is under way at a fixed load, and what one slow agent does to that.

A hundred agents in a ring, 1,000 deltas a second in an open loop: each delta has an instant at
which it is due, whatever became of the one before. *latency* is from its publish to its handler;
*lateness* from when it was due, so that a publisher who was held up is seen as well.

The slow agent reads every source and awaits 10 ms in each call: ten times more than it can take.
Where handlers are only called, it has to block for 10 ms instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.bus.ring import interests_of
from benchmarks.bus.rivals import Rival
from mirrorcore.clock import MICROSECOND, MILLISECOND, SECOND, stamp_ns

AGENTS = 100
PERIOD_NS = MILLISECOND
SLOW_S = 0.010
PATIENCE = 2
"""A run is given up after this many times its planned duration."""


@dataclass(slots=True)
class Told:
    """One run: of every delivery to the others, and of the slow agent."""

    latency_ns: list[int] = field(default_factory=list)
    lateness_ns: list[int] = field(default_factory=list)
    slow_age_ns: list[int] = field(default_factory=list)
    slow_pending: int | None = None
    published: int = 0

    def figures(self, planned: int) -> dict[str, Any]:
        """Percentiles in us, ages in ms."""
        p50, p99 = np.percentile(self.latency_ns or [0], [50, 99]) / MICROSECOND
        late50, late99 = np.percentile(self.lateness_ns or [0], [50, 99]) / MICROSECOND
        return {
            "p50_us": float(p50),
            "p99_us": float(p99),
            "late_p50_us": float(late50),
            "late_p99_us": float(late99),
            "published": self.published,
            "published_share": self.published / planned,
            "slow_pending": self.slow_pending,
            "slow_age_ms": self.slow_age_ns[-1] / MILLISECOND if self.slow_age_ns else None,
            "slow_calls": len(self.slow_age_ns),
        }


class Probe:
    """Handlers that note when a delta came; the slow ones wait afterwards."""

    def __init__(self, rival: Rival, told: Told) -> None:
        self._fields = rival.fields
        self._told = told

    def note(self, message: Any) -> None:
        now = stamp_ns()
        fields = self._fields(message)
        self._told.latency_ns.append(now - fields["stamp"])
        self._told.lateness_ns.append(now - fields["due"])

    async def note_waiting(self, message: Any) -> None:
        self.note(message)

    async def slowly(self, message: Any) -> None:
        self._told.slow_age_ns.append(stamp_ns() - self._fields(message)["due"])
        await asyncio.sleep(SLOW_S)

    def blocking(self, message: Any) -> None:
        self._told.slow_age_ns.append(stamp_ns() - self._fields(message)["due"])
        time.sleep(SLOW_S)


async def run(rival_type: type[Rival], seconds: float, *, waits: bool, slow: bool) -> Told:
    """One run on a new bus; ``waits`` has coroutines for handlers where the rival takes them."""
    told = Told()
    rival = rival_type(waits=waits and rival_type.takes_coroutines)
    probe = Probe(rival, told)
    await rival.open()
    ordinary = probe.note_waiting if rival.waits else probe.note
    slowly = probe.slowly if rival.waits else probe.blocking
    for agent in range(AGENTS):
        if slow and agent == AGENTS // 2:
            rival.add(agent, slowly, range(AGENTS))
        else:
            rival.add(agent, ordinary, interests_of(agent, AGENTS))
    deltas = planned(seconds)
    try:
        async with asyncio.timeout(seconds * PATIENCE):
            await _publish(rival, deltas, told)
    except TimeoutError:
        pass  # what was published by then is in the figures
    await asyncio.sleep(0)
    if slow:
        told.slow_pending = rival.pending(AGENTS // 2)
    await rival.close()
    return told


def planned(seconds: float) -> int:
    """Deltas of one run."""
    return round(seconds * SECOND / PERIOD_NS)


async def _publish(rival: Rival, deltas: int, told: Told) -> None:
    start = stamp_ns()
    for number in range(deltas):
        due = start + number * PERIOD_NS
        # At least one turn of the loop between two deltas, however late it is.
        await asyncio.sleep(max(0, due - stamp_ns()) / SECOND)
        await rival.publish(number % AGENTS, {"stamp": stamp_ns(), "due": due})
        told.published += 1


Runs = dict[str, dict[str, list[dict[str, Any]]]]
"""{kind of run: {rival: figures of each round}}."""

KINDS = {
    "sync": (False, False),
    "async": (True, False),
    "slow": (True, True),
}
"""Kind of run: whether handlers are coroutines, whether one agent is slow."""


async def measure(rivals: Sequence[type[Rival]], rounds: int, seconds: float) -> Runs:
    """The kinds of run and the rivals take turns within each round."""
    found: Runs = {kind: {rival.label: [] for rival in rivals} for kind in KINDS}
    for number in range(rounds + 1):
        for rival in rivals:
            for kind, (waits, slow) in KINDS.items():
                told = await run(rival, seconds if number else 0.1, waits=waits, slow=slow)
                if number:  # the first one warms up
                    found[kind][rival.label].append(told.figures(planned(seconds)))
    return found
