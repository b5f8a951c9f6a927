"""PairsArb: symbols that have strayed from the one they usually move with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.analysts.cointegration import LEVELS, Pairs, find_pairs
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import Arrivals, bar_stamps, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive, within
from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Bools, Floats, Ints

_PAIR = ("intercept", "slope", "spread", "statistic")


class PairsArb(FilteredAgent):
    """Statistical arbitrage of cointegrated pairs (Gatev, Goetzmann and Rouwenhorst, 2006).

    Every ``review`` each symbol i gets the partner j whose log price explains its own best,

        p_i = a + b p_j + e,    b > 0

    among those whose residual e reverts by the test of Engle and Granger (1987) over the last
    ``window`` samples, at the level ``level`` for each pair by itself: with k other symbols, about
    k x level of those that have no partner get one by luck. Between reviews a, b and s, the
    residual's standard deviation, stand still, and

        z = (p_i - a - b p_j) / s

    is how far i has strayed; the vote leans against it, p = 1 / (1 + exp(k z)). The other leg is
    j's own vote, where i is its partner. Beyond ``broken`` deviations the relation is taken for
    ended until the next review, and there is no opinion.

    Parameters
    ----------
    sample: distance of the prices that are compared.
    window: how many of them.
    review: how often partners are looked for.
    level: of the test, .01, .05 or .1.
    broken: |z| beyond which a pair is given up.
    strength: k, log-odds per standard deviation.
    stale_after: age of either's last bar beyond which there is no opinion.
    """

    kind: ClassVar[str] = "pairs_arb"
    votes: ClassVar[bool | None] = True
    parts = ("_arrivals", "_ring", "_carried", "_clock", "_partner", "_pairs", "_ended")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "pair": StateField("number of the partner among the symbols", "", 0, 1e6, "symbols", True),
        "beta": StateField(
            "move of the log price per move of the partner's", "", 0, 1e6, "symbols", True
        ),
        "spread_z": StateField(
            "distance from the partner, 0 without one", "sd", -1e6, 1e6, "symbols"
        ),
        "statistic": StateField(
            "t of the residual's reversion, best partner", "", -1e6, 1e6, "symbols", True
        ),
        "confidence": StateField("share of symbols with a partner and fresh bars", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "PairsArb",
        *,
        sample: Duration = "1h",
        window: int = 240,
        review: Duration = "1d",
        level: float = 0.01,
        broken: float = 6.0,
        strength: float = 0.08,
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.sample_ns = duration(sample, "sample")
        self.window = int(within(window, 20, 10_000, "window"))
        self.review_ns = duration(review, "review")
        if level not in LEVELS:
            raise ConfigError(
                f"level was {level}, must be one of {', '.join(map(str, LEVELS))}",
                hint="critical values are tabulated for these",
            )
        self.level = level
        self.broken = positive(broken, "broken")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._arrivals = Arrivals(symbols)
        self._ring: Floats = np.full((self.window, symbols), np.nan)
        self._carried: Floats = np.full(symbols, np.nan)
        # Samples taken, and the numbers of the present sample and review; -1 before the first.
        self._clock: Ints = np.array([0, -1, -1], dtype=np.int64)
        self._partner: Ints = np.full(symbols, -1, dtype=np.int64)
        self._pairs: Floats = np.full((len(_PAIR), symbols), np.nan)
        self._ended: Floats = np.zeros(symbols)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        close = block.value("technical", "close")
        known = np.isfinite(close) & (close > 1e-300) & block.market.market.present
        prices = self._filled(np.log(np.where(known, close, 1.0)), known)
        _, age, _ = self._arrivals(block.ts, bar_stamps(block.ts, known))
        fresh = (age >= 0) & (age <= self.stale_after_ns)
        outputs = [
            self._between(prices[first + 1 : stop + 1], fresh[first:stop])
            for first, stop in self._stretches(block.ts, prices)
        ]
        joined = {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}
        joined["confidence"] = row_mean(joined.pop("opinion"))
        return joined

    def _filled(self, prices: Floats, known: Bools) -> Floats:
        """(T + 1, S) the last known log price, the one before the block in row 0."""
        path = np.concatenate([self._carried[np.newaxis], np.where(known, prices, np.nan)])
        rows = np.where(np.isfinite(path), np.arange(len(path))[:, np.newaxis], 0)
        np.maximum.accumulate(rows, axis=0, out=rows)
        filled: Floats = path[rows, np.arange(path.shape[1])]
        self._carried = filled[-1].copy()
        return filled

    def _stretches(self, ts: Ints, prices: Floats) -> Iterator[tuple[int, int]]:
        """Runs of ticks with the same partners; samples are taken and reviewed in between.

        A sample is the price as it stood before its instant, so that it is known in time.
        """
        samples, reviews = ts // self.sample_ns, ts // self.review_ns
        before = np.concatenate([self._clock[1:2], samples[:-1]])
        cuts = [0]
        for row in np.flatnonzero(samples != before).tolist():
            if self._clock[1] >= 0:
                self._ring[self._clock[0] % self.window] = prices[row]
                self._clock[0] += 1
            self._clock[1] = samples[row]
            if reviews[row] != self._clock[2]:
                if row > cuts[-1]:
                    yield cuts[-1], row
                    cuts.append(row)
                self._clock[2] = reviews[row]
                self._review()
        yield cuts[-1], len(ts)

    def _review(self) -> None:
        taken = int(self._clock[0])
        if taken < self.window or len(self._partner) < 2:
            return
        first = taken % self.window
        pairs = find_pairs(np.concatenate([self._ring[first:], self._ring[:first]]), self.level)
        self._keep(pairs)

    def _keep(self, pairs: Pairs) -> None:
        alone = pairs.partner < 0
        self._partner = pairs.partner
        self._pairs = np.stack([getattr(pairs, name) for name in _PAIR])
        self._pairs[:3, alone] = np.nan
        self._ended = np.zeros(len(alone))

    def _between(self, prices: Floats, fresh: Bools) -> dict[str, Floats]:
        """What is said while partners stay the same."""
        partner = np.maximum(self._partner, 0)
        intercept, slope, spread, statistic = self._pairs
        z = (prices - intercept - slope * prices[:, partner]) / spread
        paired = (self._partner >= 0) & np.isfinite(z) & fresh & fresh[:, partner]
        far = paired & (np.abs(z) > self.broken)
        ended = np.maximum.accumulate(far | (self._ended > 0), axis=0)
        self._ended = ended[-1].astype(np.float64)
        opinion: Bools = paired & ~ended
        score = np.where(opinion, z, 0.0)
        shape = prices.shape
        mate = np.where(self._partner >= 0, self._partner.astype(np.float64), np.nan)
        return {
            "forecast": stated(-score, self.strength, opinion),
            "pair": np.broadcast_to(mate, shape),
            "beta": np.broadcast_to(np.clip(slope, 0.0, 1e6), shape),
            "spread_z": np.clip(score, -1e6, 1e6),
            "statistic": np.broadcast_to(np.clip(statistic, -1e6, 1e6), shape),
            "opinion": opinion.astype(np.float64),
        }

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        # Written in place; what was handed in may be kept by whoever gave it.
        self._ring, self._clock = self._ring.copy(), self._clock.copy()
