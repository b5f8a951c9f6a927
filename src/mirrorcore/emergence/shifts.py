"""Evidence that a standardised quantity has shifted, for one learned from the past.

Each candidate shift is a likelihood ratio of Student's t, looked up by bins. Two things are learned
from (delayed) ticks, so that the ratio is fair for the quantity as it is: how much its sums spread
over what independent ticks would give, and what the ratio is worth on average. The ratio is divided
by the latter and raised to the inverse power of the former.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import Array

_EDGE = 5.0
_BINS = 101
_FREEDOM = 5.0
_CHUNK = 32
_CAUTION = 0.5
SHIFTS = (0.5, 1.0)
"""Sizes tried: of the mean in standard deviations, or of the log of the spread; up and down."""


def _log_density(z: Array) -> Array:
    """Of Student's t scaled to a variance of one, up to a constant."""
    out: Array = -(_FREEDOM + 1.0) / 2.0 * np.log1p(z * z / (_FREEDOM - 2.0))
    return out


class ShiftEvidence:
    """Worth of stakes on shifts of C quantities; the first ``scales`` of them in spread.

    A stake is laid at every block and lasts ``window`` blocks, longer while it is held.
    """

    def __init__(self, quantities: int, scales: int, window: int) -> None:
        self._quantities, self._window = quantities, window
        grid = np.linspace(-_EDGE, _EDGE, _BINS)
        sides = [sign * size for sign in (1.0, -1.0) for size in SHIFTS]
        means = np.stack([_log_density(grid - d) - _log_density(grid) for d in sides])
        spreads = np.stack(
            [_log_density(grid * np.exp(-d)) - d - _log_density(grid) for d in sides]
        )
        kinds = [spreads] * scales + [means] * (quantities - scales)
        self._ratios = np.stack(kinds)  # (C, 4, bins)
        self._counts = np.full((quantities, _BINS), 0.0)
        self._singles = np.zeros((2, quantities, len(sides)))
        self._chunks = np.zeros((2, quantities, len(sides)))
        self._chunk: list[Array] = []
        self._chunk_number = 0
        self._table = self._ratios
        self._log_worth = np.zeros((0, quantities, len(sides)))

    def bins(self, values: Array) -> Array:
        """Where standardised values (B, C) lie in the table, integers."""
        place = np.rint((np.clip(values, -_EDGE, _EDGE) + _EDGE) * (_BINS - 1) / (2 * _EDGE))
        out: Array = place.astype(np.intp)
        return out

    def learn(self, bins: Array) -> None:
        """Ticks (B, C) by bins that are taken as quiet."""
        columns = np.arange(self._quantities)
        for row in bins:
            self._counts[columns, row] += 1.0
            self._chunk.append(self._ratios[columns, :, row])
        if len(self._chunk) >= _CHUNK:
            rows = np.array(self._chunk)
            self._chunk = []
            self._singles += np.stack([rows.sum(axis=0), (rows**2).sum(axis=0)])
            total = rows.sum(axis=0)
            self._chunks += np.stack([total, total**2])
            self._chunk_number += 1
            self._refresh(len(rows))

    def _refresh(self, size: int) -> None:
        chunks, ticks = self._chunk_number, self._chunk_number * size
        if chunks < 4:
            return
        single = self._singles[1] / ticks - (self._singles[0] / ticks) ** 2
        long = self._chunks[1] / chunks - (self._chunks[0] / chunks) ** 2
        # The candidates of one quantity say much the same; few chunks say little.
        excess = (long / size / np.maximum(single, 1e-12)).mean(axis=1, keepdims=True)
        excess *= 1.0 + _CAUTION * np.sqrt(2.0 / chunks)
        temper = 1.0 / np.maximum(excess, 1.0)
        share = self._counts / self._counts.sum(axis=1, keepdims=True)
        worth = np.einsum("cdb,cb->cd", np.exp(self._ratios), share)
        self._table = temper[:, :, None] * (self._ratios - np.log(worth)[:, :, None])

    def update(self, bins: Array, *, hold: bool = False) -> Array:
        """Take a block (B, C); returns the worth (C, 2) of all stakes on a shift up and down.

        ``hold``: no stake is laid and none ends.
        """
        columns = np.arange(self._quantities)
        gains = np.array([self._table[columns, :, row] for row in bins]).sum(axis=0)
        if not hold:
            fresh = np.zeros((1, *gains.shape))
            self._log_worth = np.concatenate([self._log_worth, fresh])[-self._window :]
        self._log_worth = self._log_worth + gains
        worth = np.exp(np.minimum(self._log_worth, 200.0)).sum(axis=0)
        out: Array = worth.reshape(self._quantities, 2, len(SHIFTS)).mean(axis=2)
        return out

    def forget(self) -> None:
        """All stakes are gone."""
        self._log_worth = self._log_worth[:0]
