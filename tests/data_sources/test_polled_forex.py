"""Quote files: units, wall clocks, crossed quotes kept and counted, bars of the middle."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND, iso
from mirrorcore.data_sources.forex.mid_bars import mid_bars
from mirrorcore.data_sources.forex.quote_files import (
    QuoteFile,
    read_prices,
    read_quotes,
    usual_points,
)
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.intake import Action, Case, IntakeReport
from mirrorcore.market.records import Flag
from mirrorcore.market.validator import MarketDataProcessor

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "forex"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real market data at {DATA}")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def csv(folder: Path, text: str, name: str = "q.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


TICKS = """timestamp,bid,ask
2024-01-02T10:00:01Z,1.10,1.12
2024-01-02T10:00:30Z,1.14,1.12
2024-01-02T10:00:59Z,1.11,1.11
2024-01-02T10:03:00Z,1.20,1.22
"""


def test_crossed_quotes_are_marked_and_kept(tmp_path: Path) -> None:
    report = IntakeReport()
    quotes = read_quotes(QuoteFile(csv(tmp_path, TICKS), "eurusd"), report)
    assert quotes.crossed.tolist() == [False, True, False, False]
    assert report.counts["q.csv", Case.CROSSED] == 1
    assert report.counts["q.csv", Case.LOCKED] == 1
    records = list(quotes.records())
    assert [(r.bid, r.ask) for r in records][1] == (1.14, 1.12)
    assert records[0].symbol == "EUR/USD"
    assert all(r.ts_avail == r.ts_event and r.flags == Flag.BACKFILL for r in records)


def test_ticks_become_bars_of_their_middle_where_there_are_any(tmp_path: Path) -> None:
    prices = read_prices(QuoteFile(csv(tmp_path, TICKS), "EUR/USD"), IntakeReport())
    bars = mid_bars(prices, MINUTE)
    assert [iso(ts)[11:16] for ts in bars.open_ts.tolist()] == ["10:00", "10:03"]
    assert (bars.ts_avail == bars.open_ts + MINUTE).all()
    first = [round(bars.values(0)[name], 9) for name in ("open", "high", "low", "close", "volume")]
    assert first == [1.11, 1.13, 1.11, 1.11, 3.0]
    with pytest.raises(UsageError, match="ticks need their bar length"):
        mid_bars(prices)


SIDES = (
    "ts,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n"
    "2024-01-02T10:00:00Z,1.0,1.4,0.8,1.2,1.2,1.6,1.0,1.4\n"
    "2024-01-02T10:01:00Z,1.2,1.4,1.0,1.4,1.4,1.6,1.2,1.3\n"
)


def test_bars_of_both_sides_give_quotes_at_their_close_and_bars_of_the_middle(
    tmp_path: Path,
) -> None:
    file = QuoteFile(csv(tmp_path, SIDES), "GBP/USD", bar_ns=MINUTE)
    quotes = read_quotes(file, IntakeReport())
    assert [iso(ts)[11:16] for ts in quotes.ts.tolist()] == ["10:01", "10:02"], "not before"
    assert quotes.crossed.tolist() == [False, True]
    bars = mid_bars(read_prices(file, IntakeReport()), assumed_volume=7.0)
    np.testing.assert_allclose(bars.open, [1.1, 1.3])
    np.testing.assert_allclose(bars.high, [1.5, 1.5])
    np.testing.assert_allclose(bars.low, [0.9, 1.1])
    np.testing.assert_allclose(bars.close, [1.3, 1.35])
    assert bars.volume.tolist() == [7.0, 7.0]
    with pytest.raises(UsageError, match="bars keep their bar length"):
        mid_bars(read_prices(file, IntakeReport()), HOUR)


def points_file(folder: Path, price: int, zone_hours: int = 0) -> Path:
    opens = [at("2024-01-07T22:00") + week * 7 * DAY for week in range(6)]
    times = [t + hour * HOUR + zone_hours * HOUR for t in opens for hour in range(119)]
    frame = pl.DataFrame({"ts": times, "tick_volume": 5})
    whole = frame.with_columns(*(pl.lit(price).alias(n) for n in ("open", "high", "low", "close")))
    path = folder / "points.parquet"
    whole.write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("symbol", "price", "points", "expected"),
    [
        ("EUR/USD", 138_676, 5, 1.38676),
        ("USDJPY", 81_121, 3, 81.121),
        ("XAU/USD", 172_497, 2, 1724.97),
    ],
)
def test_points_are_scaled_and_never_taken_for_prices(
    tmp_path: Path, symbol: str, price: int, points: int, expected: float
) -> None:
    path = points_file(tmp_path, price)
    assert usual_points(symbol) == points
    with pytest.raises(
        DataError, match=f"look like whole points of {symbol}.*\n.*--points {points} of"
    ):
        read_prices(QuoteFile(path, symbol, bar_ns=HOUR), IntakeReport())
    file = QuoteFile(path, symbol, bar_ns=HOUR, points=points)
    bars = mid_bars(read_prices(file, IntakeReport()))
    assert bars.close[0] == pytest.approx(expected, abs=1e-12)
    assert bars.volume[0] == 5.0, "a count is no price"


def test_a_week_that_opens_at_another_hour_is_refused_until_its_zone_is_named(
    tmp_path: Path,
) -> None:
    path = points_file(tmp_path, 138_676, zone_hours=2)
    file = QuoteFile(path, "EUR/USD", bar_ns=HOUR, points=5)
    with pytest.raises(DataError, match=r"the week opens on Monday at 00:00.*about \+3 h"):
        read_prices(file, IntakeReport())
    named = QuoteFile(path, "EUR/USD", HOUR, 5, zone="America/New_York", ahead_ns=7 * HOUR)
    assert iso(int(read_prices(named, IntakeReport()).ts[0])) == "2024-01-07T22:00:00+00:00"
    with pytest.raises(DataError, match="there is no time zone 'Mars'"):
        read_prices(QuoteFile(path, "EUR/USD", HOUR, 5, zone="Mars"), IntakeReport())


def test_an_hour_that_does_not_exist_is_left_out_and_counted(tmp_path: Path) -> None:
    text = "time,bid,ask\n2024-03-10T01:30:00,1,1.1\n2024-03-10T02:30:00,1,1.1\n"
    report = IntakeReport()
    file = QuoteFile(csv(tmp_path, text), "EUR/USD", zone="America/New_York")
    assert len(read_quotes(file, report)) == 1
    assert report.counts["q.csv", Case.TIME_RANGE] == 1


@pytest.mark.parametrize(
    ("text", "bar_ns", "reason"),
    [
        (TICKS, MINUTE, "the file holds ticks, but a bar length was given"),
        (SIDES, 0, "the file holds bars, but a bar length was not given"),
        ("ts,price\n2024-01-02,1\n", MINUTE, "missing column open, high, low, close"),
        (
            "ts,bid,ask\n2024-01-02T10:00:00,1,1\n2024-01-02T11:00:00,1,1\n2024-01-02T09:00:00,1,1\n",
            0,
            "the times run backwards",
        ),
    ],
)
def test_a_file_that_is_not_as_said_is_refused(
    tmp_path: Path, text: str, bar_ns: int, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        read_prices(QuoteFile(csv(tmp_path, text), "EUR/USD", bar_ns=bar_ns), IntakeReport())


def test_one_price_is_no_quote(tmp_path: Path) -> None:
    path = points_file(tmp_path, 138_676)
    with pytest.raises(DataError, match="one price and no bid and ask"):
        read_quotes(QuoteFile(path, "EUR/USD", bar_ns=HOUR, points=5), IntakeReport())


ticks = st.lists(
    st.tuples(st.integers(0, 600), st.floats(1.0, 2.0), st.floats(-0.05, 0.1)), min_size=1
)


@settings(max_examples=25, deadline=None)
@given(ticks, st.integers(0, 660))
def test_a_bar_knows_only_the_ticks_before_its_close(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float, float]], cut: int
) -> None:
    start = at("2024-01-02T10:00")
    limit = start + cut * SECOND
    folder = tmp_path_factory.mktemp("ticks")

    def bars_of(some: list[tuple[int, float, float]]) -> list[tuple[float, ...]]:
        frame = pl.DataFrame(
            {
                "ts": [start + second * SECOND for second, _, _ in some],
                "bid": [bid for _, bid, _ in some],
                "ask": [bid + spread for _, bid, spread in some],
            },
            schema={"ts": pl.Int64, "bid": pl.Float64, "ask": pl.Float64},
        )
        frame.write_parquet(folder / "t.parquet")
        bars = mid_bars(
            read_prices(QuoteFile(folder / "t.parquet", "EUR/USD"), IntakeReport()), MINUTE
        )
        columns = (bars.ts_avail, bars.open, bars.high, bars.low, bars.close, bars.volume)
        return [
            row for row in zip(*map(np.ndarray.tolist, columns), strict=True) if row[0] <= limit
        ]

    ordered = sorted(rows, key=lambda row: row[0])
    whole = bars_of(ordered)
    early = [row for row in ordered if start + row[0] * SECOND < limit]
    assert (bars_of(early) if early else []) == whole
    for _, o, h, low, c, v in whole:
        assert low <= min(o, c) <= max(o, c) <= h
        assert v >= 1


# --- Real files -----------------------------------------------------------------------------------


@real
@pytest.mark.data
def test_the_real_crossed_minutes_are_counted_and_the_bars_of_the_middle_pass_whole() -> None:
    report = IntakeReport()
    file = QuoteFile(DATA / "fxcm_GBPUSD_m1_bidask_2012.parquet", "GBP/USD", bar_ns=MINUTE)
    quotes = read_quotes(file, report)
    assert len(quotes) == 30_117
    assert int(quotes.crossed.sum()) == report.counts[file.path.name, Case.CROSSED] == 347
    bars = mid_bars(read_prices(file, IntakeReport()), assumed_volume=1.0)
    judged = MarketDataProcessor([undescribed("GBP/USD", sparse=True)], MINUTE)
    assert bool(judged.judge({"GBP/USD": bars})["GBP/USD"].accepted.all())
    assert judged.report.total(Action.REJECT) == 0


@real
@pytest.mark.data
def test_the_real_ticks_of_a_day_make_its_minutes() -> None:
    file = QuoteFile(DATA / "lean_oanda_EURUSD_ticks_20140507.parquet", "EUR/USD")
    bars = mid_bars(read_prices(file, IntakeReport()), MINUTE)
    sides = QuoteFile(DATA / "lean_oanda_EURUSD_m1_201405.parquet", "EUR/USD", bar_ns=MINUTE)
    minutes = mid_bars(read_prices(sides, IntakeReport()))
    both, mine, theirs = np.intersect1d(bars.open_ts, minutes.open_ts, return_indices=True)
    assert len(both) > 1_300
    assert np.median(np.abs(bars.close[mine] - minutes.close[theirs])) < 1e-5
    assert int(bars.volume.sum()) == 41_367


@real
@pytest.mark.data
def test_a_real_brokers_clock_is_found_out_and_put_right() -> None:
    path = DATA / "ejtrader_USDJPY_h1_points.parquet"
    with pytest.raises(DataError, match="the week opens on Monday at 00:00"):
        read_prices(QuoteFile(path, "USD/JPY", HOUR, 3), IntakeReport())
    file = QuoteFile(path, "USD/JPY", HOUR, 3, zone="America/New_York", ahead_ns=7 * HOUR)
    bars = mid_bars(read_prices(file, IntakeReport()))
    assert len(bars) == 57_600
    assert 75 < float(bars.close.min()) < float(bars.close.max()) < 126
    judged = MarketDataProcessor([undescribed("USD/JPY", sparse=True)], HOUR)
    assert bool(judged.judge({"USD/JPY": bars})["USD/JPY"].accepted.all())


@real
@pytest.mark.data
def test_real_gold_in_points_is_gold_in_dollars() -> None:
    path = DATA / "ejtrader_XAUUSD_d1_points.parquet"
    prices = read_prices(
        QuoteFile(path, "XAU/USD", DAY, 2, zone="America/New_York", ahead_ns=7 * HOUR),
        IntakeReport(),
    )
    assert prices.columns["close"][0] == pytest.approx(1726.72)
