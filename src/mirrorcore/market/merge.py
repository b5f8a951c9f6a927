"""One order for everything that comes in, and the cut into ticks.

Records are ordered by the tuple (``ts_avail``, rank of the source, ``seq``). A tick is every bar
with one ``ts_avail``; side channels make no ticks of their own, each tick knows the last value
that was available by then.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import numpy as np

from mirrorcore import clock
from mirrorcore.errors import DataError
from mirrorcore.market.block import Floats, Ints, MarketBlock, Series
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.records import ALL_SYMBOLS, Bar, Observation, Record, Stamped
from mirrorcore.market.timeframe import distinct

Brought = TypeVar("Brought", bound=Stamped)
"""Any kind of record."""

_FIELDS = ("open", "high", "low", "close", "volume")


def merge_records(streams: Sequence[Iterable[Brought]]) -> Iterator[Brought]:
    """All records of several sources in order of (``ts_avail``, position of the source, ``seq``).

    Raises
    ------
    DataError
        when a source runs backwards in its own order.
    """

    def keyed(
        rank: int, stream: Iterable[Brought]
    ) -> Iterator[tuple[tuple[int, int, int], Brought]]:
        last = (-1, -1)
        for record in stream:
            now = (record.ts_avail, record.seq)
            if now < last:
                raise DataError(
                    f"{record.source}: a record available at {clock.iso(record.ts_avail)} "
                    f"(seq {record.seq}) came after one of {clock.iso(last[0])} (seq {last[1]})",
                    hint="a source must yield its records in order of ts_avail, then seq",
                )
            last = now
            yield (record.ts_avail, rank, record.seq), record

    merged = heapq.merge(*(keyed(i, s) for i, s in enumerate(streams)), key=_order)
    return (record for _, record in merged)


def _order(item: tuple[tuple[int, int, int], Stamped]) -> tuple[int, int, int]:
    return item[0]


def ticks(records: Iterable[Record]) -> Iterator[tuple[int, list[Record]]]:
    """(``ts_avail``, its records) from records in order."""
    for instant, group in groupby(records, key=_available):
        yield instant, list(group)


def _available(record: Record) -> int:
    return record.ts_avail


@dataclass(frozen=True, slots=True)
class SeriesColumns:
    """Accepted observations of one side channel, ``ts_avail`` (n,) never falling.

    ``symbol`` is ``*`` when the value belongs to every symbol; ``source`` is who brought them.
    """

    name: str
    symbol: str
    ts_avail: Ints
    value: Floats
    source: str = ""


class Timeline:
    """Accepted bars of all symbols on one axis of ticks, cut into blocks on demand.

    Parameters
    ----------
    symbols: order of the block columns.
    bars: accepted bars of each, ``ts_avail`` strictly rising within a symbol.
    series: side channels. Where one name has a value for all and one for a symbol, the later one
        counts, at the same instant the symbol's own.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        bars: Sequence[BarColumns],
        series: Sequence[SeriesColumns] = (),
    ) -> None:
        self.symbols = tuple(symbols)
        self._bars = tuple(bars)
        available = [columns.ts_avail for columns in bars]
        self.ticks: Ints = distinct(np.concatenate([np.empty(0, np.int64), *available]))
        self._rows = [np.searchsorted(self.ticks, instants) for instants in available]
        self._series: dict[str, list[SeriesColumns]] = {}
        for one in sorted(series, key=lambda s: (s.name, s.symbol != ALL_SYMBOLS)):
            self._series.setdefault(one.name, []).append(one)

    def __len__(self) -> int:
        return len(self.ticks)

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        """The ticks from ``start_tick`` on, at most ``max_rows`` (>= 1) in a block."""
        if max_rows < 1:
            raise ValueError(f"max_rows was {max_rows}, must be at least 1")
        for start in range(start_tick, len(self.ticks), max_rows):
            yield self.block(start, min(start + max_rows, len(self.ticks)))

    def block(self, start: int, stop: int) -> MarketBlock:
        """Ticks start..stop."""
        instants = self.ticks[start:stop]
        shape = (stop - start, len(self.symbols))
        present = np.zeros(shape, bool)
        times, flags = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        prices = {name: np.full(shape, np.nan) for name in _FIELDS}
        for s, (columns, rows) in enumerate(zip(self._bars, self._rows, strict=True)):
            first, last = np.searchsorted(rows, (start, stop)).tolist()
            at = rows[first:last] - start
            present[at, s] = True
            times[at, s] = columns.open_ts[first:last]
            flags[at, s] = columns.flags[first:last]
            for name, target in prices.items():
                target[at, s] = getattr(columns, name)[first:last]
        return MarketBlock(
            index=start,
            ts=instants,
            present=present,
            open_ts=times,
            flags=flags,
            series={name: self._as_of(name, instants) for name in self._series},
            **prices,
        )

    def _as_of(self, name: str, instants: Ints) -> Series:
        shape = (len(instants), len(self.symbols))
        value, known_at = np.full(shape, np.nan), np.zeros(shape, np.int64)
        for one in self._series[name]:
            at = np.searchsorted(one.ts_avail, instants, side="right") - 1
            known = at >= 0
            newest = np.where(known, one.ts_avail[at], -1) if len(one.ts_avail) else at
            for s, symbol in enumerate(self.symbols):
                if one.symbol in (ALL_SYMBOLS, symbol):
                    later = known & (newest >= known_at[:, s])
                    value[later, s] = one.value[at[later]]
                    known_at[later, s] = newest[later]
        # All who could have: the same in every block, whichever is newer in it.
        sources = tuple(
            " or ".join(
                dict.fromkeys(
                    one.source
                    for one in self._series[name]
                    if one.symbol in (ALL_SYMBOLS, symbol) and len(one.ts_avail)
                )
            )
            for symbol in self.symbols
        )
        return Series(value, known_at, sources)


class TickAssembler:
    """Records of one live tick as a block, with the side channels' last values carried.

    Parameters
    ----------
    symbols: order of the block columns; a record of another symbol is an error.
    index: number of the next tick within the run.
    units: unit of a series by its name, by the source that brings it.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        index: int = 0,
        units: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self.index = index
        self._units = units or {}
        self._columns = {symbol: s for s, symbol in enumerate(symbols)}
        self._last_ts = 0
        self._values: dict[str, tuple[Floats, Ints, list[str]]] = {}

    def block(self, records: Iterable[Record]) -> MarketBlock:
        """A block of one tick; of none when there is no bar: observations wait for the next.

        Bars of several opens (a backfill after an outage) become rows of their own, in order, a
        nanosecond apart, for a row holds one bar of a symbol.

        Raises
        ------
        DataError
            when a record's symbol is not one of the run.
        """
        opens: dict[int, dict[int, Bar]] = {}
        observations: list[Observation] = []
        instant = self._last_ts + 1
        for record in records:
            if isinstance(record, Bar):
                opens.setdefault(record.ts_event, {})[self._column(record)] = record
            elif isinstance(record, Observation):
                observations.append(record)
            instant = max(instant, record.ts_avail)
        # The value for all first: at one instant a symbol's own counts.
        for observation in sorted(observations, key=lambda o: o.symbol != ALL_SYMBOLS):
            self._observe(observation)
        return self._build(opens, instant)

    def _column(self, record: Bar | Observation) -> int:
        try:
            return self._columns[record.symbol]
        except KeyError:
            raise DataError(
                f"{record.source}: symbol {record.symbol!r} is not part of this run",
                hint=f"the run has {', '.join(self.symbols)}",
            ) from None

    def _observe(self, observation: Observation) -> None:
        count = len(self.symbols)
        value, known_at, sources = self._values.setdefault(
            observation.series,
            (np.full(count, np.nan), np.zeros(count, np.int64), [""] * count),
        )
        where = (
            slice(None)
            if observation.symbol == ALL_SYMBOLS
            else slice((s := self._column(observation)), s + 1)
        )
        value[where] = np.nan if observation.value is None else observation.value
        known_at[where] = observation.ts_avail
        sources[where] = [observation.source] * len(sources[where])

    def _units_of(self, name: str) -> tuple[str, ...]:
        """What one of each symbol's value is, by whoever brought it."""
        return tuple(self._units.get(one, {}).get(name, "") for one in self._values[name][2])

    def _build(self, opens: Mapping[int, Mapping[int, Bar]], instant: int) -> MarketBlock:
        shape = (len(opens), len(self.symbols))
        present = np.zeros(shape, bool)
        times, flags = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        prices = {name: np.full(shape, np.nan) for name in _FIELDS}
        for row, open_ts in enumerate(sorted(opens)):
            for s, bar in opens[open_ts].items():
                present[row, s] = True
                times[row, s] = bar.ts_event
                flags[row, s] = bar.flags
                for name, target in prices.items():
                    target[row, s] = getattr(bar, name)
        instants = instant + np.arange(len(opens), dtype=np.int64)
        block = MarketBlock(
            index=self.index,
            ts=instants,
            present=present,
            open_ts=times,
            flags=flags,
            series={
                name: Series(
                    np.repeat(self._values[name][0][None], len(opens), axis=0),
                    np.repeat(self._values[name][1][None], len(opens), axis=0),
                    tuple(self._values[name][2]),
                    self._units_of(name),
                )
                for name in sorted(self._values)
            },
            **prices,
        )
        self.index += len(opens)
        if len(opens):
            self._last_ts = int(instants[-1])
        return block
