"""The evidence against values worked out another way: all paths of a coin, and cases by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mirrorcore.emergence.collective import SwarmIntelligenceDetector
from mirrorcore.emergence.detector import BUDGET, family_of
from mirrorcore.emergence.indices import division_of_labour, order_parameter
from mirrorcore.emergence.sequential import EDetector
from mirrorcore.emergence.symmetric import SymmetricEDetector
from mirrorcore.report.overfitting import overfitting

COINS = np.array(list(product((-1.0, 1.0), repeat=10)))
"""(1024, 10) every path of ten fair tosses."""


def paths(bets: tuple[float, ...], every: int) -> np.ndarray:
    """(1024, 10) worth of all stakes along each path."""
    detector = EDetector(len(COINS), bets, 1, every)
    return np.array([detector.update(toss[None, :]) for toss in COINS.T]).T


def test_the_e_detector_is_that_of_shiryaev_and_roberts() -> None:
    """R[t] = (R[t-1] + 1) L[t] with the likelihood ratio of a coin of 3/4 against a fair one, as in
    Shin, Ramdas and Rinaldo (2024, section 3): L is 1.5 for heads and 0.5 for tails."""
    told = paths((0.5,), 1)
    for tosses, worth in zip(COINS, told, strict=True):
        recursion, expected = 0.0, []
        for toss in tosses:
            recursion = (recursion + 1.0) * (1.5 if toss > 0 else 0.5)
            expected.append(recursion)
        assert worth == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("bets", "every"), [((0.5,), 1), ((0.1, 0.3, 0.9), 1), ((0.5,), 3)])
def test_its_mean_over_all_paths_is_the_number_of_stakes(
    bets: tuple[float, ...], every: int
) -> None:
    laid = np.arange(10) // every + 1.0
    assert paths(bets, every).mean(axis=0) == pytest.approx(laid, rel=1e-12)


def test_no_more_paths_reach_a_worth_than_the_inequality_allows() -> None:
    told = paths((0.5,), 1).max(axis=1)
    for worth in (5.0, 15.0, 40.0, 100.0):
        assert 0 < (told >= worth).mean() <= 10.0 / worth


def test_bets_on_a_side_gain_nothing_over_all_signs_of_any_sizes() -> None:
    sizes = np.array([3.0, 0.01, 1.0, 0.5, 7.0, 0.2, 2.0, 0.9, 0.1, 1.5])
    detector = SymmetricEDetector(len(COINS), (0.1, 0.4), 1, 1)
    told = [detector.update(row[None, :], -row[None, :]) for row in (COINS * sizes).T]
    for laid, worth in enumerate(told, start=1):
        up, down = worth.mean(axis=1)
        assert up == pytest.approx(down, rel=1e-12)
        assert up <= laid


def worth_against(rival: float, swarm: float, outcomes: tuple[float, ...]) -> float:
    """Of all stakes that one who says ``rival`` is beaten by ``swarm``, after these outcomes."""
    detector = SwarmIntelligenceDetector({})
    for outcome in (0.0, *outcomes):
        detector.update({"ret": 0.0, "votes": [rival], "swarm": swarm, "outcome": outcome})
    return float(detector._worth[0])


def test_who_knows_the_chance_is_not_beaten_on_average() -> None:
    """What the bet is worth on average over all 256 paths, where the chance is known.

    At .65, half-way between rival and swarm, both forecast equally well and it is worth what was
    laid; at the rival's own .6 it loses.
    """
    every = list(product((0.0, 1.0), repeat=8))
    told = [worth_against(0.6, 0.7, path) for path in every]
    laid = worth_against(0.6, 0.6, every[0])  # who says the same is never bet against
    average = {}
    for chance in (0.65, 0.6):
        weights = [np.prod([chance if one else 1.0 - chance for one in path]) for path in every]
        average[chance] = float(np.dot(weights, told))
    assert average[0.65] == pytest.approx(laid, rel=1e-12)
    assert 0.8 * laid < average[0.6] < 0.99 * laid
    assert max(told) > 1.2 * laid


def test_a_family_of_detectors_asks_for_its_size_in_evidence() -> None:
    alone, one_of_four = EDetector(1, (0.5,), 1, 1), EDetector(1, (0.5,), 1, 1, family=4)
    assert one_of_four.threshold == 4 * alone.threshold
    assert one_of_four.e_value(one_of_four.threshold) == pytest.approx(1 / BUDGET)
    sided = SymmetricEDetector(1, (0.5,), 1, 1, family=4)
    assert sided.threshold == one_of_four.threshold
    assert family_of({}) == 1
    assert family_of({"family": 3}) == 3


def test_a_finding_of_a_family_comes_later_and_says_as_much() -> None:
    rng = np.random.default_rng(4)
    raised = {}
    pieces = rng.normal(size=(1500, 8))
    coins = rng.random(1500)
    for family in (1, 8):
        detector, outcome = SwarmIntelligenceDetector({"family": family}), 0.0
        for piece, coin in zip(pieces, coins, strict=True):
            votes, swarm = 1 / (1 + np.exp(-0.4 * piece)), 1 / (1 + np.exp(-0.4 * piece.sum()))
            tick = {"ret": 0.0, "votes": votes, "swarm": swarm, "outcome": outcome}
            for finding in detector.update(tick):
                raised.setdefault(family, finding)
            outcome = float(coin < swarm)
    assert raised[1].raised_at < raised[8].raised_at
    assert raised[8].e == pytest.approx(1 / BUDGET, rel=0.5)
    assert raised[8].e >= 1 / BUDGET


def test_overfitting_by_hand() -> None:
    """Four stretches, the second configuration the mirror of the first, whose means are 6, 2, -3
    and -1. Of six splits the first wins in {1,2}, {1,3}, {1,4}, {2,4} and is above the other out of
    sample in {1,3} and {2,4} alone; the second wins in {2,3} and {3,4} and is below in both."""
    first = np.array([6.0, 2.0, -3.0, -1.0]).repeat(2) + np.tile([0.1, -0.1], 4)
    found = overfitting(np.stack([first, -first], axis=1), groups=4)
    assert (found.splits, found.winners) == (6, (4, 2))
    assert found.pbo == pytest.approx(4 / 6)
    assert found.loss == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("counts", "index"),
    [
        ([[5, 0], [0, 5]], 1.0),  # who it is says what it does
        ([[2, 2], [7, 7]], 0.0),  # all choose alike, however often
        ([[4, 0], [9, 0]], 0.0),  # there is one task
        ([[0, 0], [0, 0]], 0.0),
        # ln 2 less the entropy of (3/4, 1/4), over ln 2
        ([[3, 1], [1, 3]], 1.0 + 0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)),
        # Agents 1 bit, tasks 1.75, both together 2.25.
        ([[2, 2, 0, 0], [2, 0, 1, 1]], (1.0 + 1.75 - 2.25) / 1.75),
    ],
)
def test_division_of_labour_by_hand(counts: list[list[int]], index: float) -> None:
    assert division_of_labour(np.array(counts, dtype=float)) == pytest.approx(index, abs=1e-12)


def test_the_order_parameter_by_hand() -> None:
    assert order_parameter(np.array([[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]])) == 1.0
    assert order_parameter(np.array([[1.0, -1.0, 1.0, -1.0]])) == 0.0
    assert order_parameter(np.array([[1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0]])) == 0.125


def test_agents_that_act_by_chance_are_as_ordered_as_a_random_walk_is_long() -> None:
    signs = np.random.default_rng(5).choice([-1.0, 1.0], size=(20_000, 100))
    # E |mean of N signs| = sqrt(2 / (pi N)) for large N.
    assert order_parameter(signs) == pytest.approx(np.sqrt(2 / (np.pi * 100)), rel=0.02)
