"""One rate class: numbers its frames, encodes each once for all its clients, keeps the newest."""

from __future__ import annotations

from collections import deque

from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.difference import changes
from mirrorcore.interfaces.live.picture import Picture

RING = 300
"""Frames kept for clients that come back."""
RING_BYTES = 4 * 1024 * 1024


class Channel:
    """Turns pictures into frames; nothing in it knows of time, sockets or threads.

    A picture that is never shown leaves no trace: the next frame is the difference to the last one
    that was. ``seq`` is that of the last frame, 0 before the first; ``ring_bytes`` what is kept.
    """

    def __init__(self, epoch: int, picture: Picture) -> None:
        self.epoch = epoch
        self.seq = 0
        self.picture = picture
        self._ring: deque[bytes] = deque()
        self.ring_bytes = 0
        self._snapshots: dict[str, bytes] = {}

    def advance(self, picture: Picture) -> bytes | None:
        """The next frame, or None where nothing has changed."""
        changed = changes(self.picture, picture)
        self.picture = picture
        if not changed:
            return None
        self.seq += 1
        self._snapshots.clear()
        frame = wire.delta(self.epoch, self.seq, picture, changed)
        self._keep(frame)
        return frame

    def _keep(self, frame: bytes) -> None:
        self._ring.append(frame)
        self.ring_bytes += len(frame)
        while len(self._ring) > RING or self.ring_bytes > RING_BYTES:
            self.ring_bytes -= len(self._ring.popleft())

    def snapshot(self, why: str) -> bytes:
        """Everything as of the last frame; the same bytes for all who ask before the next."""
        made = self._snapshots.get(why)
        if made is None:
            made = wire.snapshot(self.epoch, self.seq, self.picture, why)
            self._snapshots[why] = made
        return made

    def since(self, resume: wire.Resume) -> list[bytes] | None:
        """The frames after ``resume``; None where they are not all there any more."""
        missed = self.seq - resume.seq
        if resume.epoch != self.epoch or not 0 <= missed <= len(self._ring):
            return None
        return list(self._ring)[len(self._ring) - missed :]

    def heartbeat(self, wall: int) -> bytes:
        """A sign of life."""
        return wire.heartbeat(self.epoch, self.seq, self.picture.ts, wall)
