"""The bars of consecutive ticks or grid rows, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints, MarketBlock


@dataclass(slots=True)
class Rows:
    """Bars of N rows by S symbols; what is not ``present`` holds zeros, as does no volume."""

    present: Bools
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def empty(cls, rows: int, symbols: int) -> Rows:
        shape = (rows, symbols)
        return cls(
            np.zeros(shape, dtype=np.bool_),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
        )

    @classmethod
    def of(cls, block: MarketBlock) -> Rows:
        """The bars of a block. One without positive finite prices counts as absent.

        A price of zero or below has no logarithm, and every return here is one.
        """
        high, low, close = block.high, block.low, block.close
        usable = block.present & (low > 0.0) & (close > 0.0) & (high < np.inf) & (close < np.inf)
        volume = np.where(usable & (block.volume > 0.0) & (block.volume < np.inf), block.volume, 0)
        if not usable.all():
            high = np.where(usable, high, 0.0)
            low = np.where(usable, low, 0.0)
            close = np.where(usable, close, 0.0)
        return cls(usable, high, low, close, volume)

    def put(self, where: Ints, source: Rows, take: Ints) -> None:
        """Copy the rows ``take`` of ``source`` to the rows ``where``."""
        self.present[where] = source.present[take]
        self.high[where] = source.high[take]
        self.low[where] = source.low[take]
        self.close[where] = source.close[take]
        self.volume[where] = source.volume[take]

    def row(self, index: int) -> Rows:
        """One row as rows of their own, copied."""
        return Rows(
            self.present[index : index + 1].copy(),
            self.high[index : index + 1].copy(),
            self.low[index : index + 1].copy(),
            self.close[index : index + 1].copy(),
            self.volume[index : index + 1].copy(),
        )

    def joined(self, later: Rows) -> Rows:
        """Bars of the same interval as one bar: the widest range, the last close, all volume."""
        both = self.present & later.present
        return Rows(
            self.present | later.present,
            np.maximum(self.high, later.high),
            np.where(both, np.minimum(self.low, later.low), self.low + later.low),
            np.where(later.present, later.close, self.close),
            self.volume + later.volume,
        )

    def checkpoint(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name).copy() for field in fields(self)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Rows:
        columns = {name: np.array(state[name]) for name in ("high", "low", "close", "volume")}
        return cls(present=np.array(state["present"], dtype=np.bool_), **columns)
