"""Requests that need no key: what is listed, what is quoted, what was traded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mirrorcore.clock import MILLISECOND
from mirrorcore.exchange import wire
from mirrorcore.exchange.query import Query
from mirrorcore.exchange.refusals import RefusalError, illegal
from mirrorcore.exchange.tape import INTERVALS, Series
from mirrorcore.exchange.venue import Market

Answer = Callable[[Query], Any]


class PublicRequests:
    """Answers by endpoint. ``now`` is the exchange's clock, ``shown`` what it claims it to be."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        now: Callable[[], int],
        shown: Callable[[int], int],
        weight_limit: int,
    ) -> None:
        self._markets, self._now, self._shown = markets, now, shown
        self._weight_limit = weight_limit
        self.answers: dict[str, tuple[Answer, Callable[[Query], int]]] = {
            "ping": (lambda _: {}, _weight(1)),
            "time": (self.time, _weight(1)),
            "exchangeInfo": (self.exchange_info, _weight(20)),
            "depth": (self.depth, _depth_weight),
            "trades": (self.trades, _weight(25)),
            "historicalTrades": (self.historical_trades, _weight(25)),
            "aggTrades": (self.aggregate_trades, _weight(4)),
            "klines": (self.klines, _weight(2)),
            "ticker/24hr": (self.day, _by_symbols(2, 80)),
            "ticker/price": (self.price, _by_symbols(2, 4)),
            "ticker/bookTicker": (self.book_ticker, _by_symbols(2, 4)),
        }

    def time(self, query: Query) -> Any:
        return {"serverTime": self._shown(self._now())}

    def exchange_info(self, query: Query) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self._shown(self._now()),
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": self._weight_limit,
                }
            ],
            "exchangeFilters": [],
            "symbols": [wire.listed(market.listing) for market in self._asked(query)],
        }

    def depth(self, query: Query) -> Any:
        return wire.depth(query.market(), query.limit(100, 5_000))

    def trades(self, query: Query) -> Any:
        market = query.market()
        found = market.tape.prints.latest(query.limit(500, 1_000))
        return [wire.trade_row(market.listing, print_) for print_ in found]

    def historical_trades(self, query: Query) -> Any:
        market, prints = query.market(), query.market().tape.prints
        first, limit = query.integer("fromId"), query.limit(500, 1_000)
        found = prints.latest(limit) if first is None else prints.from_number(first, limit)
        return [wire.trade_row(market.listing, print_) for print_ in found]

    def aggregate_trades(self, query: Query) -> Any:
        market = query.market()
        found = _asked_of(market.tape.aggregates, query, query.limit(500, 1_000))
        return [wire.aggregate_row(market.listing, aggregate) for aggregate in found]

    def klines(self, query: Query) -> Any:
        market = query.market()
        interval = query.needed("interval")
        if interval not in INTERVALS:
            raise RefusalError(-1120, "Invalid interval.")
        limit, step, now = query.limit(500, 1_000), INTERVALS[interval], self._now()
        start, end = _instant(query, "startTime"), _instant(query, "endTime")
        last = min(now, now if end is None else end)
        if start is None:
            start = last - last % step - (limit - 1) * step
        market.tape.roll(now)
        found = market.tape.candles(interval, start, last + 1)[:limit]
        return [wire.kline(market.listing, candle, interval) for candle in found]

    def day(self, query: Query) -> Any:
        now = self._now()
        return self._each(query, lambda market: wire.day_row(market, now))

    def price(self, query: Query) -> Any:
        def row(market: Market) -> Any:
            last = market.tape.last
            price = market.listing.price_text(last.price if last else 0)
            return {"symbol": market.listing.id, "price": price}

        return self._each(query, row)

    def book_ticker(self, query: Query) -> Any:
        return self._each(query, wire.book_ticker_row)

    def _each(self, query: Query, row: Callable[[Market], Any]) -> Any:
        """One row where one symbol was asked for, else a list of them."""
        rows = [row(market) for market in self._asked(query)]
        return rows[0] if query.text("symbol") else rows

    def _asked(self, query: Query) -> list[Market]:
        if query.text("symbol"):
            return [query.market()]
        listed = query.text("symbols")
        if listed is None:
            return list(self._markets.values())
        try:
            names = msgspec.json.decode(listed, type=list[str])
        except msgspec.MsgspecError:
            raise illegal("symbols") from None
        return [query.named(name) for name in names]


def _weight(cost: int) -> Callable[[Query], int]:
    return lambda _: cost


def _by_symbols(one: int, all_: int) -> Callable[[Query], int]:
    return lambda query: one if query.text("symbol") else all_


def _depth_weight(query: Query) -> int:
    limit = query.integer("limit") or 100
    return next((w for most, w in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


def _instant(query: Query, name: str) -> int | None:
    """A time of the request, given in ms, in ns."""
    found = query.integer(name)
    return None if found is None else found * MILLISECOND


def _asked_of(series: Series[Any], query: Query, limit: int) -> list[Any]:
    """By number if ``fromId`` is given, else by time (inclusive, to the ms), else the newest."""
    first = query.integer("fromId")
    if first is not None:
        return series.from_number(first, limit)
    start, end = _instant(query, "startTime"), _instant(query, "endTime")
    if start is None and end is None:
        return series.latest(limit)
    if end is not None:
        end += MILLISECOND - 1
    return series.between(start, end, limit)
