"""Returns as a book earns them: from the open at which a decision is filled to the next open."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, MarketBlock


class Traded:
    """Log returns from open to open of each symbol's own bars.

    Parameters
    ----------
    symbols: S.
    """

    def __init__(self, symbols: int) -> None:
        self._last_open = np.full((1, symbols), np.nan)

    def returns(self, block: MarketBlock) -> tuple[Floats, Bools]:
        """(T, S) the return from the symbol's bar before to this one, and where there is one."""
        usable = block.present & (block.open > 0)
        opens = np.concatenate([self._last_open, np.where(usable, block.open, np.nan)])
        rows = np.where(np.isfinite(opens), np.arange(len(opens))[:, None], 0)
        latest = np.maximum.accumulate(rows, axis=0)
        carried = np.take_along_axis(opens, latest, axis=0)
        self._last_open = carried[-1:].copy()
        before = carried[:-1]
        here = usable & np.isfinite(before)
        ratio = np.divide(block.open, before, out=np.ones_like(block.open), where=here)
        return np.log(ratio), here

    def checkpoint(self) -> dict[str, Any]:
        return {"last_open": self._last_open}

    def restore(self, memory: dict[str, Any]) -> None:
        self._last_open = memory["last_open"]
