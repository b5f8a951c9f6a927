"""Scripted sources in virtual time, for the tests of what runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from mirrorcore import clock
from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.data_sources.live import Cursor, SourceError, SourceSpec
from mirrorcore.market.records import FeedRecord, Quote, Trade

START = 1_700_000_000 * SECOND // clock.MINUTE * clock.MINUTE
BTC = "BTC/USDT"


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def in_virtual_time(main: Callable[[VirtualClock], Awaitable[Any]]) -> Any:
    virtual = VirtualClock(START)
    loop = VirtualTimeLoop(virtual)
    try:
        return loop.run_until_complete(main(virtual))
    finally:
        loop.close()


def spec(name: str = "venue", **changes: Any) -> SourceSpec:
    settings: dict[str, Any] = {
        "category": "technical",
        "kinds": ("trade", "quote"),
        "symbols": (BTC,),
        "cadence_ns": SECOND,
        "stale_after_ns": 10 * SECOND,
        "contiguous": ("trade",),
    }
    return SourceSpec(name=name, **(settings | changes))


def trade(
    number: int,
    at: int,
    *,
    received: int | None = None,
    symbol: str = BTC,
    price: float = 100.0,
    source: str = "venue",
    **more: Any,
) -> Trade:
    """Trade ``number`` that happened at ``at`` ns after START."""
    received = at if received is None else received
    return Trade(
        source=source,
        symbol=symbol,
        ts_event=START + at,
        ts_recv=START + received,
        ts_avail=START + received,
        seq=number,
        price=price,
        quantity=1.0,
        trade_id=str(number) if number else "",
        **more,
    )


def quote(at: int, bid: float, *, source: str = "venue", symbol: str = BTC) -> Quote:
    return Quote(
        source=source,
        symbol=symbol,
        ts_event=START + at,
        ts_recv=START + at,
        ts_avail=START + at,
        bid=bid,
        ask=bid,
        bid_size=1.0,
        ask_size=1.0,
    )


class Tape:
    """A venue whose trade ``n`` happens n seconds after START and is sent at once.

    ``outages`` are (from, to) in seconds in which no connection lives; ``skips`` are trades it
    forgets to send. ``sick`` is how many backfills fail before one answers. Trades of a connection
    begin ``late`` seconds after it stands and has sent a quote; those of before are not sent.
    """

    def __init__(
        self,
        time: VirtualClock,
        *,
        outages: Sequence[tuple[float, float]] = (),
        skips: Sequence[int] = (),
        sick: int = 0,
        replay: int = 0,
        late: float = 0.0,
        trades: int = 100,
        **changes: Any,
    ) -> None:
        self.spec = spec(**changes)
        self.closed = False
        self.asked: list[tuple[int, int]] = []
        self._time = time
        self._outages = outages
        self._skips = frozenset(skips)
        self._sick = sick
        self._replay = replay
        self._late = late
        self._trades = trades

    def _elapsed(self) -> float:
        return (self._time.now() - START) / SECOND

    def _down(self) -> bool:
        return any(start <= self._elapsed() < end for start, end in self._outages)

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        if self._down():
            raise SourceError("no route")
        first = min(int(self._elapsed()), self._trades) + 1
        now = self._time.now() - START
        if self._late:
            yield quote(now, 99.0)
            first += round(self._late) if since else 0
        for number in range(max(1, first - self._replay) if since else first, first):
            yield trade(number, number * SECOND, received=now)
        for number in range(first, self._trades + 1):
            while (wait := number - self._elapsed()) > 0:
                nearest = min(
                    [wait, *(s - self._elapsed() for s, _ in self._outages if s > self._elapsed())]
                )
                await asyncio.sleep(nearest)
                if self._down():
                    raise SourceError("the socket broke")
            if number not in self._skips:
                yield trade(number, number * SECOND)
        await asyncio.sleep(3600)

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        self.asked.append((start - START, end - START))
        await asyncio.sleep(0.2)
        if self._sick > 0:
            self._sick -= 1
            raise SourceError("too many requests", retry_after_ns=SECOND, case="rate_limited")
        now = self._time.now() - START
        for number in range(1, self._trades + 1):
            happened = number * SECOND
            if START + happened < end and happened <= now and START + happened >= start:
                yield trade(number, happened, received=now)

    async def aclose(self) -> None:
        self.closed = True
