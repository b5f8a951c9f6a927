"""The first to see a request and the last to see an answer, whatever route it belongs to.

Judges Host, Origin, content type and size; puts the security headers on every answer; turns an
error nobody foresaw into a plain 500.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mirrorcore.interfaces.api.origins import Names
from mirrorcore.interfaces.api.problems import MEDIA_TYPE, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Refused = Callable[[str, Problem, str], None]
"""Told of each refusal: address of the client, what was wrong, path that was asked for."""

Failed = Callable[[BaseException], None]
"""Told of an error nobody foresaw."""

MOST_BYTES = 64 * 1024
"""Of a request's body; the largest command is far below."""

BODY_SECONDS = 5.0
"""How long a body may take to arrive."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_NO_STORE = "no-store"
_JSON = "application/json"


class Guard:
    """ASGI middleware around the whole application.

    ``takes`` says whether some address takes this request by path and method. One that none takes
    gets its 404 or 405 from the application, whatever its body is said to be.
    """

    def __init__(
        self,
        app: App,
        names: Names,
        refused: Refused,
        failed: Failed,
        takes: Callable[[Scope], bool] = lambda _: True,
    ) -> None:
        self._app = app
        self._takes = takes
        self._names = names
        self._refused = refused
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            self._judge(scope)
            body = await _body(scope, receive) if scope["type"] == "http" else None
            await self._app(scope, receive if body is None else _given(body, receive), answer.send)
        except Problem as problem:
            self._refused(_address(scope), problem, scope["path"])
            await answer.refuse(problem, receive)
        except _GoneError:
            return  # half a request is no request, and nobody is there to be told
        except Exception as error:
            self._failed(error)
            await answer.refuse(_defect(), receive)

    def _judge(self, scope: Scope) -> None:
        self._names.check(
            _headers(scope, b"host"),
            _headers(scope, b"origin"),
            "".join(_headers(scope, b"sec-fetch-site")[:1]).lower(),
            navigates=_navigates(scope),
        )
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return
        kinds = _headers(scope, b"content-type")
        is_json = len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == _JSON
        if not is_json and self._takes(scope):
            raise Problem(
                415,
                "wrong_content_type",
                "only JSON is taken",
                hint="send the header Content-Type: application/json",
            )


class _GoneError(Exception):
    """The client left before its request was complete."""


def _defect() -> Problem:
    return Problem(500, "defect", "this is a defect of ours; nothing more is said about it here")


def _too_large() -> Problem:
    return Problem(413, "too_large", f"a body may have {MOST_BYTES:,} bytes")


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, within its limits of size and time."""
    declared = _headers(scope, b"content-length")
    if declared and declared[0].isdigit() and int(declared[0][:20]) > MOST_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError
                parts.append(message.get("body", b""))
                more = message.get("more_body", False)
                size += len(parts[-1])
                if size > MOST_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise Problem(
            408, "too_slow", f"the request did not arrive within {BODY_SECONDS:g} s"
        ) from None
    return b"".join(parts)


def _given(body: bytes, receive: Receive) -> Receive:
    """Hands out a body that was read before, then goes on as ``receive``."""
    handed = False

    async def again() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Answer:
    """What is sent back for one request."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._begun = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            message = {**message, "headers": _with_ours(message.get("headers", ()))}
        self._begun = self._begun or not kind.endswith("response.body")
        await self._send(message)

    async def refuse(self, problem: Problem, receive: Receive) -> None:
        """Answer with a problem, or where an answer has begun, end the connection."""
        if self._begun:
            if self._scope["type"] == "websocket":
                await self._send({"type": "websocket.close", "code": 1011})
            return
        prefix = "http" if self._scope["type"] == "http" else "websocket.http"
        if prefix == "websocket.http":
            await receive()  # the connect message, which a refusal answers
        body = problem.body()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *((key.lower().encode(), value.encode()) for key, value in problem.headers.items()),
        ]
        if problem.status in {408, 413}:
            headers.append((b"connection", b"close"))  # the rest of the body is not waited for
        await self.send(
            {"type": f"{prefix}.response.start", "status": problem.status, "headers": headers}
        )
        await self._send({"type": f"{prefix}.response.body", "body": body})


def _with_ours(headers: Any) -> list[tuple[bytes, bytes]]:
    found = list(headers)
    there = {key.lower() for key, _ in found}
    ours = {**HEADERS, "Cache-Control": _NO_STORE}
    found += [
        (key.lower().encode(), value.encode())
        for key, value in ours.items()
        if key.lower().encode() not in there
    ]
    return found


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _navigates(scope: Scope) -> bool:
    mode = "".join(_headers(scope, b"sec-fetch-mode"))
    return scope["type"] == "http" and scope["method"] == "GET" and mode == "navigate"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
