"""What an agent is expected to do, given what it may have seen and its own habits.

A ridge regression of each agent's behaviour on features shared by all, on features of its own past,
and on bends of its own market response, which lets a threshold rule be followed. Coefficients come
from earlier ticks only, so what is left over is a forecast error and not a fit. One Gram matrix of
the shared features serves all agents; own columns are eliminated agent by agent (Schur complement).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mirrorcore.emergence.clockwork import KEPT
from mirrorcore.emergence.detector import Array
from mirrorcore.emergence.market_features import moving_average

_RATES = (0.5, 0.2, 0.07, 0.02)
_OWN = 9
_BENDS = 8
_CLOCK = 3 * KEPT


@dataclass
class _Sums:
    """What the normal equations are made of; N agents, P shared features, K own ones."""

    gram: Array  # (P, P)
    cross: Array  # (P, N, K)
    own_gram: Array  # (N, K, K)
    shared_target: Array  # (P, N)
    own_target: Array  # (N, K)
    count: int = 0

    @classmethod
    def zero(cls, agents: int, shared: int, own: int) -> _Sums:
        return cls(
            np.zeros((shared, shared)),
            np.zeros((shared, agents, own)),
            np.zeros((agents, own, own)),
            np.zeros((shared, agents)),
            np.zeros((agents, own)),
        )

    def add(self, other: _Sums) -> None:
        self.gram += other.gram
        self.cross += other.cross
        self.own_gram += other.own_gram
        self.shared_target += other.shared_target
        self.own_target += other.own_target
        self.count += other.count

    def widen(self, own: int) -> None:
        """Make room for own features that come late: they were zero until now."""
        more = own - self.own_target.shape[1]
        self.cross = np.pad(self.cross, ((0, 0), (0, 0), (0, more)))
        self.own_gram = np.pad(self.own_gram, ((0, 0), (0, more), (0, more)))
        self.own_target = np.pad(self.own_target, ((0, 0), (0, more)))


class ResponseModel:
    """Forecast errors of (B, N) behaviour, each scaled to a variance near one.

    ``readable`` (N, P) is 1 where an agent may have seen a shared feature. ``ridge`` is the weight
    of zero coefficients in ticks, ``delay`` how many refits the newest ticks wait to be learned.
    After ``settled`` ticks what is bent stays as it is: a response that is learned anew, as where
    an input has moved, would be bent otherwise than all that was learned from before.
    """

    def __init__(
        self,
        readable: Array,
        *,
        absolute: bool,
        delay: int = 0,
        ridge: float = 20.0,
        settled: float = math.inf,
    ) -> None:
        agents, shared = readable.shape
        self._patterns, self._pattern_of = np.unique(readable, axis=0, return_inverse=True)
        self._absolute = absolute
        self._ridge, self._settled = ridge, settled
        own = _OWN + _BENDS + _CLOCK
        self._agents, self._shared, self._own = agents, shared, own
        # Columns of the clock are taken up when first there is a rhythm.
        self._used = _OWN + _BENDS
        self._delay = delay
        self._sums = self._nothing()
        self._pending = [self._nothing()]
        self._last = np.zeros((3, agents))
        self._means = np.zeros((len(_RATES), agents))
        self._shared_weights = np.zeros((shared, agents))
        self._own_weights = np.zeros((agents, own))
        self._plain_weights = np.zeros((shared, agents))
        self._index_weights = np.zeros((shared, agents))
        self._index_scale = np.ones(agents)
        self._lean_scale = np.ones(agents)
        self._inverse = np.zeros((shared, shared))
        self.lean = np.zeros((agents, 0))
        self.moods = np.zeros(agents)
        """Variance of what an agent's slow leanings do to it, in units of its noise, (N,)."""
        self._error_square = np.full(agents, 0.25)
        self._seen = 0.0
        self.fitted = False

    def _nothing(self) -> _Sums:
        return _Sums.zero(self._agents, self._shared, self._used)

    def index(self, rows: Array) -> Array:
        """What each agent makes of the shared features alone, (B, N), of a spread near one."""
        out: Array = rows @ self._index_weights / self._index_scale
        return out

    @property
    def learned(self) -> int:
        """Ticks the coefficients rest on."""
        return self._sums.count

    def strangeness(self, rows: Array) -> Array:
        """How unlike the ticks learned from each row is, (B,): its leverage, 1 on average there."""
        used = max(int(self._inverse.any(axis=0).sum()), 1)
        out: Array = ((rows @ self._inverse) * rows).sum(axis=1) * (self._sums.count / used)
        return out

    def errors(
        self,
        rows: Array,
        behaviour: Array,
        index: Array,
        clock: Array,
        lean: Array | None = None,
    ) -> Array:
        """Scaled forecast errors (B, N); then the block is learned from (see :meth:`refit`).

        ``index`` is the market response that is bent, see :meth:`index`; ``clock`` (B, KEPT) the
        rhythm of the swarm, ``lean`` (B, N) which way the agents lean by themselves: by default
        what their own past says of this behaviour.
        """
        if self._used < self._own and clock.any():
            self._used = self._own
            for sums in (self._sums, *self._pending):
                sums.widen(self._used)
        unexplained = behaviour - rows @ self._plain_weights
        own = self._own_columns(behaviour, unexplained, index, clock, lean)
        expected = rows @ self._shared_weights + np.einsum(
            "bnk,nk->bn", own, self._own_weights[:, : self._used]
        )
        # Nobody acts more than always: beyond what was learned a straight line would say so.
        error = behaviour - np.clip(expected, 0.0 if self._absolute else -1.0, 1.0)
        self._learn(rows, own, behaviour)
        scaled: Array = error / np.sqrt(self._error_square)
        if self.fitted:
            self._seen += len(rows)
            share = max(len(rows) / self._seen, len(rows) / 2000.0)
            self._error_square += share * ((error**2).mean(axis=0) - self._error_square)
            np.maximum(self._error_square, 1e-3, out=self._error_square)
        return scaled

    def _own_columns(
        self,
        behaviour: Array,
        unexplained: Array,
        index: Array,
        clock: Array,
        lean: Array | None,
    ) -> Array:
        """(B, N, own): own lags and averages, and the bends of the market response."""
        ticks, agents = behaviour.shape
        out = np.empty((ticks, agents, self._used))
        long = np.concatenate([self._last, behaviour])
        self._last = long[-3:]
        for lag in range(3):
            out[:, :, lag] = long[2 - lag : 2 - lag + ticks]
        for number, rate in enumerate(_RATES):
            averages = moving_average(unexplained, self._means[number], rate)
            out[0, :, 3 + number] = self._means[number]
            out[1:, :, 3 + number] = averages[:-1]
            self._means[number] = averages[-1]
        out[:, :, 7] = out[:, :, 0] * out[:, :, 1]
        out[:, :, 8] = np.abs(out[:, :, 0])
        if lean is None:
            lean = np.einsum("bnk,nk->bn", out[:, :, :7], self._own_weights[:, :7])
            lean = np.clip(lean / self._lean_scale, -4.0, 4.0)
        self.lean = lean
        index = np.clip(index, -4.0, 4.0)
        bent, size = np.tanh(index), np.abs(index)
        # How much the market moves an agent depends on how far it leans by itself.
        if self._absolute:
            bends = [size, np.minimum(size, 0.7), index**2, np.tanh(3 * index)]
            bends += [np.abs(lean), lean**2, bent * lean, bent**2 * np.abs(lean)]
        else:
            bends = [bent, np.tanh(3.0 * index), index * np.minimum(size, 2.0)]
            bends += [np.clip(index, -0.5, 0.5), np.tanh(lean)]
            bends += [bent * np.abs(lean), bent * lean**2, bent**2 * lean]
        drive, own_drive = (np.abs(bent), np.abs(lean)) if self._absolute else (bent, lean)
        for rhythm in clock.T[: (self._used - _OWN - _BENDS) // 3, :, None]:
            bends += [np.broadcast_to(rhythm, index.shape), rhythm * drive, rhythm * own_drive]
        for number, bend in enumerate(bends):
            out[:, :, _OWN + number] = bend
        return out

    def _learn(self, rows: Array, own: Array, behaviour: Array) -> None:
        sums = self._pending[-1]
        sums.count += len(rows)
        sums.gram += rows.T @ rows
        sums.cross += (rows.T @ own.reshape(len(own), -1)).reshape(sums.cross.shape)
        sums.own_gram += np.matmul(own.transpose(1, 2, 0), own.transpose(1, 0, 2))
        sums.shared_target += rows.T @ behaviour
        sums.own_target += np.einsum("bnk,bn->nk", own, behaviour)

    def refit(self) -> None:
        """Coefficients from everything seen so far, but for the last ``delay`` calls."""
        self._pending.append(self._nothing())
        if len(self._pending) > self._delay + 1:
            self._sums.add(self._pending.pop(0))
        sums = self._sums
        if not sums.count:
            return
        used = self._used
        for number, pattern in enumerate(self._patterns):
            members = np.flatnonzero(self._pattern_of == number)
            keep = np.flatnonzero(pattern)
            gram = sums.gram[np.ix_(keep, keep)] + self._ridge * np.eye(len(keep))
            cross = sums.cross[np.ix_(keep, members)]  # (K, M, own)
            flat = cross.reshape(len(keep), -1)
            target = sums.shared_target[np.ix_(keep, members)]
            solved = np.linalg.inv(gram) @ np.concatenate([flat, target], axis=1)
            inner = solved[:, : flat.shape[1]].reshape(cross.shape)
            plain = solved[:, flat.shape[1] :]  # (K, M)
            reduced = sums.own_gram[members]
            reduced -= np.matmul(cross.transpose(1, 2, 0), inner.transpose(1, 0, 2))
            reduced += self._ridge * np.eye(used)
            right = sums.own_target[members] - np.einsum("kmo,km->mo", cross, plain)
            weights = np.linalg.solve(reduced, right[:, :, None])[:, :, 0]
            self._own_weights[members, :used] = weights
            self._plain_weights[np.ix_(keep, members)] = plain
            shared = plain - np.einsum("kmo,mo->km", inner, weights)
            self._shared_weights[np.ix_(keep, members)] = shared
        if not self._index_weights.any() or sums.count <= self._settled:
            self._index_weights = self._plain_weights.copy()
            power = np.einsum("pn,pn->n", self._index_weights, sums.gram @ self._index_weights)
            self._index_scale = np.sqrt(power / max(sums.count, 1) + 1e-4)
        widest = np.flatnonzero(self._patterns.any(axis=0))
        spread = sums.gram[np.ix_(widest, widest)] + self._ridge * np.eye(len(widest))
        self._inverse[np.ix_(widest, widest)] = np.linalg.inv(spread)
        own_power = np.einsum(
            "nk,nkl,nl->n",
            self._own_weights[:, :7],
            sums.own_gram[:, :7, :7],
            self._own_weights[:, :7],
        )
        self._lean_scale = np.sqrt(own_power / max(sums.count, 1) + 1e-4)
        slow = np.einsum(
            "nk,nkl,nl->n",
            self._own_weights[:, 5:7],
            sums.own_gram[:, 5:7, 5:7],
            self._own_weights[:, 5:7],
        )
        self.moods = slow / max(sums.count, 1) / self._error_square
        self.fitted = True
