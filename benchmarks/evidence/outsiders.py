"""Voters of a user's own without any skill, so that whoever looks for novelty has somebody to see.

They are loaded by path, as any agent of a user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.market.block import Floats
from mirrorcore.market.features.filters import Ema


class _Outsider(FilteredAgent):
    kind = "outsider"
    votes = True
    parts = ("near", "far")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField("probability of a rise", "probability", 0, 1, "symbols")
    }

    def __init__(self, agent_id: str, *, bars: int = 24) -> None:
        super().__init__(agent_id, ("technical",))
        self.bars = bars

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self.near = Ema(columns=symbols, span=float(self.bars))
        self.far = Ema(columns=symbols, span=4.0 * self.bars)

    def heat(self, block: BlockInput) -> Floats:
        """(T, S) returns over the last bars, against their size over more of them."""
        moves = np.nan_to_num(block.value("technical", "return_1"))
        return np.asarray(self.near(moves) / np.sqrt(self.far(moves * moves) + 1e-12))


class Dreamer(_Outsider):
    """Follows slow noise of its own, which has nothing to do with the market."""

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        slow = self.near(self.rng.normal(size=block.shape))
        return {"forecast": 0.5 + 0.1 * np.tanh(np.sqrt(self.bars) * slow)}


class Follower(_Outsider):
    """Buys what has risen."""

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        return {"forecast": 0.5 + 0.1 * np.tanh(self.heat(block))}


class Doubter(_Outsider):
    """Sells what has risen, and only when the rise was quick."""

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        heat = self.heat(block)
        return {"forecast": 0.5 - 0.1 * np.tanh(np.where(np.abs(heat) > 0.3, heat, 0.0))}
