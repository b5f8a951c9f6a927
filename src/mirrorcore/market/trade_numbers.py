"""Which numbers of a venue's trades have been accepted, and which are missing."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from mirrorcore.market.bar_rules import Cases
from mirrorcore.market.block import Ints
from mirrorcore.market.intake import Case
from mirrorcore.market.trade_columns import TradeColumns

_HOLES = 256
"""Gaps remembered, the newest, for a late trade to fill."""


@dataclass(slots=True)
class TradeNumbers:
    """Everything from ``first`` to ``last`` was accepted but for the holes; 0 before the first.

    Where the venue's numbers skip by themselves (not ``dense``) no holes are kept.
    """

    dense: bool = True
    first: int = 0
    last: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    """[start, end) of numbers missing, rising."""

    def met(self, number: int) -> bool:
        """Whether a trade with this number was accepted; unknown counts as not met."""
        inside = self.first <= number <= self.last
        return self.dense and inside and self._hole_with(number) < 0

    def take(self, seq: Ints) -> Ints:
        """Take up accepted numbers (n,), all above 0; the positions that skip some."""
        if not len(seq):
            return np.empty(0, np.int64)
        self.first = self.first or int(seq[0])
        before = np.maximum.accumulate(np.concatenate([[self.last or int(seq[0]) - 1], seq]))
        self.last = int(before[-1])
        if not self.dense:
            return np.empty(0, np.int64)
        jumps = np.flatnonzero(seq > before[:-1] + 1)
        for jump in jumps.tolist():
            self.holes.append((int(before[jump]) + 1, int(seq[jump])))
        for number in seq[seq <= before[:-1]].tolist():
            self._fill(number)
        del self.holes[:-_HOLES]
        return jumps

    def _hole_with(self, number: int) -> int:
        """Position of the hole that holds ``number``, -1 where none does."""
        at = bisect_right(self.holes, (number, 2**63)) - 1
        return at if at >= 0 and number < self.holes[at][1] else -1

    def _fill(self, number: int) -> None:
        if number < self.first:
            if number + 1 < self.first:
                self.holes.insert(0, (number + 1, self.first))
            self.first = number
            return
        at = self._hole_with(number)
        if at < 0:
            return
        start, end = self.holes[at]
        rest = [(start, number), (number + 1, end)]
        self.holes[at : at + 1] = [hole for hole in rest if hole[0] < hole[1]]


class SeenTrades:
    """What was accepted before a row of a batch, for a trade whose number is not the next one.

    Parameters
    ----------
    numbers, tail: as they were before the batch.
    trades, sound: the batch and its rows without a fault of their own.
    """

    def __init__(
        self, numbers: TradeNumbers, tail: TradeColumns, trades: TradeColumns, sound: Ints
    ) -> None:
        self._numbers, self._trades, self._sound = numbers, trades, sound
        self._newest = int(tail.epoch[-1]) if len(tail) else -1
        columns = (tail.epoch, tail.price, tail.quantity)
        values = zip(*(column.tolist() for column in columns), strict=True)
        self._rows: dict[int, tuple[int, float, float]] = dict(
            zip(tail.seq.tolist(), values, strict=True)
        )
        self._done = 0

    def verdict(self, row: int, cases: Cases) -> Case:
        """The case of a numbered row, given those of the rows before it."""
        for past in range(self._done, row):
            if cases[past] == Case.NONE:
                number, epoch, price, quantity = self._values(past)
                self._rows[number] = (epoch, price, quantity)
        self._done = row
        number, epoch, price, quantity = self._values(row)
        known = self._rows.get(number)
        if known is not None:
            if known[1:] != (price, quantity):
                return Case.REVISED
            return Case.REPLAYED if epoch > known[0] else Case.DUPLICATE
        if not self._numbers.met(number):
            return Case.NONE
        return Case.REPLAYED if 0 <= self._newest < epoch else Case.DUPLICATE

    def _values(self, row: int) -> tuple[int, int, float, float]:
        trades, at = self._trades, self._sound[row]
        return (
            int(trades.seq[at]),
            int(trades.epoch[at]),
            float(trades.price[at]),
            float(trades.quantity[at]),
        )
