"""Replays side by side, each in a process of its own, answers in the order they were asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from mirrorcore.config import to_toml
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import MirrorCoreError
from mirrorcore.market.block import Floats

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_FAREWELL = 10.0
"""Seconds a process has to end by itself before it is ended."""


@dataclass(frozen=True, slots=True)
class Job:
    """One replay to make; ``label`` names it in messages."""

    label: str
    config: RunConfig
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a job: key of the trial, daily ``returns`` (days,), the ledger's residual."""

    label: str
    trial: str
    returns: Floats
    residual: Decimal


def replay_all(
    jobs: Sequence[Job], workers: int, told: Callable[[int, int | None], None]
) -> list[Replayed]:
    """Every job's outcome, in the order of ``jobs``; ``workers`` processes at a time.

    Each process computes on one thread. Ctrl-C or SIGTERM ends them all and raises
    KeyboardInterrupt; so does any failure, with the job's name.
    """
    with (
        _terminable(),
        tempfile.TemporaryDirectory(prefix="mirrorcore-evaluate-") as folder,
        ThreadPoolExecutor(workers) as threads,
    ):
        crew = _Crew(folder)
        waiting = [threads.submit(crew.replay, job) for job in jobs]
        try:
            left, done = set(waiting), 0
            told(0, len(jobs))
            while left:
                ended, left = wait(left, return_when=FIRST_COMPLETED)
                done += len(ended)
                told(done, len(jobs))
                for one in waiting:
                    if one in ended:
                        one.result()  # a failure ends everything
            return [one.result() for one in waiting]
        finally:
            for one in waiting:
                one.cancel()
            crew.dismiss()


class _Crew:
    """The processes at work, so that they can be sent home."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._working: list[subprocess.Popen[str]] = []
        self._dismissed = False

    def replay(self, job: Job) -> Replayed:
        """Carry out ``job`` in a fresh process and wait for it."""
        process = self._start()
        if process is None:
            raise MirrorCoreError(f"{job.label} was not begun")
        order = json.dumps(
            {
                "config": to_toml(job.config),
                "delay": job.delay,
                "folder": self._folder,
                "asked_by": os.getpid(),
            }
        )
        answer, complaint = process.communicate(order)
        with self._lock:
            self._working.remove(process)
        if process.returncode != 0:
            last = complaint.strip().splitlines()[-1:] or ["it ended without a word"]
            raise MirrorCoreError(
                f"the replay '{job.label}' failed: {last[0]}",
                hint="'mirrorcore backtest' with the same settings shows more",
            )
        found = json.loads(answer)
        return Replayed(
            job.label, found["trial"], np.array(found["returns"]), Decimal(found["residual"])
        )

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._dismissed:
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "mirrorcore.swarm.evaluate_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
                # Ctrl-C reaches us alone, and we send them home in order.
                start_new_session=True,
            )
            self._working.append(process)
            return process

    def dismiss(self) -> None:
        """End what still works; each clears away its own folder."""
        with self._lock:
            self._dismissed = True
            working = list(self._working)
        for process in working:
            process.terminate()
        for process in working:
            try:
                process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, so that nobody is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
