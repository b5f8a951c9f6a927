"""Throws an exception into a thread, where that can only reach an agent's own code.

CPython alone. An exception from outside arrives when the thread next comes to a call or to the
end of a round of a loop. Thrown while the thread is in an agent's code it arrives there, or where
the agent calls the bus or returns to it, never in the middle of the bus's own code.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap, takewhile
from operator import attrgetter, is_not
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from mirrorcore.clock import MILLISECOND, ThreadClock, stamp_ns

_HERE = Path(__file__).parent
_BUS = frozenset(str(path) for path in _HERE.glob("*.py"))
_KEPT_WHOLE = (
    "_weakrefset",
    "asyncio",
    "concurrent",
    "importlib",
    "logging",
    "queue",
    "threading",
    "weakref",
)
"""Parts of the standard library that all agents share, and that hold locks."""
_FROZEN = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
_LINES = 12

_file = attrgetter("f_code.co_filename")
_back = attrgetter("f_back")


class Holder(Protocol):
    """Whoever knows which stretch of agent code runs; None when that one is over."""

    stretch: Any
    thread_id: int


class Interrupter:
    """Throws exceptions into one thread.

    ``possible`` is False where Python cannot do it safely: without a global lock, or without
    CPython's interface.
    """

    def __init__(self) -> None:
        locked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
        self.possible = sys.implementation.name == "cpython" and locked()
        self._throw: Any = None
        if self.possible:
            # Looked up anew, so that its signature is ours alone.
            self._throw = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
            self._throw.argtypes = (ctypes.c_ulong, ctypes.py_object)
            self._throw.restype = ctypes.c_int
        self._modules = 0
        self._shared: frozenset[str] = frozenset()

    def stack(self, thread_id: int) -> list[FrameType]:
        """The frames of a thread, innermost first; empty if it has ended.

        Taken all at once: a frame that ends while its neighbour is asked for would leave that one
        pointing nowhere, and the interpreter would not survive it.
        """
        chain: list[Any] = []
        # Lazy: it walks ``chain`` while that grows.
        outwards = map(_back, chain)
        look = starmap(sys._current_frames, ((),))
        frames: Any = None
        collecting = gc.isenabled()
        gc.disable()
        try:
            # No other thread runs from here to the end, see ``strike``.
            (frames,) = look
            chain += [frames[thread_id]]
            chain += outwards
        except (AttributeError, KeyError):
            del chain[-1:]  # None, beyond the outermost
        finally:
            if collecting:
                gc.enable()
            frames = None
        return chain

    def strike(
        self, holder: Holder, stretch: object, opener: FrameType, thrown: type[BaseException]
    ) -> bool:
        """Throw ``thrown`` if ``stretch`` still runs and is in the agent's own code just now.

        ``opener`` is the bus's frame that called the agent. False if nothing was thrown.
        """
        chain: list[Any] = []
        # Lazy: these walk ``chain`` while it grows, once they are asked to.
        above = takewhile(partial(is_not, opener), map(_back, chain))
        files = map(_file, chain)
        look = starmap(sys._current_frames, ((),))
        shared, throw = self._kept_whole(), self._throw
        thread_id = holder.thread_id
        frames: Any = None
        collecting = gc.isenabled()
        gc.disable()
        try:
            # The interpreter lets other threads run at calls and at jumps back. There is neither
            # between the look and the throw, and no collection either: what is seen is what is.
            (frames,) = look
            chain += [frames[thread_id]]
            if chain[0] is not opener:
                chain += above
            if shared & {*files}:
                return False
            if holder.stretch is stretch:
                throw(thread_id, thrown)
                return True
        except (AttributeError, KeyError):
            return False  # the opener is not there any more, or the thread is not
        finally:
            if collecting:
                gc.enable()
            frames = None
        return False

    def _kept_whole(self) -> frozenset[str]:
        """Files whose code must not be interrupted."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            found = [
                getattr(module, "__file__", None)
                for name, module in list(sys.modules.items())
                if name.partition(".")[0] in _KEPT_WHOLE
            ]
            self._shared = _BUS.union(_FROZEN, [file for file in found if file])
        return self._shared


def agents_part(stack: Sequence[FrameType]) -> int:
    """How many of the innermost frames belong to the agent: those above the frame of the bus in
    which the window was opened. -1 where the bus has called nobody."""
    for depth, frame in enumerate(stack):
        code = frame.f_code
        if code.co_filename in _BUS and "window" in (*code.co_varnames, *code.co_names):
            return depth
    return -1


def lines_of(frames: Sequence[FrameType]) -> tuple[str, ...]:
    """Some frames as text, the innermost last."""
    lines = traceback.StackSummary.extract(
        (frame, frame.f_lineno or 0) for frame in reversed(frames[:_LINES])
    )
    return tuple(
        f"{line.filename}:{line.lineno} in {line.name}" + (f": {line.line}" if line.line else "")
        for line in lines
    )


class Starvation:
    """Tells when a thread keeps the interpreter to itself: code in C that does not let go.

    Made in that thread, asked from another, which slept.
    """

    _LEAST = 100 * MILLISECOND

    def __init__(self) -> None:
        self._clock = ThreadClock()
        self._cpu = self._clock.cpu_ns()
        self._since = stamp_ns()

    def overslept(self, pause: int) -> tuple[int, int]:
        """After a pause of ``pause`` ns: by how much it was too long (because of that thread,
        because nothing ran)."""
        now, cpu = stamp_ns(), self._clock.cpu_ns()
        too_long, used = now - self._since - pause, cpu - self._cpu
        self._since, self._cpu = now, cpu
        if too_long < self._LEAST:
            return 0, 0
        return (too_long, 0) if used > too_long // 4 else (0, too_long - used)
