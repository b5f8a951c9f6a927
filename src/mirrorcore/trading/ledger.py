"""Cash, positions and trades, balanced at every step to the last quantum.

Two sums that share no intermediate result must agree: cash plus positions at the mark, and the
initial amount plus the net result of all trades. :meth:`Ledger.residual` is their difference.

With several settlement currencies the two sums agree in each of them, and in the account's:
:mod:`mirrorcore.trading.currencies` has the rule. What is bought in a currency the account has not
is borrowed in it, so that only results are exposed to its rate; nothing is converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import mul
from typing import Any

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading.currencies import PARITY, Rate, Rates, Translation, burden, worth
from mirrorcore.trading.orders import Fill
from mirrorcore.trading.trades import Trade, TradeBook
from mirrorcore.trading.units import Units


class Ledger:
    """The account of one run.

    Parameters
    ----------
    instruments: in the run's symbol order.
    initial: starting amount, above zero, in the account's currency.
    currency: what the account counts in; None is the one in which all instruments settle.

    Attributes
    ----------
    balances: cash in quanta by currency, the account's first; below 0 is borrowed.
    positions: signed lots per symbol.
    fees, slippage: paid since the start; turnover: notional traded since the start; all three in
        quanta of the account's currency, rounded up at the rate of the fill.
    fees_paid: fees by currency, each in its own quanta.
    rates: None where everything settles in the account's currency.
    translation: what closed trades in other currencies count in the account's.

    Prices are Python integers of ticks (``.tolist()`` of an array), since 64 bits do not hold
    every product.
    """

    __slots__ = (
        "_book",
        "_slope",
        "_slope_float",
        "_translated",
        "_value",
        "balances",
        "fees",
        "fees_paid",
        "initial",
        "positions",
        "rates",
        "slippage",
        "translation",
        "turnover",
        "units",
    )

    def __init__(
        self, instruments: Sequence[Instrument], initial: Decimal, currency: str | None = None
    ) -> None:
        self.units = Units(instruments, currency)
        self.initial = self.units.quanta(initial)
        if self.initial <= 0:
            raise ConfigError(
                f"the initial amount was {initial}, must be above 0",
                hint="give the account something to trade with",
            )
        self.balances = [self.initial, *[0] * (len(self.units.currencies) - 1)]
        self.positions = [0] * len(self.units)
        self.fees = self.slippage = self.turnover = 0
        self.fees_paid = [0] * len(self.balances)
        self._value = self.units.value
        # Quanta by which equity moves when a symbol's price moves one tick.
        self._slope = [0] * len(self.units)
        self._slope_float = [0.0] * len(self.units)
        self._book = TradeBook(self.units)
        self.rates = Rates(self.units) if len(self.balances) > 1 else None
        self.translation = Translation(len(self.balances))
        self._translated: dict[int, tuple[int, Rate]] = {}

    @property
    def cash(self) -> int:
        """Quanta of the account's own currency."""
        return self.balances[0]

    def reprice(self, price_ticks: Sequence[int]) -> None:
        """Take over the rates of these marks; once a tick, by the order path."""
        if self.rates is not None:
            self.rates.keep(price_ticks)
            self.translation.reprice(self.rates.at(price_ticks))

    def book(self, fill: Fill) -> None:
        """Enter a fill; a fill of no lots is a defect of the venue and raises ValueError."""
        if not fill.lots:
            raise ValueError(f"fill of {fill.client_id} has no lots")
        symbol = fill.symbol
        notional = fill.lots * fill.price_ticks * self._value[symbol]
        currency = self.units.settled[symbol]
        self.balances[currency] -= notional + fill.fee
        self.fees_paid[currency] += fill.fee
        position = self.positions[symbol] + fill.lots
        self.positions[symbol] = position
        self._set_slope(symbol, position)
        if currency:
            self._book_abroad(currency, fill, notional)
        else:
            self.fees += fill.fee
            self.slippage += fill.slippage
            self.turnover += abs(notional)
            self._book.add(fill)

    def _book_abroad(self, currency: int, fill: Fill, notional: int) -> None:
        rate = self.translation.rate(currency)
        self.fees += burden(fill.fee, rate)
        self.slippage += burden(fill.slippage, rate)
        self.turnover += burden(abs(notional), rate)
        before = self._book.closed_count
        self._book.add(fill)
        if self._book.closed_count > before:
            trade = self._book.closed[-1]
            self._translated[trade.number] = (self.translation.close(currency, trade.net), rate)

    def _set_slope(self, symbol: int, position: int) -> None:
        slope = position * self._value[symbol]
        self._slope[symbol] = slope
        self._slope_float[symbol] = slope / 10**self.units.places

    def equity(self, price_ticks: Sequence[int]) -> int:
        """Cash plus positions at the mark, in quanta of the account's currency.

        Exact in one currency; each other one is rounded down as a whole.
        """
        if self.rates is not None:
            rates = self.rates.at(price_ticks)
            return sum(
                _counted(amount, rate)
                for amount, rate in zip(self.amounts(price_ticks), rates, strict=True)
            )
        total: int = self.balances[0] + sum(map(mul, self._slope, price_ticks))
        return total

    def amounts(self, price_ticks: Sequence[int]) -> list[int]:
        """Cash plus positions at the mark by currency, each in its own quanta, exact."""
        amounts = list(self.balances)
        for symbol, currency in enumerate(self.units.settled):
            amounts[currency] += self._slope[symbol] * price_ticks[symbol]
        return amounts

    def mark(self, price_ticks: Sequence[float]) -> float:
        """Equity in floating point where there is one currency: for displays and statistics."""
        cash: float = self.balances[0] / 10**self.units.places
        total: float = cash + sum(map(mul, self._slope_float, price_ticks))
        return total

    def _notionals(self, price_ticks: Sequence[int]) -> list[int]:
        """Each position at the mark in quanta of the account's currency, rounded in size up."""
        values = list(map(mul, self._slope, price_ticks))
        if self.rates is None:
            return values
        rates = self.rates.by_symbol(price_ticks)
        return [
            _sized(value, rate) if value else 0 for value, rate in zip(values, rates, strict=True)
        ]

    def exposure(self, price_ticks: Sequence[int]) -> tuple[int, int]:
        """Gross and net notional at the mark, in quanta of the account's currency."""
        values = self._notionals(price_ticks)
        return sum(map(abs, values)), sum(values)

    def weights(self, price_ticks: Sequence[int]) -> list[float]:
        """Each position's notional as a share of equity; all 0 once equity is gone."""
        equity = self.equity(price_ticks)
        if equity <= 0:
            return [0.0] * len(self.positions)
        return [notional / equity for notional in self._notionals(price_ticks)]

    def residual(self, price_ticks: Sequence[int]) -> int:
        """Change of equity less the net result of all trades: 0, or the books are wrong.

        With several currencies the differences in each of them count with their size, and so does
        that of the account: change of equity less results of trades less translation.
        """
        if self.rates is None:
            return self.equity(price_ticks) - self.initial - self._book.result(price_ticks)
        own = sum(map(abs, self.residuals(price_ticks)))
        gained = self.equity(price_ticks) - self.initial
        explained = self.realised + self._open_result(price_ticks) + self.translated(price_ticks)
        return own + abs(gained - explained)

    def residuals(self, price_ticks: Sequence[int]) -> list[int]:
        """By currency: cash and positions less what was put in less the results of its trades."""
        put_in = [self.initial, *[0] * (len(self.balances) - 1)]
        made = self._book.results(price_ticks)
        return [
            amount - start - result
            for amount, start, result in zip(self.amounts(price_ticks), put_in, made, strict=True)
        ]

    def translated(self, price_ticks: Sequence[int]) -> int:
        """What moving rates did to closed results up to these marks, in the account's quanta."""
        return sum(self.translated_by_currency(price_ticks))

    def translated_by_currency(self, price_ticks: Sequence[int]) -> list[int]:
        """The same by currency, all in the account's quanta."""
        if self.rates is None:
            return [0]
        return self.translation.pending(self.rates.at(price_ticks))

    def _open_result(self, price_ticks: Sequence[int]) -> int:
        """Net result of the open trades in the account's quanta, at the rates of the marks."""
        assert self.rates is not None
        opened = self._book.open_net(price_ticks)
        held = self.translation.held
        total = opened[0]
        for currency, rate in enumerate(self.rates.at(price_ticks)):
            if currency and opened[currency]:
                total += _counted(held[currency] + opened[currency], rate)
                total -= _counted(held[currency], rate)
        return total

    def results(self, price_ticks: Sequence[int]) -> list[int]:
        """Net result of all trades by currency, open ones at the mark, in its own quanta."""
        return self._book.results(price_ticks)

    def in_account(self, trade: Trade, price_ticks: Sequence[int]) -> tuple[int, Rate]:
        """Net result of a trade in the account's quanta, and the rate it counts at.

        That of its end; an open trade's is the present one.
        """
        currency = self.units.settled[trade.symbol]
        if not currency or self.rates is None:
            return trade.net, PARITY
        if trade.number in self._translated:
            return self._translated[trade.number]
        rate = self.rates.at(price_ticks)[currency]
        assert rate is not None
        return worth(trade.net, rate), rate

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
        """Net result of the trades closed since the start, in the account's quanta."""
        return self._book.closed_net[0] + sum(self.translation.results)

    def open_trades(self, price_ticks: Sequence[int]) -> list[Trade]:
        """Trades still open, marked, apart from the closed ones."""
        return self._book.open(price_ticks)

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`. Closed trades are not in it: fills are journalled."""
        state = {
            "initial": str(self.initial),
            "cash": " ".join(map(str, self.balances)),
            "positions": [str(position) for position in self.positions],
            "fees": str(self.fees),
            "slippage": str(self.slippage),
            "turnover": str(self.turnover),
            "trades": self._book.checkpoint(),
        }
        if self.rates is not None:
            state["fees_paid"] = " ".join(map(str, self.fees_paid))
            state["rates"] = self.rates.checkpoint()
            state["translation"] = self.translation.checkpoint()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self.initial = int(state["initial"])
        self.balances[:] = [int(amount) for amount in state["cash"].split()]
        self.positions[:] = [int(position) for position in state["positions"]]
        for symbol, position in enumerate(self.positions):
            self._set_slope(symbol, position)
        self.fees = int(state["fees"])
        self.slippage = int(state["slippage"])
        self.turnover = int(state["turnover"])
        self._book.restore(state["trades"])
        self._translated = {}
        self.fees_paid = [self.fees]
        if self.rates is not None:
            self.fees_paid = [int(fee) for fee in state["fees_paid"].split()]
            self.rates.restore(state["rates"])
            self.translation.restore(state["translation"])


def _counted(amount: int, rate: Rate | None) -> int:
    """The worth of an amount; nothing needs no rate."""
    if not amount:
        return 0
    if rate is None:
        raise ValueError("an amount in a currency without a rate: nothing may have been traded")
    return worth(amount, rate)


def _sized(amount: int, rate: Rate | None) -> int:
    """An exposure in the account's quanta, rounded away from 0."""
    if rate is None:
        raise ValueError("a position in a currency without a rate: nothing may have been traded")
    return burden(amount, rate) if amount > 0 else -burden(-amount, rate)
