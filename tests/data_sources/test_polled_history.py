"""What a polled source told can be replayed from a file: first vintage first, nothing early."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock, load_config
from mirrorcore.clock import HOUR, SECOND
from mirrorcore.data_sources import RecordedSource, SeriesFile
from mirrorcore.data_sources.known_values import Dated, published
from mirrorcore.data_sources.observation_files import write_observations
from mirrorcore.data_sources.side_channels import read_series
from mirrorcore.data_sources.social.text_files import TextFile, read_texts
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.records import Flag, Text
from mirrorcore.swarm.sources import open_source


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


START = at("2024-01-01")
HISTORY = published(
    "fred",
    "macro.us_cpi",
    "*",
    [
        Dated(at("2023-12-01"), at("2024-01-03T13:30"), 306.7),
        Dated(at("2023-12-01"), at("2024-01-08T13:30"), 308.7),
        Dated(at("2024-01-01"), at("2024-01-06T13:30"), None),
        Dated(at("2024-01-01"), at("2024-01-10T13:30"), 309.7),
    ],
)


def candles(folder: Path, bars: int = 14 * 24) -> Path:
    times = START + clock.HOUR * np.arange(bars, dtype=np.int64)
    frame = pl.DataFrame({"ts": times, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5})
    path = folder / "BTCUSDT_1h.parquet"
    frame.with_columns(volume=pl.lit(1.0)).write_parquet(path)
    return path


def known(source: RecordedSource, series: str) -> list[tuple[str, float]]:
    """(available, value) of every change, as the swarm sees it at the end of each bar."""
    (block,) = source.blocks()
    found = block.series[series]
    seen: dict[int, float] = {}
    for available, value in zip(
        found.known_at[:, 0].tolist(), found.value[:, 0].tolist(), strict=True
    ):
        seen[available] = value
    return [(clock.iso(instant)[:16], value) for instant, value in seen.items() if instant]


def test_a_history_comes_back_from_its_file_as_it_became_known(tmp_path: Path) -> None:
    path = tmp_path / "fred.parquet"
    write_observations(path, HISTORY)
    file = SeriesFile(path, "macro.us_cpi", released="released", where={"series": "macro.us_cpi"})
    source = RecordedSource(candles(tmp_path), series=[file])
    assert [available for available, _ in known(source, "macro.us_cpi")] == [
        "2024-01-03T13:30",
        "2024-01-08T13:30",
        "2024-01-10T13:30",
    ]
    assert [value for _, value in known(source, "macro.us_cpi")] == [306.7, 308.7, 309.7]
    assert source.verdicts.counts["fred.parquet:macro.us_cpi", Case.SERIES_HOLE] == 1
    assert source.verdicts.counts["fred.parquet:macro.us_cpi", Case.NEW_VINTAGE] == 1
    assert not list(tmp_path.glob(".*"))


def test_a_correction_after_the_next_figure_is_history(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "date,released,value\n"
        "2023-12-01,2024-01-03T13:30:00Z,1\n"
        "2024-01-01,2024-01-06T13:30:00Z,2\n"
        "2023-12-01,2024-01-08T13:30:00Z,3\n"
    )
    file = SeriesFile(path, "macro.x", released="released")
    source = RecordedSource(candles(tmp_path), series=[file])
    assert [value for _, value in known(source, "macro.x")] == [1.0, 2.0]
    assert source.verdicts.counts["x.csv:macro.x", Case.OLD_VINTAGE] == 1


@pytest.mark.parametrize("hole", ["", ".", "null"])
def test_a_hole_in_a_series_leaves_what_is_known_and_is_told(tmp_path: Path, hole: str) -> None:
    path = tmp_path / "fear.csv"
    path.write_text(f"date,value\n2024-01-01,40\n2024-01-02,{hole}\n2024-01-03,42\n")
    source = RecordedSource(candles(tmp_path), series=[SeriesFile(path, "sentiment.x")])
    assert known(source, "sentiment.x") == [("2024-01-01T00:00", 40.0), ("2024-01-03T00:00", 42.0)]
    assert source.verdicts.seen["fear.csv:sentiment.x"] == 3
    assert source.verdicts.counts["fear.csv:sentiment.x", Case.SERIES_HOLE] == 1
    assert source.verdicts.rejected_share("fear.csv:sentiment.x") == 0


def test_what_is_wrong_in_a_series_says_its_place_in_the_file_and_what_stands_there(
    tmp_path: Path,
) -> None:
    """Counted in the file as it is, whatever rows of other series stand between."""
    path = tmp_path / "long.csv"
    path.write_text(
        "series,date,rt,value\n"
        "CPI,2024-01-01,2024-01-02T00:00:00Z,1\n"
        "VIX,2024-01-01,2024-01-02T00:00:00Z,xx\n"
        "CPI,2024-01-02,2024-01-03T00:00:00Z,yy\n"
        "CPI,2024-01-03,,3\n"
        "CPI,2024-01-04,2024-01-05T00:00:00Z,\n"
        "CPI,2024-01-05,2024-01-06T00:00:00Z,inf\n"
        "CPI,later,2024-01-07T00:00:00Z,4\n"
    )
    file = SeriesFile(path, "macro.cpi", released="rt", where={"series": "CPI"})
    source = RecordedSource(candles(tmp_path), series=[file])
    kept = [one for one in source.verdicts.quarantine if one.source == "long.csv:macro.cpi"]
    samples = {one.counted_row: one for one in kept}
    assert {row: (one.case, one.values["macro.cpi"]) for row, one in samples.items()} == {
        3: (Case.WRONG_TYPE, "yy"),
        4: (Case.MISSING_VALUE, 3.0),
        5: (Case.SERIES_HOLE, None),
        6: (Case.NOT_FINITE, float("inf")),
        7: (Case.WRONG_TYPE, 4.0),
    }
    assert samples[4].values["released"] is None
    assert samples[7].values["time"] == "later"


def test_a_number_that_is_none_is_refused_and_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "fear.csv"
    path.write_text("date,value\n2024-01-01,40\n2024-01-02,nan\n2024-01-03,42\n")
    source = RecordedSource(candles(tmp_path), series=[SeriesFile(path, "sentiment.x")])
    assert [value for _, value in known(source, "sentiment.x")] == [40.0, 42.0]
    assert source.verdicts.counts["fear.csv:sentiment.x", Case.NOT_FINITE] == 1


def test_rows_in_any_order_give_the_same_replay(tmp_path: Path) -> None:
    path, shuffled = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_observations(path, HISTORY)
    pl.read_parquet(path).sort("date", "released", descending=True).write_parquet(shuffled)
    one, other = (
        read_series(SeriesFile(p, "macro.x", released="released"), (), IntakeReport())
        for p in (path, shuffled)
    )
    assert one.columns.ts_avail.tolist() == other.columns.ts_avail.tolist()
    assert one.columns.ts_event.tolist() == other.columns.ts_event.tolist()
    np.testing.assert_array_equal(one.columns.value, other.columns.value)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_release_given_as_a_day_counts_from_the_end_of_that_day(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"cpi{suffix}"
    frame = pl.DataFrame(
        {
            "date": ["2023-12-01", "2024-01-01"],
            "rt": ["2024-01-11", "2024-02-13"],
            "cpi": [1.5, 2.5],
        }
    )
    write = {".csv": frame.write_csv, ".json": frame.write_json, ".jsonl": frame.write_ndjson}
    write[suffix](path)
    file = SeriesFile(path, "macro.cpi", value="cpi", released="rt", lag_ns=HOUR)
    channel = read_series(file, (), IntakeReport())
    assert channel.columns.ts_avail.tolist() == [
        at("2024-01-12T01:00"),
        at("2024-02-14T01:00"),
    ]
    assert channel.columns.value.tolist() == [1.5, 2.5]


def test_a_release_that_is_missing_leaves_its_row_out(tmp_path: Path) -> None:
    path = tmp_path / "cpi.csv"
    path.write_text("date,rt,value\n2023-12-01,2024-01-11T13:30:00Z,1\n2024-01-01,,2\n")
    report = IntakeReport()
    channel = read_series(SeriesFile(path, "macro.cpi", released="rt"), (), report)
    assert channel.columns.value.tolist() == [1.0]
    assert report.counts["cpi.csv:macro.cpi", Case.MISSING_VALUE] == 1


def test_a_release_before_what_it_describes_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("date,rt,value\n2024-01-05,2024-01-02T10:00:00Z,1\n")
    source = RecordedSource(candles(tmp_path), series=[SeriesFile(path, "macro.x", released="rt")])
    assert source.verdicts.counts["x.csv:macro.x", Case.FUTURE] == 1
    assert known(source, "macro.x") == []


def test_a_series_older_than_any_market_is_read_from_1990_on(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("date,value\n1913-01-01,1\n1989-12-01,2\n1990-01-01,3\n2024-01-01,4\n")
    channel = read_series(SeriesFile(path, "macro.x"), (), IntakeReport())
    assert channel.columns.value.tolist() == [3.0, 4.0]
    path.write_text("date,value\n1970-01-20,1\n1970-01-21,2\n")
    with pytest.raises(DataError, match="outside 1990 to 2099"):
        read_series(SeriesFile(path, "macro.x"), (), IntakeReport())


def test_a_configuration_can_name_release_and_rows(tmp_path: Path) -> None:
    (tmp_path / "candles").mkdir()
    candles(tmp_path / "candles")
    write_observations(tmp_path / "fred.parquet", HISTORY)
    config = tmp_path / "run.toml"
    config.write_text(
        """
        [market]
        source = "recorded"
        directory = "candles"
        [[market.series]]
        name = "macro.us_cpi"
        path = "fred.parquet"
        time = "date"
        released = "released"
        where = { series = "macro.us_cpi" }
        """
    )
    source = open_source(load_config(config, {}).config)
    assert isinstance(source, RecordedSource)
    assert known(source, "macro.us_cpi")[0] == ("2024-01-03T13:30", 306.7)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/x\.parquet: the file cannot be written"):
        write_observations(tmp_path / "nowhere" / "x.parquet", HISTORY)


instants = st.integers(0, 20 * 24).map(lambda hour: START + hour * HOUR)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(instants, instants, st.sampled_from([1.0, 2.0, 3.0])), max_size=10),
    instants,
)
def test_cutting_the_future_off_a_file_changes_nothing_that_was_visible(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    values = [Dated(min(e, r), max(e, r), v) for e, r, v in rows]
    write_observations(folder / "a.parquet", published("s", "macro.x", "*", values))
    past = [one for one in values if one.released <= cut]
    write_observations(folder / "b.parquet", published("s", "macro.x", "*", past))
    blocks = []
    for name in ("a.parquet", "b.parquet"):
        file = SeriesFile(folder / name, "macro.x", released="released")
        (block,) = RecordedSource(candles(folder), series=[file]).blocks()
        blocks.append((block.series["macro.x"], block.ts <= cut))
    (whole, rows_a), (early, rows_b) = blocks
    np.testing.assert_array_equal(whole.value[rows_a], early.value[rows_b])
    np.testing.assert_array_equal(whole.known_at[rows_a], early.known_at[rows_b])


def test_headlines_of_a_file_become_known_after_their_lag(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "ts,headline,link\n"
        "2024-01-02T10:00:00Z,Second,https://a.example/2\n"
        "2024-01-01T10:00:00Z,First,\n"
        "2024-01-03T10:00:00Z,,https://a.example/3\n"
        ",Undated,\n"
    )
    report = IntakeReport()
    found = read_texts(TextFile(path, link="link", lag_ns=5 * clock.MINUTE), report)
    assert [(t.title, t.url) for t in found] == [("First", ""), ("Second", "https://a.example/2")]
    assert all(t.ts_avail == t.ts_event + 5 * clock.MINUTE for t in found)
    assert all(t.flags == Flag.BACKFILL for t in found)
    assert report.seen["headlines"] == 4
    assert report.counts["headlines", Case.MISSING_VALUE] == 2
    pl.DataFrame({"ts": ["2024-01-01"], "headline": [1]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(DataError, match="holds Int64, not text"):
        read_texts(TextFile(tmp_path / "n.parquet"), report)
    assert isinstance(found[0], Text)
