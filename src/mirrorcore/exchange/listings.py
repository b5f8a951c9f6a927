"""What is listed, in which steps, and the integers everything is counted in.

A price is a whole number of ticks, a quantity a whole number of lots, an amount of any asset a
whole number of *units* of 1e-8, which is how the venue we speak like prints them. Tick × lot is a
whole number of units too, so that price × quantity is exact.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mirrorcore.errors import UsageError
from mirrorcore.market.instruments import canonical_symbol

UNIT = 10**8
"""Units in one of any asset."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol that is traded.

    ``price`` is where it starts, ``volatility`` the standard deviation of its log return over a
    year, ``tick`` in quote currency, ``lot`` in base currency, ``minimum`` the smallest notional of
    an order in quote currency.
    """

    symbol: str
    price: Decimal
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.0001")
    minimum: Decimal = Decimal(5)
    volatility: float = 0.8

    def __post_init__(self) -> None:
        for name in ("price", "tick", "lot", "minimum"):
            value = getattr(self, name)
            if not (value.is_finite() and value > 0):
                raise UsageError(f"{self.symbol}: {name} was {value}, must be above 0")
        for name, value in (
            ("tick", self.tick),
            ("lot", self.lot),
            ("tick × lot", self.tick * self.lot),
        ):
            if (value * UNIT) % 1:
                raise UsageError(
                    f"{self.symbol}: {name} was {value}, must be a whole multiple of 1e-8",
                    hint="choose coarser steps, as tick = 0.01 and lot = 0.0001",
                )
        if self.price < 100 * self.tick:
            raise UsageError(
                f"{self.symbol}: the price {self.price} is less than 100 ticks of {self.tick}",
                hint="choose a finer tick, or the spread is all there is",
            )

    @property
    def id(self) -> str:
        """The venue's own name: ``BTCUSDT``."""
        return self.symbol.replace("/", "")

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        return self.symbol.partition("/")[2]

    @property
    def tick_units(self) -> int:
        return int(self.tick * UNIT)

    @property
    def lot_units(self) -> int:
        return int(self.lot * UNIT)

    @property
    def notional_units(self) -> int:
        """Units of the quote currency in one tick × one lot."""
        return int(self.tick * self.lot * UNIT)

    @property
    def minimum_units(self) -> int:
        return int(self.minimum * UNIT)

    def price_text(self, ticks: int) -> str:
        return units_text(ticks * self.tick_units)

    def lots_text(self, lots: int) -> str:
        return units_text(lots * self.lot_units)

    def notional_text(self, notional: int) -> str:
        """Ticks × lots as an amount of quote currency."""
        return units_text(notional * self.notional_units)


def units_text(units: int) -> str:
    """An amount with the eight decimals the venue prints; negative ones with a sign."""
    whole, rest = divmod(abs(units), UNIT)
    return f"{'-' if units < 0 else ''}{whole}.{rest:08d}"


def _listing(symbol: str, price: str, tick: str, lot: str, volatility: float) -> Listing:
    return Listing(
        symbol=symbol,
        price=Decimal(price),
        tick=Decimal(tick),
        lot=Decimal(lot),
        volatility=volatility,
    )


KNOWN = {
    listing.symbol: listing
    for listing in (
        _listing("BTC/USDT", "60000", "0.01", "0.00001", 0.6),
        _listing("ETH/USDT", "2500", "0.01", "0.0001", 0.8),
        _listing("SOL/USDT", "150", "0.01", "0.001", 1.0),
        _listing("BNB/USDT", "550", "0.01", "0.001", 0.7),
        _listing("XRP/USDT", "0.55", "0.0001", "0.1", 0.9),
        _listing("DOGE/USDT", "0.12", "0.00001", "1", 1.1),
    )
}
"""Steps as the venue has them; prices are where the simulated path starts and nothing more."""


def listing_of(symbol: str) -> Listing:
    """The listing of a symbol; one nobody knows starts at 100 with a tick of 0.01."""
    try:
        name = canonical_symbol(symbol)
    except ValueError as error:
        raise UsageError(f"symbol {error}") from None
    if ":" in name:
        raise UsageError(f"{name} is a derivative", hint="the local exchange lists spot alone")
    return KNOWN.get(name) or Listing(symbol=name, price=Decimal(100))
