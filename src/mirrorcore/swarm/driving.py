"""Drives a run to its end, whoever interrupts it: the event loop, the doors, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits

from mirrorcore.journal import RunStatus
from mirrorcore.swarm.control.ear import Ear, hearing
from mirrorcore.swarm.control.stop_signs import StopSignal, standing_by
from mirrorcore.swarm.run import Run, RunOutcome

_FAREWELL = 1.0
"""Seconds of the loop's time that cancelled agents have to end."""


def one_thread_of_algebra() -> AbstractContextManager[object]:
    """A swarm's matrices are small: threads of the algebra library would spend more time on waiting
    for each other than on them, and last digits would hang on the number of cores.
    """
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def drive(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end on ``loop``, cancel what is left over, and close the loop."""
    with one_thread_of_algebra():
        try:
            loop.run_until_complete(work)
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                # An agent may ignore that; it is not waited for beyond its farewell.
                loop.run_until_complete(asyncio.wait(left, timeout=_FAREWELL))
            loop.close()


Attach = Callable[[Run], AbstractContextManager[object]]
"""Opens a door to a run before it begins; left when it has ended."""


def carry_out(
    run: Run, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> RunOutcome:
    """Drive ``work`` and end the run as it deserves: finished, interrupted or failed."""
    with _interruptible(loop, run.stop) as interrupts:
        return _carry_out(run, loop, work, interrupts)


def carry_out_attended(
    run: Run,
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, None],
    attach: Attach | None,
    signalled: StopSignal,
) -> RunOutcome:
    """:func:`carry_out` for a run that can be commanded: by signal, by file, and by ``attach``."""
    with _interruptible(loop, run.stop) as interrupts:
        try:
            doors = contextlib.ExitStack()
            doors.enter_context(standing_by(run.control, run.folder.path, signalled))
            if attach is not None:
                doors.enter_context(attach(run))
        except BaseException:
            work.close()
            loop.close()
            run.abort()
            raise
        with doors, _long_lived():
            return _carry_out(run, loop, _attended(run, work), interrupts)


@contextlib.contextmanager
def _long_lived() -> Iterator[None]:
    """What has been built by now stays as long as the run does: Python's collector need not walk
    through all of it again and again, which holds a swarm of 1,000 agents up for 0.2 s each time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _attended(run: Run, work: Coroutine[Any, Any, None]) -> None:
    """The work, and at its end what was asked during its last tick: a stop may have been found in
    the middle of that, and belongs into the record."""
    await work
    if run.started:
        await run.control.carry_out()


def _carry_out(
    run: Run,
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, None],
    interrupts: _Interrupts,
) -> RunOutcome:
    # To its very end: what the emergence monitor has still to look at is looked at in finishing.
    with one_thread_of_algebra():
        try:
            try:
                drive(loop, work)
            finally:
                interrupts.over = True
                run.swarm.parts.bus.isolation.close()
        except KeyboardInterrupt:
            return run.finish(RunStatus.INTERRUPTED)
        except BaseException:
            run.abort()
            raise
        return run.finish(RunStatus.INTERRUPTED if run.stop.is_set() else RunStatus.FINISHED)


class _Interrupts:
    """Ctrl-C and SIGTERM. The first asks the run to end where nothing is half done, the second
    breaks into what is being done, and none does once the run is over and writes its results."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        self.over = False
        self._asked = False
        self._loop = loop
        self._stop = stop

    def heard(self) -> None:
        """In the middle of whatever the main thread does."""
        if self.over:
            return
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._stop.set()
        self.heard_aside()

    def heard_aside(self) -> None:
        """From any thread, also while an agent holds the main one: the run ends when it can."""
        self._asked = True
        with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody to wake
            self._loop.call_soon_threadsafe(self._stop.set)


@contextlib.contextmanager
def _interruptible(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[_Interrupts]:
    interrupts = _Interrupts(loop, stop)
    numbers = (signal.SIGINT, signal.SIGTERM)
    ears: dict[int, Ear] = {n: Ear(interrupts.heard, interrupts.heard_aside) for n in numbers}
    with hearing(ears):
        yield interrupts
