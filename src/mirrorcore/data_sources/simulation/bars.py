"""From returns to candles: prices on the tick grid, extremes within the bar, volume."""

from __future__ import annotations

import numpy as np

from mirrorcore.data_sources.simulation.presets import REFERENCE_BAR_NS
from mirrorcore.data_sources.simulation.streams import Stream, Streams
from mirrorcore.data_sources.simulation.symbols import Traits
from mirrorcore.market.block import Floats


def bridge_maximum(move: Floats, variance: Floats, u: Floats) -> Floats:
    """Maximum of a Brownian bridge from 0 to ``move``, by inverting its distribution.

    P(max <= m) = 1 - exp(-2 m (m - move) / variance) for m >= max(0, move) (Karatzas and Shreve
    1991, 4.3.40), hence m = (move + sqrt(move^2 - 2 variance ln u)) / 2. Minus the result for
    ``-move`` is the minimum.
    """
    return np.asarray(0.5 * (move + np.sqrt(move * move - 2.0 * variance * np.log(u))))


def volume_exponent(
    move: Floats, typical: Floats | float, log_sigma: Floats, season: Floats, jumps: Floats
) -> Floats:
    """Log of volume about its typical value, noise aside.

    Volume rises with the size of the move and with volatility: both follow the flow of
    information (Clark 1973; Karpoff 1987).
    """
    return np.asarray(
        0.75 * np.log1p(np.abs(move) / typical) + 0.5 * log_sigma + season + 0.3 * jumps
    )


class BarShaper:
    """Carries prices from block to block; a bar opens where the last one closed."""

    def __init__(
        self, streams: Streams, symbols: tuple[str, ...], traits: tuple[Traits, ...], bar_ns: int
    ) -> None:
        self._streams = streams
        self._symbols = symbols
        # Multiplying by a power of ten and dividing again gives the double nearest the decimal.
        self._inverse_tick = np.array([[10.0**t.price_decimals] for t in traits])
        self._notional = np.array([[t.notional] for t in traits]) * (bar_ns / REFERENCE_BAR_NS)
        prices = np.array([[t.price] for t in traits])
        self._log_price = np.log(prices)
        self._close = self._to_tick(prices)

    def _to_tick(self, price: Floats) -> Floats:
        ticks = np.maximum(np.rint(price * self._inverse_tick), 1.0)
        return np.asarray(ticks / self._inverse_tick)

    def prices(
        self, log_return: Floats, variance: Floats, block: int
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Open, high, low, close, each (S, BLOCK), for log returns and variances of the path."""
        u = self._streams.uniforms(Stream.RANGE, self._symbols, block, 2)
        path = np.concatenate([self._log_price, log_return], axis=1)
        np.cumsum(path, axis=1, out=path)
        before, after = path[:, :-1], path[:, 1:]
        close = self._to_tick(np.exp(after))
        open_ = np.concatenate([self._close, close[:, :-1]], axis=1)
        up = bridge_maximum(log_return, variance, u[0])
        down = bridge_maximum(-log_return, variance, u[1])
        high = np.maximum(self._to_tick(np.exp(before + up)), np.maximum(open_, close))
        low = np.minimum(self._to_tick(np.exp(before - down)), np.minimum(open_, close))
        self._log_price = after[:, -1:].copy()
        self._close = close[:, -1:].copy()
        return open_, high, low, close

    def volume(self, exponent: Floats, close: Floats, block: int) -> Floats:
        """Volume in base units, (S, BLOCK)."""
        noise = self._streams.normals(Stream.VOLUME, self._symbols, block)
        return np.asarray(self._notional * np.exp(exponent + 0.3 * noise) / close)
