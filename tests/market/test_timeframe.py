"""Names of timeframes, ranges, units of time and the weekly opening."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.timeframe import (
    EARLIEST,
    LATEST,
    NS_PER_UNIT,
    distinct,
    epoch_to_ns,
    epoch_unit,
    modal_spacing,
    parse_timeframe,
    parse_timerange,
    plausible_references,
    require_plausible,
    require_weekly_opening,
    weekly_opening,
)

JANUARY = 1_704_067_200 * clock.SECOND  # 2024-01-01, a Monday


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5m", 5 * clock.MINUTE), ("m5", 5 * clock.MINUTE), ("H1", clock.HOUR), ("d1", clock.DAY)],
)
def test_timeframes_in_both_spellings(text: str, expected: int) -> None:
    assert parse_timeframe(text) == expected


@pytest.mark.parametrize("text", ["1M", "5", "", "0m", "m"])
def test_no_timeframe(text: str) -> None:
    with pytest.raises(ValueError, match="was"):
        parse_timeframe(text)


def test_timerange_with_open_ends() -> None:
    both = parse_timerange("20240101-20240301")
    assert both == (JANUARY, JANUARY + 60 * clock.DAY)
    assert parse_timerange("20240101-") == (JANUARY, None)
    assert parse_timerange("-20240101") == (None, JANUARY)


@pytest.mark.parametrize(
    "text", ["-", "2024", "20240301-20240101", "20240101-20240101", "20241301-"]
)
def test_timerange_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="timerange"):
        parse_timerange(text)


@given(st.integers(EARLIEST, LATEST - 1), st.sampled_from(sorted(NS_PER_UNIT)))
def test_the_unit_of_an_epoch_number_is_certain(instant: int, unit: str) -> None:
    number = instant // NS_PER_UNIT[unit]
    if number * NS_PER_UNIT[unit] >= EARLIEST:
        assert epoch_unit(number) == unit
        assert epoch_to_ns(np.array([number]), where="x")[0] == number * NS_PER_UNIT[unit]


def test_a_column_in_two_units_is_refused_and_says_what_it_found() -> None:
    numbers = np.array([1_700_000_000] * 60 + [1_700_000_000_000] * 40)
    with pytest.raises(DataError, match=r"f\.csv: column ts.*60 × seconds, 40 × milliseconds"):
        epoch_to_ns(numbers, where="f.csv: column ts")


def test_another_unit_than_the_config_says_is_refused() -> None:
    numbers = np.array([1_700_000_000_000])
    with pytest.raises(DataError, match="look like milliseconds, but the config says seconds"):
        epoch_to_ns(numbers, where="f.csv", unit="s")


@pytest.mark.parametrize("stray", [1_700_000_000, 1_700_000_000_000_000, -5, 2**62])
def test_a_stray_number_of_another_unit_comes_out_of_range_and_never_plausible(stray: int) -> None:
    numbers = np.full(1000, 1_700_000_000_000, np.int64)
    numbers[7] = stray
    times = epoch_to_ns(numbers, where="f.csv")
    assert not EARLIEST <= times[7] < LATEST
    assert (times[8:] == 1_700_000_000 * clock.SECOND).all()


def test_datetimes_of_1970_are_refused_with_a_guess() -> None:
    with pytest.raises(DataError, match=r"1970-01-20.*× 1,000"):
        require_plausible(np.full(10, 1_700_000_000_000_000), where="f.parquet")


def test_a_few_datetimes_out_of_range_are_left_to_the_validator() -> None:
    times = np.full(1000, JANUARY)
    times[:10] = 0
    require_plausible(times, where="f.parquet")
    times[10] = 0
    with pytest.raises(DataError, match="1970-01-01"):
        require_plausible(times, where="f.parquet")


def test_modal_spacing_ignores_holes_order_and_repetition() -> None:
    times = JANUARY + clock.MINUTE * np.array([9, 0, 1, 2, 2, 3, 4, 20, 8])
    assert modal_spacing(times) == clock.MINUTE
    assert modal_spacing(times[:2]) is None


@given(st.lists(st.integers(-5, 5)))
def test_distinct_is_sorted_set(values: list[int]) -> None:
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


def trading_weeks(shift_hours: int) -> np.ndarray:
    """Hourly bars of ten weeks, Sunday 22:00 UTC to Friday 22:00 UTC, shifted."""
    sunday = JANUARY - 2 * clock.HOUR
    hours = np.concatenate([np.arange(120) + 168 * week for week in range(10)])
    return sunday + clock.HOUR * (hours + shift_hours)


@pytest.mark.parametrize("shift", [0, -1, 1])
def test_a_week_that_opens_on_sunday_evening_is_utc(shift: int) -> None:
    require_weekly_opening(trading_weeks(shift), where="EURUSD")
    assert weekly_opening(trading_weeks(0)) == (6, 22)


@pytest.mark.parametrize("shift", [2, 3, -4])
def test_a_shifted_week_is_not_utc(shift: int) -> None:
    with pytest.raises(DataError, match="EURUSD: the week opens on"):
        require_weekly_opening(trading_weeks(shift), where="EURUSD")


def test_a_market_without_weekend_has_no_opening() -> None:
    assert weekly_opening(JANUARY + clock.HOUR * np.arange(2000)) is None


def test_a_series_may_be_old_but_a_time_of_today_in_another_unit_is_seen() -> None:

    now = 1_700_000_000
    old = [-3_124_137_600 * clock.SECOND, 0, clock.DAY, 31_536_000 * clock.SECOND, now * 10**9]
    wrong = [now, now * 10**3, now * 10**6, -(2**63), 5 * 10**18]
    assert plausible_references(np.array(old)).all()
    assert not plausible_references(np.array(wrong)).any()
