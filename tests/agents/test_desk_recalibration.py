"""Recalibration: stated probabilities come to mean what they say, and are left alone if they do."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorcore.agents.desk.recalibration import Calibration, Recalibrator, log_odds
from mirrorcore.market.block import Floats

ROWS = 48


def probability(stated: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-stated))


def calibration_error(p: Floats, y: Floats, bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass (Naeini et al., 2015)."""
    groups = np.array_split(np.argsort(p, kind="stable"), bins)
    return sum(len(g) / len(p) * abs(p[g].mean() - y[g].mean()) for g in groups)


def online(stated: Floats, y: Floats, kept: float = 0.999) -> tuple[Floats, Recalibrator]:
    """What was said once recalibrated, each row before its outcome was known."""
    made = Recalibrator(1)
    said = np.empty_like(stated)
    for first in range(0, len(stated), ROWS):
        rows = slice(first, first + ROWS)
        said[rows] = made(stated[rows, None])[:, 0]
        made.observe(stated[rows, None], y[rows])
        made.refit(kept)
    return said, made


def world(k: float, seed: int, count: int = 4_000) -> tuple[Floats, Floats, Floats]:
    """True log-odds, those stated (k times as sure), outcomes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=count)
    y = (rng.random(count) < probability(truth)).astype(np.float64)
    return truth, log_odds(probability(k * truth)), y


@pytest.mark.parametrize("k", [0.5, 0.75, 1.0, 2.0, 4.0])
def test_any_misstatement_is_repaired_up_to_the_error_of_a_perfect_forecaster(k: float) -> None:
    found, perfect = [], []
    late = slice(2_000, None)
    for seed in range(6):
        truth, stated, y = world(k, seed)
        said, _ = online(stated, y)
        found.append(calibration_error(probability(said[late]), y[late]))
        perfect.append(calibration_error(probability(truth[late]), y[late]))
    assert np.mean(found) <= np.mean(perfect) + 0.01


@pytest.mark.parametrize("k", [0.5, 2.0, 4.0])
def test_the_slope_is_what_the_confidence_is_worth(k: float) -> None:
    slopes = [online(*world(k, seed)[1:])[1].slope[0] for seed in range(4)]
    assert np.mean(slopes) == pytest.approx(1 / k, rel=0.2)


def test_no_skill_is_a_slope_of_nothing_and_a_contrarian_is_turned_round() -> None:
    rng = np.random.default_rng(3)
    stated = 0.7 * rng.normal(size=8_000)
    luck = (rng.random(8_000) < 0.5).astype(np.float64)
    assert abs(online(stated, luck)[1].slope[0]) < 0.12
    against = (rng.random(8_000) < probability(-stated)).astype(np.float64)
    assert online(stated, against)[1].slope[0] == pytest.approx(-1.0, abs=0.15)


def test_the_offset_takes_a_standing_bias_away() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=8_000)
    y = (rng.random(8_000) < probability(truth)).astype(np.float64)
    _, made = online(truth + 0.5, y)
    assert made.offset[0] == pytest.approx(-0.5, abs=0.1)


def test_it_agrees_with_the_logistic_regression_of_all_rows() -> None:
    """Without forgetting the steps end where Newton on everything ends, prior included."""
    _, stated, y = world(2.0, 7, count=20_000)
    _, made = online(stated, y, kept=1.0)
    theta = np.array([1.0, 0.0])
    z = np.stack([stated, np.ones_like(stated)], axis=1)
    prior = np.diag([4.0, 100.0])
    for _ in range(20):
        p = probability(z @ theta)
        gradient = z.T @ (y - p) - prior @ (theta - np.array([1.0, 0.0]))
        theta += np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + prior, gradient)
    assert made.slope[0] == pytest.approx(theta[0], abs=0.02)
    assert made.offset[0] == pytest.approx(theta[1], abs=0.02)


def test_silence_and_unknown_outcomes_teach_nothing() -> None:
    made = Recalibrator(2)
    stated = np.array([[0.0, 1.0], [0.0, -2.0], [0.0, 0.5]])
    made.observe(stated, np.array([np.nan, np.nan, np.nan]))
    made.refit(1.0)
    assert made.slope.tolist() == [1.0, 1.0]
    made.observe(stated, np.array([0.0, 1.0, 0.0]))
    made.refit(1.0)
    assert made.slope[0] == 1.0
    assert made.slope[1] < 1.0
    assert log_odds(np.array([np.nan, 0.5, 0.0, 1.0])) == pytest.approx(
        [0.0, 0.0, np.log(0.01 / 0.99), np.log(99.0)]
    )


def test_a_bar_answers_what_was_said_before_it_in_any_portions() -> None:
    rng = np.random.default_rng(9)
    stated, own = rng.normal(size=(200, 3, 2)), rng.normal(size=(200, 3))
    rise = np.where(rng.random((200, 3)) < 0.2, np.nan, (rng.random((200, 3)) < 0.5) * 1.0)
    whole, pieces = Calibration(3, 2), Calibration(3, 2)
    whole.observe(stated, own, rise)
    for part in np.array_split(np.arange(200), 33):
        pieces.observe(stated[part], own[part], rise[part])
        held, pieces = pieces.checkpoint(), Calibration(3, 2)
        pieces.restore(held)
    lagged = Recalibrator(2)
    before = np.concatenate([np.zeros((1, 3, 2)), stated[:-1]])
    lagged.observe(before.reshape(-1, 2), rise.reshape(-1))
    for made in (whole, pieces, lagged):
        made.refit(0.9)
    assert np.array_equal(whole.voters.slope, pieces.voters.slope)
    assert np.array_equal(whole.own.slope, pieces.own.slope)
    assert np.array_equal(whole.voters.slope, lagged.slope)
    whole.grow(4)
    assert whole.voters.slope[2:].tolist() == [1.0, 1.0]
