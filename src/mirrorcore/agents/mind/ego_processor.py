"""EgoProcessor: what the swarm may think of itself, against what it has shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.mind.self_attribution import SelfAttribution
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.agents.reading import (
    Freshness,
    Pulse,
    Totals,
    clipped,
    halved,
    last_element,
    number,
)
from mirrorcore.clock import DAY, HOUR

_NOISE = 1.0
"""Standard errors of a gap between claim and result that are no evidence of anything."""
_PERIODS = 24.0
"""Periods of evidence that the prior dispersion of 1 is worth."""


class EgoProcessor(TickAgent):
    """Self-confidence, overconfidence and stress of the swarm, from its own scored forecasts.

    Once a period the scores of the fused forecast that were added since are folded into sums that
    forget with half-life H:

    * hit rate: posterior Beta(1 + h/φ, 1 + (n - h)/φ), h hits of n. Hits of symbols that move
      together are not independent; φ >= 1 is their dispersion against a binomial, measured on the
      periods themselves (quasi-likelihood: McCullagh and Nelder, 1989).
    * confidence = P(hit rate > ½), times how fresh the scores are.
    * overconfidence = claimed hit rate (mean of max(p, 1 - p)) - posterior mean, and in units of
      the posterior deviation z.
    * ego e in -1..1: e' = d e + (1 - d) tanh(z beyond one deviation), d = 2^(-dt / mood).
    * calibration s: slope of outcomes on stated log-odds, by ridge with the prior 1 ± ½ (Platt,
      1999, to first order): s = (Σ x (y - ½) + 4) / (Σ ¼x² + 4). 1 is calibrated, below 1
      overconfident, 0 without skill.
    * boast k = 1/s in [¼, 4]: stated log-odds over those the outcomes bear out; 4 where s shows
      no skill at all.
    * m_ego = min(1, s + its error) (1 - ½ max(e, 0)): pride cannot lever up.
    * stress does not look at confidence: strain u = drawdown of the real book over the limit,
      target 1 - exp(-2u), rises at once, fades with half the mood's half-life.
    * streak: periods in a row in which the shadow book gained (+) or lost (-).
    * self-attribution: by how much more a success raises the claimed confidence of the period after
      than a failure of the same size lowers it (Daniel, Hirshleifer and Subrahmanyam, 1998), with
      its standard error; 0 ± 1 while nothing is known. Reported; no gate looks at it.

    Parameters
    ----------
    half_life: H.
    mood: half-life of the ego.
    period: how often scores are appraised.
    drawdown_limit: the drawdown that is a strain of 1; None takes the run's.
    """

    kind: ClassVar[str] = "ego_processor"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "confidence": StateField("probability that the swarm is right more than half", "", 0, 1),
        "hit_rate": StateField("posterior mean of the hit rate", "", 0, 1),
        "hit_rate_error": StateField("posterior deviation of the hit rate", "", 0, 1),
        "overconfidence": StateField("claimed less shown hit rate", "", -1, 1),
        "calibration": StateField("slope of outcomes on stated log-odds", "", -4, 4),
        "boast": StateField("stated over earned log-odds, 1 is calibrated", "", 0.25, 4),
        "ego": StateField("self-regard beyond the evidence", "", -1, 1),
        "m_ego": StateField("gate factor", "", 0, 1),
        "stress": StateField("strain of losses", "", 0, 1),
        "streak": StateField("periods of gain (+) or loss (-) in a row", "periods", -1e9, 1e9),
        "self_attribution": StateField(
            "answer to success less answer to failure", "probability per deviation", -1, 1
        ),
        "self_attribution_error": StateField(
            "its standard error", "probability per deviation", 0, 1
        ),
    }

    def __init__(
        self,
        agent_id: str = "EgoProcessor",
        *,
        half_life: Duration = "30d",
        mood: Duration = "24h",
        period: Duration = "1h",
        drawdown_limit: float | None = None,
    ) -> None:
        super().__init__(agent_id, ("performance",))
        self.half_life_ns = duration(half_life, "half_life")
        self.mood_ns = duration(mood, "mood")
        self.period_ns = duration(period, "period")
        self.drawdown_limit = drawdown_limit
        if drawdown_limit is not None:
            positive(drawdown_limit, "drawdown_limit")

    def prepare(self) -> None:
        self._limit = self.drawdown_limit or self.context.drawdown_limit
        self._pulse = Pulse(self.period_ns)
        self._totals = Totals()
        self._fresh = Freshness(7 * DAY, scores=1.0)
        self._record = Record()
        self._attribution = SelfAttribution()
        self._ego = 0.0
        self._stress = 0.0
        self._streak = 0.0
        self._equity = math.nan
        self._ts = 0
        self._appraised = 0

    def remember(self) -> dict[str, Any]:
        return {
            "pulse": self._pulse.checkpoint(),
            "totals": self._totals.checkpoint(),
            "fresh": self._fresh.checkpoint(),
            "record": self._record.checkpoint(),
            "attribution": self._attribution.checkpoint(),
            "numbers": [self._ego, self._stress, self._streak, self._equity],
            "times": [self._ts, self._appraised],
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._pulse.restore(memory["pulse"])
        self._totals.restore(memory["totals"])
        self._fresh.restore(memory["fresh"])
        self._record.restore(memory["record"])
        self._attribution.restore(memory["attribution"])
        self._ego, self._stress, self._streak, self._equity = memory["numbers"]
        self._ts, self._appraised = memory["times"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        if self._pulse.beats(tick.ts):
            self._appraise(tick)
        elapsed = tick.ts - self._ts if self._ts else 0
        self._ts = tick.ts
        record = self._record
        rate, error = record.rate()
        gap = record.claimed() - rate
        deviations = gap / error
        beyond = math.copysign(max(abs(deviations) - _NOISE, 0.0), deviations)
        kept = halved(elapsed, self.mood_ns)
        self._ego = kept * self._ego + (1.0 - kept) * math.tanh(beyond)
        self._feel_strain(number(tick.performance, "drawdown"), elapsed)
        slope, slope_error = record.calibration()
        humility = clipped(slope + slope_error, 0.0, 1.0)
        bias, bias_error = self._attribution.bias()
        sure = 0.5 * (1.0 + math.erf((rate - 0.5) / error / math.sqrt(2.0)))
        return {
            "confidence": sure * self._fresh.value(tick.ts),
            "hit_rate": rate,
            "hit_rate_error": error,
            "overconfidence": clipped(gap, -1.0, 1.0),
            "calibration": clipped(slope, -4.0, 4.0),
            "boast": 1.0 / clipped(slope, 0.25, 4.0),
            "ego": self._ego,
            "m_ego": humility * (1.0 - 0.5 * max(self._ego, 0.0)),
            "stress": self._stress,
            "streak": self._streak,
            "self_attribution": bias,
            "self_attribution_error": bias_error,
        }

    def _appraise(self, tick: Tick) -> None:
        elapsed = tick.ts - self._appraised if self._appraised else 0
        self._appraised = tick.ts
        view, totals = tick.performance, self._totals
        names = ("score_n", "score_hits", "score_claimed", "score_xx", "score_xy")
        scores = [last_element(view, name) for name in names]
        if not any(map(math.isnan, scores)):
            self._fresh.saw("scores", tick.ts)
            added = [totals.change(name, score) for name, score in zip(names, scores, strict=True)]
        else:
            added = [0.0] * len(names)
        kept = halved(elapsed, self.half_life_ns)
        self._record.fold(kept, *added)
        self._attribution.fold(kept, *added[:3])
        equity = number(view, "shadow_equity")
        if not math.isnan(equity):
            self._count_streak(equity)

    def _count_streak(self, equity: float) -> None:
        change = equity - self._equity
        if change > 0.0:
            self._streak = min(max(self._streak, 0.0) + 1.0, 1e9)
        elif change < 0.0:
            self._streak = max(min(self._streak, 0.0) - 1.0, -1e9)
        self._equity = equity

    def _feel_strain(self, drawdown: float, elapsed: int) -> None:
        if math.isnan(drawdown):
            return
        target = -math.expm1(-2.0 * max(drawdown, 0.0) / self._limit)
        kept = halved(2 * elapsed, self.mood_ns)
        self._stress = max(target, kept * self._stress + (1.0 - kept) * target)


class Record:
    """Decayed sums of the swarm's scored forecasts, and what they say about it."""

    __slots__ = ("_claimed", "_hits", "_information", "_n", "_slope", "_spread", "_weight")

    def __init__(self) -> None:
        self._n = self._hits = self._claimed = 0.0
        self._information = self._slope = 0.0
        self._spread = self._weight = 0.0

    def fold(
        self, kept: float, n: float, hits: float, claimed: float, xx: float, xy: float
    ) -> None:
        """Forget by ``kept`` and add what one period brought; nothing if it scored no forecast."""
        rate, _ = self.rate()
        self._spread *= kept
        self._weight *= kept
        if n < 1.0:
            # Also where the scores were started anew and their counts fell.
            n = hits = claimed = xx = xy = 0.0
        else:
            surprise = clipped(hits, 0.0, n) - rate * n
            self._spread += surprise * surprise / (rate * (1.0 - rate) * n)
            self._weight += 1.0
        self._n = kept * self._n + n
        self._hits = kept * self._hits + clipped(hits, 0.0, n)
        self._claimed = kept * self._claimed + clipped(claimed, 0.5 * n, n)
        self._information = kept * self._information + max(xx, 0.0)
        # The scoreboard keeps ½ x (y - ½); the slope's normal equation has x (y - ½).
        self._slope = kept * self._slope + 2.0 * xy

    def dispersion(self) -> float:
        """φ: variance of the periods' hits over that of independent ones, at least 1."""
        return max(1.0, (self._spread + _PERIODS) / (self._weight + _PERIODS))

    def rate(self) -> tuple[float, float]:
        """Posterior mean and deviation of the hit rate."""
        dispersion = self.dispersion()
        a = 1.0 + self._hits / dispersion
        b = 1.0 + (self._n - self._hits) / dispersion
        total = a + b
        return a / total, math.sqrt(a * b / (total + 1.0)) / total

    def claimed(self) -> float:
        """Mean hit rate the forecasts themselves claimed, shrunk like the shown one."""
        dispersion = self.dispersion()
        return (1.0 + self._claimed / dispersion) / (2.0 + self._n / dispersion)

    def calibration(self) -> tuple[float, float]:
        """Slope of outcomes on stated log-odds, and its standard error."""
        weight = self._information / self.dispersion() + 4.0
        return (self._slope / self.dispersion() + 4.0) / weight, 1.0 / math.sqrt(weight)

    def checkpoint(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}

    def restore(self, memory: dict[str, float]) -> None:
        for name in self.__slots__:
            setattr(self, name, memory[name])
