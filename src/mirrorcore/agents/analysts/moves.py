"""Each symbol's moves in units of its own volatility, with the time they took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.agents.analysts.votes import Arrivals, bar_stamps
from mirrorcore.agents.base import BlockInput
from mirrorcore.market.block import Bools, Floats, Ints

_LARGEST = 6.0
_LONGEST = 288.0


@dataclass(frozen=True, slots=True)
class Moves:
    """T ticks of S symbols, each array (T, S).

    ``size`` is the log return of a new bar over the slow volatility of one bar, clipped to ±6
    standard deviations, 0 where no bar came; ``bars`` how many intervals it took since the bar
    before (1 without gaps, at most 288), 0 where none came. On a random walk ``size`` has mean 0
    and variance ``bars``.
    """

    size: Floats
    bars: Floats
    new: Bools
    age: Ints
    elapsed: Ints


class MoveReader:
    """Reads :class:`Moves` from blocks; needs ``technical`` and ``risk``.

    Parameters
    ----------
    columns: S.
    bar_ns: length of a bar interval.
    """

    __slots__ = ("_arrivals", "_bar_ns")

    def __init__(self, columns: int, bar_ns: int) -> None:
        self._arrivals = Arrivals(columns)
        self._bar_ns = bar_ns

    def __call__(self, block: BlockInput) -> Moves:
        returns = np.clip(block.value("technical", "return_1"), -10.0, 10.0)
        volatility = block.value("risk", "vol_slow")
        known = block.market.market.present & np.isfinite(returns)
        known &= np.isfinite(volatility) & (volatility >= 0)
        before = self._arrivals.latest
        new, age, elapsed = self._arrivals(block.ts, bar_stamps(block.ts, known))
        latest = block.ts[:, np.newaxis] - age
        gap = latest - np.concatenate([before[np.newaxis], latest[:-1]])
        bars = np.where(new, np.clip(gap / self._bar_ns, 1.0, _LONGEST), 0.0)
        # The first bar of all has no bar before it.
        bars = np.where(new & (elapsed == 0), 1.0, bars)
        scaled = np.where(known, returns, 0.0) / np.where(known, np.maximum(volatility, 1e-12), 1.0)
        limit = _LARGEST * np.sqrt(bars)
        return Moves(np.clip(scaled, -limit, limit), bars, new, age, elapsed)

    def checkpoint(self) -> dict[str, Any]:
        return self._arrivals.checkpoint()

    def restore(self, memory: dict[str, Any]) -> None:
        self._arrivals.restore(memory)
