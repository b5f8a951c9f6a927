"""The life of a run: its folder, its identity, its end. Replay and paper fill in the middle."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

import mirrorcore
from mirrorcore.clock import Stopwatch
from mirrorcore.config import config_hash
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.emergence.record import Found
from mirrorcore.journal import Journal, JournalFullError, RunDirectory, RunRegistry, RunStatus
from mirrorcore.recent import Remarks
from mirrorcore.report.metrics import daily_closes, daily_returns, with_start
from mirrorcore.report.results import RunIdentity, RunResults
from mirrorcore.report.store import save_results
from mirrorcore.report.trials import daily_of, track_of
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.checkpoint import capture
from mirrorcore.swarm.control.control import Control
from mirrorcore.swarm.digests import fingerprint
from mirrorcore.swarm.emergence.baseline import LEARNED
from mirrorcore.swarm.emergence.baseline import NAME as BASELINE
from mirrorcore.swarm.emergence.watch import EmergenceWatch
from mirrorcore.swarm.emergence.written import body_of, unwatched
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, BlockRecord, Engine, Observer
from mirrorcore.swarm.environment import peak_memory_mb
from mirrorcore.swarm.identity import identity_of
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.outcome import results_of
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.scribe import Scribe
from mirrorcore.swarm.stalls import forget_random
from mirrorcore.syncbus import BusEvent, EventKind, Stall

_WARNINGS = 500


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
        watched: bool = False,
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
        self.warnings = Remarks(_WARNINGS)
        """What the reader of the report has to know, each once; from any thread."""
        self.sources: Callable[[], Mapping[str, SourceHealth]] = dict
        """How the sources of a live run do; none in others."""
        self.stop = asyncio.Event()
        """Set by Ctrl-C; the run ends at the next place where nothing is half done."""
        self.control = Control(self)
        self.emergence: EmergenceWatch | None = None
        """What watches for behaviour nobody wrote; None where nobody is to."""
        if watched:
            self.emergence = EmergenceWatch(
                swarm, config.emergence, self._on_finding, self.warnings.append
            )
            self.scribe.on_command.append(self.emergence.command)
            self.engine.observe(self.emergence)
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
        emergence = config.emergence
        watched = not unwatched(emergence, notes or {})
        identity = {**identity_of(config, source, without, delay), **(notes or {})}
        source.verdicts.check(least=0)
        trial = assemble(config, source, "trial", without=without, processes=processes)
        if watched:
            EmergenceWatch(trial, config.emergence).abandon()
        registry = RunRegistry(config.storage.runs)
        folder = registry.create(mode, identity)
        try:
            if watched and emergence.learned is not None:
                shutil.copyfile(emergence.learned, folder.path / LEARNED)
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
            watched=watched,
        )

    def begin(self, instant: int, tick: int = 0) -> None:
        """The instant at which the run holds its initial equity, and its first tick."""
        self._start = instant
        self.control.tick = tick
        self.swarm.parts.clock.advance_to(instant)
        self.scribe.begin(tick)
        self.recorder.begin(self.engine.learned)
        self.engine.save_checkpoints()
        if tick:
            # What a warm-up has taught is there without the warm-up.
            self._checkpoint(tick)
        bus = self.swarm.parts.bus
        self.lives.calls_before = {name: bus.statistics(name).calls for name in bus.agent_ids}

    @property
    def started(self) -> int:
        """The instant at which the run held its initial equity."""
        return self._start

    def block(self, record: BlockRecord) -> None:
        """A block is finished and written down; now and then the whole swarm is as well."""
        ended = record.block.index + len(record.block)
        self.control.tick = ended
        self.control.alerts.gateway(self.swarm.parts.path.gateway.changes)
        if ended % CHECKPOINT_TICKS == 0:
            self._checkpoint(ended)

    def _checkpoint(self, tick: int) -> None:
        state = capture(self.swarm, self.engine)
        if state is not None:
            self.scribe.checkpoint(tick, state)

    def _on_event(self, event: BusEvent) -> None:
        self.lives.note(event)
        self.control.alerts.life(event)
        if self.emergence is not None:
            self.emergence.life(event)
        if event.kind is EventKind.REGISTERED:
            return
        self.scribe.life(event)

    def _on_stall(self, stall: Stall) -> None:
        self.scribe.stall(stall)
        self.warnings.append(f"agent {stall.agent_id}: call {stall.call} {stall.describe()}")
        forget_random(self.swarm, self.config.seed, stall)

    def _on_finding(self, one: Found) -> Found:
        """Write a finding down, and have an operator look at one that nothing explains."""
        if not one.explained:
            who = ", ".join(one.agents[:5])
            number = self.control.alerts.finding(one.ts, who, f"{one.type}: {one.summary}")
            one = msgspec.structs.replace(one, alert=number)
        self.scribe.finding(one.ts, msgspec.to_builtins(one))
        return one

    def finish(self, status: RunStatus = RunStatus.FINISHED) -> RunOutcome:
        """Close the books, write results and run.json, and let go of the folder."""
        swarm, recorder = self.swarm, self.recorder
        self.control.close()
        if self.emergence is not None:
            self.emergence.close()
            now = swarm.parts.clock.now()
            self.scribe.finding(now, body_of(self.emergence.watched))
            self.emergence.save(
                self.folder.path / BASELINE, run=self.folder.id, version=mirrorcore.__version__
            )
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
        results = results_of(swarm, recorder, identity, self.lives, self.warnings.told())
        save_results(results, self.folder.path)
        self.folder.finish(
            status,
            fingerprint=mark,
            parts=parts,
            journal_head=self._journal.head,
            ticks=recorder.ticks,
            **self._troubles(),
            track=asdict(track_of(daily_of(results))),
        )
        return RunOutcome(self.folder.id, self.folder.path, results, parts)

    def _troubles(self) -> dict[str, Any]:
        """What of the run a repetition cannot know: what was half done when somebody broke in, and
        what its journal could not be told."""
        broken = {"broken_off": True} if self.engine.half_done else {}
        if self.scribe.troubled_at is None and not self.scribe.lost:
            return broken
        full = {"since": self.scribe.troubled_at, "lost": self.scribe.lost}
        return {**broken, "journal_full": full}

    def abort(self) -> None:
        """The run cannot go on: what was journalled stays, the folder says it failed."""
        self.control.close()
        if self.emergence is not None:
            self.emergence.abandon()
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
