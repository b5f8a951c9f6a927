"""Allocator: from edges to target weights, before any gate.

Its target is the *shadow book*: what the swarm would hold if nothing frightened it. Gates and
limits may only shrink it, and emotions are measured on it, so that a book cut to nothing still
sees a recovery.

A position is proportional to edge over volatility (Kelly, 1956; Thorp, 2006), scaled so that the
book's expected volatility is the target times the conviction the evidence justifies. The oracle's
edges come as smooth as costs allow; a position moves only when it leaves a band around its target
whose width grows with the cube root of the cost and with the two-thirds power of the position
(Rogers, 2004): what is hardly believed moves the book least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import BlockAgent, BlockInput, StateField
from mirrorcore.agents.desk.fixed_order import sum_last
from mirrorcore.agents.desk.intervals import decay, segments
from mirrorcore.agents.desk.patience import Patience
from mirrorcore.clock import HOUR, YEAR, parse_duration
from mirrorcore.market.block import Floats

_WIDEST_BAND = 2.0
"""In positions that are typical of the book as it is: the strongest opinions always trade."""


class Allocator(BlockAgent):
    """Sizes positions from the oracle's edges.

    Parameters
    ----------
    factor_share: size of the bet on the market as a whole beside the residual bets.
    band: half-width of the no-trade band at 5 bp, in typical positions.
    clip: largest bet on one symbol, in typical ones.
    symbol_cap, gross_cap: largest |weight| of one symbol and of all together.
    """

    kind: ClassVar[str] = "allocator"
    votes: ClassVar[bool | None] = False
    state: ClassVar[Mapping[str, StateField]] = {
        "target": StateField("target weight before gates", "of equity", -10, 10, "symbols"),
        "budget": StateField("volatility the book is sized for", "per year", 0, 1),
    }
    agent_interests = ("OracleEngine",)

    def __init__(
        self,
        agent_id: str = "Allocator",
        *,
        oracle: str = "OracleEngine",
        factor_share: float = 0.25,
        band: float = 1.0,
        clip: float = 2.5,
        symbol_cap: float = 0.35,
        gross_cap: float = 1.4,
        scale_half_life: str = "30d",
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.agent_interests = (oracle,)
        self.oracle = oracle
        self.factor_share = factor_share
        self.band = band
        self.clip = clip
        self.symbol_cap = symbol_cap
        self.gross_cap = gross_cap
        self.scale_half_life_ns = parse_duration(scale_half_life)

    def prepare(self) -> None:
        symbols, bar_ns = len(self.context.symbols), self.context.bar_ns
        self._patience = Patience(
            columns=symbols,
            cost_per_side=self.context.cost_per_side,
            half_life_bars=0.0,
            band=self.band,
        )
        self._bar_target = self.context.volatility_target * float(np.sqrt(bar_ns / YEAR))
        self._interval_ns = max(HOUR, bar_ns)
        self._interval = -1
        self._power = np.zeros(2)  # Σ squared size of the bets, rows
        self._scale = 0.0
        self._fresh: list[Floats] = []
        self.slopes: tuple[Floats, Floats] = (np.zeros((0, symbols)), np.zeros(0))
        """(T, S) weight of a symbol for each unit of its edge, before it is made neutral to the
        market, and (T,) weight of every symbol for each unit of the market's edge; of the block
        analysed last, before any clip, cap or band. Attribution reads it."""

    def remember(self) -> dict[str, Any]:
        return {
            "patience": self._patience.checkpoint(),
            "interval": self._interval,
            "power": self._power,
            "scale": self._scale,
            "fresh": list(self._fresh),
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._patience.restore(memory["patience"])
        self._interval = memory["interval"]
        self._power = memory["power"]
        self._scale = memory["scale"]
        self._fresh = memory["fresh"]

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ticks, symbols = block.shape
        oracle = block.others.get(self.oracle)
        if oracle is None:
            raise ValueError(f"{self.agent_id} has no states of {self.oracle} to size")
        edge, factor_edge = oracle["edge"], oracle["factor_edge"]
        power = sum_last(edge * edge) + (self.factor_share * factor_edge) ** 2
        scale = self._typical_size(block, power)
        conviction = oracle["conviction"]
        unit = np.divide(conviction * self._bar_target, scale, out=np.zeros(ticks), where=scale > 0)
        limit = scale * self.clip / np.sqrt(symbols)
        bets = np.clip(edge, -limit[:, None], limit[:, None]) * unit[:, None]
        market_bet = self.factor_share * np.clip(factor_edge, -scale, scale) * unit / symbols
        weights = _over(bets, oracle["residual_vol"])
        self.slopes = (
            _over(np.repeat(unit[:, None], symbols, axis=1), oracle["residual_vol"]),
            _over(self.factor_share * unit / symbols, oracle["factor_vol"]),
        )
        if symbols > 1:
            weights = weights - (sum_last(weights) / symbols)[:, None]
        weights = weights + _over(market_bet, oracle["factor_vol"])[:, None]
        weights = self._capped(weights)
        # Wider beside a book that is hardly believed, and never so wide that nothing leaves it.
        widening = np.minimum(
            np.cbrt(conviction * conviction), conviction * (_WIDEST_BAND / self._patience.band)
        )
        usual = np.maximum(conviction, widening) * self._bar_target / np.sqrt(symbols)
        typical = _over(np.repeat(usual[:, None], symbols, axis=1), oracle["residual_vol"])
        # Of a calm symbol only so much may be held that a usual position is below its cap; a band
        # in larger ones would never be left.
        typical = np.minimum(typical, min(self.symbol_cap / self.clip, self.gross_cap / symbols))
        return {
            "target": self._patience(weights, typical),
            "budget": conviction * self.context.volatility_target,
        }

    def _typical_size(self, block: BlockInput, power: Floats) -> Floats:
        """(T,) root mean square size of the bets so far, as known at each interval's begin."""
        scale = np.empty(len(power))
        for first, stop, number in segments(block.ts, self._interval_ns):
            if number != self._interval:
                self._fold(number)
            self._fresh.append(power[first:stop])
            scale[first:stop] = self._scale
        return scale

    def _fold(self, number: int) -> None:
        if self._fresh:
            fresh = np.concatenate(self._fresh)
            self._fresh = []
            # Hours in which no vote moved the oracle say nothing about the size of its bets.
            placed = fresh[fresh > 0]
            memory = decay(self._interval_ns, self.scale_half_life_ns, number - self._interval)
            self._power = memory * self._power + np.array([np.sum(placed), float(placed.size)])
            self._scale = float(np.sqrt(self._power[0] / max(self._power[1], 1.0)))
        self._interval = number

    def _capped(self, weights: Floats) -> Floats:
        capped = np.clip(weights, -self.symbol_cap, self.symbol_cap)
        gross = sum_last(np.abs(capped))
        shrink = self.gross_cap / np.maximum(gross, self.gross_cap)
        return capped * shrink[:, None]


def _over(bets: Floats, volatility: Floats) -> Floats:
    """Bets over volatility; no position where the volatility is unknown."""
    known = volatility > 0
    return np.divide(bets, volatility, out=np.zeros_like(bets), where=known)
