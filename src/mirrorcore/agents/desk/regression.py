"""An online ridge regression that standardises its inputs, with memories of several lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirrorcore.agents.desk.experts import FixedShare
from mirrorcore.market.block import Bools, Floats


class OnlineRidge:
    """y ≈ Σ wᵢ xᵢ over N inputs, refitted at the caller's pace.

        w = Σ_k share_k w_k,    w_k = (A_k + λI)⁻¹ b_k,    A_k = Σ d_k x xᵀ,    b_k = Σ d_k x y

    d_k is what memory k has kept of a row. A long memory tells skill from luck, a short one sees
    that skill has moved; which of them is believed is decided by what each predicted, as the
    negative log density ½ (y - Σ w_k x)² of the rows since the last refit, by
    :class:`~mirrorcore.agents.desk.experts.FixedShare`. Targets are in units of their deviation.

    Between refits rows are only collected, so the sums do not depend on how the rows arrived. An
    input that was never other than 0 stays outside the fit: it changes nothing, not even a bit.

    Parameters
    ----------
    inputs: N.
    ridge: λ, in rows of unit-variance evidence that pull a weight to zero.
    memories: K.
    share: chance of a change of memory a refit, believed beforehand.
    """

    def __init__(self, inputs: int, ridge: float, memories: int = 1, share: float = 0.0) -> None:
        self.ridge = ridge
        self.weights: Floats = np.zeros(inputs)
        self._experts = FixedShare(memories, share=share)
        self._fits: Floats = np.zeros((memories, inputs))
        self._moment = np.zeros((memories, inputs, inputs))
        self._cross = np.zeros((memories, inputs))
        self._targets = np.zeros((memories, 2))  # Σ y², number of rows
        self._significance = np.zeros(memories)
        self._squares = np.zeros(inputs)
        self._count = np.zeros(inputs)
        self._rms = np.zeros(inputs)
        self._rows: list[tuple[Floats, Floats, Floats]] = []

    @property
    def shares(self) -> Floats:
        """(K,) how far each memory is believed."""
        return self._experts.weights

    def grow(self, inputs: int) -> None:
        """Make room for new inputs at the end; what is known of the others stays to the bit."""
        more = inputs - len(self.weights)
        if more <= 0:
            return
        self.weights = np.pad(self.weights, (0, more))
        self._fits = np.pad(self._fits, ((0, 0), (0, more)))
        self._moment = np.pad(self._moment, ((0, 0), (0, more), (0, more)))
        self._cross = np.pad(self._cross, ((0, 0), (0, more)))
        self._squares = np.pad(self._squares, (0, more))
        self._count = np.pad(self._count, (0, more))
        self._rms = np.pad(self._rms, (0, more))
        self._rows = [(_wider(x, inputs), y, _wider(scores, inputs)) for x, y, scores in self._rows]

    def standardise(self, scores: Floats, clip: float) -> Floats:
        """(…, N) over the running root mean square, clipped; 0 while that is unknown."""
        scaled = np.divide(scores, self._rms, out=np.zeros_like(scores), where=self._rms > 0)
        return np.clip(scaled, -clip, clip, out=scaled)

    def observe(self, inputs: Floats, targets: Floats, scores: Floats) -> None:
        """Rows of standardised inputs (…, N) with the target (…) that followed, NaN to skip.

        ``scores`` are the unstandardised inputs of the same rows, for the running scale.
        """
        self._rows.append((inputs, targets, scores))

    def refit(self, kept: Sequence[float], scale_kept: float) -> None:
        """Fold the rows seen since the last refit and solve again.

        ``kept`` and ``scale_kept`` are what remains of the older sums, 0..1, of each memory.
        """
        inputs, targets, scores = (
            np.concatenate([row[i].reshape(-1, *row[i].shape[row[1].ndim :]) for row in self._rows])
            for i in range(3)
        )
        self._rows.clear()
        used = np.isfinite(targets)
        y = np.where(used, targets, 0.0)
        x = np.where(used[:, None], inputs, 0.0)
        self._compare(x, y)
        moment, cross = np.einsum("ri,rj->ij", x, x), np.einsum("ri,r->i", x, y)
        totals = np.array([np.sum(y * y), float(used.sum())])
        for memory, keep in enumerate(kept):
            self._moment[memory] = keep * self._moment[memory] + moment
            self._cross[memory] = keep * self._cross[memory] + cross
            self._targets[memory] = keep * self._targets[memory] + totals
            self._solve(memory)
        self._rescale(scores, scale_kept)
        self.weights = np.zeros_like(self.weights)
        for believed, fit in zip(self.shares, self._fits, strict=True):
            self.weights += believed * fit

    def _compare(self, x: Floats, y: Floats) -> None:
        """What each memory's weights made of the rows that are new to all of them."""
        if len(self._fits) == 1:
            return
        missed = np.repeat(y[:, None], len(self._fits), axis=1)
        for i in np.flatnonzero(self._fits.any(axis=0)):  # in fixed order, silent inputs left out
            missed -= x[:, i, None] * self._fits[:, i]
        self._experts.update(0.5 * np.add.reduce(missed * missed, axis=0))

    def _rescale(self, scores: Floats, kept: float) -> None:
        spoken: Bools = scores != 0.0
        self._squares = kept * self._squares + np.einsum("ri,ri->i", scores, scores)
        self._count = kept * self._count + np.add.reduce(spoken.astype(np.float64), axis=0)
        self._rms = np.sqrt(self._squares / np.maximum(self._count, 1.0))

    def _solve(self, memory: int) -> None:
        active = np.flatnonzero(self._moment[memory].diagonal() > 0)
        fit = np.zeros_like(self._fits[memory])
        self._significance[memory] = 0.0
        if active.size:
            moment = self._moment[memory][np.ix_(active, active)]
            cross = self._cross[memory][active]
            fit[active] = np.linalg.solve(moment + self.ridge * np.eye(active.size), cross)
            variance = self._variance(memory)
            if variance > 0:
                # A touch of ridge keeps two equal voters from making the system singular.
                steady = moment + 1e-6 * moment.diagonal().max() * np.eye(active.size)
                explained = float(np.sum(cross * np.linalg.solve(steady, cross)))
                significance = 1.0 - active.size * variance / max(explained, 1e-300)
                self._significance[memory] = min(1.0, max(0.0, significance))
        self._fits[memory] = fit

    def _variance(self, memory: int) -> float:
        """Of the targets."""
        squares, rows = self._targets[memory].tolist()
        return float(squares / max(rows, 1.0))

    def conviction(self) -> float:
        """Positive-part James-Stein factor of the weights as a whole, 0..1, over the memories."""
        return float(np.sum(self.shares * self._significance))

    def trust(self) -> Floats:
        """(N,) posterior mean of each input's correlation with the target, prior N(0, 1/λ).

        By the first memory, which should be the longest: a mean, not a probability of being above
        0, which saturates and then ranks nobody.
        """
        deviation = np.sqrt(self._variance(0))
        if deviation == 0:
            return np.zeros_like(self.weights)
        posterior = self._cross[0] / (self._moment[0].diagonal() + self.ridge) / deviation
        trust: Floats = np.clip(posterior, -1.0, 1.0)
        return trust

    def checkpoint(self) -> dict[str, Any]:
        return {
            "experts": self._experts.checkpoint(),
            "weights": self.weights,
            "fits": self._fits.copy(),
            "moment": self._moment.copy(),
            "cross": self._cross.copy(),
            "targets": self._targets.copy(),
            "squares": self._squares,
            "count": self._count,
            "rms": self._rms,
            "significance": self._significance.copy(),
            "rows": [list(row) for row in self._rows],
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._experts.restore(memory["experts"])
        self.weights = memory["weights"]
        self._fits = memory["fits"]
        self._moment = memory["moment"]
        self._cross = memory["cross"]
        self._targets = memory["targets"]
        self._squares = memory["squares"]
        self._count = memory["count"]
        self._rms = memory["rms"]
        self._significance = memory["significance"]
        self._rows = [(row[0], row[1], row[2]) for row in memory["rows"]]


def _wider(values: Floats, inputs: int) -> Floats:
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, inputs - values.shape[-1])])
