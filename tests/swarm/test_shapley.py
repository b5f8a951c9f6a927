"""Shapley values against a second implementation, and the properties that define them."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import sqrt
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.swarm import shapley

Game = dict[int, Fraction]

amounts = st.fractions(min_value=-1000, max_value=1000, max_denominator=10**9)


@st.composite
def games(draw: st.DrawFn, most: int = 5) -> tuple[int, Game]:
    players = draw(st.integers(1, most))
    return players, {c: draw(amounts) for c in range(1 << players)}


def by_orders(players: int, value: Game) -> list[Fraction]:
    """The definition: the mean of what a player adds over every order of arrival."""
    total = [Fraction(0)] * players
    orders = list(permutations(range(players)))
    for order in orders:
        present: list[int] = []
        for player in order:
            before = sum(1 << p for p in present)
            present.append(player)
            total[player] += value[sum(1 << p for p in present)] - value[before]
    return [amount / len(orders) for amount in total]


@given(games())
def test_exact_values_are_means_over_all_orders(game: tuple[int, Game]) -> None:
    players, value = game
    assert list(shapley.exact(players, value).values) == by_orders(players, value)


@given(games(), st.integers(2, 5), st.integers(0, 2**32))
def test_values_sum_to_whole_minus_empty_exactly(
    game: tuple[int, Game], pairs: int, seed: int
) -> None:
    players, value = game
    orders = shapley.antithetic_orders(players, pairs, np.random.default_rng(seed))
    shared = value[shapley.everybody(players)] - value[0]
    assert sum(shapley.exact(players, value).values) == shared
    assert sum(shapley.sampled(players, orders, value).values) == shared


@given(games(4))
def test_equal_players_are_given_the_same(game: tuple[int, Game]) -> None:
    players, value = game
    # Two more players, of whom only the number counts.
    both = {
        c | one << players | other << (players + 1): v * (1 + one + other)
        for c, v in value.items()
        for one in (0, 1)
        for other in (0, 1)
    }
    values = shapley.exact(players + 2, both).values
    assert values[players] == values[players + 1]


@given(games(4), amounts)
def test_a_player_that_adds_the_same_to_everybody_is_given_that(
    game: tuple[int, Game], alone: Fraction
) -> None:
    players, value = game
    more = value | {c | 1 << players: v + alone for c, v in value.items()}
    orders = shapley.antithetic_orders(players + 1, 2, np.random.default_rng(1))
    assert shapley.exact(players + 1, more).values[-1] == alone
    drawn = shapley.sampled(players + 1, orders, more)
    assert drawn.values[-1] == alone
    assert drawn.errors is not None
    assert drawn.errors[-1] == 0.0


def test_the_glove_game() -> None:
    """One left glove, two right ones, a pair is worth 1: 2/3, 1/6, 1/6 (Shapley, 1953)."""
    value = {c: Fraction(int(bool(c & 1) and bool(c & 0b110))) for c in range(8)}
    assert shapley.exact(3, value).values == (Fraction(2, 3), Fraction(1, 6), Fraction(1, 6))


def test_sampling_all_orders_is_exact() -> None:
    rng = np.random.default_rng(5)
    value = {c: Fraction(int(rng.integers(-99, 99))) for c in range(1 << 4)}
    half = [order for order in permutations(range(4)) if order < order[::-1]]
    orders = [o for order in half for o in (order, order[::-1])]
    assert len(orders) == 24
    found = shapley.sampled(4, orders, value).values
    assert found == shapley.exact(4, value).values


def test_the_standard_error_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(2)
    value = {c: Fraction(int(rng.integers(0, 100))) for c in range(1 << 7)}
    orders = shapley.antithetic_orders(7, 6, np.random.default_rng(3))
    found = shapley.sampled(7, orders, value)
    assert found.errors is not None

    def added(order: tuple[int, ...], player: int) -> float:
        before = sum(1 << p for p in order[: order.index(player)])
        return float(value[before | 1 << player] - value[before])

    for player in range(7):
        pairs = [
            (added(a, player) + added(b, player)) / 2
            for a, b in zip(orders[::2], orders[1::2], strict=True)
        ]
        assert found.errors[player] == pytest.approx(stdev(pairs) / sqrt(6), rel=1e-12)


def test_errors_say_how_far_samples_are_off() -> None:
    """Over many draws the errors are about as large as what they estimate."""
    rng = np.random.default_rng(8)
    value = {c: Fraction(int(rng.integers(0, 100))) for c in range(1 << 6)}
    true = float(shapley.exact(6, value).values[0])
    draws = [
        shapley.sampled(6, shapley.antithetic_orders(6, 8, np.random.default_rng(seed)), value)
        for seed in range(300)
    ]
    off = [(float(draw.values[0]) - true) ** 2 for draw in draws]
    claimed = [draw.errors[0] ** 2 for draw in draws if draw.errors is not None]
    assert np.mean(claimed) == pytest.approx(np.mean(off), rel=0.25)


def test_orders_come_in_pairs_from_the_seed() -> None:
    one = shapley.antithetic_orders(7, 4, np.random.default_rng(9))
    assert one == shapley.antithetic_orders(7, 4, np.random.default_rng(9))
    assert one != shapley.antithetic_orders(7, 4, np.random.default_rng(10))
    assert all(a == b[::-1] for a, b in zip(one[::2], one[1::2], strict=True))
    assert all(sorted(order) == list(range(7)) for order in one)


def test_only_coalitions_that_are_met_are_asked_for() -> None:
    assert shapley.coalitions_of(3, [(0, 1, 2), (2, 1, 0)]) == [
        0,
        0b001,
        0b011,
        0b100,
        0b110,
        0b111,
    ]
    assert shapley.without_one(3) == [0b110, 0b101, 0b011]


def test_one_pair_has_no_error_to_tell() -> None:
    with pytest.raises(ValueError, match="not two pairs"):
        shapley.sampled(2, [(0, 1), (1, 0)], {c: Fraction(c) for c in range(4)})
