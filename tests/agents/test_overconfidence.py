"""EgoProcessor judges traders whose overconfidence is known by construction.

Gervais and Odean (2001): a trader of ability H or L, it does not know which, learns from its own
results and credits itself too much for success: belief odds times γ H/L after one, times
(1 - H)/(1 - L) after a failure. γ = 1 is Bayes. Where the L type's odds drift upwards,

    γ > γ* = ((1 - L)/(1 - H))^((1 - L)/L) L/H,

it never finds out; below, pride rises, peaks and is unlearned.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from agents_world import START, attached, lone_tick

from mirrorcore.clock import HOUR

HIGH, LOW = 0.7, 0.5
TRADERS, TRADES = 10_000, 600
CRITICAL = ((1 - LOW) / (1 - HIGH)) ** ((1 - LOW) / LOW) * LOW / HIGH
MIDNIGHT = START - START % (24 * HOUR) + 24 * HOUR


def crowd(gamma: float, seed: int = 0) -> tuple[list[float], list[float]]:
    """After each trade: the mean overestimate of the own hit rate, and what the ego says of it."""
    rng = np.random.default_rng(seed)
    ability = np.where(rng.random(TRADERS) < 0.5, HIGH, LOW)
    odds = np.zeros(TRADERS)
    agent, handle = attached("EgoProcessor", half_life="3h")
    totals = dict.fromkeys(("n", "hits", "claimed", "xx", "xy"), 0.0)
    true, said = [], []
    for trade in range(TRADES):
        belief = 1 / (1 + np.exp(-odds))
        claim = belief * HIGH + (1 - belief) * LOW
        success = rng.random(TRADERS) < ability
        odds += np.where(success, math.log(gamma * HIGH / LOW), math.log((1 - HIGH) / (1 - LOW)))
        x = np.log(claim / (1 - claim))
        totals["n"] += TRADERS
        totals["hits"] += float(np.sum(success))
        totals["claimed"] += float(np.sum(claim))
        totals["xx"] += float(np.sum(0.25 * x * x))
        totals["xy"] += float(np.sum(0.5 * x * (success - 0.5)))
        view = {f"score_{name}": np.array([0.0, total]) for name, total in totals.items()}
        state = lone_tick(agent, handle, MIDNIGHT + trade * HOUR, performance=view)
        true.append(float(np.mean(claim - ability)))
        said.append(state["overconfidence"])
    return true, said


def test_the_critical_bias_is_the_published_one() -> None:
    assert pytest.approx(1.190, abs=5e-4) == CRITICAL


@pytest.mark.parametrize("gamma", [1.0, 1.1, 1.3])
def test_the_ego_measures_the_bias_that_was_planted(gamma: float) -> None:
    true, said = crowd(gamma)
    for trade in (20, 50, 100, 200, 400, TRADES - 1):
        assert said[trade] == pytest.approx(true[trade], abs=0.012), trade


def test_pride_rises_and_is_unlearned_below_the_critical_bias_and_stays_above() -> None:
    _, bayes = crowd(1.0)
    _, proud = crowd(1.1)
    _, stuck = crowd(1.3)
    late = slice(-100, None)
    assert abs(np.mean(bayes[50:])) < 0.002
    peak = float(np.mean(proud[30:60]))
    assert peak == pytest.approx(0.027, abs=0.005)
    assert float(np.mean(proud[late])) < 0.3 * peak
    assert float(np.mean(stuck[late])) == pytest.approx(0.098, abs=0.006)


def test_boast_is_the_inverse_of_the_earned_slope() -> None:
    """Stated log-odds k times those earned, for k from a third to beyond the clip."""
    for factor, expected in ((0.5, 0.5), (1.0, 1.0), (2.0, 2.0), (6.0, 4.0)):
        rng = np.random.default_rng(1)
        earned = 0.4 * rng.normal(size=100_000)
        rise = rng.random(earned.size) < 1 / (1 + np.exp(-earned))
        # The scoreboard clips what is stated to .01 .. .99.
        stated = np.clip(factor * earned, -math.log(99), math.log(99))
        sums = {
            "n": earned.size,
            "hits": np.sum((stated > 0) == rise),
            "claimed": np.sum(1 / (1 + np.exp(-np.abs(stated)))),
            "xx": np.sum(0.25 * stated * stated),
            "xy": np.sum(0.5 * stated * (rise - 0.5)),
        }
        agent, handle = attached("EgoProcessor")
        for hour, share in enumerate(np.linspace(0.0, 1.0, 201).tolist()):
            view = {f"score_{k}": np.array([0.0, share * float(v)]) for k, v in sums.items()}
            state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
        assert state["boast"] == pytest.approx(expected, rel=0.1)
