"""Whether positions were held at the right time: they are moved against the market and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats, Ints

FEWEST = 20
"""Shifts below which no p under .05 could be shown."""


@dataclass(frozen=True, slots=True)
class Permutation:
    """``p`` and the smallest p that so many ``shifts`` can show, ``resolution``.

    ``earned`` is what the positions earned before costs as a sum of fractions of equity,
    ``elsewhere`` the mean of what they would have earned when shifted.
    """

    p: float
    shifts: int
    earned: float
    elsewhere: float

    @property
    def resolution(self) -> float:
        return 1.0 / (self.shifts + 1)


def permutation(weights: Floats, returns: Floats, days: int) -> Permutation:
    """Circular shifts of ``weights`` (T, S) against the market's next ``returns`` (T, S).

    Every shift by whole days but none is tried, so nothing is drawn: the autocorrelation, the
    sizes and the time of day of both survive, and what a constant position earns is the same in
    all. p is the share of shifts, the true place among them, that earned as much or more
    (circular block form of the permutation test, Politis & Romano 1992; p counted as by Davison &
    Hinkley 1997). ``days`` is how many T stands for.

    Raises
    ------
    ValueError: fewer than ``FEWEST`` shifts, or nothing was ever held.
    """
    rows = len(weights)
    if days - 1 < FEWEST:
        raise ValueError(f"needs {FEWEST + 1} days, has {days}")
    if not np.any(weights):
        raise ValueError("nothing was held")
    # Correlation at all shifts at once: entry k is the sum over t of weights[t - k] * returns[t].
    spectrum = np.fft.rfft(returns, axis=0) * np.conj(np.fft.rfft(weights, axis=0))
    earned = np.fft.irfft(spectrum, n=rows, axis=0).sum(axis=1)
    shifts: Ints = np.round(np.arange(1, days) * (rows / days)).astype(np.int64)
    moved = earned[shifts]
    # What differs by the transform's rounding alone is equal, and equal counts against the run.
    scale = float(np.sqrt(np.sum(weights**2) * np.sum(returns**2)))
    reached = int(np.count_nonzero(moved >= earned[0] - 1e-12 * scale))
    return Permutation(
        (1 + reached) / (1 + len(shifts)), len(shifts), float(earned[0]), float(moved.mean())
    )
