"""VolatilitySeer: how far the next bar may move, and how bad a bad bar is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, bar_stamps, row_mean
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, within
from mirrorcore.clock import DAY
from mirrorcore.market.block import Bools, Floats, Ints

_HORIZONS = ((4, 0.5), (24, 0.3), (288, 0.2))
"""Half-lives of the cascade in bars, and weights: 20 min, 2 h and a day of 5-minute bars."""
_THRESHOLD = 1.5
_SHAPE = 0.2
_PRIOR = 200.0
_PRIOR_RATE = 0.12
_PRIOR_EXCESS = 0.7


class Cascade:
    """(T, S) weighted mean of decayed mean squares at each of the horizons."""

    def __init__(self, bar_ns: int, columns: int) -> None:
        self._means = [
            (DecayedSums(bars * bar_ns, columns, "square", "weight"), share)
            for bars, share in _HORIZONS
        ]

    def __call__(self, ts: Ints, square: Floats, one: Floats) -> Floats:
        total = np.zeros_like(square)
        for sums, share in self._means:
            total += share * ratio(sums("square", ts, square), sums("weight", ts, one))
        return total

    def checkpoint(self) -> dict[str, Any]:
        return {"means": [sums.checkpoint() for sums, _ in self._means]}

    def restore(self, memory: dict[str, Any]) -> None:
        for (sums, _), state in zip(self._means, memory["means"], strict=True):
            sums.restore(state)


class VolatilitySeer(FilteredAgent):
    """A cascade of variances, and the tail beyond it.

    Variance: v = c (.5 v_4 + .3 v_24 + .2 v_288), each a decayed mean of squared log returns with
    that half-life in bars (heterogeneous autoregression: Corsi, 2009); c is what realised variance
    has been against the forecast over ``memory``, so that the level is unbiased.

    Tail: of q = |r| / sqrt(v before it), how often (2ζ) and by how much on average (m) q exceeds
    u = 1.5, both from decayed sums with a prior of 200 observations. Beyond u the excess is
    generalised Pareto with shape ξ = .2 and scale β = m (1 - ξ) (McNeil and Frey, 2000):

        VaR_a = u + β/ξ ((ζ/a)^ξ - 1)          CVaR_a = (VaR_a + β - ξ u) / (1 - ξ)

    Parameters
    ----------
    memory: of c, the tail and the usual level of volatility.
    tail_probability: a, on one side.
    """

    kind: ClassVar[str] = "volatility_seer"
    votes: ClassVar[bool | None] = False
    believes: ClassVar[Mapping[str, Mapping[str, float]]] = {"log_volatility": {"vol_z": 1.0}}
    parts = ("_cascade", "_slow", "_arrivals", "_last", "_said")
    state: ClassVar[Mapping[str, StateField]] = {
        "vol_forecast": StateField(
            "standard deviation of the next bar's log return", "per bar", 0, 10, "symbols", True
        ),
        "value_at_risk": StateField(
            "loss the next bar exceeds with the tail probability",
            "log return", 0, 1e4, "symbols", True,
        ),
        "tail": StateField(
            "mean loss beyond it (CVaR)", "log return", 0, 1e4, "symbols", True
        ),
        "vol_z": StateField("log volatility against its usual level", "sd", -CLIP, CLIP, "symbols"),
        "confidence": StateField("share of symbols with a day of fresh bars", "", 0, 1),
    }  # fmt: skip

    def __init__(
        self,
        agent_id: str = "VolatilitySeer",
        *,
        memory: Duration = "30d",
        tail_probability: float = 0.05,
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.memory_ns = duration(memory, "memory")
        self.tail_probability = within(tail_probability, 0.001, 0.1, "tail_probability")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._cascade = Cascade(self.context.bar_ns, symbols)
        self._slow = DecayedSums(
            self.memory_ns, symbols,
            "realised", "forecast", "count", "exceeded", "excess", "weight", "level", "square",
        )  # fmt: skip
        self._arrivals = Arrivals(symbols)
        self._last: Floats = np.zeros(symbols)
        self._said: Floats = np.zeros(symbols)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        r = np.clip(block.value("technical", "return_1"), -10.0, 10.0)
        known = block.market.market.present & np.isfinite(r)
        new, age, elapsed = self._arrivals(ts, bar_stamps(ts, known))
        one = new.astype(np.float64)
        square = np.where(new, r * r, 0.0)
        cascade = self._cascade(ts, square, one)
        before = np.concatenate([self._last[np.newaxis], cascade[:-1]])
        self._last = cascade[-1].copy()
        judged = new & (before > 0)
        variance = cascade * self._level_of(ts, before, square, judged)
        vol = np.sqrt(variance)
        said = np.concatenate([self._said[np.newaxis], vol[:-1]])
        self._said = vol[-1].copy()
        at_risk, tail = self._tail(ts, ratio(np.where(judged, np.abs(r), 0.0), said), judged)
        usable = (elapsed >= DAY) & (age <= self.stale_after_ns) & (variance > 0)
        return {
            "vol_forecast": np.where(usable, np.minimum(vol, 10.0), np.nan),
            "value_at_risk": np.where(usable, vol * at_risk, np.nan),
            "tail": np.where(usable, vol * tail, np.nan),
            "vol_z": self._against_usual(ts, variance, one),
            "confidence": row_mean(usable.astype(np.float64)),
        }

    def _level_of(self, ts: Ints, before: Floats, square: Floats, judged: Bools) -> Floats:
        """(T, S) c, realised over forecast variance, within a factor of 4; 1 at first."""
        realised = self._slow("realised", ts, np.where(judged, square, 0.0))
        forecast = self._slow("forecast", ts, np.where(judged, before, 0.0))
        level = np.where(forecast > 0, ratio(realised, forecast), 1.0)
        return np.clip(level, 0.25, 4.0)

    def _tail(self, ts: Ints, q: Floats, judged: Bools) -> tuple[Floats, Floats]:
        """(T, S) value at risk and CVaR in units of the volatility forecast."""
        beyond = judged & (q > _THRESHOLD)
        count = self._slow("count", ts, judged.astype(np.float64)) + _PRIOR
        exceeded = self._slow("exceeded", ts, beyond.astype(np.float64)) + _PRIOR * _PRIOR_RATE
        # One bar says no more than 20 deviations: a crash must not own the tail for months.
        over = np.where(beyond, np.minimum(q, 20.0) - _THRESHOLD, 0.0)
        excess = self._slow("excess", ts, over) + _PRIOR * _PRIOR_RATE * _PRIOR_EXCESS
        scale = excess / exceeded * (1.0 - _SHAPE)
        one_sided = 0.5 * exceeded / count
        # x^ξ as exp(ξ ln x): np.power promises nothing about its last bit.
        stretch = np.exp(_SHAPE * np.log(one_sided / self.tail_probability)) - 1.0
        at_risk = np.maximum(_THRESHOLD + scale / _SHAPE * stretch, 0.0)
        tail = (at_risk + scale - _SHAPE * _THRESHOLD) / (1.0 - _SHAPE)
        return at_risk, tail

    def _against_usual(self, ts: Ints, variance: Floats, one: Floats) -> Floats:
        """(T, S) log variance in standard deviations from its decayed mean."""
        counted = one * (variance > 0)
        level = np.where(variance > 0, np.log(np.maximum(variance, 1e-300)), 0.0)
        weight = self._slow("weight", ts, counted)
        mean = ratio(self._slow("level", ts, counted * level), weight)
        square = ratio(self._slow("square", ts, counted * level * level), weight)
        spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
        z = np.where(spread > 1e-6, ratio(level - mean, spread), 0.0)
        return np.clip(np.where(variance > 0, z, 0.0), -CLIP, CLIP)
