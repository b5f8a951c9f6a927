"""The process of one agent: told who it is, it builds the agent and answers calls until its end.

``python -m mirrorcore.syncbus.process_worker FILE_DESCRIPTOR PARENT``; started by the bus alone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import pickle
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from mirrorcore.syncbus import faults
from mirrorcore.syncbus.agent import Handlers
from mirrorcore.syncbus.faults import BusError, StateError, describe
from mirrorcore.syncbus.process_factory import named
from mirrorcore.syncbus.process_frames import FrameSplitter, encode, unpack
from mirrorcore.syncbus.process_handle import Answer, Call, CallClock, Hello, ProcessHandle
from mirrorcore.syncbus.process_limits import confine, die_with

_READ = 1 << 16
_NO_BOUND = 1 << 32
_TRACE = 4_000
"""Characters of a traceback that are told."""


class _Gone(Exception):  # noqa: N818  # the orderly end of a worker, no error
    """The bus has closed its end."""


class _Channel:
    """The worker's end of the pipe: frames out at once, frames in as they are asked for."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self._splitter = FrameSplitter(_NO_BOUND, _NO_BOUND)
        self._frames: deque[Any] = deque()

    def send(self, *parts: Any) -> None:
        self.socket.sendall(encode(list(parts)))

    def receive(self) -> Any:
        """The next frame, waiting for it; _Gone at the end."""
        while not self._frames:
            self._fill(0)
        return self._frames.popleft()

    def arrived(self) -> list[Any]:
        """What is there by now."""
        with suppress(BlockingIOError):
            self._fill(socket.MSG_DONTWAIT)
        frames = [*self._frames]
        self._frames.clear()
        return frames

    def _fill(self, flags: int) -> None:
        data = self.socket.recv(_READ, flags)
        if not data:
            raise _Gone
        self._frames.extend(unpack(plain) for plain, _ in self._splitter.feed(data))


class Worker:
    """Runs the handlers of one agent on an event loop of its own, in the order they are asked."""

    def __init__(self, channel: _Channel, hello: Hello) -> None:
        self._channel = channel
        self._later: deque[Any] = deque()
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stirred = False
        self._tasks: dict[int, asyncio.Future[Any]] = {}
        self.handle = ProcessHandle(hello, CallClock(), self._send, self._request, self._stir)
        self.handle.hear(hello.news)
        self._ended: asyncio.Future[None] | None = None
        self._handlers = Handlers()

    def build(self, hello: Hello) -> list[str]:
        """Make the agent; the names of the handlers it has."""
        factory = _factory(hello.factory)
        made = factory(self.handle, hello.checkpoint, **pickle.loads(hello.arguments))
        if isinstance(made, Mapping):
            made = Handlers(**made)
        if not isinstance(made, Handlers):
            raise BusError(
                f"the factory of {hello.agent_id!r} returned a {type(made).__name__}",
                hint="return Handlers(...) or a mapping of its names",
            )
        self._handlers = made
        return [name for name in Handlers.__struct_fields__ if getattr(made, name) is not None]

    async def serve(self) -> None:
        """Answer calls until the bus closes its end."""
        self._loop = loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        loop.add_reader(self._channel.socket, self._arrived)
        self._catch_up()
        try:
            await self._ended
        finally:
            loop.remove_reader(self._channel.socket)

    # -- what comes in ------------------------------------------------------------------------

    def _arrived(self) -> None:
        assert self._ended is not None
        try:
            for frame in self._channel.arrived():
                self._take(frame)
        except (_Gone, OSError):
            if not self._ended.done():
                self._ended.set_result(None)

    def _take(self, frame: Any) -> None:
        if isinstance(frame, Call):
            self._call(frame)
        elif (waiter := self._waiting.pop(frame.number, None)) is not None and not waiter.done():
            if frame.error:
                waiter.set_exception(_error(frame))
            else:
                waiter.set_result(frame.value)

    def _call(self, call: Call) -> None:
        try:
            self.handle.begin(call)
            result = getattr(self._handlers, call.handler)(pickle.loads(call.pickled))
        except BaseException as error:  # the outcome of the handler, exits included
            self._failed(call, error)
            return
        if not inspect.isawaitable(result):
            self._done(call, result)
            return
        task = asyncio.ensure_future(_awaited(result))
        self._tasks[call.number] = task
        task.add_done_callback(lambda task: self._finished(call, task))

    def _finished(self, call: Call, task: asyncio.Future[Any]) -> None:
        del self._tasks[call.number]
        error, value = task.result()
        if error is not None:
            self._failed(call, error)
        else:
            self._done(call, value)

    # -- what goes out ------------------------------------------------------------------------

    def _done(self, call: Call, value: Any) -> None:
        effects = self.handle.taken()
        try:
            self._channel.send("done", call.number, effects, self.handle.flooded, value)
        except StateError as error:
            self._tell_failure(call, [], error)

    def _failed(self, call: Call, error: BaseException) -> None:
        self._tell_failure(call, self.handle.taken(), error)

    def _tell_failure(self, call: Call, effects: list[Any], error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error))[-_TRACE:]
        told = (self.handle.flooded, describe(error), trace)
        try:
            self._channel.send("raised", call.number, effects, *told)
        except StateError as second:
            self._channel.send("raised", call.number, [], *told[:1], describe(second), trace)

    def _stir(self) -> None:
        """Something was done: should its handler wait now, the bus is told at once."""
        if self._loop is not None and not self._stirred:
            self._stirred = True
            # Two turns on: a handler that has not waited has by then taken it all with its answer.
            self._loop.call_soon(self._loop.call_soon, self._flush)

    def _flush(self) -> None:
        self._stirred = False
        if self._tasks and self.handle.effects:
            number = next(iter(self._tasks))
            try:
                self._channel.send("effects", number, self.handle.taken())
            except StateError as error:
                self._tasks[number].cancel(describe(error))

    def _ask(self, kind: str, target: str, message: Any, time_ns: int | None) -> int:
        self._numbers += 1
        self._channel.send(kind, self._numbers, self.handle.taken(), target, message, time_ns)
        return self._numbers

    def _send(self, target: str, message: Any, ttl_ns: int | None) -> None:
        """Ask, and wait for the bus's word where it stands: a sync handler sends as well."""
        number = self._ask("send", target, message, ttl_ns)
        while True:
            frame = self._channel.receive()
            if isinstance(frame, Answer) and frame.number == number:
                break
            if not self._later and self._loop is not None:
                self._loop.call_soon(self._catch_up)
            self._later.append(frame)
        if frame.error:
            raise _error(frame)

    def _catch_up(self) -> None:
        while self._later:
            self._take(self._later.popleft())

    async def _request(self, target: str, message: Any, timeout_ns: int | None) -> Any:
        number = self._ask("request", target, message, timeout_ns)
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiter
        return await waiter


async def _awaited(awaitable: Any) -> tuple[BaseException | None, Any]:
    """(error, value): a task that is left by SystemExit would end the whole process."""
    try:
        return None, await awaitable
    except BaseException as error:  # the outcome of the handler
        return error, None


def _error(answer: Answer) -> BaseException:
    """The bus's own error again, by its name."""
    kind = getattr(faults, answer.error, BusError)
    error: BaseException = kind(answer.text, hint=answer.hint)
    return error


def _factory(given: str | bytes) -> Callable[..., Any]:
    if isinstance(given, bytes):
        found: Callable[..., Any] = pickle.loads(given)
        return found
    return named(given)


def main(arguments: list[str]) -> int:
    """Serve one agent; 0 when the bus has closed its end, 1 where the agent cannot be built."""
    descriptor, parent = (int(argument) for argument in arguments)
    if not die_with(parent):
        return 1
    channel = _Channel(descriptor)
    try:
        hello = channel.receive()
    except (_Gone, OSError):
        return 0
    faulthandler.enable()
    confine(hello.policy)
    try:
        worker = Worker(channel, hello)
        handlers = worker.build(hello)
    except BaseException as error:  # whatever the agent's own module does ends here
        traceback.print_exc()
        hint = getattr(error, "hint", "")
        channel.send("refused", 0, [], describe(error), hint if isinstance(hint, str) else "")
        return 1
    channel.send("ready", 0, worker.handle.taken(), handlers)
    with suppress(BrokenPipeError, ConnectionResetError):
        asyncio.run(worker.serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
