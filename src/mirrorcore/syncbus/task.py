"""A task whose first step runs at once, in place.

``asyncio.create_task`` costs some three microseconds and a turn of the loop before the first
line of the handler runs; most handlers never wait at all. Python 3.12 has eager tasks; this is
the same for 3.11, built on what asyncio documents for third-party tasks ("Extending"): it is the
current task from its first step on, so ``asyncio.timeout`` and ``TaskGroup`` bind to it.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task, _register_task
from collections.abc import Callable, Coroutine
from sys import getrefcount
from typing import TYPE_CHECKING, Any, cast

from mirrorcore.syncbus.faults import AgentBlocked, describe, honest, unless_operator

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher


class _Probe:
    """Counts references to itself the way :meth:`HandlerTask.reusable` does."""

    def count(self) -> int:
        return getrefcount(self)


def _references_unheld() -> int:
    probe = _Probe()
    return probe.count()


_UNHELD = _references_unheld()
# asyncio takes anything that behaves like a task; the type stubs do not say so.
_enter, _leave, _register = (
    cast(Any, _enter_task),
    cast(Any, _leave_task),
    cast(Any, _register_task),
)
_current_task = asyncio.current_task
Coro = Coroutine[Any, Any, Any]


_END = object()
"""What a coroutine that has come to its end without waiting gives instead of an exception."""


_LAST_STEPS = 1000
"""What one that was cancelled may still do, in steps."""


class _Follower:
    """What a handler wants called after its end; equal to that, so that it can be taken back."""

    __slots__ = ("_callback", "_task")

    def __init__(self, callback: Callable[[Any], object], task: HandlerTask) -> None:
        self._callback = callback
        self._task = task

    def __call__(self, _task: asyncio.Future[Any]) -> None:
        self._task.followed_by(self._callback)

    def __eq__(self, other: object) -> bool:
        return bool(self._callback == other)

    __hash__ = None  # type: ignore[assignment]


class HandlerTask(asyncio.Future[Any]):
    """One run of an async handler.

    Its dispatcher hears of its end in the step in which it finishes, unless that is the first, is
    around each later step, so that it knows on whose behalf code runs, and calls what the handler
    left to be done after its end.
    """

    def __init__(
        self,
        agent: Agent,
        dispatcher: Dispatcher,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(loop=loop)
        self.loop = loop
        self._agent = agent
        self._dispatcher = dispatcher
        self._outcomes = dispatcher.outcomes
        self._window = dispatcher.window
        self._name = agent.agent_id
        self._coro: Coro | None = None
        self._followed = False
        self._context = agent.context.copy()
        self._waiter: asyncio.Future[Any] | None = None
        self._must_cancel = False
        self._cancel_text: Any = None
        self._cancels = 0
        self.error: BaseException | None = None
        self.deadline = 0
        self.started = 0
        self.value: Any = None
        self.zombie = False
        self._last_steps = _LAST_STEPS
        self.fault: Exception | None = None
        self.tag: Any = None

    def start(self, coro: Coro, *, wanted: bool) -> bool:
        """Run ``coro`` up to its first wait; True when it is already finished.

        ``wanted`` says that somebody wants what it returns, which costs an exception.
        """
        self._coro = coro
        loop = self.loop
        outer = _current_task(loop)
        if outer is not None:
            _leave(loop, outer)
        _enter(loop, self)
        window = self._window
        whose = window.agent
        window.agent = self._agent
        try:
            if wanted:
                awaited = self._context.run(coro.send, None)
            else:
                awaited = self._context.run(next, coro.__await__(), _END)
            window.agent = whose
            if awaited is _END:
                return True
        except BaseException as outcome:
            try:
                window.agent = whose
            except AgentBlocked as thrown:  # at the handler from outside, arriving as it hands back
                window.agent = whose
                self._conclude(thrown)
            else:
                self._conclude(outcome)
            return True
        finally:
            _leave(loop, self)
            if outer is not None:
                _enter(loop, outer)
        self._wait_for(awaited)
        _register(self)
        return False

    # -- what asyncio expects of a task -----------------------------------------------------------

    def get_coro(self) -> Coro | None:
        return self._coro

    def get_name(self) -> str:
        return self._name

    def set_name(self, value: object) -> None:
        self._name = str(value)

    def cancel(self, msg: Any | None = None) -> bool:
        if self.done():
            return False
        self._cancels += 1
        if self._end_wait(msg):
            return True
        self._must_cancel = True
        self._cancel_text = msg
        return True

    def _end_wait(self, msg: Any) -> bool:
        """Whether what the handler waits for could be cancelled: that is the handler's to choose.

        What cannot, also because its event loop is closed, is left to wait.
        """
        if self._waiter is None:
            return False
        try:
            return bool(self._waiter.cancel(msg))
        except BaseException as error:
            unless_operator(error)
            return False

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Any = None) -> None:
        """As any future has it; one that the handler itself adds is its agent's code."""
        if self._window.agent is self._agent:
            self._followed = True
            fn = _Follower(fn, self)
        super().add_done_callback(fn, context=context)

    def followed_by(self, callback: Callable[[Any], object]) -> None:
        self._outcomes.follow(self._agent, callback, self)

    def set_result(self, result: Any) -> None:
        raise RuntimeError("a handler's result is what it returns")

    def set_exception(self, exception: Any) -> None:
        raise RuntimeError("a handler's exception is what it raises")

    def end(self) -> None:
        """For one that has ignored its cancellation: close its coroutine, be done in any case."""
        window = self._window
        whose = window.agent
        window.agent = self._agent
        try:
            if self._coro is not None:
                self._coro.close()
        finally:
            super().cancel()
            window.agent = whose

    def cancelling(self) -> int:
        return self._cancels

    def uncancel(self) -> int:
        self._cancels = max(0, self._cancels - 1)
        return self._cancels

    # -- stepping -----------------------------------------------------------------------------

    def _resume(self, error: BaseException | None = None) -> None:
        if self.done():
            return
        if self.zombie:
            self._last_steps -= 1
            if self._last_steps < 0:
                self._outcomes.around(self, self._put_away)
                return
        self._outcomes.around(self, lambda: self._step(error))

    def _put_away(self) -> None:
        """It ignores its cancellation and goes on: it has had time enough to tidy up."""
        try:
            self.end()
        except BaseException as error:  # it was given up long ago, nobody wants to know
            unless_operator(error)
        self._outcomes.finished(self)

    def _wake(self, future: asyncio.Future[Any]) -> None:
        """What it waited for is there; those who wait to be called for the first time go before."""
        if self._dispatcher.expects_turn:
            self.loop.call_soon(self._go_on, future)
        else:
            self._go_on(future)

    def _go_on(self, future: asyncio.Future[Any]) -> None:
        try:
            future.result()
        except BaseException as error:  # whatever it is belongs to the handler
            self._resume(error)
        else:
            self._resume()

    def _step(self, error: BaseException | None) -> None:
        coro = self._coro
        assert coro is not None
        if self._must_cancel:
            if not isinstance(error, asyncio.CancelledError):
                error = asyncio.CancelledError(
                    *(() if not self._cancel_text else (self._cancel_text,))
                )
            self._must_cancel = False
        self._waiter = None
        loop = self.loop
        outer = _current_task(loop)
        if outer is not None:
            _leave(loop, outer)
        _enter(loop, self)
        try:
            awaited = self._run(coro, error)
            ended = False
        except BaseException as outcome:
            self._conclude(outcome)
            ended = True
        else:
            self._wait_for(awaited)
        finally:
            _leave(loop, self)
            if outer is not None:
                _enter(loop, outer)
        if ended:
            self._settle()
            self._outcomes.finished(self)
            if self.error is not None:
                unless_operator(self.error)

    def _run(self, coro: Coro, error: BaseException | None) -> Any:
        """The handler's own code up to its next wait."""
        window = self._window
        whose = window.agent
        window.agent = self._agent
        try:
            if error is None:
                return self._context.run(coro.send, None)
            return self._context.run(coro.throw, error)
        finally:
            try:
                window.agent = whose
            except AgentBlocked:  # thrown at the handler from outside, arriving as it hands back
                window.agent = whose
                raise

    def reusable(self) -> bool:
        """After a first step that was also the last: whether nobody else holds on to this task.

        If somebody does (it was asked for by ``current_task``), or is to be called when it is done,
        it becomes a task that is done.
        """
        untouched = not (self._cancels or self._must_cancel or self._followed)
        if untouched and getrefcount(self) <= _UNHELD:
            self.error = self.value = self._coro = None
            return True
        self._settle()
        return False

    def _conclude(self, outcome: BaseException) -> None:
        """The coroutine has ended: with a value, or with an error, which is the handler's."""
        if issubclass(type(outcome), StopIteration):
            self.value = cast(StopIteration, outcome).value
            return
        self.error = honest(outcome)

    def _settle(self) -> None:
        if self.error is None:
            super().set_result(self.value)
        else:
            super().cancel()

    def _wait_for(self, awaited: Any) -> None:
        try:
            self._bind(awaited)
        except BaseException as error:  # what was awaited is the handler's, and so are its errors
            unless_operator(error)
            self._misuse(f"a handler awaited a {type(awaited).__name__}: {describe(error)}")

    def _bind(self, awaited: Any) -> None:
        loop = self.loop
        blocking = getattr(awaited, "_asyncio_future_blocking", None)
        if awaited is None:
            loop.call_soon(self._resume)
        elif blocking is None:
            self._misuse(f"a handler awaited {awaited!r}, which is not of asyncio")
        elif not blocking:
            self._misuse("a handler yielded a future instead of awaiting it")
        elif awaited is self:
            self._misuse("a handler awaits itself")
        elif awaited.get_loop() is not loop:
            self._misuse("a handler awaits a future of another event loop")
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._wake)
            self._waiter = awaited
            if self._must_cancel and self._end_wait(self._cancel_text):
                self._must_cancel = False

    def _misuse(self, text: str) -> None:
        self.loop.call_soon(self._resume, RuntimeError(text))
