"""Which of several states of volatility rules, and how long it has: an exact Bayesian filter."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats


class SwitchingFilter:
    """Posterior over the state in force and its age, from one noisy reading a period.

    States switch as a Markov chain (Hamilton, 1989); the age of the present one is kept beside it,
    as in the run lengths of online change detection (Adams and MacKay, 2007). With f(k, a) the
    probability of state k at age a, A the transition matrix and L_k(x) the likelihood of reading x:

        f'(k, 0) = L_k Σ_{j≠k} A_jk Σ_a f(j, a)          f'(k, a + 1) = L_k A_kk f(k, a)

    divided by their sum; ages beyond the last are added up in it. Readings are normal about
    ``levels`` with a variance given with each; one further out than ``widest`` deviations from
    every level counts as that far out, so that no outlier decides alone.

    Parameters
    ----------
    levels: (K,) expected reading in each state.
    stays: (K,) mean stay in each state, in periods.
    ages: periods a switch counts as recent.
    """

    __slots__ = ("_ages", "_levels", "_moves", "joint")

    def __init__(self, levels: tuple[float, ...], stays: tuple[float, ...], ages: int) -> None:
        states = len(levels)
        self._levels: Floats = np.array(levels)
        self._ages = ages
        leave = 1.0 / np.maximum(np.array(stays), 1.0)
        moves: Floats = np.repeat(leave[:, np.newaxis] / (states - 1), states, axis=1)
        moves[np.diag_indices(states)] = 1.0 - leave
        self._moves = moves
        self.joint: Floats = np.zeros((states, ages + 1))
        self.joint[:, -1] = 1.0 / states

    def step(self, reading: float, variance: float, widest: float = 4.0) -> None:
        """Move on by one period and take its reading."""
        gaps = (reading - self._levels) ** 2 / variance
        nearest = float(np.min(gaps))
        if nearest > widest * widest:
            gaps = gaps * (widest * widest / nearest)
        likelihood = np.exp(-0.5 * (gaps - np.min(gaps)))
        state = np.add.reduce(self.joint, axis=1)
        stay = np.diagonal(self._moves)
        arrived = np.add.reduce(state[:, np.newaxis] * self._moves, axis=0) - state * stay
        aged = self.joint * stay[:, np.newaxis]
        moved = np.empty_like(self.joint)
        moved[:, 0] = np.maximum(arrived, 0.0)
        moved[:, 1:] = aged[:, :-1]
        moved[:, -1] += aged[:, -1]
        moved *= likelihood[:, np.newaxis]
        self.joint = moved / np.add.reduce(moved, axis=None)

    def unknown(self) -> None:
        """Move on by one period without a reading."""
        self.step(0.0, 1e12)

    def states(self) -> Floats:
        """(K,) probability of each state."""
        return np.asarray(np.add.reduce(self.joint, axis=1))

    def recent(self) -> float:
        """Probability that the state in force began within the last ``ages`` periods."""
        return float(np.add.reduce(self.joint[:, : self._ages], axis=None))

    def checkpoint(self) -> Floats:
        return self.joint.copy()

    def restore(self, joint: Floats) -> None:
        self.joint = joint.copy()
