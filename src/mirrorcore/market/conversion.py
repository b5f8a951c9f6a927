"""Between rows of a block and records, so that a paper run's inputs can be journalled and replayed.

A round trip gives the same block to the bit. What a block does not hold is not invented: an
observation comes back with the instant it became known as its event time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirrorcore.market.block import MarketBlock, Series
from mirrorcore.market.records import ALL_SYMBOLS, Bar, Observation, Record


def record_from_bar(
    symbol: str,
    open_ts: int,
    prices: Sequence[float],
    *,
    bar_ns: int,
    source: str,
    flags: int = 0,
) -> Bar:
    """A finished candle as a record, available and received at its close.

    ``prices`` are open, high, low, close and volume; ``open_ts`` is ns UTC.
    """
    o, h, low, c, volume = prices
    return Bar(
        source=source,
        symbol=symbol,
        ts_event=open_ts,
        ts_recv=open_ts + bar_ns,
        ts_avail=open_ts + bar_ns,
        open=o,
        high=h,
        low=low,
        close=c,
        volume=volume,
        flags=flags,
    )


def records_from_row(
    block: MarketBlock,
    row: int,
    symbols: Sequence[str],
    *,
    source: str,
    previous_ts: int = 0,
) -> list[Record]:
    """Everything that tick ``row`` brought: its bars, and observations known since the last tick.

    ``previous_ts`` is the ``ts`` of the tick before, 0 at the start of a journal; ``source`` the
    name for what does not say itself who brought it.
    """
    ts = int(block.ts[row])
    records: list[Record] = []
    for name in sorted(block.series):
        records.extend(_observations(block.series[name], row, name, symbols, source, previous_ts))
    for s, symbol in enumerate(symbols):
        if block.present[row, s]:
            records.append(
                Bar(
                    source=source,
                    symbol=symbol,
                    ts_event=int(block.open_ts[row, s]),
                    ts_recv=ts,
                    ts_avail=ts,
                    open=float(block.open[row, s]),
                    high=float(block.high[row, s]),
                    low=float(block.low[row, s]),
                    close=float(block.close[row, s]),
                    volume=float(block.volume[row, s]),
                    flags=int(block.flags[row, s]),
                )
            )
    return records


def _observations(
    series: Series,
    row: int,
    name: str,
    symbols: Sequence[str],
    source: str,
    previous_ts: int,
) -> list[Record]:
    known = series.known_at[row].tolist()
    values = [None if math.isnan(v) else v for v in series.value[row].tolist()]
    told = [one or source for one in series.sources] or [source] * len(symbols)
    rows = list(zip(told, known, values, strict=True))
    if rows and known[0] > previous_ts and rows.count(rows[0]) == len(rows):
        who, instant, value = rows[0]
        return [_observation(who, name, ALL_SYMBOLS, instant, value)]
    return [
        _observation(who, name, symbol, instant, value)
        for symbol, (who, instant, value) in zip(symbols, rows, strict=True)
        if instant > previous_ts
    ]


def _observation(
    source: str, name: str, symbol: str, instant: int, value: float | None
) -> Observation:
    return Observation(
        source=source,
        series=name,
        symbol=symbol,
        ts_event=instant,
        ts_recv=instant,
        ts_avail=instant,
        value=value,
    )
