"""FearAnalyzer: how much the swarm has reason to be afraid of losing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.mind import fear
from mirrorcore.agents.parameters import Duration, duration, within
from mirrorcore.agents.reading import Freshness, Pulse, clipped, finite, halved, mean, number
from mirrorcore.clock import HOUR

_LARGEST_DRIVER = fear.LARGEST_DRIVER
_DOUBLED = 0.7  # ln 2: volatility twice its usual level is one unit of fear
_JUMP_WINDOW = 96
# 95 % quantile of the sampling error of 1 - BV/RV over a window without jumps.
_JUMP_NOISE = 1.645 * math.sqrt(((math.pi / 2) ** 2 + math.pi - 5) / _JUMP_WINDOW)


class FearAnalyzer(TickAgent):
    """Fear from the ungated shadow book and the market, fast to rise and slow to fade.

        a = a1 + .5 a2 + .3 a3 + .2 a4 + .2 a5          target g = 1 - exp(-a)
        F' = g if g > F, else d F + (1 - d) g               d = 2^(-dt / H)

    * a1 drawdown of the shadow book over half the hard drawdown limit: fear has to have cut before
      the limit halts, and with it half-way to the limit about half the risk is left, as an optimal
      control of drawdowns would have it (Grossman and Zhou, 1993);
    * a2 mean log ratio of fast to slow market volatility, where above 0, over ln 2 ≈ .7;
    * a3 loss streak S / 3, S' = d S + 1.5 (A/H) (2.25 [r < 0] - [r > 0]) min(|r|/σ, 3), floor 0,
      appraised once per period A (losses weigh 2.25 times: Tversky and Kahneman, 1992; over which
      period one looks matters: Benartzi and Thaler, 1995);
    * a4 share of variance that comes in jumps, max(0, 1 - BV/RV) (Barndorff-Nielsen and Shephard,
      2004), beyond what sampling error explains;
    * a5 fear in the fear-and-greed index, max(0, 50 - index) / 50.

    Each driver is non-negative and a gain lowers some and raises none, so profit alone never
    frightens. It is measured on the shadow book, because a book cut to nothing would never see the
    recovery. A driver that becomes unknown keeps its last value and costs confidence. The gate
    factor is 1 - .8 F. Panic begins at .7 and ends below .5. The equations are in ``mind.fear``.

    Parameters
    ----------
    half_life: H.
    appraisal: A.
    drawdown_limit: the hard limit of which half counts as 1; None takes the run's.
    """

    kind: ClassVar[str] = "fear_analyzer"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "fear": StateField("how afraid the swarm is", "", 0, 1),
        "m_fear": StateField("gate factor", "", 0.2, 1),
        "panic": StateField("1 from fear .7 until below .5", "", 0, 1),
        "drawdown_driver": StateField(
            "shadow drawdown over half its limit", "", 0, _LARGEST_DRIVER
        ),
        "volatility_driver": StateField("log volatility ratio over ln 2", "", 0, _LARGEST_DRIVER),
        "streak_driver": StateField("loss streak over 3", "", 0, _LARGEST_DRIVER),
        "jump_driver": StateField("share of variance in jumps", "", 0, _LARGEST_DRIVER),
        "sentiment_driver": StateField("fear of the crowd", "", 0, _LARGEST_DRIVER),
        "confidence": StateField("share of the drivers that is fresh", "", 0, 1),
    }
    weights: ClassVar[Mapping[str, float]] = fear.WEIGHTS

    def __init__(
        self,
        agent_id: str = "FearAnalyzer",
        *,
        half_life: Duration = "24h",
        appraisal: Duration = "1h",
        drawdown_limit: float | None = None,
    ) -> None:
        super().__init__(agent_id, ("risk", "sentiment", "performance"))
        self.half_life_ns = duration(half_life, "half_life")
        self.appraisal_ns = duration(appraisal, "appraisal")
        self.drawdown_limit = drawdown_limit
        if drawdown_limit is not None:
            within(drawdown_limit, 0.001, 1.0, "drawdown_limit")

    def prepare(self) -> None:
        self._one = fear.LIMIT_SHARE * (self.drawdown_limit or self.context.drawdown_limit)
        self._drivers = dict.fromkeys(self.weights, 0.0)
        self._fresh = Freshness(self.half_life_ns, **self.weights)
        self._pulse = Pulse(self.appraisal_ns)
        self._fear = 0.0
        self._panic = 0.0
        self._streak = 0.0
        self._ts = 0
        self._appraised = 0
        self._equity = math.nan

    def remember(self) -> dict[str, Any]:
        return {
            "drivers": dict(self._drivers),
            "fresh": self._fresh.checkpoint(),
            "pulse": self._pulse.checkpoint(),
            "numbers": [self._fear, self._panic, self._streak, self._equity],
            "times": [self._ts, self._appraised],
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._drivers = dict(memory["drivers"])
        self._fresh.restore(memory["fresh"])
        self._pulse.restore(memory["pulse"])
        self._fear, self._panic, self._streak, self._equity = memory["numbers"]
        self._ts, self._appraised = memory["times"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        self._look(tick)
        self._appraise(tick)
        drivers = self._drivers
        pressure = sum(self.weights[name] * drivers[name] for name in drivers)
        kept = halved(tick.ts - self._ts, self.half_life_ns) if self._ts else 1.0
        self._ts = tick.ts
        self._fear = float(fear.fear_after(self._fear, fear.target(pressure), kept))
        if self._fear >= 0.7:
            self._panic = 1.0
        elif self._fear < 0.5:
            self._panic = 0.0
        return {
            "fear": self._fear,
            "m_fear": float(fear.gate_factor(self._fear)),
            "panic": self._panic,
            "drawdown_driver": drivers["drawdown"],
            "volatility_driver": drivers["volatility"],
            "streak_driver": drivers["streak"],
            "jump_driver": drivers["jump"],
            "sentiment_driver": drivers["sentiment"],
            "confidence": self._fresh.value(tick.ts),
        }

    def _look(self, tick: Tick) -> None:
        """The drivers that are read off the market and the shadow book."""
        drawdown = number(tick.performance, "shadow_drawdown")
        self._feel("drawdown", float(fear.drawdown_driver(drawdown, self._one)), tick.ts)
        ratios = finite(tick.value("risk", "vol_ratio"))
        logs = [math.log(ratio) for ratio in ratios if ratio > 0.0]
        self._feel("volatility", mean(logs) / _DOUBLED, tick.ts)
        jumps = finite(tick.value("risk", "jump_share"))
        self._feel("jump", mean(jumps) - _JUMP_NOISE, tick.ts)
        index = finite(tick.value("sentiment", "fear_greed"))
        self._feel("sentiment", (50.0 - mean(index)) / 50.0, tick.ts)

    def _feel(self, name: str, strength: float, ts: int) -> None:
        if not math.isnan(strength):
            self._drivers[name] = clipped(strength, 0.0, _LARGEST_DRIVER)
            self._fresh.saw(name, ts)

    def _appraise(self, tick: Tick) -> None:
        """Once a period: what the shadow book gained or lost since the last appraisal."""
        if not self._pulse.beats(tick.ts):
            return
        elapsed = tick.ts - self._appraised if self._appraised else 0
        self._streak *= halved(elapsed, self.half_life_ns)
        equity = number(tick.performance, "shadow_equity")
        volatility = number(tick.performance, "shadow_volatility")
        self._appraised = tick.ts
        if equity > 0.0 and volatility >= 0.0:
            self._weigh(equity, volatility, elapsed)
            self._equity = equity
            self._fresh.saw("streak", tick.ts)
        self._drivers["streak"] = float(fear.streak_driver(self._streak))

    def _weigh(self, equity: float, volatility: float, elapsed: int) -> None:
        if math.isnan(self._equity) or elapsed <= 0:
            return
        change = math.log(equity / self._equity)
        usual = volatility * math.sqrt(elapsed / self.context.bar_ns)
        share = self.appraisal_ns / self.half_life_ns
        self._streak = float(fear.streak_after(self._streak, change, usual, share))
