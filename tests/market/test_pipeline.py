"""The guide's pipeline: validate, number the tick, broadcast; market data is not agent state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mirrorcore import clock
from mirrorcore.errors import UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.pipeline import DataPipeline
from mirrorcore.market.validator import Case, MarketDataProcessor

MINUTE = clock.MINUTE
START = 1_700_000_000 * clock.SECOND // MINUTE * MINUTE
BTC, ETH = "BTC/USDT", "ETH/USDT"


class RecordingBus:
    def __init__(self) -> None:
        self.states: list[Mapping[str, Any]] = []

    async def broadcast_market_update(self, market_state: Mapping[str, Any]) -> None:
        self.states.append(market_state)


def raw(minute: int, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "symbol": BTC,
        "source": "binance",
        "ts": START + minute * MINUTE,
        "ts_avail": START + (minute + 1) * MINUTE,
        "open": 100,
        "high": 102,
        "low": 99,
        "close": 101,
        "volume": 5,
    }
    return {**fields, **changes}


def process(pipeline: DataPipeline, *ticks: Any) -> None:
    async def run() -> None:
        for tick in ticks:
            await pipeline.process_tick(tick)

    asyncio.run(run())


def test_a_pipeline_made_as_in_the_guide_broadcasts_numbered_market_states() -> None:
    bus = RecordingBus()
    pipeline = DataPipeline(bus)
    onchain = {"source": "chain", "series": "onchain.gas", "ts": START + MINUTE, "value": "31.5"}
    process(pipeline, [raw(0), onchain], raw(1))
    assert [state["tick_id"] for state in bus.states] == [0, 1]
    first = bus.states[0]
    assert first["timestamp"] == START + MINUTE
    assert first["data_sources"] == ("binance", "chain")
    assert first["market_data"]["technical"][BTC]["close"] == 101.0
    assert first["market_data"]["onchain"][BTC] == {"gas": 31.5}
    assert sorted(first["market_data"]) == sorted(
        ["technical", "fundamental", "sentiment", "risk", "onchain", "macro"]
    )
    assert pipeline.tick_counter == 2


def test_nobody_can_write_into_a_market_state() -> None:
    bus = RecordingBus()
    process(DataPipeline(bus), raw(0))
    (state,) = bus.states
    for mapping in (state, state["market_data"], state["market_data"]["technical"][BTC]):
        with pytest.raises(TypeError):
            mapping["tick_id"] = 9


def test_rejected_data_reaches_no_agent() -> None:
    bus = RecordingBus()
    pipeline = DataPipeline(bus)
    process(pipeline, raw(0, close=-1), raw(1))
    assert [state["tick_id"] for state in bus.states] == [0]
    assert bus.states[0]["timestamp"] == START + 2 * MINUTE
    counts = pipeline.market_processor.report.counts
    assert counts["binance", Case.PRICE_NOT_POSITIVE] == 1


def test_with_symbols_a_view_of_the_block_is_broadcast() -> None:
    bus, seen = RecordingBus(), []

    def view(block: MarketBlock) -> object:
        seen.append(block)
        return {"rows": len(block)}

    instruments = [undescribed(BTC), undescribed(ETH)]
    pipeline = DataPipeline(
        bus,
        processor=MarketDataProcessor(instruments, MINUTE),
        symbols=(BTC, ETH),
        view=view,
        first_tick=7,
    )
    process(pipeline, [raw(0), raw(0, symbol=ETH, close=100.5)], [raw(1)])
    assert [state["market_data"] for state in bus.states] == [{"rows": 1}] * 2
    assert [block.index for block in seen] == [7, 8]
    assert seen[0].close.tolist() == [[101.0, 100.5]]
    assert seen[1].present.tolist() == [[True, False]]
    assert np.isnan(seen[1].close[0, 1])


def test_a_tick_of_live_records_becomes_a_block_of_one() -> None:
    pipeline = DataPipeline(RecordingBus(), symbols=(BTC,))
    block = pipeline.block([raw(0)])
    assert (len(block), block.ts[0], block.open_ts[0, 0]) == (1, START + MINUTE, START)


def test_a_block_without_symbols_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="needs the run's symbols"):
        DataPipeline(RecordingBus()).block([raw(0)])
    with pytest.raises(UsageError, match="needs the run's symbols"):
        DataPipeline(RecordingBus(), view=len)
