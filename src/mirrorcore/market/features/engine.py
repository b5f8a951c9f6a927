"""Features on the time grid: ticks in, categorised columns out.

The grid has one row per bar interval, counted from 1970. A symbol's features depend on its own
bars and on time, never on which other symbols are in the run:

- an interval without a bar is a row with return 0, range 0, volume 0 and the close carried;
- the newest row stays open until time moves on: a bar that comes later within the interval joins
  it, and the row is computed again;
- a symbol silent for :func:`~.catalogue.silence_limit` rows has forgotten all and begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from mirrorcore.errors import DataError
from mirrorcore.market.block import Floats, Ints, MarketBlock
from mirrorcore.market.categories import CategorizedBlock, split_series
from mirrorcore.market.features.bank import FeatureBank
from mirrorcore.market.features.catalogue import features, silence_limit
from mirrorcore.market.features.filters import State
from mirrorcore.market.features.rows import Rows
from mirrorcore.market.records import CATEGORIES, Category

_CELLS = 8192
"""Rows times symbols worked on at once, so that the arrays of a step stay in the cache."""
_PIECE_ROWS = (512, 4096)
"""But not fewer rows, or the windows' pasts outweigh them, and not more than a block has."""


class FeatureEngine:
    """Computes the features of :mod:`.catalogue` block by block.

    The same ticks give the same bits however they are cut into blocks.

    Parameters
    ----------
    symbols : number of columns S.
    bar_ns : length of a bar interval, nanoseconds.
    """

    def __init__(self, symbols: int, bar_ns: int) -> None:
        if symbols < 1 or bar_ns < 1:
            raise ValueError(f"needs a symbol and an interval, got {symbols} and {bar_ns} ns")
        self.symbols, self.bar_ns = symbols, bar_ns
        self.features = features(bar_ns)
        self._limit = silence_limit(bar_ns)
        fewest, most = _PIECE_ROWS
        self._piece = min(max(_CELLS // symbols, fewest), most, self._limit - 1)
        self._known_at: Ints = np.zeros(symbols, dtype=np.int64)
        self._begin_anew(-1)

    def _begin_anew(self, row: int) -> None:
        """Stand on grid row ``row`` (-1: nowhere yet) and know of no bar."""
        self._row = row
        self._open = Rows.empty(1, self.symbols)
        self._last: Ints = np.full(self.symbols, -1, dtype=np.int64)
        self._bank = FeatureBank(self.symbols, self.bar_ns, max(row, 0))

    def update(self, block: MarketBlock) -> CategorizedBlock:
        """The features of the block's ticks; blocks come in order, without overlap.

        Side channels named ``category.name`` are passed through under their category.
        """
        if block.present.shape != (len(block), self.symbols):
            raise DataError(
                f"a block of shape {block.present.shape} came for {self.symbols} symbols",
                hint="the engine takes blocks (T, S) with the columns it was made for",
            )
        ticks = Rows.of(block)
        grid = block.ts // self.bar_ns
        found = {feature.name: np.empty(block.present.shape) for feature in self.features}
        for start, stop in self._stretches(grid, ticks):
            self._stretch(ticks, grid, start, stop, found)
        return self._categorized(block, ticks, found)

    def _stretches(self, grid: Ints, ticks: Rows) -> Iterator[tuple[int, int]]:
        """Cut where a second tick brings bars for a row, and where all symbols are forgotten."""
        steps = np.diff(grid)
        if (steps < 0).any() or (len(grid) and grid[0] < self._row):
            raise DataError(
                "the ticks of a block run backwards in time",
                hint="feed blocks in order of ts_avail, each tick once",
            )
        again = (steps == 0) & ticks.present[1:].any(axis=1)
        cuts = np.flatnonzero(again | (steps >= self._limit)) + 1
        edges = [0, *cuts.tolist(), len(grid)]
        yield from (pair for pair in pairwise(edges) if pair[0] < pair[1])

    def _stretch(
        self, ticks: Rows, grid: Ints, start: int, stop: int, found: dict[str, Floats]
    ) -> None:
        """Advance over the ticks start..stop, piece by piece; the first piece redoes the open row.

        Only the first tick of a row has bars, except that the very first may join the open row.
        """
        first, top = int(grid[start]), int(grid[stop - 1])
        if self._row < 0 or first - self._row >= self._limit:
            self._begin_anew(first)
        if first == self._row:
            self._open = self._open.joined(ticks.row(start))
        base = self._row
        row_of = grid[start:stop] - base
        brings = np.flatnonzero(np.diff(row_of, prepend=0) > 0)
        row, total = 0, top - base + 1
        while row < total:
            self._forget(base + row)
            end = min(row + self._piece, total, self._next_silence(base + row) - base)
            rows = Rows.empty(end - row, self.symbols)
            if row == 0:
                rows.put(np.array([0]), self._open, np.array([0]))
            low, high = np.searchsorted(row_of[brings], (row, end))
            sources = brings[low:high]
            rows.put(row_of[sources] - row, ticks, sources + start)
            commit = end - row - (end == total)
            values = self._bank.advance(rows, commit)
            self._note(rows, base + row, commit)
            low, high = np.searchsorted(row_of, (row, end))
            _copy(values, row_of[low:high] - row, found, start + int(low))
            if end == total:
                self._open = rows.row(end - row - 1)
            row = end
        self._row = top

    def _forget(self, row: int) -> None:
        """Let the symbols begin anew whose last bar lies too far before grid row ``row``."""
        silent = (self._last >= 0) & (self._last + self._limit <= row)
        if silent.any():
            self._bank.clear(silent)
            self._last[silent] = -1

    def _next_silence(self, row: int) -> int:
        """The first row after ``row`` at which a symbol may have to begin anew."""
        alive = self._last[self._last >= 0]
        return int(alive.min()) + self._limit if len(alive) else row + self._limit

    def _note(self, rows: Rows, first: int, commit: int) -> None:
        """Remember the last row with an own bar, per symbol."""
        if commit:
            numbers = np.arange(first, first + commit)[:, np.newaxis]
            newest = np.where(rows.present[:commit], numbers, -1).max(axis=0)
            np.maximum(self._last, newest, out=self._last)

    def _categorized(
        self, block: MarketBlock, ticks: Rows, found: dict[str, Floats]
    ) -> CategorizedBlock:
        known = np.where(ticks.present, block.ts[:, np.newaxis], 0)
        np.maximum.accumulate(known, axis=0, out=known)
        np.maximum(known, self._known_at, out=known)
        if len(known):
            self._known_at = known[-1].copy()
        values: dict[Category, dict[str, Floats]] = {category: {} for category in CATEGORIES}
        known_at: dict[Category, dict[str, Ints]] = {category: {} for category in CATEGORIES}
        for feature in self.features:
            values[feature.category][feature.name] = found[feature.name]
            known_at[feature.category][feature.name] = known
        for label, series in block.series.items():
            category, name = split_series(label)
            if name in values[category]:
                raise DataError(
                    f"the series {label!r} has the name of a feature",
                    hint="give the series another name; features are never overwritten",
                )
            values[category][name] = series.value
            known_at[category][name] = series.known_at
        return CategorizedBlock(market=block, values=values, known_at=known_at)

    def checkpoint(self) -> State:
        """All state as a plain dict of arrays, integers and further dicts."""
        return {
            "symbols": self.symbols,
            "bar_ns": self.bar_ns,
            "row": self._row,
            "last": self._last.copy(),
            "known_at": self._known_at.copy(),
            "open": self._open.checkpoint(),
            "bank": self._bank.checkpoint(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of an engine with the same symbols and interval."""
        if (state["symbols"], state["bar_ns"]) != (self.symbols, self.bar_ns):
            raise DataError(
                f"the checkpoint is of {state['symbols']} symbols at {state['bar_ns']} ns, this "
                f"engine has {self.symbols} at {self.bar_ns} ns",
                hint="restore with the configuration the checkpoint was made with",
            )
        self._row = int(state["row"])
        self._last = np.array(state["last"], dtype=np.int64)
        self._known_at = np.array(state["known_at"], dtype=np.int64)
        self._open = Rows.restored(state["open"])
        self._bank.restore(state["bank"])


def _copy(values: dict[str, Floats], rows: Ints, found: dict[str, Floats], start: int) -> None:
    """Copy the rows of a piece to the ticks that see them, from tick ``start``."""
    if not len(rows):
        return
    stop = start + len(rows)
    take: slice | Ints = rows
    if int(rows[-1]) - int(rows[0]) + 1 == len(rows):
        take = slice(int(rows[0]), int(rows[-1]) + 1)
    for name, column in found.items():
        column[start:stop] = values[name][take]
