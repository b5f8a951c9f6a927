"""What an equity curve was worth: one function a figure, no state, no rounding.

``returns`` are fractions per day, 00:00 UTC to 00:00 UTC, in the last axis: (n,) for a run, (B, n)
for B resamples of it, so that a figure and its interval come from one formula. Where a figure has
no value (too few days, nothing to divide by) the function gives NaN, and the caller says why;
``periods`` is days per year, 365 because the markets never close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.distributions import normal_cdf

PERIODS = 365.0

# Returns whose spread is below this share of their size differ by rounding alone.
_FLAT = 1e-12


@dataclass(frozen=True, slots=True)
class Curve:
    """An equity curve with its starting capital as first point: ``ts`` and ``equity`` (n + 1,)."""

    ts: Ints
    equity: Floats

    @property
    def days(self) -> float:
        """Length of the curve in days."""
        return float(self.ts[-1] - self.ts[0]) / DAY


def with_start(ts: Ints, equity: Floats, start: int, initial: float) -> Curve:
    """The curve of ``equity`` (n,) at ``ts`` (n,) from ``initial`` held at ``start``."""
    return Curve(np.concatenate(([start], ts)), np.concatenate(([initial], equity)))


def daily_closes(curve: Curve) -> tuple[Ints, Floats]:
    """Each 00:00 UTC within the curve, and the last equity known by then.

    A stub before the first or after the last midnight is no day and is left out. Empty where no
    midnight lies within the curve.
    """
    first = -(-int(curve.ts[0]) // DAY)
    last = int(curve.ts[-1]) // DAY
    midnights = np.arange(first, last + 1, dtype=np.int64) * DAY
    closes = curve.equity[np.searchsorted(curve.ts, midnights, side="right") - 1]
    if len(midnights) and midnights[0] == curve.ts[0]:
        closes[0] = curve.equity[0]
    return midnights, closes


def daily_returns(closes: Floats) -> Floats:
    """E_d / E_(d-1) - 1; empty where equity was ever 0 or below, since nothing follows from it."""
    if len(closes) < 2 or np.any(closes <= 0):
        return np.empty(0)
    return closes[1:] / closes[:-1] - 1.0


def total_return(equity: Floats) -> Any:
    """E_end / E_0 - 1 along the last axis."""
    return equity[..., -1] / equity[..., 0] - 1.0


def cagr(equity: Floats, days: float) -> Any:
    """Compound annual growth: (E_end / E_0)^(365 / days) - 1; NaN where equity ended below 0."""
    growth = np.asarray(equity[..., -1] / equity[..., 0])
    if days <= 0:
        return np.full(growth.shape, np.nan)[()]
    with np.errstate(over="ignore"):
        grown = np.power(np.where(growth >= 0, growth, np.nan), PERIODS / days) - 1.0
    return _finite(grown)[()]


def volatility(returns: Floats, periods: float = PERIODS) -> Any:
    """std(r_d, ddof=1) * sqrt(365)."""
    return _spread(returns) * np.sqrt(periods)


def sharpe(returns: Floats, risk_free: float = 0.0, periods: float = PERIODS) -> Any:
    """mean(r_d - rf) / std(r_d, ddof=1) * sqrt(365). Sharpe (1994); ``risk_free`` per day."""
    return _ratio(_mean(returns) - risk_free, _spread(returns)) * np.sqrt(periods)


def sortino(returns: Floats, target: float = 0.0, periods: float = PERIODS) -> Any:
    """mean(r_d - t) / sqrt(mean(min(r_d - t, 0)^2)) * sqrt(365). Sortino & Price (1994).

    The mean below the line is over *all* days, not over the losing ones.
    """
    excess = returns - target
    below = np.sqrt(_mean(np.minimum(excess, 0.0) ** 2))
    return _ratio(_mean(excess), below) * np.sqrt(periods)


def calmar(growth: Any, depth: Any) -> Any:
    """CAGR / maximum drawdown. Young (1991)."""
    return _ratio(growth, depth)


def omega(returns: Floats, threshold: float = 0.0) -> Any:
    """sum(max(r_d - t, 0)) / sum(max(t - r_d, 0)). Keating & Shadwick (2002)."""
    excess = returns - threshold
    return _ratio(
        np.sum(np.maximum(excess, 0.0), axis=-1), np.sum(np.maximum(-excess, 0.0), axis=-1)
    )


def ulcer(closes: Floats) -> float:
    """sqrt(sum(dd_d^2) / (n - 1)) over the n days after the first close. Martin (1987).

    dd_d is the distance of the day's close below the highest close so far.
    """
    if len(closes) < 3:
        return float("nan")
    depth = drawdown(closes)[1:]
    return float(np.sqrt(np.sum(depth**2) / (len(depth) - 1)))


def autocorrelation_penalty(returns: Floats) -> float:
    """sqrt(1 + 2 sum_{k=1}^{n-1} (n - k) / n * |rho|^k), rho the first autocorrelation of r_d.

    Lo (2002), as the "smart" ratios use it; at least 1.
    """
    n = len(returns)
    if n < 3:
        return float("nan")
    today, before = returns[1:] - returns[1:].mean(), returns[:-1] - returns[:-1].mean()
    size = np.sqrt(np.sum(today**2) * np.sum(before**2))
    if size <= (_FLAT * np.max(np.abs(returns))) ** 2 * n:
        return float("nan")
    rho = min(1.0, abs(float(np.sum(today * before) / size)))
    lags = np.arange(1, n)
    return float(np.sqrt(1.0 + 2.0 * np.sum((n - lags) / n * rho**lags)))


def cvar_95(returns: Floats) -> float:
    """Mean of the worst 5 % of days, ceil(n / 20) of them. Rockafellar & Uryasev (2000)."""
    if len(returns) < 20:
        return float("nan")
    return float(np.mean(np.sort(returns)[: -(-len(returns) // 20)]))


def probabilistic_sharpe(returns: Floats, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` (per day, not per year).

    Phi((SR - SR*) / SE), SE = sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1)) with skewness g3 and
    kurtosis g4 of the days. Bailey & López de Prado (2012), error by Mertens (2002).
    """
    n = len(returns)
    ratio = float(sharpe(returns, periods=1.0))
    if not np.isfinite(ratio):
        return float("nan")
    skewness, kurtosis = moments(returns)
    return psr(ratio, n, skewness, kurtosis, benchmark)


def moments(returns: Floats) -> tuple[float, float]:
    """Skewness g3 and kurtosis g4 (3 for a normal) of returns that vary, as population moments."""
    centred = returns - returns.mean()
    second = float(np.mean(centred**2))
    skewness = float(np.mean(centred**3)) / second**1.5
    return skewness, float(np.mean(centred**4)) / second**2


def psr(ratio: float, n: int, skewness: float, kurtosis: float, benchmark: float) -> float:
    """The formula of :func:`probabilistic_sharpe` on given moments; ``ratio`` per period."""
    variance = (1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio**2) / (n - 1)
    if variance <= 0:
        return float("nan")
    return normal_cdf((ratio - benchmark) / variance**0.5)


def beta(returns: Floats, benchmark: Floats) -> float:
    """cov(r_d, b_d) / var(b_d), same days. Sharpe (1964)."""
    if len(returns) < 2 or len(returns) != len(benchmark):
        return float("nan")
    if not float(_spread(benchmark)) > 0:
        return float("nan")
    centred = benchmark - benchmark.mean()
    return float(np.sum((returns - returns.mean()) * centred) / np.sum(centred**2))


def alpha(returns: Floats, benchmark: Floats, periods: float = PERIODS) -> float:
    """(1 + mean(r_d - beta b_d))^365 - 1, Jensen (1968), compounded over a year."""
    slope = beta(returns, benchmark)
    if not np.isfinite(slope):
        return float("nan")
    with np.errstate(over="ignore"):
        base = 1.0 + np.mean(returns - slope * benchmark)
        return float(_finite(np.asarray(base**periods - 1.0))) if base >= 0 else float("nan")


def drawdown(equity: Floats) -> Floats:
    """1 - E / cummax E at each point, 0 at a peak; the first point is the first peak."""
    return 1.0 - equity / np.maximum.accumulate(equity, axis=-1)


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One stretch below a peak. ``recovered`` is None where equity did not come back."""

    depth: float
    amount: float
    peak: int
    trough: int
    recovered: int | None

    @property
    def fall(self) -> int:
        """Nanoseconds from the peak to the trough."""
        return self.trough - self.peak

    @property
    def recovery(self) -> int | None:
        """Nanoseconds from the trough to a new peak."""
        return None if self.recovered is None else self.recovered - self.trough


def drawdowns(curve: Curve, most: int = 5) -> list[Drawdown]:
    """The ``most`` deepest stretches below a peak, deepest first; marked to market.

    Of [100, 120, 90, 130] the one drawdown is 1 - 90/120 = .25.
    """
    depth = drawdown(curve.equity)
    under = np.concatenate(([False], depth > 0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        low = int(start) + int(np.argmax(depth[start:stop]))
        peak = curve.equity[start - 1]
        found.append(
            Drawdown(
                depth=float(depth[low]),
                amount=float(peak - curve.equity[low]),
                peak=int(curve.ts[start - 1]),
                trough=int(curve.ts[low]),
                recovered=int(curve.ts[stop]) if stop < len(curve.ts) else None,
            )
        )
    return sorted(found, key=lambda d: (-d.depth, d.peak))[:most]


def monthly_returns(curve: Curve) -> list[tuple[str, float]]:
    """Each calendar month (UTC) the curve touches, ``YYYY-MM``, with the return inside it."""
    # Equity at the midnight between two months closes the first of them.
    within = np.concatenate((curve.ts[:1], curve.ts[1:] - 1))
    months = within.astype("datetime64[ns]").astype("datetime64[M]")
    last = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    closing = curve.equity[last]
    opening = np.concatenate((curve.equity[:1], closing[:-1]))
    return [
        (str(months[i]), float(close / begin - 1.0))
        for i, begin, close in zip(last, opening, closing, strict=True)
        if begin > 0
    ]


def held(ts: Ints, values: Floats) -> Floats:
    """Nanoseconds for which each row's value held: until the next row, the last for none."""
    return np.append(np.diff(ts), 0).astype(np.float64) if len(values) else np.empty(0)


def time_mean(ts: Ints, values: Floats) -> float:
    """Mean of ``values`` (n,) weighted by how long each held; NaN below two rows."""
    weights = held(ts, values)
    span = float(np.sum(weights))
    return float(np.sum(weights * values) / span) if span > 0 else float("nan")


def _mean(values: Floats) -> Any:
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)[()]
    return np.mean(values, axis=-1)


def _spread(values: Floats) -> Any:
    """Sample standard deviation, exactly 0 where the values differ by rounding alone."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)[()]
    spread = np.std(values, axis=-1, ddof=1)
    return np.where(spread <= _FLAT * np.max(np.abs(values), axis=-1), 0.0, spread)[()]


def _ratio(above: Any, below: Any) -> Any:
    """``above / below``, NaN where there is nothing to divide by."""
    top, base = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    good = np.isfinite(base) & (base > 0)
    with np.errstate(over="ignore"):
        return _finite(np.where(good, top, np.nan) / np.where(good, base, 1.0))[()]


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
