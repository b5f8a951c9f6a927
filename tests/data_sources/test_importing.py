"""Own files: other names, points, wall clocks, no volume; what is too bad is not written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mirrorcore.clock import HOUR, MINUTE
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.any_recording import kind_of_recording
from mirrorcore.data_sources.checking import Reading, check_file
from mirrorcore.data_sources.fetching.whole_files import origin_of
from mirrorcore.data_sources.fundamental.calendar_files import read_calendar
from mirrorcore.data_sources.importing import (
    Imported,
    ImportPlan,
    files_of,
    import_file,
    parse_columns,
    parse_symbol,
)
from mirrorcore.data_sources.importing_recordings import import_recording
from mirrorcore.data_sources.record_log import RecordLog
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Trade

T0 = 1_704_067_200_000_000_000  # Monday 2024-01-01


def rows(count: int = 60, step: int = 5 * MINUTE, scale: float = 1.0) -> pl.DataFrame:
    prices = [100.0 + n % 5 for n in range(count)]
    return pl.DataFrame(
        {
            "ts": [T0 + n * step for n in range(count)],
            "open": [scale * one for one in prices],
            "high": [scale * (one + 2) for one in prices],
            "low": [scale * (one - 2) for one in prices],
            "close": [scale * (one + 1) for one in prices],
            "volume": [1.0 + n % 3 for n in range(count)],
        }
    )


def imported(path: Path, frame: pl.DataFrame, **plan: object) -> Imported:
    frame.write_csv(path)
    return import_file(path, ImportPlan(path.parent / "out", **plan))  # type: ignore[arg-type]


def written(found: Imported) -> pl.DataFrame:
    assert found.target is not None, found.problem
    return pl.read_parquet(found.target)


def test_a_file_with_names_of_its_own_becomes_one_a_run_reads(tmp_path: Path) -> None:
    frame = rows().rename({"ts": "Date", "open": "O", "volume": "Amount"})
    columns = parse_columns(["time=Date", "open=O", "volume=Amount"])
    found = imported(
        tmp_path / "mine.csv", frame, symbol="ETH/EUR", venue="broker", columns=columns
    )
    assert found.target == tmp_path / "out" / "broker_ETH-EUR_5m.parquet"
    assert (found.bars, found.notes, found.report.counts) == (60, [], {})
    source = RecordedSource(tmp_path / "out")
    assert (source.symbols, source.bar_ns, source.ticks_total()) == (("ETH/EUR",), 5 * MINUTE, 60)
    block = next(source.blocks())
    assert block.close[:3, 0].tolist() == [101.0, 102.0, 103.0]
    assert block.volume[:3, 0].tolist() == [1.0, 2.0, 3.0]
    assert check_file(found.target, Reading()).usable
    assert (origin_of(found.target) or {})["file"] == "mine.csv"


def test_points_are_prices_once_they_are_said_to_be(tmp_path: Path) -> None:
    frame = rows(scale=1000.0).with_columns(pl.col("open", "high", "low", "close").cast(pl.Int64))
    refused = imported(tmp_path / "EURUSD_5m.csv", frame)
    assert "look like whole points of EUR/USD" in refused.problem
    assert refused.target is None
    taken = written(imported(tmp_path / "EURUSD_5m.csv", frame, points=5))
    assert taken["close"][:2].to_list() == [1.01, 1.02]


def test_times_of_a_wall_clock_become_utc(tmp_path: Path) -> None:
    """Through the hour that there is twice and the hour that there is not."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2024, 3, 30, 12, tzinfo=zone).timestamp()
    wall = [datetime.fromtimestamp(start + 3600 * n, zone) for n in range(48)]
    frame = rows(48, HOUR).with_columns(
        pl.Series("ts", [one.strftime("%Y-%m-%d %H:%M:%S") for one in wall])
    )
    found = imported(tmp_path / "BTCEUR_1h.csv", frame, zone="Europe/Berlin")
    opens = written(found)["ts"].to_physical()
    assert opens.diff().drop_nulls().unique().to_list() == [HOUR]
    assert opens[0] == round(start) * 10**9
    naive = imported(tmp_path / "BTCUSDT_1h.csv", frame)
    assert naive.target is not None
    assert naive.report.counts[("BTCUSDT_1h.csv", Case.SPARSE_HOLE)] == 1


def test_times_that_say_their_zone_are_not_shifted_again(tmp_path: Path) -> None:
    stamps = [f"2024-01-01T0{n}:00:00+01:00" for n in range(5)]
    frame = rows(5, HOUR).with_columns(pl.Series("ts", stamps))
    twice = imported(tmp_path / "BTCEUR_1h.csv", frame, zone="Europe/Berlin")
    assert "say their zone themselves" in twice.problem
    once = written(imported(tmp_path / "BTCEUR_1h.csv", frame))
    assert once["ts"].to_physical()[0] == T0 - HOUR


def test_a_broker_whose_week_opens_at_midnight_is_told_so(tmp_path: Path) -> None:
    """Six weeks of a pair, in New York plus seven hours: not UTC, and nobody said so."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    wall = [start + timedelta(hours=n) for n in range(24 * 42)]
    open_hours = [one for one in wall if one.weekday() < 5]
    frame = rows(len(open_hours), HOUR, scale=0.01).with_columns(
        pl.Series("ts", [one.strftime("%Y-%m-%d %H:%M:%S") for one in open_hours])
    )
    found = imported(tmp_path / "EURUSD_1h.csv", frame)
    assert found.target is None
    assert "the week opens on Monday at 00:00" in found.problem
    assert "--zone says whose clock its times are, --ahead how far" in found.hint
    said = imported(tmp_path / "EURUSD_1h.csv", frame, zone="America/New_York", ahead_ns=7 * HOUR)
    # In winter the market opens on Sunday at 22:00 UTC; the first of January was a Monday.
    assert written(said)["ts"].to_physical()[0] == T0 - 2 * HOUR
    days = frame.gather_every(24).with_columns(pl.col("ts").str.slice(0, 10))
    assert len(written(imported(tmp_path / "EURUSD_1d.csv", days))) == 30


def test_bars_without_volume_say_what_that_means(tmp_path: Path) -> None:
    found = imported(tmp_path / "BTCUSDT_5m.csv", rows().drop("volume"))
    assert written(found)["volume"].sum() == 0
    assert found.notes == ["there is no volume: a run fills nothing against these bars"]


def test_ticks_of_bid_and_ask_become_bars_of_the_middle(tmp_path: Path) -> None:
    ticks = pl.DataFrame(
        {
            "ts": [T0 + n * 10 * 10**9 for n in range(600)],
            "bid": [1.1 + 0.0001 * (n % 6) for n in range(600)],
            "ask": [1.1002 + 0.0001 * (n % 6) for n in range(600)],
        }
    )
    unsaid = imported(tmp_path / "ticks.csv", ticks, symbol="EUR/USD")
    assert "ticks need the length of the bars" in unsaid.problem
    found = imported(tmp_path / "ticks.csv", ticks, symbol="EUR/USD", bar_ns=MINUTE)
    frame = written(found)
    assert (len(frame), frame["volume"].unique().to_list()) == (100, [6.0])
    assert frame["open"][0] == pytest.approx(1.1001)
    assert frame["high"][0] == pytest.approx(1.1006)
    assert found.notes[-1] == "volume is the number of ticks"


def test_rows_that_cannot_be_believed_are_left_out_with_their_place(tmp_path: Path) -> None:
    frame = rows(300)
    frame[7, "close"] = -1.0
    found = imported(tmp_path / "BTCUSDT_5m.csv", frame)
    assert found.bars == 299
    assert found.report.counts[("BTCUSDT_5m.csv", Case.PRICE_NOT_POSITIVE)] == 1
    assert [s.row for s in found.report.quarantine if s.case is Case.PRICE_NOT_POSITIVE] == [7]


def test_a_cell_that_is_no_number_is_told_as_it_stands_in_the_file(tmp_path: Path) -> None:
    frame = rows(200).with_columns(pl.col("high").cast(pl.String))
    highs = frame["high"].to_list()
    highs[7] = "hello"
    found = imported(tmp_path / "BTCUSDT_5m.csv", frame.with_columns(high=pl.Series(highs)))
    (sample,) = [s for s in found.report.quarantine if s.case is Case.WRONG_TYPE]
    assert (sample.row, sample.values["high"]) == (7, "hello")
    assert isinstance(sample.values["low"], float)


def test_a_file_that_is_too_bad_is_not_written(tmp_path: Path) -> None:
    frame = rows(60).with_columns(low=pl.lit(150.0))
    found = imported(tmp_path / "BTCUSDT_5m.csv", frame)
    assert found.target is None
    assert "60 of 60 records were rejected" in found.problem
    assert not (tmp_path / "out").exists()


def test_a_file_newest_first_is_turned_round(tmp_path: Path) -> None:
    found = imported(tmp_path / "BTCUSDT_5m.csv", rows().reverse())
    assert written(found)["ts"].is_sorted()
    assert found.report.counts == {("BTCUSDT_5m.csv", Case.ROW_ORDER): 1}


@pytest.mark.parametrize(
    ("name", "plan", "says"),
    [
        ("mine.csv", {}, "does not say which symbol"),
        ("BTCUSDT_1h.csv", {}, "bars of 1h were said, but the rows are 5m apart"),
        ("BTCUSDT_5m.csv", {"columns": {"open": "Opening"}}, "missing column Opening"),
        ("BTCUSDT_5m.csv", {"unit": "ms"}, "look like nanoseconds"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, name: str, plan: dict[str, object], says: str
) -> None:
    found = imported(tmp_path / name, rows(), **plan)
    assert found.target is None
    assert says in found.problem
    assert found.hint


def test_a_file_that_is_there_is_written_over_only_when_told_to(tmp_path: Path) -> None:
    imported(tmp_path / "BTCUSDT_5m.csv", rows(60))
    again = imported(tmp_path / "BTCUSDT_5m.csv", rows(90))
    assert "is there already" in again.problem
    assert len(written(imported(tmp_path / "BTCUSDT_5m.csv", rows(90), replace=True))) == 90


def test_trades_that_were_recorded_become_candles(tmp_path: Path) -> None:
    """Two symbols, a trade a second for five minutes and a half; bars at the ends are left out."""
    path = tmp_path / "live.jsonl"
    log = RecordLog(path)
    half = 30 * 10**9
    for n in range(330):
        ts = T0 + half + n * 10**9
        for symbol, price in (("BTC/USDT", 100.0), ("ETH/USDT", 10.0)):
            trade = Trade(
                source="binance", symbol=symbol, ts_event=ts, ts_recv=ts, ts_avail=ts,
                seq=n + 1, price=price + n % 7, quantity=0.5,
            )  # fmt: skip
            log.append([trade])
    log.close()
    kind = kind_of_recording(path)
    (unsaid,) = import_recording(path, kind, ImportPlan(tmp_path / "out"))
    assert "trades need the length of the bars" in unsaid.problem
    found = import_recording(path, kind, ImportPlan(tmp_path / "out", bar_ns=MINUTE))
    assert [one.target.name for one in found if one.target] == [
        "binance_BTC-USDT_1m.parquet", "binance_ETH-USDT_1m.parquet",
    ]  # fmt: skip
    frame = written(found[0])
    assert frame["ts"].to_physical().to_list() == [T0 + n * MINUTE for n in range(1, 5)]
    assert frame["volume"].unique().to_list() == [30.0]
    assert (frame["high"][0], frame["low"][0]) == (106.0, 100.0)
    assert frame["open"][0] == 100.0 + 30 % 7
    assert RecordedSource(tmp_path / "out").ticks_total() == 4
    short = import_recording(path, kind, ImportPlan(tmp_path / "o", bar_ns=HOUR))
    assert "holds no whole bar" in short[0].problem


def test_options_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--column was 'when=Date'"):
        parse_columns(["when=Date"])
    with pytest.raises(UsageError, match="the symbol was 'x'"):
        parse_symbol("x")
    with pytest.raises(DataError, match="there is no file or folder"):
        files_of(tmp_path / "nowhere")
    with pytest.raises(DataError, match="the folder holds no table"):
        files_of(tmp_path)


def test_blanks_around_names_of_columns_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USDT_5m.csv"
    frame = rows().rename({"ts": "  Date ", "open": "Open ", "volume": " Amount"})
    columns = parse_columns(["time=  Date ", "volume=Amount"])
    found = imported(path, frame, columns=columns)
    assert found.bars == 60, found.problem
    reading = Reading(columns=columns)
    assert check_file(path, reading).report.counts == {}
    long = rows().rename({"ts": " time ", "close": " value "}).select(" time ", " value ")
    long.with_columns(pl.lit("macro.x").alias(" series ")).write_csv(tmp_path / "long.csv")
    assert check_file(tmp_path / "long.csv", Reading()).usable


def test_names_that_only_blanks_tell_apart_are_refused(tmp_path: Path) -> None:
    frame = rows().with_columns(pl.lit(1.0).alias(" open"))
    found = imported(tmp_path / "BTC-USDT_5m.csv", frame)
    assert "column open may be any of 'open', ' open'" in found.problem
    assert found.hint == "rename them in the file"
    other_case = rows().with_columns(pl.lit(1.0).alias("Open"))
    assert imported(tmp_path / "ETH-USDT_5m.csv", other_case).bars == 60


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_what_separates_columns_is_read_off_the_first_line(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "BTC-USDT_5m.csv"
    rows().write_csv(path, separator=separator)
    found = import_file(path, ImportPlan(tmp_path / "out"))
    assert (found.bars, found.report.counts) == (60, {}), found.problem
    assert RecordedSource(path).ticks_total() == 60


def test_hints_name_options_there_are(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USDT_5m.csv"
    frame = rows().rename({"open": "Opening"})
    found = imported(path, frame)
    assert "--column open=NAME of 'mirrorcore data check' and 'data import'" in found.hint
    assert imported(path, frame, columns=parse_columns(["open=Opening"])).bars == 60
    with pytest.raises(DataError, match="--column open=NAME"):
        RecordedSource(path)
    calendar = tmp_path / "unlocks.csv"
    frame.write_csv(calendar)
    with pytest.raises(DataError, match=r"missing column id.*\n.*a calendar has id, ") as told:
        read_calendar(calendar)
    assert "--column" not in told.value.hint
