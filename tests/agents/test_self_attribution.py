"""Traders whose confidence answers success and failure as planted, and what the ego says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from agents_world import START, attached, lone_tick

from mirrorcore.agents.mind.self_attribution import SelfAttribution
from mirrorcore.clock import HOUR

MIDNIGHT = START - START % (24 * HOUR) + 24 * HOUR
PERIODS, FORECASTS = 1500, 60


def periods(
    success: float, failure: float, seed: int, boast: float = 0.0
) -> list[tuple[float, float, float]]:
    """(n, hits, claimed) of each period; the slopes are in probability per deviation.

    The confidence reverts to its usual level, as a confidence that stays bounded has to, and
    differs by chance. With ``boast`` the forecasts are right so much less often than claimed.
    """
    rng = np.random.default_rng(seed)
    usual, told, made = 0.6, 0.6, []
    for _ in range(PERIODS):
        claim = float(np.clip(told + 0.01 * rng.normal(), 0.5, 0.99))
        hits = float(rng.binomial(FORECASTS, claim - boast))
        z = (hits - FORECASTS * claim) / math.sqrt(FORECASTS * claim * (1 - claim))
        told = usual + 0.8 * (claim - usual) + (success if z > 0 else failure) * z
        made.append((float(FORECASTS), hits, FORECASTS * claim))
    return made


def judged(*planted: float, seed: int, boast: float = 0.0) -> tuple[float, float]:
    learner = SelfAttribution()
    for row in periods(*planted, seed=seed, boast=boast):
        learner.fold(1.0, *row)
    return learner.bias()


@pytest.mark.parametrize("boast", [0.0, 0.05])
@pytest.mark.parametrize("slope", [0.0, 0.006])
def test_who_learns_alike_from_both_is_not_biased(slope: float, boast: float) -> None:
    found = [judged(slope, slope, seed=seed, boast=boast) for seed in range(30)]
    scores = np.array([bias / error for bias, error in found])
    assert abs(scores.mean()) < 3 / math.sqrt(30)
    assert 0.7 < scores.std() < 1.35, "the stated error is the true one"


@pytest.mark.parametrize(("success", "failure"), [(0.006, 0.0), (0.008, 0.002), (0.0, 0.006)])
def test_the_planted_bias_is_found(success: float, failure: float) -> None:
    found = np.array([judged(success, failure, seed=seed) for seed in range(10)])
    assert found[:, 0].mean() == pytest.approx(success - failure, abs=0.0008)
    assert np.all(np.abs(found[:, 0]) > 3 * found[:, 1])


def test_the_regression_is_ordinary_least_squares() -> None:
    made = periods(0.006, 0.001, seed=3)
    level = np.array([claimed / n for n, _, claimed in made])
    z = np.array([(h - c) / math.sqrt(c * (1 - c / n)) for n, h, c in made])[:-1]
    terms = np.stack([np.ones_like(z), level[:-1], np.maximum(z, 0), np.minimum(z, 0)], axis=1)
    change = np.diff(level)
    slopes, rest, *_ = np.linalg.lstsq(terms, change, rcond=None)
    spread = rest[0] / (len(z) - 4) * np.linalg.inv(terms.T @ terms)
    contrast = np.array([0, 0, 1, -1])
    bias, error = judged(0.006, 0.001, seed=3)
    assert bias == pytest.approx(slopes @ contrast, rel=1e-6)
    assert error == pytest.approx(math.sqrt(contrast @ spread @ contrast), rel=1e-6)


def test_without_evidence_nothing_is_said() -> None:
    learner = SelfAttribution()
    for row in periods(0.006, 0.0, seed=0)[:20]:
        learner.fold(1.0, *row)
    assert learner.bias() == (0.0, 1.0)
    still = SelfAttribution()
    for hits in range(200):
        still.fold(1.0, 60.0, 30.0 + hits % 5, 36.0)
    assert still.bias() == (0.0, 1.0), "a confidence that never moves tells nothing"


def told(success: float, failure: float) -> dict[str, Any]:
    agent, handle = attached("EgoProcessor", half_life="3650d")
    totals = np.zeros(3)
    for hour, row in enumerate(periods(success, failure, seed=1)):
        totals += row
        view = {
            "score_n": np.array([0.0, totals[0]]),
            "score_hits": np.array([0.0, totals[1]]),
            "score_claimed": np.array([0.0, totals[2]]),
            "score_xx": np.array([0.0, 0.04 * totals[0]]),
            "score_xy": np.array([0.0, 0.04 * totals[0]]),
        }
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
    return state


def test_the_ego_reports_the_bias() -> None:
    fair, biased = told(0.006, 0.006), told(0.006, 0.0)
    assert abs(fair["self_attribution"]) < 3 * fair["self_attribution_error"]
    assert biased["self_attribution"] > 3 * biased["self_attribution_error"]
    assert biased["self_attribution"] == pytest.approx(0.006, abs=0.002)
