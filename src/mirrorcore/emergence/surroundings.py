"""The market and the swarm's beliefs about it, as numbers that are quiet while nothing switches.

Everything is measured from a reference learned from ticks that are handed over later by ``learn``,
so that what is new now is not yet part of what is usual.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import Array

_TINY = 1e-12
# How much the log-spread moves by a unit of score, and what is left of it a tick later.
_ANSWERS = np.array([0.0, 0.006, 0.012, 0.006, 0.025, 0.05, 0.05, 0.1, 0.1])
_FADING = np.array([1.0, 0.95, 0.95, 0.98, 0.95, 0.9, 0.95, 0.9, 0.95])
# In the end, what part of a switch is followed, and so hidden: of forecasts that fit alike, the one
# that follows least is used; following all of it must be worth so many nats of fit.
_FOLLOWS = 1.25 * _ANSWERS / (1.25 * _ANSWERS + 1.0 - _FADING + _TINY)
_RELUCTANCE = 20.0
_MEMORY = 1000.0
_WILD = 16.0
_LAGS = 3
_FIT_FROM = 192.0
_FREEDOM = 5.0
_FAR = 6.0


class MarketReference:
    """Returns divided by the volatility that clustering lets one expect.

    The logarithm of the spread follows the score of each return and falls back to its usual level
    (Harvey 2013, a beta-t model: no single wild return moves it far); of several answers and
    memories the one whose forecasts have fitted best is used.
    """

    def __init__(self) -> None:
        self._excess = np.zeros(len(_ANSWERS))  # log-spread above the usual one
        self._fit = np.zeros(len(_ANSWERS))
        self.learned = 0.0
        self._mean, self._power = 0.0, 0.0

    def restart(self) -> None:
        """What is usual is learned anew, from the next ticks learned."""
        self.learned = 0.0

    def standardise(self, returns: Array) -> tuple[Array, Array]:
        """(B,) returns in expected spreads, and how well each forecast fitted, summed."""
        usual = np.sqrt(self._power) + _TINY
        ahead = np.empty((len(returns), len(_ANSWERS)))
        odd = ((returns - self._mean) / usual) ** 2 / (_FREEDOM - 2.0)
        excess = self._excess
        for tick, square in enumerate(odd):
            ahead[tick] = excess
            share = 1.0 - 1.0 / (1.0 + square * np.exp(-2.0 * excess))
            excess = _FADING * excess + _ANSWERS * ((_FREEDOM + 1.0) * share - 1.0)
        self._excess = np.clip(excess, -_FAR, _FAR)
        wide = odd[:, None] * np.exp(-2.0 * ahead)
        density = -(_FREEDOM + 1.0) / 2.0 * np.log1p(wide) - ahead
        best = int((self._fit - _RELUCTANCE * _FOLLOWS).argmax())
        out: Array = (returns - self._mean) / usual * np.exp(-ahead[:, best])
        return out, density.sum(axis=0)

    def learn(self, returns: Array, fit: Array) -> None:
        """Ticks that are taken as quiet, and what :meth:`standardise` said of their fit."""
        first = self.learned == 0.0
        self.learned += len(returns)
        share = len(returns) / min(self.learned, _MEMORY)
        self._mean += share * (float(returns.mean()) - self._mean)
        squares = (returns - self._mean) ** 2
        if self.learned > 64:
            squares = np.minimum(squares, _WILD * self._power)
        self._power = (
            float(squares.mean())
            if first
            else self._power + share * (float(squares.mean()) - self._power)
        )
        if self.learned > 64:
            self._fit += fit - fit.max()


class BeliefReference:
    """The average belief of N agents about each of two things, and what is new in it."""

    def __init__(self, agents: int) -> None:
        self.learned = 0.0
        self._mean = np.zeros((agents, 2))
        self._square = np.zeros((agents, 2))
        self._past = np.zeros((_LAGS, 2))
        size = _LAGS + 1
        self._gram, self._cross = np.zeros((2, size, size)), np.zeros((2, size))
        self._errors = np.ones(2)
        self._weights = np.zeros((2, size))
        self._seen = 0.0
        self._fitted_on = 0.0
        self._measured = 0.0
        self.fitted = False

    def restart(self) -> None:
        """What is usual is learned anew, from the next ticks learned."""
        self.learned = 0.0

    def moved(self, beliefs: Array) -> Array:
        """(B, N, 2) beliefs in spreads from each agent's usual one."""
        spread = np.sqrt(np.maximum(self._square, _TINY))
        out: Array = np.clip((beliefs - self._mean) / spread, -_FAR, _FAR)
        return out

    def standardise(self, beliefs: Array) -> tuple[Array, Array, Array]:
        """(B, 2) what is new in the average belief, in spreads; and what it was forecast from."""
        average = self.moved(beliefs).mean(axis=1)
        long = np.concatenate([self._past, average])
        self._past = long[-_LAGS:]
        size = len(average)
        lags = [long[_LAGS - k : _LAGS - k + size] for k in range(1, _LAGS + 1)]
        rows = np.stack([*lags, np.ones_like(average)], axis=2)  # (B, 2, K)
        error = average - (rows * self._weights).sum(axis=2)
        return error / np.sqrt(self._errors), rows, average

    def learn(self, beliefs: Array, rows: Array, average: Array) -> None:
        """Ticks that are taken as quiet, and what :meth:`standardise` said of them."""
        first = self.learned == 0.0
        self.learned += len(beliefs)
        share = len(beliefs) / min(self.learned, _MEMORY)
        self._mean += (1.0 if first else share) * (beliefs.mean(axis=0) - self._mean)
        around = ((beliefs - self._mean) ** 2).mean(axis=0)
        # The spread is kept when the reference is learned anew.
        self._seen += len(beliefs)
        self._square += len(beliefs) / min(self._seen, 4 * _MEMORY) * (around - self._square)
        if self.learned <= 128:
            return
        self._gram += np.einsum("bck,bcl->ckl", rows, rows)
        self._cross += np.einsum("bck,bc->ck", rows, average)
        self._fitted_on += len(beliefs)
        if not self.fitted:
            return
        self._measured += len(beliefs)
        error = average - (rows * self._weights).sum(axis=2)
        share = len(beliefs) / min(self._measured, _MEMORY)
        self._errors += share * ((error**2).mean(axis=0) - self._errors)
        np.maximum(self._errors, _TINY, out=self._errors)

    def refit(self) -> None:
        """Forecasts of the average belief from everything learned, if that is enough."""
        if self._fitted_on < _FIT_FROM:
            return
        ridge = np.eye(_LAGS + 1)
        solved = np.linalg.solve(self._gram + ridge, self._cross[:, :, None])
        self._weights = solved[:, :, 0].astype(np.float64)
        self.fitted = True

    @property
    def measured(self) -> float:
        """Ticks that the spread of what is new rests on."""
        return self._measured
