"""The paper book of each voter: what its votes alone would have earned, sized like the swarm.

A vote becomes a weight by how strong it is for that voter (its excess over a half, in units of the
voter's own running mean excess), over the symbol's volatility, so that each book aims at the run's
volatility target whatever scale its owner votes on. It is followed with the same patience as the
swarm's own targets: a book that trades every bar would measure costs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.agents.desk.patience import Patience
from mirrorcore.clock import DAY, YEAR
from mirrorcore.market.block import Floats, MarketBlock
from mirrorcore.market.features.filters import Ema
from mirrorcore.trading.shadow import ShadowBook

_CLIP = 3.0
_WIDEST_BAND = 0.5
"""A voter that always votes with the same strength trades as well."""
_SCALE_HALF_LIFE = 30 * DAY


class VoterBooks:
    """Paper books of all voters; voters may join at the end.

    Parameters
    ----------
    symbols: S. bar_ns: length of a bar.
    volatility_target: of each book, a year. cost_rate: fee and slippage as a share of notional.
    smoothing_ns, band, symbol_cap: as the Allocator's.
    """

    def __init__(
        self,
        symbols: int,
        bar_ns: int,
        volatility_target: float,
        cost_rate: float,
        *,
        smoothing_ns: int,
        band: float,
        symbol_cap: float,
    ) -> None:
        self._symbol_cap = symbol_cap
        self._symbols = symbols
        self._cost_rate = cost_rate
        self._half_life = _SCALE_HALF_LIFE / bar_ns
        self._unit = volatility_target * float(np.sqrt(bar_ns / YEAR / symbols))
        self._smoothing_bars = smoothing_ns / bar_ns
        self._band = band
        self._books: list[_Books] = []
        self.held: Floats = np.zeros((0, symbols, 0))
        """(T, S, N) weights decided at the ticks of the last update."""

    def admit(self, voters: int = 1) -> None:
        """Open books for so many more voters."""
        if voters == 0:
            return
        patience = Patience(
            columns=self._symbols * voters,
            cost_per_side=self._cost_rate,
            half_life_bars=self._smoothing_bars,
            band=self._band,
            widest=_WIDEST_BAND,
        )
        book = ShadowBook(self._symbols, voters, self._cost_rate)
        typical = Ema(half_life_bars=self._half_life, columns=voters)
        weight = Ema(half_life_bars=self._half_life, columns=1)
        self._books.append(_Books(voters, book, typical, weight, patience, self._symbol_cap))

    def update(self, block: MarketBlock, votes: Floats, vol: Floats) -> Floats:
        """(T, 2, N) gross and net result of each book so far, as shares of its capital.

        ``votes`` (T, S, N) probabilities, NaN for none; ``vol`` (T, S) per bar, NaN unknown.
        """
        excess = np.where(np.isfinite(votes), votes - 0.5, 0.0)
        unit = np.divide(self._unit, vol, out=np.zeros_like(vol), where=vol > 0)
        totals = np.zeros((len(votes), 2, votes.shape[2]))
        held = [np.zeros((*votes.shape[:2], 0))]
        first = 0
        for books in self._books:
            mine = slice(first, first + books.voters)
            decided = books.decide(excess[:, :, mine], unit)
            held.append(decided)
            result = books.book.update(block, decided)
            totals[:, 0, mine] = result.total_gross
            totals[:, 1, mine] = result.total_net
            first += books.voters
        self.held = held[1] if len(held) == 2 else np.concatenate(held, axis=2)
        return totals

    def checkpoint(self) -> dict[str, Any]:
        return {"books": [books.checkpoint() for books in self._books]}

    def restore(self, memory: dict[str, Any]) -> None:
        self._books = []
        for state in memory["books"]:
            self.admit(state["voters"])
            self._books[-1].restore(state)


@dataclass(slots=True)
class _Books:
    """The books of voters that joined together."""

    voters: int
    book: ShadowBook
    typical: Ema
    weight: Ema
    patience: Patience
    cap: float

    def decide(self, excess: Floats, unit: Floats) -> Floats:
        """(T, S, N) the weights to hold from the next bars on."""
        ticks, symbols, voters = excess.shape
        summed = self.typical(np.add.reduce(np.abs(excess), axis=1) / symbols)
        # What the average has seen so far: without it a young book would be three times too large.
        mean = (summed / self.weight(np.ones((ticks, 1))))[:, None, :]
        strength = np.divide(excess, mean, out=np.zeros_like(excess), where=mean > 0)
        # Where a price hardly moves a position would be without bound.
        wanted = np.clip(np.clip(strength, -_CLIP, _CLIP) * unit[:, :, None], -self.cap, self.cap)
        typical = np.repeat(np.minimum(unit, self.cap / _CLIP), voters, axis=1)
        held: Floats = self.patience(wanted.reshape(ticks, -1), typical)
        return held.reshape(ticks, symbols, voters)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "voters": self.voters,
            "book": self.book.checkpoint(),
            "typical": self.typical.checkpoint(),
            "weight": self.weight.checkpoint(),
            "patience": self.patience.checkpoint(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.book.restore(state["book"])
        self.typical.restore(state["typical"])
        self.weight.restore(state["weight"])
        self.patience.restore(state["patience"])
