"""True range, of which the average true range is made."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


def true_range(high: Floats, low: Floats, previous_close: Floats) -> Floats:
    """max(high, previous close) - min(low, previous close), in price units (Wilder 1978)."""
    top: Floats = np.maximum(high, previous_close)
    top -= np.minimum(low, previous_close)
    return top
