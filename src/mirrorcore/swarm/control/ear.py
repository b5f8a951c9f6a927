"""Signals that must not be lost: heard by the main thread, and if it cannot, by another.

Python runs a handler in the main thread, in the middle of whatever that does. Where the thread is
held by code in C there is no such middle until that returns; and where an agent's call is being
ended just then, the exception meant for the agent ends the handler at its first step. The
interpreter also writes the number of each signal into a socket, at once and in C. A thread reads
there, and obeys what no handler has obeyed in a moment.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

_MOMENT_S = 0.05
"""Far longer than a handler takes to begin in a thread that is not held."""
_LOOK_S = 0.005


class Ear:
    """One signal: ``obey`` in the main thread, or ``instead`` in the thread that listens.

    ``obey`` is a handler: it may raise. Signals that come faster than handlers run may be obeyed by
    both, so both must bear being called once more.
    """

    def __init__(self, obey: Callable[[], object], instead: Callable[[], object]) -> None:
        self._obey = obey
        self._instead = instead
        self._noted = 0  # signals that came
        self._handled = 0  # of those, obeyed by the handler
        self._stood_in = 0  # and by the thread in its place
        self._late = 0  # handlers of the latter, which may still come

    def handler(self, *_: object) -> None:
        """In the main thread."""
        if self._late:
            self._late -= 1
            return
        self._handled += 1
        self._obey()

    def told(self) -> None:
        """In the listening thread: the signal has come."""
        self._noted += 1
        pause = threading.Event()
        for _ in range(round(_MOMENT_S / _LOOK_S)):
            if self._handled + self._stood_in >= self._noted:
                return
            pause.wait(_LOOK_S)
        self._stood_in += 1
        self._late += 1
        self._instead()


@contextmanager
def hearing(ears: Mapping[int, Ear]) -> Iterator[None]:
    """Hear these signals, by number, until the end of the block.

    Signals belong to the main thread; in any other this changes nothing. Blocks may lie within each
    other: what an inner one does not hear it passes on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, interpreters = socket.socketpair()
    interpreters.setblocking(False)
    # Whatever fills the socket, nothing of it is worth a warning in the middle of a run.
    outer = signal.set_wakeup_fd(interpreters.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, ear.handler) for number, ear in ears.items()}
    listener = threading.Thread(
        target=_listen, args=(ours, ears, outer), name="signals", daemon=True
    )
    listener.start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(outer)
        interpreters.close()
        listener.join()
        ours.close()


def _listen(ours: socket.socket, ears: Mapping[int, Ear], outer: int) -> None:
    while numbers := ours.recv(64):
        for number in numbers:
            ear = ears.get(number)
            if ear is not None:
                ear.told()
            elif outer >= 0:
                with suppress(OSError):  # the outer block has ended, and nobody hears any more
                    os.write(outer, bytes([number]))
