"""Who is believed when several forecasters of the same thing disagree, and skill may move."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats


class FixedShare:
    """Shares of K experts, moved by their losses and kept from ever going out.

        w_k ∝ w_k exp(-η loss_k),  then  w ← (1 - α) w + α / K

    With α = 0 it is Hedge (Freund and Schapire, 1997). The share that flows back to all (Herbster
    and Warmuth, 1998) is what lets it follow a skill that moves from one expert to another. For
    the mix loss -ln(Σ w_k exp(-η loss_k)) / η, hence for log loss with η = 1, the loss over T
    rounds exceeds that of any sequence of experts with m changes by at most

        (ln K + m ln(K / α) + (T - 1 - m) ln(1 / (1 - α + α / K))) / η

    whatever the losses are. For losses in [0, 1] and the shares' mean loss, Hedge with
    η = sqrt(8 ln K / T) is at most sqrt(T ln K / 2) worse than its best expert (Cesa-Bianchi and
    Lugosi, 2006).

    Parameters
    ----------
    experts: K.
    rate: η > 0.
    share: α in 0..1, the chance of a change a round that is believed beforehand.
    """

    def __init__(self, experts: int, *, rate: float = 1.0, share: float = 0.0) -> None:
        self.rate = rate
        self.share = share
        self.weights: Floats = np.full(experts, 1.0 / experts)

    def update(self, losses: Floats) -> None:
        """One round: (K,) losses, finite."""
        # Relative to the best, so that the largest factor is 1 and no long run underflows.
        kept = self.weights * np.exp(-self.rate * (losses - losses.min()))
        kept /= kept.sum()
        self.weights = (1.0 - self.share) * kept + self.share / len(kept)

    def mix_loss(self, losses: Floats) -> float:
        """What a round with these losses costs the mixture as it stands."""
        best = float(losses.min())
        mixed = float(np.sum(self.weights * np.exp(-self.rate * (losses - best))))
        return best - math.log(mixed) / self.rate

    def checkpoint(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def restore(self, memory: dict[str, Any]) -> None:
        self.weights = memory["weights"]
