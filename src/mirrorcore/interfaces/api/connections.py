"""How many connections there may be, and how long one may be there without a token.

Newcomers are never turned away: of too many connections the one that has gone without a token for
longest is closed. So a thousand idle connections keep nobody from the stop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST = 256
"""Connections at once; with the sockets of a run far below what a process may have open."""

STRANGER_SECONDS = 15.0
"""How long a connection may be there without having shown a token."""


class Connections:
    """The open HTTP connections of a server; used in its loop alone."""

    def __init__(self, most: int = MOST, seconds: float = STRANGER_SECONDS) -> None:
        self.closed = 0
        """Connections that were closed to make room or for want of a token."""
        self._most = most
        self._seconds = seconds
        self._open: OrderedDict[Any, asyncio.Transport] = OrderedDict()
        self._known: dict[Any, None] = {}
        self._timers: dict[Any, asyncio.TimerHandle] = {}
        self._sockets: dict[Any, asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._open)

    def entered(self, client: Any, transport: asyncio.Transport) -> None:
        """A connection from ``client`` (address and port) was made."""
        self.left(client)
        self._open[client] = transport
        loop = asyncio.get_running_loop()
        self._timers[client] = loop.call_later(self._seconds, self._too_long, client)
        if len(self._open) > self._most:
            oldest = next((one for one in self._open if one not in self._known), None)
            self._close(next(iter(self._open)) if oldest is None else oldest)

    def proved(self, client: Any) -> None:
        """A request on this connection had a valid token."""
        if client in self._open and client not in self._known:
            self._known[client] = None
            self._timers.pop(client).cancel()

    def left(self, client: Any) -> None:
        """The connection has ended, or is a WebSocket from here on."""
        self._open.pop(client, None)
        self._known.pop(client, None)
        timer = self._timers.pop(client, None)
        if timer is not None:
            timer.cancel()

    def upgraded(self, client: Any, transport: asyncio.Transport) -> None:
        """The connection is a WebSocket from here on; whoever accepts it counts it."""
        self._sockets[client] = transport

    def hung_up(self, client: Any) -> None:
        """A WebSocket has ended."""
        self._sockets.pop(client, None)

    def abort(self, client: Any) -> None:
        """End a WebSocket at once, whatever its client has not read."""
        transport = self._sockets.pop(client, None)
        if transport is not None:
            self.closed += 1
            transport.abort()

    def _too_long(self, client: Any) -> None:
        if client in self._open:
            self._close(client)

    def _close(self, client: Any) -> None:
        transport = self._open[client]
        self.left(client)
        self.closed += 1
        transport.abort()  # what is still to be sent to a stranger need not arrive


def http_protocol(connections: Connections) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, with every connection entered in ``connections``."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Counted(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connections.entered(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.left(self.client)
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: Any) -> None:
            connections.left(self.client)
            super().handle_websocket_upgrade(event)

    return Counted


def socket_protocol(connections: Connections) -> type[WebSocketsSansIOProtocol]:
    """uvicorn's WebSocket protocol, likewise."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class Counted(WebSocketsSansIOProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connections.upgraded(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.hung_up(self.client)
            super().connection_lost(exc)

    return Counted
