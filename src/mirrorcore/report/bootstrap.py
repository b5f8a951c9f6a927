"""How far the headlines could have come out otherwise: stationary block bootstrap of whole days.

Blocks of days are drawn with random starts and geometric lengths and laid end to end, so that the
dependence within a block survives (Politis & Romano 1994). The mean block length is chosen from
the data (Patton, Politis & White 2009). A day is drawn with what happened inside it, its highest,
lowest and deepest point, so that the drawdown of a resample is the marked-to-market one and not
that of daily closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mirrorcore.market.block import Floats, Ints
from mirrorcore.report import metrics
from mirrorcore.report.metrics import Curve

RESAMPLES = 2000
LEVEL = 0.95
MINIMUM_DAYS = 20
SEED = 19941219

_CHUNK = 400_000  # resampled days held in memory at a time


@dataclass(frozen=True, slots=True)
class Days:
    """Whole UTC days of a curve, each relative to the equity it began with.

    All (n,): ``returns`` of the day, its ``high`` and ``low`` (1 is where it began) and ``deepest``
    fall from a peak within it.
    """

    returns: Floats
    high: Floats
    low: Floats
    deepest: Floats

    def __len__(self) -> int:
        return len(self.returns)


@dataclass(frozen=True, slots=True)
class Interval:
    """The central ``LEVEL`` of the resamples."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Intervals by metric name, and how they were made. Without whole days ``reason`` says why."""

    intervals: dict[str, Interval]
    days: int
    resamples: int
    block_days: float
    seed: int
    reason: str = ""


def cut_into_days(curve: Curve) -> Days:
    """The whole days of ``curve``; none where a day began at or below 0."""
    midnights, closes = metrics.daily_closes(curve)
    returns = metrics.daily_returns(closes)
    if not len(returns):
        empty = np.empty(0)
        return Days(empty, empty, empty, empty)
    edges = np.searchsorted(curve.ts, midnights, side="right")
    high, low, deepest = (np.empty(len(returns)) for _ in range(3))
    for day, (start, stop) in enumerate(pairwise(edges)):
        path = np.concatenate(([closes[day]], curve.equity[start:stop])) / closes[day]
        high[day], low[day] = path.max(), path.min()
        deepest[day] = metrics.drawdown(path).max()
    return Days(returns, high, low, deepest)


def intervals(curve: Curve, rng: np.random.Generator, resamples: int = RESAMPLES) -> Bootstrap:
    """95 % intervals of the headlines of ``curve``.

    The percentile interval over ``resamples`` runs of as many days as the curve has. Below
    ``MINIMUM_DAYS`` there are none: a handful of days holds no information on its own spread.
    """
    days = cut_into_days(curve)
    if len(days) < MINIMUM_DAYS:
        reason = f"needs {MINIMUM_DAYS} whole UTC days, has {len(days)}"
        return Bootstrap({}, len(days), 0, 0.0, SEED, reason)
    length = block_length(days.returns)
    drawn: dict[str, list[Floats]] = {}
    chunk = max(1, _CHUNK // len(days))
    for start in range(0, resamples, chunk):
        index = stationary_indices(len(days), min(chunk, resamples - start), length, rng)
        for name, values in _headlines(days, index).items():
            drawn.setdefault(name, []).append(values)
    tail = (1.0 - LEVEL) / 2.0
    found = {}
    for name, parts in drawn.items():
        values = np.concatenate(parts)
        # A resample without a losing day has no Sortino; where that is common there is no interval.
        good = values[np.isfinite(values)]
        if len(good) >= LEVEL * len(values):
            low, high = np.quantile(good, (tail, 1.0 - tail))
            found[name] = Interval(float(low), float(high))
    return Bootstrap(found, len(days), resamples, length, SEED)


def _headlines(days: Days, index: Ints) -> dict[str, Floats]:
    """The headline figures of each resample; ``index`` (B, n) are positions of days."""
    returns = days.returns[index]
    wealth = np.cumprod(1.0 + returns, axis=1)
    before = np.concatenate((np.ones((len(index), 1)), wealth), axis=1)
    depth = _depth(days, index, before[:, :-1])
    growth = metrics.cagr(before, float(index.shape[1]))
    return {
        "total_return": metrics.total_return(before),
        "cagr": growth,
        "volatility": metrics.volatility(returns),
        "sharpe": metrics.sharpe(returns),
        "sortino": metrics.sortino(returns),
        "calmar": metrics.calmar(growth, depth),
        "max_drawdown": depth,
    }


def _depth(days: Days, index: Ints, begun: Floats) -> Floats:
    """Maximum drawdown of each resample, inside days included; ``begun`` (B, n) is wealth at dawn.

    The deepest fall lies within one day, or leads from the highest point of the days before to the
    lowest of this one.
    """
    peak = np.maximum.accumulate(begun * days.high[index], axis=1)
    earlier = np.concatenate((begun[:, :1], peak[:, :-1]), axis=1)
    across = 1.0 - begun * days.low[index] / earlier
    depth: Floats = np.maximum(across, days.deepest[index]).max(axis=1)
    return depth


def stationary_indices(n: int, resamples: int, block_days: float, rng: np.random.Generator) -> Ints:
    """Positions (resamples, n) of the stationary bootstrap; blocks wrap around the end.

    Each position starts a new block with probability 1 / ``block_days``, or follows the one before.
    """
    fresh = rng.random((resamples, n)) < 1.0 / block_days
    fresh[:, 0] = True
    starts = rng.integers(0, n, size=(resamples, n))
    column = np.arange(n)
    begun = np.maximum.accumulate(np.where(fresh, column, 0), axis=1)
    return (np.take_along_axis(starts, begun, axis=1) + column - begun) % n


def block_length(returns: Floats) -> float:
    """Mean block length in days, 1 at least: the longer of what the returns and their squares need.

    The rule is made for a mean; squares are added because volatility, which clusters, is what most
    of the headlines divide by.
    """
    return max(1.0, optimal_block(returns), optimal_block((returns - returns.mean()) ** 2))


def optimal_block(series: Floats) -> float:
    """Automatic block length of the stationary bootstrap for the mean of ``series`` (n,).

    Politis & White (2004) as corrected by Patton, Politis & White (2009): autocovariances up to
    twice the lag after which none is significant, under a flat-top window, give
    (2 G^2 / D)^(1/3) n^(1/3) with D = 2 g(0)^2; at most min(3 sqrt(n), n / 3). 0 for a constant.
    """
    n = len(series)
    centred = series - series.mean()
    variance = float(np.mean(centred**2))
    if variance <= 1e-24 * float(np.max(np.abs(series), initial=0.0)) ** 2:
        return 0.0
    run = max(5, int(np.log10(n)))
    longest = min(n - 1, int(np.ceil(np.sqrt(n))) + run)
    covariance = np.array([np.sum(centred[k:] * centred[: n - k]) / n for k in range(longest + 1)])
    quiet = np.abs(covariance[1:] / variance) < 2.0 * np.sqrt(np.log10(n) / n)
    lags = np.arange(1, min(longest, 2 * _last_significant(quiet, run)) + 1)
    share = lags / len(lags)
    window = np.where(share <= 0.5, 1.0, 2.0 * (1.0 - share))
    slope = 2.0 * float(np.sum(window * lags * covariance[lags]))
    spectrum = float(covariance[0] + 2.0 * np.sum(window * covariance[lags]))
    if spectrum <= 0:
        return 0.0
    length = ((slope / spectrum) ** 2 * n) ** (1.0 / 3.0)
    return float(min(length, 3.0 * np.sqrt(n), n / 3.0))


def _last_significant(quiet: np.typing.NDArray[np.bool_], run: int) -> int:
    """The lag before the first ``run`` quiet ones, else the last significant lag; 1 at least."""
    for lag in range(len(quiet) - run + 1):
        if np.all(quiet[lag : lag + run]):
            return max(1, lag)
    loud = np.flatnonzero(~quiet)
    return max(1, int(loud[-1]) + 1) if len(loud) else 1
