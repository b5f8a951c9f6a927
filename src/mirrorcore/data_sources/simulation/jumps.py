"""Self-exciting jumps of the common factor."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import HOUR, YEAR
from mirrorcore.data_sources.simulation.presets import Parameters
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.market.block import Floats

_LARGEST_NORMAL = 6.0


class HawkesJumps:
    """Jumps that come in clusters (Hawkes 1971), on a grid of bars.

    lambda_t = mu dt + y_t (1 - d),  N_t ~ Poisson(lambda_t),  y_{t+1} = d y_t + n N_t

    with base rate mu, branching ratio n and d = exp(-dt / decay): y is the number of offspring
    still to come, so the branching ratio is exact at any bar length. A jump's size is normal; the
    conditional mean of a bar's jumps is ``lambda_t * jump_mean``, which the model takes off again.
    """

    def __init__(self, streams: Streams, parameters: Parameters, bar_ns: int) -> None:
        self._streams = streams
        self._base = parameters.jumps_per_year * bar_ns / YEAR
        self._branching = parameters.jump_branching
        self._mean = parameters.jump_mean
        self._sd = parameters.jump_sd
        decay = np.exp(-bar_ns / (parameters.jump_decay_hours * HOUR))
        self._next_share = float(1.0 - decay)
        self._powers = np.power(decay, np.arange(BLOCK + 1))
        self._pending = 0.0

    def _counts(self, u: Floats) -> tuple[Floats, Floats]:
        """Jumps a bar and their conditional mean, each (BLOCK,); loops over jumps, not bars."""
        counts = np.zeros(BLOCK)
        expected = np.empty(BLOCK)
        at = 0
        while at < BLOCK:
            rate = self._base + (self._pending * self._next_share) * self._powers[: BLOCK - at]
            hits = np.flatnonzero(u[at:] > np.exp(-rate))
            run = int(hits[0]) + 1 if hits.size else BLOCK - at
            expected[at : at + run] = rate[:run]
            self._pending *= float(self._powers[run])
            at += run
            if hits.size:
                count = poisson_quantile(float(u[at - 1]), float(rate[run - 1]))
                counts[at - 1] = count
                self._pending += self._branching * count
        return counts, expected

    def update(self, block: int) -> tuple[Floats, Floats, Floats]:
        """Counts N, sizes about their mean, and compensated drift (N - lambda) * mean.

        Each (1, BLOCK). The second is symmetric given N, the third has conditional mean 0.
        """
        u = self._streams.uniforms(Stream.JUMP_TIME, (MARKET,), block, 1)[0, 0]
        counts, expected = self._counts(u)
        normals = self._streams.normals(Stream.JUMP_SIZE, (MARKET,), block)
        np.clip(normals, -_LARGEST_NORMAL, _LARGEST_NORMAL, out=normals)
        sizes = self._sd * np.sqrt(counts) * normals
        drift = (counts - expected) * self._mean
        return counts[np.newaxis, :], sizes, drift[np.newaxis, :]


def poisson_quantile(u: float, rate: float) -> int:
    """The smallest n whose Poisson distribution function is at least ``u``; 0 < u <= 1."""
    probability = float(np.exp(-rate))
    total = probability
    n = 0
    # Beyond 64 the terms are below rounding for any rate that occurs; u = 1 must end too.
    while total < u and n < 64:
        n += 1
        probability *= rate / n
        total += probability
    return n
