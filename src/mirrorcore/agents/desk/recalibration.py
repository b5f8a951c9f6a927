"""What a stated probability turned out to mean: recalibration of forecasts while they are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Floats

SLOPE_ERROR = 0.5
"""A slope is 1 ± ½ before there is evidence: stated probabilities mean what they say."""
_OFFSET_ERROR = 0.1
_LARGEST_SLOPE = 4.0
_LARGEST_OFFSET = 1.0


def log_odds(probabilities: Floats) -> Floats:
    """ln(p / (1 - p)) of p clipped to .01 .. .99; 0 where there is no opinion."""
    clipped = np.clip(probabilities, 0.01, 0.99)
    stated: Floats = np.log(clipped / (1.0 - clipped))
    return np.where(np.isfinite(stated), stated, 0.0)


class Recalibrator:
    """Slope s and offset b of N forecasters, so that 1 / (1 + exp(-(s x + b))) is calibrated.

    x are stated log-odds (Platt, 1999). The two are found as they come, by Newton steps of the
    logistic likelihood with information that forgets (a dynamic generalised linear model: West,
    Harrison and Migon, 1985):

        A ← A₀ + d (A - A₀) + Σ p (1 - p) z zᵀ,    θ ← θ + A⁻¹ Σ (y - p) z,    z = (x, 1)

    s = 1 is calibrated, below 1 overconfident, 0 without skill, negative the wrong way round: the
    slope says what a forecaster's confidence is worth.

    Parameters
    ----------
    forecasters: N.
    """

    def __init__(self, forecasters: int) -> None:
        self.slope: Floats = np.ones(forecasters)
        self.offset: Floats = np.zeros(forecasters)
        self._information = np.tile(_PRIOR, (forecasters, 1, 1))
        self._rows: list[tuple[Floats, Floats]] = []

    def grow(self, forecasters: int) -> None:
        """Make room for new forecasters at the end."""
        more = forecasters - len(self.slope)
        if more <= 0:
            return
        self.slope = np.concatenate([self.slope, np.ones(more)])
        self.offset = np.concatenate([self.offset, np.zeros(more)])
        self._information = np.concatenate([self._information, np.tile(_PRIOR, (more, 1, 1))])
        self._rows = [(np.pad(x, [(0, 0), (0, more)]), y) for x, y in self._rows]

    def __call__(self, stated: Floats) -> Floats:
        """(…, N) calibrated log-odds."""
        calibrated: Floats = self.slope * stated + self.offset
        return calibrated

    def observe(self, stated: Floats, outcomes: Floats) -> None:
        """Rows of stated log-odds (R, N), 0 for none, and what followed (R,): 1, 0, NaN unknown."""
        self._rows.append((stated, outcomes))

    def refit(self, kept: float) -> None:
        """Fold the rows seen since the last refit; ``kept`` is what remains of older evidence."""
        stated = np.concatenate([x for x, _ in self._rows])
        outcomes = np.concatenate([y for _, y in self._rows])[:, None]
        self._rows.clear()
        spoken = (stated != 0.0) & np.isfinite(outcomes)
        x = np.where(spoken, stated, 0.0)
        p = 1.0 / (1.0 + np.exp(-self(x)))
        missed = np.where(spoken, outcomes - p, 0.0)
        weight = np.where(spoken, p * (1.0 - p), 0.0)
        gained = np.stack(
            [_total(weight * x * x), _total(weight * x), _total(weight * x), _total(weight)], axis=1
        ).reshape(-1, 2, 2)
        self._information = _PRIOR + kept * (self._information - _PRIOR) + gained
        self._step(_total(missed * x), _total(missed))

    def _step(self, on_slope: Floats, on_offset: Floats) -> None:
        """θ + A⁻¹ g for each forecaster, by the inverse of a 2 × 2 matrix."""
        a, b, d = (self._information[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        determinant = a * d - b * b
        slope = self.slope + (d * on_slope - b * on_offset) / determinant
        offset = self.offset + (a * on_offset - b * on_slope) / determinant
        self.slope = np.clip(slope, -_LARGEST_SLOPE, _LARGEST_SLOPE)
        self.offset = np.clip(offset, -_LARGEST_OFFSET, _LARGEST_OFFSET)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "slope": self.slope,
            "offset": self.offset,
            "information": self._information,
            "rows": [list(row) for row in self._rows],
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self.slope, self.offset = memory["slope"], memory["offset"]
        self._information = memory["information"]
        self._rows = [(row[0], row[1]) for row in memory["rows"]]


class Calibration:
    """The recalibrators of N voters and of the forecast fused from them, over S symbols.

    Parameters
    ----------
    symbols, voters: S, N.
    """

    def __init__(self, symbols: int, voters: int) -> None:
        self.voters = Recalibrator(voters)
        self.own = Recalibrator(1)
        self._stated: Floats = np.zeros((1, symbols, voters))
        self._own_stated: Floats = np.zeros((1, symbols))

    def grow(self, voters: int) -> None:
        """Room for voters that have joined at the end."""
        self.voters.grow(voters)
        more = voters - self._stated.shape[2]
        self._stated = np.pad(self._stated, [(0, 0), (0, 0), (0, max(0, more))])

    def observe(self, stated: Floats, own: Floats, rises: Floats) -> None:
        """What was stated at each tick, (T, S, N) and (T, S), and (T, S) what each bar then did.

        A bar answers what was stated one tick before it closed.
        """
        stated = np.concatenate([self._stated, stated])
        own = np.concatenate([self._own_stated, own])
        self._stated, self._own_stated = stated[-1:].copy(), own[-1:].copy()
        outcomes = rises.reshape(-1)
        self.voters.observe(stated[:-1].reshape(len(outcomes), -1), outcomes)
        self.own.observe(own[:-1].reshape(-1, 1), outcomes)

    def refit(self, kept: float) -> None:
        """Learn from the rows since the last time; ``kept`` is what remains of older evidence."""
        self.voters.refit(kept)
        self.own.refit(kept)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "voters": self.voters.checkpoint(),
            "own": self.own.checkpoint(),
            "stated": self._stated,
            "own_stated": self._own_stated,
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self.voters.restore(memory["voters"])
        self.own.restore(memory["own"])
        self._stated, self._own_stated = memory["stated"], memory["own_stated"]


_PRIOR: Floats = np.diag([SLOPE_ERROR**-2, _OFFSET_ERROR**-2])


def _total(values: Floats) -> Floats:
    total: Floats = np.add.reduce(values, axis=0)
    return total
