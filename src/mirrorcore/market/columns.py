"""Records of one symbol or one series in columns, in the order they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.records import Bar, Observation


@dataclass(frozen=True, slots=True)
class BarColumns:
    """n bars of one symbol; every array has shape (n,). Times in ns UTC."""

    open_ts: Ints
    ts_recv: Ints
    ts_avail: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    flags: Ints

    def __len__(self) -> int:
        return len(self.open_ts)

    def take(self, where: Bools | Ints | slice) -> BarColumns:
        """The rows chosen by a mask, by indices or by a slice (then as views)."""
        return BarColumns(
            open_ts=self.open_ts[where],
            ts_recv=self.ts_recv[where],
            ts_avail=self.ts_avail[where],
            open=self.open[where],
            high=self.high[where],
            low=self.low[where],
            close=self.close[where],
            volume=self.volume[where],
            flags=self.flags[where],
        )

    def values(self, row: int) -> dict[str, float]:
        """Prices and volume of one row, for a quarantine sample."""
        return {
            name: float(getattr(self, name)[row])
            for name in ("open", "high", "low", "close", "volume")
        }

    @classmethod
    def of(cls, bars: Sequence[Bar]) -> BarColumns:
        """The same bars in columns."""
        times = np.array([(b.ts_event, b.ts_recv, b.ts_avail, b.flags) for b in bars], np.int64)
        prices = np.array([(b.open, b.high, b.low, b.close, b.volume) for b in bars], np.float64)
        event, receipt, avail, flags = times.reshape(-1, 4).T
        o, h, low, c, v = prices.reshape(-1, 5).T
        return cls(event, receipt, avail, o, h, low, c, v, flags)


@dataclass(frozen=True, slots=True)
class ObservationColumns:
    """n observations of one series and symbol; ``value`` is NaN where it is *missing*."""

    ts_event: Ints
    ts_recv: Ints
    ts_avail: Ints
    value: Floats
    flags: Ints

    def __len__(self) -> int:
        return len(self.ts_event)

    def take(self, where: Bools | Ints | slice) -> ObservationColumns:
        return ObservationColumns(
            ts_event=self.ts_event[where],
            ts_recv=self.ts_recv[where],
            ts_avail=self.ts_avail[where],
            value=self.value[where],
            flags=self.flags[where],
        )

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> ObservationColumns:
        """The same observations in columns."""
        times = np.array(
            [(o.ts_event, o.ts_recv, o.ts_avail, o.flags) for o in observations], np.int64
        )
        value = np.array([np.nan if o.value is None else o.value for o in observations], np.float64)
        event, receipt, avail, flags = times.reshape(-1, 4).T
        return cls(event, receipt, avail, value, flags)
