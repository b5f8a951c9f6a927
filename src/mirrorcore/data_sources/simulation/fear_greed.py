"""The fear and greed index of the simulated market."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import DAY, YEAR
from mirrorcore.data_sources.simulation.filters import smoother
from mirrorcore.data_sources.simulation.streams import BLOCK
from mirrorcore.market.block import Floats


class FearGreed:
    """An index in 0..100 of the factor: 50 when ordinary, low after falls and in storms.

    From volatility of a day against that of a month, momentum of five days, and the distance to a
    peak that is forgotten at 1 % a day.
    """

    _FORGET_PER_DAY = 0.01

    def __init__(self, annual_volatility: float, bar_ns: int) -> None:
        bar_variance = annual_volatility**2 * bar_ns / YEAR
        usual = np.array([bar_variance])
        self._fast = smoother(24.0, bar_ns, usual)
        self._slow = smoother(720.0, bar_ns, usual)
        self._trend = smoother(60.0, bar_ns, np.zeros(1))
        self._leak = self._FORGET_PER_DAY * bar_ns / DAY
        self._usual_move = float(annual_volatility * np.sqrt(5 * DAY / YEAR))
        self._level = 0.0
        self._peak = 0.0

    def update(self, log_return: Floats) -> Floats:
        """The index at each bar's close, (BLOCK,), from the factor's log returns (1, BLOCK)."""
        squares = log_return * log_return
        storm = 0.5 * np.log(self._fast(squares) / self._slow(squares))[0]
        level = np.cumsum(np.concatenate([[self._level], log_return[0]]))[1:]
        rise = (level - self._trend(level[np.newaxis, :])[0]) / self._usual_move
        tilt = self._leak * np.arange(1, BLOCK + 1)
        peak = np.maximum(np.maximum.accumulate(level + tilt), self._peak) - tilt
        fall = (peak - level) / (4.0 * self._usual_move)
        self._level = float(level[-1])
        self._peak = float(peak[-1])
        return np.asarray(50.0 + 50.0 * np.tanh(0.6 * rise - 0.7 * storm - 0.5 * fall))
