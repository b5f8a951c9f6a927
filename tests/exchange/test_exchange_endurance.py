"""Through every kind of fault: no trade is lost to a client that looks at numbers and silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import ccxt
from exchange_world import BTC, KEY, client, configured, exchange, run, until
from msgspec.structs import replace

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock, wall_now
from mirrorcore.exchange.faults import FAULT_KINDS, random_schedule
from mirrorcore.exchange.server import LocalExchange

SILENCE = 8 * SECOND
"""Silence after which the reader opens a connection of its own anew: longer than a stale fault."""


class Reader:
    """What an adapter has to do, as short as it can be said."""

    def __init__(self, server: LocalExchange, venue: Any) -> None:
        self.server, self.venue = server, venue
        self.numbers: list[int] = []
        self.noticed: dict[str, int] = {}

    def notice(self, what: str) -> None:
        self.noticed[what] = self.noticed.get(what, 0) + 1

    async def watched(self, what: Awaitable[Any]) -> Any:
        """What a stream says next; None where it fails or is silent for too long."""
        task = asyncio.ensure_future(what)
        give_up = self.server.clock.now() + SILENCE
        while not task.done() and self.server.clock.now() < give_up:
            await self.server.advance(500 * MILLISECOND)
            await asyncio.wait([task], timeout=0.002)
        if not task.done():
            self.notice("silence")
            task.cancel()
            await self.venue.close_ws_clients()
            return None
        try:
            return task.result()
        except (ccxt.NetworkError, ccxt.ChecksumError) as error:
            self.notice(type(error).__name__)
            return None

    async def trades(self) -> None:
        found = await self.watched(self.venue.watch_trades(BTC))
        for number in [int(trade["id"]) for trade in found or ()]:
            # One answer may span a hole: what came before and after it waited in the same cache.
            last = self.numbers[-1] if self.numbers else number - 1
            if number > last + 1:
                self.notice("gap")
                await self.fill(last + 1, number)
            if number > last:
                self.numbers.append(number)

    async def fill(self, first: int, end: int) -> None:
        while first < end:
            wanted = {"symbol": "BTCUSDT", "fromId": first, "limit": 1000}
            rows = await self.asked(self.venue.public_get_historicaltrades(wanted))
            if not isinstance(rows, list):
                continue
            filled = [n for row in rows if (n := int(row["id"])) < end]
            self.numbers += filled
            first = filled[-1] + 1

    async def asked(self, what: Awaitable[Any]) -> Any:
        try:
            return await what
        except ccxt.DDoSProtection:
            self.notice("DDoSProtection")
            return None


def test_no_trade_is_lost_and_the_book_is_right_again_whatever_goes_wrong() -> None:
    async def scene() -> None:
        drawn = random_schedule(5, every=10, seconds=160)
        # Waiting is real time, so it is short; sockets are those of trades and depth.
        schedule = tuple(replace(fault, delay=0.02) for fault in drawn)
        async with exchange(faults=schedule) as server, client(server, key=KEY) as c:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            reader = Reader(server, c)
            start = server.clock.now()
            while server.clock.now() < start + 175 * SECOND:
                await reader.trades()
                await reader.watched(c.watch_order_book(BTC))
                await reader.asked(c.fetch_ticker(BTC))
            assert reader.numbers == list(range(reader.numbers[0], reader.numbers[-1] + 1))
            assert len(reader.numbers) > 300
            assert server.faults.happened == dict.fromkeys(FAULT_KINDS, 2)
            # The client asks again by itself where it fetches the snapshot of a watched book.
            assert 1 <= reader.noticed["DDoSProtection"] <= server.faults.bites["rate_limit"]
            assert reader.noticed["ChecksumError"] >= 1
            assert reader.noticed["gap"] >= 2

            while await reader.watched(c.watch_order_book(BTC)) is None:
                continue
            book = server.venue.markets["BTCUSDT"].book
            await server.advance(SECOND)
            await until(server, lambda: c.orderbooks[BTC]["nonce"] == book.update_id)
            assert len(c.orderbooks[BTC]["asks"]) == len(book.asks.levels(999))

    run(scene())


def test_what_the_exchange_remembers_is_bounded() -> None:
    async def scene() -> None:
        server = LocalExchange(configured(kept=100, speed=10.0), VirtualClock(wall_now()))
        sizes = []
        for _ in range(3):
            await server.advance(20 * SECOND)
            market = server.venue.markets["BTCUSDT"]
            sizes.append((len(market.tape.prints), len(market.tape.aggregates)))
            assert len(server.venue.orders) <= 120
            assert len(market.book.orders) == len(server.venue.orders)
        assert sizes == [(100, 100)] * 3
        assert market.tape.prints.next_number > 500

    run(scene())
