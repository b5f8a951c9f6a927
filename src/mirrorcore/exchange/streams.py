"""Market streams over WebSocket: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.exchange.hub import MOST_STREAMS, Connection, Hub, encode

if TYPE_CHECKING:
    from aiohttp import web


class Command(msgspec.Struct):
    """What a client says. Names of streams are not judged: the venue takes any, too."""

    method: str
    id: int | str | None = None
    params: list[str] | None = None


_decode = msgspec.json.Decoder(Command).decode


class StreamSockets:
    """Serves the sockets of market streams."""

    def __init__(self, hub: Hub, queue_bytes: int) -> None:
        self._hub, self._queue_bytes = hub, queue_bytes

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One socket, from handshake to end."""
        from aiohttp import WSMsgType, web

        socket = web.WebSocketResponse(heartbeat=20.0, timeout=1.0, max_msg_size=2**20)
        await socket.prepare(request)
        combined = "streams" in request.query
        connection = Connection(request, socket, self._queue_bytes, combined)
        self._hub.join(connection)
        try:
            for stream in _named(request):
                self._hub.subscribe(connection, stream)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._hub.deliver(
                        connection, encode(self._answer(connection, message.data)).decode()
                    )
        finally:
            self._hub.leave(connection)
            await connection.close()
        return socket

    def _answer(self, connection: Connection, text: str) -> Any:
        try:
            command = _decode(text)
        except msgspec.MsgspecError as error:
            return _error(2, f"Invalid request: {error}", None)
        streams = command.params or []
        if command.method == "SUBSCRIBE":
            if len({*connection.streams, *streams}) > MOST_STREAMS:
                return _error(2, f"Invalid request: more than {MOST_STREAMS} streams", command.id)
            for stream in streams:
                self._hub.subscribe(connection, stream)
            return {"result": None, "id": command.id}
        if command.method == "UNSUBSCRIBE":
            for stream in streams:
                self._hub.unsubscribe(connection, stream)
            return {"result": None, "id": command.id}
        if command.method == "LIST_SUBSCRIPTIONS":
            return {"result": list(connection.streams), "id": command.id}
        return _error(2, f"Invalid request: unknown variant `{command.method}`", command.id)


def _named(request: web.Request) -> list[str]:
    """Streams that the address itself names: ``/ws/a/b`` or ``/stream?streams=a/b``.

    ccxt ends its addresses with a number of its own, which names nothing.
    """
    if "streams" in request.query:
        named = request.query["streams"]
    else:
        named = request.match_info.get("streams", "")
    return [name for name in named.split("/") if "@" in name]


def _error(code: int, message: str, number: int | str | None) -> dict[str, Any]:
    return {"error": {"code": code, "msg": message}, "id": number}
