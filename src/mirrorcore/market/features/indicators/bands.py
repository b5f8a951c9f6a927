"""Distance of the price from its own recent mean, in standard deviations."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.market.features.filters import Moments


def band_score(price: Floats, window: Moments) -> Floats:
    """(price - mean) / sd over a full window; ±2 are the Bollinger bands (Bollinger 1992).

    The standard deviation divides by n, as charting does. 0 where the window is flat.
    """
    spread = window.deviation / window.count
    np.sqrt(spread, out=spread)
    flat = spread <= 0.0
    spread[flat] = 1.0
    score = price - window.mean
    score /= spread
    score[flat] = 0.0
    return score
