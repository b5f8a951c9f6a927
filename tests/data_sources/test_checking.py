"""What a file is and what is wrong with it: told with case, count and row; nothing is changed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from mirrorcore.clock import MINUTE
from mirrorcore.data_sources.checking import Checked, Reading, check_file, check_path
from mirrorcore.data_sources.known_values import Dated, published
from mirrorcore.data_sources.observation_files import write_observations
from mirrorcore.data_sources.record_log import RecordLog
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Trade

T0 = 1_704_067_200_000_000_000
DAY = 86_400 * 10**9


def candles(count: int = 200) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [T0 + n * MINUTE for n in range(count)],
            "open": [100.0 + n % 5 for n in range(count)],
            "high": [103.0 + n % 5 for n in range(count)],
            "low": [98.0 + n % 5 for n in range(count)],
            "close": [101.0 + n % 5 for n in range(count)],
            "volume": [1.0] * count,
        }
    )


def counted(one: Checked) -> dict[Case, int]:
    found: dict[Case, int] = {}
    for _, case, times in one.report.rows():
        found[case] = found.get(case, 0) + times
    return found


def test_good_candles_are_nothing_to_remark(tmp_path: Path) -> None:
    path = tmp_path / "demo_BTCUSDT_1m.parquet"
    candles().write_parquet(path)
    before = path.read_bytes()
    one = check_file(path, Reading())
    assert (one.kind, one.records, one.usable, counted(one), one.notes) == (
        "candles", 200, True, {}, [],
    )  # fmt: skip
    assert path.read_bytes() == before


def test_a_bad_row_is_told_with_its_place(tmp_path: Path) -> None:
    frame = candles()
    frame[17, "high"] = 1.0
    frame.write_csv(tmp_path / "BTCUSDT_1m.csv")
    one = check_file(tmp_path / "BTCUSDT_1m.csv", Reading())
    assert (one.usable, counted(one)[Case.HIGH_LOW]) == (True, 1)
    assert [s.row for s in one.report.quarantine if s.case is Case.HIGH_LOW] == [17]


def test_a_file_of_bad_rows_is_unusable(tmp_path: Path) -> None:
    candles().with_columns(high=pl.lit(1.0)).write_csv(tmp_path / "BTCUSDT_1m.csv")
    one = check_file(tmp_path / "BTCUSDT_1m.csv", Reading())
    assert not one.usable
    assert "200 of 200 records were rejected" in one.problem


def test_a_venue_that_leaves_minutes_out_has_no_gaps(tmp_path: Path) -> None:
    candles(400).filter(pl.col("ts") // MINUTE % 3 != 0).write_parquet(
        tmp_path / "BTCUSDT_1m.parquet"
    )
    one = check_file(tmp_path / "BTCUSDT_1m.parquet", Reading())
    assert Case.GAP not in counted(one)
    assert counted(one)[Case.SPARSE_HOLE] > 0
    assert one.notes == ["intervals without trades are left out"]


def test_a_file_whose_name_says_nothing_is_judged_all_the_same(tmp_path: Path) -> None:
    renamed = candles().rename({"ts": "When", "open": "First"})
    renamed.write_csv(tmp_path / "export.csv")
    unsaid = check_file(tmp_path / "export.csv", Reading())
    assert "no candles, quotes, series or headlines; the file has When, First" in unsaid.problem
    one = check_file(tmp_path / "export.csv", Reading(columns={"time": "When", "open": "First"}))
    assert (one.kind, one.records, one.usable) == ("candles", 200, True)
    assert "the name says no symbol" in one.notes[0]


def test_quotes_that_cross_are_counted_once(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "ts": [T0 + n * 10**9 for n in range(300)],
            "bid": [1.1] * 300,
            "ask": [1.0 if n == 9 else 1.2 for n in range(300)],
        }
    )
    frame.write_parquet(tmp_path / "EURUSD_ticks.parquet")
    unsaid = check_file(tmp_path / "EURUSD_ticks.parquet", Reading())
    assert "which pair" in unsaid.problem
    one = check_file(tmp_path / "EURUSD_ticks.parquet", Reading(symbol="EUR/USD"))
    assert (one.kind, one.records, counted(one)[Case.CROSSED]) == ("quotes", 300, 1)


def test_series_with_their_corrections_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "macro.us_cpi.parquet"
    values = [Dated(T0 + n * 30 * DAY, T0 + n * 30 * DAY + 40 * DAY, 300.0 + n) for n in range(12)]
    values.append(Dated(T0, T0 + 500 * DAY, 299.0))
    write_observations(path, published("fred", "macro.us_cpi", "*", values))
    one = check_file(path, Reading())
    assert (one.kind, one.records, one.usable) == ("series", 13, True)
    assert one.notes == ["series macro.us_cpi"]


def test_a_long_table_of_series_is_judged_series_by_series(tmp_path: Path) -> None:
    days = [T0 + n * DAY for n in range(30)]
    frame = pl.DataFrame(
        {"series": ["a"] * 30 + ["b"] * 30, "date": days * 2, "value": [1.0 * n for n in range(60)]}
    )
    frame.write_parquet(tmp_path / "long.parquet")
    one = check_file(tmp_path / "long.parquet", Reading())
    assert (one.kind, one.records, one.usable, counted(one)) == ("series", 60, True, {})
    assert one.notes[0] == "series a, b"
    assert "when its values became public is not said" in one.notes[1]
    frame.filter(pl.col("series") == "a").drop("series").write_csv(tmp_path / "moods.csv")
    (alone,) = check_path(tmp_path / "moods.csv", Reading())
    assert (alone.records, alone.usable, alone.notes[0]) == (30, True, "series moods")


def test_headlines_are_judged_without_their_text_being_believed(tmp_path: Path) -> None:
    titles = [f"Market wire item {n}" for n in range(40)] + ["Market wire item 3", None]
    frame = pl.DataFrame({"ts": [T0 + n * MINUTE for n in range(42)], "headline": titles})
    frame.write_parquet(tmp_path / "wire.parquet")
    one = check_file(tmp_path / "wire.parquet", Reading())
    assert (one.kind, one.records) == ("headlines", 42)
    assert counted(one) == {Case.DUPLICATE: 1, Case.MISSING_VALUE: 1}


def test_prices_that_look_like_points_are_remarked(tmp_path: Path) -> None:
    frame = candles().with_columns(pl.col("open", "high", "low", "close") * 1000)
    frame.write_parquet(tmp_path / "EURUSD_1m.parquet")
    one = check_file(tmp_path / "EURUSD_1m.parquet", Reading())
    assert one.notes == ["prices look like whole points: import them with --points"]


def test_recorded_records_are_judged_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "live.jsonl"
    log = RecordLog(path)
    log.append(
        Trade(
            source="venue", symbol="BTC/USDT", ts_event=T0 + n, ts_recv=T0 + n, ts_avail=T0 + n,
            seq=n + 1, price=-1.0 if n == 3 else 100.0, quantity=1.0,
        )
        for n in range(600)
    )  # fmt: skip
    log.close()
    whole = check_file(path, Reading())
    assert (whole.kind, whole.records, whole.usable) == ("records", 600, True)
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    cut = check_file(path, Reading())
    assert (cut.records, cut.usable, counted(cut)[Case.TRUNCATED]) == (600, True, 1)


def test_the_record_a_kill_cut_off_makes_a_short_recording_no_worse(tmp_path: Path) -> None:
    path = tmp_path / "live.jsonl"
    line = (
        b'{"type":"trade","source":"v","symbol":"BTC/USDT","ts_event":%d,"ts_recv":%d,'
        b'"ts_avail":%d,"seq":%d,"price":100.0,"quantity":1.0}\n'
    )
    content = b"".join(line % (T0 + n, T0 + n, T0 + n, n + 1) for n in range(5))
    path.write_bytes(content[:-20])
    cut = check_file(path, Reading())
    assert (cut.records, cut.usable) == (5, True)
    assert cut.notes == [
        "4 trades among the records",
        "it ends within a record, as after a kill; all before it is whole",
    ]
    path.write_bytes(content[20:])
    broken = check_file(path, Reading())
    assert not broken.usable


@pytest.mark.parametrize("packed", [False, True])
def test_raw_messages_are_judged_and_the_skew_is_told(tmp_path: Path, packed: bool) -> None:
    lines = []
    for n in range(600):
        event = 1_723_161_601_438 + 100 * n
        trade = {"e": "trade", "E": event, "T": event, "s": "BTCUSDT", "t": n + 1}
        trade |= {"p": f"{61_685 + n % 9}.5", "q": "0.00017", "m": True}
        frame = json.dumps({"stream": "btcusdt@trade", "data": trade})
        lines.append(f"{event * 1_000_000 - 1_270_000_000} {frame}\n")
    content = "".join(lines).encode()
    path = tmp_path / ("spot.txt.gz" if packed else "spot.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    one = check_file(path, Reading())
    assert (one.kind, one.records, one.usable) == ("raw recording", 600, True)
    assert one.notes == [
        "the recorder's clock was 1.27 s behind the venue's",
        "600 trades among the records",
    ]


def test_a_folder_is_judged_file_by_file(tmp_path: Path) -> None:
    candles().write_parquet(tmp_path / "a_BTCUSDT_1m.parquet")
    (tmp_path / "b_BTCUSDT_1m.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "c.csv").write_bytes(b"")
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / ".hidden").write_text("not looked at")
    told: list[int] = []
    found = check_path(tmp_path, Reading(), tell=lambda done, total: told.append(done))
    assert [one.usable for one in found] == [True, False, False]
    assert told == [0, 1, 2]
    assert "cannot be read" in found[1].problem
    assert "is empty" in found[2].problem
    alone = check_file(tmp_path / "notes.md", Reading())
    assert "neither a recording nor a table" in alone.problem


def test_nothing_to_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        check_path(tmp_path / "nowhere", Reading())
    with pytest.raises(DataError, match="the folder holds neither tables nor recordings"):
        check_path(tmp_path, Reading())
    candles(1).clear().write_parquet(tmp_path / "BTCUSDT_1m.parquet")
    (one,) = check_path(tmp_path, Reading())
    assert "holds no record" in one.problem
