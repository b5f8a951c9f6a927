"""The guide's sketch as a rival: its bus, and the task an agent needs to read its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival
from benchmarks.bus.rivals.sketch_bus import ResilientSyncBus, WholeSyncBus


class Sketch(Rival):
    """The resilient one of its two classes."""

    label: ClassVar[str] = "guide's sketch"
    lacks: ClassVar[str] = (
        "it waits for a full queue while it holds the one lock, so a slow agent slows everybody "
        "and a dead one stops them for good, and it looks at every subscription for every update"
    )

    bus_type: ClassVar[type[ResilientSyncBus]] = ResilientSyncBus

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self.bus = self.bus_type()
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        name = _name(agent)
        # What its register_agent does; it is a coroutine for no reason and the harness is not one.
        step = self.bus.register_agent(name, [_name(source) for source in interests])
        try:
            step.send(None)
        except StopIteration:
            pass
        else:
            raise RuntimeError("register_agent of the sketch waits for something")
        consume = _consume_waiting if self.waits else _consume
        self._tasks[agent] = asyncio.create_task(consume(self.bus.update_queues[name], handler))

    def remove(self, agent: int) -> None:
        name = _name(agent)
        del self.bus.subscriptions[name], self.bus.update_queues[name]
        self.bus.agent_states.pop(name, None)
        self._tasks.pop(agent).cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def publish(self, source: int, delta: Delta) -> None:
        await self.bus.update_agent_state(_name(source), delta)

    async def broadcast(self, tick: Delta) -> None:
        await self.bus.broadcast_market_update(tick)
        await self.drain()

    async def drain(self) -> None:
        for queue in self.bus.update_queues.values():
            while not queue.empty():
                await asyncio.sleep(0)

    def fields(self, message: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = message[1]
        return found

    def pending(self, agent: int) -> int | None:
        return self.bus.update_queues[_name(agent)].qsize()


class WholeSketch(Sketch):
    """The same, its interests read as all that the guide hands to the question of relevance."""

    label: ClassVar[str] = "guide's sketch, interests in full"
    bus_type: ClassVar[type[ResilientSyncBus]] = WholeSyncBus


def _name(agent: int) -> str:
    return f"agent{agent}"


async def _consume(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        handler(await queue.get())


async def _consume_waiting(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        await handler(await queue.get())
