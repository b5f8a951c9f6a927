"""Two series of the same days against each other: how much of a difference is more than luck.

What two books share, above all the market, is in both and cancels; so their difference is known far
better than either of them. Days are drawn for both at once (paired stationary bootstrap: Politis &
Romano 1994; for Sharpe ratios Ledoit & Wolf 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report import bootstrap, metrics
from mirrorcore.report.bootstrap import Interval

YEAR_DAYS = 365.0
_CHUNK = 400_000  # resampled days held in memory at a time


@dataclass(frozen=True, slots=True)
class Paired:
    """First minus second: ``mean`` of the daily returns, a year, and ``sharpe``; each with the
    central 95 % of the resamples. None throughout, with a ``reason``, where days are too few."""

    days: int
    mean: float | None = None
    mean_interval: Interval | None = None
    sharpe: float | None = None
    sharpe_interval: Interval | None = None
    reason: str = ""

    @property
    def beyond_luck(self) -> bool:
        """Whether the interval of the mean leaves 0 out."""
        spread = self.mean_interval
        return spread is not None and not spread.low <= 0.0 <= spread.high


def paired(first: Floats, second: Floats) -> Paired:
    """Daily returns (n,) of two books on the same days; the same input gives the same answer."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} days against {len(second)}")
    n = len(first)
    if n < bootstrap.MINIMUM_DAYS:
        return Paired(n, reason=f"needs {bootstrap.MINIMUM_DAYS} whole UTC days, has {n}")
    difference = first - second
    mean = float(difference.mean()) * YEAR_DAYS
    gap = float(metrics.sharpe(first) - metrics.sharpe(second))
    if not np.any(difference):
        return Paired(n, 0.0, Interval(0.0, 0.0), 0.0, Interval(0.0, 0.0))
    rng = np.random.default_rng(bootstrap.SEED)
    length = bootstrap.block_length(difference)
    means, gaps = [], []
    chunk = max(1, _CHUNK // n)
    for start in range(0, bootstrap.RESAMPLES, chunk):
        count = min(chunk, bootstrap.RESAMPLES - start)
        index = bootstrap.stationary_indices(n, count, length, rng)
        means.append(difference[index].mean(axis=1) * YEAR_DAYS)
        gaps.append(metrics.sharpe(first[index]) - metrics.sharpe(second[index]))
    known = np.isfinite(gap)
    return Paired(
        n,
        mean,
        _central(np.concatenate(means)),
        gap if known else None,
        _central(np.concatenate(gaps)) if known else None,
    )


def _central(values: Floats) -> Interval | None:
    """None where many resamples have no value, as a Sharpe ratio of days that never vary."""
    good = values[np.isfinite(values)]
    if len(good) < bootstrap.LEVEL * len(values):
        return None
    tail = (1.0 - bootstrap.LEVEL) / 2.0
    low, high = np.quantile(good, (tail, 1.0 - tail))
    return Interval(float(low), float(high))
