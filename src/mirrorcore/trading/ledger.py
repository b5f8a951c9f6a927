"""Cash, positions and trades, balanced at every step to the last quantum.

Two sums that share no intermediate result must agree: cash plus positions at the mark, and the
initial amount plus the net result of all trades. :meth:`Ledger.residual` is their difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import mul
from typing import Any

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading.orders import Fill
from mirrorcore.trading.trades import Trade, TradeBook
from mirrorcore.trading.units import Units


class Ledger:
    """The account of one run.

    Parameters
    ----------
    instruments: in the run's symbol order, all settled in one currency.
    initial: starting amount, above zero.

    Attributes
    ----------
    cash: quanta. positions: signed lots per symbol.
    fees, slippage: paid since the start, quanta; turnover: notional traded since the start.

    Prices are Python integers of ticks (``.tolist()`` of an array), since 64 bits do not hold
    every product.
    """

    __slots__ = (
        "_book",
        "_slope",
        "_slope_float",
        "_value",
        "cash",
        "fees",
        "initial",
        "positions",
        "slippage",
        "turnover",
        "units",
    )

    def __init__(self, instruments: Sequence[Instrument], initial: Decimal) -> None:
        self.units = Units(instruments)
        self.initial = self.units.quanta(initial)
        if self.initial <= 0:
            raise ConfigError(
                f"the initial amount was {initial}, must be above 0",
                hint="give the account something to trade with",
            )
        self.cash = self.initial
        self.positions = [0] * len(self.units)
        self.fees = self.slippage = self.turnover = 0
        self._value = self.units.value
        # Quanta by which equity moves when a symbol's price moves one tick.
        self._slope = [0] * len(self.units)
        self._slope_float = [0.0] * len(self.units)
        self._book = TradeBook(self.units)

    def book(self, fill: Fill) -> None:
        """Enter a fill; a fill of no lots is a defect of the venue and raises ValueError."""
        if not fill.lots:
            raise ValueError(f"fill of {fill.client_id} has no lots")
        symbol = fill.symbol
        notional = fill.lots * fill.price_ticks * self._value[symbol]
        self.cash -= notional + fill.fee
        position = self.positions[symbol] + fill.lots
        self.positions[symbol] = position
        self._set_slope(symbol, position)
        self.fees += fill.fee
        self.slippage += fill.slippage
        self.turnover += abs(notional)
        self._book.add(fill)

    def _set_slope(self, symbol: int, position: int) -> None:
        slope = position * self._value[symbol]
        self._slope[symbol] = slope
        self._slope_float[symbol] = slope / 10**self.units.places

    def equity(self, price_ticks: Sequence[int]) -> int:
        """Cash plus positions at the mark, in quanta, exact."""
        total: int = self.cash + sum(map(mul, self._slope, price_ticks))
        return total

    def mark(self, price_ticks: Sequence[float]) -> float:
        """Equity in settlement currency in floating point: for displays and statistics."""
        cash: float = self.cash / 10**self.units.places
        total: float = cash + sum(map(mul, self._slope_float, price_ticks))
        return total

    def exposure(self, price_ticks: Sequence[int]) -> tuple[int, int]:
        """Gross and net notional at the mark, in quanta."""
        values = list(map(mul, self._slope, price_ticks))
        return sum(map(abs, values)), sum(values)

    def weights(self, price_ticks: Sequence[int]) -> list[float]:
        """Each position's notional as a share of equity; all 0 once equity is gone."""
        equity = self.equity(price_ticks)
        if equity <= 0:
            return [0.0] * len(self.positions)
        return [
            slope * price / equity for slope, price in zip(self._slope, price_ticks, strict=True)
        ]

    def residual(self, price_ticks: Sequence[int]) -> int:
        """Change of equity less the net result of all trades: 0, or the books are wrong."""
        return self.equity(price_ticks) - self.initial - self._book.result(price_ticks)

    @property
    def trades(self) -> list[Trade]:
        """Closed trades, oldest first (since the checkpoint, in a restored ledger)."""
        return self._book.closed

    @property
    def trade_count(self) -> int:
        """Number of trades closed since the start of the run."""
        return self._book.closed_count

    @property
    def trades_won(self) -> int:
        """How many of the trades closed since the start of the run gained after fees."""
        return self._book.closed_won

    @property
    def realised(self) -> int:
        """Net result in quanta of the trades closed since the start of the run."""
        return self._book.closed_net

    def open_trades(self, price_ticks: Sequence[int]) -> list[Trade]:
        """Trades still open, marked, apart from the closed ones."""
        return self._book.open(price_ticks)

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`. Closed trades are not in it: fills are journalled."""
        return {
            "initial": str(self.initial),
            "cash": str(self.cash),
            "positions": [str(position) for position in self.positions],
            "fees": str(self.fees),
            "slippage": str(self.slippage),
            "turnover": str(self.turnover),
            "trades": self._book.checkpoint(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self.initial = int(state["initial"])
        self.cash = int(state["cash"])
        self.positions[:] = [int(position) for position in state["positions"]]
        for symbol, position in enumerate(self.positions):
            self._set_slope(symbol, position)
        self.fees = int(state["fees"])
        self.slippage = int(state["slippage"])
        self.turnover = int(state["turnover"])
        self._book.restore(state["trades"])
