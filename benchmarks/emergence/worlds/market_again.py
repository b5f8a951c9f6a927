"""What the worlds that were written a second time share: another market, another noise."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from benchmarks.emergence.worlds.world import Array


def garch(rng: np.random.Generator, ticks: int, scale: float) -> Array:
    """GARCH(1,1) returns with Student shocks of 4 to 8 degrees of freedom."""
    freedom = float(rng.uniform(4.0, 8.0))
    shocks = rng.standard_t(freedom, ticks) * np.sqrt((freedom - 2.0) / freedom)
    react, keep = float(rng.uniform(0.04, 0.12)), float(rng.uniform(0.82, 0.87))
    variance, out = 1.0, np.empty(ticks)
    for t, shock in enumerate(shocks):
        out[t] = np.sqrt(variance) * shock
        variance = (1.0 - react - keep) + react * out[t] ** 2 + keep * variance
    return scale * out


def ar(rng: np.random.Generator, ticks: int, memory: float) -> Array:
    """A first-order autoregression of unit variance, from its stationary law."""
    noise = rng.normal(size=ticks) * np.sqrt(1.0 - memory**2)
    noise[0] /= np.sqrt(1.0 - memory**2)
    out: Array = lfilter([1.0], [1.0, -memory], noise)
    return out


def ewma(values: Array, span: float) -> Array:
    """Exponential average of a span, scaled to a spread of one."""
    out: Array = lfilter([1.0], [1.0, 1.0 / span - 1.0], values)
    scaled: Array = out / out.std()
    return scaled
