"""From a block of votes and market to what a fusion learns from: scores, and what they earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.agents.base import BlockInput
from mirrorcore.agents.desk.fixed_order import sum_symbols
from mirrorcore.agents.desk.recalibration import log_odds
from mirrorcore.agents.desk.traded import Traded
from mirrorcore.agents.desk.volatility import Volatility
from mirrorcore.market.block import Bools, Floats
from mirrorcore.market.features.filters import Ema

SMALLEST_CROSS_SECTION = 3
"""Symbols below which a residual to the cross-section says nothing."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A block as the fusion reads it: what was said, and what became of what was said before."""

    stated: Floats  # (T, S, N) log-odds, 0 for no opinion
    scores: Floats  # (T, S, N) smoothed, beside the cross-section
    common: Floats  # (T, N) of the cross-section
    target: Floats  # (T, S) residual return earned, in units of its volatility
    factor_target: Floats  # (T,) the same of the market
    residual_vol: Floats  # (T, S) per bar
    factor_vol: Floats  # (T,) per bar
    rises: Floats  # (T, S) 1 where the bar closed higher, 0 lower, NaN where neither


class Hearing:
    """Splits votes and returns into the cross-section and what is beside it.

    Parameters
    ----------
    symbols, voters: S, N.
    neutral: whether to split at all; else everything is *beside* and the market gets nothing.
    volatility_bars: half-life of the volatilities.
    smoothing_bars: half-life of the votes; 0 for none.
    """

    def __init__(
        self,
        symbols: int,
        voters: int,
        *,
        neutral: bool,
        volatility_bars: float,
        smoothing_bars: float,
    ) -> None:
        self._symbols = symbols
        self._voters = 0
        self._neutral = neutral
        self._residual_volatility = Volatility(volatility_bars, symbols)
        self._factor_volatility = Volatility(volatility_bars, 1)
        self._smoothing = smoothing_bars
        self._smooth: list[tuple[int, Ema]] = []
        self._traded = Traded(symbols)
        self.grow(voters)

    def grow(self, voters: int) -> None:
        """Room for voters that have joined at the end.

        Those that join together are smoothed together: one filter costs the same for many.
        """
        more = voters - self._voters
        if more <= 0:
            return
        self._voters = voters
        if self._smoothing > 0:
            ema = Ema(half_life_bars=self._smoothing, columns=self._symbols * more)
            self._smooth.append((more, ema))

    def __call__(self, block: BlockInput) -> Heard:
        assert block.votes is not None
        stated = log_odds(block.votes)
        scores, common = self._split(stated, np.isfinite(block.votes))
        return Heard(stated, scores, common, *self._targets(block), rises(block))

    def _split(self, stated: Floats, known: Bools) -> tuple[Floats, Floats]:
        """Smoothed log-odds beside the cross-section (T, S, N) and of it (T, N)."""
        smooth = self._smoothed(stated)
        if not self._neutral:
            return smooth, np.zeros((len(stated), stated.shape[2]))
        spoken = sum_symbols(known.astype(np.float64))
        mean = sum_symbols(smooth) / np.maximum(spoken, 1.0)
        return np.where(known, smooth - mean[:, None, :], 0.0), mean

    def _smoothed(self, stated: Floats) -> Floats:
        if not self._smooth:
            return stated
        smooth, first, ticks = np.empty_like(stated), 0, len(stated)
        for voters, ema in self._smooth:
            mine = slice(first, first + voters)
            smooth[:, :, mine] = ema(stated[:, :, mine].reshape(ticks, -1)).reshape(
                ticks, self._symbols, voters
            )
            first += voters
        return smooth

    def _targets(self, block: BlockInput) -> tuple[Floats, Floats, Floats, Floats]:
        """Residual and factor returns in units of the volatility known one tick before."""
        clean, here = self._traded.returns(block.market.market)
        count = np.add.reduce(here.astype(np.float64), axis=1)
        mean = np.add.reduce(clean, axis=1) / np.maximum(count, 1.0)
        enough = count >= (SMALLEST_CROSS_SECTION if self._neutral else np.inf)
        factor = np.where(enough, mean, 0.0)
        residual = np.where(here, clean - factor[:, None], 0.0)
        residual_vol, target = self._residual_volatility.scaled(residual, here)
        factor_vol, factor_target = self._factor_volatility.scaled(factor[:, None], enough[:, None])
        return target, factor_target[:, 0], residual_vol, factor_vol[:, 0]

    def checkpoint(self) -> dict[str, Any]:
        return {
            "residual_volatility": self._residual_volatility.checkpoint(),
            "factor_volatility": self._factor_volatility.checkpoint(),
            "voters": self._voters,
            "smooth": [[voters, ema.checkpoint()] for voters, ema in self._smooth],
            "traded": self._traded.checkpoint(),
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._residual_volatility.restore(memory["residual_volatility"])
        self._factor_volatility.restore(memory["factor_volatility"])
        self._smooth, self._voters = [], 0
        for voters, state in memory["smooth"]:
            self.grow(self._voters + voters)
            self._smooth[-1][1].restore(state)
        self._voters = memory["voters"]
        self._traded.restore(memory["traded"])


def rises(block: BlockInput) -> Floats:
    """(T, S) 1 where the bar closed higher than the one before, 0 lower, NaN where neither."""
    moved = block.value("technical", "return_1")
    known = block.market.market.present & np.isfinite(moved) & (moved != 0.0)
    return np.where(known, np.where(moved > 0.0, 1.0, 0.0), np.nan)
