"""The machinery: evidence that holds at any time, averages, rhythms, and forecasts of actions."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorcore.emergence.clockwork import Clockwork
from mirrorcore.emergence.market_features import SETTLE, MarketFeatures, moving_average
from mirrorcore.emergence.response import ResponseModel
from mirrorcore.emergence.sequential import EDetector


def test_the_worth_of_stakes_by_hand() -> None:
    # One bet of 0.5 a unit, a stake before every second block of one tick: 1.5, 0.75, (0.75+1)·2.
    detector = EDetector(1, (0.5,), 1, 2)
    seen = [detector.update(np.array([[x]]))[0] for x in (1.0, -1.0, 2.0)]
    assert seen == pytest.approx([1.5, 0.75, 3.5])


def test_threshold_is_stakes_over_budget() -> None:
    detector = EDetector(3, (0.1,), 50, 100)
    assert detector.threshold == pytest.approx(100 / 0.05)
    assert detector.e_value(detector.threshold) == pytest.approx(20.0)


def test_fair_bets_rarely_reach_the_threshold() -> None:
    """At most 5 % of 10,000-tick runs of fair coins, whenever one looks; 400 runs at once."""
    rng = np.random.default_rng(1)
    detector = EDetector(400, (0.2,), 50, 100)
    reached = np.zeros(400, dtype=bool)
    for _ in range(200):
        coins = rng.choice([-1.0, 1.0], size=(50, 400))
        reached |= detector.update(coins) >= detector.threshold
    assert 0 < reached.sum() <= 0.05 * 400


def test_a_biased_coin_is_found() -> None:
    rng = np.random.default_rng(2)
    detector = EDetector(1, (0.2,), 50, 100)
    coins = rng.choice([-1.0, 1.0], p=[0.35, 0.65], size=(600, 1))
    worth = [detector.update(coins[k : k + 50])[0] for k in range(0, 600, 50)]
    assert max(worth) >= detector.threshold


def test_moving_average_in_blocks_is_the_recursion() -> None:
    values = np.random.default_rng(3).normal(size=(96, 2))
    state = np.array([0.5, -1.0])
    plain = []
    for value in values:
        state = state + 0.1 * (value - state)
        plain.append(state)
    before = np.array([0.5, -1.0])
    blocks = []
    for start in range(0, 96, 32):
        block = moving_average(values[start : start + 32], before, 0.1)
        before = block[-1]
        blocks.append(block)
    assert np.concatenate(blocks) == pytest.approx(np.array(plain))


@pytest.mark.parametrize("period", [5, 12, 30])
def test_a_rhythm_is_recognised(period: int) -> None:
    rng = np.random.default_rng(4)
    closing = np.arange(1024) % period == 0
    active = rng.random((1024, 10)) < np.where(closing, 0.8, 0.2)[:, None]
    clock = Clockwork()
    for start in range(0, 1024, 64):
        clock.rows(active[start : start + 64].astype(float))
    rows = clock.rows(np.zeros((64, 10)))[:, 0]
    later = np.arange(1024, 1088) % period == 0
    assert rows[later].min() > rows[~later].max()


def test_no_rhythm_in_noise() -> None:
    clock = Clockwork()
    rng = np.random.default_rng(5)
    for _ in range(16):
        clock.rows((rng.random((64, 10)) < 0.3).astype(float))
    assert not clock.rows(np.zeros((64, 10))).any()


def respond(delay: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Forecast errors and actions of one threshold agent and one that acts at random."""
    rng = np.random.default_rng(6)
    features = MarketFeatures(1)
    model = ResponseModel(np.ones((2, len(features.owner))), absolute=False, delay=delay)
    errors, actions = [], []
    for _ in range(40):
        changes, feed = rng.normal(size=64), rng.normal(size=(64, 1))
        rows = features.rows(changes, feed)
        drive = changes + feed[:, 0] + 0.3 * rng.normal(size=64)
        done = np.stack([np.sign(drive) * (np.abs(drive) > 1), rng.choice([-1.0, 0, 1], 64)], 1)
        actions.append(done)
        errors.append(model.errors(rows, done, model.index(rows), np.zeros((64, 2))))
        if features.settled:
            model.refit()
    return np.concatenate(errors)[1600:], np.concatenate(actions)[1600:]


def test_what_a_threshold_rule_does_is_explained() -> None:
    errors, actions = respond()
    explained = 1 - np.corrcoef(errors[:, 0], actions[:, 0])[0, 1] ** 2
    unexplained = np.corrcoef(errors[:, 1], actions[:, 1])[0, 1] ** 2
    assert explained > 0.5
    assert unexplained > 0.9
    assert errors.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.15)


def test_newest_ticks_can_wait_to_be_learned() -> None:
    features = MarketFeatures(1)
    model = ResponseModel(np.ones((1, len(features.owner))), absolute=False, delay=2)
    rows, zeros = np.ones((64, len(features.owner))), np.zeros((64, 1))
    learned = []
    for _ in range(4):
        model.errors(rows, zeros, zeros, np.zeros((64, 2)))
        model.refit()
        learned.append(model.learned)
    assert learned == [0, 0, 64, 128]


def test_features_are_zero_until_scales_are_known() -> None:
    features = MarketFeatures(2)
    rng = np.random.default_rng(7)
    for start in range(0, SETTLE, 64):
        assert not features.settled
        assert not features.rows(rng.normal(size=64), rng.normal(size=(64, 2))).any(), start
    assert features.settled
    rows = features.rows(rng.normal(size=64), rng.normal(size=(64, 2)))
    assert rows.shape == (64, len(features.owner))
    assert np.isfinite(rows).all()
    assert rows.any(axis=0).all()
