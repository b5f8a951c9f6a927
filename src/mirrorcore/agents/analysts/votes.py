"""What voters share: when a value arrived, and how a score becomes a probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints

CLIP = 3.0
"""Scores further from 0 say no more than this; large ones are mostly wrong."""


class Arrivals:
    """When each symbol's value arrived first and last, carried from block to block.

    Parameters
    ----------
    columns: S.
    """

    __slots__ = ("_first", "latest")

    def __init__(self, columns: int) -> None:
        self.latest: Ints = np.zeros(columns, dtype=np.int64)
        """(S,) the newest arrival of each, 0 for none."""
        self._first: Ints = np.zeros(columns, dtype=np.int64)

    def __call__(self, ts: Ints, stamps: Ints) -> tuple[Bools, Ints, Ints]:
        """Follow ``stamps`` (T, S), the arrival behind each value, 0 for none.

        Returns
        -------
        (T, S) each: whether a new value came in this tick; its age in ns, -1 before the first;
        the time since the first in ns, -1 before it.
        """
        path = np.concatenate([self.latest[np.newaxis], stamps])
        np.maximum.accumulate(path, axis=0, out=path)
        latest = path[1:]
        new: Bools = latest > path[:-1]
        unseen = np.flatnonzero((self._first == 0) & (path[-1] > 0))
        if unseen.size:
            row = np.argmax(latest[:, unseen] > 0, axis=0)
            self._first = self._first.copy()
            self._first[unseen] = latest[row, unseen]
        self.latest = path[-1].copy()
        seen = latest > 0
        now = ts[:, np.newaxis]
        return new, np.where(seen, now - latest, -1), np.where(seen, now - self._first, -1)

    def checkpoint(self) -> dict[str, Any]:
        return {"latest": self.latest, "first": self._first}

    def restore(self, memory: dict[str, Any]) -> None:
        self.latest = memory["latest"]
        self._first = memory["first"]


def bar_stamps(ts: Ints, present: Bools) -> Ints:
    """(T, S) arrivals of the bars themselves, 0 where a symbol has none in the tick."""
    return np.where(present, ts[:, np.newaxis], 0)


def stated(score: Floats, strength: float, opinion: Bools) -> Floats:
    """Probability 1 / (1 + exp(-k z)) of a standardised score, NaN where there is no opinion.

    ``strength`` k is the log-odds a score of one standard deviation is worth: .08 states .52, about
    what a good forecaster of single bars is worth. Who fuses the votes learns sign and weight.
    """
    odds = np.clip(score, -CLIP, CLIP) * strength
    return np.where(opinion, 1.0 / (1.0 + np.exp(-odds)), np.nan)


def row_mean(values: Floats) -> Floats:
    """(T,) mean over the symbols, added up in their order."""
    total: Floats = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        total += values[:, column]
    total /= values.shape[1]
    return total
