"""From target weights to the lots still missing, netted against position and working orders."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirrorcore.errors import ConfigError
from mirrorcore.trading.currencies import Rate, affordable
from mirrorcore.trading.hits import HitLog
from mirrorcore.trading.limits import MILLION
from mirrorcore.trading.units import Units

MIN_TRADE = 0.001
"""Smallest change of a position as a share of equity: a thousandth cannot matter to risk, and the
unavoidable drift of weights would otherwise be traded every bar. Closing is exempt."""

_FAR = 1e300


class Sizer:
    """Weight x equity / (price x multiplier x lot), truncated toward zero to whole lots.

    A change below ``min_trade`` of equity or below the instrument's minimum notional is left
    alone; a target below the minimum is no position; closing is always exact and never too small.
    """

    __slots__ = ("_long_only", "_min_trade", "_minimum", "_value")

    def __init__(self, units: Units, min_trade: float = MIN_TRADE) -> None:
        if not (math.isfinite(min_trade) and 0 <= min_trade < 1):
            raise ConfigError(
                f"min_trade was {min_trade}, must be in 0..1",
                hint="it is the smallest change of a position as a share of equity",
            )
        self._value = units.value
        self._minimum = units.minimum
        self._min_trade = round(min_trade * MILLION)
        self._long_only = [s for s, i in enumerate(units.instruments) if not i.shortable]

    def usable(
        self, ts: int, targets: Sequence[float], last: Sequence[float], hits: HitLog
    ) -> list[float]:
        """The targets with ``last`` where one is not finite and 0 where one may not be short."""
        usable = list(targets)
        # One sum finds any value that is not finite; only then is it looked for.
        if not -_FAR < sum(usable) < _FAR:
            for symbol, weight in enumerate(usable):
                if not -_FAR < weight < _FAR:
                    usable[symbol] = last[symbol]
                    hits.note(ts, "invalid_target", symbol, 0.0, last[symbol])
        for symbol in self._long_only:
            if usable[symbol] < 0.0:
                hits.note(ts, "shortable", symbol, usable[symbol], 0.0)
                usable[symbol] = 0.0
        return usable

    def gaps(
        self,
        weights: Sequence[float],
        price_ticks: Sequence[int],
        equity: int,
        positions: Sequence[int],
        working: Sequence[int],
        rates: Sequence[Rate | None] | None = None,
    ) -> list[tuple[int, int]]:
        """(symbol, signed lots) wherever target and expected position differ enough to trade.

        ``rates`` are those of the symbols' currencies in the account's, None where all settle in
        it. A symbol without a price (0, or below) or a rate can only be closed.
        """
        gaps: list[tuple[int, int]] = []
        capital = float(max(equity, 0))
        band = max(equity, 0) * self._min_trade // MILLION
        for symbol, weight in enumerate(weights):
            expected = positions[symbol] + working[symbol]
            if weight == 0.0:
                if expected:
                    gaps.append((symbol, -expected))
                continue
            price = price_ticks[symbol] * self._value[symbol]
            if price <= 0:
                continue
            if rates is not None:
                rate = rates[symbol]
                if rate is None:
                    continue
                # Equity in the currency of the symbol.
                own = affordable(max(equity, 0), rate)
                capital, band = float(own), own * self._min_trade // MILLION
            desired = int(weight * capital / price)
            minimum = self._minimum[symbol]
            if desired and abs(desired) * price < minimum:
                # What the venue would be too small to sell again is not bought.
                desired = 0
            gap = desired - expected
            if not gap or (desired and abs(gap) * price < (band if band > minimum else minimum)):
                continue
            gaps.append((symbol, gap))
        return gaps
