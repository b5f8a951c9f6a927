"""The simulated market, block by block.

Simple return of symbol j in bar t, everything on the right known at t-1 except the shocks:

    R = premium sigma^2 + beta drift + ic sigma alpha + beta (N - lambda) jump_mean q
        + clip(beta sigma_m e_m + sigma_i e_j + beta (jump sizes q + release))

with q a power of the factor's volatility, N jumps of rate lambda.

It is the *simple* return that is modelled: a Student t has no exponential moment, so no drift
could make the exponential of a log return fair. The shocks are symmetric given the past and
clipped symmetrically and N - lambda has mean 0, so the conditional mean is exactly the first
three terms, and with premium, drift and ic at 0 price is a martingale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mirrorcore.clock import YEAR
from mirrorcore.data_sources.simulation.bars import BarShaper, volume_exponent
from mirrorcore.data_sources.simulation.calendar import MacroReleases, season
from mirrorcore.data_sources.simulation.channels import CHANNEL_TYPES, Seen, Setting
from mirrorcore.data_sources.simulation.filters import Previous
from mirrorcore.data_sources.simulation.jumps import HawkesJumps
from mirrorcore.data_sources.simulation.presets import REFERENCE_BAR_NS, Parameters
from mirrorcore.data_sources.simulation.regimes import RegimeClock
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.data_sources.simulation.symbols import traits
from mirrorcore.data_sources.simulation.volatility import ComponentVolatility, Innovations
from mirrorcore.market.block import Bools, Floats, Ints

MODEL_VERSION = 1
"""Part of the digest: raise it with any change that moves a price."""

_LARGEST_SHOCK = 0.6
_LARGEST_SIGMA = 0.15


@dataclass(frozen=True, slots=True)
class GeneratedBlock:
    """BLOCK bars; rows are symbols. The last four are the truth that no market block carries."""

    index: int
    ts: Ints  # (BLOCK,) close of each bar
    open: Floats  # (S, BLOCK)
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    series: Mapping[str, tuple[Floats, Ints]]  # value (S or 1, BLOCK), known_at (BLOCK,)
    returns: Floats  # (S, BLOCK) simple, before rounding to ticks
    alpha: Floats  # (S, BLOCK) as of the open: what the bar's mean is made of
    sigma: Floats  # (S, BLOCK) conditional volatility without jumps, as of the open
    mean: Floats  # (S, BLOCK) conditional mean of ``returns``, as of the open

    def first(self, rows: int) -> GeneratedBlock:
        """The first ``rows`` bars; the arrays are views."""
        return GeneratedBlock(
            index=self.index,
            ts=self.ts[:rows],
            open=self.open[:, :rows],
            high=self.high[:, :rows],
            low=self.low[:, :rows],
            close=self.close[:, :rows],
            volume=self.volume[:, :rows],
            series={name: (v[:, :rows], known[:rows]) for name, (v, known) in self.series.items()},
            returns=self.returns[:, :rows],
            alpha=self.alpha[:, :rows],
            sigma=self.sigma[:, :rows],
            mean=self.mean[:, :rows],
        )


@dataclass(frozen=True, slots=True)
class _World:
    """Calendar and regime, (1, BLOCK) each."""

    season: Floats
    log_volatility: Floats
    log_load: Floats
    drift: Floats
    impact: Floats
    released: Bools  # (BLOCK,)
    surprise: Floats  # (BLOCK,)


@dataclass(frozen=True, slots=True)
class _Risk:
    """Volatility a bar and the shocks it scales; factor (1, BLOCK), the rest (S, BLOCK)."""

    log_factor: Floats
    factor: Floats
    factor_shock: Floats
    own_shock: Floats
    sigma: Floats
    path_variance: Floats


@dataclass(frozen=True, slots=True)
class _Moves:
    """Returns; ``mean`` and ``returns`` (S, BLOCK) simple, ``factor`` (1, BLOCK) log."""

    mean: Floats
    returns: Floats
    factor: Floats
    jumps: Floats  # (1, BLOCK)


def bar_ic(parameters: Parameters, bar_ns: int) -> float:
    """``ic`` for bars of another length: a drift a time against the root of time."""
    return float(parameters.ic * np.sqrt(bar_ns / REFERENCE_BAR_NS))


class MarketModel:
    """Generates one market from its first bar on; :meth:`next_block` advances it.

    Parameters
    ----------
    parameters: the preset.
    seed: 0 <= seed < 2**64.
    symbols: ``BASE/QUOTE`` names; each one's prices depend on its name and the seed alone.
    bar_ns: length of a bar, ns.
    start_ns: open of the first bar, ns UTC.
    """

    def __init__(
        self,
        parameters: Parameters,
        seed: int,
        symbols: tuple[str, ...],
        bar_ns: int,
        start_ns: int,
    ) -> None:
        streams = Streams(seed)
        own = tuple(traits(symbol) for symbol in symbols)
        self._parameters = parameters
        self._streams = streams
        self._symbols = symbols
        self._bar_ns = bar_ns
        self._start_ns = start_ns
        self._block = 0
        self._beta = np.array([[t.beta] for t in own])
        self._ic = bar_ic(parameters, bar_ns)
        scale = parameters.annual_volatility * np.sqrt(bar_ns / YEAR)
        self._scale = float(scale)
        self._factor_scale = float(scale * np.sqrt(parameters.factor_share))
        self._own_scale = float(scale * np.sqrt(1.0 - parameters.factor_share))
        self._factor_innovations = Innovations(streams, (MARKET,))
        self._own_innovations = Innovations(streams, symbols)
        self._factor_volatility = ComponentVolatility(streams, (MARKET,), parameters, bar_ns)
        self._own_volatility = ComponentVolatility(streams, symbols, parameters, bar_ns)
        self._regimes = RegimeClock(streams, parameters, bar_ns) if parameters.regimes else None
        self._jumps = HawkesJumps(streams, parameters, bar_ns)
        self._releases = (
            MacroReleases(streams, parameters, bar_ns, start_ns) if parameters.macro else None
        )
        setting = Setting(streams, symbols, parameters, bar_ns, start_ns)
        self._alpha = setting.process(Stream.ALPHA, "alpha", parameters.alpha_half_life_hours)
        self._known_alpha = Previous(self._alpha.state)
        self._bars = BarShaper(streams, symbols, own, bar_ns)
        self._channels = {name: CHANNEL_TYPES[name](setting) for name in parameters.channels}

    def next_block(self) -> GeneratedBlock:
        """The next BLOCK bars."""
        block = self._block
        self._block += 1
        index = block * BLOCK
        open_ts = self._start_ns + self._bar_ns * np.arange(index, index + BLOCK, dtype=np.int64)
        world = self._world(open_ts, index)
        risk = self._risk(world, block)
        alpha_now = self._alpha(self._streams.normals(Stream.ALPHA, self._symbols, block))
        alpha = self._known_alpha(alpha_now)
        moves = self._moves(world, risk, alpha, block)
        log_return = np.log1p(moves.returns)
        open_, high, low, close = self._bars.prices(log_return, risk.path_variance, block)
        typical = self._beta * self._scale
        activity = volume_exponent(
            log_return, typical, np.log(risk.sigma / typical), world.season, moves.jumps
        )
        ts = open_ts + self._bar_ns
        seen = Seen(
            ts=ts,
            alpha=alpha_now,
            standardised=moves.returns / risk.sigma,
            factor_return=moves.factor,
            factor_volume=volume_exponent(
                moves.factor, self._factor_scale, risk.log_factor, world.season, moves.jumps
            ),
            released=world.released,
            surprise=world.surprise,
        )
        return GeneratedBlock(
            index=index,
            ts=ts,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=self._bars.volume(activity, close, block),
            series={name: c.update(seen, block) for name, c in self._channels.items()},
            returns=moves.returns,
            alpha=alpha,
            sigma=risk.sigma,
            mean=moves.mean,
        )

    def _world(self, open_ts: Ints, index: int) -> _World:
        """What the calendar and the regime decide."""
        nothing = np.zeros((1, BLOCK))
        drift, calm, load = self._regimes.update() if self._regimes else (nothing,) * 3
        if self._releases:
            impact, drag, released, surprise = self._releases.update(index)
        else:
            impact, drag, surprise = nothing, nothing, nothing[0]
            released = np.zeros(BLOCK, dtype=np.bool_)
        wave = season(open_ts, self._parameters.season)[np.newaxis, :]
        return _World(wave, wave + calm, load, drift + drag, impact, released, surprise)

    def _risk(self, world: _World, block: int) -> _Risk:
        """Volatilities of the factor and of each symbol's own part, with their innovations."""
        shared = self._parameters.common_volatility
        alone = float(np.sqrt(1.0 - shared * shared))
        e_factor, w_factor = self._factor_innovations.draw(block)
        e_own, w_own = self._own_innovations.draw(block)
        x_factor = self._factor_volatility.update(e_factor, block)
        x_own = self._own_volatility.update(e_own, block)
        # Less the variance of the logarithm, so that the mean square is the scale's.
        level = world.log_volatility - self._factor_volatility.variance
        log_factor = x_factor + level
        factor = self._factor_scale * np.exp(log_factor + world.log_load)
        own = (self._beta * self._own_scale) * np.exp(shared * x_factor + alone * x_own + level)
        np.minimum(factor, _LARGEST_SIGMA, out=factor)
        np.minimum(own, _LARGEST_SIGMA, out=own)
        factor_variance = np.square(self._beta * factor)
        own_variance = own * own
        return _Risk(
            log_factor=log_factor,
            factor=factor,
            factor_shock=factor * e_factor,
            own_shock=own * e_own,
            sigma=np.sqrt(factor_variance + own_variance),
            path_variance=factor_variance * w_factor + own_variance * w_own,
        )

    def _moves(self, world: _World, risk: _Risk, alpha: Floats, block: int) -> _Moves:
        """Simple returns of the symbols and log returns of the factor."""
        counts, sizes, surplus = self._jumps.update(block)
        nerves = np.power(risk.factor / self._factor_scale, self._parameters.jump_volatility)
        common_shock = risk.factor_shock + sizes * nerves + world.impact
        surplus = surplus * nerves
        shock = np.clip(self._beta * common_shock + risk.own_shock, -_LARGEST_SHOCK, _LARGEST_SHOCK)
        mean = self._beta * world.drift
        mean = mean + (self._ic * alpha + self._parameters.premium * risk.sigma) * risk.sigma
        factor_shock = np.clip(common_shock, -_LARGEST_SHOCK, _LARGEST_SHOCK)
        return _Moves(
            mean=mean,
            returns=mean + self._beta * surplus + shock,
            factor=np.log1p(world.drift + surplus + factor_shock),
            jumps=counts,
        )
