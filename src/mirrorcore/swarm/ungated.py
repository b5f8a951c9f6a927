"""The shadow book of the whole swarm: its targets before any gate, marked bar by bar.

Emotions are measured here and not on the real book: a gate that cuts to nothing would otherwise
never see a recovery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.market.features.filters import Ema


@dataclass(frozen=True, slots=True)
class UngatedPath:
    """(T,) each: return of the bar after costs, equity (1 at the start), drawdown, volatility."""

    returns: Floats
    equity: Floats
    drawdown: Floats
    volatility: Floats


class UngatedBook:
    """Marks target weights as if they were held from the close they were decided at.

    Parameters
    ----------
    symbols: S.
    cost_per_side: fee plus slippage as a fraction of what is traded.
    half_life_bars: of the volatility.
    """

    def __init__(self, symbols: int, cost_per_side: float, half_life_bars: float) -> None:
        self._cost = cost_per_side
        self.held = np.zeros((1, symbols))
        self._equity = np.ones(1)
        self._peak = np.ones(1)
        self._squares = Ema(half_life_bars=half_life_bars, columns=1)
        self._weight = Ema(half_life_bars=half_life_bars, columns=1)

    @property
    def equity(self) -> float:
        """Worth after the last tick."""
        return float(self._equity[0])

    def update(self, targets: Floats, returns: Floats) -> UngatedPath:
        """``targets`` (T, S) decided at each tick, ``returns`` (T, S) log returns of each bar."""
        before = np.concatenate([self.held, targets[:-1]])
        self.held = targets[-1:].copy()
        earned = np.add.reduce(before * np.expm1(returns), axis=1)
        traded = np.add.reduce(np.abs(targets - before), axis=1)
        # A bar cannot take more than everything.
        gained = np.maximum(earned - traded * self._cost, -0.999)
        equity = np.multiply.accumulate(np.concatenate([self._equity, 1.0 + gained]))
        peak = np.maximum.accumulate(np.concatenate([self._peak, equity[1:]]))
        self._equity, self._peak = equity[-1:].copy(), peak[-1:].copy()
        squares = self._squares((gained * gained)[:, None])[:, 0]
        weight = self._weight(np.ones((len(gained), 1)))[:, 0]
        return UngatedPath(
            returns=gained,
            equity=equity[1:],
            drawdown=1.0 - equity[1:] / peak[1:],
            volatility=np.sqrt(squares / weight),
        )

    def checkpoint(self) -> dict[str, Any]:
        return {
            "held": self.held,
            "equity": self._equity,
            "peak": self._peak,
            "squares": self._squares.checkpoint(),
            "weight": self._weight.checkpoint(),
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self.held = memory["held"]
        self._equity, self._peak = memory["equity"], memory["peak"]
        self._squares.restore(memory["squares"])
        self._weight.restore(memory["weight"])
