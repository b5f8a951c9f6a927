"""A provider between a source and a real machine, with what providers do wrong.

Questions are passed on as they are, unless the next fault says otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

Fault = Callable[[web.Request, dict[str, Any]], web.StreamResponse]


@dataclass
class Provider:
    """``faults`` answer the next questions of a method, in turn; ``most_blocks`` limits ranges."""

    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    most_blocks: int = 10**9
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    address: str = ""

    def fail(self, method: str, *faults: Fault) -> None:
        self.faults.setdefault(method, deque()).extend(faults)


def dropped(request: web.Request, question: dict[str, Any]) -> web.StreamResponse:
    """The connection ends in the middle of the question."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def busy(request: web.Request, question: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=429, headers={"Retry-After": "7"})


def forbidden(request: web.Request, question: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=401)


def page(request: web.Request, question: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="<html>maintenance</html>", content_type="text/html")


def answers(result: Any) -> Fault:
    """Another result than the machine's."""
    return lambda request, question: web.json_response(
        {"jsonrpc": "2.0", "id": question["id"], "result": result}
    )


def refuses(code: int, message: str) -> Fault:
    """An error within the answer."""
    return lambda request, question: web.json_response(
        {"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": message}}
    )


@asynccontextmanager
async def provided(machine: str, provider: Provider) -> AsyncIterator[Provider]:
    """The provider on a port of its own; ``provider.address`` holds a key in its path."""
    async with ClientSession() as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            question = await request.json()
            method = question["method"]
            provider.asked.append(method)
            waiting = provider.faults.get(method)
            if waiting:
                return waiting.popleft()(request, question)
            if method == "eth_getLogs" and _blocks(question) > provider.most_blocks:
                provider.refused += 1
                message = f"You can make eth_getLogs requests with up to a {provider.most_blocks}"
                return refuses(-32600, f"{message} block range.")(request, question)
            async with session.post(machine, json=question) as answer:
                return web.json_response(await answer.json())

        app = web.Application()
        app.router.add_post("/v3/{key}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            provider.address = f"http://{host}:{port}/v3/0123456789abcdef"
            yield provider
        finally:
            await runner.cleanup()


def _blocks(question: dict[str, Any]) -> int:
    asked = question["params"][0]
    if "blockHash" in asked:
        return 1
    return int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1
