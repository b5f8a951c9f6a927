"""Cuts of a history into training and test days that do not touch.

A label looks ahead by its horizon and a feature remembers for its half-life, so days next to each
other know of each other: between training and test lie ``embargo`` days that belong to neither
(López de Prado 2018, chapter 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Ints

TRAINING_SHARE = 0.6
ROLLS = 4
LEAST_TRAINING = 30
LEAST_TEST = 5


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the days to learn or choose on, and of those to score on."""

    train: Ints
    test: Ints


def shortest_history(embargo: int, rolls: int = ROLLS) -> int:
    """Days a walk-forward needs: a training window of ``LEAST_TRAINING`` and its tests."""
    days = LEAST_TRAINING + embargo + rolls * LEAST_TEST
    while not _fits(days, embargo, rolls):
        days += 1
    return days


def _fits(days: int, embargo: int, rolls: int) -> bool:
    train = int(days * TRAINING_SHARE)
    return train >= LEAST_TRAINING and (days - train - embargo) // rolls >= LEAST_TEST


def walk_forward(days: int, embargo: int, rolls: int = ROLLS) -> list[Split]:
    """Training on 60 % of the days, embargo, test on what follows, then all of it moves on.

    The tests are ``rolls`` stretches without gap or overlap that end with the history; each window
    of training has the same length and ends ``embargo`` days before its test begins.

    Raises
    ------
    ValueError: the history is shorter than :func:`shortest_history`.
    """
    if not _fits(days, embargo, rolls):
        need = shortest_history(embargo, rolls)
        raise ValueError(f"a walk-forward needs {need} whole days, has {days}")
    train = int(days * TRAINING_SHARE)
    length = (days - train - embargo) // rolls
    first = days - rolls * length
    return [
        Split(
            np.arange(begin - embargo - train, begin - embargo),
            np.arange(begin, begin + length),
        )
        for begin in range(first, days, length)
    ]


def purged_folds(days: int, folds: int, embargo: int) -> Iterator[Split]:
    """Each of ``folds`` stretches once as test; training is the rest less ``embargo`` either side.

    Before the test the days go whose labels reach into it, after it those whose features remember
    it; both with the larger of the two spans, ``embargo``.

    Raises
    ------
    ValueError: fewer than two folds, or fewer days than folds.
    """
    if folds < 2 or days < folds:
        raise ValueError(f"{folds} folds of {days} days, needs 2 folds and a day each")
    everything = np.arange(days)
    for test in np.array_split(everything, folds):
        apart = (everything < test[0] - embargo) | (everything > test[-1] + embargo)
        yield Split(everything[apart], test)
