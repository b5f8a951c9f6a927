"""What one client still has to be sent: at most 16 frames, or one snapshot in their place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from mirrorcore.interfaces.live.channel import Channel

QUEUE = 16
QUEUE_BYTES = 512 * 1024
"""Bytes of a queue of more than one frame: a client that does not read holds no more than this."""


class Client:
    """A client's queue, used in the server's loop alone.

    While a snapshot is owed nothing else is queued: it is made when the client comes to take it, so
    that who reads nothing for an hour costs nothing for an hour.
    """

    def __init__(self, channel: Channel, rate: int, leave: Callable[[Client], None]) -> None:
        self.rate = rate
        self.resyncs = 0
        self.closed = False
        self._channel = channel
        self._leave = leave
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0
        self._owed: str | None = None
        self._last: bytes | None = None
        self._news = asyncio.Event()

    def put(self, frame: bytes) -> None:
        """A frame for it, unless a snapshot is owed; overflow makes one owed."""
        if self._owed is not None or self.closed:
            return
        full = len(self._queue) - self._missed >= QUEUE or self._bytes + len(frame) > QUEUE_BYTES
        if full and self._queue:
            self.owe("behind")
            return
        self.say(frame)

    def say(self, frame: bytes) -> None:
        """A frame that comes before anything else, or that there is room for."""
        self._queue.append(frame)
        self._bytes += len(frame)
        self._news.set()

    def catch_up(self, frames: Sequence[bytes]) -> bool:
        """What it missed while it was away, if there is room for it."""
        if sum(map(len, frames)) > QUEUE_BYTES // 2:
            return False
        self._missed = len(frames)
        for frame in frames:
            self.say(frame)
        return True

    def owe(self, why: str) -> None:
        """It gets a snapshot in place of all that waits."""
        self._queue.clear()
        self._bytes = self._missed = 0
        self._owed = why
        if why != "hello":
            self.resyncs += 1
        self._news.set()

    def close(self, last: bytes | None = None) -> None:
        """Nothing more is put into it; :meth:`next` gives what is left and ``last``, then None."""
        if not self.closed:
            self.closed = True
            self._last = last
            self._leave(self)
            self._news.set()

    @property
    def waiting_bytes(self) -> int:
        """What its queue holds."""
        return self._bytes

    async def next(self) -> bytes | None:
        """The next frame to send, when there is one; None when there is none any more."""
        while True:
            if self._owed is not None and not self._queue:
                why, self._owed = self._owed, None
                return self._channel.snapshot(why)
            if self._queue:
                frame = self._queue.popleft()
                self._bytes -= len(frame)
                self._missed -= self._missed > 0
                return frame
            if self.closed:
                last, self._last = self._last, None
                return last
            self._news.clear()
            await self._news.wait()
