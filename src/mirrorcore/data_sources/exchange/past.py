"""What a venue still knows of the past: trades after an id or an instant, and candles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from mirrorcore.clock import MILLISECOND, Clock, format_duration
from mirrorcore.data_sources.exchange.client import Connection
from mirrorcore.data_sources.exchange.reading import BACKFILL, Reader
from mirrorcore.data_sources.exchange.venues import Dialect
from mirrorcore.data_sources.live import Position, SourceError
from mirrorcore.market.records import Bar, Trade

_PAGE = 1_000


class Past:
    """Pages through one venue's history."""

    def __init__(
        self, connection: Connection, reader: Reader, dialect: Dialect, clock: Clock
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._dialect = dialect
        self._clock = clock

    async def trades(
        self, symbol: str, start: int, end: int, after: Position | None
    ) -> AsyncIterator[Trade]:
        """Trades of [start, end) ns after ``after``, oldest first.

        By number where the venue numbers them, so that none is missed; else by time, from that of
        ``after`` on, which itself comes again.
        """
        numbered = self._dialect.from_id and after is not None and after.seq > 0
        if numbered and after is not None:
            pages = self._by_number(symbol, after.seq, end)
        else:
            pages = self._by_time(symbol, start if after is None else after.ts_event, end)
        async for trade in pages:
            yield trade

    async def _by_number(self, symbol: str, seen: int, end: int) -> AsyncIterator[Trade]:
        """Everything after number ``seen``; what happened after ``end`` too, once it was told."""
        while True:
            page = await self._page(symbol, None, {"fromId": seen + 1})
            fresh = sorted((t for t in page if t.seq > seen), key=lambda t: t.seq)
            for trade in fresh:
                yield trade
            if not fresh or len(page) < _PAGE or max(t.ts_event for t in fresh) >= end:
                return
            seen = fresh[-1].seq

    async def _by_time(self, symbol: str, start: int, end: int) -> AsyncIterator[Trade]:
        """Pages overlap by a millisecond, which a page may have cut in two.

        How many trades a page holds at most is not known: it ends with one that brings nothing new.
        """
        since = start // MILLISECOND
        known: dict[object, None] = {}
        while True:
            page = await self._page(symbol, since, {})
            fresh = sorted(
                (t for t in page if _name(t) not in known), key=lambda t: (t.ts_event, t.seq)
            )
            for trade in fresh:
                if trade.ts_event >= end:
                    return
                yield trade
            if not fresh:
                return
            if self._dialect.from_id and fresh[-1].seq > 0:
                async for trade in self._by_number(symbol, fresh[-1].seq, end):
                    if trade.ts_event < end:
                        yield trade
                return
            known = dict.fromkeys(map(_name, page))
            since = fresh[-1].ts_event // MILLISECOND

    async def _page(
        self, symbol: str, since: int | None, params: Mapping[str, int]
    ) -> Sequence[Trade]:
        raw = await self._connection.call("fetch_trades", symbol, since, _PAGE, params)
        now = self._clock.now()
        return [self._reader.trade(one, now, BACKFILL) for one in raw]

    async def candles(self, symbol: str, bar_ns: int, start: int, end: int) -> Sequence[Bar]:
        """Finished candles with open in [start, end).

        Raises
        ------
        SourceError
            where the venue has none of that length.
        """
        timeframe = self.timeframe(bar_ns)
        bars: list[Bar] = []
        since = start
        while since < end:
            page = await self._connection.call(
                "fetch_ohlcv", symbol, timeframe, since // MILLISECOND, _PAGE
            )
            now = self._clock.now()
            fresh = [self._reader.bar(symbol, row, bar_ns, now, BACKFILL) for row in page]
            fresh = [bar for bar in fresh if since <= bar.ts_event < end]
            bars += fresh
            if not fresh:
                break
            since = fresh[-1].ts_event + bar_ns
        return bars

    async def finished(self, symbol: str, bar_ns: int, start: int, end: int) -> Sequence[Bar]:
        """Candles with open in [start, end) that cannot change any more: the next has begun."""
        bars = await self.candles(symbol, bar_ns, start, end + bar_ns)
        return [bar for bar in bars[:-1] if bar.ts_event < end]

    def timeframe(self, bar_ns: int) -> str:
        """The venue's word for candles of that length; SourceError where it has none."""
        timeframe = format_duration(bar_ns)
        known = self._connection.client.timeframes or {}
        if timeframe not in known:
            raise SourceError(
                f"{self._connection.name} has no candles of {timeframe}",
                hint=f"it has {', '.join(known)}; or begin without history: paper.warmup = 0",
                permanent=True,
                case="timeframe",
            )
        return timeframe


def _name(trade: Trade) -> object:
    """What tells a trade from others of its symbol."""
    return trade.trade_id or (trade.ts_event, trade.price, trade.quantity)
