"""How tick agents read what they are given: views with holes in them, running totals, time.

A value that is missing or not finite is *unknown*: NaN from :func:`number`, None from
:func:`vector`. Nobody raises over it; what is unknown lowers an agent's confidence instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats

UNKNOWN = math.nan
LARGEST_GROWTH = 1e12
"""No total grows by more between two looks, whatever a broken view says."""


def number(view: Mapping[str, Any], name: str) -> float:
    """The finite number under ``name``, NaN where there is none."""
    value = view.get(name)
    if not isinstance(value, float | int | np.number):
        return UNKNOWN
    try:
        return float(value) if math.isfinite(value) else UNKNOWN
    except OverflowError:  # a whole number beyond every float
        return UNKNOWN


def vector(view: Mapping[str, Any], name: str, size: int) -> Floats | None:
    """The array of ``size`` finite numbers under ``name``, None where there is none."""
    value = view.get(name)
    if not isinstance(value, np.ndarray) or value.shape != (size,) or value.dtype.kind not in "fiu":
        return None
    array: Floats = value.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):  # what cannot even be added up is unknown as well
        return array if math.isfinite(float(np.sum(np.abs(array)))) else None


def last_element(view: Mapping[str, Any], name: str) -> float:
    """The last element of the array under ``name`` (the fused forecast's), NaN if unknown."""
    value = view.get(name)
    if not isinstance(value, np.ndarray) or value.ndim != 1 or not value.size:
        return UNKNOWN
    if value.dtype.kind not in "fiu":
        return UNKNOWN
    element = float(value[-1])
    return element if math.isfinite(element) else UNKNOWN


def finite(values: Floats) -> list[float]:
    """Those of ``values`` that are known."""
    return [value for value in values.tolist() if math.isfinite(value)]


def mean(values: list[float]) -> float:
    """The mean, NaN of nothing."""
    return sum(values) / len(values) if values else UNKNOWN


def clipped(value: float, low: float, high: float) -> float:
    """``value`` moved into [low, high]."""
    return min(max(value, low), high)


def halved(elapsed_ns: int, half_life_ns: int) -> float:
    """What is left of a memory after ``elapsed_ns``: 2^(-t/H), exactly ½ after one half-life."""
    return float(0.5 ** (max(0, elapsed_ns) / half_life_ns))


class Pulse:
    """Beats once per ``period_ns`` of market time, however often it is asked.

    What is appraised at its beats is the same whether an agent is called each minute or each hour.
    """

    __slots__ = ("_number", "period_ns")

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self._number = -1

    def beats(self, ts: int) -> int:
        """Periods begun since the last beat: 0 within one; the first call counts as one."""
        number = ts // self.period_ns
        if number <= self._number:
            return 0
        begun = 1 if self._number < 0 else number - self._number
        self._number = number
        return begun

    def checkpoint(self) -> int:
        return self._number

    def restore(self, number: int) -> None:
        self._number = number


class Totals:
    """The growth of cumulative numbers between two looks at them.

    A total that is unknown is left out until it is known again; then its growth covers the whole
    time. One that shrank belongs to a counter that started anew, and counts from there.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def growth(self, name: str, total: float) -> float:
        """How much ``total`` has grown since the last call; 0 the first time or while unknown."""
        if math.isnan(total):
            return 0.0
        change = self.change(name, total)
        return change if change >= 0.0 else clipped(total, 0.0, LARGEST_GROWTH)

    def change(self, name: str, total: float) -> float:
        """How much ``total``, which may fall, has changed since the last call; else as above."""
        if math.isnan(total):
            return 0.0
        last = self._last.get(name)
        self._last[name] = total
        return 0.0 if last is None else clipped(total - last, -LARGEST_GROWTH, LARGEST_GROWTH)

    def checkpoint(self) -> dict[str, float]:
        return dict(self._last)

    def restore(self, memory: dict[str, float]) -> None:
        self._last = dict(memory)


class Freshness:
    """How much of what an agent needs it knows, and how recently: a confidence in 0..1.

        Σ w_i 2^(-age_i / H) / Σ w_i

    Parameters
    ----------
    half_life_ns: H.
    weights: how much each input matters.
    """

    __slots__ = ("_seen", "half_life_ns", "weights")

    def __init__(self, half_life_ns: int, **weights: float) -> None:
        self.half_life_ns = half_life_ns
        self.weights = weights
        self._seen: dict[str, int] = {}

    def saw(self, name: str, ts: int) -> None:
        """Input ``name`` was known at ``ts``."""
        self._seen[name] = ts

    def value(self, ts: int) -> float:
        total = known = 0.0
        for name, weight in self.weights.items():
            total += weight
            seen = self._seen.get(name)
            if seen is not None:
                known += weight * (1.0 if seen == ts else halved(ts - seen, self.half_life_ns))
        return known / total

    def checkpoint(self) -> dict[str, int]:
        return dict(self._seen)

    def restore(self, memory: dict[str, int]) -> None:
        self._seen = dict(memory)
