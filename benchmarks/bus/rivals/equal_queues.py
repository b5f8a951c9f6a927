"""asyncio.Queue and a task an agent, with what a delivery of SyncBus comes with: the even match.

Written as plainly as it goes, and as quickly: no life cycle, lanes, checkpoints or watchdog.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival
from mirrorcore.clock import LiveClock
from mirrorcore.syncbus import Update

REMEMBERED = 1_000
"""Deltas of a source's past."""


class Source:
    """A state with a version and a past; readers with the fields they asked for."""

    __slots__ = ("past", "readers", "state", "t", "version")

    def __init__(self) -> None:
        self.version = self.t = 0
        self.state: Mapping[str, float] = {}
        self.past: deque[tuple[int, Delta]] = deque(maxlen=REMEMBERED)
        self.readers: list[tuple[Inbox, frozenset[str] | None]] = []


class Inbox:
    """What waits for an agent: of each source with news one entry, merged; and the accounts."""

    __slots__ = ("conflated", "delivered", "failed", "queue", "waiting")

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.waiting: dict[int, tuple[Delta, int]] = {}
        self.delivered = self.conflated = self.failed = 0


class EqualQueues(Rival):
    """Versions, states, merging, masks, checked deltas, a past, accounts, and nobody's error is
    anybody else's."""

    label: ClassVar[str] = "asyncio.Queue + task, same promises"
    conflates: ClassVar[bool] = True
    lacks: ClassVar[str] = (
        "nobody ends a handler that hangs or restarts an agent that fails, a stop waits behind "
        "whatever is in the queues, and its past is Python objects"
    )

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._clock = LiveClock()
        self._sources: dict[int, Source] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._interests: dict[int, Sequence[int]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        inbox = self._inboxes[agent] = Inbox()
        self._interests[agent] = interests
        self._sources.setdefault(agent, Source())
        for source in interests:
            self._sources.setdefault(source, Source()).readers.append((inbox, None))
        consume = self._consume_waiting if self.waits else self._consume
        running: Coroutine[Any, Any, None] = consume(inbox, handler)
        self._tasks[agent] = asyncio.create_task(running)

    def remove(self, agent: int) -> None:
        inbox = self._inboxes.pop(agent)
        for source in self._interests.pop(agent):
            self._sources[source].readers.remove((inbox, None))
        del self._sources[agent]
        self._tasks.pop(agent).cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def publish(self, source: int, delta: Delta) -> None:
        self._publish(source, delta)

    async def broadcast(self, tick: Delta) -> None:
        for number, inbox in self._inboxes.items():
            inbox.waiting[-1 - number] = (tick, 1)
            inbox.queue.put_nowait(-1 - number)
        await self.drain()

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        publish = self._publish
        for _ in range(each):
            for source in sources:
                publish(source, {"level": value, "trend": value})
        await self.drain()

    async def drain(self) -> None:
        for inbox in self._inboxes.values():
            await inbox.queue.join()

    def fields(self, message: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = message.fields
        return found

    def pending(self, agent: int) -> int | None:
        return self._inboxes[agent].queue.qsize()

    def _publish(self, number: int, delta: Delta) -> None:
        for name, value in delta.items():
            # Stamps of the latency scenario are integers.
            if type(name) is not str or type(value) not in (float, int) or value - value != 0.0:
                raise ValueError(f"{name} is no finite number")
        delta = delta.copy()
        source = self._sources[number]
        source.version += 1
        source.t = self._clock.now()
        source.state = {**source.state, **delta}
        source.past.append((source.t, delta))
        for inbox, mask in source.readers:
            if mask is not None and mask.isdisjoint(delta):
                continue
            waiting = inbox.waiting.get(number)
            if waiting is None:
                inbox.waiting[number] = (delta, 1)
                inbox.queue.put_nowait(number)
            else:
                inbox.waiting[number] = ({**waiting[0], **delta}, waiting[1] + 1)

    def _next(self, inbox: Inbox, number: int) -> Update:
        fields, gap = inbox.waiting.pop(number)
        source = self._sources.get(number)
        version, t = (0, 0) if source is None else (source.version, source.t)
        inbox.delivered += 1
        inbox.conflated += gap - 1
        return Update(str(number), MappingProxyType(fields), version, gap, False, t)

    async def _consume(self, inbox: Inbox, handler: Handler) -> None:
        queue = inbox.queue
        while True:
            update = self._next(inbox, await queue.get())
            try:
                handler(update)
            except Exception:
                inbox.failed += 1
            queue.task_done()

    async def _consume_waiting(self, inbox: Inbox, handler: Handler) -> None:
        queue = inbox.queue
        while True:
            update = self._next(inbox, await queue.get())
            try:
                await handler(update)
            except Exception:
                inbox.failed += 1
            queue.task_done()
