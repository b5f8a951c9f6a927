"""The intervals: block length, resampling, exact drawdowns, and that they cover what they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import START

from mirrorcore.clock import DAY, HOUR
from mirrorcore.report import bootstrap, metrics
from mirrorcore.report.metrics import Curve


def autoregressive(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    noise = rng.standard_normal(n + 200)
    series = np.empty(n + 200)
    last = 0.0
    for i, shock in enumerate(noise):
        last = rho * last + shock
        series[i] = last
    return series[200:]


def curve_of(returns: np.ndarray) -> Curve:
    equity = np.concatenate(([100.0], 100.0 * np.cumprod(1 + returns)))
    return Curve(START + DAY * np.arange(len(equity), dtype=np.int64), equity)


def slow_block(series: list[float]) -> float:
    """Patton, Politis & White (2009) once more, term by term."""
    n = len(series)
    mean = sum(series) / n
    run = max(5, int(math.log10(n)))
    longest = min(n - 1, math.ceil(math.sqrt(n)) + run)

    def covariance(k: int) -> float:
        return sum((series[i] - mean) * (series[i - k] - mean) for i in range(k, n)) / n

    bound = 2 * math.sqrt(math.log10(n) / n)
    loud = [abs(covariance(k) / covariance(0)) >= bound for k in range(1, longest + 1)]
    last = 0
    for first in range(len(loud) - run + 1):
        if not any(loud[first : first + run]):
            last = first
            break
    else:
        last = max((k for k, heard in enumerate(loud, start=1) if heard), default=1)
    wide = min(longest, 2 * max(1, last))
    slope = spectrum = 0.0
    for k in range(-wide, wide + 1):
        weight = 1.0 if abs(k) / wide <= 0.5 else 2 * (1 - abs(k) / wide)
        slope += weight * abs(k) * covariance(abs(k))
        spectrum += weight * covariance(abs(k))
    if spectrum <= 0:
        return 0.0
    length = (2 * slope**2 / (2 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return min(length, 3 * math.sqrt(n), n / 3)


class TestBlockLength:
    @pytest.mark.parametrize("rho", [-0.4, 0.0, 0.2, 0.6, 0.9])
    @pytest.mark.parametrize("n", [30, 120, 400])
    def test_equals_the_slow_form(self, n: int, rho: float) -> None:
        series = autoregressive(np.random.default_rng(n), n, rho)
        assert bootstrap.optimal_block(series) == pytest.approx(slow_block(series.tolist()))

    @pytest.mark.parametrize("rho", [0.3, 0.5, 0.7])
    def test_finds_the_best_length_of_a_known_process(self, rho: float) -> None:
        # For AR(1): G = 2 rho / (1 - rho)^2 R(0), g(0) = (1 + rho) / (1 - rho) R(0).
        n = 20_000
        best = (2 * rho / (1 - rho**2)) ** (2 / 3) * n ** (1 / 3)
        found = [
            bootstrap.optimal_block(autoregressive(np.random.default_rng(seed), n, rho))
            for seed in range(6)
        ]
        assert np.median(found) == pytest.approx(best, rel=0.2)

    def test_clustered_volatility_asks_for_longer_blocks_than_its_mean(self) -> None:
        rng = np.random.default_rng(1)
        calm = np.where(np.arange(600) // 60 % 2 == 0, 0.005, 0.03)
        returns = rng.standard_normal(600) * calm
        assert bootstrap.block_length(returns) > 3 * max(1.0, bootstrap.optimal_block(returns))

    def test_a_constant_series_needs_no_blocks(self) -> None:
        assert bootstrap.optimal_block(np.full(50, 0.01)) == 0.0
        assert bootstrap.block_length(np.full(50, 0.01)) == 1.0


class TestIndices:
    def test_blocks_run_on_and_wrap(self) -> None:
        index = bootstrap.stationary_indices(50, 400, 8.0, np.random.default_rng(0))
        assert index.min() == 0
        assert index.max() == 49
        follows = (index[:, 1:] - index[:, :-1]) % 50 == 1
        # A new block begins with probability 1/8 and lands on the next day by chance in 1 of 50.
        assert follows.mean() == pytest.approx(1 - 1 / 8 * 49 / 50, abs=0.01)

    def test_every_day_is_as_likely(self) -> None:
        index = bootstrap.stationary_indices(20, 5_000, 6.0, np.random.default_rng(1))
        shares = np.bincount(index.ravel(), minlength=20) / index.size
        assert shares == pytest.approx(np.full(20, 0.05), abs=0.003)

    def test_blocks_of_one_are_the_plain_bootstrap(self) -> None:
        index = bootstrap.stationary_indices(1_000, 100, 1.0, np.random.default_rng(2))
        assert ((index[:, 1:] - index[:, :-1]) % 1_000 == 1).mean() < 0.01


class TestDays:
    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.floats(0.8, 1.25), min_size=24, max_size=120),
        st.integers(0, 2**32 - 1),
    )
    def test_drawdown_of_a_resample_is_that_of_its_joined_paths(
        self, steps: list[float], seed: int
    ) -> None:
        hours = len(steps) // 8 * 8
        equity = 100.0 * np.cumprod(np.array(steps[:hours]))
        ts = START + 3 * HOUR * np.arange(1, hours + 1, dtype=np.int64)
        curve = metrics.with_start(ts, equity, START, 100.0)
        days = bootstrap.cut_into_days(curve)
        assert len(days) == hours // 8
        index = np.random.default_rng(seed).integers(0, len(days), size=(3, 5))
        wealth = np.cumprod(1 + days.returns[index], axis=1)
        begun = np.concatenate((np.ones((3, 1)), wealth[:, :-1]), axis=1)
        found = bootstrap._depth(days, index, begun)
        paths = np.concatenate(([100.0], equity))
        for row, depth in zip(index, found, strict=True):
            joined = [1.0]
            for day in row:
                part = paths[8 * day : 8 * day + 9]
                joined += (joined[-1] * part[1:] / part[0]).tolist()
            assert depth == pytest.approx(metrics.drawdown(np.array(joined)).max(), abs=1e-12)

    def test_in_their_own_order_they_are_the_run(self) -> None:
        rng = np.random.default_rng(4)
        ts = START + HOUR * np.arange(1, 24 * 40 + 1, dtype=np.int64)
        equity = 100 * np.exp(np.cumsum(rng.standard_normal(len(ts)) * 0.01))
        curve = metrics.with_start(ts, equity, START, 100.0)
        found = bootstrap._headlines(bootstrap.cut_into_days(curve), np.arange(40)[None, :])
        assert found["max_drawdown"][0] == pytest.approx(metrics.drawdowns(curve)[0].depth)
        assert found["total_return"][0] == pytest.approx(metrics.total_return(curve.equity))
        assert found["cagr"][0] == pytest.approx(metrics.cagr(curve.equity, 40.0))

    def test_none_where_everything_was_lost(self) -> None:
        curve = Curve(START + DAY * np.arange(30, dtype=np.int64), np.linspace(100, -5, 30))
        assert len(bootstrap.cut_into_days(curve)) == 0


class TestIntervals:
    def test_the_same_seed_gives_the_same_interval(self) -> None:
        curve = curve_of(np.random.default_rng(0).standard_normal(200) * 0.01)
        first, again, other = (
            bootstrap.intervals(curve, np.random.default_rng(seed), 200) for seed in (1, 1, 2)
        )
        assert first == again
        assert first.intervals != other.intervals

    def test_chunks_do_not_change_how_many_there_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        curve = curve_of(np.random.default_rng(0).standard_normal(60) * 0.01)
        monkeypatch.setattr(bootstrap, "_CHUNK", 60 * 7)
        found = bootstrap.intervals(curve, np.random.default_rng(1), 100)
        assert found.resamples == 100
        assert set(found.intervals) == {
            "total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"
        }  # fmt: skip

    def test_a_handful_of_days_has_none_and_says_why(self) -> None:
        found = bootstrap.intervals(curve_of(np.full(19, 0.01)), np.random.default_rng(0))
        assert found.intervals == {}
        assert found.reason == "needs 20 whole UTC days, has 19"

    def test_a_flat_curve_has_no_interval_where_it_has_no_value(self) -> None:
        found = bootstrap.intervals(curve_of(np.zeros(40)), np.random.default_rng(0), 50)
        assert set(found.intervals) == {"total_return", "cagr", "volatility", "max_drawdown"}
        assert found.intervals["total_return"] == bootstrap.Interval(0.0, 0.0)


def coverage(rho: float, runs: int = 200, days: int = 365, *, blocks: bool = True) -> float:
    """Share of ``runs`` whose interval of Sharpe holds the Sharpe of the process."""
    hits = 0
    spread = 0.01 / math.sqrt(1 - rho**2)
    truth = 0.0008 / spread * math.sqrt(365)
    for run in range(runs):
        rng = np.random.default_rng([run, 11])
        returns = 0.0008 + 0.01 * autoregressive(rng, days, rho)
        length = bootstrap.block_length(returns) if blocks else 1.0
        index = bootstrap.stationary_indices(days, 300, length, rng)
        low, high = np.quantile(metrics.sharpe(returns[index]), (0.025, 0.975))
        hits += int(low <= truth <= high)
    return hits / runs


class TestCoverage:
    """200 runs of a known process: a 95 % interval holds the truth in 95 % of them, ± 3 (2 sigma).

    Of dependent days blocks still lose some, as every bootstrap of a year of data does.
    """

    def test_independent_days(self) -> None:
        assert 0.90 <= coverage(0.0) <= 0.99

    def test_dependent_days(self) -> None:
        covered = coverage(0.4)
        assert covered >= 0.86
        assert covered > coverage(0.4, blocks=False) + 0.08
