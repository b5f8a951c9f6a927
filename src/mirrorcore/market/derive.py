"""From trades, quotes, books and funding to the values of the six categories.

Time is cut into intervals, those of the bars. What became available within one, its end included,
gives one value a series, available at that end and not before: nothing looks ahead, and a value
does not depend on how the records came bundled. A series without a record in an interval has no
value of it; the last one ages instead. Funding is rare and is passed on as it comes. Chains, pools,
texts and releases are turned into values by their sources, which know their units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mirrorcore.clock import DAY
from mirrorcore.market.book import OrderBook
from mirrorcore.market.records import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedRecord,
    Funding,
    GapRecord,
    Observation,
    Quote,
    Record,
    Status,
    Trade,
)

LEVELS = 5
"""Best levels of a book that count: what is further away is cheap to show and to withdraw."""
_YEAR = 365 * DAY


def imbalance(plus: float, minus: float) -> float | None:
    """(a - b) / (a + b), None where there is neither."""
    whole = plus + minus
    return (plus - minus) / whole if whole > 0 else None


def spread_bps(bid: float, ask: float) -> float | None:
    """Ask less bid over their mean in basis points, None for quotes that are crossed."""
    middle = (bid + ask) / 2
    return 1e4 * (ask - bid) / middle if 0 < bid <= ask else None


def annual(funding: Funding) -> float | None:
    """The rate of a funding for a year, uncompounded."""
    return funding.rate * _YEAR / funding.interval_ns if funding.interval_ns > 0 else None


@dataclass(slots=True)
class _Flow:
    """What one source said of one symbol in the running interval."""

    bought: float = 0.0
    sold: float = 0.0
    trades: int = 0
    quote: Quote | None = None
    book_moved: bool = False


class Derivation:
    """Turns the records of live sources into what the swarm reads, in order of ``ts_avail``.

    Parameters
    ----------
    interval_ns: of the values, usually that of the run's bars.

    Bars, observations and gaps pass as they are. Each source's values bear its name.
    """

    def __init__(self, interval_ns: int) -> None:
        if interval_ns < 1:
            raise ValueError(f"interval was {interval_ns} ns, must be above 0")
        self._interval = interval_ns
        self._end = 0
        self._flows: dict[tuple[str, str], _Flow] = {}
        self._books: dict[tuple[str, str], OrderBook] = {}

    def take(self, record: FeedRecord) -> list[Record]:
        """What is known once ``record`` is: the values of intervals that ended before it, first."""
        found = self.advance(record.ts_avail - 1)
        if isinstance(record, Bar | Observation | GapRecord):
            found.append(record)
        elif isinstance(record, Funding):
            found.append(_observed(record, "risk.funding_rate", annual(record)))
        else:
            self._end = self._end or -(-record.ts_avail // self._interval) * self._interval
            self._note(record)
        return found

    def advance(self, now: int) -> list[Record]:
        """The values of the interval that has ended by ``now``; none before its end."""
        if not self._end or now < self._end:
            return []
        found: list[Record] = [
            one for key, flow in self._flows.items() for one in self._values(key, flow)
        ]
        self._flows.clear()
        self._end = 0
        return found

    # -- one kind of record each

    def _note(self, record: FeedRecord) -> None:
        key = (record.source, record.symbol)
        if isinstance(record, Status):
            if record.state in ("stale", "down"):
                self._books.pop(key, None)
            return
        flow = self._flows.setdefault(key, _Flow())
        if isinstance(record, Trade):
            _trade(flow, record)
        elif isinstance(record, Quote):
            flow.quote = record
        elif isinstance(record, BookSnapshot):
            self._book(key).reset(record)
            flow.book_moved = True
        elif isinstance(record, BookDelta):
            self._book(key).change(record)
            flow.book_moved = True

    def _book(self, key: tuple[str, str]) -> OrderBook:
        return self._books.setdefault(key, OrderBook())

    # -- the values of an interval

    def _values(self, key: tuple[str, str], flow: _Flow) -> Iterator[Observation]:
        values: dict[str, float | None] = {}
        if flow.trades:
            values["technical.trade_imbalance"] = imbalance(flow.bought, flow.sold)
            values["technical.trade_count"] = float(flow.trades)
        if flow.book_moved:
            values.update(_of_book(self._books.get(key)))
        if flow.quote is not None:
            quote = flow.quote
            values["technical.quote_imbalance"] = imbalance(quote.bid_size, quote.ask_size)
            values["risk.spread_bps"] = spread_bps(quote.bid, quote.ask)
        source, symbol = key
        for series, value in values.items():
            yield Observation(
                source=source,
                symbol=symbol,
                series=series,
                value=value,
                ts_event=self._end,
                ts_recv=self._end,
                ts_avail=self._end,
            )


def _trade(flow: _Flow, trade: Trade) -> None:
    """A trade without a side counts, but for neither."""
    flow.trades += 1
    if trade.side == "buy":
        flow.bought += trade.quantity
    elif trade.side == "sell":
        flow.sold += trade.quantity


def _of_book(book: OrderBook | None) -> dict[str, float | None]:
    """Values of a book as it stands; missing where it is not whole or has an empty side."""
    best_bid, best_ask = (None, None) if book is None else (book.best_bid, book.best_ask)
    if book is None or best_bid is None or best_ask is None:
        names = ("technical.book_imbalance", "risk.book_depth", "risk.spread_bps")
        return dict.fromkeys(names)
    bids, asks = book.bids(LEVELS), book.asks(LEVELS)
    return {
        "technical.book_imbalance": book.imbalance(LEVELS),
        "risk.book_depth": sum(price * size for price, size in (*bids, *asks)),
        "risk.spread_bps": spread_bps(best_bid[0], best_ask[0]),
    }


def _observed(record: Funding, series: str, value: float | None) -> Observation:
    return Observation(
        source=record.source,
        symbol=record.symbol,
        series=series,
        value=value,
        ts_event=record.ts_event,
        ts_recv=record.ts_recv,
        ts_avail=record.ts_avail,
        seq=record.seq,
        epoch=record.epoch,
        flags=record.flags,
    )
