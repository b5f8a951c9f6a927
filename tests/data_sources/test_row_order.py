"""Rows of a file that stand too early are at fault themselves, not all the rows after them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import MINUTE
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.checking import Reading, check_file
from mirrorcore.data_sources.importing import ImportPlan, import_file
from mirrorcore.data_sources.row_order import TOO_EARLY, too_early
from mirrorcore.market.block import Ints
from mirrorcore.market.intake import Case, IntakeReport

T0 = 1_704_067_200_000_000_000
BARS = 300


def swapped(path: Path, one: int = 49, other: int = 59) -> Path:
    """A file of candles with two rows exchanged."""
    places = list(range(BARS))
    places[one], places[other] = places[other], places[one]
    opens = [100.0 + n % 5 for n in places]
    frame = pl.DataFrame({"ts": [T0 + n * MINUTE for n in places], "open": opens})
    frame = frame.with_columns(
        high=pl.col("open") + 2,
        low=pl.col("open") - 2,
        close=pl.col("open") + 1,
        volume=pl.lit(1.0),
    )
    frame.write_csv(path)
    return path


def refused(report: IntakeReport) -> dict[int | None, str]:
    assert set(report.counts) <= {("BTCUSDT_1m.csv", case) for case in Case}
    assert report.counts["BTCUSDT_1m.csv", Case.OUT_OF_ORDER] == 2
    assert report.seen == {"BTCUSDT_1m.csv": BARS}
    kept = [one for one in report.quarantine if one.case is Case.OUT_OF_ORDER]
    return {one.counted_row: one.detail for one in kept}


def test_of_two_rows_exchanged_these_two_are_refused_wherever_the_file_is_read(
    tmp_path: Path,
) -> None:
    path = swapped(tmp_path / "BTCUSDT_1m.csv")
    source = RecordedSource(path)
    assert refused(source.verdicts) == {50: TOO_EARLY, 60: ""}
    assert source.ticks_total() == BARS - 2
    checked = check_file(path, Reading())
    assert refused(checked.report) == {50: TOO_EARLY, 60: ""}
    assert checked.usable
    done = import_file(path, ImportPlan(tmp_path / "out"))
    assert refused(done.report) == {50: TOO_EARLY, 60: ""}
    assert done.bars == BARS - 2


def test_a_row_of_another_year_is_refused_and_the_rows_after_it_are_not(tmp_path: Path) -> None:
    path = swapped(tmp_path / "BTCUSDT_1m.csv", 0, 0)
    late = pl.read_csv(path).with_row_index("row")
    stamps = pl.when(pl.col("row") == 20).then(pl.col("ts") + 10**18).otherwise(pl.col("ts"))
    late.with_columns(ts=stamps).drop("row").write_csv(path)
    source = RecordedSource(path)
    assert source.verdicts.counts["BTCUSDT_1m.csv", Case.OUT_OF_ORDER] == 1
    assert source.ticks_total() == BARS - 1


@pytest.mark.parametrize(
    "times",
    [
        [],
        [1],
        [1, 2, 3],
        [1, 2, 2, 3],
        [1, 3, 2, 4],  # neighbours: one is refused either way
        [1, 2, 3, 4, 5, 3, 4, 5, 6],  # written twice, as what a clock set back an hour says
        [5, 6, 7, 8, 1, 2, 3, 4],  # two halves in the wrong order: nobody can tell
    ],
)
def test_where_the_validator_refuses_as_few_it_decides(times: list[int]) -> None:
    assert too_early(np.array(times, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("times", "early"),
    [
        ([1, 6, 3, 4, 5, 2, 7], [1]),
        ([9, 1, 2, 3, 4], [0]),
        ([1, 8, 9, 2, 3, 4, 5, 10], [1, 2]),
        ([1, 4, 2, 3, 4, 5], [1]),
        ([1, 6, 3, 4, 2, 7, 12, 9, 10, 11, 13], [1, 6]),
    ],
)
def test_the_rows_newer_than_many_after_them_are_at_fault(
    times: list[int], early: list[int]
) -> None:
    assert too_early(np.array(times, np.int64)).tolist() == early


def late(times: Ints) -> int:
    highest, count = -1, 0
    for one in times.tolist():
        count += one <= highest
        highest = max(one, highest)
    return count


@given(st.lists(st.integers(0, 30), max_size=40))
def test_never_more_rows_are_refused_than_without(values: list[int]) -> None:
    times = np.array(values, np.int64)
    early = too_early(times)
    left = np.delete(times, early)
    assert len(early) + late(left) <= late(times)
    if len(early):
        assert len(early) + late(left) < late(times)
        assert all((times[place + 1 :] < times[place]).any() for place in early.tolist())
