"""Sums that forget with a half-life in time, over ticks at any distance from each other.

    Y(t) = Σ_{s ≤ t} x(s) 2^(-(t - s) / H)

The filters of ``market.features`` count rows of a regular grid; agents see the ticks of all
symbols, which have holes. Here the weight of a value depends on elapsed time alone: an hour in 60
ticks is the hour in one, and what other symbols do changes no bit of a symbol's sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Floats, Ints

_HALF_LIVES = 16
"""Half-lives in an epoch. Each epoch scales by 2^-16, which is exact in floating point."""
_NOTHING = 1e-200


class DecayedSum:
    """One decayed sum per column, the same to the bit however the ticks are cut into blocks.

    Time is cut into epochs of 16 half-lives. Within one, x is weighted by 2^(offset / H), added up
    one after the other from the sum carried in, and weighted back.

    Parameters
    ----------
    half_life_ns: H.
    columns: K.
    """

    __slots__ = ("_carry", "_epoch", "columns", "half_life_ns")

    def __init__(self, half_life_ns: int, columns: int) -> None:
        self.half_life_ns = half_life_ns
        self.columns = columns
        self._epoch = 0
        self._carry: Floats = np.zeros(columns)

    def __call__(self, ts: Ints, x: Floats) -> Floats:
        """The sums (T, K) after each of the ticks ``ts`` (T,), rising; x (T, K) is finite."""
        length = self.half_life_ns * _HALF_LIVES
        epochs = ts // length
        cuts = np.flatnonzero(epochs[1:] != epochs[:-1]) + 1
        sums = np.empty_like(x)
        start = 0
        for stop in [*cuts.tolist(), len(ts)]:
            if stop == start:
                continue
            self._enter(int(epochs[start]))
            offset = (ts[start:stop] - self._epoch * length) / self.half_life_ns
            sums[start:stop] = self._within(offset, x[start:stop])
            start = stop
        return sums

    def _enter(self, epoch: int) -> None:
        if epoch != self._epoch:
            elapsed = min(max(epoch - self._epoch, 0), 60)
            carry = self._carry * 2.0 ** (-_HALF_LIVES * elapsed)
            self._carry = np.where(np.abs(carry) < _NOTHING, 0.0, carry)
            self._epoch = epoch

    def _within(self, offset: Floats, x: Floats) -> Floats:
        path = np.empty((len(x) + 1, self.columns))
        path[0] = self._carry
        np.multiply(x, np.exp2(offset)[:, np.newaxis], out=path[1:])
        np.cumsum(path, axis=0, out=path)
        self._carry = path[-1].copy()
        sums: Floats = path[1:] * np.exp2(-offset)[:, np.newaxis]
        return sums

    def checkpoint(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "carry": self._carry}

    def restore(self, memory: dict[str, Any]) -> None:
        self._epoch = memory["epoch"]
        self._carry = memory["carry"]


class DecayedSums:
    """Several sums with one half-life, by name."""

    __slots__ = ("_sums",)

    def __init__(self, half_life_ns: int, columns: int, *names: str) -> None:
        self._sums = {name: DecayedSum(half_life_ns, columns) for name in names}

    def __call__(self, name: str, ts: Ints, x: Floats) -> Floats:
        return self._sums[name](ts, x)

    def checkpoint(self) -> dict[str, Any]:
        return {name: total.checkpoint() for name, total in self._sums.items()}

    def restore(self, memory: dict[str, Any]) -> None:
        for name, total in self._sums.items():
            total.restore(memory[name])


def full_weight(half_life_ns: int, interval_ns: int) -> float:
    """What a decayed sum of ones comes to when one arrives every ``interval_ns``."""
    return float(1.0 / -np.expm1(-np.log(2.0) * interval_ns / half_life_ns))


def ratio(above: Floats, below: Floats) -> Floats:
    """above / below, 0 where below is not positive."""
    quotient: Floats = np.divide(above, below, out=np.zeros_like(above), where=below > 1e-300)
    return quotient
