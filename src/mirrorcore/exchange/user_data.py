"""Requests over WebSocket, and a client's own events on the sockets that subscribed to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.exchange import wire_orders
from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.authentication import of_socket
from mirrorcore.exchange.desk import Desk
from mirrorcore.exchange.hub import Connection, Hub, encode
from mirrorcore.exchange.orders import Fill, Order
from mirrorcore.exchange.refusals import RefusalError
from mirrorcore.exchange.venue import Venue

if TYPE_CHECKING:
    from aiohttp import web

USER_STREAM = "userData"
"""The name by which faults find these sockets and their events."""

PUBLIC = {
    "ping": "ping",
    "time": "time",
    "exchangeInfo": "exchangeInfo",
    "depth": "depth",
    "trades.recent": "trades",
    "trades.historical": "historicalTrades",
    "trades.aggregate": "aggTrades",
    "klines": "klines",
    "ticker.24hr": "ticker/24hr",
    "ticker.price": "ticker/price",
    "ticker.book": "ticker/bookTicker",
}
SIGNED = {
    "order.place": ("POST", "order"),
    "order.test": ("POST", "order/test"),
    "order.cancel": ("DELETE", "order"),
    "order.status": ("GET", "order"),
    "openOrders.status": ("GET", "openOrders"),
    "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"),
    "myTrades": ("GET", "myTrades"),
    "account.status": ("GET", "account"),
}
"""The same requests as over HTTP, by the names they have here."""


class Call(msgspec.Struct):
    """One request over the socket."""

    method: str
    id: int | str | None = None
    params: dict[str, str | int | float | bool | None] | None = None


_decode = msgspec.json.Decoder(Call).decode
"""A frame that is no request is answered with -1000."""


class UserSockets:
    """Serves ``/ws-api/v3``."""

    def __init__(self, desk: Desk, hub: Hub, queue_bytes: int) -> None:
        self._desk, self._hub, self._queue_bytes = desk, hub, queue_bytes
        self._listening: dict[int, dict[Connection, int]] = {}
        self._subscriptions = 0

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One socket, from handshake to end."""
        from aiohttp import WSMsgType, web

        socket = web.WebSocketResponse(heartbeat=20.0, timeout=1.0, max_msg_size=2**20)
        await socket.prepare(request)
        connection = Connection(request, socket, self._queue_bytes, combined=False)
        connection.streams[USER_STREAM] = None
        self._hub.join(connection)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    answer = self._answer(connection, message.data, request.remote or "")
                    self._hub.deliver(connection, encode(answer).decode())
        finally:
            self._hub.leave(connection)
            for listeners in self._listening.values():
                listeners.pop(connection, None)
            await connection.close()
        return socket

    @property
    def subscribers(self) -> int:
        """Sockets that listen to a client's own events."""
        return sum(len(listeners) for listeners in self._listening.values())

    def on_order(
        self, order: Order, execution: str, fill: Fill | None, event_ms: int, venue: Venue
    ) -> None:
        listing = venue.markets[order.symbol].listing
        event = wire_orders.execution_event(
            listing, order, execution, fill, order.cancel_id, event_ms
        )
        self._send(order.account, event)

    def on_balances(self, account: Account, assets: Sequence[str], event_ms: int) -> None:
        self._send(account, wire_orders.position_event(account, assets, event_ms))

    def _send(self, account: Account, event: Mapping[str, Any]) -> None:
        listeners = self._listening.get(account.number)
        if not listeners or self._hub.withheld(USER_STREAM):
            return
        for connection, number in list(listeners.items()):
            frame = {"subscriptionId": number, "event": event}
            self._hub.deliver(connection, encode(frame).decode())

    def _answer(self, connection: Connection, text: str, address: str) -> Any:
        number: int | str | None = None
        try:
            call = _decode(text)
            number = call.id
            result = self._result(connection, call, address)
        except msgspec.MsgspecError as error:
            refusal = RefusalError(-1000, f"Invalid request: {error}")
        except RefusalError as error:
            refusal = error
        else:
            return {"id": number, "status": 200, "result": result, "rateLimits": []}
        return {"id": number, "status": refusal.status, "error": refusal.document}

    def _result(self, connection: Connection, call: Call, address: str) -> Any:
        given = {name: text_of(value) for name, value in (call.params or {}).items()}
        now = self._desk.catch_up()
        query = self._desk.query(given)
        if call.method in PUBLIC:
            return self._desk.public_answer(PUBLIC[call.method], query, address, now)[0]
        signed = SIGNED.get(call.method)
        if signed is not None:
            return self._desk.signed_answer(*signed, of_socket(given), query, address, now)[0]
        if call.method == "userDataStream.subscribe.signature":
            account = self._desk.account(of_socket(given), query, now)
            self._subscriptions += 1
            self._listening.setdefault(account.number, {})[connection] = self._subscriptions
            return {"subscriptionId": self._subscriptions}
        if call.method == "userDataStream.unsubscribe":
            for listeners in self._listening.values():
                listeners.pop(connection, None)
            return {}
        raise RefusalError(-1000, f"There is no method {call.method} here.")


def text_of(value: str | float | bool | None) -> str:
    """A parameter as the text that was signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
