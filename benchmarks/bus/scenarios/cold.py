"""What the first publish of each source costs: a bus may put off its work until then."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bus.ring import READERS, Ring
from benchmarks.bus.rivals import Rival
from benchmarks.bus.rounds import Figures, Turn, fresh_watch, interleaved


def _turn(rival: type[Rival], agents: int) -> Turn:
    async def turn() -> float:
        ring = await Ring.of(rival, agents)
        watch = fresh_watch()
        await ring.rival.burst(ring.sources, 1, 0.0)
        spent = watch.cpu_ns()
        made = agents * READERS
        if ring.calls != made:
            raise SystemExit(f"{rival.label}, cold: {ring.calls} handlers called, not {made}")
        await ring.close()
        return spent / made

    return turn


async def measure(rivals: Sequence[type[Rival]], agents: int, rounds: int) -> Figures:
    """{rival: CPU ns per delivery of the first burst on a new bus, in each round}."""
    return await interleaved(
        {rival.label: _turn(rival, agents) for rival in rivals}, rounds, warm_up=rounds > 1
    )
