"""What agents may have seen of the market and of their inputs, as numbers to regress actions on.

Deliberately wide: whatever an agent makes of shared data should be near some combination of these,
so that what remains is its own. Scales are those of the first ``SETTLE`` ticks and stay.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mirrorcore.emergence.detector import Array

SETTLE = 256
"""Ticks that set the scales; a multiple of every block. Before, features are zero."""

_MEANS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_VOLS = (6.0, 24.0, 96.0)
_LAGS = 9
_LIMIT = 4.0
_OF_INPUT = 8


@cache
def _kernel(rate: float, size: int) -> tuple[Array, Array]:
    """A moving average over a block as one product: weights of the block, and of what was."""
    age = np.arange(size)[:, None] - np.arange(size)[None, :]
    weights: Array = np.where(age >= 0, rate * (1.0 - rate) ** np.maximum(age, 0), 0.0)
    fading: Array = (1.0 - rate) ** np.arange(1.0, size + 1.0)
    return weights, fading


def moving_average(values: Array, before: Array | float, rate: float) -> Array:
    """Exponential moving average along the first axis of a block, from its value before it."""
    weights, fading = _kernel(rate, len(values))
    out: Array = weights @ values + np.multiply.outer(fading, before)
    return out


class MarketFeatures:
    """Features of returns and inputs, block by block; memory is bounded.

    ``rows``: (P,) a tick: lags and moving averages of the return (linear and bent), volatility and
    its products with them, a constant, each input likewise. ``owner`` (P,) says which input a
    feature is of, -1 for the market.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._early: list[Array] = []
        self._count = 0
        self._centre = np.zeros(1 + inputs)
        self._scale = np.ones(1 + inputs)
        self._last = np.zeros((_LAGS - 1, 1 + inputs))
        self._means = np.zeros(len(_MEANS))
        self._vols = np.ones(len(_VOLS))
        self._input_means = np.zeros((2, inputs))
        market = self._market(np.zeros((1, _LAGS)), np.zeros((1, 6)), np.ones((1, 3))).shape[1]
        self.owner = np.concatenate(
            [np.full(market, -1), np.tile(np.arange(inputs), _OF_INPUT)]
        ).astype(np.int64)
        self.core = np.zeros(len(self.owner), dtype=bool)
        """The few features most rules are made of: two lags, three averages, each input's own."""
        self.core[[0, 1, 5, 6, 7]] = True
        for place in (0, 5):
            first = market + place * inputs
            self.core[first : first + inputs] = True
        self.lean = self.core.copy()
        """Somewhat more: also their bends, volatility and the constant."""
        self.lean[:20] = True
        self.lean[35:46] = True
        self.lean[[market - 1]] = True
        for place in (1, 3):
            first = market + place * inputs
            self.lean[first : first + inputs] = True

    def rows(self, returns: Array, inputs: Array) -> Array:
        """Features (B, P) of a block of returns (B,) and inputs (B, I)."""
        raw = np.concatenate([returns[:, None], inputs], axis=1)
        if self._count < SETTLE:
            self._count += len(raw)
            self._early.append(raw)
            if self._count >= SETTLE:
                self._settle()
            return np.zeros((len(raw), len(self.owner)))
        return self._scaled_rows((raw - self._centre) / self._scale)

    @property
    def settled(self) -> bool:
        """Whether the scales are set; rows are zero until then."""
        return self._count >= SETTLE

    def _settle(self) -> None:
        early = np.concatenate(self._early)
        self._centre[1:] = early[:, 1:].mean(axis=0)
        spread = (early - self._centre).std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        for block in self._early:
            self._scaled_rows((block - self._centre) / self._scale)
        self._early = []

    def _scaled_rows(self, scaled: Array) -> Array:
        scaled[:, 1:] = np.clip(scaled[:, 1:], -8.0, 8.0)
        long = np.concatenate([self._last, scaled])
        self._last = long[-(_LAGS - 1) :]
        size = len(scaled)
        z = scaled[:, 0]
        lags = np.stack([long[_LAGS - 1 - k : _LAGS - 1 - k + size, 0] for k in range(_LAGS)], 1)
        means = np.stack(
            [
                moving_average(z, before, 2.0 / (span + 1.0))
                for span, before in zip(_MEANS, self._means, strict=True)
            ],
            axis=1,
        )
        vols = np.stack(
            [
                moving_average(z * z, before, 1.0 / span)
                for span, before in zip(_VOLS, self._vols, strict=True)
            ],
            axis=1,
        )
        self._means, self._vols = means[-1], vols[-1]
        market = self._market(lags, means, vols)
        return np.concatenate([market, self._of_inputs(scaled[:, 1:], long[:, 1:], lags)], axis=1)

    def _market(self, lags: Array, means: Array, vols: Array) -> Array:
        means = means * np.sqrt(_MEANS)  # white noise then has a spread of one at any span
        log_vols = 0.5 * np.log(vols + 1e-6)
        local = lags[:, :2] / np.sqrt(vols[:, 1:2] + 1e-6)
        near = np.concatenate([lags[:, :4], means], axis=1)
        trend = means[:, 1:5]
        return np.concatenate(
            [
                np.clip(near, -_LIMIT, _LIMIT),
                np.tanh(2.0 * near),
                np.minimum(np.abs(near), _LIMIT),
                np.clip(lags[:, 4:], -_LIMIT, _LIMIT),
                np.clip(local, -_LIMIT, _LIMIT),
                log_vols,
                np.tanh(log_vols[:, :2] - log_vols[:, 2:]),
                np.clip(trend * log_vols[:, 1:2], -_LIMIT, _LIMIT),
                np.tanh(trend) * np.tanh(2.0 * (log_vols[:, 0:1] - log_vols[:, 2:])),
                np.tanh(lags[:, :2]) * np.tanh(2.0 * (log_vols[:, 1:2] - log_vols[:, 2:])),
                np.ones((len(lags), 1)),
            ],
            axis=1,
        )

    def _of_inputs(self, z: Array, long: Array, lags: Array) -> Array:
        size = len(z)
        fast = moving_average(z, self._input_means[0], 0.4)
        slow = moving_average(z, self._input_means[1], 0.1)
        self._input_means = np.stack([fast[-1], slow[-1]])
        before = [long[_LAGS - 1 - k : _LAGS - 1 - k + size] for k in (1, 2)]
        return np.concatenate(
            [
                np.clip(z, -_LIMIT, _LIMIT),
                np.tanh(2.0 * z),
                np.minimum(np.abs(z), _LIMIT),
                *before,
                2.0 * fast,
                4.0 * slow,
                z * np.tanh(lags[:, :1]),
            ],
            axis=1,
        )
