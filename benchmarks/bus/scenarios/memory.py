"""Bytes an idle agent with five interests takes, beyond its own handler.

As Python's allocator counts them. What an extension takes past it, as parts of NautilusTrader may,
is not seen.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Sequence

from benchmarks.bus.ring import Ring, interests_of
from benchmarks.bus.rivals import Ours, Rival

AGENTS = 1_000


async def bytes_per_agent(rival: type[Rival], agents: int = AGENTS) -> int:
    """After registering them all on a bus of their own; nothing has been published."""
    ring = Ring(rival(), agents)
    handlers = ring.handlers()
    await ring.rival.open()
    gc.collect()
    tracemalloc.start()
    try:
        for agent, handler in enumerate(handlers):
            ring.rival.add(agent, handler, interests_of(agent, agents))
        await asyncio.sleep(0)  # tasks come to their first wait
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    await ring.close()
    return used // agents


async def measure(rivals: Sequence[type[Rival]], agents: int = AGENTS) -> dict[str, int]:
    """{rival: bytes}; the allocator counts exactly, so once is enough."""
    return {rival.label: await bytes_per_agent(rival, agents) for rival in rivals}


def idle_bytes(agents: int = AGENTS) -> int:
    """What an agent of SyncBus takes."""
    return asyncio.run(bytes_per_agent(Ours, agents))
