"""Stopping without a server: a signal, or a file in the run's folder.

``kill -USR1 PID`` and a file ``STOP`` both close the gateway. The file may say ``flatten`` in its
first line, a reason in its second, and in its third the door that wrote it. When it is done
``STOPPED.json`` says what came of it, and whose doing it was.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mirrorcore.clock import Stopwatch, iso, wall_now
from mirrorcore.journal import write_atomic
from mirrorcore.swarm.control.actions import By, StopLevel
from mirrorcore.swarm.control.audits import audit_entry
from mirrorcore.swarm.control.control import Control
from mirrorcore.swarm.control.ear import Ear, hearing
from mirrorcore.swarm.control.requests import Done

if TYPE_CHECKING:
    from concurrent.futures import Future

STOP_FILE = "STOP"
ANSWER_FILE = "STOPPED.json"
DOORS = ("console", "terminal")
"""Who writes the file where no server answers them: it is told as their doing."""
_LOOK_S = 0.05
_MOST_BYTES = 4096


class StopSignal:
    """SIGUSR1: what it does to the run, or that it came before there was one."""

    def __init__(self) -> None:
        self._stop: Callable[[], object] | None = None
        self._early = False

    def heard(self) -> None:
        """It came. This may be in the middle of whatever the main thread does."""
        if self._stop is None:
            self._early = True
        else:
            self._stop()

    def bind(self, stop: Callable[[], object]) -> None:
        """There is a run now: what came too early is done at once."""
        self._stop = stop
        if self._early:
            self._early = False
            stop()


@contextmanager
def listening() -> Iterator[StopSignal]:
    """Hear SIGUSR1, which would end a process that does not, from before the run has a folder."""
    stop = StopSignal()
    with hearing({signal.SIGUSR1: Ear(stop.heard, stop.heard)}):
        yield stop


@contextmanager
def standing_by(control: Control, folder: Path, signalled: StopSignal) -> Iterator[None]:
    """Obey the signal and the file for as long as the run goes on."""
    ended = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(control, folder, ended), name="stop-file", daemon=True
    )
    watcher.start()
    signalled.bind(lambda: _stop(control, folder, "cancel", "", _by("signal")))
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _by(origin: str, address: str = "") -> By:
    """Whoever can write the file or signal the process may what an operator may."""
    return By("operator", "operator", origin, address)


def _watch(control: Control, folder: Path, ended: threading.Event) -> None:
    seen, empty = 0, False
    while not ended.wait(_LOOK_S):
        # Not there, as a rule; a folder that cannot be read now may be readable at the next look.
        with suppress(OSError):
            about = (folder / STOP_FILE).stat()
            if about.st_mtime_ns == seen:
                continue
            if not about.st_size and not empty:
                empty = True  # somebody may be about to write it; if not it is a stop all the same
                continue
            seen, empty = about.st_mtime_ns, False
            _stop(control, folder, *_read(folder / STOP_FILE))


def _read(path: Path) -> tuple[StopLevel, str, By]:
    """What the file asks for; whatever stands in it, it is a stop."""
    try:
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError as error:
        return "cancel", f"a file {STOP_FILE} that cannot be read: {error.strerror}", _by("file")
    said = [line.strip() for line in (*lines[:3], "", "", "")]
    level: StopLevel = "flatten" if said[0] == "flatten" else "cancel"
    return level, said[1], _by(said[2], "file") if said[2] in DOORS else _by("file")


def _stop(control: Control, folder: Path, level: StopLevel, reason: str, by: By) -> None:
    watch = Stopwatch()
    future = control.stop(level, reason, by)

    def write_down(ended: Future[Done]) -> None:
        done = None if ended.exception() is not None else ended.result()
        missing = {} if done is None else done.missing
        written = control.audit(
            audit_entry(
                f"{folder.name}-{by.origin}-{wall_now():x}",
                "emergency_stop",
                by,
                "failed" if done is None else "partial" if missing else "done",
                args={"level": level},
                reason=reason,
                error="" if done is not None else type(ended.exception()).__name__,
                acked=[] if done is None else done.acked,
                missing=missing,
                tick=None if done is None else done.tick,
                since=watch,
            )
        )
        written.add_done_callback(lambda seq: _answer(control, folder, ended, reason, by, seq))

    future.add_done_callback(write_down)


def _answer(
    control: Control,
    folder: Path,
    future: Future[Done],
    reason: str,
    by: By,
    written: Future[int | None],
) -> None:
    error = future.exception()
    told: dict[str, object] = {
        "wall": iso(wall_now()), "reason": reason, "by": msgspec.to_builtins(by),
    }  # fmt: skip
    if error is None:
        seq = None if written.exception() is not None else written.result()
        told |= {"status": "stopped", **asdict(future.result()), "audit_seq": seq}
    else:
        told |= {"status": "failed", "error": str(error)}
    try:
        write_atomic(folder / ANSWER_FILE, json.dumps(told, indent=2).encode())
    except OSError as trouble:  # the stop stands; that it cannot be told here is told elsewhere
        control.warn(f"{ANSWER_FILE} cannot be written: {trouble.strerror}")
