"""Scores and paper results of the voters at the end of each day, for errors that are honest.

Forecasts of one day share its news and its market; counting each of them as independent would make
every error too small. So the sums are kept by day, and the days are what varies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats, Ints


class Daily:
    """Cumulative sums at the last tick of each UTC day; a tick at 00:00 ends the day before."""

    def __init__(self) -> None:
        self._base: tuple[Floats, Floats] = (np.zeros((0, 0)), np.zeros((2, 0)))
        self._day: int | None = None
        self._last: tuple[int, Floats, Floats] | None = None
        self._rows: list[tuple[int, Floats, Floats]] = []

    def begin(self, scores: Floats, pnl: Floats) -> None:
        """What had been added up before the run began is not the run's."""
        self._base = scores, pnl

    def block(self, ts: Ints, scores: Sequence[Floats], pnl: Sequence[Floats]) -> None:
        """The sums after each tick: ``scores`` (fields, 1 + N) and ``pnl`` (2, N)."""
        if not scores:
            return
        days = (ts - 1) // DAY
        before = days[0] if self._day is None else self._day
        for row in np.flatnonzero(np.diff(days, prepend=before)).tolist():
            self._rows.append(self._kept(ts, scores, pnl, row - 1) if row else self._ended())
        self._day = int(days[-1])
        self._last = self._kept(ts, scores, pnl, len(ts) - 1)

    def _kept(
        self, ts: Ints, scores: Sequence[Floats], pnl: Sequence[Floats], row: int
    ) -> tuple[int, Floats, Floats]:
        base_scores, base_pnl = self._base
        return int(ts[row]), since(scores[row], base_scores), since(pnl[row], base_pnl)

    def _ended(self) -> tuple[int, Floats, Floats]:
        assert self._last is not None
        return self._last

    def table(self) -> tuple[Ints, Floats, Floats]:
        """Instants (D,), scores (D, fields, 1 + N) and net results (D, N) at each day's last tick,
        the last of all included; voters that joined late have zeros before."""
        rows = [*self._rows, *([self._last] if self._last is not None else [])]
        if not rows:
            return np.zeros(0, dtype=np.int64), np.zeros((0, 0, 0)), np.zeros((0, 0))
        fields, width = rows[-1][1].shape
        scores = np.zeros((len(rows), fields, width))
        net = np.zeros((len(rows), width - 1))
        for number, (_, score, pnl) in enumerate(rows):
            scores[number, :, : score.shape[1]] = score
            net[number, : pnl.shape[1]] = pnl[1]
        return np.array([row[0] for row in rows], dtype=np.int64), scores, net


def since(total: Floats, base: Floats) -> Floats:
    """What has been added to ``base``; voters that joined since began at 0."""
    added = total.copy()
    if base.size:
        added[:, : base.shape[1]] -= base
    return added
