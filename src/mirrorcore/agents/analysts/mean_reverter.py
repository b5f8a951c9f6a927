"""MeanReverter: how far a price has run from its mean, and how fast it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSum, DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.moves import MoveReader, Moves
from mirrorcore.agents.analysts.votes import CLIP, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.clock import HOUR
from mirrorcore.market.block import Floats, Ints

_EVIDENCE = 2.0
"""Standard errors of the reversion that are luck."""


class MeanReverter(FilteredAgent):
    """Short-term reversal (Jegadeesh, 1990), with the speed of reversion it measures itself.

    With u the bar's log return over its slow volatility, the deviation of the price from its
    exponential mean of half-life H, in the same units, is

        x = Σ u 2^(-(age + 1 bar)/H)

    (the price minus its average *is* a sum of past returns). Standardised by its own decayed sum
    of squared weights it is the score z; the vote leans against it, p = 1 / (1 + exp(k z)).

    Reversion is an AR(1) step, u(t) = -κ x(t-1) + noise, κ by least squares from sums with a
    memory of 30 days, standard error se; half-life = ln 2 / -ln(1 - κ) bars (Ornstein and
    Uhlenbeck, 1930, in discrete time). On a random walk κ is 0 within its error; ``evidence`` is
    1 - (2 se / κ)² where κ exceeds two errors, else 0, and so is the confidence.

    Parameters
    ----------
    half_life: H, of the mean.
    memory: of the estimate of κ.
    strength: k, log-odds per standard deviation.
    stale_after: age of the last bar beyond which there is no opinion.
    """

    kind: ClassVar[str] = "mean_reverter"
    votes: ClassVar[bool | None] = True
    parts = ("_moves", "_squared", "_slow", "_reader", "_last")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "deviation": StateField(
            "standardised distance from the mean", "sd", -CLIP, CLIP, "symbols"
        ),
        "half_life": StateField(
            "time in which half the distance is made up", "hours", 0, np.inf, "symbols", True
        ),
        "evidence": StateField("that there is any reversion", "", 0, 1, "symbols"),
        "reversion": StateField(
            "move expected of the next bar, 0 without evidence", "sd", -CLIP, CLIP, "symbols"
        ),
        "confidence": StateField("evidence over all symbols with fresh bars", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "MeanReverter",
        *,
        half_life: Duration = "2h",
        memory: Duration = "30d",
        strength: float = 0.08,
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk"))
        self.half_life_ns = duration(half_life, "half_life")
        self.memory_ns = duration(memory, "memory")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._step = float(np.exp2(-self.context.bar_ns / self.half_life_ns))
        self._moves = DecayedSum(self.half_life_ns, symbols)
        self._squared = DecayedSum(max(1, self.half_life_ns // 2), symbols)
        self._slow = DecayedSums(self.memory_ns, symbols, "cross", "power", "noise", "count")
        self._reader = MoveReader(symbols, self.context.bar_ns)
        self._last: Floats = np.zeros(symbols)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        moves = self._reader(block)
        x = self._moves(ts, moves.size) * self._step
        spread = np.sqrt(self._squared(ts, moves.bars)) * self._step
        z = np.clip(ratio(x, spread), -CLIP, CLIP)
        kappa, evidence = self._reversion(ts, moves, x)
        opinion = (moves.elapsed >= self.half_life_ns) & (moves.age <= self.stale_after_ns)
        speed = np.clip(kappa, 1e-6, 1.0 - 1e-9)
        bars = np.log(2.0) / -np.log1p(-speed)
        hours = np.where(evidence > 0, bars * (self.context.bar_ns / HOUR), np.nan)
        return {
            "forecast": stated(-z, self.strength, opinion),
            "deviation": z,
            "half_life": hours,
            "evidence": evidence,
            "reversion": np.clip(-kappa * x * evidence, -CLIP, CLIP),
            "confidence": row_mean(np.where(opinion, evidence, 0.0)),
        }

    def _reversion(self, ts: Ints, moves: Moves, x: Floats) -> tuple[Floats, Floats]:
        """(T, S) κ and the evidence for it, from each return and the deviation before it."""
        before = np.concatenate([self._last[np.newaxis], x[:-1]])
        self._last = x[-1].copy()
        # A move over a gap is no single step.
        one = (moves.bars == 1.0).astype(np.float64)
        u = one * moves.size
        cross = self._slow("cross", ts, u * before)
        power = self._slow("power", ts, one * before * before)
        noise = self._slow("noise", ts, u * u)
        count = self._slow("count", ts, one)
        kappa = -ratio(cross, power)
        # Var(κ) = residual variance / Σ x²
        residual = ratio(np.maximum(noise - ratio(cross * cross, power), 0.0), count)
        error = ratio(residual, power)
        excess = 1.0 - _EVIDENCE**2 * ratio(error, kappa * kappa)
        sure = (kappa > 0) & (power > 0) & (excess > 0)
        return kappa, np.where(sure, excess, 0.0)
