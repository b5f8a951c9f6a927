"""Strategies that everybody knows, as positions in one symbol.

What a mixture of them would earn is nothing new.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import Array

TEXTBOOK = ("holding", "reversal", "short momentum", "long momentum", "breakout")
_SPANS = np.array([8.0, 64.0])
_RATES = 2.0 / (_SPANS + 1.0)
_ROOTS = np.sqrt(_SPANS)
_VARIANCE_SPAN = 96.0
_RANGE_SPAN = 48.0


class Textbook:
    """Positions between -1 and 1 that the rules would hold now, in the order of ``TEXTBOOK``."""

    def __init__(self) -> None:
        self._means = np.zeros(len(_SPANS))
        self._variance = 0.0
        self._level = self._high = self._low = 0.0

    def update(self, change: float) -> Array:
        """After a move of ``change``."""
        if self._variance == 0.0:
            self._variance = change * change
        self._variance += (change * change - self._variance) / _VARIANCE_SPAN
        spread = float(np.sqrt(self._variance)) or 1.0
        self._means += (change - self._means) * _RATES
        trends = np.tanh(self._means * _ROOTS / spread)
        self._level += change
        fade = 1.0 / _RANGE_SPAN
        self._high = max(self._level, self._high + (self._level - self._high) * fade)
        self._low = min(self._level, self._low + (self._level - self._low) * fade)
        width = self._high - self._low
        place = (self._level - self._low) / width * 2.0 - 1.0 if width > 0 else 0.0
        return np.array([1.0, -np.tanh(change / spread), *trends, place])
