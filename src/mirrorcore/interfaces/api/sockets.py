"""What every WebSocket of the server needs: to hear, to end, and to know who speaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from fastapi import WebSocket, WebSocketDisconnect


class LeftError(Exception):
    """The client closed the connection."""


async def heard(websocket: WebSocket) -> str | bytes:
    """The next message; LeftError where there is none any more."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise LeftError
    text: str | bytes | None = message.get("text")
    return text if text is not None else message.get("bytes") or b""


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """End it with a code and a reason."""
    # Whoever is gone already need not be told.
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await websocket.close(code, reason[:120])


def peer_of(websocket: WebSocket) -> Any:
    """Address and port of the other side."""
    return websocket.scope.get("client") or ("", 0)


def bearer_of(websocket: WebSocket) -> str:
    """The token of the handshake, empty where none was sent: a browser cannot."""
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class _Token(msgspec.Struct):
    token: str = ""


def token_of(message: str | bytes) -> str:
    """The token of a first message, empty where it has none."""
    try:
        return msgspec.json.decode(message, type=_Token).token
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
