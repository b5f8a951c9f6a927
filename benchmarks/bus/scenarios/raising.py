"""One agent raises on every message: what do the others lose?

A hundred agents in a ring, and one in their midst that reads every source and raises. The publisher
forgives whatever reaches it and goes on; a bus that stops for good is given up on after a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks.bus.ring import READERS, Ring, interests_of
from benchmarks.bus.rivals import Rival

AGENTS = 100
PATIENCE_S = 10.0
"""Wall seconds for 500 deltas; psygnal takes milliseconds to build each error."""


class Mischief(Exception):  # noqa: N818  # it is what it is
    """What the agent raises."""


def _raise(_message: Any) -> None:
    raise Mischief


async def one(rival_type: type[Rival], deltas: int, patience_s: float) -> dict[str, int]:
    """Deliveries due to the others and lost, and how often the publisher was hit itself."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    ring = Ring(rival_type(), AGENTS)
    rival, bad = ring.rival, AGENTS // 2
    await rival.open()
    for agent, counter in enumerate(ring.counters):
        if agent == bad:
            rival.add(agent, _raise, range(AGENTS))
        else:
            rival.add(agent, counter.on_update, interests_of(agent, AGENTS))
    # It says nothing itself: who is isolated may not, and that is nobody's loss.
    plan = [number % AGENTS for number in range(deltas) if number % AGENTS != bad]
    hits = published = 0
    try:
        async with asyncio.timeout(patience_s):
            for source in plan:
                try:
                    await rival.publish(source, {"level": 1.0, "trend": 1.0})
                except TimeoutError:
                    raise
                except Exception:
                    hits += 1
                published += 1
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
    except TimeoutError:
        pass
    got = sum(counter.count for agent, counter in enumerate(ring.counters) if agent != bad)
    due = len(plan) * READERS - sum(source in interests_of(bad, AGENTS) for source in plan)
    await ring.close()
    return {
        "due_to_others": due,
        "lost_by_others": due - got,
        "raised_in_publisher": hits,
        "published": published,
        "of": len(plan),
    }


async def measure(
    rivals: Sequence[type[Rival]], deltas: int, patience_s: float = PATIENCE_S
) -> dict[str, dict[str, int]]:
    """{rival: what was lost}; there is no chance in it, so once is enough."""
    return {rival.label: await one(rival, deltas, patience_s) for rival in rivals}
