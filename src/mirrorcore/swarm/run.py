"""The life of a run: its folder, its identity, its end. Replay and paper fill in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mirrorcore
from mirrorcore.clock import Stopwatch
from mirrorcore.config import choice_hash, config_hash, to_toml
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.journal import Journal, JournalFullError, RunDirectory, RunRegistry, RunStatus
from mirrorcore.report.metrics import daily_closes, daily_returns, with_start
from mirrorcore.report.results import RunIdentity, RunResults
from mirrorcore.report.store import save_results
from mirrorcore.report.trials import daily_of, track_of
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.checkpoint import capture
from mirrorcore.swarm.digests import fingerprint
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, BlockRecord, Engine, Observer
from mirrorcore.swarm.environment import package_versions, peak_memory_mb, processor_class
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.outcome import results_of
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.scribe import Scribe
from mirrorcore.swarm.stalls import forget_random
from mirrorcore.syncbus import BusEvent, EventKind, Stall


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run that has ended, with its results in hand and on disk."""

    run_id: str
    path: Path
    results: RunResults
    parts: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return self.results.identity.fingerprint


class Run:
    """A run in progress: swarm, recorder and journal over one folder.

    Use :meth:`open`; end it with :meth:`finish` or :meth:`abort`.
    """

    def __init__(
        self,
        folder: RunDirectory,
        config: RunConfig,
        swarm: Swarm,
        journal: Journal,
        *,
        mode: str,
        full: bool,
        notes: Mapping[str, Any],
        delay: int = 0,
        observe: Callable[[Swarm], Observer] | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.swarm = swarm
        self.recorder = Recorder(swarm)
        self.scribe = Scribe(swarm, self.recorder, journal, full=full)
        watching = [] if observe is None else [observe(swarm)]
        self.engine = Engine(swarm.parts, [self.scribe, self, *watching], delay=delay)
        self.lives = LifeLog()
        self.mode = mode
        self.warnings: list[str] = []
        self.stop = asyncio.Event()
        """Set by Ctrl-C; the run ends at the next place where nothing is half done."""
        self._journal = journal
        self._watch = Stopwatch()
        self._notes = dict(notes)
        self._start = 0
        bus = swarm.parts.bus
        bus.on_event(self._on_event)
        bus.on_stall(self._on_stall)

    @classmethod
    def open(
        cls,
        config: RunConfig,
        source: HistorySource,
        *,
        mode: str,
        full: bool,
        without: Sequence[str] = (),
        notes: Mapping[str, Any] | None = None,
        delay: int = 0,
        observe: Callable[[Swarm], Observer] | None = None,
        processes: bool = False,
    ) -> Run:
        """Assemble everything and make the run's folder; a mistake leaves nothing behind."""
        inputs = {source.name: source.digest(), **agent_files(config)}
        source.verdicts.check(least=0)
        assemble(config, source, "trial", without=without, processes=processes)
        registry = RunRegistry(config.storage.runs)
        identity = {
            "config": to_toml(config),
            "config_hash": config_hash(config),
            "trial": trial_key(config, without, delay),
            "without": list(without),
            "versions": package_versions(),
            "processor": processor_class(),
            "seed": config.seed,
            "source": source.name,
            "symbols": list(source.symbols),
            "bar_ns": source.bar_ns,
            "inputs": inputs,
            **({"delay_ticks": delay} if delay else {}),
            **(notes or {}),
        }
        folder = registry.create(mode, identity)
        try:
            swarm = assemble(config, source, folder.id, without=without, processes=processes)
            journal = Journal.create(folder.journal)
            journal.append("run", 0, identity)
        except BaseException:
            folder.finish(RunStatus.FAILED)
            raise
        return cls(
            folder,
            config,
            swarm,
            journal,
            mode=mode,
            full=full,
            notes=identity,
            delay=delay,
            observe=observe,
        )

    def begin(self, instant: int, tick: int = 0) -> None:
        """The instant at which the run holds its initial equity, and its first tick."""
        self._start = instant
        self.swarm.parts.clock.advance_to(instant)
        self.recorder.begin(self.engine.learned)
        self.engine.save_checkpoints()
        if tick:
            # What a warm-up has taught is there without the warm-up.
            self._checkpoint(tick)
        bus = self.swarm.parts.bus
        self.lives.calls_before = {name: bus.statistics(name).calls for name in bus.agent_ids}

    def block(self, record: BlockRecord) -> None:
        """A block is finished and written down; now and then the whole swarm is as well."""
        ended = record.block.index + len(record.block)
        if ended % CHECKPOINT_TICKS == 0:
            self._checkpoint(ended)

    def _checkpoint(self, tick: int) -> None:
        state = capture(self.swarm, self.engine)
        if state is not None:
            self.scribe.checkpoint(tick, state)

    def _on_event(self, event: BusEvent) -> None:
        self.lives.note(event)
        if event.kind is EventKind.REGISTERED:
            return
        self.scribe.life(event)

    def _on_stall(self, stall: Stall) -> None:
        self.scribe.stall(stall)
        self.warnings.append(f"agent {stall.agent_id}: call {stall.call} {stall.describe()}")
        forget_random(self.swarm, self.config.seed, stall)

    def finish(self, status: RunStatus = RunStatus.FINISHED) -> RunOutcome:
        """Close the books, write results and run.json, and let go of the folder."""
        swarm, recorder = self.swarm, self.recorder
        swarm.parts.path.close(swarm.parts.clock.now())
        drained = recorder.finish()
        inputs = dict(self._notes["inputs"])
        parts = {
            "seed": str(self.config.seed),
            **{f"input:{name}": digest for name, digest in inputs.items()},
            **({"delay": str(delay)} if (delay := self._notes.get("delay_ticks", 0)) else {}),
            **swarm.digests.results(),
        }
        mark = fingerprint(parts)
        self.scribe.finish(drained, mark, parts)
        if self.scribe.lost:
            self.warnings.append(
                f"the journal could not be written: its last {self.scribe.lost} entries are missing"
            )
        identity = self._identity(status, mark, parts)
        results = results_of(swarm, recorder, identity, self.lives, self.warnings)
        save_results(results, self.folder.path)
        self.folder.finish(
            status,
            fingerprint=mark,
            parts=parts,
            journal_head=self._journal.head,
            ticks=recorder.ticks,
            track=asdict(track_of(daily_of(results))),
        )
        return RunOutcome(self.folder.id, self.folder.path, results, parts)

    def abort(self) -> None:
        """The run cannot go on: what was journalled stays, the folder says it failed."""
        try:
            self._journal.close()
        except JournalFullError:
            self._journal.abandon()
        finally:
            self.folder.finish(RunStatus.FAILED, **self._seen())

    def _seen(self) -> dict[str, Any]:
        """The track of a run that failed: what it earned until then may have been looked at."""
        columns, ledger = self.recorder.columns, self.swarm.parts.path.ledger
        if not columns.ts:
            return {}
        initial = ledger.initial / float(10**ledger.units.places)
        curve = with_start(columns.instants(), columns.joined("equity"), self._start, initial)
        return {"track": asdict(track_of(daily_returns(daily_closes(curve)[1])))}

    def _identity(self, status: RunStatus, mark: str, parts: Mapping[str, str]) -> RunIdentity:
        source, recorder = self.swarm.source, self.recorder
        ended = int(recorder.columns.ts[-1][-1]) if recorder.columns.ts else self._start
        return RunIdentity(
            run_id=self.folder.id,
            mode=self.mode,
            data=source.name,
            symbols=source.symbols,
            bar_ns=source.bar_ns,
            period_start=self._start,
            period_end=ended,
            config_hash=config_hash(self.config),
            code_version=mirrorcore.__version__,
            fingerprint=mark,
            status=str(status),
            processor=self._notes["processor"],
            seeds={"run": self.config.seed},
            input_digests=dict(self._notes["inputs"]),
            fingerprint_parts=dict(parts),
            package_versions=dict(self._notes["versions"]),
            wall_s=self._watch.wall_ns() / 1e9,
            cpu_s=self._watch.cpu_ns() / 1e9,
            peak_rss_mb=peak_memory_mb(),
            symbol_bars=recorder.symbol_bars,
            ticks=recorder.ticks,
        )


def trial_key(config: RunConfig, without: Sequence[str] = (), delay: int = 0) -> str:
    """Names what was tried: runs with one key differ in seed, place or market alone."""
    left_out = sorted({*config.agents.without, *without})
    agents = config.agents.model_copy(update={"without": ()})
    plain = config.model_copy(update={"agents": agents})
    told = [choice_hash(plain), left_out, sorted(agent_files(config).items()), delay]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def agent_files(config: RunConfig) -> dict[str, str]:
    """Digests of the files users' own agents come from: another agent is another run."""
    return {
        f"agent {entry.id}": hashlib.sha256(entry.file.read_bytes()).hexdigest()
        for entry in config.agent
        if entry.file is not None and entry.file.is_file()
    }


_FAREWELL = 1.0
"""Seconds of the loop's time that cancelled agents have to end."""


def drive(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end on ``loop``, cancel what is left over, and close the loop."""
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


def carry_out(
    run: Run, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> RunOutcome:
    """Drive ``work`` and end the run as it deserves: finished, interrupted or failed."""
    with _stopping(loop, run.stop):
        try:
            drive(loop, work)
        except KeyboardInterrupt:
            return run.finish(RunStatus.INTERRUPTED)
        except BaseException:
            run.abort()
            raise
        finally:
            run.swarm.parts.bus.isolation.close()
        stopped = run.stop.is_set()
        return run.finish(RunStatus.INTERRUPTED if stopped else RunStatus.FINISHED)


@contextlib.contextmanager
def _stopping(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C or SIGTERM sets ``stop`` instead of breaking into what is being done; twice breaks.

    Signals belong to the main thread; in any other this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(_number: int, _frame: object) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.set()
        with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody to wake
            loop.call_soon_threadsafe(stop.set)

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
