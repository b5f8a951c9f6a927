"""psygnal: one signal instance a source, its compiled build where the platform has one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival

if TYPE_CHECKING:
    from psygnal import SignalInstance


class Psygnal(Rival):
    """Coroutine functions go through its asyncio backend: one queue and one task for all."""

    label: ClassVar[str] = "psygnal"
    distribution: ClassVar[str] = "psygnal"
    lacks: ClassVar[str] = (
        "it calls sync slots within the publisher and all coroutines one after another in a single "
        "task, so one slow agent holds up all; one that raises cuts off those after it"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._signals: dict[int, SignalInstance] = {}
        self._agents: dict[int, tuple[Handler, Sequence[int]]] = {}
        self._market = self._new()
        self._backend: Any = None

    @staticmethod
    def _new() -> SignalInstance:
        from psygnal import SignalInstance

        return SignalInstance((object,))

    async def open(self) -> None:
        if self.waits:
            from psygnal import set_async_backend

            self._backend = set_async_backend("asyncio")
            await self._backend.running.wait()

    async def close(self) -> None:
        if self.waits:
            from psygnal._async import clear_async_backend

            clear_async_backend()
            await asyncio.sleep(0)

    def _signal(self, source: int) -> SignalInstance:
        signal = self._signals.get(source)
        if signal is None:
            signal = self._signals[source] = self._new()
        return signal

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        self._agents[agent] = (handler, interests)
        self._signal(agent)
        for source in interests:
            self._signal(source).connect(handler, check_nargs=False)
        self._market.connect(handler, check_nargs=False)

    def remove(self, agent: int) -> None:
        handler, interests = self._agents.pop(agent)
        for source in interests:
            self._signals[source].disconnect(handler)
        self._market.disconnect(handler)
        del self._signals[agent]

    async def publish(self, source: int, delta: Delta) -> None:
        self._signals[source].emit(delta)

    async def broadcast(self, tick: Delta) -> None:
        self._market.emit(tick)
        await self.drain()

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        signals = self._signals
        for _ in range(each):
            for source in sources:
                signals[source].emit({"level": value, "trend": value})
        await self.drain()

    async def drain(self) -> None:
        if self.waits:
            while not self._backend._queue.empty():
                await asyncio.sleep(0)

    def pending(self, agent: int) -> int | None:
        """Of its one queue: it keeps none an agent."""
        return int(self._backend._queue.qsize()) if self.waits else None
