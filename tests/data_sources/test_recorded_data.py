"""The real market: nothing clean is rejected, faults put into it are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mirrorcore import clock
from mirrorcore.data_sources import RecordedSource, SeriesFile
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.records import Flag
from mirrorcore.market.validator import Action, Case, MarketDataProcessor

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real market data at {DATA}"),
]

FOLDERS = [
    ("crypto_5m", "5m", None, 77_760),
    ("crypto_daily", "d1", None, 1_318),
    ("forex", "d1", "ejtrader", 28_800),
    ("forex", "h1", "ejtrader", 230_400),
]


@pytest.fixture(scope="module")
def minutes() -> RecordedSource:
    index = SeriesFile(
        DATA / "sentiment" / "crypto_fear_greed_daily.parquet",
        "sentiment.fear_greed",
        lag_ns=clock.DAY,
        bounds=(0, 100),
    )
    return RecordedSource(DATA / "crypto_1m", series=[index])


@pytest.mark.parametrize(("folder", "timeframe", "venue", "bars"), FOLDERS)
def test_no_clean_bar_is_rejected(
    folder: str, timeframe: str, venue: str | None, bars: int
) -> None:
    source = RecordedSource(DATA / folder, timeframe=timeframe, venue=venue)
    assert source.verdicts.total(Action.REJECT) == source.verdicts.total(Action.DROP) == 0
    assert sum(int(block.present.sum()) for block in source.blocks()) == bars
    source.verdicts.check(least=0)


def test_nine_months_of_minutes_pass_whole(minutes: RecordedSource) -> None:
    report = minutes.verdicts
    assert report.total(Action.REJECT) == report.total(Action.DROP) == 0
    assert sum(int(block.present.sum()) for block in minutes.blocks()) == 1_687_381
    assert all(one.sparse for one in minutes.instruments)
    assert not any(case is Case.GAP for _, case in report.counts)
    outliers = sum(n for (_, case), n in report.counts.items() if case is Case.OUTLIER)
    assert outliers < 0.001 * 1_687_381


def test_the_real_minute_of_13_7_percent_passes_marked(minutes: RecordedSource) -> None:
    column = minutes.symbols.index("LTC/USD")
    biggest, flagged = 0.0, 0
    last = float("nan")
    for block in minutes.blocks():
        at = np.flatnonzero(block.present[:, column])
        close = np.concatenate([[last], block.close[at, column]])
        reach = np.maximum(block.high[at, column] / close[:-1], close[:-1] / block.low[at, column])
        row = int(np.nanargmax(reach))
        if reach[row] > biggest:
            biggest, flagged = float(reach[row]), int(block.flags[at[row], column])
        last = float(close[-1])
    assert biggest == pytest.approx(1.137, abs=0.001)
    assert flagged & Flag.OUTLIER


def test_fear_and_greed_is_known_a_day_after_its_date(minutes: RecordedSource) -> None:
    for block in minutes.blocks(100_000, 5000):
        series = block.series["sentiment.fear_greed"]
        assert (series.known_at <= block.ts[:, None]).all()
        assert (block.ts[:, None] - series.known_at < clock.DAY).all()
        assert ((series.value >= 0) & (series.value <= 100)).all()
        break
    else:
        pytest.fail("the source has no blocks")


def faulty(bars: BarColumns, rng: np.random.Generator) -> tuple[BarColumns, dict[Case, np.ndarray]]:
    """One fault in a thousand of each kind, never two within three bars."""
    count = len(bars) // 1000
    rows = np.sort(rng.choice(np.arange(50, len(bars) // 4 - 5), 6 * count, replace=False)) * 4
    kinds = rng.permuted(np.repeat(np.arange(6), count))
    columns = {n: getattr(bars, n).copy() for n in BarColumns.__dataclass_fields__}
    cases = (
        Case.NOT_FINITE,
        Case.PRICE_NOT_POSITIVE,
        Case.NEGATIVE_VOLUME,
        Case.HIGH_LOW,
        Case.DECIMAL_SHIFT,
        Case.OVERLAP,
    )
    where = {case: rows[kinds == kind] for kind, case in enumerate(cases)}
    columns["close"][where[Case.NOT_FINITE]] = np.nan
    columns["low"][where[Case.PRICE_NOT_POSITIVE]] *= -1
    columns["volume"][where[Case.NEGATIVE_VOLUME]] *= -1
    columns["high"][where[Case.HIGH_LOW]] *= 0.8
    power = 10.0 ** rng.choice([-8, -3, -2, -1, 1, 2, 3, 8], count)
    for name in ("open", "high", "low", "close"):
        columns[name][where[Case.DECIMAL_SHIFT]] *= power
    columns["open_ts"][where[Case.OVERLAP]] = columns["open_ts"][where[Case.OVERLAP] - 1] + 1
    return BarColumns(**columns), where


@pytest.mark.parametrize("symbol", ["BTC/USD", "LTC/USD"])
def test_injected_faults_are_all_found_and_nothing_else_is(symbol: str) -> None:
    source = RecordedSource(DATA / "crypto_1m", symbols=[symbol])
    bars = source._timeline._bars[0].take(slice(0, 100_000))
    bad, where = faulty(bars, np.random.default_rng(7))
    processor = MarketDataProcessor([undescribed(symbol, sparse=True)], clock.MINUTE)
    cases = processor.judge({symbol: bad})[symbol].cases
    for case, rows in where.items():
        assert np.flatnonzero(cases == case).tolist() == rows.tolist()
    assert np.count_nonzero(cases) == sum(map(len, where.values()))
