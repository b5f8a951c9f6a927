"""RegimeOracle: which state of volatility the market is in, and whether it has just changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.switching import SwitchingFilter
from mirrorcore.agents.analysts.votes import Arrivals, bar_stamps, row_mean
from mirrorcore.agents.base import BlockAgent, BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration
from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.block import Bools, Floats, Ints

_MULTIPLES = (0.6, 1.0, 1.8, 3.2)
"""Volatility of each state over the usual: calm, normal, turbulent, crisis."""
_STAYS = (120.0, 240.0, 48.0, 12.0)
"""Mean stay in hours."""
_OWN_NOISE = 0.6
"""Deviation of an hour's log variance beside sampling: intraday swings no regime explains."""
_RECENT = 12
_LARGEST_GAP = 100


class RegimeOracle(BlockAgent):
    """Regime probabilities from realised variance; volatility alone, and no vote.

    Once an hour (a bar, if bars are longer) the reading is the log of the mean of r² over what is
    usual for each symbol (a decayed mean of ``memory``), over symbols and the hour's bars. In state
    k with volatility m_k times the usual its expectation is 2 ln m_k - 1/n for n bars, its variance
    .6² + 2/n: sampling error of a χ² logarithm, and swings that no regime explains. The posterior
    is that of :class:`~mirrorcore.agents.analysts.switching.SwitchingFilter` (Hamilton, 1989; Adams
    and MacKay, 2007) over m = .6, 1, 1.8, 3.2 with mean stays of 5 d, 10 d, 2 d and 12 h.
    ``change_probability`` is that the state in force is younger than twelve readings.

    Direction is left out on purpose. A drift of one Sharpe ratio a year stands out by a sixth of
    its error in ten days, so a "bull" or "bear" read off prices within a regime would be a guess.

    Parameters
    ----------
    memory: half-life of what is usual.
    stale_after: age of the last bar beyond which nothing is claimed to be known.
    """

    kind: ClassVar[str] = "regime_oracle"
    votes: ClassVar[bool | None] = False
    believes: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "log_volatility": {
            name: math.log(multiple)
            for name, multiple in zip(
                ("p_calm", "p_normal", "p_turbulent", "p_crisis"), _MULTIPLES, strict=True
            )
        }
    }
    state: ClassVar[Mapping[str, StateField]] = {
        "regime": StateField("likeliest: 0 calm, 1 normal, 2 turbulent, 3 crisis", "", 0, 3),
        "p_calm": StateField("volatility .6 times the usual", "probability", 0, 1),
        "p_normal": StateField("volatility as usual", "probability", 0, 1),
        "p_turbulent": StateField("volatility 1.8 times the usual", "probability", 0, 1),
        "p_crisis": StateField("volatility 3.2 times the usual", "probability", 0, 1),
        "change_probability": StateField("that the regime began recently", "probability", 0, 1),
        "confidence": StateField("freshness times certainty of the regime", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "RegimeOracle",
        *,
        memory: Duration = "60d",
        stale_after: Duration = "1h",
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.memory_ns = duration(memory, "memory")
        self.stale_after_ns = duration(stale_after, "stale_after")

    def prepare(self) -> None:
        symbols, bar_ns = len(self.context.symbols), self.context.bar_ns
        self._period_ns = max(HOUR, bar_ns)
        self._bars = self._period_ns / bar_ns
        hours = self._period_ns / HOUR
        levels = tuple(2.0 * math.log(multiple) for multiple in _MULTIPLES)
        self._filter = SwitchingFilter(levels, tuple(s / hours for s in _STAYS), _RECENT)
        self._usual = DecayedSums(self.memory_ns, symbols, "square", "count")
        self._arrivals = Arrivals(symbols)
        self._number = -1
        self._sum = np.zeros(2)  # Σ of readings and how many bars, within the period

    def remember(self) -> dict[str, Any]:
        return {
            "filter": self._filter.checkpoint(),
            "usual": self._usual.checkpoint(),
            "arrivals": self._arrivals.checkpoint(),
            "number": self._number,
            "sum": self._sum.copy(),
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._filter.restore(memory["filter"])
        self._usual.restore(memory["usual"])
        self._arrivals.restore(memory["arrivals"])
        self._number = memory["number"]
        self._sum = memory["sum"].copy()

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        moved = np.clip(block.value("technical", "return_1"), -10.0, 10.0)
        known = block.market.market.present & np.isfinite(moved)
        new, age, elapsed = self._arrivals(ts, bar_stamps(ts, known))
        square = np.where(new, moved * moved, 0.0)
        one = new.astype(np.float64)
        usual = ratio(self._usual("square", ts, square), self._usual("count", ts, one))
        counted = new & (elapsed >= DAY) & (usual > 1e-24)
        relative = np.where(counted, ratio(square, usual), 0.0)
        shares = row_mean(counted.astype(np.float64))
        posterior = self._follow(ts, ratio(row_mean(relative), shares), shares > 0)
        limit = max(self.stale_after_ns, 3 * self.context.bar_ns)
        fresh = row_mean(((elapsed >= DAY) & (age <= limit)).astype(np.float64))
        best = np.max(posterior[:, :4], axis=1)
        return {
            "regime": np.argmax(posterior[:, :4], axis=1).astype(np.float64),
            "p_calm": posterior[:, 0].copy(),
            "p_normal": posterior[:, 1].copy(),
            "p_turbulent": posterior[:, 2].copy(),
            "p_crisis": posterior[:, 3].copy(),
            "change_probability": posterior[:, 4].copy(),
            "confidence": np.clip(fresh * best, 0.0, 1.0),
        }

    def _follow(self, ts: Ints, reading: Floats, known: Bools) -> Floats:
        """(T, 5) state probabilities and recency as known at each tick: of the periods before."""
        numbers = ts // self._period_ns
        cuts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        out = np.empty((len(ts), 5))
        first = 0
        for stop in [*cuts.tolist(), len(ts)]:
            if stop == first:
                continue
            self._enter(int(numbers[first]))
            out[first:stop, :4] = np.minimum(self._filter.states(), 1.0)
            out[first:stop, 4] = min(self._filter.recent(), 1.0)
            # One after the other, so that a cut within the period changes no bit.
            for value, counts in zip(
                reading[first:stop].tolist(), known[first:stop].tolist(), strict=True
            ):
                if counts:
                    self._sum[0] += value
                    self._sum[1] += 1.0
            first = stop
        return out

    def _enter(self, number: int) -> None:
        """Close the period before ``number``, and those without a tick in between."""
        if number == self._number:
            return
        if self._number >= 0:
            total, bars = self._sum.tolist()
            if bars > 0.0 and total > 0.0:
                reading = math.log(max(total / bars, 1e-12)) + 1.0 / bars
                self._filter.step(reading, _OWN_NOISE**2 + 2.0 / bars)
            else:
                self._filter.unknown()
            for _ in range(min(number - self._number - 1, _LARGEST_GAP)):
                self._filter.unknown()
        self._number = number
        self._sum[:] = 0.0
