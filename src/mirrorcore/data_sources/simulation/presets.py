"""Every constant of the simulated market, with unit and reason, and the three presets.

Times are hours, volatilities and drifts yearly, so that a market of 1-minute bars is the same
market as one of 5-minute bars seen more often.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mirrorcore.clock import MINUTE
from mirrorcore.errors import ConfigError

REFERENCE_BAR_NS = 5 * MINUTE
"""``ic`` is quoted for bars of this length; at others the yearly Sharpe it allows stays."""
DEFAULT_IC = 0.006


@dataclass(frozen=True, slots=True)
class Component:
    """One time scale of log-volatility."""

    half_life_hours: float
    sd: float


@dataclass(frozen=True, slots=True)
class Regime:
    """A state of the market.

    ``drift`` a year of the factor, ``volatility`` times the usual, ``load`` times the factor's
    share, ``dwell_hours`` mean stay, ``moves`` probabilities of the next regime.
    """

    name: str
    drift: float
    volatility: float
    load: float
    dwell_hours: float
    moves: tuple[float, ...]


REGIMES: tuple[Regime, ...] = (
    Regime("bull", 0.8, 0.85, 1.0, 240.0, (0.0, 0.60, 0.12, 0.26, 0.02)),
    Regime("range", 0.0, 0.70, 0.9, 200.0, (0.45, 0.0, 0.30, 0.25, 0.0)),
    Regime("bear", -0.7, 1.10, 1.1, 160.0, (0.15, 0.45, 0.0, 0.30, 0.10)),
    Regime("turbulent", 0.0, 1.70, 1.2, 48.0, (0.25, 0.30, 0.30, 0.0, 0.15)),
    Regime("crash", -25.0, 3.00, 1.5, 5.0, (0.20, 0.0, 0.20, 0.60, 0.0)),
)

CHANNELS = (
    "onchain.whale_flow",
    "onchain.gas",
    "onchain.decoy_flow",
    "sentiment.score",
    "sentiment.fear_greed",
    "sentiment.decoy",
    "macro.surprise",
)

SWAPPED = ("onchain.whale_flow", "onchain.decoy_flow")


@dataclass(frozen=True, slots=True)
class Parameters:
    """One market. Build it with :func:`preset`; the fields below are the preset ``default``."""

    preset: str = "default"
    ic: float = DEFAULT_IC
    """Correlation of the latent alpha with the next 5-minute return in units of its volatility."""
    factor_share: float = 0.82
    """Share of variance, hence mean correlation of pairs, that the common factor explains."""
    annual_volatility: float = 0.90
    """Root mean square volatility a year of a symbol with beta 1, before regimes and jumps."""
    common_volatility: float = 0.9
    """Correlation of the log-volatility of a symbol's own part with the factor's: storms are
    shared (Herskovic, Kelly, Lustig and Van Nieuwerburgh 2016)."""
    premium: float = 0.5
    """Mean simple return in units of its variance (Merton 1973); .5 keeps the log price level."""
    components: tuple[Component, ...] = (
        Component(1.0, 0.29),
        Component(8.0, 0.21),
        Component(48.0, 0.165),
        Component(360.0, 0.125),
        Component(1440.0, 0.10),
    )
    leverage: float = 0.18
    magnitude: float = 0.25
    alpha_half_life_hours: float = 12.0
    regimes: bool = True
    regime_drift: bool = True
    season: float = 0.20
    """Amplitude of the hour of day in log-volatility; 0 for none."""
    macro: bool = True
    macro_impact: float = 0.006
    """Standard deviation of the factor's move at a weekly release."""
    macro_drift: float = 0.003
    """Standard deviation of the drift that follows in the same direction."""
    macro_drift_hours: float = 6.0
    jumps_per_year: float = 30.0
    """Jumps nobody triggered; each triggers ``jump_branching`` more on average."""
    jump_branching: float = 0.6
    jump_decay_hours: float = 2.0
    jump_mean: float = -0.004
    jump_sd: float = 0.014
    jump_volatility: float = 0.5
    """Jump sizes go with this power of the factor's volatility: nervous markets jump further."""
    whale_load: float = 0.5
    sentiment_alpha: float = 0.3
    sentiment_momentum: float = 0.6
    momentum_half_life_hours: float = 6.0
    swap_hours: float | None = None
    """Time after which the whale flow and its decoy exchange what they know; None for never."""
    channels: tuple[str, ...] = CHANNELS


_PRESETS: dict[str, Parameters] = {
    "default": Parameters(),
    "plain": Parameters(
        preset="plain",
        premium=0.0,
        regimes=False,
        regime_drift=False,
        season=0.0,
        macro=False,
        channels=("onchain.whale_flow", "sentiment.score"),
    ),
    "null": Parameters(preset="null", ic=0.0, premium=0.0, regime_drift=False, macro_drift=0.0),
}
PRESETS = tuple(_PRESETS)


def preset(name: str, ic: float | None = None, swap_hours: float | None = None) -> Parameters:
    """The market ``name``: ``default``, ``plain`` or ``null``.

    Parameters
    ----------
    swap_hours: after which the whale flow and its decoy exchange what they know; the decoy is then
        among the channels of every preset.
    ic: information coefficient of the latent alpha for 5-minute bars, 0..0.2; None takes the
        preset's own. ``null`` has no edge by definition and refuses any other than 0.

    Raises
    ------
    ConfigError: unknown preset, or an ``ic`` it cannot have.
    """
    if name not in _PRESETS:
        raise ConfigError(
            f"simulated market: preset was {name!r}", hint=f"use one of {', '.join(PRESETS)}"
        )
    parameters = _PRESETS[name]
    if swap_hours is not None:
        named = (*parameters.channels, *SWAPPED)
        channels = tuple(channel for channel in CHANNELS if channel in named)
        parameters = dataclasses.replace(parameters, swap_hours=swap_hours, channels=channels)
    if ic is None:
        return parameters
    if not 0.0 <= ic <= 0.2:
        raise ConfigError(
            f"simulated market: ic was {ic}, must lie in 0..0.2",
            hint=f"{DEFAULT_IC} is a market that is hard but not hopeless, 0 one without skill",
        )
    if name == "null" and ic != 0.0:
        raise ConfigError(
            f"simulated market: preset null has no edge, ic was {ic}",
            hint="leave ic out, or use preset plain with it",
        )
    return dataclasses.replace(parameters, ic=ic)
