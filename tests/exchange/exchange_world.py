"""An exchange on a virtual clock, and the real ccxt client that talks to it over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from mirrorcore.clock import MILLISECOND, VirtualClock, wall_now
from mirrorcore.exchange.config import Client, ExchangeConfig
from mirrorcore.exchange.server import LocalExchange, ccxt_urls

BTC = "BTC/USDT"
KEY = Client()
SHORT = 20_000 * MILLISECOND
AHEAD = 4_000 * MILLISECOND


def run(what: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; one that hangs fails after half a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await what

    asyncio.run(bounded())


def configured(**changes: Any) -> ExchangeConfig:
    """One symbol and twenty seconds of history, unless said otherwise."""
    return ExchangeConfig(**{"symbols": (BTC,), "history": SHORT, **changes})


@asynccontextmanager
async def exchange(**changes: Any) -> AsyncIterator[LocalExchange]:
    """A started exchange whose time moves only when it is told to.

    It begins a little ahead of the wall: requests are signed by the wall's time, which goes on
    while a busy machine has others to serve, and one from the future is refused.
    """
    found = LocalExchange(configured(**changes), VirtualClock(wall_now() + AHEAD))
    async with found:
        yield found


@asynccontextmanager
async def client(
    server: LocalExchange, *, key: Client | None = None, loaded: bool = True, **options: Any
) -> AsyncIterator[Any]:
    """The unmodified client, its markets loaded."""
    import ccxt.pro

    given = ccxt_urls(server)
    given["options"].update(options)
    if key is not None:
        given |= {"apiKey": key.key, "secret": key.secret}
    found = ccxt.pro.binance({**given, "enableRateLimit": False})
    try:
        if loaded:
            await found.load_markets()
        yield found
    finally:
        await found.close()


async def while_time_passes(
    server: LocalExchange, wanted: Awaitable[Any], step: int = 100 * MILLISECOND
) -> Any:
    """Await something while market time goes on, a step at each turn of the loop."""
    task = asyncio.ensure_future(wanted)
    while not task.done():
        await server.advance(step)
        await asyncio.wait([task], timeout=0.002)
    return task.result()


async def until(server: LocalExchange, holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds, without market time passing."""
    while not holds():
        await asyncio.sleep(0.001)
