"""The rows of the design for the bus: what was measured, and whether it is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Spread


@dataclass(frozen=True, slots=True)
class Row:
    """One row of section 9: ``bar`` must hold, ``aim`` is hoped for.

    ``at_most`` says that less is better. ``unit`` goes behind the figures in a table.
    """

    name: str
    unit: str
    bar: float
    aim: float
    measured: Spread
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
    ) -> Row:
        return cls(name, unit, bar, aim, Spread.of(figures, higher_is_better=not at_most), at_most)

    @property
    def met(self) -> bool:
        """Whether the median reaches the bar."""
        return self._reaches(self.bar)

    @property
    def aim_met(self) -> bool:
        return self._reaches(self.aim)

    def _reaches(self, bound: float) -> bool:
        median = self.measured.median
        return median <= bound if self.at_most else median >= bound

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "bar": self.bar,
            "aim": self.aim,
            "at_most": self.at_most,
            "measured": self.measured.rounded(3),
            "met": self.met,
            "aim_met": self.aim_met,
        }
