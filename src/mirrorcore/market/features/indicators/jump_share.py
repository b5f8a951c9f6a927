"""How much of the variance came in jumps."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


def jump_share(realised: Floats, neighbours: Floats) -> Floats:
    """max(0, 1 - BV / RV), in 0..1 (Barndorff-Nielsen and Shephard 2004); 0 in a flat window.

    ``realised`` is RV, the sum of r_i^2; ``neighbours`` the sum of |r_i| |r_(i-1)|, and
    BV = pi / 2 times it. Intervals without a bar have return 0 and raise the share.
    """
    flat = realised <= 0.0
    share: Floats = neighbours * (np.pi / 2.0)
    share /= np.where(flat, 1.0, realised)
    np.subtract(1.0, share, out=share)
    np.maximum(share, 0.0, out=share)
    share[flat] = 0.0
    return share
