"""What a figure is: its name, unit, formula and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal[
    "fraction", "ratio", "money", "count", "duration", "probability", "times", "rate", "memory",
    "correlation",
]  # fmt: skip
Group = Literal[
    "return", "risk", "market", "trades", "exposure", "performance", "reliability",
    "intelligence", "adaptability",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. ``unit`` says how to read its value: a fraction of 1 (shown as percent), money in
    the settlement currency, a duration in nanoseconds, times as a multiple of equity, a rate by the
    second, memory in MB."""

    name: str
    label: str
    unit: Unit
    group: Group
    formula: str
    definition: str
