"""FlowReader: who is in a hurry, in trades, in the order book and on decentralised exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.market.block import Bools, Floats

_CHANNELS = (
    ("technical", "trade_imbalance"),
    ("technical", "book_imbalance"),
    ("onchain", "dex_flow"),
)
_SPREAD = ("risk", "spread_bps")
_LARGEST = 1e18
_WIDEST = 1e4
"""Basis points; a spread as wide as the price."""


class FlowReader(FilteredAgent):
    """Order flow, each kind of it smoothed and in units of its own usual size.

    Buyers in a hurry move prices and go on doing so for a while (Chordia, Roll and Subrahmanyam,
    2002); the imbalance of the best levels of a book leads the next moves (Cont, Kukanov and
    Stoikov, 2014). With i the flow of a channel, the imbalance of trades or of the book in -1..1 or
    what swaps bought from pools,

        e = Σ i 2^(-age/H) / Σ 2^(-age/H)          z = e / rms(e)

        score = w Σ z / √n        w = min(1, usual spread / spread)

    over the n channels that are fresh; the rms and the usual spread have a memory of 30 days. A
    spread wider than usual says that the quotes are uncertain, and with no spread known w is 1.
    ``toxicity`` is the smoothed size of the imbalance of trades, the share of volume that came from
    one side alone (as VPIN: Easley, López de Prado and O'Hara, 2012, by time instead of volume).

    Nothing is inferred from prices: a symbol without any of the channels has no opinion.

    Parameters
    ----------
    half_life: H.
    memory: of the rms and of the usual spread.
    strength: k, log-odds per standard deviation.
    stale_after: age of a channel's last value beyond which it does not count.
    """

    kind: ClassVar[str] = "flow_reader"
    votes: ClassVar[bool | None] = True
    parts = ("_quick", "_slow", "_trades", "_book", "_pools", "_spreads")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "imbalance": StateField("flow of all fresh channels", "rms", -CLIP, CLIP, "symbols"),
        "spread": StateField("spread last known, while fresh", "bps", 0, _WIDEST, "symbols", True),
        "toxicity": StateField("smoothed one-sidedness of trades", "", 0, 1, "symbols", True),
        "confidence": StateField("share of symbols with a fresh channel", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "FlowReader",
        *,
        half_life: Duration = "30m",
        memory: Duration = "30d",
        strength: float = 0.08,
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk", "onchain"))
        self.half_life_ns = duration(half_life, "half_life")
        self.memory_ns = duration(memory, "memory")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        names = [name for _, name in _CHANNELS]
        quick = [f"{name}.{part}" for name in names for part in ("flow", "weight")]
        slow = [f"{name}.{part}" for name in names for part in ("square", "count")]
        self._quick = DecayedSums(self.half_life_ns, symbols, *quick, "size")
        self._slow = DecayedSums(self.memory_ns, symbols, *slow, "spread", "spread_count")
        self._trades, self._book = Arrivals(symbols), Arrivals(symbols)
        self._pools, self._spreads = Arrivals(symbols), Arrivals(symbols)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        if self._nothing(block):
            return _silence(block.shape)
        total, fresh = np.zeros(block.shape), np.zeros(block.shape)
        toxicity: Floats = np.full(block.shape, np.nan)
        for (category, name), arrivals in zip(_CHANNELS, self._arrivals(), strict=True):
            channel = self._channel(block, category, name, arrivals)
            total += np.where(channel.live, channel.score, 0.0)
            fresh += channel.live
            if name == "trade_imbalance":
                size = self._quick("size", block.ts, np.minimum(np.abs(channel.arrived), 1.0))
                toxicity = np.where(
                    channel.live, np.minimum(ratio(size, channel.weight), 1.0), np.nan
                )
        spread, factor = self._spread(block)
        opinion: Bools = fresh > 0
        score = np.clip(factor * ratio(total, np.sqrt(fresh)), -CLIP, CLIP)
        return {
            "forecast": stated(score, self.strength, opinion),
            "imbalance": score,
            "spread": spread,
            "toxicity": toxicity,
            "confidence": row_mean(opinion.astype(np.float64)),
        }

    def _arrivals(self) -> tuple[Arrivals, ...]:
        return self._trades, self._book, self._pools

    def _nothing(self, block: BlockInput) -> bool:
        """Neither now nor ever before was there anything to read: then it costs nothing."""
        read = (*_CHANNELS, _SPREAD)
        if any(block.has(category, name) for category, name in read):
            return False
        return not any(one.latest.any() for one in (*self._arrivals(), self._spreads))

    def _channel(self, block: BlockInput, category: str, name: str, arrivals: Arrivals) -> _Channel:
        ts = block.ts
        value = np.clip(block.value(category, name), -_LARGEST, _LARGEST)
        known = np.isfinite(value)
        new, age, _ = arrivals(ts, np.where(known, block.known_at(category, name), 0))
        one = new.astype(np.float64)
        arrived: Floats = np.where(new & known, value, 0.0)
        weight = self._quick(f"{name}.weight", ts, one)
        smooth = ratio(self._quick(f"{name}.flow", ts, arrived), weight)
        count = self._slow(f"{name}.count", ts, one)
        rms = np.sqrt(ratio(self._slow(f"{name}.square", ts, one * smooth * smooth), count))
        live: Bools = (age >= 0) & (age <= self.stale_after_ns)
        return _Channel(np.clip(ratio(smooth, rms), -CLIP, CLIP), live, arrived, weight)

    def _spread(self, block: BlockInput) -> tuple[Floats, Floats]:
        """(T, S) the spread, NaN unless fresh, and how far a wide one takes from the score."""
        value = block.value(*_SPREAD)
        known = np.isfinite(value) & (value >= 0) & (value <= _WIDEST)
        stamps = np.where(known, block.known_at(*_SPREAD), 0)
        new, age, _ = self._spreads(block.ts, stamps)
        arrived = np.where(new & known, value, 0.0)
        count = self._slow("spread_count", block.ts, new.astype(np.float64))
        usual = ratio(self._slow("spread", block.ts, arrived), count)
        fresh = known & (age >= 0) & (age <= self.stale_after_ns)
        spread: Floats = np.where(fresh, value, np.nan)
        wide = fresh & (spread > usual)
        factor: Floats = np.where(wide, ratio(usual, np.where(wide, spread, 1.0)), 1.0)
        return spread, factor


@dataclass(frozen=True, slots=True)
class _Channel:
    """One kind of flow, (T, S): its score, where it is fresh, what arrived, and its weight."""

    score: Floats
    live: Bools
    arrived: Floats
    weight: Floats


def _silence(shape: tuple[int, int]) -> dict[str, Floats]:
    unknown = np.full(shape, np.nan)
    return {
        "forecast": unknown,
        "imbalance": np.zeros(shape),
        "spread": unknown,
        "toxicity": unknown,
        "confidence": np.zeros(shape[0]),
    }
