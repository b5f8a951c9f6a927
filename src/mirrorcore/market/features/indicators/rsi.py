"""Relative strength index."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


def relative_strength(gain: Floats, loss: Floats) -> Floats:
    """100 G / (G + L), in 0..100 (Wilder 1978); 50 where the price never moved.

    ``gain`` and ``loss`` are averages of the upward and downward moves with decay 1 - 1/n.
    """
    moved = gain + loss
    still = moved <= 0.0
    moved[still] = 1.0
    index = np.multiply(gain, 100.0)
    index /= moved
    index[still] = 50.0
    return index
