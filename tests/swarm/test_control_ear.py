"""Signals that come while the main thread cannot hear them."""

from __future__ import annotations

import ctypes
import dis
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FunctionType

import pytest

from mirrorcore.swarm.control.ear import Ear, hearing


class Thrown(BaseException):
    """From outside, as at an agent that blocks the loop."""


def throw(thread_id: int) -> None:
    place = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
    place.argtypes = (ctypes.c_ulong, ctypes.py_object)
    place(thread_id, Thrown)


def from_outside(waiting: FunctionType, *deeds: Callable[[int], object]) -> threading.Thread:
    """Done one after the other in another thread, once the calling one waits in ``waiting``."""
    main = threading.get_ident()
    # Past its beginning no other thread runs until it is in the one call it makes, in C.
    begun = next(i.offset for i in dis.get_instructions(waiting) if i.opname.startswith("LOAD"))

    def act() -> None:
        while True:
            frame = sys._current_frames()[main]
            if frame.f_code is waiting.__code__ and frame.f_lasti >= begun:
                break
            time.sleep(0)
        for deed in deeds:
            deed(main)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def asleep() -> None:
    time.sleep(60)


def held(read: Callable[..., int], end: int, into: object) -> int:
    return read(end, into, 1)


def send(thread_id: int) -> None:
    signal.pthread_kill(thread_id, signal.SIGUSR1)


class Heard:
    """Who obeyed, in order; ``enough`` is set once ``expected`` have."""

    def __init__(self, expected: int = 1) -> None:
        self.by: list[str] = []
        self.enough = threading.Event()
        self._expected = expected
        self.ear = Ear(lambda: self._note("handler"), lambda: self._note("thread"))

    def _note(self, who: str) -> None:
        self.by.append(who)
        if len(self.by) >= self._expected:
            self.enough.set()


def test_a_handler_obeys_at_once_and_nobody_else_does() -> None:
    heard = Heard()
    before = signal.getsignal(signal.SIGUSR1)
    with hearing({signal.SIGUSR1: heard.ear}):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard.by == ["handler"]
    # The block ends when the listening thread has, which has seen by then that it was obeyed.
    assert heard.by == ["handler"]
    assert signal.getsignal(signal.SIGUSR1) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_handler_that_an_exception_for_somebody_else_ends_is_stood_in_for() -> None:
    """Once a stop by signal was lost so, while the watchdog was ending an agent's call."""
    heard = Heard()
    with hearing({signal.SIGUSR1: heard.ear}):
        outside = from_outside(asleep, throw, send)
        with pytest.raises(Thrown):
            asleep()
        outside.join()
        assert heard.enough.wait(60)
    assert heard.by == ["thread"]


def test_a_thread_held_in_c_is_stood_in_for_and_its_handler_comes_too_late() -> None:
    heard = Heard()
    read_end, write_end = os.pipe()

    def let_go(_: int) -> None:
        heard.enough.wait(60)
        os.write(write_end, b".")

    with hearing({signal.SIGUSR1: heard.ear}):
        # Now the wait goes on after a signal, as code does that looks at none: no handler runs.
        signal.siginterrupt(signal.SIGUSR1, False)
        outside = from_outside(held, send, let_go)
        assert held(ctypes.CDLL(None).read, read_end, ctypes.create_string_buffer(1)) == 1
        outside.join()
    os.close(read_end)
    os.close(write_end)
    assert heard.by == ["thread"]


def test_what_an_inner_block_does_not_hear_the_outer_one_does() -> None:
    outer, inner = Heard(), Heard()
    with (
        hearing({signal.SIGUSR1: outer.ear}),
        hearing({signal.SIGUSR2: inner.ear}),
    ):
        outside = from_outside(asleep, throw, send)
        with pytest.raises(Thrown):
            asleep()
        outside.join()
        assert outer.enough.wait(60)
    assert (outer.by, inner.by) == (["thread"], [])
