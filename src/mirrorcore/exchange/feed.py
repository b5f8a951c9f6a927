"""From what happens on the venue to the frames of its market streams.

Trades and best quotes go out as they happen; depth in windows of 100 ms and of a second; candles
and tickers once a second and when a candle closes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mirrorcore.clock import SECOND
from mirrorcore.exchange import wire
from mirrorcore.exchange.config import STEP
from mirrorcore.exchange.hub import Hub
from mirrorcore.exchange.tape import INTERVALS, Aggregate, Print, milliseconds
from mirrorcore.exchange.venue import Market

PARTIAL_DEPTHS = (5, 10, 20)


class DepthWindow:
    """Levels touched since the last frame, and the first update among them."""

    def __init__(self, interval: int, streams: tuple[str, ...], books: tuple[tuple[str, int], ...]):
        self.interval, self.streams, self.books = interval, streams, books
        self._first = 0
        self._touched: dict[tuple[bool, int], None] = {}

    def touch(self, changes: Sequence[tuple[bool, int]], update_id: int) -> None:
        if not self._touched:
            self._first = update_id - len(changes) + 1
        self._touched.update(dict.fromkeys(changes))

    def flush(self, market: Market, hub: Hub, event_ms: int) -> None:
        """Publish what changed, if anything did, and begin anew."""
        touched, self._touched = self._touched, {}
        if not touched:
            return
        event = partial(wire.depth_event, market, self._first, touched, event_ms)
        for stream in self.streams:
            hub.publish(stream, event)
        for stream, limit in self.books:
            hub.publish(stream, partial(wire.depth, market, limit))


class SymbolFeed:
    """The streams of one symbol. ``shown`` turns an instant into the ms the clients are told."""

    def __init__(self, market: Market, hub: Hub, shown: Callable[[int], int]) -> None:
        self._market, self._hub, self._shown = market, hub, shown
        self._name = name = market.listing.id.lower()
        self._best = wire.best(market)
        self._windows = tuple(
            DepthWindow(
                interval,
                tuple(f"{name}@depth{suffix}" for suffix in suffixes),
                tuple(
                    (f"{name}@depth{depth}{suffix}", depth)
                    for suffix in suffixes
                    for depth in PARTIAL_DEPTHS
                ),
            )
            for interval, suffixes in ((STEP, ("@100ms",)), (SECOND, ("", "@1000ms")))
        )

    def traded(self, prints: Sequence[Print], aggregates: Sequence[Aggregate]) -> None:
        listing, shown = self._market.listing, self._shown
        for print_ in prints:
            ms = shown(print_.ts)
            self._hub.publish(
                f"{self._name}@trade", partial(wire.trade_event, listing, print_, ms, ms)
            )
        for aggregate in aggregates:
            ms = shown(aggregate.ts)
            self._hub.publish(
                f"{self._name}@aggTrade", partial(wire.aggregate_event, listing, aggregate, ms, ms)
            )

    def changed(self, changes: Sequence[tuple[bool, int]]) -> None:
        for window in self._windows:
            window.touch(changes, self._market.book.update_id)
        best = wire.best(self._market)
        if best != self._best:
            self._best = best
            self._hub.publish(
                f"{self._name}@bookTicker", partial(wire.book_ticker_event, self._market)
            )

    def step(self, now: int) -> None:
        """What goes out at the end of the step that ends at ``now``."""
        for window in self._windows:
            if now % window.interval == 0:
                window.flush(self._market, self._hub, self._shown(now))
        if now % SECOND == 0:
            self._candles(now)
            day = partial(wire.mini_ticker_event, self._market, now, self._shown(now))
            self._hub.publish(f"{self._name}@miniTicker", day)
            full = partial(wire.ticker_event, self._market, now, self._shown(now))
            self._hub.publish(f"{self._name}@ticker", full)

    def _candles(self, now: int) -> None:
        for interval, step in INTERVALS.items():
            stream = f"{self._name}@kline_{interval}"
            if not self._hub.heard(stream):
                continue
            opened = now - now % step
            start = opened - step if now == opened else opened
            for candle in self._market.tape.candles(interval, start, now + 1):
                closed = candle.open_ts + step <= now
                self._hub.publish(
                    stream,
                    partial(
                        wire.kline_event,
                        self._market.listing, candle, interval, closed, self._shown(now),
                    ),
                )  # fmt: skip


class MarketFeed:
    """The streams of all symbols."""

    def __init__(self, markets: Sequence[Market], hub: Hub, shown: Callable[[int], int]) -> None:
        self._markets, self._hub, self._shown = markets, hub, shown
        self._symbols = {market.listing.id: SymbolFeed(market, hub, shown) for market in markets}

    def traded(
        self, market: Market, prints: Sequence[Print], aggregates: Sequence[Aggregate]
    ) -> None:
        self._symbols[market.listing.id].traded(prints, aggregates)

    def changed(self, market: Market, changes: Sequence[tuple[bool, int]]) -> None:
        self._symbols[market.listing.id].changed(changes)

    def step(self, now: int) -> None:
        for feed in self._symbols.values():
            feed.step(now)
        if now % SECOND == 0:
            for stream, event in (
                ("!miniTicker@arr", wire.mini_ticker_event),
                ("!ticker@arr", wire.ticker_event),
            ):
                self._hub.publish(stream, partial(self._all, event, now))

    def _all(self, event: Callable[[Market, int, int], wire.Document], now: int) -> list[object]:
        return [event(market, now, self._shown(now)) for market in self._markets]


def event_ms(now: int, offset: int) -> int:
    """An instant in ms as a clock that is ``offset`` ns wrong would tell it."""
    return milliseconds(now + offset)
