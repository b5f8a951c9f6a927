"""HTTP: one address space under ``/api/v3``, its faults and its refusals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from mirrorcore.exchange.authentication import of_http
from mirrorcore.exchange.desk import Desk, unknown
from mirrorcore.exchange.faults import Fault, Faults
from mirrorcore.exchange.hub import encode
from mirrorcore.exchange.refusals import RefusalError, too_many_requests

if TYPE_CHECKING:
    from aiohttp import web

PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


class Rest:
    """Answers HTTP requests."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk, self._faults = desk, faults
        self.requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        from aiohttp import web

        self.requests += 1
        path = request.match_info["path"]
        fault = self._faults.of_request(path)
        if fault is not None and fault.kind == "html":
            return web.Response(text=PAGE, content_type="text/html")
        try:
            if fault is not None:
                await _suffer(fault)
            document, used = await self._answer(request, path)
        except RefusalError as refusal:
            headers = {}
            if refusal.retry_after is not None:
                headers["Retry-After"] = str(refusal.retry_after)
            return _json(refusal.document, refusal.status, headers)
        return _json(document, 200, {"X-MBX-USED-WEIGHT-1M": str(used)})

    async def _answer(self, request: web.Request, path: str) -> tuple[Any, int]:
        desk, address = self._desk, request.remote or ""
        body = await request.text()
        now = desk.catch_up()
        if desk.is_public(request.method, path):
            return desk.public_answer(path, desk.query(request.query), address, now)
        if desk.is_signed(request.method, path):
            query = desk.query({**request.query, **dict(parse_qsl(body))})
            key = request.headers.get("X-MBX-APIKEY")
            signed = of_http(key, request.raw_path.partition("?")[2], body)
            return desk.signed_answer(request.method, path, signed, query, address, now)
        raise unknown(request.method, path)


async def _suffer(fault: Fault) -> None:
    if fault.kind == "rate_limit":
        raise too_many_requests(fault.retry_after)
    await asyncio.sleep(fault.delay)


def _json(document: Any, status: int, headers: dict[str, str]) -> web.Response:
    from aiohttp import web

    return web.Response(
        body=encode(document), status=status, headers=headers, content_type="application/json"
    )
