"""Parameters of a request, read with the venue's own refusals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from mirrorcore.exchange.refusals import RefusalError, illegal, invalid_symbol, missing
from mirrorcore.exchange.venue import Market

Choice = TypeVar("Choice")

MOST_DIGITS = 20
"""Digits of any number before or behind the point; more would only keep the machine busy."""


class Query:
    """Parameters by name; all of them text, as they came."""

    def __init__(self, given: Mapping[str, str], markets: Mapping[str, Market]) -> None:
        self._given, self._markets = given, markets

    def text(self, name: str) -> str | None:
        return self._given.get(name) or None

    def needed(self, name: str) -> str:
        found = self.text(name)
        if found is None:
            raise missing(name)
        return found

    def market(self) -> Market:
        """The market of ``symbol``."""
        return self.named(self.needed("symbol"))

    def named(self, symbol: str) -> Market:
        market = self._markets.get(symbol)
        if market is None:
            raise invalid_symbol()
        return market

    def integer(self, name: str) -> int | None:
        found = self.text(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdecimal() and len(found) <= 18):
            raise illegal(name)
        return int(found)

    def limit(self, default: int, most: int) -> int:
        """``limit``; above the most it is the most, as at the venue."""
        found = self.integer("limit")
        if found == 0:
            raise RefusalError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if found is None else found, most)

    def decimal(self, name: str) -> Decimal | None:
        """A number above zero, exactly as it was written."""
        found = self.text(name)
        if found is None:
            return None
        try:
            value = Decimal(found)
        except InvalidOperation:
            raise illegal(name) from None
        if not value.is_finite() or abs(value.adjusted()) > MOST_DIGITS:
            raise illegal(name)
        return value

    def choice(self, name: str, known: Mapping[str, Choice], code: int, message: str) -> Choice:
        """One of the values the venue knows."""
        found = known.get(self.needed(name))
        if found is None:
            raise RefusalError(code, message)
        return found
