"""Bets on which way a statistic leans, fair for whatever is symmetric about zero.

If s is as likely as -s given the past, then exp(b s - b² s² / 2) is worth at most 1 on average, for
any b, whatever the spread of s and however it changes (de la Peña 1999): no variance need be known.
As in :class:`mirrorcore.emergence.sequential.EDetector`, a new stake of 1 is laid every so many
ticks and a finding needs what n stakes reach with a chance of at most the budget.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import BUDGET, HORIZON, Array

_CEILING = 1e100


class SymmetricEDetector:
    """Worth of all stakes on each of S statistics leaning up and down, (2, S), averaged over bets.

    ``bets``: stakes per unit of the statistic; one of b wins where the mean is above b / 2 of the
    mean square, so the smallest bet is also a margin. Blocks of ``block`` ticks are given;
    ``start_every`` is a multiple.
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
        self._worth = np.zeros((len(bets), 2, statistics))
        self._every = start_every // block
        self._blocks = 0
        self.starts = HORIZON / start_every * family
        """Stakes laid in HORIZON ticks by the whole family that shares the budget: worth / starts
        is an e-value over them."""

    @property
    def threshold(self) -> float:
        """Mean worth from which on it is a finding: at most BUDGET expected in HORIZON ticks."""
        return self.starts / BUDGET

    def update(self, up: Array, down: Array) -> Array:
        """Take what bets on up and on down are paid, (ticks, S) each; returns the worth (2, S)."""
        if self._blocks % self._every == 0:
            self._worth += 1.0
        self._blocks += 1
        paid = np.stack([up, down])
        log_gain = np.multiply.outer(self._bets, paid.sum(axis=1))
        log_gain -= np.multiply.outer(self._bets**2 / 2.0, (paid**2).sum(axis=1))
        self._worth = np.minimum(self._worth * np.exp(np.minimum(log_gain, 200.0)), _CEILING)
        out: Array = self._worth.mean(axis=0)
        return out

    def forget(self, statistics: Array | list[int] | slice) -> None:
        """The stakes on some statistics (their numbers) are gone."""
        self._worth[:, :, statistics] = 0.0
