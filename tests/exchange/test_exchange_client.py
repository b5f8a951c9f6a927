"""The unmodified ccxt client against the exchange: each call it makes, answered over loopback."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from exchange_world import BTC, KEY, client, exchange, run, until, while_time_passes

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND
from mirrorcore.exchange.listings import KNOWN, units_text

ETH = "ETH/USDT"


def test_markets_carry_steps_and_limits() -> None:
    async def scene() -> None:
        async with exchange(symbols=(BTC, ETH)) as server, client(server) as c:
            assert list(c.markets) == [BTC, ETH]
            market = c.market(BTC)
            assert (market["type"], market["active"], market["spot"]) == ("spot", True, True)
            assert market["precision"]["price"] == float(KNOWN[BTC].tick)
            assert market["precision"]["amount"] == float(KNOWN[BTC].lot)
            assert market["limits"]["cost"]["min"] == float(KNOWN[BTC].minimum)
            assert c.price_to_precision(BTC, 60_000.129) == "60000.13"

    run(scene())


def test_the_time_is_the_exchanges() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            await server.advance(3 * SECOND)
            assert await c.fetch_time() == server.clock.now() // MILLISECOND

    run(scene())


def test_tickers_books_and_candles_say_what_the_market_is() -> None:
    async def scene() -> None:
        async with exchange(symbols=(BTC, ETH), history=10 * MINUTE) as server, client(server) as c:
            market = server.venue.markets["BTCUSDT"]
            tick = float(KNOWN[BTC].tick)
            ticker = await c.fetch_ticker(BTC)
            assert market.tape.last is not None
            assert ticker["last"] == round(market.tape.last.price * tick, 2)
            assert ticker["bid"] == round((market.book.bids.best or 0) * tick, 2)
            assert ticker["ask"] == round((market.book.asks.best or 0) * tick, 2)
            assert set(await c.fetch_tickers()) == {BTC, ETH}
            assert set(await c.fetch_tickers([ETH])) == {ETH}
            assert set(await c.fetch_bids_asks()) == {BTC, ETH}

            book = await c.fetch_order_book(BTC, 5)
            assert book["nonce"] == market.book.update_id
            assert [price for price, _ in book["bids"]] == [
                round(price * tick, 2) for price, _ in market.book.bids.levels(5)
            ]
            assert len(book["asks"]) == 5

            now = server.clock.now() // MILLISECOND
            minutes = await c.fetch_ohlcv(BTC, "1m", limit=5)
            opened = now - now % 60_000
            assert [row[0] for row in minutes] == [opened - 60_000 * n for n in (4, 3, 2, 1, 0)]
            assert minutes[-1][4] == ticker["last"]
            older = await c.fetch_ohlcv(BTC, "1m", since=minutes[1][0], limit=2)
            assert older == minutes[1:3]
            (five,) = await c.fetch_ohlcv(BTC, "5m", limit=1)
            assert five[0] % 300_000 == 0
            assert len(await c.fetch_ohlcv(BTC, "1s", limit=60)) == 60

    run(scene())


def test_trades_are_asked_for_by_time_and_by_number() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            trades = await c.fetch_trades(BTC, limit=20)
            numbers = [int(trade["id"]) for trade in trades]
            assert numbers == list(range(numbers[0], numbers[0] + 20))
            again = await c.fetch_trades(BTC, limit=5, params={"fromId": numbers[3]})
            assert [trade["id"] for trade in again] == [t["id"] for t in trades[3:8]]
            since = trades[10]["timestamp"]
            later = await c.fetch_trades(BTC, since=since, limit=500)
            assert later[0]["timestamp"] == since
            assert [t["id"] for t in later][-5:] == [t["id"] for t in trades][-5:]

    run(scene())


def test_aggregates_name_the_prints_they_hold() -> None:
    async def scene() -> None:
        async with exchange(history=5 * MINUTE) as server, client(server, key=KEY) as c:
            aggregates = await c.fetch_trades(BTC, limit=200)
            first = int(aggregates[0]["info"]["f"])
            wanted = {"symbol": "BTCUSDT", "fromId": first, "limit": 1000}
            rows = await c.public_get_historicaltrades(wanted)
            prints = {int(row["id"]): Decimal(row["qty"]) for row in rows}
            seen = first
            for aggregate in aggregates:
                low, high = int(aggregate["info"]["f"]), int(aggregate["info"]["l"])
                assert low == seen
                seen = high + 1
                assert sum(prints[n] for n in range(low, high + 1)) == Decimal(
                    aggregate["info"]["q"]
                )

    run(scene())


def test_trades_are_watched_without_a_hole() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            seen: list[int] = []
            while len(seen) < 30:
                trades = await while_time_passes(server, c.watch_trades(BTC))
                seen += [int(trade["id"]) for trade in trades]
            assert seen == list(range(seen[0], seen[0] + len(seen)))

    run(scene())


def test_candles_are_watched_and_end() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            rows: dict[int, list[float]] = {}
            while len(rows) < 3:
                watched = await while_time_passes(server, c.watch_ohlcv(BTC, "1m"), SECOND)
                rows |= {row[0]: row for row in watched}
            first, second = list(rows)[:2]
            assert second - first == 60_000
            (fetched,) = await c.fetch_ohlcv(BTC, "1m", since=second, limit=1)
            assert rows[second] == fetched

    run(scene())


def test_a_watched_book_is_the_exchanges_own() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            listing, checked = KNOWN[BTC], 0
            book = await while_time_passes(server, c.watch_order_book(BTC))
            for _ in range(10):
                await server.advance(500 * MILLISECOND)
                mine = server.venue.markets["BTCUSDT"].book
                await until(server, lambda mine=mine: c.orderbooks[BTC]["nonce"] == mine.update_id)
                book = c.orderbooks[BTC]
                for side, half in (("bids", mine.bids), ("asks", mine.asks)):
                    assert [[f"{p:.8f}", f"{q:.8f}"] for p, q in book[side]] == [
                        [listing.price_text(p), listing.lots_text(n)] for p, n in half.levels(999)
                    ]
                assert book["bids"][0][0] < book["asks"][0][0]
                checked += 1
            assert checked == 10

    run(scene())


def test_best_quotes_are_watched_and_carry_no_time() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            quotes = await while_time_passes(server, c.watch_bids_asks([BTC]))
            assert quotes[BTC]["bid"] < quotes[BTC]["ask"]
            assert (quotes[BTC]["timestamp"], "e" in quotes[BTC]["info"]) == (None, False)

    run(scene())


@pytest.mark.parametrize(
    ("params", "event"), [({}, "24hrMiniTicker"), ({"name": "ticker"}, "24hrTicker")]
)
def test_tickers_are_watched(params: dict[str, str], event: str) -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            found = await while_time_passes(server, c.watch_ticker(BTC, params))
            assert found["info"]["e"] == event
            assert found["low"] <= found["last"] <= found["high"]

    run(scene())


def test_all_tickers_are_watched_at_once() -> None:
    async def scene() -> None:
        async with exchange(symbols=(BTC, ETH)) as server, client(server) as c:
            assert set(await while_time_passes(server, c.watch_tickers())) == {BTC, ETH}
            assert server.hub.heard("!miniTicker@arr")

    run(scene())


def test_streams_of_several_symbols_are_kept_apart() -> None:
    async def scene() -> None:
        async with exchange(symbols=(BTC, ETH)) as server, client(server) as c:
            seen: dict[str, float] = {}
            while len(seen) < 2:
                trades = await while_time_passes(server, c.watch_trades_for_symbols([BTC, ETH]))
                seen |= {trade["symbol"]: trade["price"] for trade in trades}
            assert seen[BTC] > 10 * seen[ETH]

    run(scene())


def test_unwatching_ends_the_stream() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            await while_time_passes(server, c.watch_trades(BTC))
            assert server.hub.heard("btcusdt@trade")
            await while_time_passes(server, c.un_watch_trades(BTC))
            assert not server.hub.heard("btcusdt@trade")

    run(scene())


def test_an_order_rests_is_found_and_is_cancelled() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            order = await c.create_order(BTC, "limit", "buy", 0.01, 50_000)
            assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.0, 0.01)
            assert order["clientOrderId"].startswith("x-")
            assert [o["id"] for o in await c.fetch_open_orders(BTC)] == [order["id"]]
            found = await c.fetch_order(order["id"], BTC)
            assert (found["status"], found["price"], found["amount"]) == ("open", 50_000.0, 0.01)
            balance = await c.fetch_balance()
            assert (balance["USDT"]["free"], balance["USDT"]["used"]) == (99_500.0, 500.0)
            assert (await c.cancel_order(order["id"], BTC))["status"] == "canceled"
            assert await c.fetch_open_orders(BTC) == []
            assert (await c.fetch_order(order["id"], BTC))["status"] == "canceled"
            assert (await c.fetch_balance())["USDT"]["used"] == 0.0
            assert [o["id"] for o in await c.fetch_closed_orders(BTC)] == []
            assert [o["id"] for o in await c.fetch_orders(BTC)] == [order["id"]]

    run(scene())


def test_a_market_order_fills_and_its_money_is_exact() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            order = await c.create_order(BTC, "market", "buy", 0.05)
            assert (order["status"], order["filled"], order["remaining"]) == ("closed", 0.05, 0.0)
            fills = order["info"]["fills"]
            cost = sum(Decimal(f["price"]) * Decimal(f["qty"]) for f in fills)
            assert cost == Decimal(order["info"]["cummulativeQuoteQty"])
            commission = sum(Decimal(f["commission"]) for f in fills)
            account = server.venue.accounts[-1]
            assert Decimal(units_text(account.free["USDT"])) == 100_000 - cost
            assert Decimal(units_text(account.free["BTC"])) == Decimal("0.05") - commission
            assert Decimal("0.00005") <= commission < Decimal("0.0000501")
            mine = await c.fetch_my_trades(BTC)
            assert [t["id"] for t in mine] == [str(f["tradeId"]) for f in fills]
            assert {t["takerOrMaker"] for t in mine} == {"taker"}

            sold = await c.create_order(BTC, "market", "sell", 0.02)
            assert (sold["status"], sold["fee"]["currency"]) == ("closed", "USDT")
            spent = await c.create_market_buy_order_with_cost(BTC, 500)
            assert (spent["status"], spent["cost"] <= 500, spent["cost"] > 498) == (
                "closed",
                True,
                True,
            )

    run(scene())


@pytest.mark.parametrize(
    ("params", "price", "status", "filled"),
    [
        ({"timeInForce": "IOC"}, 1.01, "closed", True),
        ({"timeInForce": "IOC"}, 0.9, "expired", False),
        ({"timeInForce": "FOK"}, 0.9, "expired", False),
        ({"postOnly": True}, 0.9, "open", False),
    ],
)
def test_durations_are_understood(
    params: dict[str, object], price: float, status: str, filled: bool
) -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            ask = (await c.fetch_order_book(BTC, 5))["asks"][0][0]
            order = await c.create_order(BTC, "limit", "buy", 0.001, ask * price, params)
            order = await c.fetch_order(order["id"], BTC)
            assert (order["status"], order["filled"] > 0) == (status, filled)

    run(scene())


def test_a_test_order_is_judged_and_not_placed() -> None:
    async def scene() -> None:
        from ccxt import BadRequest

        async with exchange() as server, client(server, key=KEY) as c:
            placed = len(server.venue.clients[server.venue.accounts[-1].number].by_number)
            await c.create_order(BTC, "limit", "buy", 0.01, 50_000, {"test": True})
            with pytest.raises(BadRequest, match="NOTIONAL"):
                await c.create_order(BTC, "limit", "buy", 0.00001, 50_000, {"test": True})
            assert placed == 0
            assert server.venue.clients[server.venue.accounts[-1].number].by_number == {}

    run(scene())


def test_all_orders_of_a_symbol_are_cancelled_at_once() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            for price in (50_000, 51_000, 52_000):
                await c.create_order(BTC, "limit", "buy", 0.001, price)
            assert len(await c.cancel_all_orders(BTC)) == 3
            assert await c.fetch_open_orders(BTC) == []

    run(scene())


def test_own_orders_and_balances_are_watched_over_one_socket() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            orders = asyncio.create_task(c.watch_orders())
            balance = asyncio.create_task(c.watch_balance())
            trades = asyncio.create_task(c.watch_my_trades(BTC))
            await until(server, lambda: bool(server.subscribers))
            placed = await c.create_order(BTC, "limit", "buy", 0.01, 50_000)
            (seen,) = await orders
            assert (seen["id"], seen["status"], seen["price"]) == (placed["id"], "open", 50_000.0)
            assert seen["clientOrderId"] == placed["clientOrderId"]
            assert (await balance)["USDT"] == {"free": 99_500.0, "used": 500.0, "total": 100_000.0}
            await c.cancel_order(placed["id"], BTC)
            (seen,) = await c.watch_orders()
            assert (seen["status"], seen["clientOrderId"]) == ("canceled", placed["clientOrderId"])
            bought = await c.create_order(BTC, "market", "buy", 0.001)
            (trade,) = (await trades)[-1:]
            assert (trade["order"], trade["takerOrMaker"]) == (bought["id"], "taker")
            assert trade["fee"]["currency"] == "BTC"
            assert len(server.hub.connections) == 1

    run(scene())


def test_requests_over_the_socket_are_the_same_requests() -> None:
    async def scene() -> None:
        from ccxt import InsufficientFunds

        async with exchange() as server, client(server, key=KEY) as c:
            order = await c.create_order_ws(BTC, "limit", "buy", 0.01, 50_000)
            assert order["status"] == "open"
            assert (await c.fetch_order_ws(order["id"], BTC))["id"] == order["id"]
            assert [o["id"] for o in await c.fetch_open_orders_ws(BTC)] == [order["id"]]
            # This version of the client does not parse a spot balance that came by socket.
            (usdt,) = (await c.fetch_balance_ws())["info"]["balances"]
            assert usdt == {"asset": "USDT", "free": "99500.00000000", "locked": "500.00000000"}
            assert (await c.cancel_order_ws(order["id"], BTC))["status"] == "canceled"
            assert len(await c.fetch_ohlcv_ws(BTC, "1m", limit=1)) == 1
            with pytest.raises(InsufficientFunds):
                await c.create_order_ws(BTC, "limit", "buy", 10, 50_000)

    run(scene())
