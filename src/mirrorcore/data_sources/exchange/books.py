"""A venue's order book as CCXT keeps it, and whether it can be believed.

CCXT checks the numbers of updates and says when one is missing; the next call reads the book anew.
It does not see levels that should have gone and did not. So a book that is crossed is thrown away,
and now and then the best levels are compared with a snapshot of the same update number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.data_sources.exchange.client import Connection
from mirrorcore.data_sources.exchange.reading import crossed, levels
from mirrorcore.data_sources.live import SourceError

_COMPARED = 10
"""Best levels of each side that are compared."""
_REMEMBERED = 256
_CHECK_EVERY = 30 * SECOND
_CHECK_SOON = SECOND
"""After a book was read anew."""

Best = tuple[Any, Any]


class BookWatch:
    """One symbol's book. Counts what was found wrong, and how often it was compared.

    ``compared`` snapshots had an update number that was seen; ``different`` of them differed.
    """

    def __init__(self, connection: Connection, symbol: str) -> None:
        self.symbol = symbol
        self.gaps = self.crossed = self.compared = self.different = 0
        self._connection = connection
        self._seen: OrderedDict[int, Best] = OrderedDict()
        self._watch = Stopwatch()
        self._due = _CHECK_SOON

    def renew(self) -> None:
        """A new connection begins a new book."""
        self._seen.clear()
        self._watch = Stopwatch()
        self._due = _CHECK_SOON

    async def follow(self) -> AsyncGenerator[Mapping[str, Any] | str, None]:
        """The book after each change; instead, why it was dropped and is read anew."""
        while True:
            try:
                book = await self._connection.call("watch_order_book", self.symbol)
            except SourceError as error:
                if error.case != "sequence":
                    raise
                self.gaps += 1
                self._forget()
                yield "an update of the book is missing"
                continue
            if crossed(book):
                self.crossed += 1
                self._forget()
                yield "the book is crossed"
                continue
            self._note(book)
            yield book
            if self._watch.wall_ns() > self._due and await self.differs():
                self._forget()
                yield "the book differs from the venue's"

    async def differs(self) -> bool:
        """Whether a snapshot of an update that was seen has other best levels."""
        self._watch, self._due = Stopwatch(), _CHECK_EVERY
        told = await self._connection.call("fetch_order_book", self.symbol, 2 * _COMPARED)
        seen = self._seen.get(int(told.get("nonce") or 0))
        if seen is None:
            self._due = _CHECK_SOON  # between two updates: another time
            return False
        self.compared += 1
        wrong = seen != _best(told)
        self.different += wrong
        return wrong

    def _note(self, book: Mapping[str, Any]) -> None:
        self._seen[int(book.get("nonce") or 0)] = _best(book)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _forget(self) -> None:
        """Have the client read it anew with the next update."""
        self._seen.clear()
        self._due = _CHECK_SOON
        self._connection.client.orderbooks.pop(self.symbol, None)


def _best(book: Mapping[str, Any]) -> Best:
    return levels(book["bids"], _COMPARED), levels(book["asks"], _COMPARED)
