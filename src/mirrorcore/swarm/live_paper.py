"""Paper on a live venue: real sockets, the swarm of every other run, simulated fills.

What the venue brought is journalled tick by tick, and so is which symbols were halted when, so that
the run can be repeated and explained without the venue.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from mirrorcore.clock import SECOND, LiveClock, PacedClock, Stopwatch
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.live import SourceError, StreamSource
from mirrorcore.data_sources.manager import DataSourceManager
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.runner import SourceRunner
from mirrorcore.errors import DataError
from mirrorcore.market.bar_check import BarCounts
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.records import Bar, FeedRecord
from mirrorcore.swarm.control.stop_signs import listening
from mirrorcore.swarm.driving import Attach, carry_out_attended
from mirrorcore.swarm.live_history import LiveHistory, described
from mirrorcore.swarm.live_market import LiveMarket, LiveTick
from mirrorcore.swarm.live_sources import Source, believed_tokens, declared_units, news_tone
from mirrorcore.swarm.pace import PaperPace
from mirrorcore.swarm.paper import note_short_warm_up, warm_up
from mirrorcore.swarm.replay import Progress
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.swarm.source_remarks import SourceRemarks
from mirrorcore.swarm.sources import configured_instruments
from mirrorcore.swarm.stalls import PAPER_DEADLINE_NS, watching
from mirrorcore.swarm.watching import Onlooker, SwarmSnapshot
from mirrorcore.syncbus import StallCallback

Shown = Callable[[Sequence[FeedRecord]], None]
_TRIES, _FIRST_WAIT_NS = 3, SECOND // 2
Told = TypeVar("Told")


class LiveFeed(StreamSource, Protocol):
    """A stream source that also knows its instruments and its past."""

    async def instruments(self) -> Sequence[Instrument]:
        """Of its symbols, in their order; SourceError where the venue does not list one."""

    async def candles(self, bar_ns: int, start: int, end: int) -> Sequence[Bar]:
        """Finished candles with open in [start, end), each symbol's in order of time."""


@dataclass(frozen=True, slots=True)
class LiveOutcome:
    """A live run that has ended, and how its sources did."""

    outcome: RunOutcome
    health: dict[str, SourceHealth]
    late: int
    """Trades that came after their bar was closed."""
    bars: BarCounts = field(default_factory=BarCounts)
    """The run's bars beside the venue's own candles, where a source brings those."""


def run_live(
    config: RunConfig,
    feed: LiveFeed,
    *,
    sources: Mapping[str, Sequence[Source]] | None = None,
    seconds: float = 0.0,
    without: Sequence[str] = (),
    warm: Progress | None = None,
    watch: Callable[[SwarmSnapshot], None] | None = None,
    stalled: StallCallback | None = None,
    shown: Shown | None = None,
    attach: Attach | None = None,
) -> LiveOutcome:
    """Trade on paper on what ``feed`` brings until ``seconds`` have passed, or Ctrl-C.

    Parameters
    ----------
    sources: what is listened to beside it, by kind; one that fails stops and halts nothing.
    seconds: wall time after the warm-up; 0 for no limit.
    warm: told of the progress of the warm-up.
    watch: shown the swarm after each tick.
    stalled: told at once, from another thread, of an agent that holds up the run.
    shown: told of the records of each batch that may be used, before anything is decided on them.
    attach: opens doors to the run before its first tick; they are closed when it has ended.

    Raises
    ------
    SourceError: the venue cannot be reached or does not list a symbol.
    DataError: its candles cannot be used.
    """
    with listening() as signalled:
        loop = asyncio.new_event_loop()
        beside = dict(sources or {})
        units = declared_units([feed, *(one for group in beside.values() for one in group)])
        try:
            history = loop.run_until_complete(_history(config, feed))
            run = Run.open(
                config,
                history,
                mode="paper",
                full=True,
                without=without,
                notes={"start_tick": history.ticks_total(), "live": True, "units": units},
                processes=True,
            )
            try:
                history.save(run.folder.path)
            except BaseException:
                run.abort()
                raise
        except BaseException:
            loop.run_until_complete(_closed(feed, beside))
            loop.close()
            raise
        session = _Session(run, history, feed, beside, units, seconds, watch, shown)
        with watching(run.swarm, PAPER_DEADLINE_NS, stalled):
            outcome = carry_out_attended(run, loop, session.trade(warm), attach, signalled)
        return LiveOutcome(outcome, session.health, session.late, session.bars)


async def _closed(feed: LiveFeed, beside: Mapping[str, Sequence[Source]]) -> None:
    """Give up sources that no runner has; each is closed, whatever another's closing raises."""
    members: list[Source] = [feed, *(one for group in beside.values() for one in group)]
    answers = await asyncio.gather(*(one.aclose() for one in members), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def _history(config: RunConfig, feed: LiveFeed) -> LiveHistory:
    """The venue's instruments and the candles of the warm-up."""
    told = await _answered(feed.instruments)
    configured = {one.symbol: one for one in configured_instruments(config)}
    bar_ns = config.market.bar
    now = LiveClock().now()
    end = now // bar_ns * bar_ns
    bars: Sequence[Bar] = ()
    if config.paper.warmup >= bar_ns:
        bars = await _answered(lambda: feed.candles(bar_ns, end - config.paper.warmup, end))
    history = LiveHistory(feed.spec.name, described(told, configured), bar_ns, bars)
    if history.last_ts > now:
        raise DataError(
            f"{feed.spec.name}: its newest candle ends after now by this machine's clock",
            hint="set this machine's clock",
        )
    return history


async def _answered(question: Callable[[], Awaitable[Told]]) -> Told:
    """What the venue says before the run begins: a limit or a page of its gateway ends none."""
    wait = _FIRST_WAIT_NS
    for left in reversed(range(_TRIES)):
        try:
            return await question()
        except SourceError as error:
            if error.permanent or not left:
                raise
            await asyncio.sleep(max(wait, error.retry_after_ns) / SECOND)
            wait *= 2
    raise AssertionError("a question ends with an answer or an error")


class _Session:
    """One live run from its warm-up to its end."""

    def __init__(
        self,
        run: Run,
        history: LiveHistory,
        feed: LiveFeed,
        beside: Mapping[str, Sequence[Source]],
        units: Mapping[str, Mapping[str, str]],
        seconds: float,
        watch: Callable[[SwarmSnapshot], None] | None,
        shown: Shown | None,
    ) -> None:
        self.health: dict[str, SourceHealth] = {}
        self.late = 0
        self.bars = BarCounts()
        self._run = run
        self._history = history
        self._feed = feed
        self._beside = beside
        self._units = units
        self._seconds = seconds
        self._watch = watch
        self._shown = shown
        self._runners: Sequence[SourceRunner] = ()
        self._held: Counter[tuple[int, str]] = Counter()  # ticks by (symbol, cause)
        self._ticked = 0

    async def trade(self, warm: Progress | None) -> None:
        run, history = self._run, self._history
        first = history.ticks_total()
        warm_up(run.engine, history, first, warm, run.stop)
        if run.stop.is_set():
            await _closed(self._feed, self._beside)
            return
        await run.swarm.parts.bus.started()
        clock = LiveClock()
        manager = DataSourceManager(
            {"price": [self._feed], **self._beside},
            time=clock,
            rng=np.random.default_rng([run.config.seed, 1]),
        )
        market = LiveMarket(
            manager,
            history.instruments,
            history.bar_ns,
            run.config.exchange,
            history.verdicts,
            first=first,
            tone=news_tone(history.symbols, self._beside),
            tokens=believed_tokens(run.config),
            units=self._units,
            shown=self._shown,
        )
        run.sources = market.health
        run.begin(clock.now(), first)
        note_short_warm_up(run, clock.now(), first)
        self._runners = manager.runners
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        async with manager:
            try:
                await self._ticks(market)
            finally:
                self.health, self.late = market.health(), market.late
                self.bars = market.bar_counts
                self._tell_held()

    def _tell_held(self) -> None:
        """How long symbols took no new risk, for the report: no limit bit where none was sized."""
        names = self._run.swarm.context.symbols
        for (symbol, cause), ticks in sorted(self._held.items()):
            self._run.warnings.append(
                f"{names[symbol]} took no new risk in {ticks:,} of {self._ticked:,} ticks: {cause}"
            )

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback of a client's own failed, where nobody waits for it: its sockets are dead,
        which only silence would show. They are made anew at once."""
        error = context.get("exception")
        # Its kind alone: the text names places in messages, and there would be no end of them.
        told = type(error).__name__ if error else str(context.get("message"))
        warning = f"a client failed outside of any call: {told}"
        self._run.warnings.append(warning)
        for runner in self._runners:
            if "trade" in runner.spec.kinds:  # a venue: services have no client of that kind
                runner.renew(warning, "client")

    async def _ticks(self, market: LiveMarket) -> None:
        run = self._run
        parts = run.swarm.parts
        pace = PaperPace(
            parts.bus, parts.clock, PacedClock(parts.clock.now()), run.scribe.admission
        )
        onlooker = Onlooker(run)
        beside = (one for group in self._beside.values() for one in group)
        remarks = SourceRemarks(beside, run.warnings.append)
        watch_over = Stopwatch()
        async with aclosing(market.ticks()) as ticks:
            while True:
                left = self._seconds - watch_over.wall_ns() / SECOND
                tick = await _next(ticks, left if self._seconds > 0 else math.inf, run)
                remarks.pass_on()
                if tick is None:
                    return
                if dict(tick.halted) != run.engine.halted:
                    run.engine.halted = dict(tick.halted)
                    run.scribe.halts(tick.block.index, run.engine.halted)
                run.scribe.inputs(tick.block)
                await run.engine.run(tick.block, pace)
                self._ticked += 1
                self._held.update(run.engine.halted.items())
                run.control.changed()
                if self._watch is not None:
                    self._watch(onlooker.look())


async def _next(ticks: AsyncGenerator[LiveTick, None], left: float, run: Run) -> LiveTick | None:
    """The next tick; None where the time is up before it or the run is to stop.

    What an operator asks meanwhile is carried out while the market is waited for.
    """
    await run.control.carry_out()
    if run.stop.is_set() or left <= 0:
        return None
    coming = asyncio.ensure_future(anext(ticks))
    stopped = asyncio.ensure_future(run.stop.wait())
    ended = asyncio.ensure_future(asyncio.sleep(left)) if left != math.inf else stopped
    asked = asyncio.ensure_future(run.control.woken())
    try:
        while True:
            await asyncio.wait((coming, stopped, ended, asked), return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                await run.control.carry_out()
                asked = asyncio.ensure_future(run.control.woken())
            if coming.done():
                return coming.result()
            if stopped.done() or ended.done():
                return None
    finally:
        for task in (coming, stopped, ended, asked):
            task.cancel()
        await asyncio.gather(coming, stopped, ended, asked, return_exceptions=True)
