"""Recorded history: what is read, what is refused and with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mirrorcore import clock
from mirrorcore.data_sources import HistorySource, RecordedSource, SeriesFile
from mirrorcore.errors import DataError
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.records import Flag
from mirrorcore.market.validator import Case

MINUTE = clock.MINUTE
START = 1_704_067_200 * clock.SECOND  # 2024-01-01


def candles(count: int = 100, *, seed: int = 1, bar_ns: int = MINUTE) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, count)))
    open_ = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "date": START + bar_ns * np.arange(count, dtype=np.int64),
            "open": open_,
            "high": np.maximum(open_, close) + 0.1,
            "low": np.minimum(open_, close) - 0.1,
            "close": close,
            "volume": rng.lognormal(0, 1, count),
        }
    )


def datetimes(frame: pl.DataFrame, unit: Any = "ns", zone: str | None = "UTC") -> pl.DataFrame:
    return frame.with_columns(
        pl.from_epoch("date", time_unit="ns").dt.cast_time_unit(unit).dt.replace_time_zone(zone)
    )


def write(path: Path, frame: pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_ipc(path)
    return path


def closes(source: RecordedSource) -> list[list[float]]:
    return [row for block in source.blocks() for row in block.close.tolist()]


def epoch(divisor: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.col("date") // divisor)


def text(frame: pl.DataFrame, pattern: str) -> pl.DataFrame:
    return datetimes(frame).with_columns(pl.col("date").dt.strftime(pattern))


FORMS: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "freqtrade feather": ("BTC_USDT-1m.feather", lambda f: datetimes(f, "ms")),
    "parquet us": ("v_BTCUSDT_1m.parquet", lambda f: datetimes(f, "us")),
    "parquet ns naive": ("v_BTCUSDT_1m_2024.parquet", lambda f: datetimes(f, "ns", None)),
    "csv iso zone": ("BTCUSDT_1m.csv", lambda f: text(f, "%Y-%m-%d %H:%M:%S+00:00")),
    "csv iso plain": ("BTCUSDT_1m.csv", lambda f: text(f, "%Y-%m-%dT%H:%M:%S")),
    "csv epoch s": ("BTCUSDT_1m.csv", epoch(10**9)),
    "csv epoch ms": ("BTCUSDT_1m.csv", epoch(10**6)),
    "parquet epoch us": ("BTCUSDT_1m.parquet", epoch(10**3)),
    "parquet epoch ns": ("BTCUSDT_1m.parquet", epoch(1)),
    "parquet epoch float ms": (
        "BTCUSDT_1m.parquet",
        lambda f: epoch(10**6)(f).with_columns(pl.col("date").cast(pl.Float64)),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_gives_the_same_bars(tmp_path: Path, form: str) -> None:
    name, shape = FORMS[form]
    frame = candles()
    path = write(tmp_path / name, shape(frame))
    source: HistorySource = RecordedSource(path)
    assert source.symbols == ("BTC/USDT",)
    assert source.bar_ns == MINUTE
    assert source.ticks_total() == 100
    (block,) = source.blocks()
    assert block.open_ts[:, 0].tolist() == frame["date"].to_list()
    assert (block.ts == block.open_ts[:, 0] + MINUTE).all()
    assert block.close[:, 0].tolist() == frame["close"].to_list()
    assert block.present.all()
    assert source.verdicts.rejected_share() == 0
    assert (
        source.digest()
        == RecordedSource(write(tmp_path / "r" / "BTCUSDT_1m.parquet", frame)).digest()
    )


def test_symbols_are_united_on_one_axis(tmp_path: Path) -> None:
    frame = candles(10)
    write(tmp_path / "BTC_USDT-1m.feather", datetimes(frame))
    write(tmp_path / "ETH_USDT-1m.feather", datetimes(frame.gather([2, 3, 9])))
    source = RecordedSource(tmp_path, symbols=["ETHUSDT", "BTC/USDT"])
    (block,) = source.blocks()
    assert source.symbols == ("ETH/USDT", "BTC/USDT")
    assert np.flatnonzero(block.present[:, 0]).tolist() == [2, 3, 9]
    assert np.isnan(block.volume[0, 0])
    assert block.open_ts[0].tolist() == [0, START]
    assert [one.sparse for one in source.instruments] == [True, False]


def test_blocks_are_cut_at_will(tmp_path: Path) -> None:
    source = RecordedSource(write(tmp_path / "BTCUSDT_1m.parquet", candles(50)))
    whole = closes(source)
    for rows in (1, 7, 4096):
        blocks = list(source.blocks(3, rows))
        assert [block.index for block in blocks] == list(range(3, 50, rows))
        assert [row for block in blocks for row in block.close.tolist()] == whole[3:]


def test_one_changed_bar_changes_the_digest_and_a_rename_does_not(tmp_path: Path) -> None:
    frame = candles()
    first = RecordedSource(write(tmp_path / "a" / "BTCUSDT_1m.parquet", frame)).digest()
    renamed = RecordedSource(write(tmp_path / "b" / "v_BTCUSDT_1m_x.csv", frame)).digest()
    assert renamed == first
    for column in ("open", "high", "low", "close", "volume"):
        touched = frame.with_columns(
            pl.when(pl.int_range(pl.len()) == 40)
            .then(pl.col(column) * (1 + 1e-15))
            .otherwise(pl.col(column))
        )
        path = write(tmp_path / column / "BTCUSDT_1m.parquet", touched)
        assert RecordedSource(path).digest() != first
    other = RecordedSource(write(tmp_path / "c" / "ETHUSDT_1m.parquet", frame)).digest()
    assert other != first


def test_the_timerange_is_half_open_and_part_of_the_digest(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT_1h.parquet", candles(96, bar_ns=clock.HOUR))
    source = RecordedSource(path, timerange="20240102-20240103")
    (block,) = source.blocks()
    assert block.open_ts[0, 0] == START + clock.DAY
    assert len(block) == 24
    assert source.digest() != RecordedSource(path).digest()
    assert RecordedSource(path, timerange="20240103-").ticks_total() == 48
    assert RecordedSource(path, timerange="-20240102").ticks_total() == 24
    with pytest.raises(DataError, match="no bar of BTC/USDT within") as raised:
        RecordedSource(path, timerange="20250101-")
    assert "2024-01-01" in raised.value.hint


def test_yearly_files_follow_each_other_and_may_not_overlap(tmp_path: Path) -> None:
    frame = candles(20)
    write(tmp_path / "v_BTCUSDT_1m_b.parquet", frame[:12])
    write(tmp_path / "v_BTCUSDT_1m_a.parquet", frame[12:])
    assert closes(RecordedSource(tmp_path)) == [[c] for c in frame["close"].to_list()]
    write(tmp_path / "v_BTCUSDT_1m_a.parquet", frame[11:])
    with pytest.raises(DataError, match=r"1m_b\.parquet and v_BTCUSDT_1m_a\.parquet overlap"):
        RecordedSource(tmp_path)


def test_a_described_instrument_is_kept_and_others_get_small_steps(tmp_path: Path) -> None:
    from decimal import Decimal

    import msgspec

    write(tmp_path / "k_ETHUSDT_1m.parquet", candles(seed=2))
    mine = Instrument(
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        settlement="USDT",
        tick=Decimal("0.1"),
        described=True,
    )
    frame = candles(1000).gather([*range(400), *range(500, 1000)])
    write(tmp_path / "k_BTCUSDT_1m.parquet", frame)
    source = RecordedSource(tmp_path, instruments=[mine])
    assert source.instruments == (
        msgspec.structs.replace(mine, venue="k", sparse=True),
        undescribed("ETH/USDT", venue="k"),
    )
    dense = RecordedSource(tmp_path, instruments=[mine], sparse=False)
    assert [one.sparse for one in dense.instruments] == [False, False]


def test_missing_bars_of_a_dense_file_are_gaps(tmp_path: Path) -> None:
    path = write(
        tmp_path / "BTCUSDT_1m.parquet", candles(1000).gather([*range(500), *range(502, 1000)])
    )
    source = RecordedSource(path)
    assert not source.instruments[0].sparse
    assert source.verdicts.counts["BTCUSDT_1m.parquet", Case.GAP] == 1
    (block,) = source.blocks()
    assert np.flatnonzero(block.flags[:, 0] & Flag.AFTER_GAP).tolist() == [500]
    forced = RecordedSource(path, sparse=True)
    assert ("BTCUSDT_1m.parquet", Case.GAP) not in forced.verdicts.counts


@pytest.mark.parametrize(("bars", "told"), [(989, True), (990, False), (1000, False)])
def test_a_file_that_ends_before_the_others_is_told(tmp_path: Path, bars: int, told: bool) -> None:
    """Its symbol stands at a price at which nobody trades any more; ten bars are let pass."""
    write(tmp_path / "BTCUSDT_1m.csv", candles(1000))
    write(tmp_path / "ETHUSDT_1m.csv", candles(bars))
    verdicts = RecordedSource(tmp_path).verdicts
    assert verdicts.counts.get(("ETHUSDT_1m.csv", Case.GAP), 0) == int(told)
    assert ("BTCUSDT_1m.csv", Case.GAP) not in verdicts.counts
    start = "ETH/USDT ends at 2024-01-01T16:29:00+00:00, 11 bars before the others"
    assert [remark.startswith(start) for remark in verdicts.remarks] == [True] * told


def test_a_market_that_closes_may_end_days_before_one_that_does_not(tmp_path: Path) -> None:
    count = 12 * 1440
    whole = candles(count)
    write(tmp_path / "BTCUSDT_1m.csv", whole)
    for days, told in ((5, False), (6, True)):
        # One bar of ten is left out.
        rows = [row for row in range(count - days * 1440) if row % 10]
        write(tmp_path / "ETHUSDT_1m.csv", whole.gather(rows))
        assert len(RecordedSource(tmp_path).verdicts.remarks) == int(told)


def test_a_file_newest_first_is_turned_round(tmp_path: Path) -> None:
    frame = candles()
    source = RecordedSource(write(tmp_path / "BTCUSDT_1m.csv", frame.reverse()))
    assert closes(source) == [[c] for c in frame["close"].to_list()]
    assert source.verdicts.counts["BTCUSDT_1m.csv", Case.ROW_ORDER] == 1


def test_a_bad_row_is_left_out_with_its_place_in_the_file(tmp_path: Path) -> None:
    frame = candles(1000).with_columns(
        high=pl.when(pl.int_range(pl.len()) == 70).then(1.0).otherwise(pl.col("high"))
    )
    source = RecordedSource(write(tmp_path / "BTCUSDT_1m.parquet", frame))
    assert source.ticks_total() == 999
    (sample,) = [s for s in source.verdicts.quarantine if s.case is Case.HIGH_LOW]
    assert (sample.source, sample.row) == ("BTCUSDT_1m.parquet", 70)
    source.verdicts.check()


CELLS = {".": Case.MISSING_VALUE, "": Case.MISSING_VALUE, "null": Case.MISSING_VALUE}
CELLS |= {"abc": Case.WRONG_TYPE, "1,5": Case.WRONG_TYPE, "nan": Case.NOT_FINITE}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_is_no_number_is_never_zero(tmp_path: Path, cell: str) -> None:
    frame = candles(200).cast({"close": pl.String})
    frame = frame.with_columns(
        close=pl.when(pl.int_range(pl.len()) == 9).then(pl.lit(cell)).otherwise(pl.col("close"))
    )
    source = RecordedSource(write(tmp_path / "BTCUSDT_1m.csv", frame))
    assert source.verdicts.counts["BTCUSDT_1m.csv", CELLS[cell]] == 1
    assert source.verdicts.seen["BTCUSDT_1m.csv"] == 200
    assert source.ticks_total() == 199
    assert min(c for (c,) in closes(source)) > 1


def test_nulls_in_parquet_are_missing_values(tmp_path: Path) -> None:
    frame = candles(200).with_columns(
        volume=pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise(pl.col("volume"))
    )
    source = RecordedSource(write(tmp_path / "BTCUSDT_1m.parquet", frame))
    assert source.verdicts.counts["BTCUSDT_1m.parquet", Case.MISSING_VALUE] == 3
    assert source.ticks_total() == 197


def test_a_csv_cut_off_within_its_last_line_ends_at_the_line_before(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT_1m.csv", candles(200))
    content = path.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(content[: last + 30])
    source = RecordedSource(path)
    assert source.ticks_total() == 199
    (sample,) = [s for s in source.verdicts.quarantine if s.case is Case.TRUNCATED]
    assert (sample.row, sample.detail) == (199, f"cut off at byte {last}")


@pytest.mark.parametrize("name", ["BTCUSDT_1m.parquet", "BTCUSDT_1m.feather"])
def test_a_binary_file_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, candles())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read, it may be cut off") as raised:
        RecordedSource(path)
    assert str(path) in raised.value.message
    assert raised.value.exit_code == 4


def test_an_empty_file_and_one_without_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT_1m.csv"
    path.touch()
    with pytest.raises(DataError, match="is empty"):
        RecordedSource(path)
    write(path, candles()[:0])
    with pytest.raises(DataError, match="hold no bar"):
        RecordedSource(path)


def test_missing_columns_are_all_named_beside_those_there(tmp_path: Path) -> None:
    path = write(
        tmp_path / "BTCUSDT_1m.csv", candles().rename({"date": "when", "volume": "amount"})
    )
    with pytest.raises(DataError, match=r"missing column ts or date.*volume or.*has when, open"):
        RecordedSource(path)
    source = RecordedSource(path, columns={"time": "when", "volume": "Amount"})
    assert source.ticks_total() == 100


def test_a_column_of_another_kind_is_named(tmp_path: Path) -> None:
    frame = candles().with_columns(close=pl.lit(True))
    with pytest.raises(DataError, match="column close holds Boolean, not numbers"):
        RecordedSource(write(tmp_path / "BTCUSDT_1m.parquet", frame))
    frame = candles().with_columns(date=pl.lit(True))
    with pytest.raises(DataError, match="column date holds Boolean, not times"):
        RecordedSource(write(tmp_path / "ETHUSDT_1m.parquet", frame))


def test_a_name_that_lies_about_the_timeframe_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT_5m.parquet", candles())
    with pytest.raises(DataError, match="says bars of 5m, but the rows are 1m apart"):
        RecordedSource(path)


def test_datetimes_written_in_the_wrong_unit_are_refused(tmp_path: Path) -> None:
    frame = candles().with_columns(date=pl.from_epoch(pl.col("date") // 10**6, time_unit="us"))
    path = write(tmp_path / "BTCUSDT_1m.parquet", frame)
    with pytest.raises(DataError, match=r"column date: the time 1970-.*outside 1990 to 2099"):
        RecordedSource(path)


def test_a_unit_the_config_contradicts_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT_1m.parquet", epoch(10**6)(candles()))
    assert RecordedSource(path, timestamp_unit="ms").ticks_total() == 100
    with pytest.raises(DataError, match="look like milliseconds, but the config says seconds"):
        RecordedSource(path, timestamp_unit="s")


def test_local_times_of_a_market_with_weekends_are_refused(tmp_path: Path) -> None:
    import msgspec

    weeks = np.concatenate([np.arange(120) + 168 * week for week in range(6)])
    frame = candles(len(weeks), bar_ns=clock.HOUR).with_columns(date=START + clock.HOUR * weeks)
    path = write(tmp_path / "EURUSD_1h.parquet", frame)
    euro = msgspec.structs.replace(undescribed("EUR/USD"), trading_hours="24/5")
    assert RecordedSource(path).ticks_total() == len(weeks)
    with pytest.raises(DataError, match=r"EURUSD_1h\.parquet: the week opens on Monday at 00:00"):
        RecordedSource(path, instruments=[euro])


# --- side channels -------------------------------------------------------------------------------


def daily(tmp_path: Path) -> SeriesFile:
    frame = pl.DataFrame(
        {
            "date": [START - clock.DAY, START, START + clock.DAY],
            "value": [20, None, 60],
            "series": ["FNG", "FNG", "FNG"],
        }
    )
    path = write(tmp_path / "fng.parquet", datetimes(frame, "us", None))
    return SeriesFile(path, "sentiment.fear_greed", lag_ns=clock.DAY, where={"series": "FNG"})


def test_a_side_channel_is_known_after_its_lag_and_a_hole_in_it_is_no_news(tmp_path: Path) -> None:
    path = write(tmp_path / "BTCUSDT_1h.parquet", candles(60, bar_ns=clock.HOUR))
    source = RecordedSource(path, series=[daily(tmp_path)])
    (block,) = source.blocks()
    series = block.series["sentiment.fear_greed"]
    known = int(np.searchsorted(block.ts, START + 2 * clock.DAY))
    assert (series.value[:known] == 20).all()
    assert (series.known_at[:known] == START).all(), "the value ages"
    assert (series.value[known:] == 60).all()
    assert source.verdicts.counts["fng.parquet:sentiment.fear_greed", Case.SERIES_HOLE] == 1
    assert source.digest() != RecordedSource(path).digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": Path("nowhere.parquet")}, "there is no file nowhere.parquet"),
        ({"value": "index"}, "missing column index"),
        ({"symbol": "SOL/USDT"}, "SOL/USDT, which is not in this run"),
        ({"name": "fear"}, "belongs to no category"),
        ({"where": {"kind": "FNG"}}, "missing column kind"),
    ],
)
def test_a_side_channel_that_does_not_fit(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    from dataclasses import replace

    path = write(tmp_path / "BTCUSDT_1h.parquet", candles(60, bar_ns=clock.HOUR))
    with pytest.raises(DataError) as raised:
        RecordedSource(path, series=[replace(daily(tmp_path), **changes)])
    assert message in str(raised.value)


def test_a_side_channel_in_another_unit_is_rejected_by_its_bounds(tmp_path: Path) -> None:
    from dataclasses import replace

    path = write(tmp_path / "BTCUSDT_1h.parquet", candles(60, bar_ns=clock.HOUR))
    file = replace(daily(tmp_path), bounds=(0.0, 1.0))
    source = RecordedSource(path, series=[file])
    assert source.verdicts.counts["fng.parquet:sentiment.fear_greed", Case.OUT_OF_RANGE] == 2
    with pytest.raises(DataError, match="2 of 3 records were rejected"):
        source.verdicts.check(least=0)


def test_polars_is_not_imported_before_a_file_is_opened() -> None:
    import subprocess
    import sys

    code = "import sys, mirrorcore.data_sources; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
