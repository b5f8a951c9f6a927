"""Fewer points for a plot without hiding a spike."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mirrorcore.market.block import Floats, Ints

BUCKETS = 1000


def keep(values: Floats, buckets: int = BUCKETS) -> Ints:
    """Positions to plot of ``values`` (n,), rising: all of them where they are few.

    Otherwise the first, and of each of ``buckets`` equal stretches its lowest, highest and last,
    so that the plotted curve reaches every extreme of the recorded one, at its own instant.
    """
    n = len(values)
    if n <= 3 * buckets:
        return np.arange(n)
    edges = np.linspace(0, n, buckets + 1).astype(np.int64)
    chosen = [np.array([0]), edges[1:] - 1]
    for start, stop in pairwise(edges):
        stretch = values[start:stop]
        if np.any(np.isfinite(stretch)):
            chosen.append(start + np.array([np.nanargmin(stretch), np.nanargmax(stretch)]))
    return np.unique(np.concatenate(chosen))
