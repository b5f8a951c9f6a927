"""The six categories agents are interested in, as blocks of columns and as mappings.

Block analysts read the columns. An agent written as in the guide reads
``{category: {symbol: {name: value}}}``, cut from the same columns for one tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from mirrorcore.errors import DataError
from mirrorcore.market.block import Floats, Ints, MarketBlock
from mirrorcore.market.derive import Derivation
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    CATEGORIES,
    Bar,
    Category,
    FeedRecord,
    Observation,
    Record,
    Stamped,
)
from mirrorcore.market.series import unit_of

COMPUTED = "bars"
"""Source of the features: they are computed from the symbol's own bars."""

Columns = Mapping[Category, Mapping[str, Floats]]
Knowledge = Mapping[Category, Mapping[str, Ints]]
Plain = dict[str, dict[str, dict[str, float]]]


def split_series(series: str) -> tuple[Category, str]:
    """``onchain.whale_flow`` as its category and its name; DataError for anything else."""
    prefix, _, name = series.partition(".")
    for category in CATEGORIES:
        if prefix == category and name:
            return category, name
    raise DataError(
        f"the series {series!r} belongs to no category",
        hint=f"name it category.name with one of {', '.join(CATEGORIES)}",
    )


@dataclass(frozen=True, slots=True)
class CategorizedBlock:
    """A stretch of market with all that is computed from it, by category.

    ``values`` are (T, S), NaN = unknown or warming up. ``known_at`` are (T, S): the ``ts_avail``
    of the newest record behind the value, 0 = there never was one.
    """

    market: MarketBlock
    values: Columns
    known_at: Knowledge

    def __len__(self) -> int:
        return len(self.market)

    def rows(self, start: int, stop: int) -> CategorizedBlock:
        """The ticks start..stop as a block of their own; the arrays are views."""
        return CategorizedBlock(
            market=self.market.rows(start, stop),
            values={
                category: {name: column[start:stop] for name, column in columns.items()}
                for category, columns in self.values.items()
            },
            known_at={
                category: {name: column[start:stop] for name, column in columns.items()}
                for category, columns in self.known_at.items()
            },
        )

    def row(self, t: int) -> CategorizedBlock:
        """Tick t as a block of one; the arrays are views."""
        return self.rows(t, t + 1)

    def view(
        self, t: int, symbols: Sequence[str], interests: Iterable[str] = CATEGORIES
    ) -> Mapping[str, Mapping[str, SymbolView]]:
        """Tick t as the guide has it, ``{category: {symbol: {name: value}}}``, read-only.

        Values are read when they are asked for. ``symbols`` are the names of the columns;
        interests that are no market category are left to whoever serves them.
        """
        wanted = tuple(interests)
        return MappingProxyType(
            {
                category: MappingProxyType(
                    {
                        symbol: SymbolView(self, category, t, column)
                        for column, symbol in enumerate(symbols)
                    }
                )
                for category in CATEGORIES
                if category in wanted
            }
        )


def sealed(block: CategorizedBlock) -> CategorizedBlock:
    """The same block with every array read-only: agents look at the market, they do not make it."""
    market = block.market
    columns = [
        *(column for group in block.values.values() for column in group.values()),
        *(column for group in block.known_at.values() for column in group.values()),
        *(array for series in market.series.values() for array in (series.value, series.known_at)),
        *(getattr(market, field.name) for field in fields(market)),
    ]
    for column in columns:
        if isinstance(column, np.ndarray):
            column.flags.writeable = False
    return block


class SymbolView(Mapping[str, float]):
    """One symbol's values of one category at one tick: ``{name: value}``, NaN = unknown."""

    __slots__ = ("_block", "_category", "_column", "_t")

    def __init__(self, block: CategorizedBlock, category: Category, t: int, column: int) -> None:
        self._block, self._category, self._t, self._column = block, category, t, column

    def __getitem__(self, name: str) -> float:
        return float(self._block.values[self._category][name][self._t, self._column])

    def __iter__(self) -> Iterator[str]:
        return iter(self._block.values.get(self._category, ()))

    def __len__(self) -> int:
        return len(self._block.values.get(self._category, ()))

    def __repr__(self) -> str:
        return repr(dict(self))

    def age_ns(self, name: str) -> int | None:
        """How long ago the newest record behind ``name`` became available; None if never."""
        known = int(self._block.known_at[self._category][name][self._t, self._column])
        return int(self._block.market.ts[self._t]) - known if known else None

    def unit(self, name: str) -> str:
        """What one of the value is, '' where nobody said; KeyError for a name that is not there.

        Whoever brought the value knows it best; what is said of the series in general comes next.
        """
        self._block.values[self._category][name]
        series = self._block.market.series.get(f"{self._category}.{name}")
        declared = series.units[self._column] if series is not None and series.units else ""
        return declared or unit_of(self._category, name)

    def source(self, name: str) -> str:
        """Who brought the value: a source, ``bars`` for what is computed of them.

        '' if unknown or before the first; KeyError for a name that is not there.
        """
        if not self._block.known_at[self._category][name][self._t, self._column]:
            return ""
        series = self._block.market.series.get(f"{self._category}.{name}")
        if series is None:
            return COMPUTED
        return series.sources[self._column] if series.sources else ""


class DataCategorizer:
    """The guide's categoriser: whatever has been collected, as six categories of plain values.

    Parameters
    ----------
    symbols : names of the columns, in the run's order. An observation of the whole market is
        given to each of them.
    """

    def __init__(self, symbols: Sequence[str] = ()) -> None:
        self.symbols = tuple(symbols)

    def process(self, raw_data: CategorizedBlock | MarketBlock | Iterable[Any]) -> Plain:
        """``{category: {symbol: {name: value}}}`` with all six categories.

        Takes a block, of which it gives the newest tick, or records, possibly in one list per
        source, of which the newest of each kind wins. A market block and records have no features:
        their technical values are the bar itself. Trades, quotes, books and funding give what
        :mod:`mirrorcore.market.derive` makes of all of them together; texts, swaps, transfers,
        blocks and statuses have no value of their own. Missing values are NaN.
        """
        if isinstance(raw_data, CategorizedBlock):
            view = raw_data.view(len(raw_data) - 1, self._named(raw_data.market))
            return {
                category: {symbol: dict(values) for symbol, values in symbols.items()}
                for category, symbols in view.items()
            }
        if isinstance(raw_data, MarketBlock):
            return self._from_market(raw_data)
        return self._from_records(list(_flat(raw_data)))

    def _named(self, block: MarketBlock) -> tuple[str, ...]:
        if block.present.shape[1] != len(self.symbols):
            raise DataError(
                f"the block has {block.present.shape[1]} columns for {len(self.symbols)} symbols",
                hint="give DataCategorizer the symbols of the run, in its order",
            )
        return self.symbols

    def _from_market(self, block: MarketBlock) -> Plain:
        found = _empty(self._named(block))
        bar = ("open", "high", "low", "close", "volume")
        for column, symbol in enumerate(self.symbols):
            for name in bar:
                found["technical"][symbol][name] = float(getattr(block, name)[-1, column])
            for label, series in block.series.items():
                category, name = split_series(label)
                found[category][symbol][name] = float(series.value[-1, column])
        return found

    def _from_records(self, given: list[FeedRecord]) -> Plain:
        records = _derived(given)
        named = {record.symbol: None for record in records if record.symbol != ALL_SYMBOLS}
        symbols = tuple(dict.fromkeys((*self.symbols, *named))) or (ALL_SYMBOLS,)
        found = _empty(symbols)
        for record in sorted(records, key=lambda r: (r.ts_avail, r.seq)):
            if isinstance(record, Bar):
                found["technical"][record.symbol].update(
                    open=record.open,
                    high=record.high,
                    low=record.low,
                    close=record.close,
                    volume=record.volume,
                )
            elif isinstance(record, Observation):
                category, name = split_series(record.series)
                value = float("nan") if record.value is None else record.value
                for symbol in symbols if record.symbol == ALL_SYMBOLS else (record.symbol,):
                    found[category][symbol][name] = value
        return found


def _empty(symbols: Iterable[str]) -> Plain:
    names = tuple(symbols)
    return {category: {symbol: {} for symbol in names} for category in CATEGORIES}


def _derived(records: list[FeedRecord]) -> list[Record]:
    """The records with what is derived from them, in one interval that ends with the last."""
    if not records:
        return []
    last = max(record.ts_avail for record in records)
    derivation = Derivation(max(last, 1))
    found: list[Record] = []
    for record in sorted(records, key=lambda r: (r.ts_avail, r.seq)):
        found += derivation.take(record)
    return found + derivation.advance(last)


def _flat(raw: Iterable[Any]) -> Iterator[FeedRecord]:
    for item in raw:
        if isinstance(item, Stamped):
            yield item  # type: ignore[misc]  # every stamped record is one of them
        elif isinstance(item, list | tuple):
            yield from _flat(item)
        else:
            raise DataError(
                f"cannot categorise {item!r}, which is no record of a source",
                hint="pass bars and observations, or one list of them per source",
            )
