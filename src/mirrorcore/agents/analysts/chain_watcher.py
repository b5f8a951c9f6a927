"""ChainWatcher: what large holders move on chain, and how busy the chain is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.market.block import Floats

_ALERT = 3.0


class ChainWatcher(FilteredAgent):
    """Smoothed whale flow in units of its own usual size.

        e = Σ asinh(f) 2^(-age/H) / Σ 2^(-age/H)          z = e / rms(e)

    f is ``onchain.whale_flow``; asinh is linear for small flows and logarithmic for the rare huge
    ones (Burbidge, Magee and Robb, 1988). The rms has a memory of 30 days. Gas says how busy the
    chain is, not where prices go: it enters the state, never the vote.

    Parameters
    ----------
    half_life: H; 2 h recovers most of what a Kalman filter with known constants would.
    memory: of the rms, and of the mean and variance of log gas.
    strength: k, log-odds per standard deviation.
    stale_after: age of the last flow beyond which there is no opinion.
    series, gas_series: names within ``onchain``.
    """

    kind: ClassVar[str] = "chain_watcher"
    votes: ClassVar[bool | None] = True
    parts = ("_quick", "_slow", "_arrivals", "_gas_arrivals")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "flow_z": StateField("smoothed whale flow", "rms", -CLIP, CLIP, "symbols"),
        "whale_alert": StateField(
            "1 where a flow of this tick is beyond 3 rms", "", 0, 1, "symbols"
        ),
        "gas_z": StateField("log gas against its usual level", "sd", -CLIP, CLIP, "symbols"),
        "confidence": StateField("share of symbols with fresh flows", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "ChainWatcher",
        *,
        half_life: Duration = "2h",
        memory: Duration = "30d",
        strength: float = 0.08,
        stale_after: Duration = "2h",
        series: str = "whale_flow",
        gas_series: str = "gas",
    ) -> None:
        super().__init__(agent_id, ("onchain",))
        self.half_life_ns = duration(half_life, "half_life")
        self.memory_ns = duration(memory, "memory")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")
        self.series = series
        self.gas_series = gas_series

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._quick = DecayedSums(self.half_life_ns, symbols, "flow", "weight")
        self._slow = DecayedSums(
            self.memory_ns, symbols, "smooth", "raw", "count", "gas", "gas_square", "gas_count"
        )
        self._arrivals = Arrivals(symbols)
        self._gas_arrivals = Arrivals(symbols)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        flow = block.value("onchain", self.series)
        known = np.isfinite(flow)
        stamps = np.where(known, block.known_at("onchain", self.series), 0)
        new, age, elapsed = self._arrivals(ts, stamps)
        one = new.astype(np.float64)
        squashed = np.where(new, np.arcsinh(np.where(known, flow, 0.0)), 0.0)
        smooth = ratio(self._quick("flow", ts, squashed), self._quick("weight", ts, one))
        count = self._slow("count", ts, one)
        rms = np.sqrt(ratio(self._slow("smooth", ts, one * smooth * smooth), count))
        raw_rms = np.sqrt(ratio(self._slow("raw", ts, squashed * squashed), count))
        z = np.clip(ratio(smooth, rms), -CLIP, CLIP)
        fresh = (age >= 0) & (age <= self.stale_after_ns)
        opinion = fresh & (elapsed >= self.half_life_ns)
        return {
            "forecast": stated(z, self.strength, opinion),
            "flow_z": z,
            "whale_alert": (np.abs(squashed) > _ALERT * np.maximum(raw_rms, 1e-12)) * one,
            "gas_z": self._busyness(block),
            "confidence": row_mean(opinion.astype(np.float64)),
        }

    def _busyness(self, block: BlockInput) -> Floats:
        """(T, S) log gas against its mean, in standard deviations; 0 while unknown."""
        gas = block.value("onchain", self.gas_series)
        known = np.isfinite(gas) & (gas > 0)
        stamps = np.where(known, block.known_at("onchain", self.gas_series), 0)
        new, age, _ = self._gas_arrivals(block.ts, stamps)
        one = new.astype(np.float64)
        level = np.where(known, np.log(np.where(known, gas, 1.0)), 0.0)
        count = self._slow("gas_count", block.ts, one)
        mean = ratio(self._slow("gas", block.ts, one * level), count)
        square = ratio(self._slow("gas_square", block.ts, one * level * level), count)
        deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
        usable = known & (age >= 0) & (age <= self.stale_after_ns) & (deviation > 1e-9)
        z = np.where(usable, ratio(level - mean, deviation), 0.0)
        return np.clip(z, -CLIP, CLIP)
