"""The rows of the design for the bus: what was measured, and whether it is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import Spread


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``bar`` must hold, ``aim`` is hoped for; ``at_most`` says that less is better.

    ``value`` is what is judged, the ``statistic`` of the figures; ``spread`` shows the others.
    ``unit`` goes behind the figures in a table.
    """

    name: str
    unit: str
    bar: float
    aim: float
    value: float
    spread: Spread
    statistic: str = "median"
    at_most: bool = True

    @classmethod
    def of(
        cls,
        name: str,
        unit: str,
        bar: float,
        aim: float,
        figures: Sequence[float],
        *,
        at_most: bool = True,
        quantile: float = 0.5,
    ) -> Row:
        """Judged by the median, or by another quantile of many runs."""
        spread = Spread.of(figures, higher_is_better=not at_most)
        value = float(np.quantile(figures, quantile))
        statistic = {0.5: "median", 1.0: "worst"}.get(quantile, f"p{100 * quantile:.0f}")
        return cls(name, unit, bar, aim, value, spread, statistic, at_most)

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self._reaches(self.bar)

    @property
    def aim_met(self) -> bool:
        return self._reaches(self.aim)

    def _reaches(self, bound: float) -> bool:
        return self.value <= bound if self.at_most else self.value >= bound

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "bar": self.bar,
            "aim": self.aim,
            "at_most": self.at_most,
            "statistic": self.statistic,
            "measured": round(self.value, 3),
            "spread": self.spread.rounded(3),
            "met": self.met,
            "aim_met": self.aim_met,
        }
