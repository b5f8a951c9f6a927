"""Regret bounds of the mixture of memories, whatever the losses are; adversaries included."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.agents.desk.experts import FixedShare
from mirrorcore.agents.desk.regression import OnlineRidge
from mirrorcore.market.block import Floats


def best_sequence(losses: Floats, changes: int) -> float:
    """Least loss of any sequence that changes at most so often, by dynamic programming."""
    rounds, experts = losses.shape
    best = np.full((changes + 1, experts), np.inf)
    best[0] = 0.0
    for row in range(rounds):
        moved = np.full_like(best, np.inf)
        for used in range(changes + 1):
            moved[used] = best[used]
            if used and row:
                moved[used] = np.minimum(best[used], best[used - 1].min())
        best = moved + losses[row]
    return float(best.min())


def sequence_bound(rounds: int, experts: int, changes: int, share: float, rate: float) -> float:
    stayed = 1.0 - share + share / experts
    surprise = math.log(experts) + changes * math.log(experts / share)
    return (surprise + (rounds - 1 - changes) * math.log(1.0 / stayed)) / rate


def mixed(made: FixedShare, losses: Floats) -> float:
    total = 0.0
    for row in losses:
        total += made.mix_loss(row)
        made.update(row)
    return total


@given(
    seed=st.integers(0, 2**32),
    rounds=st.integers(2, 120),
    experts=st.integers(2, 6),
    share=st.floats(1e-4, 0.9),
    rate=st.floats(0.05, 2.0),
    scale=st.sampled_from([0.01, 1.0, 50.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_experts_is_better_by_more_than_its_surprise(
    seed: int, rounds: int, experts: int, share: float, rate: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    losses = scale * rng.normal(size=(rounds, experts)) * (rng.random((rounds, 1)) < 0.7)
    total = mixed(FixedShare(experts, rate=rate, share=share), losses)
    for changes in range(min(4, rounds)):
        bound = sequence_bound(rounds, experts, changes, share, rate)
        assert total <= best_sequence(losses, changes) + bound + 1e-7 * (1 + abs(total))


@pytest.mark.parametrize("share", [1 / 500, 1 / 180, 1 / 20])
def test_an_adversary_that_strikes_the_favourite_stays_within_the_bound(share: float) -> None:
    """Each round the expert believed most is made to lose most: the worst there is."""
    made, rounds, experts = FixedShare(3, rate=1.0, share=share), 2_000, 3
    losses, total = np.zeros((rounds, experts)), 0.0
    for row in losses:
        row[int(np.argmax(made.weights))] = 1.0
        total += made.mix_loss(row)
        made.update(row)
    for changes in (0, 1, 7, 50):
        bound = sequence_bound(rounds, experts, changes, share, 1.0)
        assert total <= best_sequence(losses, changes) + bound


@given(seed=st.integers(0, 2**32), experts=st.integers(2, 10), adversary=st.booleans())
@settings(max_examples=60, deadline=None)
def test_hedge_is_within_its_bound_of_the_best_expert(
    seed: int, experts: int, adversary: bool
) -> None:
    """Losses in 0..1, η = sqrt(8 ln K / T): regret at most sqrt(T ln K / 2)."""
    rng, rounds = np.random.default_rng(seed), 400
    made = FixedShare(experts, rate=math.sqrt(8 * math.log(experts) / rounds))
    suffered, totals = 0.0, np.zeros(experts)
    for _ in range(rounds):
        row = rng.random(experts) ** rng.integers(1, 6)
        if adversary:
            row = (made.weights >= np.sort(made.weights)[-max(1, experts // 2)]).astype(float)
        suffered += float(made.weights @ row)
        totals += row
        made.update(row)
    assert suffered - totals.min() <= math.sqrt(rounds * math.log(experts) / 2)


def test_shares_stay_shares_and_none_goes_out() -> None:
    made = FixedShare(4, share=0.02)
    for scale in (1.0, 1e6, 1e-9, 0.0):
        made.update(scale * np.array([0.0, 1.0, 2.0, 3.0]))
        assert made.weights.sum() == pytest.approx(1.0)
        assert made.weights.min() >= 0.02 / 4
    again = FixedShare(4, share=0.02)
    again.restore(made.checkpoint())
    assert np.array_equal(again.weights, made.weights)


def test_without_sharing_a_skill_that_moved_is_found_late_and_with_it_soon() -> None:
    losses = np.zeros((400, 2))
    losses[:200, 1], losses[200:, 0] = 0.5, 0.5

    def back(made: FixedShare) -> int:
        for row in losses[:200]:
            made.update(row)
        for count, row in enumerate(losses[200:]):
            if made.weights[1] > 0.5:
                return count
            made.update(row)
        return len(losses)

    assert back(FixedShare(2, share=1 / 180)) <= 15
    assert back(FixedShare(2)) >= 199


# -- memories -------------------------------------------------------------------------------------


def moved(
    changes: int, seed: int, rounds: int = 240, rows: int = 60
) -> list[tuple[Floats, Floats]]:
    """Rounds in which one of two inputs knows something, and which of them changes."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(rounds):
        x = rng.normal(size=(rows, 2))
        knows = (number * (changes + 1) // rounds) % 2
        made.append((x, 0.15 * x[:, knows] + rng.normal(size=rows)))
    return made


def errors(kept: list[float], rounds: list[tuple[Floats, Floats]]) -> list[float]:
    made = OnlineRidge(2, 100.0, len(kept), 1 / 60)
    found = []
    for x, y in rounds:
        found.append(float(np.mean((y - x @ made.weights) ** 2)))
        made.observe(x, y, x)
        made.refit(kept, 1.0)
    return found


def test_two_memories_do_as_well_as_the_better_one_on_either_side_of_a_change() -> None:
    long, short = 1.0, 0.95
    both, only_long, only_short = ([], [], [])
    for seed in range(8):
        rounds = moved(1, seed)
        both.append(errors([long, short], rounds))
        only_long.append(errors([long], rounds))
        only_short.append(errors([short], rounds))
    steady, after = slice(60, 120), slice(130, 180)
    b, one, other = (np.mean(e, axis=0) for e in (both, only_long, only_short))
    best_before = min(one[steady].mean(), other[steady].mean())
    assert (
        b[steady].mean() - best_before < 0.2 * abs(one[steady].mean() - other[steady].mean()) + 2e-4
    )
    assert b[after].mean() < one[after].mean() - 0.3 * (one[after].mean() - other[after].mean())


def test_a_silent_newcomer_moves_no_share_by_a_bit() -> None:
    rounds = moved(1, 3, rounds=40)
    alone, joined = OnlineRidge(2, 10.0, 2, 1 / 60), OnlineRidge(2, 10.0, 2, 1 / 60)
    for number, (x, y) in enumerate(rounds):
        if number == 10:
            joined.grow(5)
        wide = np.pad(x, ((0, 0), (0, len(joined.weights) - 2)))
        alone.observe(x, y, x)
        joined.observe(wide, y, wide)
        alone.refit([1.0, 0.9], 1.0)
        joined.refit([1.0, 0.9], 1.0)
        assert np.array_equal(alone.shares, joined.shares)
        assert np.array_equal(alone.weights, joined.weights[:2])
    assert any(a != b for a, b in pairwise(alone.shares))


def test_a_regression_goes_on_from_its_checkpoint() -> None:
    rounds = moved(1, 4, rounds=30)
    straight, cut = OnlineRidge(2, 10.0, 2, 1 / 60), OnlineRidge(2, 10.0, 2, 1 / 60)
    for number, (x, y) in enumerate(rounds):
        for made in (straight, cut):
            made.observe(x, y, x)
            made.refit([1.0, 0.9], 1.0)
        if number == 12:
            held = cut.checkpoint()
            cut = OnlineRidge(2, 10.0, 2, 1 / 60)
            cut.restore(held)
    assert np.array_equal(straight.weights, cut.weights)
    assert straight.conviction() == cut.conviction()
