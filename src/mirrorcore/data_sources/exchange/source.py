"""One venue as a source: sockets where it has them, its past where something was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND, Clock, LiveClock
from mirrorcore.data_sources.exchange.books import BookWatch
from mirrorcore.data_sources.exchange.client import Connection
from mirrorcore.data_sources.exchange.listing import instead_of
from mirrorcore.data_sources.exchange.past import Past
from mirrorcore.data_sources.exchange.reading import Reader, instrument
from mirrorcore.data_sources.exchange.venues import TESTED, dialect
from mirrorcore.data_sources.live import Cursor, SourceError, SourceSpec
from mirrorcore.errors import UsageError
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.records import Bar, FeedRecord

KINDS = ("trade", "quote", "book", "bar", "funding")
_FUNDING_EVERY = 5 * MINUTE
_DECIMAL_PLACES = 2
"""CCXT's number for a venue that tells steps as decimal places."""


class ExchangeSource:
    """Trades, quotes, books, candles and funding of some symbols of a venue, by CCXT, without key.

    Parameters
    ----------
    venue: CCXT's name of it.
    symbols: as CCXT writes them, ``BTC/USDT``.
    kinds: of ``trade``, ``quote``, ``book``, ``bar``, ``funding``; one the venue has not is
        refused when it connects.
    bar_ns: length of the candles, where ``bar`` is among the kinds.
    url: a local exchange that stands for the venue.
    depth: levels of each side of a book that are passed on.
    stale_after_ns: silence of a symbol after which it is called stale and takes no new risk.
    name: of the source; by default the venue's.

    Raises
    ------
    UsageError: an unknown venue or kind, or no symbol.
    """

    def __init__(
        self,
        venue: str,
        symbols: Sequence[str],
        *,
        kinds: Sequence[str] = ("trade", "quote", "book"),
        url: str | None = None,
        bar_ns: int = 0,
        depth: int = 20,
        stale_after_ns: int = 15 * SECOND,
        name: str = "",
        clock: Clock | None = None,
    ) -> None:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown or not kinds:
            raise UsageError(
                f"an exchange brings no {', '.join(unknown) or 'nothing'}",
                hint=f"choose among {', '.join(KINDS)}",
            )
        if not symbols:
            raise UsageError(f"no symbol of {venue} was named", hint="name one, as BTC/USDT")
        if ("bar" in kinds) != (bar_ns > 0):
            raise UsageError(
                f"candles of {venue} need a length, and a length candles",
                hint="give bar_ns together with the kind bar",
            )
        special = dialect(venue)
        self.spec = SourceSpec(
            name=name or venue,
            category="technical",
            kinds=tuple(kinds),
            symbols=tuple(symbols),
            cadence_ns=SECOND,
            stale_after_ns=stale_after_ns,
            sparse=not special.contiguous,
            units={"trade": "quote currency", "book": "quote currency, base currency"},
            licence="the venue's terms",
            bar_ns=bar_ns,
            contiguous=("trade",) if special.contiguous and "trade" in kinds else (),
            tested=venue in TESTED,
        )
        self._clock = clock or LiveClock()
        self._dialect = special
        self._depth = depth
        self._venue = venue
        self._connection = Connection(venue, self.spec.name, url)
        self._reader = Reader(self.spec.name)
        self._past = Past(self._connection, self._reader, special, self._clock)
        self._heard: dict[tuple[str, str], None] = {}
        """Symbols and kinds of which something has come."""
        self.books = {symbol: BookWatch(self._connection, symbol) for symbol in symbols}

    async def stream(self, since: Cursor) -> AsyncGenerator[FeedRecord, None]:
        """Everything the venue's sockets bring, until the first of them fails."""
        await self._connection.drop()
        await self.instruments()
        for book in self.books.values():
            book.renew()
        queue: asyncio.Queue[FeedRecord | SourceError] = asyncio.Queue()
        tasks = [asyncio.create_task(self._guarded(work, queue)) for work in self._works(queue)]
        try:
            while True:
                brought = await queue.get()
                if isinstance(brought, SourceError):
                    raise brought
                yield brought
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        """Trades and candles of [start, end) that came after ``since``; books are read anew.

        Of the symbols ``since`` names, of those never heard of too, and of all where it is empty.
        """
        for kind in ("trade", "bar"):
            for symbol in self.spec.symbols if kind in self.spec.kinds else ():
                after = since.get((symbol, kind))
                if since and after is None and (symbol, kind) in self._heard:
                    continue  # another symbol's gap
                if kind == "trade":
                    async for trade in self._past.trades(symbol, start, end, after):
                        yield trade
                else:
                    first = start if after is None else after.ts_event
                    for bar in await self._past.finished(symbol, self.spec.bar_ns, first, end):
                        yield bar

    async def candles(self, bar_ns: int, start: int, end: int) -> Sequence[Bar]:
        """Finished candles with open in [start, end), of one symbol after the other."""
        await self.instruments()
        return [
            bar
            for symbol in self.spec.symbols
            for bar in await self._past.candles(symbol, bar_ns, start, end)
        ]

    async def instruments(self) -> Sequence[Instrument]:
        """Steps, minimum and kind of each symbol as the venue tells them."""
        markets = await self._connection.markets()
        missing = [symbol for symbol in self.spec.symbols if symbol not in markets]
        if missing:
            raise SourceError(
                f"{self.spec.name} does not list {', '.join(missing)}",
                hint=instead_of(missing, markets),
                permanent=True,
                case="symbol",
            )
        places = self._connection.client.precisionMode == _DECIMAL_PLACES
        return [instrument(markets[one], self._venue, places=places) for one in self.spec.symbols]

    async def server_time(self) -> int:
        """The venue's clock, ns UTC; SourceError ``unsupported`` where it tells none."""
        if not self._connection.offers("fetchTime"):  # nothing is asked of a venue for that
            raise SourceError(
                f"{self.spec.name}: the venue tells no time",
                case="unsupported",
                permanent=True,
                hint="choose a venue that offers it",
            )
        return int(await self._connection.call("fetch_time")) * MILLISECOND

    async def aclose(self) -> None:
        """Close sockets and sessions."""
        await self._connection.aclose()

    # -- parts ------------------------------------------------------------------------------------

    def _works(
        self, queue: asyncio.Queue[FeedRecord | SourceError]
    ) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """One endless work a kind, or a kind and symbol."""
        kinds, works = self.spec.kinds, list[Callable[[], Coroutine[Any, Any, None]]]()
        if "trade" in kinds:
            works += [partial(self._trades, symbol, queue) for symbol in self.spec.symbols]
        if "bar" in kinds:
            works += [partial(self._bars, symbol, queue) for symbol in self.spec.symbols]
        if "quote" in kinds:
            works.append(lambda: self._quotes(queue))
        if "funding" in kinds:
            works.append(lambda: self._funding(queue))
        if "book" in kinds:
            works += [partial(self._book, one, queue) for one in self.books.values()]
        return works

    async def _guarded(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        queue: asyncio.Queue[FeedRecord | SourceError],
    ) -> None:
        try:
            await work()
        except SourceError as error:
            queue.put_nowait(error)
        except (KeyError, TypeError, ValueError) as error:
            told = f"{self.spec.name}: a message cannot be read: {type(error).__name__}: {error}"
            queue.put_nowait(SourceError(told, case="malformed"))

    async def _trades(self, symbol: str, queue: asyncio.Queue[FeedRecord | SourceError]) -> None:
        # CCXT can watch several symbols in one call, but then wakes us for one of them at a time
        # and keeps what came of the others until their next trade: seconds, on a busy market.
        how = dict(self._dialect.trade_stream)
        while True:
            page = await self._connection.call("watch_trades", symbol, None, None, how)
            self._put_trades(page, queue)
            self._heard[symbol, "trade"] = None
            # Without a wait since they were handed out: none can have come in between.
            self._connection.forget_trades(symbol)

    def _put_trades(
        self, page: Sequence[Any], queue: asyncio.Queue[FeedRecord | SourceError]
    ) -> None:
        now = self._clock.now()
        for raw in page:
            queue.put_nowait(self._reader.trade(raw, now))

    async def _bars(self, symbol: str, queue: asyncio.Queue[FeedRecord | SourceError]) -> None:
        """Each candle once, when the next has begun: until then it may still change."""
        timeframe = self._past.timeframe(self.spec.bar_ns)
        growing: dict[int, Sequence[float]] = {}
        while True:
            rows = await self._connection.call("watch_ohlcv", symbol, timeframe)
            now = self._clock.now()
            growing.update((int(row[0]), tuple(row)) for row in rows)
            newest = max(growing)
            for start in sorted(growing):
                if start < newest:
                    row = growing.pop(start)
                    queue.put_nowait(self._reader.bar(symbol, row, self.spec.bar_ns, now))
                    self._heard[symbol, "bar"] = None

    async def _quotes(self, queue: asyncio.Queue[FeedRecord | SourceError]) -> None:
        while True:
            found = await self._connection.call("watch_bids_asks", list(self.spec.symbols))
            now = self._clock.now()
            for raw in found.values():
                quote = self._reader.quote(raw, now)
                if quote is not None:
                    queue.put_nowait(quote)

    async def _book(
        self, watched: BookWatch, queue: asyncio.Queue[FeedRecord | SourceError]
    ) -> None:
        async for book in watched.follow():
            if isinstance(book, str):
                queue.put_nowait(self._reader.gap(watched.symbol, book, self._clock.now()))
            else:
                queue.put_nowait(self._reader.book(book, self._depth, self._clock.now()))

    async def _funding(self, queue: asyncio.Queue[FeedRecord | SourceError]) -> None:
        while True:
            for symbol in self.spec.symbols:
                raw = await self._connection.call("fetch_funding_rate", symbol)
                funding = self._reader.funding(raw, self._clock.now())
                if funding is not None:
                    queue.put_nowait(funding)
            await asyncio.sleep(_FUNDING_EVERY / SECOND)
