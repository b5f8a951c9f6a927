"""An online ridge regression that standardises its inputs and forgets slowly."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Floats


class OnlineRidge:
    """y ≈ Σ wᵢ xᵢ over N inputs, refitted at the caller's pace.

    Between refits rows are only collected, so the sums do not depend on how the rows arrived. An
    input that was never other than 0 stays outside the fit: it changes nothing, not even a bit.

    Parameters
    ----------
    inputs: N.
    ridge: λ, in rows of unit-variance evidence that pull a weight to zero.
    """

    def __init__(self, inputs: int, ridge: float) -> None:
        self.ridge = ridge
        self.weights: Floats = np.zeros(inputs)
        self._moment = np.zeros((inputs, inputs))
        self._cross = np.zeros(inputs)
        self._targets = np.zeros(2)  # Σ y², number of rows
        self._squares = np.zeros(inputs)
        self._count = np.zeros(inputs)
        self._rms = np.zeros(inputs)
        self._significance = 0.0
        self._rows: list[tuple[Floats, Floats, Floats]] = []

    def grow(self, inputs: int) -> None:
        """Make room for new inputs at the end; what is known of the others stays to the bit."""
        more = inputs - len(self.weights)
        if more <= 0:
            return
        self.weights = np.pad(self.weights, (0, more))
        self._moment = np.pad(self._moment, (0, more))
        self._cross = np.pad(self._cross, (0, more))
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

    def refit(self, memory: float, scale_memory: float) -> None:
        """Fold the rows seen since the last refit and solve again.

        ``memory`` and ``scale_memory`` are what remains of the older sums, 0..1.
        """
        inputs, targets, scores = (
            np.concatenate([row[i].reshape(-1, *row[i].shape[row[1].ndim :]) for row in self._rows])
            for i in range(3)
        )
        self._rows.clear()
        used = np.isfinite(targets)
        y = np.where(used, targets, 0.0)
        x = np.where(used[:, None], inputs, 0.0)
        self._moment = memory * self._moment + np.einsum("ri,rj->ij", x, x)
        self._cross = memory * self._cross + np.einsum("ri,r->i", x, y)
        self._targets = memory * self._targets + np.array([np.sum(y * y), float(used.sum())])
        spoken = scores != 0.0
        self._squares = scale_memory * self._squares + np.einsum("ri,ri->i", scores, scores)
        self._count = scale_memory * self._count + np.add.reduce(spoken.astype(np.float64), axis=0)
        self._rms = np.sqrt(self._squares / np.maximum(self._count, 1.0))
        self._solve()

    def _solve(self) -> None:
        active = np.flatnonzero(self._moment.diagonal() > 0)
        self.weights = np.zeros_like(self.weights)
        self._significance = 0.0
        if active.size == 0:
            return
        moment = self._moment[np.ix_(active, active)]
        cross = self._cross[active]
        ridged = moment + self.ridge * np.eye(active.size)
        self.weights[active] = np.linalg.solve(ridged, cross)
        variance = self._targets[0] / max(self._targets[1], 1.0)
        if variance > 0:
            # A touch of ridge keeps two equal voters from making the system singular.
            steady = moment + 1e-6 * moment.diagonal().max() * np.eye(active.size)
            explained = float(np.sum(cross * np.linalg.solve(steady, cross)))
            self._significance = 1.0 - active.size * variance / max(explained, 1e-300)

    def conviction(self) -> float:
        """Positive-part James-Stein factor of the weights as a whole, 0..1."""
        return min(1.0, max(0.0, self._significance))

    def trust(self) -> Floats:
        """(N,) posterior mean of each input's correlation with the target, prior N(0, 1/λ)."""
        deviation = np.sqrt(self._targets[0] / max(self._targets[1], 1.0))
        if deviation == 0:
            return np.zeros_like(self._cross)
        posterior = self._cross / (self._moment.diagonal() + self.ridge) / deviation
        trust: Floats = np.clip(posterior, -1.0, 1.0)
        return trust

    def checkpoint(self) -> dict[str, Any]:
        return {
            "weights": self.weights,
            "moment": self._moment,
            "cross": self._cross,
            "targets": self._targets,
            "squares": self._squares,
            "count": self._count,
            "rms": self._rms,
            "significance": self._significance,
            "rows": [list(row) for row in self._rows],
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self.weights = memory["weights"]
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
