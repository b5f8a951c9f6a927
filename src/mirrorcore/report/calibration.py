"""Whether stated probabilities come true: calibration error, its null, and Murphy's decomposition.

All functions take forecasts ``p`` (n,), probabilities in 0..1, and outcomes ``y`` (n,), 0 or 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mirrorcore.errors import DataError
from mirrorcore.market.block import Floats, Ints

BINS = 15


@dataclass(frozen=True)
class Decomposition:
    """Parts of a mean Brier score: brier = reliability - resolution + uncertainty.

    Attributes
    ----------
    brier: mean of (p - y)².
    reliability: squared distance of what was stated from what came true; 0 is calibrated.
    resolution: squared distance of what came true, forecast by forecast, from the base rate; 0
        says nothing, more is better.
    uncertainty: ȳ (1 - ȳ), the score of who always states the base rate.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float


def calibration_error(p: Floats, y: Floats, bins: int = BINS) -> float:
    """Expected calibration error, Σ n_b / n |mean y - mean p| over bins of equal mass.

    Naeini, Cooper and Hauskrecht (2015). Biased upwards: of n forecasts a perfect forecaster shows
    :func:`perfect_error`, not 0.
    """
    _check(p, y)
    groups = _equal_mass(p, bins)
    return float(sum(len(g) / len(p) * abs(p[g].mean() - y[g].mean()) for g in groups))


def perfect_error(p: Floats, bins: int = BINS) -> float:
    """The calibration error to expect where every p is the true probability.

    In bin b the gap is about normal with variance mean p (1 - p) / n_b, and E|N(0, 1)| = √(2/π):

        √(2/π) Σ n_b / n √(mean_b p (1 - p) / n_b)      = √(2/π) √(B p (1 - p) / n) for equal p

    (Bröcker, 2009, on what finite samples show of a calibrated forecast.) Needs some ten expected
    events of either kind a bin; below that the normal overstates.
    """
    _check(p, np.zeros_like(p))
    spread = p * (1.0 - p)
    groups = _equal_mass(p, bins)
    gaps = (len(g) / len(p) * math.sqrt(float(spread[g].mean()) / len(g)) for g in groups)
    return math.sqrt(2.0 / math.pi) * sum(gaps)


def binned(p: Floats, bins: int = BINS) -> Floats:
    """Each forecast replaced by the mean of its bin of equal mass: a forecast of few values."""
    _check(p, np.zeros_like(p))
    stated = np.empty(len(p))
    for group in _equal_mass(p, bins):
        stated[group] = p[group].mean()
    return stated


def decompose(p: Floats, y: Floats) -> Decomposition:
    """Reliability, resolution and uncertainty of forecasts (Murphy, 1973; Bröcker, 2009).

        REL = Σ n_k / n (p_k - ȳ_k)²    RES = Σ n_k / n (ȳ_k - ȳ)²    UNC = ȳ (1 - ȳ)

    over the distinct values p_k, for which the identity is exact. Where each forecast is another
    value every group has one member and REL and RES mean nothing: pass :func:`binned` forecasts,
    whose Brier score is then the one decomposed.
    """
    _check(p, y)
    values, member, count = np.unique(p, return_inverse=True, return_counts=True)
    share = count / len(p)
    came_true = np.bincount(member, weights=y, minlength=len(values)) / count
    base = float(np.mean(y))
    return Decomposition(
        brier=float(np.mean((p - y) ** 2)),
        reliability=float(np.sum(share * (values - came_true) ** 2)),
        resolution=float(np.sum(share * (came_true - base) ** 2)),
        uncertainty=base * (1.0 - base),
    )


def _equal_mass(p: Floats, bins: int) -> list[Ints]:
    """Indices of the forecasts in each bin, lowest first; sizes differ by at most one."""
    if not 1 <= bins <= len(p):
        raise DataError(
            f"calibration: {bins} bins of {len(p)} forecasts",
            hint="take at least one bin and no more than there are forecasts",
        )
    return np.array_split(np.argsort(p, kind="stable"), bins)


def _check(p: Floats, y: Floats) -> None:
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise DataError(
            f"calibration: forecasts of shape {p.shape}, outcomes of shape {y.shape}",
            hint="give one row of forecasts and one outcome for each",
        )
    if not bool(np.all((p >= 0.0) & (p <= 1.0))):
        raise DataError("calibration: a forecast is missing or beyond 0..1", hint="leave it out")
    if not bool(np.all((y == 0.0) | (y == 1.0))):
        raise DataError("calibration: an outcome is neither 0 nor 1", hint="leave it out")
