"""NautilusTrader's MessageBus (Cython): one topic a source, handlers subscribed to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival


class Nautilus(Rival):
    """Topics are made once; a topic without wildcard is its cheapest subscription."""

    label: ClassVar[str] = "NautilusTrader MessageBus"
    distribution: ClassVar[str] = "nautilus_trader"
    takes_coroutines: ClassVar[bool] = False
    lacks: ClassVar[str] = (
        "it calls handlers within the publisher and takes no coroutines: one that blocks holds up "
        "all, one that raises cuts off those after it, and a topic's first message is matched "
        "against every subscription"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        from nautilus_trader.common.component import MessageBus, TestClock
        from nautilus_trader.model.identifiers import TraderId

        self._bus: Any = MessageBus(TraderId("BENCH-001"), TestClock())
        self._topics: dict[int, str] = {}
        self._agents: dict[int, tuple[Handler, Sequence[int]]] = {}

    def _topic(self, source: int) -> str:
        topic = self._topics.get(source)
        if topic is None:
            topic = self._topics[source] = f"states.agent{source}"
        return topic

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        self._agents[agent] = (handler, interests)
        self._topic(agent)
        for source in interests:
            self._bus.subscribe(self._topic(source), handler)
        self._bus.subscribe("market", handler)

    def remove(self, agent: int) -> None:
        handler, interests = self._agents.pop(agent)
        for source in interests:
            self._bus.unsubscribe(self._topics[source], handler)
        self._bus.unsubscribe("market", handler)
        del self._topics[agent]

    async def publish(self, source: int, delta: Delta) -> None:
        self._bus.publish(self._topics[source], delta)

    async def broadcast(self, tick: Delta) -> None:
        self._bus.publish("market", tick)

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        publish, topics = self._bus.publish, self._topics
        for _ in range(each):
            for source in sources:
                publish(topics[source], {"level": value, "trend": value})
