"""Open decisions: each is recorded once and closed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats

_LARGEST_RETURN = 100.0


@dataclass(frozen=True, slots=True)
class Closed:
    """Decisions of one look that came to their end together.

    ``symbols`` their columns; ``full`` what each earned in full, after costs, as a fraction of
    equity; ``gate`` the share of them that was held.
    """

    symbols: list[int]
    full: Floats
    gate: float


@dataclass(slots=True)
class _Look:
    ts: int
    change: Floats  # (S,) 0 where nothing was decided or all is closed
    price: Floats
    gate: float


class Book:
    """The decisions that are not yet closed, oldest first.

    Parameters
    ----------
    horizon_ns: after which one is due. A further horizon without a price, and it is unresolved.
    cost_per_side: fee and slippage as a fraction of what is traded.
    """

    def __init__(self, horizon_ns: int, cost_per_side: float) -> None:
        self._horizon_ns = horizon_ns
        self._cost = cost_per_side
        self._looks: list[_Look] = []
        self.opened = self.closed = self.unresolved = 0

    @property
    def open(self) -> int:
        """How many are not yet closed."""
        return sum(int(np.count_nonzero(look.change)) for look in self._looks)

    def record(self, ts: int, change: Floats, price: Floats, gate: float) -> None:
        """Open one for each symbol whose ``change`` (S,) is not 0."""
        self.opened += int(np.count_nonzero(change))
        self._looks.append(_Look(ts, change.copy(), price.copy(), gate))

    def close(self, ts: int, price: Floats) -> Iterator[Closed]:
        """Close what is due at ``ts``; ``price`` (S,) is NaN where none is known."""
        for look in self._looks:
            if ts - look.ts < self._horizon_ns:
                break
            pending = look.change != 0.0
            due = pending & np.isfinite(price)
            if due.any():
                moved = np.clip(price[due] / look.price[due] - 1.0, -1.0, _LARGEST_RETURN)
                change = look.change[due]
                full = change * moved - self._cost * np.abs(change)
                self.closed += int(np.count_nonzero(due))
                look.change[due] = 0.0
                yield Closed(np.flatnonzero(due).tolist(), full, look.gate)
            if ts - look.ts >= 2 * self._horizon_ns:
                left = int(np.count_nonzero(look.change))
                self.closed += left
                self.unresolved += left
                look.change[:] = 0.0
        self._looks = [look for look in self._looks if look.change.any()]

    def checkpoint(self) -> dict[str, Any]:
        return {
            "looks": [[k.ts, k.change.copy(), k.price.copy(), k.gate] for k in self._looks],
            "counts": [self.opened, self.closed, self.unresolved],
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._looks = [
            _Look(ts, change.copy(), price.copy(), gate)
            for ts, change, price, gate in memory["looks"]
        ]
        self.opened, self.closed, self.unresolved = memory["counts"]
