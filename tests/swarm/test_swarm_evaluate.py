"""The checks of an evaluation on figures whose answer is known, and what the tape records."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import MirrorCoreError
from mirrorcore.market.block import Floats
from mirrorcore.report.permutation import permutation
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.evaluate import embargo_days
from mirrorcore.swarm.evaluate_checks import (
    Candidate,
    better_variation,
    overfitting_check,
    permutation_check,
    stress_check,
    superiority_check,
    walk_forward_check,
)
from mirrorcore.swarm.evaluate_pool import Job, replay_all
from mirrorcore.swarm.evaluate_tape import PositionTape
from mirrorcore.swarm.replay import replay_history


def candidates(seed: int, count: int, *, days: int = 365, edge: float = 0.0) -> list[Candidate]:
    drawn = np.random.default_rng(seed).normal(0.0, 0.01, (count, days))
    drawn[0] += edge
    return [Candidate(f"c{number}", returns) for number, returns in enumerate(drawn)]


class TestWalkForward:
    def test_it_takes_what_was_best_and_scores_what_follows(self) -> None:
        """One earns only while it is chosen on, the other only afterwards: choosing loses."""
        days = 100
        rng = np.random.default_rng(1)
        small = rng.normal(0, 0.001, (2, days))
        early = np.where(np.arange(days) < 62, 0.01, -0.01) + small[0]
        steady = np.full(days, 0.002) + small[1]
        found = walk_forward_check([Candidate("early", early), Candidate("steady", steady)], 2)
        assert found.passed is False
        assert found.value is not None
        assert found.value < 0

    def test_an_edge_passes_and_the_figure_is_that_of_the_test_days(self) -> None:
        found = walk_forward_check(candidates(2, 5, edge=0.003), 2)
        assert found.passed
        assert "144 days out of sample" in found.shown
        assert "1 configuration chosen" in found.shown
        [only] = candidates(2, 1, edge=0.003)
        tested = only.returns[-144:]
        alone = walk_forward_check([only], 2)
        assert alone.value == pytest.approx(tested.mean() / tested.std(ddof=1) * math.sqrt(365))


class TestOverfittingAndSuperiority:
    def test_noise_fails_and_an_edge_passes(self) -> None:
        noise, edge = candidates(3, 12), candidates(3, 12, edge=0.004)
        assert overfitting_check(noise).passed is False
        assert superiority_check(noise).passed is False
        assert overfitting_check(edge).passed
        assert superiority_check(edge).passed
        assert "best: c0" in superiority_check(edge).shown

    def test_equals_that_all_earn_pass(self) -> None:
        """Which of them wins is chance, and harmless."""
        [one] = candidates(4, 1, edge=0.003)
        alike = [Candidate(f"c{number}", one.returns) for number in range(6)]
        found = overfitting_check(alike)
        assert found.value is not None
        assert found.value > 0.2
        assert found.passed

    def test_alone_there_is_nothing_to_choose(self) -> None:
        assert overfitting_check(candidates(1, 1)).passed is None
        assert better_variation(candidates(1, 1)) is None

    def test_variation_that_is_better(self) -> None:
        base, other = candidates(5, 2)
        better = Candidate("better", base.returns + np.abs(other.returns) * 0.3)
        found = better_variation([base, Candidate("same", base.returns), better])
        assert found is not None
        assert found[0] == "better"
        assert found[1] < 0.01
        assert better_variation([base, Candidate("same", base.returns)]) is None


def test_stress_needs_a_gain() -> None:
    [lost] = candidates(6, 1, edge=-0.01)
    assert stress_check("costs", "costs", "", lost).passed is False
    idle = stress_check("costs", "costs", "", Candidate("idle", np.zeros(100)))
    assert (idle.passed, idle.value) == (False, None)


class TestPermutation:
    @staticmethod
    def market(seed: int, days: int = 60, a_day: int = 24) -> tuple[Floats, Floats]:
        rng = np.random.default_rng(seed)
        returns = rng.normal(0.0, 0.01, (days * a_day, 3))
        # Positions that last, independent of the market.
        steps = rng.normal(0.0, 1.0, returns.shape)
        weights = np.zeros_like(steps)
        for row in range(1, len(steps)):
            weights[row] = 0.95 * weights[row - 1] + steps[row]
        return weights, returns

    def test_against_rolling_by_hand(self) -> None:
        weights, returns = self.market(1)
        found = permutation(weights, returns, 60)
        earned = float((weights * returns).sum())
        moved = [float((np.roll(weights, 24 * k, axis=0) * returns).sum()) for k in range(1, 60)]
        assert found.earned == pytest.approx(earned)
        assert found.elsewhere == pytest.approx(np.mean(moved))
        assert found.p == (1 + sum(m >= earned for m in moved)) / 60
        assert found.resolution == 1 / 60

    def test_luck_is_uniform(self) -> None:
        found = [permutation(*self.market(seed), 60).p for seed in range(100)]
        assert np.mean(found) == pytest.approx(0.5, abs=0.1)
        assert sum(p < 0.05 for p in found) <= 11

    def test_foresight_is_seen(self) -> None:
        weights, returns = self.market(2)
        found = permutation(weights + 30 * returns, returns, 60)
        assert found.p == found.resolution

    def test_a_constant_position_is_never_well_timed(self) -> None:
        _, returns = self.market(3)
        assert permutation(np.ones_like(returns), returns + 0.01, 60).p == 1.0

    def test_too_little(self) -> None:
        weights, returns = self.market(1)
        short = permutation_check(weights, returns, 20)
        assert (short.passed, short.shown) == (None, "needs 21 days, has 20")
        idle = permutation_check(np.zeros_like(returns), returns, 60)
        assert (idle.passed, idle.shown) == (None, "nothing was held")


def config(runs: Path, *more: tuple[str, object]) -> RunConfig:
    settings = [
        ("storage.runs", str(runs)), ("market.symbols", 3), ("market.bars", 900),
        ("market.preset", "plain"), ("market.ic", 0.05), ("costs.fee_bps", 0.0),
        ("costs.slippage_bps", 0.0), *more,
    ]  # fmt: skip
    return load_config(None, {}, settings).config


def test_tape_earns_what_the_run_earned(tmp_path: Path) -> None:
    """Without costs, positions times the next returns are the returns of equity, but for the
    step from mark to open at which an order fills."""
    tapes: list[PositionTape] = []

    def observe(swarm: Swarm) -> PositionTape:
        tapes.append(PositionTape(swarm))
        return tapes[0]

    outcome = replay_history(config(tmp_path), observe=observe)
    weights, returns = tapes[0].paths()
    assert tapes[0].days == 3
    equity = outcome.results.equity
    assert weights.shape == returns.shape == (len(equity) - 1, 3)
    grown = equity[1:] / equity[:-1] - 1
    held = (weights * returns).sum(axis=1)
    # An order fills within the next bar: rows in which none did agree to the last digits.
    quiet = np.all(
        np.isclose(weights[1:] / (1 + returns[:-1]), weights[:-1] / (1 + grown[:-1, None])), axis=1
    )
    assert quiet.sum() > 100
    assert grown[:-1][quiet] == pytest.approx(held[:-1][quiet], abs=1e-9)
    assert np.abs(weights).max() > 0.01


def test_embargo_is_a_voters_horizon_and_a_features_memory() -> None:
    assert embargo_days(RunConfig(), 5 * MINUTE) == 2
    # Of daily bars the slow volatility remembers 24.
    assert embargo_days(RunConfig(), DAY) == 25
    far = load_config(
        None, {}, [("agent", [{"id": "MomentumScout", "horizon": "72h"}])]
    ).config  # fmt: skip
    assert embargo_days(far, HOUR) == 4


class TestPool:
    def test_answers_come_in_the_order_asked(self, tmp_path: Path) -> None:
        bars = [600, 1200, 900]
        jobs = [Job(f"{n}", config(tmp_path, ("market.bars", n))) for n in bars]
        told: list[tuple[int, int | None]] = []
        found = replay_all(jobs, 2, lambda done, total: told.append((done, total)))
        assert [one.label for one in found] == ["600", "1200", "900"]
        assert [len(one.returns) for one in found] == [2, 4, 3]
        assert told[0] == (0, 3)
        assert told[-1] == (3, 3)
        assert all(one.residual == 0 for one in found)
        here = replay_history(config(tmp_path, ("market.bars", 1200)))
        from mirrorcore.report.trials import daily_of

        assert np.array_equal(found[1].returns, daily_of(here.results))

    def test_a_failure_names_the_job(self, tmp_path: Path) -> None:
        broken = config(tmp_path).model_copy(
            update={"market": config(tmp_path).market.model_copy(update={"source": "recorded"})}
        )
        with pytest.raises(MirrorCoreError, match="the replay 'broken' failed: "):
            replay_all([Job("broken", broken)], 1, lambda _done, _total: None)
