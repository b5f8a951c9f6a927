"""The simulated instruments: made-up tickers whose traits follow from their names alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import Instrument

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TICK_DIGITS = 6
"""A tick is about a millionth of the first price, so rounding to it is no market friction."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What distinguishes a symbol: first price, beta (of drift and volatility), notional a bar."""

    price: float
    beta: float
    notional: float
    """Typical turnover of a 5-minute bar, in quote currency."""
    price_decimals: int
    lot_decimals: int


def default_symbols(count: int) -> tuple[str, ...]:
    """AAA/USD, BBB/USD, ... and from the 27th on SIM27/USD."""
    names = [3 * letter for letter in _LETTERS[:count]]
    names += [f"SIM{k + 1}" for k in range(len(_LETTERS), count)]
    return tuple(f"{name}/USD" for name in names)


def traits(symbol: str) -> Traits:
    """Traits of a symbol, the same in every market that has it, whatever the seed."""
    digest = hashlib.sha256(f"traits|{symbol}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype=np.uint64)
    u = np.random.Generator(np.random.Philox(key=key)).random(3)
    magnitude = -0.3 + 4.9 * float(u[0])
    price = float(f"{10.0**magnitude:.3g}")
    exponent = int(np.floor(magnitude))
    return Traits(
        price=price,
        beta=0.8 + 0.4 * float(u[1]),
        notional=2e6 * 10.0 ** (0.7 * float(u[2])),
        price_decimals=max(0, _TICK_DIGITS - exponent),
        lot_decimals=max(0, exponent + 2),
    )


def instrument(symbol: str) -> Instrument:
    """The instrument of a simulated symbol; ConfigError where the name is not ``BASE/QUOTE``."""
    base, _, quote = symbol.partition("/")
    if not base or not quote or symbol.count("/") != 1:
        raise ConfigError(
            f"simulated market: symbol was {symbol!r}", hint="write it as AAA/USD: base/quote"
        )
    own = traits(symbol)
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        settlement=quote,
        tick=Decimal(1).scaleb(-own.price_decimals),
        lot=Decimal(1).scaleb(-own.lot_decimals),
        minimum=Decimal(1),
        venue="simulated",
        described=True,
    )
