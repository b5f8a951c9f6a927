"""How a book follows its targets when every move costs.

Targets are smoothed, and a position moves only when it has left a band around its target. Both
grow with the cost of a side: the half-life with its square root, the band with its cube root, as
the asymptotic solutions for proportional costs have it (Rogers, 2004).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats
from mirrorcore.market.features.filters import Ema

_REFERENCE_COST = 5e-4
_LEAST_BAND = 0.05
_LEAST_HALF_LIFE = 0.1
_WINDOW = 64


def smoothing_bars(half_life_bars: float, cost_per_side: float) -> float:
    """The half-life of smoothing at a cost, in bars; 0 where it would be no smoothing at all."""
    half_life = half_life_bars * float(np.sqrt(cost_per_side / _REFERENCE_COST))
    return half_life if half_life > _LEAST_HALF_LIFE else 0.0


class Patience:
    """Turns wanted weights into held ones.

    Parameters
    ----------
    columns: K.
    cost_per_side: fee plus slippage, a fraction.
    half_life_bars: of the smoothing where a side costs 5 bp; 0 for targets that are smooth.
    band: half-width of the band there, in typical positions.
    widest: the band's bound at any cost; below 1 a steady typical bet is always taken.
    """

    def __init__(
        self,
        *,
        columns: int,
        cost_per_side: float,
        half_life_bars: float,
        band: float,
        widest: float = np.inf,
    ) -> None:
        relative = cost_per_side / _REFERENCE_COST
        self.band = min(widest, max(_LEAST_BAND, band * float(np.cbrt(relative))))
        half_life = smoothing_bars(half_life_bars, cost_per_side)
        self._smooth = Ema(half_life_bars=half_life, columns=columns) if half_life > 0 else None
        self._held = np.zeros(columns)

    def __call__(self, wanted: Floats, typical: Floats) -> Floats:
        """(T, K) held weights; ``typical`` (T, K) is the size of a usual position."""
        target = wanted if self._smooth is None else self._smooth(wanted)
        path, self._held = held_path(target, self.band * typical, self._held)
        return path

    def checkpoint(self) -> dict[str, Any]:
        return {
            "smooth": self._smooth.checkpoint() if self._smooth else None,
            "held": self._held,
        }

    def restore(self, memory: dict[str, Any]) -> None:
        if self._smooth:
            self._smooth.restore(memory["smooth"])
        self._held = memory["held"]


def held_path(target: Floats, band: Floats, held: Floats) -> tuple[Floats, Floats]:
    """(T, S) positions that move only when they are further than ``band`` from ``target``.

    A position that leaves its band is brought half-way back into it. Returns the path and the
    last row. Looks for the next row that moves anything instead of walking through all of them.
    """
    path = np.empty_like(target)
    row, ticks = 0, len(target)
    while row < ticks:
        stop = min(row + _WINDOW, ticks)
        gap = target[row:stop] - held
        outside = np.abs(gap) > band[row:stop]
        moving = np.flatnonzero(np.logical_or.reduce(outside, axis=1))
        first = int(moving[0]) if moving.size else stop - row
        path[row : row + first] = held
        row += first
        if moving.size:
            held = _moved(held, target[row], gap[first], band[row], outside[first])
            path[row] = held
            row += 1
    return path, held.copy()


def _moved(held: Floats, target: Floats, gap: Floats, band: Floats, outside: Bools) -> Floats:
    return np.where(outside, target - np.copysign(0.5 * band, gap), held)
