"""A recorded run again: its configuration, its source and, for paper, its journalled inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import DataError, UsageError
from mirrorcore.journal import JournalReader, RunInfo, RunStatus
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import Record
from mirrorcore.swarm.checks import Shortened
from mirrorcore.swarm.pace import RecordedPace
from mirrorcore.swarm.paper import warm_up
from mirrorcore.swarm.replay import Progress, replay_history
from mirrorcore.swarm.run import Run, RunOutcome, carry_out
from mirrorcore.swarm.sources import open_source
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
    UsageError: the run was killed or failed and has no fingerprint to compare with.
    DataError: its market is not the one it was recorded on.
    """
    identity = recorded.identity
    if "fingerprint" not in identity:
        raise UsageError(
            f"run {recorded.id} is {recorded.status} and has no fingerprint",
            hint="a run that was killed or failed has nothing to compare with",
        )
    config = recorded_config(recorded, runs or recorded.path.parent)
    source = open_source(config)
    expected = identity["inputs"].get(source.name)
    if source.digest() != expected:
        raise DataError(
            f"the market of run {recorded.id} has changed: digest {source.digest()[:16]}, "
            f"recorded was {str(expected)[:16]}",
            hint="a run can be repeated on the same data only",
        )
    without = identity["without"]
    if "start_tick" not in identity:
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
        return load_config(file, {}, [("storage.runs", str(runs.resolve()))]).config


def _again(
    recorded: RunInfo,
    config: RunConfig,
    source: HistorySource,
    without: Sequence[str],
    progress: Progress | None,
) -> RunOutcome:
    """A paper run from its journal: the same warm-up, records and admissions."""
    first = int(recorded.identity["start_tick"])
    with JournalReader(recorded.journal) as reader:
        ticks = list(reader.bodies("input", list[Record]))
        admissions = {
            (entry.body["tick"], entry.body["phase"]): tuple(entry.body["agents"])
            for entry in reader.entries("admission")
        }
    run = Run.open(
        config,
        source,
        mode="replay",
        full=True,
        without=without,
        notes={"start_tick": first},
        processes=True,
    )
    parts = run.swarm.parts
    stalls = recorded_stalls(recorded)
    obey(run.swarm, stalls)

    async def work() -> None:
        warm_up(run.engine, source, first)
        await parts.bus.started()
        pace = RecordedPace(parts.bus, parts.clock, admissions)
        assembler = TickAssembler(source.symbols, index=first)
        for done, (ts, records) in enumerate(ticks):
            if done == 0:
                run.begin(ts - source.bar_ns, first)
            block = assembler.block(records)
            run.scribe.inputs(block)
            await run.engine.run(block, pace)
            if progress is not None:
                progress(done + 1, len(ticks))
            if run.stop.is_set():
                return

    with watching(run.swarm, PAPER_DEADLINE_NS, None, stalls):
        return carry_out(run, VirtualTimeLoop(VirtualClock()), work())


def recorded_stalls(recorded: RunInfo) -> list[Stall]:
    """The calls that held the loop when the run was recorded."""
    with JournalReader(recorded.journal) as reader:
        return stalls_of(reader)
