"""Volatility of one bar, from closes and from ranges."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats

_PARKINSON = 1.0 / (4.0 * float(np.log(2.0)))


def range_variance(high: Floats, low: Floats) -> Floats:
    """ln(high / low)^2 / (4 ln 2), the variance of a bar by its range (Parkinson 1980)."""
    span: Floats = high / low
    np.log(span, out=span)
    np.multiply(span, span, out=span)
    span *= _PARKINSON
    return span


def volatility_ratio(fast: Floats, slow: Floats) -> Floats:
    """fast / slow: above 1 the market is more nervous than it was; 1 where slow is 0."""
    calm = slow <= 0.0
    ratio: Floats = fast / np.where(calm, 1.0, slow)
    ratio[calm] = 1.0
    return ratio
