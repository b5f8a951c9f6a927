"""TradeAnalyst: what the real book has earned so far, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.parameters import Duration, duration
from mirrorcore.agents.reading import Freshness, Pulse, Totals, clipped, number, vector
from mirrorcore.clock import DAY, HOUR, YEAR

_LEAST_PERIODS = 30
_MUCH = 1e15


class TradeAnalyst(TickAgent):
    """Running results of the real book, in fractions of its equity.

    * pnl: equity less initial equity (settlement currency), ``total_return`` as a fraction of it.
    * sharpe: mean over sample deviation (n - 1) of simple returns per period, times the root of
      periods a year (365 days); no risk-free rate. NaN before 30 periods. Running sums (Welford,
      1962), since the start, nothing forgotten.
    * sharpe_error: sqrt((1 + SR²/2) / n) in the same units (Lo, 2002): of one year it is about 1.
    * win_rate: closed trades that earned something. turnover: notional filled a year over mean
      equity. attribution: cumulative shadow profit of each voter, in units of risk.

    Parameters
    ----------
    period: of the returns behind the Sharpe ratio.
    """

    kind: ClassVar[str] = "trade_analyst"
    votes: ClassVar[bool | None] = False
    cadence_ns = 4 * HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "pnl": StateField("profit since the start", "currency", -_MUCH, _MUCH, missing=True),
        "total_return": StateField("profit over initial equity", "", -1e6, 1e6, missing=True),
        "drawdown": StateField("fraction of peak equity lost", "", 0, 1, missing=True),
        "sharpe": StateField("Sharpe ratio so far", "per year", -1e4, 1e4, missing=True),
        "sharpe_error": StateField("its standard error", "per year", 0, 1e4, missing=True),
        "win_rate": StateField("closed trades that won", "", 0, 1, missing=True),
        "trades": StateField("closed trades so far", "trades", 0, _MUCH),
        "turnover": StateField("notional over equity", "per year", 0, _MUCH, missing=True),
        "attribution": StateField(
            "shadow profit of each voter", "units of risk", -_MUCH, _MUCH, "voters", True
        ),
        "confidence": StateField("share of the figures that is fresh", "", 0, 1),
    }

    def __init__(self, agent_id: str = "TradeAnalyst", *, period: Duration = "1h") -> None:
        super().__init__(agent_id, ("performance", "execution"))
        self.period_ns = duration(period, "period")

    def prepare(self) -> None:
        self._pulse = Pulse(self.period_ns)
        self._totals = Totals()
        self._fresh = Freshness(DAY, equity=2.0, trades=1.0, turnover=1.0)
        self._returns = Welford()
        self._mean_equity = Welford()
        self._equity = math.nan
        self._notional = 0.0
        self._start = 0

    def remember(self) -> dict[str, Any]:
        return {
            "pulse": self._pulse.checkpoint(),
            "totals": self._totals.checkpoint(),
            "fresh": self._fresh.checkpoint(),
            "returns": self._returns.checkpoint(),
            "mean_equity": self._mean_equity.checkpoint(),
            "numbers": [self._equity, self._notional],
            "start": self._start,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._pulse.restore(memory["pulse"])
        self._totals.restore(memory["totals"])
        self._fresh.restore(memory["fresh"])
        self._returns.restore(memory["returns"])
        self._mean_equity.restore(memory["mean_equity"])
        self._equity, self._notional = memory["numbers"]
        self._start = memory["start"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        view = tick.performance
        self._start = self._start or tick.ts
        equity, initial = number(view, "equity"), number(view, "initial_equity")
        if not math.isnan(equity):
            self._fresh.saw("equity", tick.ts)
        if self._pulse.beats(tick.ts):
            self._appraise(equity)
        pnl = clipped(equity - initial, -_MUCH, _MUCH)
        known = not math.isnan(pnl)
        closed, won = number(view, "trades_closed"), number(view, "trades_won")
        if not math.isnan(closed) and not math.isnan(won):
            self._fresh.saw("trades", tick.ts)
        sharpe, error = self._sharpe()
        return {
            "pnl": pnl if known else math.nan,
            "total_return": clipped(pnl / initial, -1e6, 1e6)
            if known and initial > 0.0
            else math.nan,
            "drawdown": _unit(number(view, "drawdown")),
            "sharpe": sharpe,
            "sharpe_error": error,
            "win_rate": clipped(won / closed, 0.0, 1.0) if closed > 0.0 <= won else math.nan,
            "trades": 0.0 if math.isnan(closed) else clipped(closed, 0.0, _MUCH),
            "turnover": self._turnover(tick),
            "attribution": self._attribution(view),
            "confidence": self._fresh.value(tick.ts),
        }

    def _appraise(self, equity: float) -> None:
        if math.isnan(equity):
            return
        if self._equity > 0.0:
            self._returns.add(clipped(equity / self._equity - 1.0, -10.0, 10.0))
        self._equity = equity
        self._mean_equity.add(clipped(equity, -_MUCH, _MUCH))

    def _sharpe(self) -> tuple[float, float]:
        """Annualised ratio and its standard error; NaN while there is too little."""
        count, deviation = self._returns.count, self._returns.deviation()
        if count < _LEAST_PERIODS or deviation <= 0.0:
            return math.nan, math.nan
        ratio = self._returns.mean / deviation
        yearly = math.sqrt(YEAR / self.period_ns)
        error = math.sqrt((1.0 + 0.5 * ratio * ratio) / count)
        return clipped(ratio * yearly, -1e4, 1e4), min(error * yearly, 1e4)

    def _turnover(self, tick: Tick) -> float:
        notional = number(tick.execution, "filled_notional")
        if not math.isnan(notional):
            self._notional += self._totals.growth("filled_notional", notional)
            self._fresh.saw("turnover", tick.ts)
        years = (tick.ts - self._start) / YEAR
        equity = self._mean_equity.mean
        if years <= 0.0 or equity <= 0.0:
            return math.nan
        return clipped(self._notional / equity / years, 0.0, _MUCH)

    def _attribution(self, view: Mapping[str, Any]) -> Any:
        voters = len(self.context.voters)
        scores = vector(view, "score_pnl", voters + 1)
        if scores is None:
            return np.full(voters, np.nan)
        return np.clip(scores[:-1], -_MUCH, _MUCH)


class Welford:
    """Running mean and sample deviation without cancellation (Welford, 1962)."""

    __slots__ = ("_square", "count", "mean")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._square = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        gap = value - self.mean
        self.mean += gap / self.count
        self._square += gap * (value - self.mean)

    def deviation(self) -> float:
        """Divided by n - 1; 0 while there are fewer than two values."""
        return math.sqrt(self._square / (self.count - 1)) if self.count > 1 else 0.0

    def checkpoint(self) -> list[float]:
        return [float(self.count), self.mean, self._square]

    def restore(self, memory: list[float]) -> None:
        self.count = int(memory[0])
        self.mean, self._square = memory[1], memory[2]


def _unit(value: float) -> float:
    return value if math.isnan(value) else clipped(value, 0.0, 1.0)
