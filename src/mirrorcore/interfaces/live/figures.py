"""Figures as they are shown: rounded, and None where there is none."""

from __future__ import annotations

import math
from decimal import Decimal

from mirrorcore.clock import MILLISECOND
from mirrorcore.trading.units import Units


def rounded(value: float | None, places: int) -> float | None:
    """``value`` with so many decimals; None where it is none or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), places) + 0.0


def ms(ns: int) -> int:
    """Whole milliseconds."""
    return ns // MILLISECOND


def instant(ns: int | None) -> int | None:
    """Whole milliseconds; None where there is no instant (None or 0)."""
    return ns // MILLISECOND if ns else None


class Scales:
    """Turns ticks, lots and quanta of one run into prices, amounts and money."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._scale = float(10**units.places)
        self._decimals = [decimals(one.tick) for one in units.instruments]
        self._lots = [decimals(one.lot) for one in units.instruments]

    def money(self, quanta: int) -> float:
        """To 2 decimals."""
        return round(quanta / self._scale, 2) + 0.0

    def price(self, symbol: int, ticks: int) -> float | None:
        """A price; None for 0 ticks, which is none."""
        return float(self._units.price(symbol, ticks)) if ticks else None

    def near(self, symbol: int, price: float) -> float:
        """A price with the decimals of its tick."""
        return round(price, self._decimals[symbol])

    def average(self, symbol: int, value: int, lots: int) -> float | None:
        """Average price of ``lots`` with a notional of ``value`` quanta, to a tenth of a tick."""
        if not lots:
            return None
        ticks = value / (lots * self._units.value[symbol])
        tick = float(self._units.instruments[symbol].tick)
        return round(abs(ticks) * tick, self._decimals[symbol] + 1)

    def amount(self, symbol: int, lots: int) -> float:
        """Units of the base currency, signed as ``lots``."""
        amount = lots * self._units.lot_base[symbol]
        return round(amount, min(12, self._lots[symbol] + 2))


def decimals(step: Decimal) -> int:
    """Places behind the point that a step needs."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
