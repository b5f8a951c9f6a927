"""The floor: call each handler in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival


class BareLoop(Rival):
    """Lists of handlers by source, and nothing around them."""

    label: ClassVar[str] = "bare call loop"
    lacks: ClassVar[str] = (
        "a handler that waits or raises does so in the publisher, and nothing is kept: no state, "
        "no version, no account of who got what"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._readers: dict[int, list[Handler]] = {}
        self._agents: dict[int, tuple[Handler, Sequence[int]]] = {}
        self._everybody: list[Handler] = []

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        self._agents[agent] = (handler, interests)
        self._readers.setdefault(agent, [])
        for source in interests:
            self._readers.setdefault(source, []).append(handler)
        self._everybody.append(handler)

    def remove(self, agent: int) -> None:
        handler, interests = self._agents.pop(agent)
        for source in interests:
            self._readers[source].remove(handler)
        self._everybody.remove(handler)
        del self._readers[agent]

    async def publish(self, source: int, delta: Delta) -> None:
        if self.waits:
            for handler in self._readers[source]:
                await handler(delta)
        else:
            for handler in self._readers[source]:
                handler(delta)

    async def broadcast(self, tick: Delta) -> None:
        if self.waits:
            for handler in self._everybody:
                await handler(tick)
        else:
            for handler in self._everybody:
                handler(tick)

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        if self.waits:
            await super().burst(sources, each, value)
            return
        readers = self._readers
        for _ in range(each):
            for source in sources:
                delta = {"level": value, "trend": value}
                for handler in readers[source]:
                    handler(delta)
