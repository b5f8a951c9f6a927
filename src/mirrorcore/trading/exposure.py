"""How large the book could become if working orders fill, all, some or none of them.

An order that adds risk is judged against the worst of these outcomes, since its partner that
reduces risk elsewhere may find no bar or no volume. Everything is in quanta, exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirrorcore.trading.costs import CostModel
from mirrorcore.trading.currencies import PARITY, Rate, affordable, burden
from mirrorcore.trading.limits import MILLION


class WorstCase:
    """Largest gross, long and short exposure that positions and working orders can reach.

    The working orders of one symbol all point the same way (the order path sees to it), so the
    extremes of a symbol are its position and its position with all of them filled.

    Parameters
    ----------
    positions, working: signed lots per symbol; ``working`` is what orders still have to fill.
    price_ticks: marks. value: quanta of a lot moving a tick.
    equity: quanta at the mark; what everything working and asked for would cost is taken off
        before comparing, so that the costs of one order cannot take another over its limit.
    limits: gross, net and per_symbol in millionths of equity.
    asked: (symbol, lots) of the orders about to be judged with :meth:`take`.
    rates: per symbol, of its currency in the account's; None where all settle in the account's.
        Exposures are rounded up, what may still be added down. A symbol without a rate has
        neither position nor order.
    """

    __slots__ = ("_limits", "_marks", "_rates", "_value", "equity", "gross", "long", "short")

    def __init__(
        self,
        positions: Sequence[int],
        working: Sequence[int],
        price_ticks: Sequence[int],
        value: Sequence[int],
        equity: int,
        costs: CostModel,
        limits: Mapping[str, int],
        asked: Sequence[tuple[int, int]],
        rates: Sequence[Rate | None] | None = None,
    ) -> None:
        self._limits = limits
        self._rates = rates
        self._marks = price_ticks
        self._value = value
        self.equity = equity
        self.gross = self.long = self.short = 0
        for symbol, held in enumerate(positions):
            if not held and not working[symbol]:
                continue
            price = abs(price_ticks[symbol]) * value[symbol]
            end = held + working[symbol]
            self.gross += self._counted(symbol, max(abs(held), abs(end)) * price)
            self.long += self._counted(symbol, max(held, end) * price)
            self.short += self._counted(symbol, max(-held, -end) * price)
            if working[symbol]:
                self._charge(costs, symbol, working[symbol])
        for symbol, lots in asked:
            self._charge(costs, symbol, lots)

    def _charge(self, costs: CostModel, symbol: int, lots: int) -> None:
        cost = costs.estimate(lots, self._marks[symbol], self._value[symbol])
        self.equity -= self._counted(symbol, cost)

    def _rate(self, symbol: int) -> Rate:
        rate = PARITY if self._rates is None else self._rates[symbol]
        if rate is None:
            raise ValueError(f"symbol {symbol} is exposed in a currency without a rate")
        return rate

    def _counted(self, symbol: int, amount: int) -> int:
        """An amount of the symbol's currency in the account's, rounded up."""
        return amount if self._rates is None else burden(amount, self._rate(symbol))

    def take(
        self, symbol: int, held: int, working: int, lots: int, minimum: int
    ) -> tuple[int, str]:
        """How much of ``lots`` may be added, signed, and the limit that binds ('' if none).

        What is allowed counts as working from now on; less than ``minimum`` quanta is nothing.
        ``held + working`` is 0 or has the sign of ``lots``: the other side was closed before.
        """
        price = abs(self._marks[symbol]) * self._value[symbol]
        rate = self._rate(symbol)
        end = held + working
        sign = 1 if lots > 0 else -1
        largest = max(abs(held), abs(end))
        furthest = max(sign * held, sign * end)
        side = self.long if sign > 0 else self.short
        tightest, name = abs(end + lots), ""
        for limit, taken, own in (
            ("per_symbol", 0, 0),
            ("gross", self.gross - self._counted(symbol, largest * price), largest),
            ("net", side - self._counted(symbol, furthest * price), furthest),
        ):
            most = affordable(self._limits[limit] * self.equity // MILLION - taken, rate) // price
            if most < own:
                # Over the limit already, by what the market did: nothing may be added.
                most = 0
            if most < tightest:
                tightest, name = most, limit
        size = tightest - abs(end)
        if size <= 0 or size * price < minimum:
            return 0, name
        self.gross += self._counted(symbol, (max(largest, tightest) - largest) * price)
        grown = self._counted(symbol, (max(furthest, tightest) - furthest) * price)
        if sign > 0:
            self.long += grown
        else:
            self.short += grown
        return sign * size, name
