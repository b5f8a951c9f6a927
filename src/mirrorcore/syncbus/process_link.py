"""The parent's end of one agent's process: started, spoken to, watched, ended, reaped.

Nothing here waits for the child: what cannot be written is kept and written later, what arrives is
read in bounded pieces, and a child that breaks the rules of the conversation is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from mirrorcore.syncbus.process_frames import (
    PLAIN_LIMIT,
    FrameError,
    FrameSplitter,
    decode,
)
from mirrorcore.syncbus.process_limits import ProcessPolicy
from mirrorcore.syncbus.process_reaper import Reaper
from mirrorcore.syncbus.process_spawn import ending, spawn

_READ = 1 << 16
_UNREAD = 64 << 20
"""Bytes that may wait for a child that does not read before it is sent anything more."""
_TAIL = 16 << 10
_EXIT_TRIES = 50
_EXIT_STEP = 0.002
"""How long the exit code of a child that hung up is waited for, in seconds, and how often."""


class LinkState(StrEnum):
    """Where a child is in its life, as its parent sees it."""

    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"
    LOST = "lost"
    CLOSED = "closed"


_STEPS: dict[LinkState, tuple[LinkState, ...]] = {
    LinkState.STARTING: (LinkState.READY, LinkState.ENDING, LinkState.LOST, LinkState.CLOSED),
    LinkState.READY: (LinkState.ENDING, LinkState.LOST, LinkState.CLOSED),
    LinkState.ENDING: (LinkState.LOST, LinkState.CLOSED),
    LinkState.LOST: (LinkState.CLOSED,),
    LinkState.CLOSED: (),
}


class Link:
    """One child process. ``on_frame(body, bytes)`` gets what it says, ``on_lost(reason)`` its end.

    Both are called by the event loop. A link that was closed calls nobody any more.
    """

    def __init__(
        self,
        policy: ProcessPolicy,
        loop: asyncio.AbstractEventLoop,
        reaper: Reaper,
        on_frame: Callable[[list[Any], int], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.state = LinkState.STARTING
        self._loop = loop
        self._reaper = reaper
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._splitter = FrameSplitter(PLAIN_LIMIT, policy.blob_bytes)
        self._unwritten: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._output_budget = self._output_bytes = policy.output_bytes
        self._output = bytearray()
        self._process, self._socket = spawn(policy)
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        loop.add_reader(self._socket, self._readable)
        self._listening = False
        self._listen()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def descriptor(self) -> int:
        """What becomes readable when the child says something."""
        return self._socket.fileno()

    @property
    def output(self) -> str:
        """The last of what it printed, 16 KiB at most."""
        return self._output.decode("utf-8", "replace")

    @property
    def alive(self) -> bool:
        return self.state in (LinkState.STARTING, LinkState.READY)

    def ready(self) -> None:
        self._step(LinkState.READY)

    # -- speaking -----------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Write ``frame``, now or as soon as the child reads."""
        if not self.alive:
            return
        self._output_budget = self._output_bytes
        self._listen()
        if self._waiting_bytes > _UNREAD:
            self.lose("it does not read what it is sent")
            return
        self._unwritten.append(memoryview(frame))
        self._waiting_bytes += len(frame)
        if len(self._unwritten) == 1:
            self._write()

    def _write(self) -> None:
        unwritten = self._unwritten
        while unwritten:
            piece = unwritten[0]
            try:
                sent = self._socket.send(piece)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._socket, self._write)
                return
            except OSError:
                # Nobody reads any more; the reader learns the reason.
                unwritten.clear()
                break
            self._waiting_bytes -= sent
            if sent == len(piece):
                unwritten.popleft()
            else:
                unwritten[0] = piece[sent:]
        self._loop.remove_writer(self._socket)

    # -- listening ----------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._hung_up()
            return
        try:
            for plain, blobs in self._splitter.feed(data):
                body = decode(plain, blobs)
                if not isinstance(body, list) or not body:
                    raise FrameError("a frame that is no list")
                self._on_frame(body, len(plain) + len(blobs))
                if not self.alive:
                    return
        except FrameError as error:
            self.lose(f"it wrote {error.message}")

    def _listen(self) -> None:
        if not self._listening and self.alive and not self._pipe.closed:
            self._listening = True
            self._loop.add_reader(self._pipe, self._printed)

    def _printed(self) -> None:
        """Some output; when it is more than a call may print, the rest waits in the pipe."""
        data = self._read_output()
        self._output_budget -= len(data)
        if not data or self._output_budget <= 0:
            self._listening = False
            self._loop.remove_reader(self._pipe)

    def _read_output(self) -> bytes:
        try:
            data = os.read(self._pipe.fileno(), 4096)
        except OSError:  # nothing there, or nobody
            return b""
        self._output += data
        if len(self._output) > 2 * _TAIL:
            del self._output[:-_TAIL]
        return data

    # -- the end ------------------------------------------------------------------------------

    def _hung_up(self) -> None:
        """Its end of the pipe is closed: it has ended, or is about to."""
        self._step(LinkState.ENDING)
        self._let_go()
        self._look_for_exit(_EXIT_TRIES)

    def _look_for_exit(self, tries: int) -> None:
        if self.state is not LinkState.ENDING:
            return
        code = self._exit_code()
        if code is None and tries > 0:
            self._loop.call_later(_EXIT_STEP, self._look_for_exit, tries - 1)
            return
        self.lose(ending(code))

    def lose(self, reason: str) -> None:
        """The child is of no more use: kill it and say why."""
        self._step(LinkState.LOST)
        self._let_go()
        self._kill()
        self._give_back()
        last = [line for line in self.output.splitlines() if line.strip()][-1:]
        self._on_lost(f"{reason} ({last[0][:200]})" if last else reason)

    def close(self) -> None:
        """End the child at once. Nobody is told."""
        if self.state is LinkState.CLOSED:
            return
        lost = self.state is LinkState.LOST
        self._step(LinkState.CLOSED)
        if not lost:
            self._let_go()
            self._kill()
            self._give_back()

    def _let_go(self) -> None:
        """Nothing more is heard or said."""
        if self._socket.fileno() < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            if self._listening:
                self._loop.remove_reader(self._pipe)
        self._listening = False
        self._unwritten.clear()
        self._socket.close()

    def _give_back(self) -> None:
        """Its last words are read, its pipe closed, its end seen to."""
        for _ in range(2 * _TAIL // 4096):
            if not self._read_output():
                break
        self._pipe.close()
        self._reaper.take(self._process, self._loop)

    def _exit_code(self) -> int | None:
        """How it has ended, None while it has not. It stays a zombie, so that its group's number
        is nobody else's."""
        if not hasattr(os, "waitid"):
            return self._process.poll()
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._process.pid, peek)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _kill(self) -> None:
        """The child and all it has started: it leads a group of its own."""
        if self._process.returncode is not None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Its group is not there yet, or has nobody left who could be told.
            self._process.kill()

    def _step(self, to: LinkState) -> None:
        if to not in _STEPS[self.state]:
            raise RuntimeError(f"the process {self.pid} is {self.state} and cannot become {to}")
        self.state = to
