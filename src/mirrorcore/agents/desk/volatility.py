"""Running volatility of returns, and returns in units of what was known before them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats
from mirrorcore.market.features.filters import Ema

_CLIP = 4.0


class Volatility:
    """Root of the exponentially averaged square of the returns that were there, (T, K).

    Parameters
    ----------
    half_life_bars: of the average, in rows.
    columns: K.
    """

    def __init__(self, half_life_bars: float, columns: int) -> None:
        self._squares = Ema(half_life_bars=half_life_bars, columns=columns)
        self._weight = Ema(half_life_bars=half_life_bars, columns=columns)
        self._before = np.zeros((1, columns))

    def scaled(self, returns: Floats, here: Bools) -> tuple[Floats, Floats]:
        """The volatility after each row, and each row over the volatility *before* it.

        NaN where the volatility is unknown or the return is not there; returns are clipped at 4
        deviations, so that one crash does not decide what a year of votes was worth.
        """
        squares = self._squares(np.where(here, returns * returns, 0.0))
        weight = self._weight(here.astype(np.float64))
        variance = np.divide(squares, weight, out=np.zeros_like(squares), where=weight > 0)
        after = np.sqrt(variance)
        before = np.concatenate([self._before, after[:-1]])
        self._before = after[-1:].copy()
        known = here & (before > 0)
        scaled = np.full_like(returns, np.nan)
        np.divide(returns, before, out=scaled, where=known)
        return np.where(after > 0, after, np.nan), np.clip(scaled, -_CLIP, _CLIP)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "squares": self._squares.checkpoint(),
            "weight": self._weight.checkpoint(),
            "before": self._before,
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._squares.restore(memory["squares"])
        self._weight.restore(memory["weight"])
        self._before = memory["before"]
