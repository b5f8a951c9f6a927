"""What every address needs: its query, its caller, its answer."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from fastapi import Request, Response, WebSocket

from mirrorcore.interfaces.api.command_routes import ORIGINS
from mirrorcore.interfaces.api.guide_status import MOST
from mirrorcore.interfaces.api.problems import MEDIA_TYPE, Problem, encode


async def no_socket(_: WebSocket) -> None:
    """There is no WebSocket at this address."""
    raise Problem(404, "not_found", "there is no such socket", hint="/api/v1/live is one")


def not_found(_request: Request, _error: Any) -> Response:
    """There is nothing at this address."""
    return refusal(
        Problem(404, "not_found", "there is nothing at this address", hint="docs/api.md lists them")
    )


def not_allowed(_request: Request, error: Any) -> Response:
    """There is, but not for this method."""
    allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    return refusal(
        Problem(
            405,
            "method_not_allowed",
            "this address does not take that method",
            headers={"Allow": allow},
        )
    )


def refusal(problem: Problem) -> Response:
    """A problem as an answer."""
    return answer(
        problem.body(), kind=MEDIA_TYPE, status=problem.status, headers=dict(problem.headers)
    )


def document(document: Any, status: int = 200) -> Response:
    """A JSON document as an answer."""
    return answer(encode(document), status=status)


def answer(
    body: bytes,
    *,
    kind: str = "application/json",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """Bytes as an answer."""
    return Response(body, status, headers, media_type=kind)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def origin_of(request: Request) -> str:
    """Which door a caller says it is; for the record alone, nothing is decided by it."""
    said = request.headers.get("x-mirrorcore-door", "")
    if said in ORIGINS:
        return said
    return "web" if "origin" in request.headers else "http"


def query_of(request: Request, *known: str) -> dict[str, str]:
    """The query, each parameter once and known; Problem bad_args for others."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known or name in found:
            raise Problem(
                400,
                "bad_args",
                "the query has a parameter that is not known here, or twice",
                hint="known: " + ", ".join(known),
            )
        found[name] = value
    return found


def limit_of(text: str) -> int:
    """``limit`` of a query."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:8]) <= MOST or len(text) > 8:
        raise Problem(400, "bad_args", f"limit must be a whole number from 1 to {MOST:,}")
    return int(text)


def tags_of(request: Request) -> list[str]:
    """The tags a client has already, of If-None-Match."""
    told = request.headers.get("if-none-match", "")
    return [part.strip().removeprefix("W/") for part in told.split(",")]


def digest_of(body: bytes) -> str:
    """Names a content."""
    return blake2b(body, digest_size=8).hexdigest()
