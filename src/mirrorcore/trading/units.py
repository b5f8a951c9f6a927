"""Integers for prices, quantities and money.

A price is a whole number of ticks, a quantity a whole number of lots, money a whole number of
*quanta* of its currency. One lot moving one tick is a whole number of quanta, so price
times quantity is exact; the only amounts that round are fees and shares of an integer, always
written down where it happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np

from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.instruments import Instrument

LEAST_PLACES = 8
"""Money has at least this many decimals: on coarse steps a fee rounded up must stay negligible."""


class Money(msgspec.Struct, frozen=True):
    """An amount with its currency, for whoever shows it: ``quanta`` x 10^-``places``."""

    quanta: int
    places: int
    currency: str

    def decimal(self) -> Decimal:
        """The exact amount."""
        return exact_decimal(self.quanta, self.places)

    def __str__(self) -> str:
        return f"{self.decimal():f} {self.currency}"


def exact_decimal(quanta: int, places: int) -> Decimal:
    """``quanta`` x 10^-``places``, whatever the precision of the decimal context."""
    sign = 1 if quanta < 0 else 0
    return Decimal((sign, tuple(map(int, str(abs(quanta)))), -places))


def ratio_of(value: float) -> tuple[int, int]:
    """``value`` as it is written, as a fraction of integers: 0.1 gives (1, 10)."""
    exact = Fraction(Decimal(repr(float(value))))
    return exact.numerator, exact.denominator


def last_true(mask: Bools) -> Ints:
    """For each row the newest row so far, itself included, where ``mask`` (T, S) holds; else -1."""
    rows = np.where(mask, np.arange(len(mask), dtype=np.int64)[:, None], np.int64(-1))
    newest: Ints = np.maximum.accumulate(rows, axis=0)
    return newest


class Units:
    """The integer steps of a run's instruments.

    Parameters
    ----------
    currency: what the account counts in; None is the settlement currency of all instruments.

    Attributes
    ----------
    currency: as given. currencies: it and every other settlement currency, in symbol order.
    settled: per symbol, the number of its settlement currency in ``currencies``.
    places: decimals of money in every currency; one quantum is 10^-places.
    value: per symbol, quanta by which one lot changes when its price moves one tick, of the
        symbol's settlement currency.
    tick_size: per symbol, price of one tick.
    lot_base: per symbol, base currency in one lot (lot x multiplier).
    minimum: per symbol, smallest notional of an order, in quanta of its settlement currency.

    Raises
    ------
    ConfigError: no instrument, a step that is not above zero, an inverse contract, or several
        currencies where none is named to count in.
    """

    __slots__ = (
        "currencies",
        "currency",
        "instruments",
        "lot_base",
        "minimum",
        "places",
        "settled",
        "tick_size",
        "value",
    )

    def __init__(self, instruments: Sequence[Instrument], currency: str | None = None) -> None:
        self.instruments = tuple(instruments)
        self.currency = currency or _one_currency(self.instruments)
        self.currencies = tuple(
            dict.fromkeys((self.currency, *(i.settlement for i in self.instruments)))
        )
        self.settled = tuple(self.currencies.index(i.settlement) for i in self.instruments)
        _check_linear(self.instruments)
        _check_steps(self.instruments)
        steps = [
            Fraction(i.tick) * Fraction(i.lot) * Fraction(i.multiplier) for i in self.instruments
        ]
        self.places = max(LEAST_PLACES, *(_decimals(step) for step in steps))
        scale = 10**self.places
        self.value = tuple(int(step * scale) for step in steps)
        self.tick_size = tuple(i.tick_size for i in self.instruments)
        self.lot_base = tuple(
            float(Fraction(i.lot) * Fraction(i.multiplier)) for i in self.instruments
        )
        self.minimum = tuple(-(-Fraction(i.minimum) * scale // 1) for i in self.instruments)

    def __len__(self) -> int:
        return len(self.instruments)

    def quanta(self, amount: Decimal) -> int:
        """``amount`` of a currency in quanta; ConfigError if it is not a whole one."""
        exact = Fraction(amount) * Fraction(10**self.places)
        if exact.denominator != 1:
            raise ConfigError(
                f"the amount {amount} {self.currency} has more than {self.places} decimals",
                hint=f"round it to {self.places} decimals",
            )
        return exact.numerator

    def money(self, quanta: int, currency: int = 0) -> Money:
        """The same amount with its currency, by number; the account's is 0."""
        return Money(quanta, self.places, self.currencies[currency])

    def currency_of(self, symbol: int) -> str:
        """What a symbol settles in."""
        return self.currencies[self.settled[symbol]]

    def price(self, symbol: int, ticks: int) -> Decimal:
        """A price in ticks as it is printed."""
        return self.instruments[symbol].tick * ticks

    def ticks(self, prices: Floats, last: Ints) -> Ints:
        """Prices (T, S) to the nearest tick; where NaN, the newest tick before, at first ``last``.

        ``last`` (S,) is 0 for a symbol that never had a price. Take ``.tolist()`` of the result
        before handing rows to the ledger: it counts in Python integers.
        """
        known = np.isfinite(prices)
        nearest = np.rint(np.where(known, prices, 0.0) / np.asarray(self.tick_size))
        newest = last_true(known)
        columns = np.arange(prices.shape[1])
        carried = nearest.astype(np.int64)[np.maximum(newest, 0), columns]
        return np.where(newest >= 0, carried, last)


def _one_currency(instruments: tuple[Instrument, ...]) -> str:
    if not instruments:
        raise ConfigError("no instrument to trade", hint="name at least one symbol")
    currencies = sorted({i.settlement for i in instruments})
    if len(currencies) > 1:
        first = {c: next(i.symbol for i in instruments if i.settlement == c) for c in currencies}
        listed = ", ".join(f"{c} ({symbol})" for c, symbol in first.items())
        raise ConfigError(
            f"the symbols settle in {len(currencies)} currencies: {listed}",
            hint="say which of them the account counts in with account.currency",
        )
    return currencies[0]


def _check_linear(instruments: tuple[Instrument, ...]) -> None:
    inverse = [i.symbol for i in instruments if i.settlement == i.base != i.quote]
    if inverse:
        raise ConfigError(
            f"{', '.join(inverse)}: an inverse contract is paid in its own base currency, "
            "and what it gains is not its price times its quantity",
            hint="take the contract that settles in the quote currency, or the spot pair",
        )


def _check_steps(instruments: tuple[Instrument, ...]) -> None:
    wrong = [
        f"{i.symbol}: {name} was {value}, must be above 0"
        for i in instruments
        for name, value in (("tick", i.tick), ("lot", i.lot), ("multiplier", i.multiplier))
        if not (value.is_finite() and value > 0)
    ]
    wrong += [
        f"{i.symbol}: minimum was {i.minimum}, must not be below 0"
        for i in instruments
        if not (i.minimum.is_finite() and i.minimum >= 0)
    ]
    if wrong:
        raise ConfigError("instruments: " + "; ".join(wrong), hint="correct the [instruments] part")


def _decimals(step: Fraction) -> int:
    """Decimals needed to write ``step`` exactly; it came from decimals, so this ends."""
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    return places
