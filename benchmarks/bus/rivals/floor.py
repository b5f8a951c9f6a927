"""The least that a bus in plain Python does for these promises: no layers, all in two loops.

A delta is checked, copied, stamped and kept; a reader's edge is marked once whatever it misses;
each call is guarded, counted and, a turn at a time, timed. No lanes, no lives, no deadlines, no
contexts, no masks, nobody who looks in from outside. What SyncBus costs beyond it is the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from benchmarks.bus.rivals.base import Delta, Handler, Rival
from mirrorcore.clock import LiveClock, stamp_ns
from mirrorcore.syncbus import Update


class Source:
    """A version, the newest delta, and who reads it."""

    __slots__ = ("delta", "edges", "newest", "past", "t", "version")

    def __init__(self) -> None:
        self.version = self.t = 0
        self.delta: Delta = {}
        self.newest: Update | None = None
        self.past: list[float] = []
        self.edges: list[Edge] = []


class Edge:
    """What one reader has seen of one source."""

    __slots__ = ("delivered", "queued", "reader", "seen", "source")

    def __init__(self, reader: Reader, source: Source) -> None:
        self.reader, self.source = reader, source
        self.seen = self.delivered = 0
        self.queued = False


class Reader:
    """An agent: its handler and what waits for it."""

    __slots__ = ("calls", "failed", "handler", "pending", "took")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.pending: list[Edge] = []
        self.calls = self.failed = self.took = 0


class Floor(Rival):
    """Sync handlers in bursts, which is what it is measured with."""

    label: ClassVar[str] = "the least for a delivery"
    takes_coroutines: ClassVar[bool] = False
    conflates: ClassVar[bool] = True
    lacks: ClassVar[str] = "it is no bus: it is what a delivery costs before there is one"

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._now = LiveClock().now
        self._sources: dict[int, Source] = {}
        self._readers: dict[int, Reader] = {}
        self._ready: list[Reader] = []

    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        reader = self._readers[agent] = Reader(handler)
        self._sources.setdefault(agent, Source())
        for source in interests:
            read = self._sources.setdefault(source, Source())
            read.edges.append(Edge(reader, read))

    def remove(self, agent: int) -> None:
        reader = self._readers.pop(agent)
        for source in self._sources.values():
            source.edges = [edge for edge in source.edges if edge.reader is not reader]

    async def publish(self, source: int, delta: Delta) -> None:
        self._publish(source, delta)
        self._serve()

    async def broadcast(self, tick: Delta) -> None:
        for reader in self._readers.values():
            began = stamp_ns()
            try:
                reader.handler(tick)
            except Exception:
                reader.failed += 1
            reader.calls += 1
            reader.took += stamp_ns() - began

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        publish = self._publish
        for _ in range(each):
            for source in sources:
                publish(source, {"level": value, "trend": value})
        self._serve()

    def _publish(self, number: int, delta: Delta) -> None:
        for name, value in delta.items():
            if type(name) is not str or type(value) is not float or value - value != 0.0:
                raise ValueError(f"{name} is no finite number")
        source = self._sources[number]
        source.version += 1
        source.t = self._now()
        source.delta = delta.copy()
        source.newest = None
        source.past += delta.values()
        if len(source.past) > 256:
            source.past.clear()
        ready = self._ready
        for edge in source.edges:
            if not edge.queued:
                edge.queued = True
                pending = edge.reader.pending
                if not pending:
                    ready.append(edge.reader)
                pending.append(edge)

    def _serve(self) -> None:
        ready, self._ready = self._ready, []
        began = stamp_ns()
        for reader in ready:
            handler = reader.handler
            pending, reader.pending = reader.pending, []
            for edge in pending:
                edge.queued = False
                source = edge.source
                edge.seen = source.version
                edge.delivered += 1
                update: Any = source.newest
                if update is None:
                    fields = MappingProxyType(source.delta)
                    update = Update("", fields, source.version, 1, False, source.t)
                    source.newest = update
                try:
                    handler(update)
                except Exception:
                    reader.failed += 1
                reader.calls += 1
            now = stamp_ns()
            reader.took += now - began
            began = now
