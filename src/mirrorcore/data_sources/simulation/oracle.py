"""The truth behind a simulated market, and what could be earned by knowing it.

For evidence and tests only: nothing here is reachable from a market block, so no agent can see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mirrorcore.clock import YEAR
from mirrorcore.data_sources.simulation.filters import decay_per_bar, unit_gain
from mirrorcore.data_sources.simulation.model import bar_ic
from mirrorcore.data_sources.simulation.presets import REFERENCE_BAR_NS, Parameters
from mirrorcore.errors import UsageError
from mirrorcore.market.block import Floats

if TYPE_CHECKING:
    from mirrorcore.data_sources.simulated import SimulatedSource


@dataclass(frozen=True, slots=True)
class Truth:
    """What the generator knew, (T, S) each; row t belongs to bar t.

    ``alpha``, ``sigma`` and ``mean`` are as of the bar's open, so a position made of them may earn
    the bar's ``returns`` (simple, before rounding to ticks).
    """

    alpha: Floats
    sigma: Floats
    mean: Floats
    returns: Floats


def truth(source: SimulatedSource, ticks: int | None = None) -> Truth:
    """Generate a source's market again and keep what its blocks leave out.

    ``ticks`` is needed where the source has no end.
    """
    total = source.ticks_total() if ticks is None else ticks
    if total is None:
        raise UsageError("the source has no end", hint="say how many ticks of truth are wanted")
    model = source.model()
    made = [model.next_block()]
    while made[-1].index + made[-1].ts.size < total:
        made.append(model.next_block())
    return Truth(
        alpha=np.concatenate([b.alpha for b in made], axis=1)[:, :total].T,
        sigma=np.concatenate([b.sigma for b in made], axis=1)[:, :total].T,
        mean=np.concatenate([b.mean for b in made], axis=1)[:, :total].T,
        returns=np.concatenate([b.returns for b in made], axis=1)[:, :total].T,
    )


def directional_positions(known: Truth) -> Floats:
    """alpha / sigma: best by each symbol alone, with the common factor left in."""
    return np.asarray(known.alpha / known.sigma)


def neutral_positions(known: Truth) -> Floats:
    """(alpha - mean over symbols) / sigma: bets between symbols alone, free of the factor."""
    return np.asarray((known.alpha - known.alpha.mean(axis=1, keepdims=True)) / known.sigma)


def sharpe(positions: Floats, returns: Floats, bar_ns: int) -> float:
    """Yearly Sharpe ratio of positions held through each bar, without cost.

    Parameters
    ----------
    positions, returns: (T, S), positions as of the open of the bar that earns the return.
    """
    earned = (positions * returns).sum(axis=1)
    return float(earned.mean() / earned.std() * np.sqrt(YEAR / bar_ns))


def theoretical_sharpe(parameters: Parameters, symbols: int) -> float:
    """ic * sqrt(bars a year * N_eff), the fundamental law (Grinold and Kahn 1999).

    The alphas are independent across symbols, so the products alpha * return are uncorrelated even
    though the returns are not, and N_eff of the directional oracle is the number of symbols.
    """
    return float(parameters.ic * np.sqrt(YEAR / REFERENCE_BAR_NS * symbols))


def whale_ic(parameters: Parameters, bar_ns: int) -> float:
    """Correlation of asinh(whale flow) with the next return over its volatility."""
    return parameters.whale_load * bar_ic(parameters, bar_ns)


def sentiment_ic(parameters: Parameters, bar_ns: int) -> float:
    """Correlation of atanh(sentiment) with the next return over its volatility.

    Its alpha, and what momentum has of alpha's persistence: for decays phi of the momentum and rho
    of alpha, cov(momentum_t, alpha_t) = ic * sqrt(1 - phi^2) * rho / (1 - phi * rho).
    """
    ic = bar_ic(parameters, bar_ns)
    phi = decay_per_bar(parameters.momentum_half_life_hours, bar_ns)
    rho = decay_per_bar(parameters.alpha_half_life_hours, bar_ns)
    persistence = ic * unit_gain(phi) * rho / (1.0 - phi * rho)
    return ic * (parameters.sentiment_alpha + parameters.sentiment_momentum * persistence)
