"""Sums over symbols or voters, one after the other: no block length may change a bit of them."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


def sum_symbols(values: Floats) -> Floats:
    """(T, S, N) → (T, N)."""
    total: Floats = values[:, 0].copy()
    for symbol in range(1, values.shape[1]):
        total += values[:, symbol]
    return total


def sum_last(values: Floats) -> Floats:
    """Over the last axis."""
    total = np.zeros(values.shape[:-1])
    for i in range(values.shape[-1]):
        total += values[..., i]
    return total
