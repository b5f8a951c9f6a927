"""Which prices move together for good: Engle and Granger's two steps, over all pairs at once.

Engle and Granger (1987): regress one log price on the other; where both wander and the residual
does not, the pair is cointegrated. The residual is tested as Dickey and Fuller do, without lags,
against MacKinnon's critical values for it (2010, table 2, two variables, constant): the usual ones
would find pairs among any wandering prices, since the regression has already looked for one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats, Ints

_SURFACE = {
    0.01: (-3.89644, -10.9519, -22.527),
    0.05: (-3.33613, -6.1101, -6.823),
    0.10: (-3.04445, -4.2412, -2.720),
}
"""Level -> b0, b1, b2 of the critical value b0 + b1/N + b2/N²."""
LEVELS = tuple(_SURFACE)


def critical_value(level: float, samples: int) -> float:
    """The t statistic below which N samples reject *no cointegration* at a level of LEVELS."""
    b0, b1, b2 = _SURFACE[level]
    return b0 + b1 / samples + b2 / samples**2


@dataclass(frozen=True, slots=True)
class Pairs:
    """For each of S symbols the partner it is best explained by.

    ``partner`` (S,) is -1 where no pair passed. p_i = ``intercept`` + ``slope`` p_partner + e, with
    e of mean 0 and standard deviation ``spread``; ``statistic`` is the t of its reversion, NaN
    where there was nothing to test.
    """

    partner: Ints
    intercept: Floats
    slope: Floats
    spread: Floats
    statistic: Floats

    @classmethod
    def none(cls, symbols: int) -> Pairs:
        """Nobody has a partner."""
        zero = np.zeros(symbols)
        alone = np.full(symbols, -1, dtype=np.int64)
        return cls(alone, zero, zero.copy(), zero.copy(), np.full(symbols, np.nan))


def find_pairs(prices: Floats, level: float) -> Pairs:
    """The best partner of each symbol among those that pass the test and rise with it.

    Parameters
    ----------
    prices: (N, S) log prices at equal distances, NaN where unknown; a symbol with one is left out.
    level: one of LEVELS, for each pair by itself: of k unrelated partners about k x level pass.
    """
    samples, symbols = prices.shape
    found = Pairs.none(symbols)
    whole = np.isfinite(prices).all(axis=0)
    centre = np.where(whole, np.add.reduce(np.where(whole, prices, 0.0), axis=0) / samples, 0.0)
    moved = np.where(whole, prices - centre, 0.0)
    power = np.add.reduce(moved * moved, axis=0)
    usable = whole & (power > 1e-18 * samples)
    bound = critical_value(level, samples)
    for symbol in np.flatnonzero(usable).tolist():
        cross = np.add.reduce(moved * moved[:, symbol : symbol + 1], axis=0)
        slope = np.divide(cross, power, out=np.zeros(symbols), where=usable)
        residual = moved[:, symbol : symbol + 1] - moved * slope
        statistic = _reversion(residual)
        statistic[(~usable) | (slope <= 0)] = np.nan
        statistic[symbol] = np.nan
        if not np.isfinite(statistic).any():
            continue
        best = int(np.nanargmin(statistic))
        found.statistic[symbol] = statistic[best]
        if statistic[best] < bound:
            left = residual[:, best]
            found.partner[symbol] = best
            found.slope[symbol] = slope[best]
            found.intercept[symbol] = centre[symbol] - slope[best] * centre[best]
            found.spread[symbol] = np.sqrt(np.add.reduce(left * left) / (samples - 2))
    return found


def _reversion(residual: Floats) -> Floats:
    """(S,) t statistic of f in e(t) - e(t-1) = f e(t-1) + noise, of each column; NaN if undefined.

    A residual of nothing, two copies of one price, is no pair that could ever part.
    """
    before, step = residual[:-1], np.diff(residual, axis=0)
    power = np.add.reduce(before * before, axis=0)
    cross = np.add.reduce(before * step, axis=0)
    total = np.add.reduce(step * step, axis=0)
    known = power > 1e-18 * len(before)
    f = np.divide(cross, power, out=np.zeros_like(cross), where=known)
    variance = np.maximum(total - f * cross, 0.0) / (len(before) - 1)
    error = np.sqrt(np.divide(variance, power, out=np.zeros_like(power), where=known))
    known &= error > 0
    statistic: Floats = np.divide(f, error, out=np.full_like(f, np.nan), where=known)
    return statistic
