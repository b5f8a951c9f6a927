"""What a candle file's name says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mirrorcore import clock
from mirrorcore.data_sources.file_names import (
    DEFAULT_PATTERNS,
    NamePattern,
    choose_candles,
    find_candles,
)
from mirrorcore.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("name", "venue", "symbol", "timeframe"),
    [
        ("BTC_USDT-5m.feather", "", "BTC/USDT", "5m"),
        ("BTC_USDT-5m.csv.gz", "", "BTC/USDT", "5m"),
        ("BTC_USDT_USDT-1h-futures.feather", "", "BTC/USDT:USDT", "1h"),
        ("bitfinex_BTCUSD_1m_201810_201906.parquet", "bitfinex", "BTC/USD", "1m"),
        ("bybit_BTCUSDT_5m_2025Q2.parquet", "bybit", "BTC/USDT", "5m"),
        ("lean_coinbase_BTCUSD_d1.parquet", "lean_coinbase", "BTC/USD", "d1"),
        ("ejtrader_AUDJPY_d1_points.parquet", "ejtrader", "AUD/JPY", "d1"),
        ("binance_ETH_BTC_4h.parquet", "binance", "ETH/BTC", "4h"),
        ("BTCUSDT_1m.csv", "", "BTC/USDT", "1m"),
        ("DOTUSD_1m.csv", "", "DOT/USD", "1m"),
        ("BTCTUSD_1m.csv", "", "BTC/TUSD", "1m"),
        ("btc-usdt_1d.arrow", "", "BTC/USDT", "1d"),
        ("ETH_BTC_15m.ipc", "", "ETH/BTC", "15m"),
    ],
)
def test_known_names(tmp_path: Path, name: str, venue: str, symbol: str, timeframe: str) -> None:
    (tmp_path / name).touch()
    (found,) = find_candles(tmp_path)
    assert (found.venue, found.symbol, found.timeframe) == (venue, symbol, timeframe)
    assert found.bar_ns > 0
    assert find_candles(tmp_path / name) == [found]


@pytest.mark.parametrize(
    "name",
    [
        "BTC_USDT_USDT-8h-funding_rate.feather",
        "BTC_USDT-5m.json",
        "readme.csv",
        "BTC_USDT-1M.csv",
        "QQQ_1m.csv",
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="no candle file found") as raised:
        find_candles(tmp_path)
    assert name in raised.value.message
    assert all(pattern in raised.value.message for pattern in DEFAULT_PATTERNS)


def test_a_pattern_of_ones_own(tmp_path: Path) -> None:
    for name in ("candles.kraken.XBTUSD.240.csv", "candles.kraken.ETHUSD.240.csv"):
        (tmp_path / name).touch()
    found = find_candles(tmp_path, "candles.{venue}.{symbol}.*.csv")
    assert [(one.venue, one.symbol, one.bar_ns) for one in found] == [
        ("kraken", "ETH/USD", 0),
        ("kraken", "XBT/USD", 0),
    ]
    chosen = choose_candles(found, path=tmp_path, timeframe="4h")
    assert {one.bar_ns for group in chosen.values() for one in group} == {4 * clock.HOUR}
    with pytest.raises(DataError, match="does not say the timeframe"):
        choose_candles(found, path=tmp_path)


@pytest.mark.parametrize("text", ["{venue}_{timeframe}", "{symbol}_{symbol}", "{coin}_{symbol}"])
def test_a_pattern_that_cannot_work(text: str) -> None:
    with pytest.raises(ConfigError, match="is not usable"):
        NamePattern(text)


def test_literal_text_of_a_pattern_is_literal() -> None:
    assert NamePattern("a.b_{symbol}").read(Path("axb_BTCUSD.csv")) is None
    assert NamePattern("a.b_{symbol}").read(Path("a.b_BTCUSD.csv")) is not None


def test_nothing_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or directory"):
        find_candles(tmp_path / "nowhere")
    with pytest.raises(DataError, match="there is nothing"):
        find_candles(tmp_path)


@pytest.fixture
def two_venues(tmp_path: Path) -> Path:
    for name in (
        "kraken_BTCUSD_1m.csv",
        "bitfinex_BTCUSD_1m.csv",
        "bitfinex_ETHUSD_1m.csv",
        "bitfinex_ETHUSD_1h.csv",
    ):
        (tmp_path / name).touch()
    return tmp_path


def choose(path: Path, **options: object) -> list[str]:
    chosen = choose_candles(find_candles(path), path=path, **options)
    return [one.path.name for group in chosen.values() for one in group]


def test_symbols_come_in_the_order_asked_for_in_any_spelling(two_venues: Path) -> None:
    options = {"venue": "Bitfinex", "timeframe": "1m"}
    assert choose(two_venues, symbols=["eth-usd", "BTCUSD", "ETH/USD"], **options) == [
        "bitfinex_ETHUSD_1m.csv",
        "bitfinex_BTCUSD_1m.csv",
    ]


def test_all_symbols_that_have_the_timeframe_when_none_is_asked_for(two_venues: Path) -> None:
    assert choose(two_venues, timeframe="1h") == ["bitfinex_ETHUSD_1h.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": ["BTC/USD"]}, "comes from several venues"),
        ({"symbols": ["ETH/USD"]}, "several timeframes: 1m, 1h"),
        ({"venue": "binance"}, "no file of venue 'binance'"),
        ({"symbols": ["ETC/USD"]}, "did you mean ETH/USD"),
        ({"symbols": ["SOL/EUR"]}, "available: BTC/USD, ETH/USD"),
        ({"symbols": ["?"]}, "not a symbol such as BTC/USDT"),
        ({"timeframe": "1h", "symbols": ["ETH/USD", "BTC/USD"]}, "no 1h file for BTC/USD"),
        ({"timeframe": "5m"}, "no file of timeframe 5m\n  → there are 1m, 1h"),
        ({"timeframe": "1y"}, "not a duration"),
    ],
)
def test_an_open_choice_is_asked_back(
    two_venues: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError) as raised:
        choose(two_venues, **options)
    assert message in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize(
    "names",
    [
        ("binance_BTC-USDT_1h.csv", "kraken_BTC-USDT_1h.csv"),
        ("binance_BTCUSDT_1h_2024.csv", "kraken_BTCUSDT_1h.csv"),
        ("BTCUSDT_1h.csv", "kraken_BTCUSDT_1h.csv"),
    ],
)
def test_the_pattern_offered_for_one_of_several_venues_finds_it(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="comes from several venues") as told:
        choose(tmp_path)
    found = re.search(r'--data (\S+), or market\.pattern = "(.+)"', told.value.hint)
    assert found is not None
    [by_pattern] = find_candles(tmp_path, found[2])
    assert str(by_pattern.path) == found[1]
    assert by_pattern.symbol == "BTC/USDT"
    assert [one.path for one in find_candles(Path(found[1]))] == [by_pattern.path]
