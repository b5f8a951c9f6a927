"""Semi-Markov regimes: bull, range, bear, turbulent, crash."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import HOUR
from mirrorcore.data_sources.simulation.filters import smoother
from mirrorcore.data_sources.simulation.presets import REGIMES, Parameters
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.market.block import Floats, Ints

_BATCH = 64
_SMOOTH_HOURS = 1.0


class RegimeClock:
    """Which regime rules each bar, and what it does to drift, volatility and factor load.

    Semi-Markov (Howard 1971): the stay is Gamma(2) with the regime's mean, so it neither ends at
    once nor has the long tail of the geometric; the successor comes from a table. Volatility and
    load pass from one regime to the next over about an hour. The sequence is independent of
    prices.
    """

    def __init__(self, streams: Streams, parameters: Parameters, bar_ns: int) -> None:
        self._streams = streams
        self._bars_per_hour = HOUR / bar_ns
        self._drift = np.array([r.drift if parameters.regime_drift else 0.0 for r in REGIMES])
        self._drift *= bar_ns / (365 * 24 * HOUR)
        self._log_volatility = np.log(np.array([r.volatility for r in REGIMES]))
        self._log_load = np.log(np.array([r.load for r in REGIMES]))
        self._successor = np.cumsum(np.array([r.moves for r in REGIMES]), axis=1)
        self._draws = np.empty((0, 3))
        self._segment = 0
        # A market opens in an ordinary regime: bull, range or bear.
        self._regime = min(int(3 * self._draw()[0]), 2)
        self._left = self._stay()
        start = np.array([[self._log_volatility[self._regime]], [self._log_load[self._regime]]])
        self._smooth_volatility = smoother(_SMOOTH_HOURS, bar_ns, start[0])
        self._smooth_load = smoother(_SMOOTH_HOURS, bar_ns, start[1])

    def _draw(self) -> Floats:
        batch, row = divmod(self._segment, _BATCH)
        if row == 0:
            generator = self._streams.generator(Stream.REGIME, MARKET, batch)
            self._draws = 1.0 - generator.random((_BATCH, 3))
        self._segment += 1
        return np.asarray(self._draws[row])

    def _stay(self) -> int:
        _, first, second = self._draws[(self._segment - 1) % _BATCH]
        gamma = -np.log(first * second)
        hours = REGIMES[self._regime].dwell_hours * 0.5 * gamma
        return max(1, round(float(hours) * self._bars_per_hour))

    def states(self) -> Ints:
        """Index into ``REGIMES`` for the next block of bars, (BLOCK,)."""
        out = np.empty(BLOCK, dtype=np.int64)
        at = 0
        while at < BLOCK:
            if self._left == 0:
                chance = self._draw()[0]
                successor = int(np.searchsorted(self._successor[self._regime], chance))
                self._regime = min(successor, len(REGIMES) - 1)
                self._left = self._stay()
            run = min(self._left, BLOCK - at)
            out[at : at + run] = self._regime
            self._left -= run
            at += run
        return out

    def update(self) -> tuple[Floats, Floats, Floats]:
        """Drift a bar, log-volatility and log factor load of the next block, each (1, BLOCK)."""
        states = self.states()[np.newaxis, :]
        return (
            self._drift[states],
            self._smooth_volatility(self._log_volatility[states]),
            self._smooth_load(self._log_load[states]),
        )
