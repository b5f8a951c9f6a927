"""Paper: the same swarm at the pace of the market, or a multiple of it, with simulated fills.

What was not decided by the records themselves (late answers of agents) is journalled beside them,
so that the run can be repeated to the same fingerprint.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from mirrorcore.clock import SECOND, PacedClock, Stopwatch, iso
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import DataError
from mirrorcore.market.features.catalogue import features
from mirrorcore.swarm.control.stop_signs import listening
from mirrorcore.swarm.driving import Attach, carry_out_attended
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, Engine
from mirrorcore.swarm.pace import PaperPace
from mirrorcore.swarm.replay import Progress
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.swarm.sources import open_source
from mirrorcore.swarm.stalls import PAPER_DEADLINE_NS, watching
from mirrorcore.swarm.watching import Onlooker, SwarmSnapshot
from mirrorcore.syncbus import StallCallback


def run_paper(
    config: RunConfig,
    *,
    seconds: float = 0.0,
    without: Sequence[str] = (),
    source: HistorySource | None = None,
    start_tick: int | None = None,
    warm: Progress | None = None,
    watch: Callable[[SwarmSnapshot], None] | None = None,
    stalled: StallCallback | None = None,
    attach: Attach | None = None,
) -> RunOutcome:
    """Trade on paper until the source ends, ``seconds`` of wall time pass, or Ctrl-C.

    Parameters
    ----------
    seconds: wall time after the warm-up; 0 for no limit.
    start_tick: first tick that is traded; by default the one after ``paper.warmup``.
    warm: told of the progress of the warm-up.
    watch: shown the swarm after each tick.
    stalled: told at once, from another thread, of an agent that holds up the run.
    attach: opens doors to the run before its first tick; they are closed when it has ended.
    """
    source = source or open_source(config)
    first = config.paper.warmup // source.bar_ns if start_tick is None else start_tick
    total = source.ticks_total()
    if total is not None and first >= total:
        raise DataError(
            f"the market has {total} ticks and the warm-up alone needs {first}",
            hint="shorten paper.warmup or give a longer history",
        )
    with listening() as signalled:
        run = Run.open(
            config,
            source,
            mode="paper",
            full=True,
            without=without,
            notes={"start_tick": first},
            processes=True,
        )
        with watching(run.swarm, PAPER_DEADLINE_NS, stalled):
            work = _trade(run, first, seconds, warm, watch)
            return carry_out_attended(run, asyncio.new_event_loop(), work, attach, signalled)


async def _trade(
    run: Run,
    first: int,
    seconds: float,
    warm: Progress | None,
    watch: Callable[[SwarmSnapshot], None] | None,
) -> None:
    source, parts = run.swarm.source, run.swarm.parts
    warm_up(run.engine, source, first, warm, run.stop)
    if run.stop.is_set():
        return
    await parts.bus.started()
    pace: PaperPace | None = None
    onlooker = Onlooker(run)
    watch_over = Stopwatch()
    for block in source.blocks(start_tick=first, max_rows=1):
        ts = int(block.ts[0])
        if pace is None:
            start = ts - source.bar_ns
            run.begin(start, first)
            note_short_warm_up(run, start, first)
            wall = PacedClock(start, run.config.paper.speed)
            pace = PaperPace(parts.bus, parts.clock, wall, run.scribe.admission)
            watch_over = Stopwatch()
        left = seconds - watch_over.wall_ns() / SECOND if seconds > 0 else math.inf
        wait = pace.seconds_until(ts)
        if not await run.control.idle(min(wait, max(left, 0.0)), run.stop) or wait > left:
            return
        run.scribe.inputs(block)
        await run.engine.run(block, pace)
        source.verdicts.check()
        run.control.changed()
        if watch is not None:
            watch(onlooker.look())
        if 0 < seconds <= watch_over.wall_ns() / SECOND:
            return


def note_short_warm_up(run: Run, start: int, ticks: int) -> None:
    """Say from when on the run may trade, if ``ticks`` of warm-up were too few for that.

    Positions are sized by a volatility that takes its time to be known, and no forecast counts
    before weights were learned once.
    """
    bar_ns = run.swarm.source.bar_ns
    longest = max(feature.warm_up for feature in features(bar_ns)) * bar_ns
    missing = max(longest, run.config.fusion.refit) - ticks * bar_ns
    if missing > bar_ns:
        known = iso(start + missing)[:16].replace("T", " ")
        run.warnings.append(
            f"a warm-up of {ticks:,} bars is short: until {known} UTC "
            "volatilities are not known or weights not learned, and hardly anything is traded"
        )


def warm_up(
    engine: Engine,
    source: HistorySource,
    first: int,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Take the ticks before ``first`` through features and votes, without trading."""
    done = 0
    if first == 0:
        return
    for block in source.blocks(max_rows=CHECKPOINT_TICKS):
        engine.warm(block.rows(0, min(len(block), first - done)))
        done = min(first, done + len(block))
        if progress is not None:
            progress(done, first)
        if done == first or (stop is not None and stop.is_set()):
            return
