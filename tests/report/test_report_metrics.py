"""Figures of an equity curve: hand-worked values, published values, empyrical as oracle."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import START
from scipy import stats

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.report import metrics
from mirrorcore.report.distributions import incomplete_beta, normal_cdf, student_two_sided
from mirrorcore.report.metrics import Curve

YEAR = 365  # empyrical counts 252 days by default; ours is a market that never closes


def returns_of(seed: int, n: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(5, n) * 0.01 + 0.0005


@pytest.fixture(params=[1, 2, 3])
def returns(request: pytest.FixtureRequest) -> np.ndarray:
    return returns_of(request.param)


def curve_of(equity: list[float], step: int = DAY) -> Curve:
    return Curve(START + step * np.arange(len(equity), dtype=np.int64), np.array(equity))


class TestAgainstEmpyrical:
    def test_volatility(self, returns: np.ndarray) -> None:
        expected = empyrical.annual_volatility(returns, annualization=YEAR)
        assert metrics.volatility(returns) == pytest.approx(expected, rel=1e-12)

    def test_sharpe(self, returns: np.ndarray) -> None:
        expected = empyrical.sharpe_ratio(returns, annualization=YEAR)
        assert metrics.sharpe(returns) == pytest.approx(expected, rel=1e-12)

    def test_sharpe_above_a_risk_free_rate(self, returns: np.ndarray) -> None:
        expected = empyrical.sharpe_ratio(returns, risk_free=1e-4, annualization=YEAR)
        assert metrics.sharpe(returns, risk_free=1e-4) == pytest.approx(expected, rel=1e-12)

    def test_sortino(self, returns: np.ndarray) -> None:
        expected = empyrical.sortino_ratio(returns, annualization=YEAR)
        assert metrics.sortino(returns) == pytest.approx(expected, rel=1e-12)

    def test_omega(self, returns: np.ndarray) -> None:
        assert metrics.omega(returns) == pytest.approx(empyrical.omega_ratio(returns), rel=1e-12)

    def test_cvar(self, returns: np.ndarray) -> None:
        expected = empyrical.conditional_value_at_risk(returns, 0.05)
        assert metrics.cvar_95(returns) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("n", [20, 21, 39, 40, 41, 100, 101, 365])
    def test_cvar_takes_as_many_days(self, n: int) -> None:
        returns = returns_of(9, n)
        expected = empyrical.conditional_value_at_risk(returns, 0.05)
        assert metrics.cvar_95(returns) == pytest.approx(expected, rel=1e-12)

    def test_growth_drawdown_and_calmar(self, returns: np.ndarray) -> None:
        closes = np.concatenate(([100.0], 100.0 * np.cumprod(1 + returns)))
        growth = metrics.cagr(closes, len(returns))
        depth = metrics.drawdown(closes).max()
        assert growth == pytest.approx(empyrical.cagr(returns, annualization=YEAR), rel=1e-10)
        # empyrical writes a drawdown as a negative return.
        assert depth == pytest.approx(-empyrical.max_drawdown(returns), rel=1e-10)
        expected = empyrical.calmar_ratio(returns, annualization=YEAR)
        assert metrics.calmar(growth, depth) == pytest.approx(expected, rel=1e-9)

    def test_alpha_and_beta(self, returns: np.ndarray) -> None:
        market = returns_of(77) + 0.5 * returns
        alpha, beta = empyrical.alpha_beta(returns, market, annualization=YEAR)
        assert metrics.beta(returns, market) == pytest.approx(beta, rel=1e-9)
        assert metrics.alpha(returns, market) == pytest.approx(alpha, rel=1e-9)


class TestByHand:
    def test_sortino_divides_by_all_days(self) -> None:
        # mean .01; squares below 0: .0001 over four days, not over the one that lost.
        days = np.array([0.01, 0.02, -0.01, 0.02])
        assert metrics.sortino(days, periods=1.0) == pytest.approx(0.01 / math.sqrt(0.0001 / 4))

    def test_omega(self) -> None:
        assert metrics.omega(np.array([0.02, 0.01, -0.01])) == pytest.approx(3.0)

    def test_ulcer(self) -> None:
        # Depths after the first close: 0, .25, 0; over n - 1 = 2.
        assert metrics.ulcer(np.array([100.0, 120, 90, 130])) == pytest.approx(0.25 / math.sqrt(2))

    def test_penalty_is_that_of_the_formula(self) -> None:
        days = returns_of(4, 30)
        rho = abs(np.corrcoef(days[:-1], days[1:])[0, 1])
        expected = math.sqrt(1 + 2 * sum((30 - k) / 30 * rho**k for k in range(1, 30)))
        assert metrics.autocorrelation_penalty(days) == pytest.approx(expected, rel=1e-12)

    def test_cagr_of_a_half_year(self) -> None:
        assert metrics.cagr(np.array([100.0, 110.0]), 182.5) == pytest.approx(0.21)

    def test_time_mean_weighs_by_how_long_a_value_held(self) -> None:
        ts = START + HOUR * np.array([0, 3, 4], dtype=np.int64)
        assert metrics.time_mean(ts, np.array([1.0, 0.0, 9.0])) == pytest.approx(0.75)


class TestPublished:
    def test_probabilistic_sharpe_with_fat_tails(self) -> None:
        # Bailey & López de Prado (2012): .913 for the fund's moments, .982 were it normal.
        assert metrics.psr(0.458, 24, -2.448, 10.164, 0.0) == pytest.approx(0.913, abs=5e-4)
        assert metrics.psr(0.458, 24, 0.0, 3.0, 0.0) == pytest.approx(0.982, abs=5e-4)

    def test_probabilistic_sharpe_takes_the_moments_of_the_days(self) -> None:
        days = returns_of(5, 250)
        ratio = days.mean() / days.std(ddof=1)
        expected = metrics.psr(ratio, 250, stats.skew(days), stats.kurtosis(days) + 3, 0.0)
        assert metrics.probabilistic_sharpe(days) == pytest.approx(expected, rel=1e-12)


class TestDrawdowns:
    def test_the_textbook_case(self) -> None:
        (found,) = metrics.drawdowns(curve_of([100, 120, 90, 130]))
        assert found.depth == pytest.approx(0.25)
        assert found.amount == pytest.approx(30.0)
        assert found.peak == START + DAY
        assert found.trough == START + 2 * DAY
        assert found.recovered == START + 3 * DAY
        assert (found.fall, found.recovery) == (DAY, DAY)

    def test_starting_capital_is_a_peak(self) -> None:
        (found,) = metrics.drawdowns(curve_of([100, 80, 90]))
        assert found.depth == pytest.approx(0.2)
        assert found.peak == START
        assert found.recovered is None
        assert found.recovery is None

    def test_deepest_first_and_no_more_than_asked(self) -> None:
        curve = curve_of([100, 99, 101, 90, 102, 97, 103])
        assert [round(d.depth, 4) for d in metrics.drawdowns(curve, 2)] == [0.1089, 0.049]

    def test_none_where_equity_only_rose(self) -> None:
        assert metrics.drawdowns(curve_of([100, 100, 101])) == []

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60))
    def test_deepest_equals_the_slow_definition(self, equity: list[float]) -> None:
        slow = max(1 - later / earlier for i, earlier in enumerate(equity) for later in equity[i:])
        found = metrics.drawdowns(curve_of(equity))
        assert (found[0].depth if found else 0.0) == pytest.approx(max(slow, 0.0), abs=1e-12)


class TestDays:
    def test_a_run_from_midnight_to_midnight_has_all_its_days(self) -> None:
        ts = START + 6 * HOUR * np.arange(1, 13, dtype=np.int64)
        curve = metrics.with_start(ts, np.arange(101.0, 113.0), START, 100.0)
        midnights, closes = metrics.daily_closes(curve)
        assert midnights.tolist() == [START + d * DAY for d in range(4)]
        assert closes.tolist() == [100.0, 104.0, 108.0, 112.0]
        assert metrics.daily_returns(closes) == pytest.approx([0.04, 4 / 104, 4 / 108])

    def test_stubs_are_no_days(self) -> None:
        start = START + 5 * HOUR
        ts = start + HOUR * np.arange(1, 45, dtype=np.int64)
        curve = metrics.with_start(ts, np.arange(101.0, 145.0), start, 100.0)
        midnights, closes = metrics.daily_closes(curve)
        assert midnights.tolist() == [START + DAY, START + 2 * DAY]
        assert closes.tolist() == [119.0, 143.0]

    def test_a_hole_carries_the_last_equity(self) -> None:
        ts = START + np.array([HOUR, 3 * DAY + HOUR], dtype=np.int64)
        curve = metrics.with_start(ts, np.array([105.0, 110.0]), START, 100.0)
        assert metrics.daily_closes(curve)[1].tolist() == [100.0, 105.0, 105.0, 105.0]

    def test_no_midnight_no_days(self) -> None:
        curve = metrics.with_start(np.array([START + 2 * HOUR]), np.array([1.0]), START + HOUR, 1.0)
        assert metrics.daily_closes(curve)[1].tolist() == []

    def test_no_returns_once_everything_was_lost(self) -> None:
        assert metrics.daily_returns(np.array([100.0, -1.0, 50.0])).tolist() == []

    def test_months_meet_at_midnight(self) -> None:
        ts = START + np.array([10, 31, 40, 60], dtype=np.int64) * DAY
        curve = metrics.with_start(ts, np.array([110.0, 120.0, 90.0, 99.0]), START, 100.0)
        months = metrics.monthly_returns(curve)
        # The last tick, 60 days on, is 1 March 00:00 of a leap year: it closes February.
        assert [name for name, _ in months] == ["2024-01", "2024-02"]
        assert [value for _, value in months] == pytest.approx([0.2, 99 / 120 - 1])


class TestNoValue:
    @pytest.mark.parametrize("days", [[], [0.01], [0.0] * 5, [0.01] * 5, [0.1 + 0.2, 0.3] * 3])
    def test_sharpe_without_days_or_spread(self, days: list[float]) -> None:
        # 0.1 + 0.2 and 0.3 differ in their last bit alone, which is no spread.
        assert math.isnan(metrics.sharpe(np.array(days)))

    def test_sortino_and_omega_without_a_loss(self) -> None:
        assert math.isnan(metrics.sortino(np.array([0.01, 0.02])))
        assert math.isnan(metrics.omega(np.array([0.01, 0.02])))

    def test_growth_of_what_was_lost_altogether(self) -> None:
        assert math.isnan(metrics.cagr(np.array([100.0, -5.0]), 365.0))
        assert metrics.cagr(np.array([100.0, 0.0]), 365.0) == -1.0

    def test_growth_too_large_for_a_number(self) -> None:
        assert math.isnan(metrics.cagr(np.array([1.0, 1e6]), 0.01))

    @pytest.mark.parametrize("market", [[0.01] * 4, [0.01, 0.02]])
    def test_beta_without_a_market_that_varies(self, market: list[float]) -> None:
        days = np.array([0.01, 0.02, -0.01, 0.0])
        assert math.isnan(metrics.beta(days, np.array(market)))
        assert math.isnan(metrics.alpha(days, np.array(market)))


def test_rows_of_a_matrix_are_runs_of_their_own() -> None:
    matrix = np.stack([returns_of(seed, 50) for seed in (1, 2, 3)])
    for figure in (metrics.sharpe, metrics.sortino, metrics.volatility, metrics.omega):
        assert figure(matrix).tolist() == [float(figure(row)) for row in matrix]


class TestDistributions:
    @pytest.mark.parametrize("freedom", [1, 2, 5, 29, 300, 5_000, 200_000])
    @pytest.mark.parametrize("t", [0.0, 0.01, 0.7, -1.96, 3.0, 12.0])
    def test_student(self, t: float, freedom: int) -> None:
        expected = 2 * stats.t.sf(abs(t), freedom)
        assert student_two_sided(t, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)

    @settings(max_examples=80, deadline=None)
    @given(st.floats(0, 1), st.floats(0.05, 500), st.floats(0.05, 500))
    def test_incomplete_beta(self, x: float, a: float, b: float) -> None:
        assert incomplete_beta(x, a, b) == pytest.approx(
            float(stats.beta.cdf(x, a, b)), rel=1e-8, abs=1e-12
        )

    @pytest.mark.parametrize("x", [-30.0, -8.0, -1.0, 0.0, 0.5, 4.0])
    def test_normal(self, x: float) -> None:
        assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-12)

    def test_no_freedom(self) -> None:
        with pytest.raises(ValueError, match="freedom was 0"):
            student_two_sided(1.0, 0)


def test_intraday_falls_count() -> None:
    ts = START + 5 * MINUTE * np.arange(1, 577, dtype=np.int64)
    equity = np.full(576, 100.0)
    equity[100] = 60.0
    (found,) = metrics.drawdowns(metrics.with_start(ts, equity, START, 100.0))
    assert found.depth == pytest.approx(0.4)
    assert metrics.drawdown(metrics.daily_closes(Curve(ts, equity))[1]).max() == 0.0
