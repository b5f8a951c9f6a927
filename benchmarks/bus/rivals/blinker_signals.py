"""blinker: one signal a source, receivers connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival

if TYPE_CHECKING:
    from blinker import Signal


class Blinker(Rival):
    """The delta is the sender, its cheapest form; references are strong, so none is looked up."""

    label: ClassVar[str] = "blinker"
    distribution: ClassVar[str] = "blinker"
    lacks: ClassVar[str] = (
        "it calls its receivers within the publisher: one that blocks holds up all, one that "
        "raises cuts off those after it, and nothing of state or order is kept"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._signals: dict[int, Signal] = {}
        self._agents: dict[int, tuple[Handler, Sequence[int]]] = {}
        self._market = self._new()

    @staticmethod
    def _new() -> Signal:
        from blinker import Signal

        return Signal()

    def _signal(self, source: int) -> Signal:
        signal = self._signals.get(source)
        if signal is None:
            signal = self._signals[source] = self._new()
        return signal

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        self._agents[agent] = (handler, interests)
        self._signal(agent)
        for source in interests:
            self._signal(source).connect(handler, weak=False)
        self._market.connect(handler, weak=False)

    def remove(self, agent: int) -> None:
        handler, interests = self._agents.pop(agent)
        for source in interests:
            self._signals[source].disconnect(handler)
        self._market.disconnect(handler)
        del self._signals[agent]

    async def publish(self, source: int, delta: Delta) -> None:
        if self.waits:
            await self._signals[source].send_async(delta)
        else:
            self._signals[source].send(delta)

    async def broadcast(self, tick: Delta) -> None:
        if self.waits:
            await self._market.send_async(tick)
        else:
            self._market.send(tick)

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        if self.waits:
            await super().burst(sources, each, value)
            return
        signals = self._signals
        for _ in range(each):
            for source in sources:
                signals[source].send({"level": value, "trend": value})
