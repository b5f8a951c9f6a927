"""A recorded run again: its configuration, its source and, for paper, its journalled inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirrorcore.clock import VirtualClock, VirtualTimeLoop, iso
from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import DataError, UsageError
from mirrorcore.journal import JournalReader, RunInfo, RunStatus
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import Record
from mirrorcore.swarm.checks import Shortened
from mirrorcore.swarm.control.actions import Command
from mirrorcore.swarm.control.effects import RecordedCommands
from mirrorcore.swarm.driving import carry_out
from mirrorcore.swarm.emergence.baseline import LEARNED
from mirrorcore.swarm.live_history import LiveHistory
from mirrorcore.swarm.pace import RecordedPace
from mirrorcore.swarm.paper import warm_up
from mirrorcore.swarm.replay import Progress, replay_history
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.swarm.sources import recorded_source
from mirrorcore.swarm.stalls import PAPER_DEADLINE_NS, obey, stalls_of, watching
from mirrorcore.syncbus import Stall


@dataclass(frozen=True, slots=True)
class RerunReport:
    """Whether a run came out the same, and which parts of the fingerprint did not."""

    outcome: RunOutcome
    same: bool
    differing: tuple[str, ...]


def rerun(
    recorded: RunInfo, *, runs: Path | None = None, progress: Progress | None = None
) -> RerunReport:
    """Run a recorded run again, as far as it went, and compare fingerprints.

    Parameters
    ----------
    runs: where the new run is written; beside the recorded one by default.

    Raises
    ------
    UsageError: the run was killed, failed, or broken off in the middle of a tick: there is nothing
        to compare with.
    DataError: its market is not the one it was recorded on, or its disk was full.
    """
    identity = recorded.identity
    if "fingerprint" not in identity:
        raise UsageError(
            f"run {recorded.id} is {recorded.status} and has no fingerprint",
            hint="a run that was killed or failed has nothing to compare with",
        )
    if identity.get("broken_off"):
        raise UsageError(
            f"run {recorded.id} was broken off in the middle of a tick, which cannot be repeated",
            hint="one Ctrl-C ends a run between two ticks; 'mirrorcore why' explains what came "
            "before",
        )
    config = recorded_config(recorded, runs or recorded.path.parent)
    source = recorded_source(recorded, config)
    expected = identity["inputs"].get(source.name)
    if source.digest() != expected:
        raise DataError(
            f"the market of run {recorded.id} has changed: digest {source.digest()[:16]}, "
            f"recorded was {str(expected)[:16]}",
            hint="a run can be repeated on the same data only",
        )
    without = identity["without"]
    if "start_tick" not in identity:
        _check_journal_of_history(recorded)
        # As far as it went: it may have been interrupted.
        source = Shortened(source, int(identity["ticks"]))
        delay = int(identity.get("delay_ticks", 0))
        outcome = replay_history(
            config,
            source=source,
            without=without,
            progress=progress,
            delay=delay,
            stalls=recorded_stalls(recorded),
        )
    else:
        outcome = _again(recorded, config, source, without, progress)
    if outcome.results.identity.status != RunStatus.FINISHED:
        raise KeyboardInterrupt  # half a run compares with nothing
    parts = identity["parts"]
    differing = [
        name
        for name in sorted({*parts, *outcome.parts})
        if parts.get(name) != outcome.parts.get(name)
    ]
    return RerunReport(outcome, outcome.fingerprint == identity["fingerprint"], tuple(differing))


def recorded_config(recorded: RunInfo, runs: Path) -> RunConfig:
    """The configuration as it was used; paths in it are absolute."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(recorded.identity["config"], encoding="utf-8")
        changed = [("storage.runs", str(runs.resolve()))]
        if (recorded.path / LEARNED).is_file():
            changed.append(("emergence.learned", str((recorded.path / LEARNED).resolve())))
        return load_config(file, {}, changed).config


def _again(
    recorded: RunInfo,
    config: RunConfig,
    source: HistorySource,
    without: Sequence[str],
    progress: Progress | None,
) -> RunOutcome:
    """A paper run from its journal: the same warm-up, records and admissions."""
    first = int(recorded.identity["start_tick"])
    # A run made before they were kept knew no units but those of the registry.
    units = recorded.identity.get("units", {})
    with JournalReader(recorded.journal) as reader:
        ticks = list(reader.bodies("input", list[Record]))
        admissions = {
            (entry.body["tick"], entry.body["phase"]): tuple(entry.body["agents"])
            for entry in reader.entries("admission")
        }
        halts = halts_of(reader)
        commands = commands_of(reader)
        begun = begun_at(reader, source.bar_ns)
    _check_whole(recorded, first, len(ticks))
    run = Run.open(
        config,
        source,
        mode="replay",
        full=True,
        without=without,
        notes={"start_tick": first, "units": units},
        processes=True,
    )
    if isinstance(source, LiveHistory):
        source.save(run.folder.path)  # so that this run can be repeated and explained in turn
    parts = run.swarm.parts
    stalls = recorded_stalls(recorded)
    obey(run.swarm, stalls)

    async def work() -> None:
        warm_up(run.engine, source, first)
        await parts.bus.started()
        pace = RecordedPace(parts.bus, parts.clock, admissions)
        assembler = TickAssembler(source.symbols, index=first, units=units)
        operator = RecordedCommands(run.swarm, run.engine, commands, run.scribe.command)
        if begun is not None:
            run.begin(begun, first)
        for done, (_, records) in enumerate(ticks):
            block = assembler.block(records)
            if block.index in halts:
                run.engine.halted = halts[block.index]
                run.scribe.halts(block.index, run.engine.halted)
            operator.before(block.index)
            run.scribe.inputs(block)
            await run.engine.run(block, pace)
            if progress is not None:
                progress(done + 1, len(ticks))
            if run.stop.is_set():
                return
        # What was done after the last tick, before the run ended.
        operator.before(first + len(ticks))

    with watching(run.swarm, PAPER_DEADLINE_NS, None, stalls):
        return carry_out(run, VirtualTimeLoop(VirtualClock()), work())


def _check_journal_of_history(recorded: RunInfo) -> None:
    """DataError where a full disk kept a replay from taking risk: nothing says at which orders."""
    since = recorded.identity.get("journal_full", {}).get("since")
    if since is not None:
        raise DataError(
            f"run {recorded.id} cannot be repeated from {iso(since)} on: its journal could not be "
            "written, so it took no new risk from there",
            hint="make room on the disk and run the configuration anew",
        )


def _check_whole(recorded: RunInfo, first: int, ticks: int) -> None:
    """DataError where a paper run went on after the last tick that its journal has."""
    whole = int(recorded.identity["ticks"])
    if ticks < whole:
        raise DataError(
            f"run {recorded.id} cannot be repeated from tick {first + ticks} on: its disk was full "
            f"and its journal ends there, the run went on to tick {first + whole - 1}",
            hint="'mirrorcore why' explains what came before",
        )


def begun_at(reader: JournalReader, bar_ns: int) -> int | None:
    """The instant at which a run that was recorded tick by tick began; None where it ended before.

    Journals of earlier versions do not say: then it is one bar before the first tick.
    """
    told = next((entry.ts for entry in reader.entries("begin")), None)
    first = next((entry.ts - bar_ns for entry in reader.entries("input")), None)
    return first if told is None else told


def halts_of(reader: JournalReader) -> dict[int, dict[int, str]]:
    """Which symbols took no new risk from which tick on, with the cause."""
    return {entry.body["tick"]: dict(entry.body["causes"]) for entry in reader.entries("halts")}


def commands_of(reader: JournalReader) -> list[Command]:
    """What operators did to a recorded run, in order."""
    return [msgspec.convert(entry.body, Command) for entry in reader.entries("command")]


def recorded_stalls(recorded: RunInfo) -> list[Stall]:
    """The calls that held the loop when the run was recorded."""
    with JournalReader(recorded.journal) as reader:
        return stalls_of(reader)
