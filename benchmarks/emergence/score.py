"""Runs a detector over worlds and counts: false alarms, power, delay, who was named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.emergence.worlds.world import World


class Rule(Protocol):
    """A detector, or a naive rule in its place."""

    def update(self, tick: Mapping[str, Any]) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Outcome:
    """One run: tick and agents of each finding."""

    findings: tuple[tuple[int, tuple[int, ...]], ...]
    ticks: int
    onset: int | None
    agents: tuple[int, ...]

    def delay(self) -> int | None:
        """Ticks from the onset to the first finding after it; None without one."""
        after = [at - (self.onset or 0) for at, _ in self.findings if at >= (self.onset or 0)]
        return min(after, default=None)

    def early(self) -> int:
        """Findings before the onset; all of them where nothing was planted."""
        return sum(1 for at, _ in self.findings if self.onset is None or at < self.onset)


def run(world: World, build: Callable[[Mapping[str, Any]], Rule]) -> Outcome:
    """Feed a world to a detector, tick by tick."""
    detector = build(world.static)
    found = []
    for number, tick in enumerate(world.ticks()):
        for finding in detector.update(tick):
            found.append((number, tuple(getattr(finding, "agents", ()))))
    return Outcome(tuple(found), len(world), world.onset, world.agents)


def wilson(hits: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    whole = 1 + z * z / trials
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
