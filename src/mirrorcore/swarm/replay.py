"""Replay of history: as fast as the machine allows, on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.driving import carry_out
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, Observer
from mirrorcore.swarm.pace import HistoryPace
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.swarm.sources import open_source
from mirrorcore.swarm.stalls import HISTORY_DEADLINE_NS, obey, watching
from mirrorcore.syncbus import Stall, StallCallback

Progress = Callable[[int, int | None], None]
"""Told how many ticks are done, and how many there are if that is known."""


def replay_history(
    config: RunConfig,
    *,
    source: HistorySource | None = None,
    without: Sequence[str] = (),
    progress: Progress | None = None,
    block_rows: int = CHECKPOINT_TICKS,
    delay: int = 0,
    observe: Callable[[Swarm], Observer] | None = None,
    stalled: StallCallback | None = None,
    stalls: Sequence[Stall] | None = None,
) -> RunOutcome:
    """A backtest of the configured swarm over the configured market.

    With ``delay`` each decision reaches the order path that many ticks late; the run's identity and
    fingerprint say so. ``observe`` makes an observer of the run's swarm: it sees each
    finished block and changes nothing. ``stalled`` is told at once, from another thread, of an
    agent that holds up the run. ``stalls`` are those of a recorded run that this one repeats.

    Raises
    ------
    ConfigError, DataError: what cannot be run, before anything is written; DataError also when
        more than one in a hundred records had to be rejected on the way.
    """
    source = source or open_source(config)
    run = Run.open(
        config,
        source,
        mode="replay",
        full=config.journal.mode == "full",
        without=without,
        delay=delay,
        observe=observe,
    )
    parts = run.swarm.parts
    pace = HistoryPace(parts.bus, parts.clock)

    async def work() -> None:
        begun = False
        for block in source.blocks(max_rows=block_rows):
            if not begun:
                run.begin(int(block.ts[0]) - source.bar_ns)
                begun = True
            await run.engine.run(block, pace)
            source.verdicts.check()
            if progress is not None:
                progress(run.recorder.ticks, source.ticks_total())
            if run.stop.is_set():
                return

    obey(run.swarm, stalls)
    with watching(run.swarm, HISTORY_DEADLINE_NS, stalled, stalls):
        return carry_out(run, VirtualTimeLoop(VirtualClock()), work())
