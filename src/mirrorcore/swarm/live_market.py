"""A venue as it trades now, in ticks: what its sockets bring, believed when checked, cut into bars.

One way: running sources → batches closed by the clock → validator → bars and values of the
categories → ticks. Bars and the values of trades and books are those of the venue that is traded
on; other venues are compared with it. Texts become the tone of the news. Beside each tick stands
which symbols take no new risk, and why: the venue is silent, down or halted, or at odds with
another.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mirrorcore.config.model import VenueConfig
from mirrorcore.data_sources.bars import BarBuilder
from mirrorcore.data_sources.manager import DataSourceManager
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.social.tone import NewsTone
from mirrorcore.market.bar_check import BarCheck, BarCounts
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.derive import Derivation
from mirrorcore.market.halts import Halts
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import (
    Bar,
    FeedRecord,
    GapRecord,
    Observation,
    Record,
    Status,
    Text,
)
from mirrorcore.market.validator import MarketDataProcessor


@dataclass(frozen=True, slots=True)
class LiveTick:
    """One tick, and the symbols (by number) that take no new risk in it, with the cause."""

    block: MarketBlock
    halted: Mapping[int, str]


class LiveMarket:
    """Ticks of running sources.

    Parameters
    ----------
    manager: the sources; running, see ``async with manager``. The first that brings trades is the
        venue that is traded on.
    instruments: of the run's symbols, in its order.
    bar_ns: length of the bars made of trades.
    settings: how long bars wait, how often batches close.
    report: where the validator counts.
    first: number of the first tick.
    tone: what texts are scored with; None where no source brings any.
    tokens: addresses of the tokens whose transfers are believed; None believes all.
    units: unit of a series by its name, by the source that brings it.
    shown: told of what each batch brought that may be used.
    """

    def __init__(
        self,
        manager: DataSourceManager,
        instruments: Sequence[Instrument],
        bar_ns: int,
        settings: VenueConfig,
        report: IntakeReport,
        *,
        first: int,
        tone: NewsTone | None = None,
        tokens: AbstractSet[str] | None = None,
        units: Mapping[str, Mapping[str, str]] | None = None,
        shown: Callable[[Sequence[FeedRecord]], None] | None = None,
    ) -> None:
        self._manager = manager
        self._tone = tone
        self._shown = shown
        self._every = settings.batch
        symbols = tuple(instrument.symbol for instrument in instruments)
        self._runners = {one.name: one for one in manager.runners}
        numbered = [one.name for one in manager.runners if "trade" in one.spec.contiguous]
        trading = (one.name for one in manager.runners if "trade" in one.spec.kinds)
        self._venue = next(trading, "")
        self._has_candles = any("bar" in one.spec.kinds for one in manager.runners)
        self._report = report
        self._records = MarketDataProcessor(
            instruments, report=report, contiguous=numbered, tokens=tokens
        )
        # Bars made here have no source to be late with them; holes in them are told as well.
        self._bars = MarketDataProcessor(instruments, bar_ns, source="bars", report=report)
        self._builder = BarBuilder(
            bar_ns, lateness_ns=settings.lateness, patience_ns=settings.patience
        )
        self._derivation = Derivation(bar_ns)
        self._bar_check = BarCheck(bar_ns)
        # Apart: that two venues agree says nothing of whether one of them is still there.
        self._told, self._checks = Halts(symbols), Halts(symbols)
        self._assembler = TickAssembler(symbols, index=first, units=units)

    def heed(self, status: Status) -> None:
        """Whose word halts a symbol: the venue that is traded on, and who compares venues.

        Whatever else is up does not make a silent venue tradable, and what fails stops nobody.
        """
        if status.source == self._venue:
            self._told.take(status)
        elif status.source not in self._runners:
            self._checks.take(status)

    @property
    def halted(self) -> dict[int, str]:
        """Symbols, by number, that take no new risk now, with the cause."""
        return {**self._checks.causes, **self._told.causes}

    def _values(self, records: Sequence[FeedRecord]) -> list[Record]:
        """What the categories hold of a batch, intervals that ended before each record first."""
        found: list[Record] = []
        for record in records:
            if isinstance(record, Observation):
                found.append(record)
            elif record.source == self._venue and not isinstance(record, Bar):
                found += self._derivation.take(record)
        if self._tone is not None:
            found += self._tone.add(one for one in records if isinstance(one, Text))
        return found

    def _distrust(self) -> None:
        """A source of which too much was rejected lately is cut off and has to come anew."""
        for name in self._report.failing():
            if name in self._runners:
                self._runners[name].trip("too many of its records were rejected")

    @property
    def late(self) -> int:
        """Trades that came after their bar was closed; they changed nothing."""
        return self._builder.late

    @property
    def bar_counts(self) -> BarCounts:
        """How the bars made here compare with the venue's own, where its candles come too."""
        return self._bar_check.counts

    def _compare(
        self, records: Sequence[FeedRecord], own: Sequence[FeedRecord], bars: Sequence[FeedRecord]
    ) -> None:
        if not self._has_candles:
            return
        self._bar_check.heed(own)
        self._bar_check.own(one for one in bars if isinstance(one, Bar))
        self._bar_check.told(one for one in records if isinstance(one, Bar))

    def health(self) -> dict[str, SourceHealth]:
        """Every source by name."""
        return self._manager.health()

    async def ticks(self) -> AsyncGenerator[LiveTick, None]:
        """For ever; a batch without a finished bar makes no tick."""
        async for batch in self._manager.batches(self._every, empty=True):
            now = batch.closed_at
            records = self._records.validate(batch.records, now=now)
            for record in records:
                if isinstance(record, Status):
                    self.heed(record)
            values = [*self._values(records), *self._derivation.advance(now)]
            self._distrust()
            if self._shown is not None:
                self._shown(records)
            own = [one for one in records if one.source == self._venue]
            bars = self._bars.validate(self._builder.read(own, now), now=now)
            self._compare(records, own, bars)
            told = [one for one in values if isinstance(one, Observation)]
            done = [one for one in bars if isinstance(one, Bar | GapRecord)]
            block = self._assembler.block([*told, *done])
            for row in range(len(block)):
                yield LiveTick(block.rows(row, row + 1), self.halted)
