"""What can be traded and in which steps.

Prices and quantities of orders are integers: ticks and lots. Floats exist in features alone.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

DEFAULT_STEP = Decimal("1e-8")

# Quotes that venues write without a separator, longest first so that USDT wins over USD.
_QUOTES = ("USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "BTC")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable symbol.

    ``tick`` and ``lot`` are the smallest steps of price (in quote per base) and quantity (in base
    times ``multiplier``). ``described`` is False when nobody described the instrument and the
    defaults stand in, which is worth a warning.
    """

    symbol: str
    base: str
    quote: str
    settlement: str
    tick: Decimal = DEFAULT_STEP
    lot: Decimal = DEFAULT_STEP
    minimum: Decimal = Decimal(0)
    """Smallest notional of an order, in settlement currency."""
    multiplier: Decimal = Decimal(1)
    shortable: bool = True
    venue: str = ""
    sparse: bool = False
    """True where an interval without trades has no bar, so that a hole is no error."""
    negative_prices: bool = False
    trading_hours: str = "24/7"
    described: bool = False

    @property
    def tick_size(self) -> float:
        return float(self.tick)

    @property
    def lot_size(self) -> float:
        return float(self.lot)


def canonical_symbol(text: str) -> str:
    """``BTC_USDT``, ``btc-usdt``, ``BTCUSDT`` or ``BTC/USDT`` as CCXT writes it: ``BTC/USDT``.

    A text without separator is split before a known quote currency; ValueError where none fits.
    """
    name = text.strip().upper()
    for separator in ("/", "_", "-"):
        if separator in name:
            base, _, quote = name.partition(separator)
            if base and quote:
                return f"{base}/{quote.replace('_', ':')}"
    for quote in _QUOTES:
        # DOTUSD is DOT/USD and BNBUSD is BNB/USD, though TUSD and BUSD are quotes as well.
        shortest = 3 if quote in ("TUSD", "BUSD") else 1
        if name.endswith(quote) and len(name) >= len(quote) + shortest:
            return f"{name[: -len(quote)]}/{quote}"
    raise ValueError(f"was {text!r}, not a symbol such as BTC/USDT")


def undescribed(symbol: str, *, venue: str = "", sparse: bool = False) -> Instrument:
    """An instrument nobody described: steps of 1e-8, shortable, settled in its quote currency."""
    base, _, rest = symbol.partition("/")
    quote, _, settlement = rest.partition(":")
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        settlement=settlement or quote,
        venue=venue,
        sparse=sparse,
    )
