"""What trying many does to the best: the deflated Sharpe ratio and the record it takes.

All Sharpe ratios here are per period (a day), never per year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report import metrics
from mirrorcore.report.distributions import normal_quantile

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""

CONFIDENCE = 0.95


def expected_maximum(trials: int, variance: float) -> float:
    """The Sharpe ratio that the best of ``trials`` without any skill is expected to show.

    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), V the variance of the ratio over the trials, Z
    the normal quantile, g Euler's constant: the mean of the largest of N normal draws (Bailey &
    López de Prado 2014). 0 for a single trial, which deflates nothing.
    """
    if trials < 1:
        raise ValueError(f"trials was {trials}, must be 1 or more")
    if trials == 1 or variance <= 0:
        return 0.0
    high = normal_quantile(1.0 - 1.0 / trials)
    higher = normal_quantile(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER) * high + EULER * higher)


def deflated_sharpe(returns: Floats, trials: int, variance: float) -> float:
    """Probability that the true Sharpe ratio exceeds what the best of the trials owes to luck.

    The probabilistic Sharpe ratio of ``returns`` (n,) against :func:`expected_maximum` in place of
    0. Bailey & López de Prado (2014). NaN where the returns have no Sharpe ratio.
    """
    return metrics.probabilistic_sharpe(returns, expected_maximum(trials, variance))


def minimum_track_record(returns: Floats, benchmark: float = 0.0) -> float:
    """Days after which a ratio such as that of ``returns`` would exceed ``benchmark`` at 95 %.

    NaN where it does not exceed it at all: no record is long enough.
    """
    ratio = float(metrics.sharpe(returns, periods=1.0))
    if not np.isfinite(ratio):
        return float("nan")
    skewness, kurtosis = metrics.moments(returns)
    return track_record(ratio, skewness, kurtosis, benchmark)


def track_record(
    ratio: float,
    skewness: float,
    kurtosis: float,
    benchmark: float,
    confidence: float = CONFIDENCE,
) -> float:
    """1 + (1 - g3 SR + (g4 - 1)/4 SR^2) (Z / (SR - SR*))^2 periods. Bailey & López de Prado (2012).

    ``kurtosis`` is 3 for a normal; NaN where ``ratio`` is not above ``benchmark``.
    """
    if not ratio > benchmark:
        return float("nan")
    shape = 1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    return 1.0 + shape * (normal_quantile(confidence) / (ratio - benchmark)) ** 2


def spread_of_trials(ratios: Sequence[float], days: Sequence[float]) -> float:
    """Variance of the Sharpe ratio over trials, each weighted by its ``days``.

    A trial that was stopped after a week has a ratio of no precision and the weight of a week.
    With equal lengths it is the sample variance. 0 below two trials.
    """
    found, weight = np.array(ratios, dtype=np.float64), np.array(days, dtype=np.float64)
    if len(found) < 2:
        return 0.0
    share = weight / np.sum(weight)
    mean = np.sum(share * found)
    return float(np.sum(share * (found - mean) ** 2) * len(found) / (len(found) - 1))
