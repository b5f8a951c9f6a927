"""Several sources at once: one order, and a failing one hurts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from mirrorcore import clock
from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.data_sources import DataSourceManager
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.conversion import record_from_bar
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.merge import SeriesColumns, Timeline
from mirrorcore.market.records import Observation, Record

MINUTE = clock.MINUTE
START = 1_700_000_000 * clock.SECOND // MINUTE * MINUTE


def in_virtual_time(main: Callable[[], Awaitable[Any]]) -> tuple[Any, int]:
    virtual = VirtualClock(START)
    loop = VirtualTimeLoop(virtual)
    try:
        return loop.run_until_complete(main()), virtual.now() - START
    finally:
        loop.close()


class Service:
    """A source that answers after a while, or raises."""

    def __init__(
        self, name: str, answer: Sequence[Record] | Exception, seconds: float = 0.0
    ) -> None:
        self.name = name
        self.answer = answer
        self.seconds = seconds

    async def collect(self) -> Sequence[Record]:
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class History:
    """A history of bars of one symbol at given minutes."""

    def __init__(self, name: str, symbol: str, minutes: Sequence[int], fail_at: int = -1) -> None:
        self.name = name
        self.symbols = (symbol,)
        self.instruments: tuple[Instrument, ...] = (undescribed(symbol),)
        self.bar_ns = MINUTE
        self.verdicts = IntakeReport()
        bars = [
            record_from_bar(
                symbol, START + m * MINUTE, (1, 2, 0.5, 1 + m, 3), bar_ns=MINUTE, source=name
            )
            for m in minutes
        ]
        gas = SeriesColumns("onchain.gas", "*", np.array([START]), np.array([7.0]))
        self._timeline = Timeline(self.symbols, [BarColumns.of(bars)], [gas])
        self._fail_at = fail_at

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        for i, block in enumerate(self._timeline.blocks(start_tick, 1)):
            if i == self._fail_at:
                raise DataError(f"{self.name} is cut off")
            yield block

    def digest(self) -> str:
        return ""

    def ticks_total(self) -> int | None:
        return None


def seen(series: str, value: float, instant: int = START) -> Observation:
    return Observation(
        source="service",
        series=series,
        symbol="*",
        ts_event=instant,
        ts_recv=instant,
        ts_avail=instant,
        value=value,
    )


def test_sources_are_asked_in_parallel_and_come_out_by_category() -> None:
    price = record_from_bar("BTC/USDT", START, (1, 2, 0.5, 1.5, 3), bar_ns=MINUTE, source="price")
    manager = DataSourceManager(
        {
            "price": [Service("price", [price], 3.0)],
            "onchain": [Service("gas", [seen("onchain.gas", 30.0)], 3.0)],
            "social": [Service("mood", [seen("sentiment.score", 0.25)], 3.0)],
        }
    )
    data, elapsed = in_virtual_time(manager.collect_all_data)
    assert elapsed == 3 * clock.SECOND
    assert data["technical"]["BTC/USDT"]["close"] == 1.5
    assert data["onchain"]["BTC/USDT"] == {"gas": 30.0}
    assert data["sentiment"]["BTC/USDT"] == {"score": 0.25}
    assert not manager.last.failures


def test_a_source_that_raises_or_hangs_is_named_and_the_others_answer() -> None:
    manager = DataSourceManager(
        {
            "onchain": [
                Service("broken", RuntimeError("no route")),
                Service("hanging", [seen("onchain.flow", 1.0)], 3600.0),
                Service("good", [seen("onchain.gas", 30.0)]),
            ]
        },
        timeout_ns=5 * clock.SECOND,
    )
    collection, elapsed = in_virtual_time(manager.collect)
    assert [record.series for record in collection.records] == ["onchain.gas"]
    assert collection.failures == {
        "broken": "RuntimeError: no route",
        "hanging": "no answer within 5 s",
    }
    assert elapsed == 5 * clock.SECOND
    in_virtual_time(manager.collect)
    assert manager.failures == {"broken": 2, "hanging": 2, "good": 0}


def test_histories_keep_one_clock() -> None:
    manager = DataSourceManager(
        {"price": [History("a", "A/USD", [0, 1, 4]), History("b", "B/USD", [1, 2])]}
    )
    rounds = []
    for _ in range(5):
        collection, _ = in_virtual_time(manager.collect)
        rounds.append([(r.source, (r.ts_avail - START) // MINUTE) for r in collection.records])
    bars = [[one for one in group if one[1] > 0] for group in rounds]
    assert bars == [[("a", 1)], [("a", 2), ("b", 2)], [("b", 3)], [("a", 5)], []]
    # The gas price known before the first tick comes once, with each history's first tick.
    assert [[one for one in group if one[1] == 0] for group in rounds[:3]] == [
        [("a", 0)],
        [("b", 0)],
        [],
    ]


def test_a_history_that_breaks_off_is_named_once_and_the_other_goes_on() -> None:
    manager = DataSourceManager(
        {"price": [History("a", "A/USD", [0, 1], fail_at=1), History("b", "B/USD", [0, 1, 2])]}
    )
    failures, sources = [], []
    for _ in range(3):
        collection, _ = in_virtual_time(manager.collect)
        failures.append(dict(collection.failures))
        sources.append(sorted({r.source for r in collection.records}))
    assert failures == [{}, {"a": "DataError: a is cut off"}, {}]
    assert sources == [["a", "b"], ["b"], ["b"]]


def test_records_of_one_instant_keep_the_order_of_the_sources() -> None:
    manager = DataSourceManager(
        {
            "first": [Service("slow", [seen("macro.x", 1.0)], 2.0)],
            "second": [Service("fast", [seen("macro.x", 2.0), seen("macro.y", 0.0, START - 1)])],
        }
    )
    collection, _ = in_virtual_time(manager.collect)
    assert [record.value for record in collection.records] == [0.0, 1.0, 2.0]


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two sources are called x"):
        DataSourceManager({"a": [Service("x", [])], "b": [Service("x", [])]})
