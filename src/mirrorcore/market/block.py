"""A stretch of market in columns: T ticks by S symbols.

A tick is everything with one ``ts_avail``. Live, a block holds one tick; replay of history cuts
blocks of up to 4,096. Whatever is computed from blocks is the same to the bit however they are
cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Series:
    """One side channel as each tick knows it: the last value available, and since when.

    ``value`` (T, S) is NaN until the first observation and where an observation was *missing*;
    ``known_at`` (T, S) is the ``ts_avail`` of that observation, 0 before there is one.
    ``sources`` names for each symbol who brought its values; empty where nobody kept it.
    ``units`` says for each symbol what one of its value is, '' or empty where its source did not.
    """

    value: Floats
    known_at: Ints
    sources: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MarketBlock:
    """T ticks of S symbols, oldest first.

    ``index`` is the number of the first tick within the run. Where ``present`` is False the
    symbol had no bar in that tick and its prices and volume are NaN.
    """

    index: int
    ts: Ints  # (T,) ts_avail, strictly rising
    present: Bools  # (T, S)
    open_ts: Ints  # (T, S) ts_event of the bar, its open; 0 where absent
    open: Floats  # (T, S)
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    flags: Ints  # (T, S) bits of records.Flag
    series: Mapping[str, Series] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts)

    def rows(self, start: int, stop: int) -> MarketBlock:
        """The ticks start..stop as a block of their own; the arrays are views."""
        return MarketBlock(
            index=self.index + start,
            ts=self.ts[start:stop],
            present=self.present[start:stop],
            open_ts=self.open_ts[start:stop],
            open=self.open[start:stop],
            high=self.high[start:stop],
            low=self.low[start:stop],
            close=self.close[start:stop],
            volume=self.volume[start:stop],
            flags=self.flags[start:stop],
            series={
                name: Series(s.value[start:stop], s.known_at[start:stop], s.sources, s.units)
                for name, s in self.series.items()
            },
        )
