"""Log returns: of one bar, and of many as momentum."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


def log_return(price: Floats, earlier: Floats) -> Floats:
    """ln(price / earlier), both above 0.

    Over n bars it is time-series momentum (Moskowitz, Ooi and Pedersen 2012). The ratio is taken
    before the logarithm: near 1 that is more exact than a difference of logarithms.
    """
    ratio: Floats = price / earlier
    return np.log(ratio, out=ratio)
