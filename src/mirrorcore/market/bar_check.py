"""Our own bars against the venue's: whether every trade reached its bar.

Trades that are numbered show what is missing by their numbers. Where they are not, the venue's own
candle is the only witness: it has the volume of every trade of its interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isclose

from mirrorcore.market.records import Bar, FeedRecord, Flag, Trade

_KEPT = 4_096
"""Bars of a symbol that wait for their like; the oldest give way, uncompared."""
_SAME = 1e-9
"""Volumes are sums, and sums in another order differ in their last digits."""


@dataclass(frozen=True, slots=True)
class BarCounts:
    """``compared`` pairs of bars, of which ``different`` differed in a price or the volume;
    ``missing`` bars with volume the venue had and we had not."""

    compared: int = 0
    different: int = 0
    missing: int = 0


class BarCheck:
    """Puts bars of one symbol and interval side by side as they come.

    Not compared are a symbol's first bar, which began before anybody listened; bars with a gap in
    them, which say so; and those of a time at which the venue's clock had to be corrected, for then
    trades near an edge fall into another interval here than there.
    """

    def __init__(self, bar_ns: int) -> None:
        self._bar_ns = bar_ns
        self._own: dict[str, dict[int, Bar]] = {}
        self._told: dict[str, dict[int, Bar]] = {}
        self._first: dict[str, int] = {}
        self._corrected: dict[str, int] = {}
        self._compared = self._different = self._missing = 0

    @property
    def counts(self) -> BarCounts:
        """Since the start."""
        return BarCounts(self._compared, self._different, self._missing)

    def heed(self, records: Iterable[FeedRecord]) -> None:
        """Trades of the venue: which of its intervals cannot be compared."""
        for record in records:
            if isinstance(record, Trade) and record.flags & Flag.SKEW_CORRECTED:
                newest = self._corrected.get(record.symbol, 0)
                self._corrected[record.symbol] = max(newest, record.ts_event)

    def own(self, bars: Iterable[Bar]) -> None:
        """Bars made here, each symbol's in order of time."""
        for bar in bars:
            self._first.setdefault(bar.symbol, bar.ts_event)
            _keep(self._own.setdefault(bar.symbol, {}), bar)
            self._compare(bar.symbol, bar.ts_event)
            self._look_back(bar)

    def told(self, bars: Iterable[Bar]) -> None:
        """Finished candles of the venue."""
        for bar in bars:
            _keep(self._told.setdefault(bar.symbol, {}), bar)
            self._compare(bar.symbol, bar.ts_event)

    def _compare(self, symbol: str, start: int) -> None:
        ours, theirs = self._own.get(symbol, {}), self._told.get(symbol, {})
        if start not in ours or start not in theirs:
            return
        mine, other = ours.pop(start), theirs.pop(start)
        if self._comparable(mine):
            self._compared += 1
            self._different += not _same(mine, other)

    def _comparable(self, bar: Bar) -> bool:
        return (
            bar.ts_event > self._first[bar.symbol]
            and not bar.flags & (Flag.AFTER_GAP | Flag.SYNTHETIC)
            and bar.ts_event > self._corrected.get(bar.symbol, -1) + self._bar_ns
        )

    def _look_back(self, bar: Bar) -> None:
        """Own bars come in order: what the venue told of before this one, and we have not, is not
        coming any more."""
        theirs = self._told.get(bar.symbol, {})
        for start in [start for start in theirs if start < bar.ts_event]:
            other = theirs.pop(start)
            known = start > self._first[bar.symbol]
            corrected = start <= self._corrected.get(bar.symbol, -1) + self._bar_ns
            self._missing += known and not corrected and other.volume > 0


def _keep(bars: dict[int, Bar], bar: Bar) -> None:
    bars[bar.ts_event] = bar
    if len(bars) > _KEPT:
        del bars[next(iter(bars))]


def _same(mine: Bar, other: Bar) -> bool:
    prices = (mine.open, mine.high, mine.low, mine.close)
    return prices == (other.open, other.high, other.low, other.close) and isclose(
        mine.volume, other.volume, rel_tol=_SAME
    )
