"""RiskSentinel: how much of the book's risk is prudent now; ``trading`` enforces the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.parameters import Duration, duration, positive, within
from mirrorcore.agents.reading import Freshness, Pulse, clipped, halved, number, vector
from mirrorcore.clock import DAY, HOUR, YEAR
from mirrorcore.market.block import Floats

_NORMAL_95 = 1.6448536269514722
_LARGEST_VOLATILITY = 100.0


class RiskSentinel(TickAgent):
    """Proposes a risk budget in 0..1, the product of three cuts.

    * Volatility: min(1, tolerance × target / realised), realised being the fast volatility of the
      shadow book, annualised (volatility timing: Moreira and Muir, 2017).
    * Correlation: while the mean pair correlation of the symbols is above .7 (until below .65), a
      third off for a book all on one side, and less by how far longs and shorts offset each other:
      1 - ⅓ |net| / gross. Pair correlation from returns z between two looks, each in units of its
      own decayed rms: ρ = Σ_t [(Σz)² - Σz²] / ((S - 1) Σ_t Σz²).
    * Drawdown of the real book: 1 up to ``taper_from`` of the limit, then down in a straight line
      to 0 at the limit (proportional to the cushion: Grossman and Zhou, 1993).

    It also reports exposures, and the loss the book exceeds on one day in twenty if returns are
    normal with the symbols' slow volatilities σ and one common correlation:
    VaR = 1.645 sqrt((1 - ρ) Σ(wσ)² + ρ (Σwσ)²) over a day.

    Parameters
    ----------
    half_life: memory of the correlation.
    tolerance: realised over target volatility that is still in order.
    correlation_limit: mean pair correlation above which there is a cut.
    taper_from: share of the drawdown limit at which the taper begins.
    """

    kind: ClassVar[str] = "risk_sentinel"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "risk_budget": StateField("share of the book's risk that is prudent", "", 0, 1),
        "volatility_cut": StateField("factor for volatility above target", "", 0, 1),
        "correlation_cut": StateField("factor for one-sided, correlated books", "", 2 / 3, 1),
        "drawdown_cut": StateField("factor near the drawdown limit", "", 0, 1),
        "realised_volatility": StateField("of the shadow book", "per year", 0, _LARGEST_VOLATILITY),
        "pair_correlation": StateField("mean over pairs of symbols", "correlation", -1, 1),
        "gross": StateField("sum of absolute weights", "of equity", 0, 1e6),
        "net": StateField("sum of signed weights", "of equity", -1e6, 1e6),
        "concentration": StateField("largest share of gross in one symbol", "", 0, 1),
        "value_at_risk": StateField("loss exceeded one day in twenty", "of equity", 0, 1e6),
        "confidence": StateField("share of the inputs that is fresh", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "RiskSentinel",
        *,
        half_life: Duration = "3d",
        tolerance: float = 1.25,
        correlation_limit: float = 0.7,
        taper_from: float = 0.5,
    ) -> None:
        super().__init__(agent_id, ("technical", "risk", "performance"))
        self.half_life_ns = duration(half_life, "half_life")
        self.tolerance = positive(tolerance, "tolerance")
        self.correlation_limit = within(correlation_limit, 0.0, 1.0, "correlation_limit")
        self.taper_from = within(taper_from, 0.0, 0.99, "taper_from")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._fresh = Freshness(DAY, volatility=1.0, drawdown=1.0, exposure=1.0, correlation=1.0)
        self._pulse = Pulse(HOUR)
        self._level: Floats = np.full(symbols, np.nan)
        self._square: Floats = np.zeros(symbols)
        self._weight: Floats = np.zeros(symbols)
        self._joint = [0.0, 0.0]  # Σ [(Σz)² - Σz²] / (S - 1), Σ Σz²
        self._looked = 0
        self._correlation = 0.0
        self._correlated = False
        self._cuts = [1.0, 1.0]
        self._exposures = [0.0, 0.0, 0.0, 0.0]
        self._volatility = 0.0

    def remember(self) -> dict[str, Any]:
        return {
            "fresh": self._fresh.checkpoint(),
            "pulse": self._pulse.checkpoint(),
            "arrays": [self._level, self._square, self._weight],
            "joint": list(self._joint),
            "looked": self._looked,
            "correlation": [self._correlation, self._correlated],
            "cuts": list(self._cuts),
            "exposures": list(self._exposures),
            "volatility": self._volatility,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._fresh.restore(memory["fresh"])
        self._pulse.restore(memory["pulse"])
        self._level, self._square, self._weight = memory["arrays"]
        self._joint = list(memory["joint"])
        self._looked = memory["looked"]
        self._correlation, self._correlated = memory["correlation"]
        self._cuts = list(memory["cuts"])
        self._exposures = list(memory["exposures"])
        self._volatility = memory["volatility"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        if self._pulse.beats(tick.ts):
            self._look(tick)
        self._cut_volatility(tick)
        self._cut_drawdown(tick)
        self._expose(tick)
        gross, net, concentration, at_risk = self._exposures
        one_sided = min(abs(net) / gross, 1.0) if gross > 0.0 else 1.0
        correlation_cut = 1.0 - one_sided / 3.0 if self._correlated else 1.0
        volatility_cut, drawdown_cut = self._cuts
        return {
            "risk_budget": volatility_cut * correlation_cut * drawdown_cut,
            "volatility_cut": volatility_cut,
            "correlation_cut": correlation_cut,
            "drawdown_cut": drawdown_cut,
            "realised_volatility": self._volatility,
            "pair_correlation": self._correlation,
            "gross": gross,
            "net": net,
            "concentration": concentration,
            "value_at_risk": at_risk,
            "confidence": self._fresh.value(tick.ts),
        }

    def _cut_volatility(self, tick: Tick) -> None:
        volatility = number(tick.performance, "shadow_volatility")
        if volatility >= 0.0:
            yearly = volatility * math.sqrt(YEAR / self.context.bar_ns)
            self._volatility = min(yearly, _LARGEST_VOLATILITY)
            allowed = self.tolerance * self.context.volatility_target
            self._cuts[0] = 1.0 if yearly <= allowed else allowed / yearly
            self._fresh.saw("volatility", tick.ts)

    def _cut_drawdown(self, tick: Tick) -> None:
        drawdown = number(tick.performance, "drawdown")
        if not math.isnan(drawdown):
            used = drawdown / self.context.drawdown_limit
            self._cuts[1] = clipped((1.0 - used) / (1.0 - self.taper_from), 0.0, 1.0)
            self._fresh.saw("drawdown", tick.ts)

    def _expose(self, tick: Tick) -> None:
        weights = vector(tick.performance, "weights", len(self.context.symbols))
        if weights is None:
            return
        self._fresh.saw("exposure", tick.ts)
        held = [clipped(weight, -1e4, 1e4) for weight in weights.tolist()]
        gross = sum(map(abs, held))
        squares = total = 0.0
        for weight, volatility in zip(held, tick.value("risk", "vol_slow").tolist(), strict=True):
            if 0.0 <= volatility <= 1.0:
                squares += (weight * volatility) ** 2
                total += weight * volatility
        correlation = clipped(self._correlation, 0.0, 1.0)
        variance = (1.0 - correlation) * squares + correlation * total * total
        day = _NORMAL_95 * math.sqrt(variance * (DAY / self.context.bar_ns))
        largest = max(map(abs, held), default=0.0)
        share = largest / gross if gross > 0.0 else 0.0
        net = sum(held)
        self._exposures = [min(gross, 1e6), clipped(net, -1e6, 1e6), min(share, 1.0), min(day, 1e6)]

    def _look(self, tick: Tick) -> None:
        """Once an hour: how the symbols moved together since the last look."""
        close = tick.value("technical", "close")
        level = np.log(np.where(np.isfinite(close) & (close > 0), close, np.nan))
        move = level - self._level
        elapsed = tick.ts - self._looked if self._looked else 0
        self._looked = tick.ts
        self._level = np.where(np.isnan(level), self._level, level)
        known = np.isfinite(move)
        if np.count_nonzero(known) < 2:
            return
        kept = halved(elapsed, self.half_life_ns)
        move = np.where(known, np.clip(move, -10.0, 10.0), 0.0)
        self._square = kept * self._square + move * move
        self._weight = kept * self._weight + known
        rms = np.sqrt(self._square / np.maximum(self._weight, 1e-300))
        z = np.divide(move, rms, out=np.zeros_like(move), where=rms > 0)
        count = int(np.count_nonzero(z))
        squares, total = float(np.sum(z * z)), float(np.sum(z))
        if count >= 2:
            self._joint[0] = kept * self._joint[0] + (total * total - squares) / (count - 1)
            self._joint[1] = kept * self._joint[1] + squares
            self._fresh.saw("correlation", tick.ts)
            self._judge_correlation()

    def _judge_correlation(self) -> None:
        self._correlation = clipped(self._joint[0] / self._joint[1], -1.0, 1.0)
        if self._correlation > self.correlation_limit:
            self._correlated = True
        elif self._correlation < self.correlation_limit - 0.05:
            self._correlated = False
