"""SentimentEar: what people say, less what they merely repeat of past prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSum, DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.moves import MoveReader
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.market.block import Floats

_LARGEST_SCORE = 10.0


class SentimentEar(FilteredAgent):
    """Smoothed sentiment with herding taken out.

    Most of a sentiment score repeats past returns, which other voters know already (Tetlock, 2007:
    pessimism follows falls). With m the standardised momentum over ``herding_window``, the score s
    is regressed on m, slope β and intercept from sums with a memory of 30 days, and what is left,
    e = s - β (m - mean m) - mean s, is smoothed over ``half_life`` and divided by its rms. β is
    published as ``herding``. ``disagreement`` is the spread of single scores around the smoothed
    one. Fear and greed, where there is such an index, is read against the crowd, but only in the
    state: it follows past returns and votes nothing.

    Parameters
    ----------
    half_life: of the smoothing.
    herding_window: half-life of the momentum the score may be repeating.
    memory: of the regression and the rms.
    strength: k, log-odds per standard deviation.
    stale_after: age of the last score beyond which there is no opinion.
    series, index_series: names within ``sentiment``; the index is 0 (fear) to 100 (greed).
    """

    kind: ClassVar[str] = "sentiment_ear"
    votes: ClassVar[bool | None] = True
    parts = ("_moves", "_squared", "_slow", "_quick", "_arrivals", "_reader")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "sentiment": StateField("smoothed score without herding", "rms", -CLIP, CLIP, "symbols"),
        "herding": StateField(
            "correlation of scores with past returns", "correlation", -1, 1, "symbols"
        ),
        "disagreement": StateField(
            "spread of scores around the smoothed one", "score", 0, 20, "symbols"
        ),
        "contrarian": StateField("against the crowd: 1 at utmost fear, -1 at greed", "", -1, 1),
        "confidence": StateField("share of symbols with fresh scores", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "SentimentEar",
        *,
        half_life: Duration = "2h",
        herding_window: Duration = "6h",
        memory: Duration = "30d",
        strength: float = 0.08,
        stale_after: Duration = "6h",
        series: str = "score",
        index_series: str = "fear_greed",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk", "sentiment"))
        self.half_life_ns = duration(half_life, "half_life")
        self.herding_window_ns = duration(herding_window, "herding_window")
        self.memory_ns = duration(memory, "memory")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")
        self.series = series
        self.index_series = index_series

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._moves = DecayedSum(self.herding_window_ns, symbols)
        self._squared = DecayedSum(max(1, self.herding_window_ns // 2), symbols)
        self._slow = DecayedSums(
            self.memory_ns, symbols, "count", "s", "ss", "m", "mm", "sm", "power"
        )
        self._quick = DecayedSums(self.half_life_ns, symbols, "score", "weight", "spread")
        self._arrivals = Arrivals(symbols)
        self._reader = MoveReader(symbols, self.context.bar_ns)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        score = np.clip(block.value("sentiment", self.series), -_LARGEST_SCORE, _LARGEST_SCORE)
        known = np.isfinite(score)
        stamps = np.where(known, block.known_at("sentiment", self.series), 0)
        new, age, elapsed = self._arrivals(ts, stamps)
        one = new.astype(np.float64)
        own, count, herding = self._unherded(block, np.where(new, score, 0.0), one)
        weight = self._quick("weight", ts, one)
        smooth = ratio(self._quick("score", ts, own), weight)
        gap = one * (own - smooth)
        spread = np.sqrt(ratio(self._quick("spread", ts, gap * gap), weight))
        rms = np.sqrt(ratio(self._slow("power", ts, one * smooth * smooth), count))
        z = np.clip(ratio(smooth, np.where(rms > 1e-9, rms, 0.0)), -CLIP, CLIP)
        opinion = (age >= 0) & (age <= self.stale_after_ns) & (elapsed >= self.half_life_ns)
        return {
            "forecast": stated(z, self.strength, opinion),
            "sentiment": z,
            "herding": herding,
            "disagreement": np.minimum(spread, 2.0 * _LARGEST_SCORE),
            "contrarian": self._contrarian(block),
            "confidence": row_mean(opinion.astype(np.float64)),
        }

    def _unherded(
        self, block: BlockInput, score: Floats, one: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """(T, S) new scores less what past returns explain, the decayed count, the correlation."""
        ts = block.ts
        momentum = self._past(block)
        m = one * momentum
        count = self._slow("count", ts, one)
        mean_s = ratio(self._slow("s", ts, score), count)
        mean_m = ratio(self._slow("m", ts, m), count)
        var_s = ratio(self._slow("ss", ts, score * score), count) - mean_s * mean_s
        var_m = ratio(self._slow("mm", ts, m * m), count) - mean_m * mean_m
        cov = ratio(self._slow("sm", ts, m * score), count) - mean_s * mean_m
        slope = np.where(var_m > 1e-9, ratio(cov, var_m), 0.0)
        size = np.sqrt(np.maximum(var_s, 0.0) * np.maximum(var_m, 0.0))
        herding = np.clip(np.where(size > 1e-12, ratio(cov, size), 0.0), -1.0, 1.0)
        return one * (score - mean_s - slope * (m - mean_m)), count, herding

    def _past(self, block: BlockInput) -> Floats:
        """(T, S) momentum over the herding window, N(0, 1) on a random walk; 0 while unknown."""
        moves = self._reader(block)
        total = self._moves(block.ts, moves.size)
        return ratio(total, np.sqrt(self._squared(block.ts, moves.bars)))

    def _contrarian(self, block: BlockInput) -> Floats:
        """(T,) from the fear and greed index, 0 where it is unknown."""
        index = block.value("sentiment", self.index_series)
        known = np.isfinite(index)
        column = row_mean(np.where(known, np.clip((50.0 - index) / 50.0, -1.0, 1.0), 0.0))
        return ratio(column, row_mean(known.astype(np.float64)))
