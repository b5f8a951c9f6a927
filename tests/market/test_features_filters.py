"""The filters: equal to their textbook definition, and blind to how time is cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.market.features.filters import (
    Ema,
    Lag,
    WindowMean,
    WindowStd,
    WindowSum,
    cross_section_mean,
    decay_of,
    ema_weight,
    window_moments,
)

FILTERS: dict[str, Callable[[], Any]] = {
    "ema of a span": lambda: Ema(columns=3, span=12),
    "ema of months": lambda: Ema(columns=3, half_life_bars=140_000.0),
    "ema off the grid": lambda: Ema(columns=3, half_life_bars=12, phase=61),
    "ema bank": lambda: Ema(columns=3, decay=np.array([0.0, 0.5, 0.99])),
    "lag": lambda: Lag(5, 3),
    "no lag": lambda: Lag(0, 3),
    "sum": lambda: WindowSum(37, 3),
    "mean": lambda: WindowMean(20, 3),
    "std": lambda: WindowStd(96, 3, ddof=1),
    "window of one": lambda: WindowStd(1, 3),
}
each_filter = pytest.mark.parametrize("make", FILTERS.values(), ids=list(FILTERS))


def noise(rows: int, columns: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def in_blocks(flt: Any, x: np.ndarray, edges: list[int]) -> np.ndarray:
    bounds = [0, *edges, len(x)]
    return np.concatenate([flt(x[a:b]) for a, b in pairwise(bounds)])


@each_filter
@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_blocks_of_any_size_give_the_same_bits(make: Callable[[], Any], size: int) -> None:
    x = noise(500)
    assert np.array_equal(in_blocks(make(), x, list(range(size, 500, size))), make()(x))


@given(edges=st.lists(st.integers(0, 300), max_size=12).map(sorted), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_random_cuts_give_the_same_bits(edges: list[int], seed: int) -> None:
    x = noise(300, seed=seed)
    for make in FILTERS.values():
        assert np.array_equal(in_blocks(make(), x, edges), make()(x))


@each_filter
def test_a_checkpoint_goes_on_with_the_same_bits(make: Callable[[], Any]) -> None:
    x = noise(400)
    original, restored = make(), make()
    original(x[:233])
    state = original.checkpoint()
    rest = original(x[233:])
    restored.restore(state)
    assert np.array_equal(restored(x[233:]), rest)


@each_filter
def test_rows_not_committed_are_looked_at_and_not_remembered(make: Callable[[], Any]) -> None:
    x = noise(300)
    whole, tried = make()(x), make()
    tried(x[:100])
    ahead = tried(np.concatenate((x[100:150], 99 + x[150:180])), commit=50)
    assert np.array_equal(ahead[:50], whole[100:150])
    assert np.array_equal(tried(x[150:]), whole[150:])


def test_ema_is_the_usual_recursion() -> None:
    x, decay = noise(3000), decay_of(half_life_bars=288)
    y, expected = np.zeros(3), []
    for row in x:
        y = decay * y + (1 - decay) * row
        expected.append(y)
    assert np.allclose(Ema(columns=3, half_life_bars=288)(x), expected, rtol=0, atol=1e-14)


def test_ema_begins_with_the_value_where_it_is_told_to() -> None:
    x = noise(200) + 10
    x[:77, 1] = 0.0
    begin = np.zeros(x.shape, dtype=bool)
    begin[0, [0, 2]] = begin[77, 1] = True
    y = Ema(columns=3, span=9)(x, begin=begin)
    expected = x[77, 1]
    for t in range(78, 200):
        expected = 0.8 * expected + 0.2 * x[t, 1]
    assert np.all(y[:77, 1] == 0)
    assert y[77, 1] == x[77, 1]
    assert y[-1, 1] == pytest.approx(expected, rel=1e-14)


def test_an_average_divided_by_its_weight_has_no_start_bias() -> None:
    y = Ema(columns=2, half_life_bars=50)(np.full((300, 2), 7.0))
    weight = ema_weight(decay_of(half_life_bars=50), np.arange(1, 301))
    assert np.allclose(y / weight[:, np.newaxis], 7.0, rtol=1e-14)


def test_two_phases_agree_where_columns_were_zero_before() -> None:
    x = noise(500)
    x[:190] = 0.0
    early = Ema(columns=3, span=30, phase=10)(x)[190:]
    assert np.array_equal(Ema(columns=3, span=30, phase=200)(x[190:]), early)


def test_cleared_columns_start_again_and_others_do_not_notice() -> None:
    x = noise(300)
    ema = Ema(columns=3, span=30)
    ema(x[:100])
    ema.clear(np.array([False, True, False]))
    y = ema(x[100:])
    assert np.array_equal(y[:, [0, 2]], Ema(columns=3, span=30)(x)[100:, [0, 2]])
    assert np.array_equal(y[:, 1], Ema(columns=3, span=30, phase=100)(x[100:])[:, 1])


@pytest.mark.parametrize("n", [1, 2, 20, 96, 255])
def test_windows_equal_numpy_on_each_window(n: int) -> None:
    x = noise(300) + 1000
    total, mean, std = (
        WindowSum(n, 3)(x),
        WindowMean(n, 3)(x),
        WindowStd(n, 3)(x),
    )
    for t in (0, 1, n - 1, n, 200, 299):
        window = x[max(0, t - n + 1) : t + 1]
        assert np.allclose(total[t], window.sum(axis=0), rtol=1e-13)
        assert np.allclose(mean[t], window.mean(axis=0), rtol=1e-13)
        assert np.allclose(std[t], window.std(axis=0), rtol=1e-9, atol=1e-12)


def test_std_of_a_sample_divides_by_one_less() -> None:
    x = noise(50)
    std = WindowStd(10, 3, ddof=1)(x)
    assert np.all(std[0] == 0)
    assert np.allclose(std[30], x[21:31].std(axis=0, ddof=1), rtol=1e-12)


def test_a_flat_window_has_a_deviation_of_exactly_zero() -> None:
    assert np.all(WindowStd(96, 1)(np.full((200, 1), 0.1)) == 0.0)


def test_moments_of_known_values_ignore_the_rest() -> None:
    rng = np.random.default_rng(5)
    known = rng.random((80, 2)) < 0.4
    known[:30, 1] = False
    x = np.where(known, rng.normal(50, 1, (80, 2)), 0.0)
    found = window_moments(x, known.astype(float), (7, 20))
    for n, moments in found.items():
        for row in range(80 - n + 1):
            for column in range(2):
                values = x[row : row + n, column][known[row : row + n, column]]
                assert moments.count[row, column] == len(values)
                if len(values):
                    assert moments.mean[row, column] == pytest.approx(values.mean(), rel=1e-13)
                    deviation = ((values - values.mean()) ** 2).sum()
                    assert moments.deviation[row, column] == pytest.approx(deviation, abs=1e-11)


def test_cross_section_mean_is_over_those_present_and_blind_to_the_absent() -> None:
    x = noise(40, 6)
    present = np.random.default_rng(2).random(x.shape) < 0.6
    present[3] = False
    mean = cross_section_mean(np.where(present, x, np.nan), present)
    assert mean[3] == 0.0
    for t in range(40):
        if present[t].any():
            assert mean[t] == pytest.approx(x[t][present[t]].mean(), rel=1e-12)
    wider = np.insert(np.where(present, x, np.nan), 2, np.nan, axis=1)
    same = cross_section_mean(wider, np.insert(present, 2, False, axis=1))
    assert np.array_equal(mean, same)
    alone = [cross_section_mean(x[t : t + 1], present[t : t + 1])[0] for t in range(40)]
    assert np.array_equal(mean, alone)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ema(columns=1), "exactly one"),
        (lambda: Ema(columns=1, span=3, half_life_bars=2), "exactly one"),
        (lambda: Ema(columns=1, span=3, decay=0.5), "exactly one"),
        (lambda: Ema(columns=1, span=0.5), "at least 1"),
        (lambda: Ema(columns=1, half_life_bars=0), "above 0"),
        (lambda: Ema(columns=1, decay=1.0), r"\[0, 1\)"),
        (lambda: Lag(-1, 1), "look ahead"),
        (lambda: WindowSum(0, 1), "at least 1 row"),
        (lambda: WindowMean(0, 1), "at least 1 row"),
        (lambda: Lag(1, 2)(np.zeros((4, 3))), "2 columns"),
        (lambda: Lag(1, 2)(np.zeros((4, 2)), commit=5), "4 rows"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
