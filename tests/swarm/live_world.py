"""A local exchange and local services in threads, and a configuration that trades on them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polled_servers

from mirrorcore.clock import SECOND
from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.exchange.config import ExchangeConfig
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.server import LocalExchange
from mirrorcore.journal import JournalReader, RunInfo
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.features import FeatureEngine
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import Record
from mirrorcore.swarm.driving import Attach
from mirrorcore.swarm.run import Run

SYMBOLS = ("BTC/USDT", "ETH/USDT")


@contextmanager
def served(faults: Sequence[Fault] = ()) -> Iterator[str]:
    """The address of a local exchange that lives in a thread."""
    up: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = []
    ready = threading.Event()

    async def serve() -> None:
        config = ExchangeConfig(
            symbols=SYMBOLS, speed=10.0, history=30 * SECOND, faults=tuple(faults)
        )
        async with LocalExchange(config) as exchange:
            over = asyncio.Event()
            up.append((asyncio.get_running_loop(), over, exchange.base_url))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield up[0][2]
    finally:
        if up:
            up[0][0].call_soon_threadsafe(up[0][1].set)
        thread.join()


def configured(folder: Path, url: str, **more: Any) -> RunConfig:
    settings = {
        "market.source": "exchange",
        "market.symbols": list(SYMBOLS),
        "market.timeframe": "1s",
        "exchange.url": url,
        "exchange.lateness": "200ms",
        "exchange.batch": "200ms",
        "paper.warmup": "20s",
        "storage.runs": str(folder),
        **more,
    }
    return load_config(None, {}, list(settings.items())).config


@contextmanager
def services(world: polled_servers.World) -> Iterator[str]:
    """The address of the services, which live in a thread."""
    up: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def serve() -> None:
        async with polled_servers.served(world):
            over = asyncio.Event()
            up.append((asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield world.base
    finally:
        if up:
            up[0][0].call_soon_threadsafe(up[0][1].set)
        thread.join()


def ended_when(enough: Callable[[Run], bool]) -> Attach:
    """Doors to a run by which it is ended after the first tick that has it ``enough``."""

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        def look() -> None:
            if enough(run):
                run.stop.set()

        run.control.on_change.append(look)
        yield

    return attach


def journalled(recorded: RunInfo) -> tuple[list[Record], CategorizedBlock]:
    """Everything that was read, and the last tick as it stood."""
    assembler = TickAssembler(SYMBOLS, units=recorded.identity["units"])
    engine = FeatureEngine(len(SYMBOLS), SECOND)
    with JournalReader(recorded.journal) as reader:
        ticks = [records for _, records in reader.bodies("input", list[Record])]
    blocks = [engine.update(assembler.block(records)) for records in ticks]
    return [one for records in ticks for one in records], blocks[-1]
