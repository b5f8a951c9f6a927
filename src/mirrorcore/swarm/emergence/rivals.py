"""Votes as rivals of the swarm: each as good a forecast of the next move as it can be made alone.

The fused forecast is calibrated, votes are not, and many mean another horizon. Beaten as they are
they would be beaten for being loud; so each is first given the calibration its own past asks for.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats, Ints

_EDGES = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0])
"""Strengths, in units of what is usual for the voter, that are told apart."""
_SLOPE_TICKS = 200.0
_BIN_TICKS = 20.0
_SCALE_TICKS = 1000.0
_KEEP = 1.0 - 1.0 / 1000.0
"""How much of the past is kept from tick to tick: what a vote is worth changes with the market."""


class Rivals:
    """Calibrates N voters, each from its own past alone.

    By slope (towards 1 by 200 ticks), and by how often a vote of that strength was right (towards
    what the slope says by 20 votes). Up and down are taken to be alike.
    """

    def __init__(self, voters: int) -> None:
        self._slopes, self._ticks = np.zeros((2, voters)), 0.0  # squares, agreement
        self._usual, self._seen = np.zeros(voters), 0.0
        bins = len(_EDGES) + 1
        self._first: Ints = bins * np.arange(voters)
        self._counts = np.zeros((2, voters * bins))  # votes, right ones, by voter and strength
        self._last: tuple[Floats, Ints] | None = None

    def update(self, stance: Floats, outcome: float) -> Floats:
        """(N,) probabilities of a rise for votes at a distance ``stance`` (N,) from one half;
        ``outcome`` is of the votes before: 1 for a rise, else 0."""
        if self._last is not None:
            before, then = self._last
            self._slopes *= _KEEP
            self._counts *= _KEEP
            self._ticks *= _KEEP
            self._slopes[0] += before * before
            self._slopes[1] += before * (outcome - 0.5)
            right = before > 0 if outcome > 0.5 else before < 0
            votes, hits = self._counts
            votes[then] += before != 0
            hits[then] += right
        self._ticks += 1.0
        self._seen = min(self._seen + 1.0, _SCALE_TICKS)
        size = np.abs(stance)
        self._usual += (size - self._usual) / self._seen
        strengths = np.searchsorted(_EDGES, size / np.maximum(self._usual, 1e-12))
        now: Ints = self._first + strengths
        self._last = stance, now
        square, agreed = self._slopes
        prior = _SLOPE_TICKS * square / self._ticks + 1e-12
        slope = (agreed + prior) / (square + prior)
        by_slope = np.minimum(np.maximum(0.5 + slope * size, 0.01), 0.99)
        votes, hits = self._counts
        hit = (hits[now] + _BIN_TICKS * by_slope) / (votes[now] + _BIN_TICKS)
        return np.where(stance == 0, 0.5, 0.5 + np.sign(stance) * (hit - 0.5))
