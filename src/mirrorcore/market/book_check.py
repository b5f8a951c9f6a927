"""Does the local book say what the venue's own best bid and ask say at the same update?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from mirrorcore.market.book import OrderBook
from mirrorcore.market.records import Quote

_KEPT = 65_536

Top = tuple[float, float, float, float]
"""Bid, its size, ask, its size."""


@dataclass(slots=True)
class TopCheck:
    """Compares the tops of a book and the quotes of the same symbol, whichever comes first.

    Both carry the venue's number of the update; only equal numbers are compared, for in between
    the book may rightly differ.
    """

    equal: int = 0
    different: int = 0
    crossed: int = 0
    """Updates after which the book itself was crossed."""
    _books: OrderedDict[int, Top] = field(default_factory=OrderedDict)
    _quotes: OrderedDict[int, Top] = field(default_factory=OrderedDict)

    @property
    def compared(self) -> int:
        return self.equal + self.different

    def book_changed(self, book: OrderBook) -> None:
        """The book reached ``book.seq``."""
        bid, ask = book.best_bid, book.best_ask
        if bid is None or ask is None:
            return
        self.crossed += book.crossed
        self._meet(book.seq, (*bid, *ask), self._books, self._quotes)

    def quoted(self, quote: Quote) -> None:
        """The venue said what its best bid and ask are as of ``quote.seq``."""
        top = (quote.bid, quote.bid_size, quote.ask, quote.ask_size)
        self._meet(quote.seq, top, self._quotes, self._books)

    def _meet(
        self, seq: int, top: Top, mine: OrderedDict[int, Top], theirs: OrderedDict[int, Top]
    ) -> None:
        other = theirs.pop(seq, None)
        if other is None:
            mine[seq] = top
            if len(mine) > _KEPT:
                mine.popitem(last=False)
        elif other == top:
            self.equal += 1
        else:
            self.different += 1
