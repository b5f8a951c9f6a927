"""SyncBus with everything on: live clock, versions, history, accounting, isolation, breakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from benchmarks.bus.rivals.base import Delta, Handler, Rival
from mirrorcore.clock import SECOND
from mirrorcore.syncbus import ALL, AgentHandle, AgentPolicy, Interest, SyncBus

PATIENT = AgentPolicy(deadline_ns=10 * SECOND)
"""Longer than by itself: a busy machine that puts the process aside must not isolate an agent."""

Mode = Literal["latest", "every", "eager"]


class Ours(Rival):
    """The bus of everybody who writes ``SyncBus()``; only the agents' deadline is longer."""

    label: ClassVar[str] = "SyncBus"
    conflates: ClassVar[bool] = True
    mode: ClassVar[Mode] = "latest"
    lacks: ClassVar[str] = (
        "a delivery costs it more than those who only call their handlers, and who needs every "
        "delta has to ask for it"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self.bus = SyncBus()
        self.handles: dict[int, AgentHandle] = {}

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        self.handles[agent] = self.bus.register(
            f"agent{agent}",
            kind="worker",
            interests=[Interest(f"agent{source}", mode=self.mode) for source in interests],
            on_update=handler,
            on_tick=handler,
            on_signal=handler,
            policy=PATIENT,
        )

    def remove(self, agent: int) -> None:
        self.bus.remove(f"agent{agent}")
        del self.handles[agent]

    async def close(self) -> None:
        await self.bus.aclose()

    async def publish(self, source: int, delta: Delta) -> None:
        self.handles[source].publish(delta)

    async def broadcast(self, tick: Delta) -> None:
        await self.bus.broadcast_market_update(tick)

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        handles = self.handles
        for _ in range(each):
            for source in sources:
                handles[source].publish({"level": value, "trend": value})
        self.bus.settle()

    async def drain(self) -> None:
        self.bus.settle()

    async def stop(self) -> None:
        self.bus.signal(ALL, "stop")
        self.bus.settle()

    def is_stop(self, message: Any) -> bool:
        return bool(message == "stop")

    def fields(self, message: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = message.fields
        return found

    def pending(self, agent: int) -> int | None:
        """One call for each source that has news, however much of it."""
        return len(self.handles[agent].collect())


class EveryDelta(Ours):
    """For readers that asked for each delta by itself."""

    label: ClassVar[str] = "SyncBus, every delta"
    conflates: ClassVar[bool] = False
    mode: ClassVar[Mode] = "every"


class Eager(Ours):
    """For trusted readers that are called within the publish."""

    label: ClassVar[str] = "SyncBus, eager"
    takes_coroutines: ClassVar[bool] = False
    conflates: ClassVar[bool] = False
    mode: ClassVar[Mode] = "eager"
