"""Who listens to which stream, and how frames reach them without piling up.

Each socket has a bounded queue and one task that writes it out. A reader too slow for its streams
loses its connection, as it would at the venue: frames are never dropped in silence, and memory
stays bounded whatever readers do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.exchange.faults import Faults

if TYPE_CHECKING:
    from aiohttp import web

MOST_STREAMS = 1_024
"""Streams one socket may listen to."""

encode = msgspec.json.Encoder().encode


class Connection:
    """One socket: its queue, its writer, and the streams it asked for in order of asking."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, limit: int, combined: bool
    ) -> None:
        self._request, self._socket, self._limit = request, socket, limit
        self.combined = combined
        self.streams: dict[str, None] = {}
        self.aborted = False
        self._queue: deque[str] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    @property
    def waiting(self) -> int:
        """Bytes that are not yet handed to the socket."""
        return self._waiting

    def send(self, text: str) -> bool:
        """Queue a frame; False where the queue is full and the connection was dropped for it."""
        if self.aborted:
            return True
        if self._waiting + len(text) > self._limit:
            self.abort()
            return False
        self._queue.append(text)
        self._waiting += len(text)
        self._wake.set()
        return True

    def abort(self) -> None:
        """Cut the connection without a word: the reader sees code 1006."""
        self.aborted = True
        self._queue.clear()
        self._waiting = 0
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """End the writer; whatever waits is given up."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def hang_up(self) -> None:
        """Close in good order: the server is going away."""
        await self._socket.close(code=1001, message=b"server shutdown")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                text = self._queue[0]
                try:
                    await self._socket.send_str(text)
                except ConnectionError:
                    return
                if self._queue:  # an abort in between has emptied it
                    self._queue.popleft()
                    self._waiting -= len(text)


class Hub:
    """Streams and their readers."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._readers: dict[str, dict[Connection, None]] = {}
        self.connections: dict[Connection, None] = {}
        self.slow_readers = 0
        """Connections dropped because their queue was full."""
        self.frames = 0
        """Frames handed to queues."""

    def join(self, connection: Connection) -> None:
        self.connections[connection] = None

    def leave(self, connection: Connection) -> None:
        for stream in list(connection.streams):
            self.unsubscribe(connection, stream)
        self.connections.pop(connection, None)

    def subscribe(self, connection: Connection, stream: str) -> None:
        connection.streams[stream] = None
        self._readers.setdefault(stream, {})[connection] = None

    def unsubscribe(self, connection: Connection, stream: str) -> None:
        connection.streams.pop(stream, None)
        readers = self._readers.get(stream)
        if readers is not None:
            readers.pop(connection, None)
            if not readers:
                del self._readers[stream]

    def heard(self, stream: str) -> bool:
        """Whether anybody listens."""
        return stream in self._readers

    def publish(self, stream: str, build: Callable[[], Any]) -> None:
        """Send what ``build`` makes to whoever listens to ``stream``."""
        readers = self._readers.get(stream)
        if readers is None or self.withheld(stream):
            return
        text = encode(build()).decode()
        if self._faults.take("malformed", stream) is not None:
            text = text[: len(text) // 2]
        for connection in list(readers):
            framed = f'{{"stream":"{stream}","data":{text}}}' if connection.combined else text
            self.deliver(connection, framed)

    def deliver(self, connection: Connection, text: str) -> None:
        """Send one frame to one socket."""
        self.frames += 1
        if not connection.send(text):
            self.slow_readers += 1

    def abort_those_due(self) -> None:
        """Carry out the faults of kind ``drop``."""
        due = [
            connection
            for connection in self.connections
            if not connection.aborted and self._faults.drops(connection.streams)
        ]
        for connection in due:
            connection.abort()
        self._faults.dropped(len(due))

    def withheld(self, stream: str) -> bool:
        """Whether a fault keeps this frame back; it is counted then."""
        if self._faults.take("stale", stream) is not None:
            return True
        return "@depth" in stream and self._faults.take("sequence_skip", stream) is not None
