"""First-order filters along the last axis of (rows, BLOCK) arrays, with carried state."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import HOUR
from mirrorcore.data_sources.simulation.streams import BLOCK
from mirrorcore.market.block import Floats

_LARGEST_EXPONENT = 250
"""phi^-L stays below 1e250: far from overflow, with room for the noise it is multiplied by."""


def decay_per_bar(half_life_hours: float, bar_ns: int) -> float:
    """The factor by which a process with this half-life falls from bar to bar."""
    return float(2.0 ** (-bar_ns / (half_life_hours * HOUR)))


class AutoRegression:
    """x_t = phi * x_{t-1} + gain * e_t, by whole blocks and without a loop over bars.

    Within a stretch of L bars x_k = phi^k * cumsum(gain * e / phi^k); stretches are chained by
    their last values. The result depends on the alignment to blocks, which is part of the
    definition, and on nothing else.

    Parameters
    ----------
    phi: decay a bar, 0 < phi < 1.
    gain: factor of the input; ``unit_gain`` makes unit white noise a process of unit variance.
    start: (rows,) x before the first bar.
    """

    __slots__ = ("_carry", "_down", "_up")

    def __init__(self, phi: float, gain: float, start: Floats) -> None:
        # Nothing is left of 1e-30, and it is still no division by 0.
        phi = max(phi, 1e-30)
        length = 128
        while -length * np.log10(phi) > _LARGEST_EXPONENT:
            length //= 2
        exponents = np.arange(1, length + 1)
        self._down = np.power(phi, exponents)
        self._up = gain / self._down
        self._carry = np.array(start, dtype=np.float64)

    @property
    def state(self) -> Floats:
        """x of the last bar, (rows,)."""
        return self._carry.copy()

    def __call__(self, e: Floats) -> Floats:
        """Filter (rows, BLOCK); returns a new array of the same shape."""
        rows = e.shape[0]
        length = self._down.size
        scaled = e.reshape(rows, BLOCK // length, length) * self._up
        np.cumsum(scaled, axis=-1, out=scaled)
        ends = scaled[:, :, -1]
        starts = np.empty_like(ends)
        carry = self._carry
        for k in range(ends.shape[1]):
            starts[:, k] = carry
            carry = (ends[:, k] + carry) * self._down[-1]
        self._carry = carry
        scaled += starts[:, :, np.newaxis]
        scaled *= self._down
        return scaled.reshape(rows, BLOCK)


def unit_gain(phi: float) -> float:
    """Gain that gives the filter unit variance under unit white noise."""
    return float(np.sqrt(1.0 - phi * phi))


def autoregression(half_life_hours: float, bar_ns: int, start: Floats) -> AutoRegression:
    """An AR(1) of unit variance with a half-life in hours, begun at ``start`` (rows,)."""
    phi = decay_per_bar(half_life_hours, bar_ns)
    return AutoRegression(phi, unit_gain(phi), start)


def smoother(half_life_hours: float, bar_ns: int, start: Floats) -> AutoRegression:
    """An exponential moving average: gain 1 - phi."""
    phi = decay_per_bar(half_life_hours, bar_ns)
    return AutoRegression(phi, 1.0 - phi, start)


class Previous:
    """The value of the bar before: y_t = x_{t-1}, with the last column carried."""

    __slots__ = ("_carry",)

    def __init__(self, start: Floats) -> None:
        self._carry = np.array(start, dtype=np.float64)

    def __call__(self, x: Floats) -> Floats:
        out = np.empty_like(x)
        out[:, 0] = self._carry
        out[:, 1:] = x[:, :-1]
        self._carry = x[:, -1].copy()
        return out
