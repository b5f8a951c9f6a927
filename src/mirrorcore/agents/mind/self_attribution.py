"""Whether confidence learns more from success than from failure.

Daniel, Hirshleifer and Subrahmanyam (1998): who credits itself for success and blames noise for
failure claims a more precise signal after a confirming outcome and no less precise a one after a
disconfirming outcome. Who learns without bias may respond to outcomes as well, but alike to both:
its belief is a martingale, so an outcome k deviations worse than claimed takes off what one k
deviations better adds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mirrorcore.agents.reading import clipped

_TERMS = 4
_LEAST_PERIODS = 24.0
"""Periods of evidence, after forgetting, below which nothing is said."""
_LARGEST_SURPRISE = 6.0
_LEAST_SPREAD = 0.01 * 0.99
"""Variance of an outcome that was claimed to be certain: scores clip probabilities there."""
_LARGEST_CONDITION = 1e12


class SelfAttribution:
    """Discounted regression of the change of claimed confidence on the outcome before.

    With c the mean claimed hit rate of a period of n forecasts, h of them hits, and the surprise
    z = (h - n c) / √(n c (1 - c)) of the period before:

        c' - c = a + m (c - ½) + s max(z, 0) + f min(z, 0) + noise

    The bias is s - f, in probability per deviation: about 0 without bias whatever s and f are,
    and s > 0 = f in the model. m takes up that a confidence high by chance falls back, which would
    otherwise be read as an answer to the outcome. Fitted as b z + g |z| with s - f = 2 g; its error
    is that of least squares with the weights as counts, which overstates it by up to √2 once the
    memory is full.
    """

    __slots__ = ("_before", "_moments", "_pushes", "_squares", "_weight")

    def __init__(self) -> None:
        self._moments = [0.0] * (_TERMS * _TERMS)
        self._pushes = [0.0] * _TERMS
        self._squares = self._weight = 0.0
        self._before: list[float] = []

    def fold(self, kept: float, n: float, hits: float, claimed: float) -> None:
        """Forget by ``kept`` and add what one period brought; nothing if it scored no forecast."""
        self._moments = [kept * value for value in self._moments]
        self._pushes = [kept * value for value in self._pushes]
        self._squares *= kept
        self._weight *= kept
        if n < 1.0:
            return
        level = clipped(claimed / n, 0.5, 1.0)
        if self._before:
            last, surprise = self._before
            row = (1.0, last - 0.5, surprise, abs(surprise))
            change = level - last
            for i, left in enumerate(row):
                self._pushes[i] += left * change
                for j, right in enumerate(row):
                    self._moments[_TERMS * i + j] += left * right
            self._squares += change * change
            self._weight += 1.0
        spread = math.sqrt(n * max(level * (1.0 - level), _LEAST_SPREAD))
        surprise = (clipped(hits, 0.0, n) - n * level) / spread
        self._before = [level, clipped(surprise, -_LARGEST_SURPRISE, _LARGEST_SURPRISE)]

    def bias(self) -> tuple[float, float]:
        """s - f and its standard error; (0, 1), nothing known, before there is evidence.

        Nothing is known either where the terms cannot be told apart: of a trader whose confidence
        never moves, or whose outcomes surprise it by always as much.
        """
        nothing = 0.0, 1.0
        if self._weight < _LEAST_PERIODS:
            return nothing
        moments = np.array(self._moments).reshape(_TERMS, _TERMS)
        size = np.sqrt(np.diagonal(moments))
        if not float(np.min(size)) > 0.0:
            return nothing
        # In units of each term's own size, so that the condition is that of their angles alone.
        scaled = moments / size[:, None] / size[None, :]
        if not float(np.linalg.cond(scaled)) < _LARGEST_CONDITION:
            return nothing
        inverse = np.linalg.inv(scaled) / size[:, None] / size[None, :]
        pushes = np.array(self._pushes)
        slopes = inverse @ pushes
        left = max(self._squares - float(slopes @ pushes), 0.0)
        variance = left / (self._weight - _TERMS) * float(inverse[-1, -1])
        bias, error = 2.0 * float(slopes[-1]), 2.0 * math.sqrt(max(variance, 0.0))
        if not error < 1.0:
            return nothing
        return clipped(bias, -1.0, 1.0), error

    def checkpoint(self) -> dict[str, Any]:
        return {
            "moments": list(self._moments),
            "pushes": list(self._pushes),
            "numbers": [self._squares, self._weight],
            "before": list(self._before),
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._moments = list(memory["moments"])
        self._pushes = list(memory["pushes"])
        self._squares, self._weight = memory["numbers"]
        self._before = list(memory["before"])
