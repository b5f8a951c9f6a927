"""Rhythms that agents keep by the clock, such as acting at the close of a bar.

Everyone who keeps the same hours acts together, and nothing but the hour explains it. Periods of 2
to 64 ticks are tried over the first ticks of a run; those at which activity clearly depends on the
phase give one feature each: how active the swarm was at this phase.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import Array, Numbers

PERIODS = range(2, 65)
KEPT = 2
_DECIDE_AT = (384, 512, 768, 1024)
_CLEAR = 5.0


class Clockwork:
    """Profiles of activity over the phase of the strongest periods, learned from first ticks."""

    def __init__(self) -> None:
        self._tick = 0
        self._starts = np.cumsum([0, *PERIODS])
        self._sums = np.zeros(self._starts[-1])
        self._counts = np.zeros(self._starts[-1])
        self._square = 0.0
        self._profiles: list[Array] = []

    def rows(self, activity: Array) -> Array:
        """Features (B, KEPT) of the next ticks, whose activity (B, N) is then learned from."""
        ticks = self._tick + np.arange(len(activity))
        out = np.zeros((len(activity), KEPT))
        for number, profile in enumerate(self._profiles):
            out[:, number] = profile[ticks % len(profile)]
        before, self._tick = self._tick, self._tick + len(ticks)
        if before < _DECIDE_AT[-1]:
            self._learn(ticks, activity)
            if any(before < at <= self._tick for at in _DECIDE_AT):
                self._decide()
        return out

    def _learn(self, ticks: Numbers, activity: Array) -> None:
        phases = np.concatenate(
            [s + ticks % p for s, p in zip(self._starts, PERIODS, strict=False)]
        )
        hits = np.zeros((len(self._counts), len(ticks)))
        hits[phases.astype(np.int64), np.tile(np.arange(len(ticks)), len(PERIODS))] = 1.0
        mean = activity.mean(axis=1)
        self._sums += hits @ mean
        self._counts += hits.sum(axis=1)
        self._square += float(mean @ mean)

    def _decide(self) -> None:
        mean = self._sums[: PERIODS[0]].sum() / self._tick
        variance = max(self._square / self._tick - mean**2, 1e-6)
        gains = np.empty(len(PERIODS))
        profiles = []
        for number, (start, period) in enumerate(zip(self._starts, PERIODS, strict=False)):
            counts = np.maximum(self._counts[start : start + period], 1)
            profile = self._sums[start : start + period] / counts - mean
            explained, free = float((counts * profile**2).sum()) / variance, period - 1
            # Wilson and Hilferty 1931: the cube root of a chi-square is nearly normal.
            odd = ((explained / free) ** (1 / 3) - 1.0) / np.sqrt(2 / (9 * free)) > _CLEAR
            gains[number] = explained - free if odd else -np.inf
            profiles.append(profile / max(float(profile.std()), 1e-6))
        self._profiles = []
        while len(self._profiles) < KEPT and gains.max() > 0:
            # A multiple of a period explains as much: the shortest of them is the rhythm.
            number = int(np.flatnonzero(gains > 0.8 * gains.max())[0])
            self._profiles.append(profiles[number])
            gains[[p % PERIODS[number] == 0 for p in PERIODS]] = -np.inf
