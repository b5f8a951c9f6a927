"""Whose word keeps a symbol from being traded on a live market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.config.model import VenueConfig
from mirrorcore.data_sources.live import Cursor, SourceSpec
from mirrorcore.data_sources.manager import DataSourceManager
from mirrorcore.market.bar_check import BarCounts
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.records import Bar, FeedRecord, Status, Trade
from mirrorcore.swarm.live_market import LiveMarket

State = Literal["live", "stale", "down", "halted", "diverged"]


class Quiet:
    """A source of which only the description matters here."""

    def __init__(self, name: str, kind: str) -> None:
        self.spec = SourceSpec(
            name=name,
            category="technical",
            kinds=(kind,),
            symbols=("A/B",),
            cadence_ns=SECOND,
            stale_after_ns=SECOND,
        )

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        raise AssertionError("nobody listens")
        yield

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        raise AssertionError("nobody asks")
        yield

    async def aclose(self) -> None: ...


def said(*told: tuple[str, State]) -> dict[int, str]:
    """Which symbols are halted after these sources have said this."""
    manager = DataSourceManager(
        {"price": [Quiet("one", "trade"), Quiet("two", "trade")], "macro": [Quiet("news", "text")]},
        time=VirtualClock(),
        rng=np.random.default_rng(1),
    )
    market = LiveMarket(
        manager, [undescribed("A/B")], SECOND, VenueConfig(), IntakeReport(), first=0
    )
    for source, state in told:
        market.heed(
            Status(
                source=source,
                symbol="A/B",
                ts_event=1,
                ts_recv=1,
                ts_avail=1,
                state=state,
                reason="",
            )
        )
    return dict(market.halted)


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ([("one", "live")], ""),
        ([("one", "stale")], "stale"),
        ([("one", "live"), ("two", "stale")], ""),
        ([("one", "down"), ("two", "stale")], "down"),
        ([("one", "down"), ("two", "live")], "down"),
        ([("one", "down"), ("news", "live")], "down"),
        ([("news", "stale")], ""),
        ([("one", "live"), ("price_check", "diverged")], "diverged"),
        ([("price_check", "diverged"), ("price_check", "live")], ""),
        ([("one", "stale"), ("price_check", "live")], "stale"),
        ([("one", "halted"), ("two", "live")], "halted"),
    ],
)
def test_who_brings_prices_and_who_compares_them_can_halt_a_symbol(
    told: list[Any], cause: str
) -> None:
    assert said(*told) == ({0: cause} if cause else {})


START = 1_700_000_000 * SECOND


def trade(number: int) -> Trade:
    """Four a second, each at its own price."""
    at = START + number * SECOND // 4
    return Trade(
        source="one", symbol="A/B", ts_event=at, ts_recv=at, ts_avail=at, seq=number,
        price=100.0 + number % 7, quantity=1.0 + number % 3, side="buy", trade_id=str(number),
    )  # fmt: skip


def candle(second: int, *, short: float = 0.0) -> Bar:
    """The venue's own of these trades; ``short`` of so much volume."""
    trades = [trade(number) for number in range(4 * second, 4 * second + 4) if number]
    prices = [one.price for one in trades]
    start = START + second * SECOND
    return Bar(
        source="candles", symbol="A/B", ts_event=start, ts_recv=start + SECOND,
        ts_avail=start + SECOND, open=prices[0], high=max(prices), low=min(prices),
        close=prices[-1], volume=sum(one.quantity for one in trades) - short,
    )  # fmt: skip


class Scripted(Quiet):
    """Brings each record when it becomes available."""

    def __init__(self, name: str, kind: str, time: VirtualClock, script: Sequence[Any]) -> None:
        super().__init__(name, kind)
        self._time = time
        self._script = script

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        for record in self._script:
            await asyncio.sleep(max(0, record.ts_recv - self._time.now()) / SECOND)
            yield record
        await asyncio.sleep(3600)


@pytest.mark.parametrize(("spoilt", "different"), [(None, 0), (4, 1)])
def test_own_bars_are_compared_with_the_candles_of_a_source(
    spoilt: int | None, different: int
) -> None:
    time = VirtualClock(START)
    loop = VirtualTimeLoop(time)
    candles = [candle(n, short=1.0 if n == spoilt else 0.0) for n in range(9)]

    async def main() -> BarCounts:
        manager = DataSourceManager(
            {
                "price": [
                    Scripted("one", "trade", time, [trade(n) for n in range(1, 60)]),
                    Scripted("candles", "bar", time, candles),
                ]
            },
            time=time,
            rng=np.random.default_rng(1),
        )
        market = LiveMarket(
            manager, [undescribed("A/B")], SECOND, VenueConfig(), IntakeReport(), first=0
        )
        async with manager:
            ticks = 0
            async for _ in market.ticks():
                ticks += 1
                if ticks == 8:
                    break
        assert not market.halted, "a source of candles halts nothing"
        return market.bar_counts

    try:
        counts = loop.run_until_complete(main())
    finally:
        loop.close()
    assert counts.compared >= 6
    assert (counts.different, counts.missing) == (different, 0)
