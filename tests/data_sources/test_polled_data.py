"""Real macro series and the real index: nothing visible before its release, first vintage first."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polled_servers import FRED_KEY, World, served

from mirrorcore.clock import DAY, MINUTE, SECOND, VirtualClock
from mirrorcore.data_sources import RecordedSource, SeriesFile
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.macro.fred import FredSeries, FredSource
from mirrorcore.data_sources.macro.releases import ReleaseTime
from mirrorcore.data_sources.observation_files import write_observations
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.side_channels import read_series
from mirrorcore.data_sources.social.fear_greed import FearGreedSource
from mirrorcore.data_sources.social.lexicon import MarketLexicon
from mirrorcore.data_sources.social.text_files import TextFile, read_texts
from mirrorcore.data_sources.social.tone import TONE, NewsTone
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.records import Flag, Observation
from mirrorcore.market.validator import Action, MarketDataProcessor

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real market data at {DATA}"),
]
MACRO = DATA / "macro" / "macro_long.parquet"
FEAR = DATA / "sentiment" / "crypto_fear_greed_daily.parquet"
MORNING = ReleaseTime("America/New_York", 8, 30)


def at(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


def real(series: str, since: int = 2014) -> list[tuple[date, float]]:
    frame = pl.read_parquet(MACRO).filter(
        (pl.col("series") == series) & (pl.col("date").dt.year() >= since)
    )
    return [(day.date(), value) for day, value in frame.select("date", "value").iter_rows()]


def with_series(file: SeriesFile) -> RecordedSource:
    return RecordedSource(DATA / "crypto_daily", timeframe="1d", series=[file])


def test_every_real_macro_series_is_read_and_none_is_rejected() -> None:
    names = pl.read_parquet(MACRO)["series"].unique().sort().to_list()
    assert len(names) == 46
    processor = MarketDataProcessor()
    rejected: dict[str, int] = {}
    for name in names:
        file = SeriesFile(MACRO, f"macro.{name.lower()}", lag_ns=45 * DAY, where={"series": name})
        channel = read_series(file, (), processor.report)
        processor.judge_series(channel.name, "*", channel.columns, source=name)
        rejected[name] = processor.report.total(Action.REJECT, name)
    assert sum(rejected.values()) == 0, rejected
    assert processor.report.total(Action.REJECT) == 0
    holes = [n for (_, case), n in processor.report.counts.items() if case is Case.SERIES_HOLE]
    assert sum(holes) == pl.read_parquet(MACRO)["value"].null_count() == 584


def test_a_real_series_is_unknown_before_its_lag_and_the_future_changes_nothing(
    tmp_path: Path,
) -> None:
    """Cut at any day, what was visible until then is the same to the bit."""
    lag = 45 * DAY
    file = SeriesFile(MACRO, "macro.cpi", lag_ns=lag, where={"series": "US_CPI_AUCSL_INDEX"})
    (whole,) = with_series(file).blocks()
    series = whole.series["macro.cpi"]
    values = {at(day): value for day, value in real("US_CPI_AUCSL_INDEX", 2000)}
    for tick, instant in enumerate(whole.ts.tolist()):
        newest = max(event for event in values if event + lag <= instant)
        assert series.value[tick, 0] == values[newest]
        assert series.known_at[tick, 0] == newest + lag
    for year in (2015, 2016, 2017, 2018):
        cut = at(date(year, 6, 15))
        short = tmp_path / f"{year}.parquet"
        when = datetime.fromtimestamp((cut - lag) // SECOND, UTC).replace(tzinfo=None)
        pl.read_parquet(MACRO).filter(pl.col("date") <= when).write_parquet(short)
        (early,) = with_series(
            SeriesFile(short, "macro.cpi", lag_ns=lag, where={"series": "US_CPI_AUCSL_INDEX"})
        ).blocks()
        past = whole.ts <= cut
        for name in ("value", "known_at"):
            np.testing.assert_array_equal(
                getattr(series, name)[past], getattr(early.series["macro.cpi"], name)[past]
            )


def test_real_figures_with_corrections_replay_in_their_first_vintage(
    tmp_path: Path,
) -> None:
    """Real inflation and yields, released and corrected by a server true to FRED's shape, fetched
    by the source, written, replayed: at each bar what a reader of the day would have known."""
    rows, expected = [], dict[date, list[tuple[int, float]]]()
    for day, value in real("US_CPI_AUCSL_INDEX"):
        first = day + timedelta(days=43)
        corrected = first + timedelta(days=29)
        rows += [
            (str(day), str(first), f"{value - 0.4:.3f}"),
            (str(day), str(corrected), str(value)),
        ]
        expected[day] = [
            (MORNING.at(first), float(f"{value - 0.4:.3f}")),
            (MORNING.at(corrected), value),
        ]

    async def fetch() -> list[Observation]:
        async with served(World(vintages={"CPIAUCSL": rows}, vintage_limit=60)) as world:
            clock, key = VirtualClock(at(date(2026, 9, 1))), Secret("FRED_API_KEY", FRED_KEY)
            http = HttpClient(world.base, clock=clock, secrets=[key])
            series = FredSeries("CPIAUCSL", "macro.cpi", "index 1982-84=100", release=MORNING)
            source = FredSource([series], http=http, key=key, clock=clock)
            found = list(await source.history(0, clock.now()))
            await source.aclose()
            return found

    found = asyncio.run(fetch())
    assert len(found) == len(rows)
    assert sum(bool(r.flags & Flag.REVISED) for r in found) == len(rows) // 2
    write_observations(tmp_path / "cpi.parquet", found)
    file = SeriesFile(tmp_path / "cpi.parquet", "macro.cpi", released="released")
    (block,) = with_series(file).blocks()
    series, checked, firsts = block.series["macro.cpi"], 0, 0
    for tick, instant in enumerate(block.ts.tolist()):
        out = [day for day, vintages in expected.items() if vintages[0][0] <= instant]
        if not out:
            assert np.isnan(series.value[tick, 0])
            continue
        vintages = expected[max(out)]
        visible = [value for released, value in vintages if released <= instant]
        assert series.value[tick, 0] == visible[-1]
        checked += 1
        firsts += len(visible) == 1
    assert checked > 1000
    assert firsts > 900, "for most of a month the first vintage is all there is"


def test_the_real_index_through_the_source_is_known_a_day_later() -> None:
    frame = pl.read_parquet(FEAR)
    rows = [
        (at(day.date()) // SECOND, str(value))
        for day, value in frame.select("date", "value").rows()
    ]

    async def fetch() -> list[Observation]:
        async with served(World(fear=rows)) as world:
            clock = VirtualClock(at(date(2026, 3, 1)))
            source = FearGreedSource(http=HttpClient(world.base, clock=clock), clock=clock)
            found = list(await source.history(0, clock.now()))
            await source.aclose()
            return found

    found = asyncio.run(fetch())
    assert len(found) == len(rows) == 2931
    assert all(record.ts_avail == record.ts_event + DAY for record in found)
    processor = MarketDataProcessor(bounds={"sentiment.fear_greed": (0, 100)})
    assert len(processor.validate(found)) == 2931


def test_real_headlines_make_a_tone_that_knows_no_future(tmp_path: Path) -> None:
    path = DATA / "news" / "crypto_headlines_2021_2022.parquet"
    report = IntakeReport()
    every = read_texts(TextFile(path, lag_ns=5 * MINUTE), report)
    assert report.seen["headlines"] == 7496
    assert len(every) == 7496 - report.counts.get(("headlines", Case.MISSING_VALUE), 0)
    texts = every[:1500]
    symbols = ["BTC/USDT", "ETH/USDT"]
    whole = NewsTone(MarketLexicon(), symbols).add(texts)
    assert all(-1 <= record.value <= 1 for record in whole if record.series == TONE)
    cut = texts[700].ts_avail
    past = [text for text in texts if text.ts_avail <= cut]
    early = NewsTone(MarketLexicon(), symbols).add(past)
    assert early == [record for record in whole if record.ts_avail <= cut]
    write_observations(tmp_path / "tone.parquet", whole)
    where = {"series": TONE, "symbol": "BTC/USDT"}
    file = SeriesFile(
        tmp_path / "tone.parquet", TONE, symbol="BTC/USD", released="released", where=where
    )
    report = IntakeReport()
    channel = read_series(file, ["BTC/USD"], report)
    own = [r for r in whole if (r.series, r.symbol) == (TONE, "BTC/USDT")]
    assert channel.columns.ts_avail.tolist() == [record.ts_avail for record in own]
    assert channel.columns.value.tolist() == [record.value for record in own]
    verdict = MarketDataProcessor().judge_series(TONE, "BTC/USD", channel.columns)
    assert bool(verdict.accepted.all())


@pytest.mark.parametrize(
    ("column", "series"),
    [
        ("hashrate", "fundamental.hashrate"),
        ("difficulty", "fundamental.difficulty"),
        ("active_addresses", "fundamental.active_addresses"),
        ("fees_btc", "fundamental.fees"),
    ],
)
def test_the_real_network_of_a_day_is_known_a_day_later(column: str, series: str) -> None:
    path = DATA / "onchain" / "btc_network_daily.parquet"
    file = SeriesFile(path, series, value=column, lag_ns=DAY, symbol="BTC/USD", bounds=(0, 1e16))
    report = IntakeReport()
    channel = read_series(file, ["BTC/USD"], report)
    verdict = MarketDataProcessor(bounds={series: (0, 1e16)}).judge_series(
        series, "BTC/USD", channel.columns
    )
    assert bool(verdict.accepted.all())
    assert (channel.columns.ts_avail == channel.columns.ts_event + DAY).all()
    absent = pl.read_parquet(path)[column].null_count()
    assert len(channel.columns) == len(pl.read_parquet(path)) - absent, "missing is no value"
    assert report.counts.get((channel.label, Case.SERIES_HOLE), 0) == absent
