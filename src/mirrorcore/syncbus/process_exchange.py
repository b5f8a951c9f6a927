"""One call under way in another process: frames that have arrived, and who waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from mirrorcore.syncbus.process_frames import PLAIN_LIMIT, FrameError

_FRAMES_BEYOND = 16
_BYTES_BEYOND = 16 * PLAIN_LIMIT


class Exchange:
    """What the child has said about one call and nobody has taken up yet.

    Bounded by the ``acts`` one call may do and the ``blob_bytes`` it may send, and a little beyond.
    """

    __slots__ = ("_bytes", "_count", "_most_bytes", "_most_frames", "frames", "waiter")

    def __init__(self, acts: int, blob_bytes: int) -> None:
        self.frames: deque[Any] = deque()
        self.waiter: asyncio.Future[None] | None = None
        self._count = self._bytes = 0
        self._most_frames = 2 * acts + _FRAMES_BEYOND
        self._most_bytes = blob_bytes + _BYTES_BEYOND

    def count(self, size: int) -> None:
        """One frame more, of so many bytes; FrameError where it is one too many."""
        self._count += 1
        self._bytes += size
        if self._count > self._most_frames:
            raise FrameError(f"more than {self._most_frames} frames in one call")
        if self._bytes > self._most_bytes:
            raise FrameError(f"more than {self._most_bytes} bytes in one call")

    @property
    def waits(self) -> bool:
        return self.waiter is not None and not self.waiter.done()

    def put(self, frame: Any) -> None:
        self.frames.append(frame)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def next(self) -> Any:
        while not self.frames:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        return self.frames.popleft()
