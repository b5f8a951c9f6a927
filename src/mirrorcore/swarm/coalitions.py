"""Replays of one history with other agents in it, several at a time in processes of their own.

Nothing is written: no folder, no journal. A replay depends on its configuration alone, so it makes
no difference which process plays which, or how many there are.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from mirrorcore.config.model import RunConfig
from mirrorcore.errors import MirrorCoreError
from mirrorcore.swarm.checks import Shortened, run_through
from mirrorcore.swarm.identity import agent_files
from mirrorcore.swarm.sources import open_source

Without = tuple[str, ...]
"""Ids of the agents left out of a replay."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    ``gained`` is its net result in quanta of the settlement currency, with so many decimal
    ``places``; ``parts`` are those of its fingerprint; ``undecided`` the kinds of deciders that
    were missing, without which nothing trades.
    """

    gained: int
    initial: int
    places: int
    currency: str
    parts: Mapping[str, str]
    voters: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def result(self) -> Fraction:
        """Net result in settlement currency, exact."""
        return Fraction(self.gained, 10**self.places)


@dataclass(frozen=True, slots=True)
class History:
    """What all replays share: the configuration and how many ticks of its market are replayed."""

    config: RunConfig
    ticks: int

    def play(self, without: Without) -> Replayed:
        """Replay it without some agents."""
        source = Shortened(open_source(self.config), self.ticks)
        inputs = {source.name: source.digest(), **agent_files(self.config)}
        swarm, recorder = run_through(self.config, source, without=without)
        swarm.parts.path.close(swarm.parts.clock.now())
        recorder.finish()
        ledger = swarm.parts.path.ledger
        return Replayed(
            gained=ledger.equity(recorder.last_prices) - ledger.initial,
            initial=ledger.initial,
            places=ledger.units.places,
            currency=ledger.units.currency,
            parts={
                "seed": str(self.config.seed),
                **{f"input:{name}": digest for name, digest in inputs.items()},
                **swarm.digests.results(),
            },
            voters=tuple(swarm.context.voters),
            undecided=tuple(swarm.undecided()),
        )


Player = Callable[[Sequence[Without]], Iterator[tuple[Without, Replayed]]]
"""Plays replays in any order and hands each out when it is done."""


@contextmanager
def players(history: History, jobs: int) -> Iterator[Player]:
    """Something that plays ``history``; ``jobs`` processes that live until the block is left.

    One job plays in this process. Leaving early, on Ctrl-C or an error, ends them at once.
    """
    if jobs == 1:
        yield lambda asked: ((without, history.play(without)) for without in asked)
        return
    crew: list[_Worker] = []
    try:
        with _undisturbed():
            crew += [_Worker(history) for _ in range(jobs)]
        yield lambda asked: _share_out(crew, asked)
    finally:
        for worker in crew:
            worker.end()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and termination wait: a process that is interrupted while it is being started prints
    what nobody can use. Processes started meanwhile never hear of Ctrl-C; what it means is decided
    where it was asked for."""
    resource_tracker.ensure_running()  # it would let the signals through when it starts
    came: list[int] = []
    # A mask is a thread's own, and libraries have threads: what they let through waits here.
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    handlers = [signal.signal(number, lambda told, _: came.append(told)) for number in numbers]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for told in dict.fromkeys(came):
            signal.raise_signal(told)


class _Worker:
    """A process that plays what it is sent, one after the other."""

    def __init__(self, history: History) -> None:
        # Started afresh and not forked: nothing of this process, threads and locks, is in it.
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, history), daemon=True
        )
        self.process.start()
        theirs.close()

    def answer(self) -> Replayed:
        try:
            told: Replayed | MirrorCoreError | str = self.line.recv()
        except EOFError:
            self.process.join()
            raise MirrorCoreError(
                f"a replay's process ended with code {self.process.exitcode}",
                hint="if memory was short, use fewer --jobs",
            ) from None
        if isinstance(told, MirrorCoreError):
            raise told
        if isinstance(told, str):
            raise RuntimeError(told)
        return told

    def end(self) -> None:
        self.line.close()
        self.process.kill()  # it has nothing open that could be left half written
        self.process.join()


def _share_out(
    crew: Sequence[_Worker], asked: Sequence[Without]
) -> Iterator[tuple[Without, Replayed]]:
    """Hand each worker the next replay as soon as it has finished one."""
    left = list(reversed(asked))
    busy: dict[Connection, tuple[_Worker, Without]] = {}
    idle = list(crew)
    while left or busy:
        while left and idle:
            worker, without = idle.pop(), left.pop()
            worker.line.send(without)
            busy[worker.line] = worker, without
        for line in wait(list(busy)):
            assert isinstance(line, Connection)
            worker, without = busy.pop(line)
            yield without, worker.answer()
            idle.append(worker)


def _serve(line: Connection, history: History) -> None:
    """The life of a worker: until whoever started it hangs up."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        try:
            without: Without = line.recv()
        except EOFError:
            return
        line.send(_answer(history, without))


def _answer(history: History, without: Without) -> Replayed | MirrorCoreError | str:
    try:
        return history.play(without)
    except MirrorCoreError as error:
        return error
    except Exception as error:  # told to whoever asked, and raised there
        left_out = ", ".join(without) or "nobody"
        return f"the replay without {left_out} failed: {type(error).__name__}: {error}"
