"""Shapley values: the result of a team shared out among its players, to the last unit.

A player's share is what it adds to those who are there already, averaged over all orders in which
the team could have come together (Shapley, 1953). It is the one division that shares out exactly
v(all) - v(nobody), gives equals the same, and gives nothing to whoever adds nothing to anybody.

A coalition is a whole number whose bit i says whether player i takes part. Values are fractions, so
that the shares add up exactly and not to a rounding error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

import numpy as np

MOST_EXACT = 6
"""Players up to which all 2^n coalitions are played."""


@dataclass(frozen=True, slots=True)
class Shares:
    """``values`` of the players, and the standard ``errors`` of them where they were sampled."""

    values: tuple[Fraction, ...]
    errors: tuple[float, ...] | None = None


def everybody(players: int) -> int:
    """The coalition of all."""
    return (1 << players) - 1


def all_coalitions(players: int) -> list[int]:
    return list(range(1 << players))


def exact(players: int, value: Mapping[int, Fraction]) -> Shares:
    """Shares from the values of all coalitions."""
    weights = [
        Fraction(factorial(size) * factorial(players - size - 1), factorial(players))
        for size in range(players)
    ]
    shares = []
    for player in range(players):
        bit = 1 << player
        shares.append(
            sum(
                (
                    weights[coalition.bit_count()] * (value[coalition | bit] - value[coalition])
                    for coalition in all_coalitions(players)
                    if not coalition & bit
                ),
                Fraction(0),
            )
        )
    return Shares(tuple(shares))


def antithetic_orders(players: int, pairs: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Random orders of the players, each followed by its reverse.

    A player that comes early in one comes late in the other, which takes out most of the chance of
    who was there before it (antithetic sampling: Mitchell, Cooper, Frank and Holmes, 2022).
    """
    orders = []
    for _ in range(pairs):
        order = tuple(rng.permutation(players).tolist())
        orders += [order, order[::-1]]
    return orders


def coalitions_of(players: int, orders: Sequence[Sequence[int]]) -> list[int]:
    """Every coalition met while the players arrive in these orders, each once, rising."""
    met = {0: None, everybody(players): None}
    for order in orders:
        there = 0
        for player in order:
            there |= 1 << player
            met[there] = None
    return sorted(met)


def without_one(players: int) -> list[int]:
    """For each player the coalition of all others."""
    return [everybody(players) ^ (1 << player) for player in range(players)]


def sampled(players: int, orders: Sequence[Sequence[int]], value: Mapping[int, Fraction]) -> Shares:
    """Shares as means over antithetic pairs of orders (Castro, Gómez and Tejada, 2009).

    What is added along one order telescopes, so these sum exactly as well. The standard error is
    that of the mean over pairs, which are independent of one another; at least two are needed.
    """
    if len(orders) < 4 or len(orders) % 2:
        raise ValueError(f"{len(orders)} orders are not two pairs or more")
    pairs = [
        [(one + other) / 2 for one, other in zip(first, second, strict=True)]
        for first, second in zip(
            (_added(players, order, value) for order in orders[::2]),
            (_added(players, order, value) for order in orders[1::2]),
            strict=True,
        )
    ]
    means = [sum(column, Fraction(0)) / len(pairs) for column in zip(*pairs, strict=True)]
    errors = [
        _standard_error([float(pair[player] - means[player]) for pair in pairs])
        for player in range(players)
    ]
    return Shares(tuple(means), tuple(errors))


def _added(players: int, order: Sequence[int], value: Mapping[int, Fraction]) -> list[Fraction]:
    """What each player added when it came, for one order."""
    added = [Fraction(0)] * players
    there = 0
    for player in order:
        joined = there | 1 << player
        added[player] = value[joined] - value[there]
        there = joined
    return added


def _standard_error(deviations: Sequence[float]) -> float:
    count = len(deviations)
    variance = sum(deviation * deviation for deviation in deviations) / (count - 1)
    return float(np.sqrt(variance / count))
