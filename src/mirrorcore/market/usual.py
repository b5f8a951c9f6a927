"""The usual move and volume of a symbol, as they stood before each of its accepted records."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mirrorcore.market import bar_rules as rules
from mirrorcore.market.block import Floats

_KEEP = rules.USUAL_WINDOW + rules.USUAL_STEP


@dataclass(slots=True)
class Usual:
    """Moves and volumes accepted last; ``count`` is how many there ever were."""

    count: int = 0
    moves: Floats = field(default_factory=lambda: np.empty(0))
    volumes: Floats = field(default_factory=lambda: np.empty(0))
    at: int = -1
    move: float = np.nan
    volume: tuple[float, float] = (np.nan, np.nan)

    def until_next(self) -> int:
        """How many more records there are before the usual is measured anew."""
        step = rules.USUAL_STEP
        return self.at + step - self.count if self.at >= 0 else 0

    def now(self) -> tuple[float, float, float]:
        """What :meth:`before` said of the last record it was given."""
        normal = rules.NORMAL_MAD
        return self.move * normal, self.volume[0], self.volume[1] * normal

    def before(self, move: Floats, volume: Floats) -> tuple[Floats, Floats, Floats]:
        """Remember n more and say what was usual before each of them; NaN while unknown.

        Returns
        -------
        Robust standard deviation of moves, median of volumes and its robust standard deviation,
        each (n,). They are measured anew every USUAL_STEP records, so that they do not depend on
        how the records were cut into blocks.
        """
        step = rules.USUAL_STEP
        numbers = self.count + np.arange(len(move))
        boundary = numbers // step * step
        self.moves = np.concatenate([self.moves, np.nan_to_num(move)])
        self.volumes = np.concatenate([self.volumes, volume])
        first = self.count + len(move) - len(self.moves)
        needed = np.arange(int(boundary[0]), int(boundary[-1]) + 1, step)
        scales = np.full(len(needed), np.nan)
        middles, spreads = scales.copy(), scales.copy()
        fresh = (needed > 0) & (needed != self.at)
        if fresh.any():
            at = needed[fresh] - first
            scales[fresh], _ = rules.usual(self.moves, at, spread=False)
            middles[fresh], spreads[fresh] = rules.usual(self.volumes, at, spread=True)
        if needed[0] == self.at:
            scales[0], (middles[0], spreads[0]) = self.move, self.volume
        self.at = int(needed[-1])
        self.move = float(scales[-1])
        self.volume = float(middles[-1]), float(spreads[-1])
        # A view would keep the whole file's columns alive.
        self.moves, self.volumes = self.moves[-_KEEP:].copy(), self.volumes[-_KEEP:].copy()
        self.count += len(move)
        which = (boundary - needed[0]) // step
        normal = rules.NORMAL_MAD
        return scales[which] * normal, middles[which], spreads[which] * normal
