"""Bars of the middle between bid and ask."""

from __future__ import annotations

import numpy as np

from mirrorcore.data_sources.forex.quote_files import SIDES, PriceColumns
from mirrorcore.errors import UsageError
from mirrorcore.market.block import Floats, Ints
from mirrorcore.market.columns import BarColumns


def mid_bars(prices: PriceColumns, bar_ns: int = 0, *, assumed_volume: float = 0.0) -> BarColumns:
    """The file as bars, available at their close.

    Bars of both sides: the mean of both for each of open, high, low, close; the high of the middle
    lies at or below that mean, for the two sides need not peak together. Ticks: exact, of length
    ``bar_ns``; an interval without tick has no bar, and the volume is the number of ticks. Bars of
    one price as they are.

    Parameters
    ----------
    bar_ns: length, for ticks alone: bars keep theirs.
    assumed_volume: of a bar in a file that has none, in base currency. Quotes know no volume; 0
        says so, and nothing can then be filled against these bars.

    Raises
    ------
    UsageError
        where a length is missing or given for a file that has its own.
    """
    ticks = prices.layout == "ticks"
    if (ticks and bar_ns <= 0) or (not ticks and bar_ns not in (0, prices.file.bar_ns)):
        raise UsageError(
            f"{prices.label}: {'ticks need' if ticks else 'bars keep'} their bar length",
            hint="give bar_ns for ticks alone",
        )
    if ticks:
        return _of_ticks(prices, bar_ns)
    columns = prices.columns
    if prices.layout == "sides":
        o, h, low, c = ((columns[f"bid_{n}"] + columns[f"ask_{n}"]) / 2 for n in SIDES)
    else:
        o, h, low, c = (columns[n] for n in SIDES)
    volume = columns.get("volume", np.full(len(prices.ts), assumed_volume))
    return _bars(prices.ts, prices.file.bar_ns, (o, h, low, c), volume)


def _of_ticks(prices: PriceColumns, bar_ns: int) -> BarColumns:
    mid = (prices.columns["bid"] + prices.columns["ask"]) / 2
    number = prices.ts // bar_ns
    starts = np.flatnonzero(np.diff(number, prepend=number[:1] - 1))
    ends = np.append(starts[1:], len(mid))
    if not len(mid):
        return _bars(prices.ts, bar_ns, (mid, mid, mid, mid), mid)
    high, low = np.maximum.reduceat(mid, starts), np.minimum.reduceat(mid, starts)
    counts = (ends - starts).astype(np.float64)
    return _bars(number[starts] * bar_ns, bar_ns, (mid[starts], high, low, mid[ends - 1]), counts)


def _bars(
    open_ts: Ints, bar_ns: int, prices: tuple[Floats, Floats, Floats, Floats], volume: Floats
) -> BarColumns:
    available = open_ts + bar_ns
    o, h, low, c = prices
    flags = np.zeros(len(open_ts), np.int64)
    return BarColumns(open_ts, available, available, o, h, low, c, volume, flags)
