"""Several settlement currencies in one account: rates out of the market, and what they do.

Every currency keeps books of its own in exact integers; nothing is ever converted there. What the
account is worth is their sum in the account's currency, by one rule:

    worth of an amount = amount x rate, rounded down to a whole quantum, one rounding a currency

Down is against us: an asset counts less, a debt more. A rate is what the run's own symbols say,
EUR/USD for an account in USD, or USD/JPY read backwards, or a chain of such pairs. It is as old
as the last price of its pairs, and as stale.

A trade counts at the rate of its end (an open one at the present rate). What its result, kept in
its own currency, gains or loses from then on because the rate moves is *translation*:

    change of equity = results of all trades + translation, to the last quantum
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading.units import Units, last_true

Rate = tuple[int, int]
"""What one unit of a currency is worth in the account's, as (numerator, denominator), above 0."""

PARITY: Rate = (1, 1)


def worth(amount: int, rate: Rate) -> int:
    """``amount`` quanta of a currency in quanta of the account's, rounded down."""
    return amount * rate[0] // rate[1]


def burden(amount: int, rate: Rate) -> int:
    """The same rounded up: what limits and costs are measured with."""
    return -(-amount * rate[0] // rate[1])


def affordable(amount: int, rate: Rate) -> int:
    """``amount`` quanta of the account's currency in quanta of the other, rounded down."""
    return amount * rate[1] // rate[0]


class _Leg(NamedTuple):
    """One pair on the way to the account's currency; ``forward`` goes from base to quote."""

    symbol: int
    forward: bool
    tick: Fraction


class Rates:
    """The rate of each currency of a run from the marks of its symbols.

    Parameters
    ----------
    units: of the run; the account's currency comes first among its ``currencies``.

    Raises
    ------
    ConfigError: no chain of pairs leads from a currency to the account's.
    """

    __slots__ = ("_last", "_routes", "_settled", "currencies")

    def __init__(self, units: Units) -> None:
        self.currencies = units.currencies
        self._settled = units.settled
        self._routes = tuple(_route(units.instruments, units.currency, c) for c in self.currencies)
        self._last: dict[int, int] = {leg.symbol: 0 for way in self._routes for leg in way}

    def keep(self, price_ticks: Sequence[int]) -> None:
        """Remember the marks, for a time at which a pair has none that can be used."""
        for symbol in self._last:
            if price_ticks[symbol] > 0:
                self._last[symbol] = price_ticks[symbol]

    def at(self, price_ticks: Sequence[int]) -> list[Rate | None]:
        """The rate of each currency at these marks; None where a pair never had a price."""
        return [self._along(way, price_ticks) for way in self._routes]

    def by_symbol(self, price_ticks: Sequence[int]) -> list[Rate | None]:
        """The rate of each symbol's settlement currency."""
        rates = self.at(price_ticks)
        return [rates[currency] for currency in self._settled]

    def _along(self, way: Sequence[_Leg], price_ticks: Sequence[int]) -> Rate | None:
        numerator = denominator = 1
        for symbol, forward, tick in way:
            ticks = price_ticks[symbol]
            if ticks <= 0:
                ticks = self._last[symbol]
                if not ticks:
                    return None
            up, down = ticks * tick.numerator, tick.denominator
            numerator *= up if forward else down
            denominator *= down if forward else up
        return numerator, denominator

    def refusal(self, symbol: int, rate: Rate | None, fresh: Sequence[bool]) -> str:
        """Why a symbol's currency allows no new risk: ``no_rate``, ``stale_rate`` or nothing.

        ``fresh`` is by symbol: a rate is as fresh as the pairs it is read from.
        """
        if rate is None:
            return "no_rate"
        way = self._routes[self._settled[symbol]]
        return "" if all(fresh[leg.symbol] for leg in way) else "stale_rate"

    def matrix(self, price_ticks: Floats) -> Floats:
        """(T, S) the rate of each symbol's currency in floating point, 0 while unknown."""
        columns = np.ones((len(self.currencies), len(price_ticks)))
        for currency, way in enumerate(self._routes):
            for symbol, forward, tick in way:
                price = self._carried(price_ticks[:, symbol], symbol) * float(tick)
                known = price > 0
                step = price if forward else np.divide(1.0, price, out=price.copy(), where=known)
                columns[currency] *= step
        return columns.T[:, list(self._settled)]

    def _carried(self, ticks: Floats, symbol: int) -> Floats:
        known: Bools = ticks > 0
        newest: Ints = last_true(known[:, None])[:, 0]
        return np.where(newest >= 0, ticks[np.maximum(newest, 0)], float(self._last[symbol]))

    def checkpoint(self) -> dict[str, str]:
        """The marks remembered, by symbol's number."""
        return {str(symbol): str(ticks) for symbol, ticks in self._last.items()}

    def restore(self, state: dict[str, str]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._last = {int(symbol): int(ticks) for symbol, ticks in state.items()}


def _route(instruments: Sequence[Instrument], account: str, currency: str) -> tuple[_Leg, ...]:
    """The shortest chain of pairs from ``currency`` to ``account``, earlier symbols first."""
    found: dict[str, tuple[_Leg, ...]] = {currency: ()}
    reached = deque([currency])
    while reached and account not in found:
        here = reached.popleft()
        for number, pair in enumerate(instruments):
            if here not in (pair.base, pair.quote) or pair.negative_prices:
                continue
            forward = here == pair.base
            there = pair.quote if forward else pair.base
            if there not in found:
                found[there] = (*found[here], _Leg(number, forward, Fraction(pair.tick)))
                reached.append(there)
    if account not in found:
        symbols = ", ".join(i.symbol for i in instruments if i.settlement == currency)
        raise ConfigError(
            f"no symbol of the run gives the rate of {currency} ({symbols}) in {account}",
            hint=f"add {currency}/{account} to the symbols, or set account.currency",
        )
    return found[account]


class Translation:
    """What closed trades in foreign currencies count in the account's, and what rates did to it.

    Attributes
    ----------
    held: per currency, net results of its closed trades, in its own quanta.
    results: per currency, the same at the rates of the trades' ends, in the account's quanta.
    gains: per currency, what the rate has done to ``held`` since, in the account's quanta.
    """

    __slots__ = ("_rates", "gains", "held", "results")

    def __init__(self, currencies: int) -> None:
        self.held = [0] * currencies
        self.results = [0] * currencies
        self.gains = [0] * currencies
        self._rates: list[Rate | None] = [PARITY, *[None] * (currencies - 1)]

    def rate(self, currency: int) -> Rate:
        """The rate that counts at present; ValueError where there never was one."""
        rate = self._rates[currency]
        if rate is None:
            raise ValueError(
                "a fill in a currency without a rate: the order path lets none through"
            )
        return rate

    def reprice(self, rates: Sequence[Rate | None]) -> None:
        """The rates have moved to ``rates``."""
        for currency, held in enumerate(self.held):
            if held:
                self.gains[currency] += self._moved(currency, rates)
        self._rates = list(rates)

    def pending(self, rates: Sequence[Rate | None]) -> list[int]:
        """The gains as :meth:`reprice` would leave them."""
        return [
            gained + (self._moved(currency, rates) if self.held[currency] else 0)
            for currency, gained in enumerate(self.gains)
        ]

    def _moved(self, currency: int, rates: Sequence[Rate | None]) -> int:
        held, now = self.held[currency], rates[currency]
        # A rate that was known stays known.
        assert now is not None
        return worth(held, now) - worth(held, self.rate(currency))

    def close(self, currency: int, net: int) -> int:
        """A trade ended with ``net`` quanta of its currency; its result in the account's."""
        rate, held = self.rate(currency), self.held[currency]
        result = worth(held + net, rate) - worth(held, rate)
        self.held[currency] = held + net
        self.results[currency] += result
        return result

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`."""
        return {
            **{
                name: [str(n) for n in getattr(self, name)] for name in ("held", "results", "gains")
            },
            "rates": [None if rate is None else [str(n) for n in rate] for rate in self._rates],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        for name in ("held", "results", "gains"):
            setattr(self, name, [int(number) for number in state[name]])
        self._rates = [
            None if rate is None else (int(rate[0]), int(rate[1])) for rate in state["rates"]
        ]
