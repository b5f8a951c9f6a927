"""How fast the supply of a coin grows: g = (s(t) / s(t - window))^(year / Δt) - 1, a year's rate.

Δt is the time between the two values compared, at least the window; both were public at t.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterable

import msgspec

from mirrorcore.clock import DAY, YEAR
from mirrorcore.market.records import Observation

SUPPLY, GROWTH = "fundamental.supply", "fundamental.supply_growth"
UNIT = "fraction a year"
_KEPT = 4096


class SupplyGrowth:
    """Growth beside each value of supply that comes; remembers 4,096 values of each symbol.

    Parameters
    ----------
    window_ns: least distance of the values compared; a month, for supply moves slowly and the
        rounding of what is published does not.
    """

    def __init__(self, *, window_ns: int = 30 * DAY) -> None:
        self._window = window_ns
        self._events: dict[str, list[int]] = {}
        self._values: dict[tuple[str, int], float] = {}

    def add(self, observations: Iterable[Observation]) -> list[Observation]:
        """Growth as of each value of ``fundamental.supply``, given in order of ``ts_avail``.

        None, *missing*, where the supply is missing or not positive; nothing before a window has
        passed.
        """
        found = []
        for one in observations:
            if one.series != SUPPLY:
                continue
            growth = self._growth(one)
            if growth is not None:
                value = growth if math.isfinite(growth) else None
                found.append(msgspec.structs.replace(one, series=GROWTH, value=value))
        return found

    def _growth(self, one: Observation) -> float | None:
        """The rate, NaN where it cannot be said, None where there is nothing to compare with."""
        if one.value is None or one.value <= 0:
            return math.nan
        events = self._events.setdefault(one.symbol, [])
        if (one.symbol, one.ts_event) not in self._values:
            insort(events, one.ts_event)
        self._values[one.symbol, one.ts_event] = one.value
        if len(events) > _KEPT:
            del self._values[one.symbol, events.pop(0)]
        at = bisect_right(events, one.ts_event - self._window) - 1
        if at < 0:
            return None
        ratio = one.value / self._values[one.symbol, events[at]]
        return float(ratio ** (YEAR / (one.ts_event - events[at])) - 1.0)
