"""Sees to it that killed children leave no zombies, without ever waiting for one."""

from __future__ import annotations

import asyncio
import subprocess

_FIRST = 0.001
_LAST = 0.1


class Reaper:
    """Children that were killed and are not gone yet; looked after by whatever loop is running."""

    __slots__ = ("_dying", "_timer")

    def __init__(self) -> None:
        self._dying: list[subprocess.Popen[bytes]] = []
        self._timer: asyncio.TimerHandle | None = None

    def take(self, process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """See ``process``, which was killed, to its end."""
        self._dying.append(process)
        self.look()
        if self._dying and self._timer is None and not loop.is_closed():
            self._timer = loop.call_later(_FIRST, self._again, loop, _FIRST)

    def look(self) -> int:
        """Reap whoever is gone; how many are not."""
        self._dying = [process for process in self._dying if process.poll() is None]
        return len(self._dying)

    async def empty(self, seconds: float) -> bool:
        """Wait until all are gone, at most ``seconds`` of the loop; whether they are."""
        step, left = _FIRST, seconds
        while self.look() and left > 0:
            await asyncio.sleep(step)
            left -= step
        return not self._dying

    def wait(self, seconds: float) -> bool:
        """The same without an event loop, each child for ``seconds`` at most."""
        for process in self._dying:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        return not self.look()

    def _again(self, loop: asyncio.AbstractEventLoop, pause: float) -> None:
        self._timer = None
        if self.look() and not loop.is_closed():
            longer = min(_LAST, 2 * pause)
            self._timer = loop.call_later(longer, self._again, loop, longer)
