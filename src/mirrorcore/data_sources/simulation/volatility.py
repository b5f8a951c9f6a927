"""Innovations with fat tails and the log-volatility they drive."""

from __future__ import annotations

import numpy as np

from mirrorcore.data_sources.simulation.filters import (
    AutoRegression,
    Previous,
    decay_per_bar,
    unit_gain,
)
from mirrorcore.data_sources.simulation.presets import Parameters
from mirrorcore.data_sources.simulation.streams import Stream, Streams
from mirrorcore.market.block import Floats

_MEAN_ABSOLUTE = 0.75
"""E|e| of a t_6 scaled to unit variance, exact: sqrt(4/pi) * Gamma(5/2) / Gamma(3)."""
_SD_ABSOLUTE = float(np.sqrt(1.0 - _MEAN_ABSOLUTE**2))
_SMALLEST_GAMMA = 0.005


class Innovations:
    """e = sqrt(w) z: Student t with 6 degrees of freedom, scaled to unit variance.

    A t is a normal whose variance is mixed by an inverse gamma (Blattberg and Gonedes 1974); given
    ``w`` a bar is a piece of Brownian motion on a clock of its own (Clark 1973), which is what
    high and low are drawn from.
    """

    __slots__ = ("_owners", "_streams")

    def __init__(self, streams: Streams, owners: tuple[str, ...]) -> None:
        self._streams = streams
        self._owners = owners

    def draw(self, block: int) -> tuple[Floats, Floats]:
        """Innovations e and mixing variances w, each (owners, BLOCK)."""
        z = self._streams.normals(Stream.INNOVATION, self._owners, block)
        u = self._streams.uniforms(Stream.MIXING, self._owners, block, 3)
        # -log(u1 u2 u3) is Gamma(3), half a chi-square of 6; the floor bounds |e| at 20 |z|.
        gamma = np.maximum(-np.log(u[0] * u[1] * u[2]), _SMALLEST_GAMMA)
        w = 2.0 / gamma
        return np.sqrt(w) * z, w


def component_covariance(parameters: Parameters, phis: Floats) -> Floats:
    """Stationary covariance of components that share one shock, (C, C)."""
    sds = np.array([c.sd for c in parameters.components])
    gains = sds * np.sqrt(1.0 - phis * phis)
    return np.outer(gains, gains) / (1.0 - np.outer(phis, phis))


class ComponentVolatility:
    """ln sigma as a sum of AR(1) components with half-lives from an hour to months.

    X_{c,t} = phi_c X_{c,t-1} + sd_c sqrt(1 - phi_c^2) g_t, one shock for all components:

        g = -lev * e + mag * (|e| - E|e|) / sd|e| + sqrt(1 - lev^2 - mag^2) * u

    The response to sign and size is EGARCH (Nelson 1991); several time scales give the slow decay
    of volatility's memory (Calvet and Fisher 2004, in continuous form). Volatility of bar t is
    known at the end of bar t-1.
    """

    __slots__ = ("_filters", "_owners", "_previous", "_shock", "_streams", "variance")

    def __init__(
        self, streams: Streams, owners: tuple[str, ...], parameters: Parameters, bar_ns: int
    ) -> None:
        self._streams = streams
        self._owners = owners
        lev, mag = parameters.leverage, parameters.magnitude
        self._shock = (-lev, mag / _SD_ABSOLUTE, float(np.sqrt(1.0 - lev * lev - mag * mag)))
        phis = np.array([decay_per_bar(c.half_life_hours, bar_ns) for c in parameters.components])
        covariance = component_covariance(parameters, phis)
        self.variance = float(covariance.sum())
        """Stationary variance V of the sum; E[exp(2 X)] = exp(2 V) were it normal."""
        draws = streams.start(owners, Stream.VOLATILITY, len(phis))
        start = np.einsum("oc,dc->od", draws, np.linalg.cholesky(covariance))
        self._filters = [
            AutoRegression(float(phi), c.sd * unit_gain(float(phi)), start[:, k])
            for k, (phi, c) in enumerate(zip(phis, parameters.components, strict=True))
        ]
        self._previous = Previous(start.sum(axis=1))

    def update(self, e: Floats, block: int) -> Floats:
        """X (owners, BLOCK), of mean 0, for a block with the innovations ``e``."""
        on_sign, on_size, on_own = self._shock
        shock = np.abs(e)
        shock -= _MEAN_ABSOLUTE
        shock *= on_size
        shock += on_sign * e
        shock += on_own * self._streams.normals(Stream.VOLATILITY, self._owners, block)
        total = self._filters[0](shock)
        for component in self._filters[1:]:
            total += component(shock)
        return self._previous(total)
