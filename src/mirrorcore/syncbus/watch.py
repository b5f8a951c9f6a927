"""Observers that cannot slow anybody: they look when they are ready, and are told what they missed.

A watch holds edges like an agent, but nobody calls it: it collects at its own pace what its edges
have merged. Life events wait for it in a bounded queue; when that is full the oldest go, and it
is told how many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mirrorcore.clock import SECOND
from mirrorcore.syncbus.mailbox import Mailbox
from mirrorcore.syncbus.messages import BusEvent, Gap, Interest, Missed, Update
from mirrorcore.syncbus.policy import AgentPolicy
from mirrorcore.syncbus.supervision import LifeState

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.observers import Observers
    from mirrorcore.syncbus.registry import Registry

Seen = Update | Gap | BusEvent | Missed


class Watch:
    """What one observer asked to see; an async iterator, and a context that ends the watch.

    ``look()`` gives what there is now without waiting. Iterating gives the same one by one and
    looks again every ``every_ns`` of wall time while there is nothing.
    """

    source = None
    state = LifeState.RUNNING

    def __init__(
        self,
        name: str,
        index: int,
        interests: tuple[Interest, ...],
        dispatcher: Dispatcher,
        registry: Registry,
        observers: Observers,
        *,
        events: bool,
        every_ns: int,
        room: int,
    ) -> None:
        self.agent_id = name
        self.index = index
        self.interests = interests
        self.policy = AgentPolicy(stream=room)
        self.mailbox = Mailbox.unread()
        self.missed = 0
        self.closed = False
        self._events: deque[BusEvent] = deque(maxlen=room)
        self._every_ns = every_ns
        self._dispatcher = dispatcher
        self._registry = registry
        self._observers = observers
        registry.join(self)
        if events:
            observers.add(self._hear)

    def look(self) -> list[Seen]:
        """Life events and changes since the last look, without waiting for any."""
        seen: list[Seen] = []
        if self.missed:
            seen.append(Missed(self.missed))
            self.missed = 0
        seen.extend(self._events)
        self._events.clear()
        seen.extend(self.mailbox.collect(self._dispatcher.block_sources))
        return seen

    def close(self) -> None:
        """See no more; the iteration ends."""
        if self.closed:
            return
        self.closed = True
        self._observers.remove(self._hear)
        self._registry.leave(self)

    async def __aiter__(self) -> AsyncIterator[Seen]:
        while not self.closed:
            for seen in self.look():
                yield seen
            await asyncio.sleep(self._every_ns / SECOND)

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _hear(self, event: BusEvent) -> None:
        if len(self._events) == self._events.maxlen:
            self.missed += 1
        self._events.append(event)
