"""What was held and what the market did next, tick by tick: for the permutation test."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.engine import BlockRecord


class PositionTape:
    """Observes a run; keeps positions, marks and equity of every tick."""

    def __init__(self, swarm: Swarm) -> None:
        self._rates = swarm.parts.path.ledger.rates
        units = swarm.parts.path.ledger.units
        self._value = np.array(units.value, dtype=np.float64)
        self._held: tuple[int, ...] = (0,) * len(units)
        self._lots: list[Floats] = []
        self._prices: list[Floats] = []
        self._equity: list[Floats] = []
        self._first = self._last = 0

    def block(self, record: BlockRecord) -> None:
        """Take note of a finished block."""
        prices = np.array(record.prices, dtype=np.float64)
        lots = np.empty_like(prices)
        row = 0
        for changed, held in record.held:
            lots[row:changed] = self._held
            row, self._held = changed, held
        lots[row:] = self._held
        # In the account's currency, as equity is.
        self._lots.append(lots if self._rates is None else lots * self._rates.matrix(prices))
        self._prices.append(prices)
        self._equity.append(np.array(record.equity, dtype=np.float64))
        self._first = self._first or int(record.block.ts[0])
        self._last = int(record.block.ts[-1])

    @property
    def days(self) -> int:
        """Days between the first and the last tick, to the nearest."""
        return round((self._last - self._first) / DAY)

    def paths(self) -> tuple[Floats, Floats]:
        """(T - 1, S) share of equity held at each tick, and return of the symbol until the next.

        Both are 0 for a symbol before its first price, and where equity was used up.
        """
        if not self._lots:
            empty = np.zeros((0, len(self._value)))
            return empty, empty
        lots, prices = np.concatenate(self._lots), np.concatenate(self._prices)
        equity = np.concatenate(self._equity)[:, None]
        worth = lots * self._value * prices
        weights = np.divide(worth, equity, out=np.zeros_like(worth), where=equity > 0)
        moves = np.diff(prices, axis=0)
        before = prices[:-1]
        returns = np.divide(moves, before, out=np.zeros_like(moves), where=before > 0)
        return weights[:-1], returns
