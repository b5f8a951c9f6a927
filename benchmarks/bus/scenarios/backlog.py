"""A stop behind a backlog: a thousand agents with a hundred deltas each waiting for them.

All deltas are published before the loop runs, so that whoever keeps a queue has it full and whoever
calls directly has nothing left to do. Then everybody is told to stop, by the quickest way the rival
has. Wall time until the last agent has heard it, and how many ordinary calls came before that.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

from benchmarks.bus.ring import READERS, interests_of
from benchmarks.bus.rivals import Rival
from mirrorcore.clock import MICROSECOND, stamp_ns

AGENTS = 1_000
WAITING = 100
"""Deltas for each agent; the sketch's queues hold no more."""


class Crowd:
    """Handlers of all agents: they count, and note when each has heard the stop."""

    def __init__(self, rival: Rival) -> None:
        self._is_stop = rival.is_stop
        self.calls = 0
        self.heard_ns = 0
        self.calls_before = 0
        self.hearers = 0

    def handler(self) -> Any:
        """Of one more agent; no two are the same object, as rivals tell them apart by that."""

        def on_message(message: Any) -> None:
            if self._is_stop(message):
                self.heard_ns = stamp_ns()
                self.calls_before = self.calls
                self.hearers += 1
            else:
                self.calls += 1

        return on_message


async def one(rival_type: type[Rival], agents: int) -> dict[str, float]:
    """us until the last has heard, and ordinary calls between the order and that."""
    rival = rival_type()
    crowd = Crowd(rival)
    await rival.open()
    handlers = [crowd.handler() for _ in range(agents)]
    for agent, handler in enumerate(handlers):
        rival.add(agent, handler, interests_of(agent, agents))
    await asyncio.sleep(0)
    for number in range(WAITING // READERS):
        for source in range(agents):
            await rival.publish(source, {"level": float(number), "trend": float(source)})
    gc.collect()
    calls, ordered = crowd.calls, stamp_ns()
    await rival.stop()
    while crowd.hearers < agents:
        await asyncio.sleep(0)
    heard = {
        "us": (crowd.heard_ns - ordered) / MICROSECOND,
        "calls_before": float(crowd.calls_before - calls),
    }
    await rival.close()
    return heard


async def measure(
    rivals: Sequence[type[Rival]], rounds: int, agents: int = AGENTS
) -> dict[str, dict[str, list[float]]]:
    """{rival: {figure: of each round}}, the rivals in turns."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for rival in rivals:
            for name, figure in (await one(rival, agents)).items():
                found.setdefault(rival.label, {}).setdefault(name, []).append(figure)
    return found
