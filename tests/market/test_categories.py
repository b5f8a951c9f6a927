"""The six categories: rows, the guide's mapping with freshness, and the guide's categoriser."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from feature_markets import BAR, market

from mirrorcore.errors import DataError
from mirrorcore.market.block import Series
from mirrorcore.market.categories import CategorizedBlock, DataCategorizer, split_series
from mirrorcore.market.features import FeatureEngine
from mirrorcore.market.records import CATEGORIES, Bar, GapRecord, Observation, Record

SYMBOLS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture
def block() -> CategorizedBlock:
    plain = market(40, 2, seed=3)
    present = plain.present.copy()
    present[38:, 1] = False
    value = np.where(np.arange(40)[:, np.newaxis] < 5, np.nan, 12.5) * np.ones((1, 2))
    known = np.where(np.isnan(value), 0, int(plain.ts[5]))
    series = {"sentiment.fear_greed": Series(value, known)}
    return FeatureEngine(2, BAR).update(replace(plain, present=present, series=series))


def test_a_row_is_a_block_of_one_that_copies_nothing(block: CategorizedBlock) -> None:
    row = block.row(17)
    assert len(row) == 1
    assert row.market.ts[0] == block.market.ts[17]
    for category, columns in block.values.items():
        for name, values in columns.items():
            assert np.shares_memory(row.values[category][name], values)
            assert np.array_equal(row.values[category][name], values[17:18], equal_nan=True)
            assert row.known_at[category][name][0, 0] == block.known_at[category][name][17, 0]


def test_a_view_is_the_mapping_of_the_guide(block: CategorizedBlock) -> None:
    view = block.view(39, SYMBOLS, ("technical", "sentiment", "performance"))
    assert list(view) == ["technical", "sentiment"]
    assert list(view["technical"]) == list(SYMBOLS)
    bitcoin = view["technical"]["BTC/USDT"]
    assert bitcoin["close"] == block.market.close[39, 0]
    assert math.isnan(bitcoin["ema_96"])
    assert dict(bitcoin).keys() == block.values["technical"].keys()
    assert view["sentiment"]["ETH/USDT"]["fear_greed"] == 12.5
    assert repr(view["sentiment"]["ETH/USDT"]) == "{'fear_greed': 12.5}"
    assert len(view["sentiment"]["ETH/USDT"]) == 1
    with pytest.raises(KeyError, match="nonsense"):
        bitcoin["nonsense"]


def test_a_view_cannot_be_written(block: CategorizedBlock) -> None:
    view = block.view(39, SYMBOLS)
    assert tuple(view) == CATEGORIES
    with pytest.raises(TypeError):
        view["technical"] = {}  # type: ignore[index]
    with pytest.raises(TypeError):
        view["technical"]["BTC/USDT"] = {}  # type: ignore[index]
    with pytest.raises(TypeError):
        view["technical"]["BTC/USDT"]["close"] = 1.0  # type: ignore[index]


def test_age_is_the_time_since_the_newest_record(block: CategorizedBlock) -> None:
    view = block.view(39, SYMBOLS)
    assert view["technical"]["BTC/USDT"].age_ns("close") == 0
    assert view["technical"]["ETH/USDT"].age_ns("close") == 2 * BAR
    assert view["sentiment"]["ETH/USDT"].age_ns("fear_greed") == 34 * BAR
    assert block.view(3, SYMBOLS)["sentiment"]["ETH/USDT"].age_ns("fear_greed") is None


def test_the_categoriser_gives_the_newest_tick_of_a_block(block: CategorizedBlock) -> None:
    found = DataCategorizer(SYMBOLS).process(block)
    assert tuple(found) == CATEGORIES
    assert found["technical"]["BTC/USDT"]["close"] == block.market.close[39, 0]
    assert found["sentiment"]["BTC/USDT"] == {"fear_greed": 12.5}
    assert found["macro"] == {"BTC/USDT": {}, "ETH/USDT": {}}
    assert (
        DataCategorizer(SYMBOLS).process(block.row(3))["technical"]["BTC/USDT"]["close"]
        == (block.market.close[3, 0])
    )


def test_the_categoriser_gives_the_bar_of_a_market_block(block: CategorizedBlock) -> None:
    found = DataCategorizer(SYMBOLS).process(block.market.rows(0, 30))
    assert found["technical"]["ETH/USDT"] == {
        name: getattr(block.market, name)[29, 1]
        for name in ("open", "high", "low", "close", "volume")
    }
    assert found["sentiment"]["ETH/USDT"] == {"fear_greed": 12.5}
    assert found["onchain"]["ETH/USDT"] == {}


def bar(symbol: str, ts: int, close: float) -> Bar:
    return Bar(
        source="s",
        symbol=symbol,
        ts_event=ts - BAR,
        ts_recv=ts,
        ts_avail=ts,
        open=1.0,
        high=9.0,
        low=1.0,
        close=close,
        volume=3.0,
    )


def observation(series: str, symbol: str, ts: int, value: float | None) -> Observation:
    return Observation(
        source="o", series=series, symbol=symbol, ts_event=ts, ts_recv=ts, ts_avail=ts, value=value
    )


def test_the_categoriser_takes_what_sources_collected() -> None:
    collected: list[list[Record]] = [
        [bar("BTC/USDT", 2 * BAR, 5.0), bar("BTC/USDT", BAR, 4.0), bar("ETH/USDT", BAR, 2.0)],
        [
            observation("onchain.whale_flow", "BTC/USDT", BAR, -2.5),
            observation("sentiment.fear_greed", "*", BAR, 40.0),
            observation("macro.surprise", "*", BAR, None),
        ],
        [
            GapRecord(
                source="s", symbol="BTC/USDT", ts_event=1, ts_recv=1, ts_avail=1, start=0, end=1,
                reason="missing",
            )
        ],
    ]  # fmt: skip
    found = DataCategorizer().process(collected)
    assert tuple(found) == CATEGORIES
    assert found["technical"]["BTC/USDT"]["close"] == 5.0
    assert found["technical"]["ETH/USDT"]["close"] == 2.0
    assert found["onchain"] == {"BTC/USDT": {"whale_flow": -2.5}, "ETH/USDT": {}}
    assert found["sentiment"]["ETH/USDT"] == {"fear_greed": 40.0}
    assert math.isnan(found["macro"]["BTC/USDT"]["surprise"])
    assert found["risk"] == found["fundamental"] == {"BTC/USDT": {}, "ETH/USDT": {}}


def test_an_observation_of_a_market_without_symbols_keeps_its_star() -> None:
    found = DataCategorizer().process([observation("macro.surprise", "*", BAR, 1.0)])
    assert found["macro"] == {"*": {"surprise": 1.0}}


def test_what_belongs_nowhere_is_refused(block: CategorizedBlock) -> None:
    assert split_series("macro.surprise.us") == ("macro", "surprise.us")
    for series in ("weather.rain", "onchain", "onchain.", ""):
        with pytest.raises(DataError, match="no category"):
            split_series(series)
    with pytest.raises(DataError, match="no record"):
        DataCategorizer().process([bar("BTC/USDT", BAR, 1.0), ConnectionError("lost")])
    with pytest.raises(DataError, match="2 columns"):
        DataCategorizer(("BTC/USDT",)).process(block)


def test_each_value_has_a_unit_and_a_source(block: CategorizedBlock) -> None:
    mood = block.view(39, SYMBOLS)["sentiment"]["BTC/USDT"]
    assert mood.unit("fear_greed") == "index"
    assert mood.source("fear_greed") == ""
    series = block.market.series["sentiment.fear_greed"]
    named = {"sentiment.fear_greed": replace(series, sources=("alternative", "other"))}
    told = replace(block, market=replace(block.market, series=named))
    assert told.view(39, SYMBOLS)["sentiment"]["BTC/USDT"].source("fear_greed") == "alternative"
    assert told.row(39).view(0, SYMBOLS)["sentiment"]["ETH/USDT"].source("fear_greed") == "other"
    declared = {"sentiment.fear_greed": replace(series, units=("points", ""))}
    told_of = replace(block, market=replace(block.market, series=declared)).view(39, SYMBOLS)
    units = [told_of["sentiment"][symbol].unit("fear_greed") for symbol in SYMBOLS]
    assert units == ["points", "index"], "its source's word, else what is known of the series"
    # Before the first value nobody has brought one.
    assert told.view(2, SYMBOLS)["sentiment"]["BTC/USDT"].source("fear_greed") == ""
    price = told.view(39, SYMBOLS)["technical"]["BTC/USDT"]
    assert (price.unit("close"), price.source("close")) == ("quote currency", "bars")
    for ask in (price.unit, price.source):
        with pytest.raises(KeyError, match="nonsense"):
            ask("nonsense")
