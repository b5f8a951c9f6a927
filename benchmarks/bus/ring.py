"""A ring of agents: each is read by the five after it, and counts what it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.bus.rivals import Rival

READERS = 5
"""Agents interested in each source."""


class Counter:
    """Handlers that do next to nothing."""

    __slots__ = ("__weakref__", "count")

    def __init__(self) -> None:
        self.count = 0

    def on_update(self, _message: Any) -> None:
        self.count += 1

    async def on_update_waiting(self, _message: Any) -> None:
        self.count += 1


def interests_of(agent: int, agents: int) -> list[int]:
    """The five sources before ``agent``, round the ring."""
    return [(agent - step) % agents for step in range(1, READERS + 1)]


class Ring:
    """One rival with its agents registered.

    Attributes
    ----------
    counters: of each agent. last: of the reader of each source that registered last, so the one
        that every rival here serves last.
    """

    def __init__(self, rival: Rival, agents: int) -> None:
        self.rival = rival
        self.agents = agents
        self.sources = range(agents)
        self.counters = [Counter() for _ in range(agents)]
        readers = [[(s + step) % agents for step in range(1, READERS + 1)] for s in range(agents)]
        self.last = [self.counters[max(reading)] for reading in readers]

    @classmethod
    async def of(cls, rival_type: type[Rival], agents: int, *, waits: bool = False) -> Ring:
        """Open the rival and register everybody."""
        ring = cls(rival_type(waits=waits), agents)
        await ring.rival.open()
        ring.register()
        return ring

    def register(self) -> None:
        for agent, handler in enumerate(self.handlers()):
            self.rival.add(agent, handler, interests_of(agent, self.agents))

    def handlers(self) -> list[Callable[[Any], Any]]:
        if self.rival.waits:
            return [counter.on_update_waiting for counter in self.counters]
        return [counter.on_update for counter in self.counters]

    @property
    def calls(self) -> int:
        """Handlers called so far."""
        return sum(counter.count for counter in self.counters)

    async def close(self) -> None:
        await self.rival.close()
