"""Evidence against a null hypothesis that may begin to fail at any time.

A bet that cannot gain on average under the null multiplies its stake each tick. A new stake of 1
is laid every so many ticks, so that an effect which begins late is bet on from near its
beginning; ``R`` is the worth of all stakes. As each stake is worth 1 on average, the mean of R
after n stakes is at most n, and by Doob's inequality R exceeds A within n stakes with chance at
most n / A, whenever one looks (Shin, Ramdas and Rinaldo 2024, e-detectors of the Shiryaev–Roberts
kind). Averages over bets and statistics keep this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirrorcore.emergence.detector import BUDGET, HORIZON, Array

_CEILING = 1e100


class EDetector:
    """Sum over starts of betting processes, averaged over bet sizes, for several statistics.

    ``statistics``: how many are watched together. ``bets``: stakes per unit of the statistic; a
    statistic below -1 / max(bets) is cut there. ``start_every``: ticks between two starts, a
    multiple of the blocks given; rare starts cost less evidence and find what has just begun later.
    ``family``: how many of these share the budget.
    """

    def __init__(
        self,
        statistics: int,
        bets: tuple[float, ...],
        block: int,
        start_every: int,
        family: int = 1,
    ) -> None:
        self._bets = np.array(bets)
        self._floor = -0.95 / max(bets)
        self._worth = np.zeros((len(bets), statistics))
        self._every = start_every // block
        self._blocks = 0
        self._starts = HORIZON / start_every * family

    @property
    def threshold(self) -> float:
        """R from which on it is a finding: at most BUDGET expected in HORIZON quiet ticks."""
        return self._starts / BUDGET

    def update(self, block: Array) -> Array:
        """Take a block of statistics (ticks, statistics); returns R of each, (statistics,)."""
        gains = 1.0 + self._bets[:, None, None] * np.maximum(block, self._floor)[None, :, :]
        if self._blocks % self._every == 0:
            self._worth += 1.0
        self._blocks += 1
        self._worth = np.minimum(self._worth * gains.prod(axis=1), _CEILING)
        out: Array = self._worth.mean(axis=0)
        return out

    def e_value(self, worth: float) -> float:
        """R as an e-value over HORIZON ticks."""
        return worth / self._starts

    def forget(self, statistics: Sequence[int]) -> None:
        """The stakes on some statistics (their numbers) are gone."""
        self._worth[:, statistics] = 0.0

    def reset(self) -> None:
        """All stakes are gone, as at the beginning."""
        self._worth[:] = 0.0
