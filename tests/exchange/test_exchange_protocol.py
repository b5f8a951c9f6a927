"""The protocol beyond what one client uses of it, and what holds whoever speaks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from decimal import Decimal
from itertools import pairwise
from socket import SO_RCVBUF, SOL_SOCKET
from socket import socket as Socket
from typing import Any
from urllib.parse import urlencode

import aiohttp
import numpy as np
import pytest
from exchange_world import BTC, KEY, configured, exchange, run, until

from mirrorcore.clock import MILLISECOND, SECOND, LiveClock, VirtualClock, wall_now
from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.exchange.config import Client
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.server import LocalExchange
from mirrorcore.exchange.user_data import PUBLIC, SIGNED, text_of


async def got(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with session.get(url) as answer:
        return answer.status, await answer.json()


async def signed(
    session: aiohttp.ClientSession,
    server: LocalExchange,
    method: str,
    path: str,
    *,
    body: bool = False,
    **parameters: Any,
) -> tuple[int, Any]:
    """A request signed by hand, its parameters in the address or in the body."""
    given = {"timestamp": server.clock.now() // MILLISECOND, **parameters}
    text = urlencode({name: value for name, value in given.items() if value is not None})
    text += "&signature=" + hmac.new(KEY.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    url = f"{server.url}/{path}"
    headers = {"X-MBX-APIKEY": KEY.key}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = session.request(method, url, data=text, headers=headers)
    else:
        request = session.request(method, f"{url}?{text}", headers=headers)
    async with request as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("depth", 400, -1102),
        ("depth?symbol=NOPE", 400, -1121),
        ("depth?symbol=BTCUSDT&limit=x", 400, -1100),
        ("trades?symbol=BTCUSDT&limit=0", 400, -1130),
        ("klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("ticker/24hr?symbols=BTCUSDT", 400, -1100),
        ("historicalTrades?symbol=BTCUSDT&fromId=9999999999999999999", 400, -1100),
        ("account", 401, -2014),
        ("nothing", 404, -1000),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(path: str, status: int, code: int) -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            found = await got(session, f"{server.url}/{path}")
            assert (found[0], found[1]["code"]) == (status, code)
            assert set(found[1]) == {"code", "msg"}

    run(scene())


@pytest.mark.parametrize(
    "path",
    [
        "historicalTrades?symbol=BTCUSDT&fromId={far}",
        "aggTrades?symbol=BTCUSDT&fromId={far}",
        "aggTrades?symbol=BTCUSDT&startTime={far}",
        "klines?symbol=BTCUSDT&interval=1s&startTime={far}",
        "klines?symbol=BTCUSDT&interval=4h&endTime=0",
    ],
)
def test_what_lies_beyond_history_is_an_empty_answer(path: str) -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            assert await got(session, f"{server.url}/{path.format(far='9' * 18)}") == (200, [])

    run(scene())


GOOD = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.001", "price": "50000"}  # fmt: skip
AT_MARKET = {"type": "MARKET", "timeInForce": None, "price": None}


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"side": "UP"}, -1117, "Invalid side"),
        ({"side": None}, -1102, "'side'"),
        ({"type": "STOP_LOSS"}, -1116, "Invalid orderType"),
        ({"timeInForce": "GTX"}, -1115, "timeInForce"),
        ({"stopPrice": "1"}, -1106, "'stopPrice'"),
        ({"quoteOrderQty": "9"}, -1106, "'quoteOrderQty'"),
        ({"type": "LIMIT_MAKER"}, -1106, "'timeInForce'"),
        ({"type": "MARKET", "timeInForce": None}, -1106, "'price'"),
        ({**AT_MARKET, "quantity": None}, -1102, "quantity"),
        ({**AT_MARKET, "quoteOrderQty": "9"}, -1102, "quantity"),
        ({"quantity": None}, -1102, "'quantity'"),
        ({"price": None}, -1102, "'price'"),
        ({"quantity": "0"}, -1013, "Invalid quantity"),
        ({"quantity": "-1"}, -1013, "Invalid quantity"),
        ({"quantity": "NaN"}, -1100, "'quantity'"),
        ({"quantity": "0.000015"}, -1013, "LOT_SIZE"),
        ({"quantity": "0.0000000001"}, -1111, "precision"),
        ({"quantity": "1e12"}, -1013, "LOT_SIZE"),
        ({"quantity": "1e999999999"}, -1100, "quantity"),
        ({**AT_MARKET, "quantity": None, "quoteOrderQty": "1e999999999"}, -1100, "quoteOrderQty"),
        ({**AT_MARKET, "quantity": None, "quoteOrderQty": "1e-999999999"}, -1100, "quoteOrderQty"),
        ({"price": "0"}, -1013, "Invalid price"),
        ({"price": "50000.001"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0.00001"}, -1013, "NOTIONAL"),
        ({"newClientOrderId": "a b"}, -1100, "newClientOrderId"),
        ({"selfTradePreventionMode": "X"}, -1130, "selfTradePreventionMode"),
        ({"newOrderRespType": "X"}, -1100, "newOrderRespType"),
        ({"timestamp": "soon"}, -1100, "timestamp"),
        ({"timestamp": None}, -1102, "timestamp"),
        ({"recvWindow": "60001"}, -1131, "recvWindow"),
        ({"quantity": "50"}, -2010, "insufficient balance"),
    ],
)  # fmt: skip
def test_an_order_against_a_rule_is_refused_with_the_venues_number(
    changes: dict[str, Any], code: int, says: str
) -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            book = server.venue.markets["BTCUSDT"].book.update_id
            status, found = await signed(session, server, "POST", "order", **{**GOOD, **changes})
            assert (status, found["code"]) == (400, code)
            assert says in found["msg"]
            assert server.venue.markets["BTCUSDT"].book.update_id == book
            assert not server.venue.accounts[-1].locked.get("USDT")

    run(scene())


def test_a_client_id_names_one_open_order() -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            named = {**GOOD, "newClientOrderId": "mine"}
            assert (await signed(session, server, "POST", "order", **named, body=True))[0] == 200
            _, again = await signed(session, server, "POST", "order", **named)
            assert (again["code"], again["msg"]) == (-2010, "Duplicate order sent.")
            by_name = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
            _, found = await signed(session, server, "GET", "order", **by_name)
            assert found["status"] == "NEW"
            _, gone = await signed(session, server, "DELETE", "order", **by_name)
            assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", "mine")
            assert (await signed(session, server, "POST", "order", **named))[0] == 200
            _, unnamed = await signed(session, server, "GET", "order", symbol="BTCUSDT")
            assert unnamed["code"] == -1102

    run(scene())


def test_an_order_that_prevention_ended_says_how_much_of_it() -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            _, resting = await signed(session, server, "POST", "order", **GOOD)
            taker = {**GOOD, "side": "SELL", "selfTradePreventionMode": "EXPIRE_BOTH"}
            server.venue.accounts[-1].credit("BTC", 10**8)
            _, sold = await signed(session, server, "POST", "order", **{**taker, "price": "50000"})
            assert sold["status"] == "FILLED", "better bids come first"
            for bid in server.venue.markets["BTCUSDT"].book.bids.prices():
                best = server.venue.markets["BTCUSDT"].listing.price_text(bid)
                break
            own = {**GOOD, "price": best, "newClientOrderId": "own"}
            wanted = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
            assert (await signed(session, server, "DELETE", "order", **wanted))[0] == 200
            assert (await signed(session, server, "POST", "order", **own))[0] == 200
            everything = {**taker, "price": best, "quantity": "0.9"}
            _, ended = await signed(session, server, "POST", "order", **everything)
            assert ended["status"] == "EXPIRED_IN_MATCH"
            left = Decimal(ended["origQty"]) - Decimal(ended["executedQty"])
            assert Decimal(ended["preventedQuantity"]) == left > 0
            found = {"symbol": "BTCUSDT", "origClientOrderId": "own"}
            _, maker = await signed(session, server, "GET", "order", **found)
            assert (maker["status"], maker["preventedQuantity"]) == (
                "EXPIRED_IN_MATCH", "0.00100000",
            )  # fmt: skip

    run(scene())


def test_an_order_of_somebody_else_is_not_found() -> None:
    async def scene() -> None:
        other = Client(key="other", secret="other")
        async with (
            exchange(clients=(KEY, other)) as server,
            aiohttp.ClientSession() as session,
        ):
            _, mine = await signed(session, server, "POST", "order", **GOOD)
            account = server.venue.accounts[-1]
            assert account.name == "other"
            assert server.venue.clients[account.number].by_number == {}
            assert mine["orderId"] in server.venue.clients[account.number - 1].by_number

    run(scene())


@pytest.mark.parametrize(("form", "fields"), [("ACK", 5), ("RESULT", 16), ("FULL", 17)])
def test_the_answer_to_an_order_comes_in_three_lengths(form: str, fields: int) -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            asked = {**GOOD, "newOrderRespType": form}
            _, found = await signed(session, server, "POST", "order", **asked)
            assert len(found) == fields
            assert ("fills" in found) is (form == "FULL")

    run(scene())


def test_streams_are_named_in_the_address_and_combined_ones_say_which() -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            root = server.ws_url.removesuffix("/stream/ws")
            async with (
                session.ws_connect(f"{root}/ws/btcusdt@trade") as raw,
                session.ws_connect(f"{root}/stream?streams=btcusdt@trade/btcusdt@depth5") as both,
            ):
                await until(server, lambda: server.hub.heard("btcusdt@depth5"))
                await server.advance(5 * SECOND)
                assert (await raw.receive_json())["e"] == "trade"
                seen: dict[str, Any] = {}
                while len(seen) < 2:
                    frame = await both.receive_json()
                    seen[frame["stream"]] = frame["data"]
                assert seen["btcusdt@trade"]["e"] == "trade"
                assert len(seen["btcusdt@depth5"]["bids"]) == 5

    run(scene())


def test_a_socket_subscribes_lists_and_is_told_its_mistakes() -> None:
    async def scene() -> None:
        async with (
            exchange() as server,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.ws_url}/7") as socket,
        ):

            async def asked(message: Any) -> Any:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
                return await socket.receive_json()

            names = ["btcusdt@trade", "btcusdt@depth"]
            joined = await asked({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert joined == {"result": None, "id": 1}
            listed = await asked({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert listed == {"result": names, "id": 2}
            left = await asked({"method": "UNSUBSCRIBE", "params": names, "id": "x"})
            assert left == {"result": None, "id": "x"}
            assert not server.hub.heard("btcusdt@trade")
            many = [f"s{number}@trade" for number in range(1_025)]
            for wrong in (
                "{",
                {"method": "DANCE", "id": 3},
                {"id": 4},
                {"method": "SUBSCRIBE", "params": many},
            ):
                assert (await asked(wrong))["error"]["code"] == 2

    run(scene())


def test_depth_frames_follow_one_another_without_a_hole() -> None:
    async def scene() -> None:
        async with exchange() as server, aiohttp.ClientSession() as session:
            names = "btcusdt@depth@100ms/btcusdt@depth"
            root = server.ws_url.removesuffix("/ws")
            async with session.ws_connect(f"{root}?streams={names}") as socket:
                await until(server, lambda: server.hub.heard("btcusdt@depth"))
                await server.advance(10 * SECOND)
                frames: dict[str, list[Any]] = {name: [] for name in names.split("/")}
                while len(frames["btcusdt@depth"]) < 9:
                    frame = await socket.receive_json()
                    frames[frame["stream"]].append(frame["data"])
                for found in frames.values():
                    assert all(after["U"] == one["u"] + 1 for one, after in pairwise(found))
                assert len(frames["btcusdt@depth@100ms"]) > 50

    run(scene())


def test_requests_over_the_socket_say_what_is_wrong() -> None:
    async def scene() -> None:
        async with (
            exchange() as server,
            aiohttp.ClientSession() as session,
            session.ws_connect(server.ws_api_url) as socket,
        ):

            async def asked(text: str) -> Any:
                await socket.send_str(text)
                return await socket.receive_json()

            assert (await asked('{"id":1,"method":"ping"}'))["result"] == {}
            timed = await asked('{"id":"t","method":"time"}')
            assert timed["result"]["serverTime"] == server.clock.now() // MILLISECOND
            assert (await asked("nonsense"))["error"]["code"] == -1000
            assert (await asked('{"id":2,"method":"dance"}'))["error"]["code"] == -1000
            refused = await asked('{"id":3,"method":"order.place","params":{"apiKey":"x"}}')
            assert (refused["id"], refused["status"], refused["error"]["code"]) == (3, 401, -2015)

    run(scene())


METHODS = [*PUBLIC, *SIGNED, "userDataStream.subscribe.signature", "userDataStream.unsubscribe"]
ODD = [
    "", "0", "1", "-1", "9" * 18, "9" * 19, "1e5", "1e-9", "NaN", "x", "\u0661", "BTCUSDT", "1m",
    "BUY", "SELL", "LIMIT", "MARKET", "GTC", "FOK", "0.001", "50000", "70000", '["BTCUSDT"]', "[1]",
    True, None, 7, 1.5,
]  # fmt: skip
NAMES = [
    "symbol", "symbols", "limit", "fromId", "startTime", "endTime", "interval", "side", "type",
    "timeInForce", "quantity", "price", "quoteOrderQty", "newClientOrderId", "orderId",
    "origClientOrderId", "selfTradePreventionMode", "newOrderRespType", "omitZeroBalances",
]  # fmt: skip
SENSIBLE = {"symbol": "BTCUSDT", "interval": "1m", "side": "BUY", "type": "LIMIT",
            "timeInForce": "GTC", "quantity": "0.001", "price": "70000"}  # fmt: skip


def test_whatever_is_asked_is_answered() -> None:
    """Two thousand requests with sensible and odd parameters: 200 or a refusal, and no end."""

    async def scene() -> None:
        rng = np.random.Generator(np.random.Philox(7))

        def drawn(number: int, now: int) -> dict[str, Any]:
            given: dict[str, Any] = {n: v for n, v in SENSIBLE.items() if rng.random() < 0.8}
            for name in NAMES:
                if rng.random() < 0.12:
                    given[name] = ODD[int(rng.integers(len(ODD)))]
            given |= {"apiKey": KEY.key, "timestamp": now}
            texts = {name: text_of(value) for name, value in sorted(given.items())}
            payload = "&".join(f"{name}={text}" for name, text in texts.items())
            given["signature"] = hmac.new(
                KEY.secret.encode(), payload.encode(), hashlib.sha256
            ).hexdigest()
            method = METHODS[int(rng.integers(len(METHODS)))]
            return {"id": number, "method": method, "params": given}

        async with (
            exchange(weight_limit=10**9) as server,
            aiohttp.ClientSession() as session,
            session.ws_connect(server.ws_api_url) as socket,
        ):
            total = server.venue.total("USDT")
            answered = {200: 0, 400: 0}
            for number in range(2_000):
                call = drawn(number, server.clock.now() // MILLISECOND)
                await socket.send_json(call)
                answer = await socket.receive_json()
                while "event" in answer:  # it subscribed to its own events meanwhile
                    answer = await socket.receive_json()
                assert answer["id"] == number, call
                answered[answer["status"]] += 1
                if number % 100 == 0:
                    await server.advance(100 * MILLISECOND)
            assert min(answered.values()) > 300
            assert server.venue.total("USDT") == total

    run(scene())


def test_a_reader_that_does_not_read_loses_its_connection_and_memory_stays_bounded() -> None:
    async def scene() -> None:
        async with exchange(queue_bytes=100_000, speed=40.0) as server:
            host, port = server.url.removeprefix("http://").split("/")[0].split(":")
            narrow = Socket()
            narrow.setsockopt(SOL_SOCKET, SO_RCVBUF, 4_096)
            narrow.connect((host, int(port)))
            reader, writer = await asyncio.open_connection(sock=narrow, limit=2**10)
            writer.write(
                b"GET /stream?streams=btcusdt@trade/btcusdt@depth@100ms HTTP/1.1\r\n"
                b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await until(server, lambda: bool(server.hub.connections))
            (connection,) = server.hub.connections
            most = 0
            while not server.hub.slow_readers:
                await server.advance(100 * MILLISECOND)
                most = max(most, connection.waiting)
            writer.transport.abort()
            assert 0 < most <= 100_000
            assert connection.waiting == 0
            await until(server, lambda: not server.hub.connections)
            assert reader.exception() is None

    run(scene())


def test_on_a_running_clock_the_market_lives_by_itself() -> None:
    async def scene() -> None:
        server = LocalExchange(configured(history=0, speed=20.0), LiveClock())
        async with server, aiohttp.ClientSession() as session:
            with pytest.raises(UsageError, match="lives by its own clock"):
                await server.advance(SECOND)
            async with session.ws_connect(f"{server.ws_url}/btcusdt@trade") as socket:
                first, second = await socket.receive_json(), await socket.receive_json()
            assert second["t"] == first["t"] + 1
            assert abs(first["E"] - wall_now() // MILLISECOND) < 60_000

    run(scene())


def test_what_ends_the_market_is_not_kept_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        server = LocalExchange(configured(history=0), LiveClock())

        def broken(*_: object) -> None:
            raise RuntimeError("the market broke")

        await server.start()
        monkeypatch.setattr(server.venue, "submit", broken)
        with pytest.raises(RuntimeError, match="the market broke"):
            await server.serve()
        with pytest.raises(RuntimeError, match="the market broke"):
            await server.close()

    run(scene())


def test_closing_says_goodbye_and_may_be_done_twice() -> None:
    async def scene() -> None:
        server = LocalExchange(configured(history=0), VirtualClock(wall_now()))
        with pytest.raises(UsageError, match="not been started"):
            _ = server.url
        await server.start()
        with pytest.raises(UsageError, match="nothing drives"):
            await server.serve()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.ws_url}/0") as socket,
        ):
            closing = asyncio.create_task(server.close())
            message = await socket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
            await closing
        await server.close()

    run(scene())


def test_a_port_that_is_taken_is_said_so() -> None:
    async def scene() -> None:
        async with exchange() as server:
            port = int(server.url.split(":")[2].split("/")[0])
            second = LocalExchange(configured(port=port), VirtualClock(wall_now()))
            with pytest.raises(MirrorCoreError, match=f":{port} cannot be listened on"):
                await second.start()

    run(scene())


def test_the_same_seed_and_time_give_the_same_frames() -> None:
    async def frames() -> list[str]:
        server = LocalExchange(configured(history=0), VirtualClock(1_700_000_000 * SECOND))
        heard: list[str] = []
        async with (
            server,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.ws_url}/btcusdt@trade/btcusdt@depth@100ms") as socket,
        ):
            await until(server, lambda: bool(server.hub.connections))
            await server.advance(10 * SECOND)
            while len(heard) < 100:
                heard.append(str(await socket.receive_str()))
        return heard

    async def scene() -> None:
        assert await frames() == await frames()

    run(scene())


def test_a_faulty_socket_of_one_stream_leaves_the_others_alone() -> None:
    async def scene() -> None:
        async with (
            exchange(symbols=(BTC, "ETH/USDT")) as server,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.ws_url}/btcusdt@trade") as one,
            session.ws_connect(f"{server.ws_url}/ethusdt@trade") as other,
        ):
            await until(server, lambda: len(server.hub.connections) == 2)
            server.inject(Fault(kind="drop", target="btcusdt"))
            assert (await one.receive()).type is aiohttp.WSMsgType.CLOSED
            assert one.close_code == 1006
            await server.advance(5 * SECOND)
            assert (await other.receive_json())["s"] == "ETHUSDT"

    run(scene())
