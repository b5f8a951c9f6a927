"""One asyncio.Queue and one task an agent, readers found by index: what most people build."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival


class Queues(Rival):
    """Unbounded queues, so that a slow reader cannot hold up a publisher."""

    label: ClassVar[str] = "asyncio.Queue + task"
    lacks: ClassVar[str] = (
        "a slow agent works through every stale message while its backlog grows without bound, and "
        "an agent that raises once has lost its task and gets nothing any more"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._readers: dict[int, list[asyncio.Queue[Any]]] = {}
        self._queues: dict[int, asyncio.Queue[Any]] = {}
        self._interests: dict[int, Sequence[int]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._queues[agent] = queue
        self._interests[agent] = interests
        self._readers.setdefault(agent, [])
        for source in interests:
            self._readers.setdefault(source, []).append(queue)
        self._tasks[agent] = asyncio.create_task(self.consume(queue, handler))

    def consume(self, queue: asyncio.Queue[Any], handler: Handler) -> Coroutine[Any, Any, None]:
        """What the agent's task runs."""
        return (_consume_waiting if self.waits else _consume)(queue, handler)

    def remove(self, agent: int) -> None:
        queue = self._queues.pop(agent)
        for source in self._interests.pop(agent):
            self._readers[source].remove(queue)
        del self._readers[agent]
        self._tasks.pop(agent).cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def publish(self, source: int, delta: Delta) -> None:
        for queue in self._readers[source]:
            queue.put_nowait(delta)

    async def broadcast(self, tick: Delta) -> None:
        for queue in self._queues.values():
            queue.put_nowait(tick)
        await self.drain()

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        readers = self._readers
        for _ in range(each):
            for source in sources:
                delta = {"level": value, "trend": value}
                for queue in readers[source]:
                    queue.put_nowait(delta)
        await self.drain()

    async def drain(self) -> None:
        # Cheaper for it than task_done() and join(): a task empties its queue before it waits.
        for queue in self._queues.values():
            while not queue.empty():
                await asyncio.sleep(0)

    def pending(self, agent: int) -> int | None:
        return self._queues[agent].qsize()


class JoinedQueues(Queues):
    """With the library's own way of knowing that everything was handled.

    A swarm decides when all agents have had their say, so somebody has to know.
    """

    label: ClassVar[str] = "asyncio.Queue + task, joined"

    def consume(self, queue: asyncio.Queue[Any], handler: Handler) -> Coroutine[Any, Any, None]:
        return (_consume_waiting_done if self.waits else _consume_done)(queue, handler)

    async def drain(self) -> None:
        for queue in self._queues.values():
            await queue.join()


async def _consume(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        handler(await queue.get())


async def _consume_waiting(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        await handler(await queue.get())


async def _consume_done(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        handler(await queue.get())
        queue.task_done()


async def _consume_waiting_done(queue: asyncio.Queue[Any], handler: Handler) -> None:
    while True:
        await handler(await queue.get())
        queue.task_done()
