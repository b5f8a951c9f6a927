"""What each voter's pull on the book earned: the book's result split by who asked for what.

A voter's part of the target is linear in its pull: the pull, times the weight the allocator gives
to a unit of edge, times the share the gate lets through. It earns what the market does to it from
one mark to the next, on the equity of that moment. What the book earned beyond the sum of these
parts (clips, caps and the no-trade band, hard limits, fills at another price, costs) is nobody's
vote and is the desk's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats


@dataclass(frozen=True, slots=True)
class Pulls:
    """Some rows: ``residual`` (T, S, N) and ``common`` (T, N) pulls of the voters on the edges, and
    the weights for a unit of edge, ``slope`` (T, S) and ``common_slope`` (T,)."""

    residual: Floats
    common: Floats
    slope: Floats
    common_slope: Floats

    def __len__(self) -> int:
        return len(self.slope)

    @property
    def voters(self) -> int:
        return int(self.residual.shape[2])

    def last(self) -> Pulls:
        """A copy of the last row, so that the rows before it can be forgotten."""
        return Pulls(
            self.residual[-1:].copy(),
            self.common[-1:].copy(),
            self.slope[-1:].copy(),
            self.common_slope[-1:].copy(),
        )

    def earned(self, capital: Floats, moved: Floats) -> Floats:
        """(n, N) what the parts of each voter earn in the first n rows, where ``capital`` (n,) is
        invested and prices then move by ``moved`` (n, S), as a fraction."""
        rows, symbols = moved.shape
        mean = _sum_columns(moved) / symbols
        # Weights lose their mean over the symbols; so may the moves instead, at less cost.
        beside = moved - mean[:, None] if symbols > 1 else moved
        worth = beside * self.slope[:rows] * capital[:, None]
        together = mean * symbols * self.common_slope[:rows] * capital
        gained: Floats = self.common[:rows] * together[:, None]
        for symbol in range(symbols):
            gained += self.residual[:rows, symbol] * worth[:, symbol, None]
        return gained


def pulls_of(oracle: Any, allocator: Any) -> Pulls | None:
    """The pulls on the rows that two agents analysed last; None of agents that do not say."""
    residual, common = getattr(oracle, "pulls", None), getattr(oracle, "common_pulls", None)
    slopes = getattr(allocator, "slopes", None)
    if residual is None or common is None or slopes is None:
        return None
    return Pulls(residual, common, *slopes)


class Contributions:
    """Adds up what the voters' parts earned, in settlement currency, since the run began."""

    def __init__(self, symbols: int) -> None:
        self._prices = np.zeros(symbols)
        self._held: tuple[Pulls, Floats] | None = None
        self.known = False
        """Whether oracle and allocator have said who pulled how much."""
        self.totals: Floats = np.zeros(0)

    def update(self, pulls: Sequence[Pulls], capital: Floats, prices: Floats) -> None:
        """A block: the ``pulls`` of its rows, ``capital`` (T,) the share of equity the gate lets
        through in money, ``prices`` (T, S) of the marks, 0 where there is none yet."""
        before = np.concatenate([self._prices[None], prices[:-1]])
        moved = np.divide(prices, before, out=np.ones_like(prices), where=before > 0) - 1.0
        self._prices = prices[-1].copy()
        if self._held is not None:
            # What was held when this block began lives through its first move.
            self._add(self._held[0].earned(self._held[1], moved[:1]))
        row = 0
        for group in _joined(pulls):
            # The last row of all is held into the next block.
            stop = min(row + len(group), len(moved) - 1)
            self._add(group.earned(capital[row:stop], moved[row + 1 : stop + 1]))
            row += len(group)
        if pulls:
            self.known = True
            self._held = pulls[-1].last(), capital[-1:].copy()

    def _add(self, gained: Floats) -> None:
        """Row by row, so that the sum does not depend on how rows were cut into blocks."""
        totals = np.pad(self.totals, (0, gained.shape[1] - len(self.totals)))
        self.totals = np.add.accumulate(np.concatenate([totals[None], gained]))[-1]


def _joined(pulls: Sequence[Pulls]) -> list[Pulls]:
    """Neighbours with the same voters as one."""
    joined = []
    for _, alike in groupby(pulls, key=lambda rows: rows.voters):
        rows = list(alike)
        joined.append(
            rows[0]
            if len(rows) == 1
            else Pulls(
                *(
                    np.concatenate([getattr(row, name) for row in rows])
                    for name in ("residual", "common", "slope", "common_slope")
                )
            )
        )
    return joined


def _sum_columns(values: Floats) -> Floats:
    total = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        total += values[:, column]
    return total
