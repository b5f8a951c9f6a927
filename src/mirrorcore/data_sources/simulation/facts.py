"""Stylised facts of returns: how each is measured, and the band the simulator must meet.

Definitions follow Cont (2001), "Empirical properties of asset returns". For the kurtosis of one
bar, tail index, memory exponent, volume, volatility and drawdown the band is the range that a
prototype of this model showed over 8 seeds by 2 symbols by a year of 5-minute bars; for the rest
it is that prototype's median with room for the spread of a year. Bitcoin's 5-minute bars of 2015
and 2016 have heavier single bars, Hill 2.5, sizes correlated .46/.28/.21/.10 at lags
1/10/100/1000, leverage -.02 and volume .66 to .74.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats


@dataclass(frozen=True, slots=True)
class Band:
    """Where the median over seeds must lie, both ends included."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


BANDS: Mapping[str, Band] = {
    "kurtosis_1": Band(27.0, 93.0),
    "kurtosis_12": Band(11.0, 31.0),
    "kurtosis_72": Band(4.0, 18.0),
    "kurtosis_288": Band(2.5, 12.0),
    "hill": Band(2.7, 3.2),
    "acf_return_1": Band(-0.01, 0.01),
    "acf_return_max_2_20": Band(0.0, 0.03),
    "acf_size_1": Band(0.32, 0.42),
    "acf_size_10": Band(0.26, 0.36),
    "acf_size_100": Band(0.11, 0.21),
    "acf_size_1000": Band(0.02, 0.10),
    "memory_exponent": Band(0.23, 0.32),
    "leverage": Band(-0.025, -0.005),
    "leverage_reverse": Band(-0.006, 0.006),
    "volume_size": Band(0.57, 0.72),
    "pair_correlation": Band(0.75, 0.88),
    "annual_volatility": Band(0.66, 1.14),
    "max_drawdown": Band(0.38, 0.78),
}


def excess_kurtosis(x: Floats) -> float:
    """E[(x - m)^4] / var^2 - 3."""
    d = x - x.mean()
    variance = float(np.mean(d * d))
    return float(np.mean(d**4)) / variance**2 - 3.0


def aggregate(x: Floats, bars: int) -> Floats:
    """Sums over disjoint stretches of ``bars``; the rest at the end is dropped."""
    whole = len(x) // bars * bars
    return np.asarray(x[:whole].reshape(-1, bars).sum(axis=1))


def hill(x: Floats, share: float = 0.01) -> float:
    """Tail index of |x| from its largest ``share`` (Hill 1975)."""
    size = np.sort(np.abs(x))
    k = max(2, int(len(size) * share))
    return float(1.0 / np.mean(np.log(size[-k:] / size[-k - 1])))


def autocorrelations(x: Floats, lags: int) -> Floats:
    """Autocorrelations of lags 0..``lags``, by the Fourier transform."""
    d = x - x.mean()
    size = 1 << (len(d) + lags).bit_length()
    spectrum = np.fft.rfft(d, size)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), size)[: lags + 1]
    return np.asarray(covariance / covariance[0])


def memory_exponent(acf: Floats, first: int = 3, last: int = 316) -> float:
    """Decay exponent of a power law through an autocorrelation, by log-log regression.

    Lags are spaced evenly in their logarithm, so that no scale outweighs the others.
    """
    lags = np.unique(np.rint(np.geomspace(first, last, 24)).astype(np.int64))
    known = acf[lags] > 0
    slope = np.polyfit(np.log(lags[known]), np.log(acf[lags][known]), 1)[0]
    return -float(slope)


def leverage(x: Floats, lags: int = 10) -> tuple[float, float]:
    """Mean correlation of r_t with r^2 of the next ``lags`` bars, and with that of the last."""
    d = (x - x.mean()) / x.std()
    square = d * d
    square = (square - square.mean()) / square.std()
    after = [float(np.mean(d[:-k] * square[k:])) for k in range(1, lags + 1)]
    before = [float(np.mean(d[k:] * square[:-k])) for k in range(1, lags + 1)]
    return float(np.mean(after)), float(np.mean(before))


def ranks(x: Floats) -> Floats:
    """Ranks 0..n-1; ties in order of appearance."""
    out = np.empty(len(x))
    out[np.argsort(x, kind="stable")] = np.arange(len(x))
    return out


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's correlation."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def max_drawdown(close: Floats) -> float:
    """Largest fall from a peak, as a positive fraction of it."""
    return float(np.max(1.0 - close / np.maximum.accumulate(close)))


def measure(close: Floats, volume: Floats, bars_per_year: float) -> dict[str, float]:
    """Every fact of ``BANDS``, averaged over symbols.

    Parameters
    ----------
    close, volume: (T, S), S >= 2.
    """
    returns = np.diff(np.log(close), axis=0)
    facts = [
        _measure_one(returns[:, j], close[:, j], volume[1:, j], bars_per_year)
        for j in range(close.shape[1])
    ]
    out = {name: float(np.mean([f[name] for f in facts])) for name in facts[0]}
    pairs = np.corrcoef(returns.T)
    out["pair_correlation"] = float(np.mean(pairs[np.triu_indices(len(pairs), 1)]))
    return out


def _measure_one(
    r: Floats, close: Floats, volume: Floats, bars_per_year: float
) -> dict[str, float]:
    of_return = autocorrelations(r, 20)
    of_size = autocorrelations(np.abs(r), 1000)
    forward, reverse = leverage(r)
    return {
        **{f"kurtosis_{n}": excess_kurtosis(aggregate(r, n)) for n in (1, 12, 72, 288)},
        "hill": hill(r),
        "acf_return_1": float(of_return[1]),
        "acf_return_max_2_20": float(np.max(np.abs(of_return[2:]))),
        **{f"acf_size_{lag}": float(of_size[lag]) for lag in (1, 10, 100, 1000)},
        "memory_exponent": memory_exponent(of_size),
        "leverage": forward,
        "leverage_reverse": reverse,
        "volume_size": rank_correlation(volume, np.abs(r)),
        "annual_volatility": float(np.std(r) * np.sqrt(bars_per_year)),
        "max_drawdown": max_drawdown(close),
    }
