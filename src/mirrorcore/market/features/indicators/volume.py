"""Unusual volume."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Bools, Floats
from mirrorcore.market.features.filters import Moments

LIMIT = 5.0
"""Scores are cut here; it is also the score of an interval in which nothing was traded."""


def volume_score(log_volume: Floats, traded: Bools, window: Moments) -> Floats:
    """(ln v - mean) / sd over the bars of the window that had volume, within ±5.

    Volume is near log-normal, hence the logarithm (Tauchen and Pitts 1983). -5 where nothing was
    traded, 0 where the window has no two different volumes.
    """
    variance = window.deviation / np.maximum(window.count, 1.0)
    flat = variance <= 0.0
    score: Floats = log_volume - window.mean
    score /= np.sqrt(np.where(flat, 1.0, variance))
    np.clip(score, -LIMIT, LIMIT, out=score)
    np.copyto(score, -LIMIT, where=~traded)
    score[flat] = 0.0
    return score
