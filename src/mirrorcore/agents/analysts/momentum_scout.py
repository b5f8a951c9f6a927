"""MomentumScout: what has risen, for its volatility, over the last half day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSum, full_weight, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.moves import MoveReader
from mirrorcore.agents.analysts.votes import CLIP, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.market.block import Floats


class MomentumScout(FilteredAgent):
    """Time-series momentum, normalised by volatility (Moskowitz, Ooi and Pedersen, 2012).

        u = clip(r / σ, ±6)          z = Σ u 2^(-age/H) / sqrt(Σ n 2^(-2 age/H))

    r is the log return of a bar, σ its slow volatility, n the bar intervals since the bar before.
    The denominator is the standard deviation the sum has when returns have no memory, so z is
    N(0, 1) on a random walk at any time, with gaps and while young alike.
    p = 1 / (1 + exp(-k z)), z clipped to ±3.

    Parameters
    ----------
    half_life: H.
    strength: k, log-odds per standard deviation.
    stale_after: age of the last bar beyond which there is no opinion.
    """

    kind: ClassVar[str] = "momentum_scout"
    believes: ClassVar[Mapping[str, Mapping[str, float]]] = {"trend": {"momentum": 1.0}}
    votes: ClassVar[bool | None] = True
    parts = ("_moves", "_known", "_squared", "_reader")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "momentum": StateField("standardised momentum", "sd", -CLIP, CLIP, "symbols"),
        "confidence": StateField("share of its memory that is filled with fresh bars", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "MomentumScout",
        *,
        half_life: Duration = "12h",
        strength: float = 0.08,
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk"))
        self.half_life_ns = duration(half_life, "half_life")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._moves = DecayedSum(self.half_life_ns, symbols)
        self._known = DecayedSum(self.half_life_ns, symbols)
        self._squared = DecayedSum(max(1, self.half_life_ns // 2), symbols)
        self._reader = MoveReader(symbols, self.context.bar_ns)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts, moves = block.ts, self._reader(block)
        total = self._moves(ts, moves.size)
        z = np.clip(ratio(total, np.sqrt(self._squared(ts, moves.bars))), -CLIP, CLIP)
        opinion = (moves.elapsed >= self.half_life_ns) & (moves.age <= self.stale_after_ns)
        filled = self._known(ts, moves.new.astype(np.float64)) / full_weight(
            self.half_life_ns, self.context.bar_ns
        )
        return {
            "forecast": stated(z, self.strength, opinion),
            "momentum": z,
            "confidence": row_mean(np.where(opinion, np.minimum(filled, 1.0), 0.0)),
        }
