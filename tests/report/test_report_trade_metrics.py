"""Figures of trades: by hand, by identity, and against scipy's t-test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorcore.report import trade_metrics as tm

PROFITS = np.array([30.0, -10.0, 0.0, 20.0, -15.0])


def test_by_hand() -> None:
    assert tm.win_rate(PROFITS) == pytest.approx(0.4)
    assert tm.loss_rate(PROFITS) == pytest.approx(0.4)
    assert tm.average_win(PROFITS) == pytest.approx(25.0)
    assert tm.average_loss(PROFITS) == pytest.approx(12.5)
    assert tm.payoff(PROFITS) == pytest.approx(2.0)
    assert tm.profit_factor(PROFITS) == pytest.approx(2.0)
    assert tm.expectancy(PROFITS) == pytest.approx(5.0)
    assert tm.expectancy_ratio(PROFITS) == pytest.approx(0.2)
    assert tm.system_quality(PROFITS) == pytest.approx(
        math.sqrt(5) * 5.0 / math.sqrt((625 + 225 + 25 + 225 + 400) / 4)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_expectancy_is_the_mean_profit(profits: list[float]) -> None:
    values = np.array(profits)
    assert tm.expectancy(values) == pytest.approx(values.mean(), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_p_value_is_that_of_the_t_test(seed: int) -> None:
    profits = np.random.default_rng(seed).standard_normal(30 + 17 * seed) + 0.1 * seed
    expected = stats.ttest_1samp(profits, 0.0).pvalue
    assert tm.mean_profit_p_value(profits) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("hits", "longest"), [("", 0), ("0", 0), ("1", 1), ("110111011", 3), ("1111", 4)]
)
def test_longest_streak(hits: str, longest: int) -> None:
    assert tm.longest_streak(np.array([c == "1" for c in hits], dtype=bool)) == longest


@pytest.mark.parametrize("profits", [[], [5.0], [5.0, 5.0, 5.0]])
def test_no_significance_without_spread(profits: list[float]) -> None:
    assert math.isnan(tm.system_quality(np.array(profits)))
    assert math.isnan(tm.mean_profit_p_value(np.array(profits)))


def test_no_value_without_both_sides() -> None:
    won, none = np.array([1.0, 2.0]), np.empty(0)
    assert math.isnan(tm.profit_factor(won))
    assert math.isnan(tm.payoff(won))
    assert tm.expectancy(won) == pytest.approx(1.5)
    assert math.isnan(tm.win_rate(none))
    assert math.isnan(tm.expectancy(none))
