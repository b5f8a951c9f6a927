"""The statistics that judge a choice among many: published values, behaviour, second versions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorcore.market.block import Floats
from mirrorcore.report import metrics
from mirrorcore.report.bootstrap import block_length, stationary_indices
from mirrorcore.report.deflation import (
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    spread_of_trials,
    track_record,
)
from mirrorcore.report.distributions import normal_quantile
from mirrorcore.report.overfitting import overfitting
from mirrorcore.report.splits import purged_folds, shortest_history, walk_forward
from mirrorcore.report.superiority import superiority


def noise(seed: int, days: int, count: int, scale: float = 0.01) -> Floats:
    return np.random.default_rng(seed).normal(0.0, scale, (days, count))


class TestPublishedValues:
    """Bailey & López de Prado 2012 and 2014."""

    def test_probabilistic_sharpe(self) -> None:
        assert metrics.psr(0.458, 24, -2.448, 10.164, 0.0) == pytest.approx(0.913, abs=1e-3)
        assert metrics.psr(0.458, 24, 0.0, 3.0, 0.0) == pytest.approx(0.982, abs=1e-3)

    @pytest.mark.parametrize(("trials", "deflated"), [(100, 0.9004), (46, 0.9505)])
    def test_deflated_sharpe(self, trials: int, deflated: float) -> None:
        a_day = 2.5 / math.sqrt(250)
        best = expected_maximum(trials, 0.5 / 250)
        if trials == 100:
            assert best == pytest.approx(0.1132, abs=1e-4)
        assert metrics.psr(a_day, 1250, -3.0, 10.0, best) == pytest.approx(deflated, abs=1e-3)

    def test_minimum_track_record(self) -> None:
        # A Sharpe of 2 a year against 1, normal days, 250 in a year.
        days = track_record(2 / math.sqrt(250), 0.0, 3.0, 1 / math.sqrt(250))
        assert days / 250 == pytest.approx(2.73, abs=5e-3)
        # Monthly figures with the moments of a hedge fund index.
        months = track_record(2 / math.sqrt(12), -0.72, 5.78, 1 / math.sqrt(12))
        assert months == pytest.approx(59.9, abs=0.05)


class TestDeflation:
    def test_one_trial_deflates_nothing(self) -> None:
        returns = noise(1, 200, 1)[:, 0] + 0.001
        plain = metrics.probabilistic_sharpe(returns)
        assert expected_maximum(1, 0.5) == 0.0
        assert deflated_sharpe(returns, 1, 0.5) == plain
        assert deflated_sharpe(returns, 2, 0.01) < plain

    def test_more_trials_deflate_more(self) -> None:
        tops = [expected_maximum(n, 0.04) for n in (1, 2, 3, 10, 100, 10_000)]
        assert tops == sorted(tops)
        assert len(set(tops)) == len(tops)

    @pytest.mark.parametrize("trials", [5, 20, 200])
    def test_it_is_the_mean_of_the_largest(self, trials: int) -> None:
        drawn = np.random.default_rng(3).normal(0, 0.3, (20_000, trials)).max(axis=1)
        assert expected_maximum(trials, 0.09) == pytest.approx(drawn.mean(), rel=0.03)

    def test_no_trials(self) -> None:
        with pytest.raises(ValueError, match="trials was 0"):
            expected_maximum(0, 1.0)

    def test_spread_is_the_sample_variance_of_equals(self) -> None:
        ratios = [0.1, -0.2, 0.4, 0.05]
        assert spread_of_trials(ratios, [90] * 4) == pytest.approx(np.var(ratios, ddof=1))
        assert spread_of_trials([0.3], [90]) == 0.0

    def test_a_trial_of_a_day_hardly_counts_in_the_spread(self) -> None:
        steady = [0.1, -0.2, 0.4, 0.05]
        wild = spread_of_trials([*steady, 30.0], [365, 365, 365, 365, 0.01])
        assert wild == pytest.approx(spread_of_trials(steady, [365] * 4), abs=0.03)

    def test_record_agrees_with_the_probability(self) -> None:
        """After so many days the probabilistic Sharpe ratio is 95 %, and not before."""
        returns = noise(4, 300, 1)[:, 0] + 0.001
        days = minimum_track_record(returns)
        ratio, (third, fourth) = float(metrics.sharpe(returns, periods=1)), metrics.moments(returns)
        assert metrics.psr(ratio, math.ceil(days), third, fourth, 0.0) >= 0.95
        assert metrics.psr(ratio, math.floor(days) - 1, third, fourth, 0.0) < 0.95

    def test_no_record_is_long_enough_for_a_loser(self) -> None:
        assert math.isnan(minimum_track_record(-np.abs(noise(4, 50, 1)[:, 0])))
        assert math.isnan(minimum_track_record(np.full(50, 0.01)))

    @given(st.floats(1e-9, 1 - 1e-9))
    def test_quantile(self, p: float) -> None:
        assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-9)


def simple_pbo(returns: Floats, groups: int) -> tuple[float, float]:
    """The definition, split by split, with scipy's ranks."""
    length = len(returns) // groups
    used = returns[len(returns) - groups * length :]
    parts = [used[g * length : (g + 1) * length] for g in range(groups)]
    logits, lost = [], 0
    for inside in combinations(range(groups), groups // 2):
        train = np.concatenate([parts[g] for g in inside])
        test = np.concatenate([parts[g] for g in range(groups) if g not in inside])
        best = int(np.argmax(train.mean(axis=0) / train.std(axis=0, ddof=1)))
        scores = test.mean(axis=0) / test.std(axis=0, ddof=1)
        rank = stats.rankdata(scores)[best] / (returns.shape[1] + 1)
        logits.append(math.log(rank / (1 - rank)))
        lost += scores[best] < 0
    return sum(logit <= 1e-12 for logit in logits) / len(logits), lost / len(logits)


class TestOverfitting:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("count", [2, 5, 9])
    def test_against_the_definition(self, seed: int, count: int) -> None:
        returns = noise(seed, 103, count)
        found = overfitting(returns, groups=8)
        assert (found.pbo, found.loss) == pytest.approx(simple_pbo(returns, 8))
        assert sum(found.winners) == found.splits == math.comb(8, 4)

    def test_noise_is_a_coin(self) -> None:
        """100 strategies of noise: about a half, between .47 and .65 in one measurement."""
        found = [overfitting(noise(seed, 1000, 100)) for seed in range(4)]
        assert found[0].splits == 12_870
        assert np.mean([one.pbo for one in found]) == pytest.approx(0.5, abs=0.15)

    def test_a_real_edge_is_found_again(self) -> None:
        pbo = []
        for seed in range(4):
            returns = noise(seed, 1000, 100)
            returns[:, 17] += 0.15 * 0.01
            pbo.append(overfitting(returns).pbo)
        assert np.mean(pbo) < 0.25

    def test_equals_are_in_the_middle(self) -> None:
        """Copies of one strategy cannot be told apart: no winner stands above the others."""
        returns = np.repeat(noise(5, 320, 1) + 0.002, 4, axis=1)
        found = overfitting(returns)
        assert found.pbo == 1.0
        assert found.loss < 0.2

    @pytest.mark.parametrize(
        ("shape", "groups", "said"),
        [((100, 1), 16, "1 configuration"), ((31, 3), 16, "needs 32"), ((99, 3), 7, "even")],
    )
    def test_too_little(self, shape: tuple[int, int], groups: int, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            overfitting(np.zeros(shape), groups)


def simple_spa(excess: Floats, seed: int, repetitions: int, length: float) -> float:
    """Hansen's test column by column and draw by draw."""
    n, count = excess.shape
    index = stationary_indices(n, repetitions, length, np.random.default_rng(seed))
    means = [float(excess[:, k].mean()) for k in range(count)]
    draws = [[float(excess[row, k].mean()) for k in range(count)] for row in index]
    error = [
        math.sqrt(sum((draw[k] - means[k]) ** 2 for draw in draws) / repetitions)
        for k in range(count)
    ]
    observed = max(0.0, *(means[k] / error[k] for k in range(count)))
    edge = -math.sqrt(2 * math.log(math.log(n)))
    reached = 1
    for draw in draws:
        null = 0.0
        for k in range(count):
            centre = means[k] if means[k] / error[k] >= edge else 0.0
            null = max(null, (draw[k] - centre) / error[k])
        reached += null >= observed
    return reached / (repetitions + 1)


class TestSuperiority:
    @pytest.mark.parametrize("seed", range(5))
    def test_against_the_definition(self, seed: int) -> None:
        excess = noise(seed, 120, 4) + np.array([0.001, 0.0, -0.01, 0.0005])
        found = superiority(excess, np.random.default_rng(seed), 200)
        length = max(block_length(excess[:, k]) for k in range(4))
        assert found.block_days == length
        assert found.p == pytest.approx(simple_spa(excess, seed, 200, length))

    def test_null_does_not_reject_and_edge_does(self) -> None:
        null, edge = [], []
        for seed in range(6):
            excess = noise(100 + seed, 1000, 50)
            null.append(superiority(excess, np.random.default_rng(seed), 300).p)
            excess[:, 3] += 0.15 * 0.01
            found = superiority(excess, np.random.default_rng(seed), 300)
            edge.append(found.p)
            assert found.best == 3
        # At 5 % one of six may; that it is not more often is the next test's.
        assert sum(p < 0.05 for p in null) <= 1
        assert max(edge) < 0.05

    def test_size(self) -> None:
        """Under the null it rejects about one time in twenty, not more."""
        found = [
            superiority(noise(500 + seed, 250, 5), np.random.default_rng(seed), 200).p
            for seed in range(200)
        ]
        assert sum(p < 0.05 for p in found) <= 20
        assert 0.35 < np.mean(found) < 0.65

    def test_hopeless_ones_do_not_blunt_it(self) -> None:
        excess = noise(7, 500, 1) + 0.0012
        alone = superiority(excess, np.random.default_rng(1), 1000).p
        crowd = np.hstack([excess, noise(8, 500, 40) - 0.02])
        assert superiority(crowd, np.random.default_rng(1), 1000).p == pytest.approx(
            alone, abs=0.03
        )

    def test_what_never_varies_is_no_candidate(self) -> None:
        excess = np.hstack([np.zeros((200, 1)), noise(9, 200, 1) + 0.004])
        assert superiority(excess, np.random.default_rng(1), 100).best == 1
        with pytest.raises(ValueError, match="0 columns that vary"):
            superiority(np.zeros((200, 2)), np.random.default_rng(1), 100)


class TestSplits:
    @settings(deadline=None)
    @given(st.integers(0, 1500), st.integers(0, 40), st.integers(1, 8))
    def test_walk_forward(self, days: int, embargo: int, rolls: int) -> None:
        need = shortest_history(embargo, rolls)
        if days < need:
            # A little above the shortest, whole days may not fit again; far below they never do.
            with pytest.raises(ValueError, match=f"needs {need} whole days, has {days}"):
                walk_forward(days, embargo, rolls)
            return
        found = walk_forward(need if days < need + 10 else days, embargo, rolls)
        assert len(found) == rolls
        tested = np.concatenate([split.test for split in found])
        assert np.array_equal(tested, np.arange(tested[0], tested[-1] + 1))
        for split in found:
            assert split.train[0] >= 0
            assert split.test[0] - split.train[-1] == embargo + 1
            assert len(split.train) == len(found[0].train)

    @given(st.integers(2, 300), st.integers(2, 10), st.integers(0, 30))
    def test_purged_folds(self, days: int, folds: int, embargo: int) -> None:
        if days < folds:
            with pytest.raises(ValueError, match="needs 2 folds"):
                next(purged_folds(days, folds, embargo))
            return
        found = list(purged_folds(days, folds, embargo))
        assert np.array_equal(np.concatenate([split.test for split in found]), np.arange(days))
        for split in found:
            distance = np.abs(split.train[:, None] - split.test[None, :])
            assert not len(split.train) or distance.min() > embargo
            # Nothing is thrown away that is far enough.
            lost = days - len(split.train) - len(split.test)
            assert lost <= 2 * embargo
