"""Work done once an interval of market time, however the ticks are cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mirrorcore.market.block import Ints


def segments(ts: Ints, interval_ns: int) -> Iterator[tuple[int, int, int]]:
    """The runs of ticks within one interval: (first row, row after the last, interval number)."""
    numbers = ts // interval_ns
    cuts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    edges = [0, *cuts.tolist(), len(ts)]
    for first, stop in pairwise(edges):
        if stop > first:
            yield first, stop, int(numbers[first])


def decay(interval_ns: int, half_life_ns: int, intervals: int) -> float:
    """What is left of a memory after so many intervals."""
    return float(2.0 ** (-(interval_ns * intervals) / half_life_ns))
