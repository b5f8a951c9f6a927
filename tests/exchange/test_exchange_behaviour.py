"""What goes wrong, and what the unmodified client makes of it: the behaviour adapters rely on.

Each fault is scripted; after each the exchange's own count says that it happened once.
"""

from __future__ import annotations

import asyncio

import ccxt
import pytest
from exchange_world import BTC, KEY, client, exchange, run, until, while_time_passes

from mirrorcore.clock import MILLISECOND, SECOND, Stopwatch
from mirrorcore.exchange.config import Client
from mirrorcore.exchange.faults import Fault


@pytest.mark.parametrize(
    ("amount", "price", "error", "says"),
    [
        (0.00001, 50_000, ccxt.BadRequest, "-1013.*NOTIONAL"),
        (10, 50_000, ccxt.InsufficientFunds, "insufficient balance"),
    ],
)
def test_an_order_that_cannot_be(
    amount: float, price: float, error: type[Exception], says: str
) -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            with pytest.raises(error, match=says):
                await c.create_order(BTC, "limit", "buy", amount, price)
            assert await c.fetch_open_orders(BTC) == []

    run(scene())


def test_a_second_cancel_finds_no_order() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            order = await c.create_order(BTC, "limit", "buy", 0.01, 50_000)
            await c.cancel_order(order["id"], BTC)
            with pytest.raises(ccxt.OrderNotFound, match="-2011"):
                await c.cancel_order(order["id"], BTC)
            with pytest.raises(ccxt.OrderNotFound, match="-2013"):
                await c.fetch_order("1", BTC)
            with pytest.raises(ccxt.OrderNotFound, match="-2011"):
                await c.cancel_all_orders(BTC)

    run(scene())


def test_a_post_only_order_that_would_take_is_told_apart() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            with pytest.raises(ccxt.OrderImmediatelyFillable):
                await c.create_order(BTC, "limit", "buy", 0.001, 70_000, {"postOnly": True})

    run(scene())


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (Client(secret="another"), "-1022"),
        (Client(key="another"), "-2015"),
    ],
)
def test_who_cannot_sign_is_not_let_in(key: Client, says: str) -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=key) as c:
            with pytest.raises(ccxt.AuthenticationError, match=says):
                await c.fetch_balance()
            with pytest.raises(ccxt.AuthenticationError, match=says):
                await c.create_order_ws(BTC, "limit", "buy", 0.01, 50_000)
            # Here this version of the client stumbles over its own bookkeeping (a KeyError).
            with pytest.raises((ccxt.AuthenticationError, KeyError)):
                await c.watch_orders()
            assert server.subscribers == 0

    run(scene())


@pytest.mark.parametrize(("offset", "code"), [(30.0, "-1021"), (-30.0, "-1021")])
def test_a_signed_request_holds_for_a_while_by_the_exchanges_clock(
    offset: float, code: str
) -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            server.inject(Fault(kind="clock_offset", offset=offset, seconds=60))
            with pytest.raises(ccxt.InvalidNonce, match=code):
                await c.fetch_balance()
            await c.load_time_difference()  # half a round trip apart from the exchange's clock
            assert abs(c.options["timeDifference"] + offset * 1000) < 15_000
            assert (await c.fetch_balance())["USDT"]["free"] == 100_000.0
            assert server.faults.happened["clock_offset"] == 1

    run(scene())


def test_too_many_requests_raise_at_once_and_are_tried_again_only_if_asked_to() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            server.inject(Fault(kind="rate_limit", retry_after=3, count=2, target="ticker"))
            watch = Stopwatch()
            with pytest.raises(ccxt.DDoSProtection, match=r"429.*-1003"):
                await c.fetch_ticker(BTC)
            assert watch.wall_ns() < 1 * SECOND, "it does not wait for Retry-After"
            assert c.last_response_headers["Retry-After"] == "3"
            again = {"maxRetriesOnFailure": 2, "maxRetriesOnFailureDelay": 1}
            found = await c.fetch_ticker(BTC, again)
            assert found["last"] > 0
            assert server.faults.happened["rate_limit"] == 1
            assert server.faults.bites["rate_limit"] == 2

    run(scene())


def test_request_weight_runs_out_and_comes_back_with_the_minute() -> None:
    async def scene() -> None:
        async with exchange(weight_limit=100) as server, client(server) as c:
            await server.advance(60 * SECOND - server.clock.now() % (60 * SECOND))
            used = []
            for _ in range(20):
                await c.fetch_order_book(BTC, 100)
                used.append(int(c.last_response_headers["X-MBX-USED-WEIGHT-1M"]))
            assert used == list(range(5, 101, 5))
            with pytest.raises(ccxt.DDoSProtection):
                await c.fetch_order_book(BTC, 100)
            assert c.last_response_headers["Retry-After"] == "60"
            await server.advance(60 * SECOND)
            assert (await c.fetch_order_book(BTC, 100))["bids"]
            assert (server.weights.refused, server.faults.bites["rate_limit"]) == (1, 0)

    run(scene())


def test_a_page_where_json_belongs_becomes_an_empty_answer_and_no_error() -> None:
    """The trap: status 200 and no JSON make the client return structures full of nothing."""

    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            server.inject(Fault(kind="html", count=4))
            assert (await c.fetch_ticker(BTC))["last"] is None
            assert (await c.fetch_order_book(BTC))["bids"] == []
            assert all(row[4] is None for row in await c.fetch_ohlcv(BTC))
            assert (await c.create_order(BTC, "limit", "buy", 0.01, 50_000))["id"] is None
            assert (await c.fetch_ticker(BTC))["last"] > 0
            assert await c.fetch_open_orders(BTC) == []
            assert (server.faults.happened["html"], server.faults.bites["html"]) == (1, 4)

    run(scene())


def test_a_slow_answer_runs_into_the_clients_deadline() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            server.inject(Fault(kind="slow", delay=1.5, target="depth"))
            c.timeout = 100
            with pytest.raises(ccxt.RequestTimeout):
                await c.fetch_order_book(BTC)
            c.timeout = 5_000
            assert (await c.fetch_order_book(BTC))["bids"]
            assert server.faults.happened["slow"] == 1

    run(scene())


def test_a_hole_in_the_depth_sequence_is_found_and_the_next_call_recovers() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            await while_time_passes(server, c.watch_order_book(BTC))
            server.inject(Fault(kind="sequence_skip", target="btcusdt"))

            async def watched() -> None:
                for _ in range(20):
                    await while_time_passes(server, c.watch_order_book(BTC))

            with pytest.raises(ccxt.ChecksumError):
                await watched()
            await while_time_passes(server, c.watch_order_book(BTC))
            mine = server.venue.markets["BTCUSDT"].book
            await server.advance(SECOND)
            await until(server, lambda: c.orderbooks[BTC]["nonce"] == mine.update_id)
            assert len(c.orderbooks[BTC]["bids"]) == len(mine.bids.levels(999))
            assert server.faults.happened["sequence_skip"] == 1

    run(scene())


def test_a_dropped_socket_is_code_1006_and_what_was_missed_can_be_asked_for() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server, key=KEY) as c:
            seen: list[int] = []

            async def watched() -> None:
                found = await while_time_passes(server, c.watch_trades(BTC))
                seen.extend(int(trade["id"]) for trade in found)

            async def until_it_fails() -> None:
                while True:  # what had arrived before is still told
                    seen.extend(int(trade["id"]) for trade in await c.watch_trades(BTC))

            await watched()
            server.inject(Fault(kind="drop", target="btcusdt@trade"))
            with pytest.raises(ccxt.NetworkError, match="1006"):
                await until_it_fails()
            await server.advance(5 * SECOND)  # nobody hears these
            await watched()
            missing = [number for number in range(seen[0], seen[-1]) if number not in seen]
            assert len(missing) > 5, "the client does not fill holes by itself"
            asked = {"symbol": "BTCUSDT", "fromId": missing[0], "limit": len(missing)}
            rows = await c.public_get_historicaltrades(asked)
            assert [int(row["id"]) for row in rows] == missing
            assert (server.faults.happened["drop"], server.faults.bites["drop"]) == (1, 1)

    run(scene())


def test_a_stream_goes_silent_and_speaks_again() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            last = (await while_time_passes(server, c.watch_trades(BTC)))[-1]["timestamp"]
            server.inject(Fault(kind="stale", target="@trade", seconds=10))
            silent = server.clock.now() // MILLISECOND
            while last < silent:
                trades = await while_time_passes(server, c.watch_trades(BTC))
                last = trades[-1]["timestamp"]
            assert last >= silent + 10_000
            assert server.faults.happened["stale"] == 1
            assert server.faults.bites["stale"] > 5

    run(scene())


def test_half_a_frame_kills_the_clients_reader_in_silence() -> None:
    """The trap: the socket stays open, nobody reads it any more, and no call ever returns. Only
    the silence shows it; a socket of its own, opened anew, mends it."""

    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            lost: list[str] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda loop, context: lost.append(type(context["exception"]).__name__)
            )
            await while_time_passes(server, c.watch_trades(BTC))
            server.inject(Fault(kind="malformed", target="@trade"))
            waiting = asyncio.create_task(c.watch_trades(BTC))
            for _ in range(20):
                await server.advance(SECOND)
                await c.fetch_time()
            assert lost == ["JSONDecodeError"]
            assert server.faults.happened["malformed"] == 1
            assert not waiting.done()
            assert len(server.hub.connections) == 1
            await c.close()
            await asyncio.wait([waiting])  # closing ends the call that waited
            assert waiting.cancelled()
            assert await while_time_passes(server, c.watch_trades(BTC))

    run(scene())


def test_event_times_move_with_the_exchanges_clock() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            server.inject(Fault(kind="clock_offset", offset=-1.27, seconds=3600))
            (trade,) = (await while_time_passes(server, c.watch_trades(BTC)))[-1:]
            last = server.venue.markets["BTCUSDT"].tape.prints.from_number(int(trade["id"]), 1)[0]
            assert trade["timestamp"] == last.ts // MILLISECOND - 1_270
            assert await c.fetch_time() == server.clock.now() // MILLISECOND - 1_270

    run(scene())


def test_a_client_that_pauses_gets_what_waited_with_its_old_times() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            first = (await while_time_passes(server, c.watch_trades(BTC)))[-1]
            for _ in range(30):
                await server.advance(100 * MILLISECOND)
                await c.fetch_time()
            waited = await while_time_passes(server, c.watch_trades(BTC))
            ids = [int(t["id"]) for t in waited]
            assert ids == list(range(int(first["id"]) + 1, ids[-1] + 1))
            age = server.clock.now() // MILLISECOND - waited[0]["timestamp"]
            assert age > 1_000, "only the event's own time tells how old it is"

    run(scene())


def test_two_methods_use_two_sockets() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as c:
            await while_time_passes(server, c.watch_trades(BTC))
            await while_time_passes(server, c.watch_bids_asks([BTC]))
            assert len(server.hub.connections) == 2

    run(scene())


def test_limits_are_not_shared_between_clients_but_the_exchange_counts_the_address() -> None:
    async def scene() -> None:
        async with exchange() as server, client(server) as one, client(server) as other:
            await one.fetch_time()
            before = int(one.last_response_headers["X-MBX-USED-WEIGHT-1M"])
            await other.fetch_time()
            assert int(other.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == before + 1

    run(scene())
