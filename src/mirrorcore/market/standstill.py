"""A feed that repeats itself: one price stands still while the other symbols move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mirrorcore.market.block import Bools, Ints

STANDSTILL_BARS = 30
"""So many bars without any change, while the others changed as often in all, is no calm market."""


@dataclass(slots=True)
class Standstill:
    """Counts unchanged bars in a row for each symbol, and the changes of all the others.

    An unchanged bar has one price, that of the close before it, or repeats the bar before it.
    The n-th in a row is marked once n reaches STANDSTILL_BARS and the other symbols together
    changed at least as often since the run of unchanged bars began.
    """

    symbols: int
    changes: int = 0
    """Changed bars of all symbols so far."""
    runs: list[int] = field(default_factory=list)
    changes_at_start: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runs = [0] * self.symbols
        self.changes_at_start = [0] * self.symbols

    def add_symbol(self) -> None:
        self.symbols += 1
        self.runs.append(0)
        self.changes_at_start.append(self.changes)

    def judge(self, batch: Sequence[tuple[int, Ints, Bools]]) -> list[Bools]:
        """Mark the bars of a batch.

        Parameters
        ----------
        batch: (symbol, ts_avail (n,), unchanged (n,)) of accepted bars. Whatever comes later must
            not be available earlier than any of these.
        """
        changed = np.concatenate(
            [np.empty(0, np.int64), *(ts[~unchanged] for _, ts, unchanged in batch)]
        )
        changed.sort(kind="stable")

        def changes_until(instants: Ints) -> Ints:
            return self.changes + np.searchsorted(changed, instants, side="right")

        marked: list[Bools] = []
        for symbol, ts, unchanged in batch:
            marks = np.zeros(len(ts), bool)
            marked.append(marks)
            if not len(ts):
                continue
            order = np.arange(len(ts))
            start = np.maximum.accumulate(np.where(unchanged, -1, order))
            run = np.where(start >= 0, order - start, self.runs[symbol] + order + 1)
            long = np.flatnonzero(run >= STANDSTILL_BARS)
            if len(long):
                since = np.where(
                    start[long] >= 0,
                    changes_until(ts[np.maximum(start[long], 0)]),
                    self.changes_at_start[symbol],
                )
                marks[long] = changes_until(ts[long]) - since >= STANDSTILL_BARS
            self.runs[symbol] = int(run[-1])
            if start[-1] >= 0:
                self.changes_at_start[symbol] = int(changes_until(ts[start[-1:]])[0])
        self.changes += len(changed)
        return marked
