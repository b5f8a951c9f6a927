"""A local exchange on a thread and loop of its own, for commands that run loops themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mirrorcore.exchange.config import ExchangeConfig
from mirrorcore.exchange.server import LocalExchange


class Served:
    """A started exchange; ``url`` is where it is, ``do`` runs something on its own loop."""

    def __init__(self, exchange: LocalExchange, loop: asyncio.AbstractEventLoop) -> None:
        self.exchange = exchange
        self._loop = loop
        self.url = exchange.url.removesuffix("/api/v3")

    def do(self, call: Any, *arguments: Any) -> Any:
        async def within() -> Any:
            return call(*arguments)

        return asyncio.run_coroutine_threadsafe(within(), self._loop).result(10)


@contextmanager
def served_exchange(**config: Any) -> Iterator[Served]:
    """An exchange that lives by the wall clock until the block ends."""
    started, served, failed = threading.Event(), [], []
    stop: list[asyncio.Event] = []

    async def serve() -> None:
        exchange = LocalExchange(ExchangeConfig(**config))
        stop.append(asyncio.Event())
        async with exchange:
            served.append(Served(exchange, asyncio.get_running_loop()))
            started.set()
            living = asyncio.create_task(exchange.serve())
            await stop[0].wait()
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(20)
    assert not failed, failed
    try:
        yield served[0]
    finally:
        served[0].do(stop[0].set)
        thread.join(20)
    assert not failed, failed
