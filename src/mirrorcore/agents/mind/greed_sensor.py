"""GreedSensor: whether the swarm grows bold on its wins, or runs after what has already moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.parameters import Duration, duration, positive, within
from mirrorcore.agents.reading import (
    Freshness,
    Pulse,
    clipped,
    finite,
    halved,
    mean,
    number,
    vector,
)
from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.block import Floats

_LARGEST = 10.0
_MOVE = "momentum_288"
_MOVE_BARS = 288.0
_EXTENDED = 1.0
"""Standard deviations from which on a move over a day is extended."""


class GreedSensor(TickAgent):
    """Greed in what the swarm wants to hold: three habits, each a sum that forgets.

    Once a period the targets before any gate, w, are held against those of the look before. With
    u_j = max(0, |w_j| - |w_j before|) the growth of each position, over the usual gross:

    * creep, leverage after wins: C' = max(0, d C + Σu tanh(ω)), ω what the shadow book has earned
      lately in units of its own deviation. Success read as ability invites size (Gervais and Odean,
      2001; the house-money effect: Thaler and Johnson, 1990).
    * chase, entries after extended moves: K' = max(0, d K + Σ u_j sign(w_j m_j) e_j), m_j the day's
      move in deviations, e_j = min(1, max(0, |m_j| - 1)) (attention and extrapolation: Barber and
      Odean, 2008; Greenwood and Shleifer, 2014).
    * fomo, buying with a greedy crowd: O' = max(0, d O + (growth of longs - of shorts) c),
      c = (index - 50) / 50 of the fear-and-greed index, where above 0.

        greed = 1 - exp(-Σ max(0, habit - tolerance))          m_greed = 1 - ½ greed

    Each habit has its opposite: growth after losses, or against the move, takes off it again, so
    sizes that have nothing to do with either stay about 0 and the tolerance takes up the rest. What
    does not grow adds nothing: for a policy of fixed size greed is exactly 0, whatever it wins.
    Read off the ungated targets, so that a gate that opens again is no sign of greed.

    Parameters
    ----------
    half_life: of the three sums, and of what was won lately.
    period: how often the targets are looked at.
    tolerance: habit that is no greed yet, in usual books.
    size_memory: half-life of the usual gross.
    allocator: whose targets are read.
    """

    kind: ClassVar[str] = "greed_sensor"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "greed": StateField("how greedy the swarm is", "", 0, 1),
        "m_greed": StateField("gate factor", "", 0.5, 1),
        "creep_score": StateField("size added after wins", "usual books", 0, _LARGEST),
        "chase_score": StateField("entries after extended moves", "usual books", 0, _LARGEST),
        "fomo_score": StateField("buying with a greedy crowd", "usual books", 0, _LARGEST),
        "confidence": StateField("share of the inputs that is fresh", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "GreedSensor",
        *,
        half_life: Duration = "24h",
        period: Duration = "1h",
        tolerance: float = 1.0,
        size_memory: Duration = "30d",
        allocator: str = "Allocator",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk", "sentiment", "performance"))
        self.agent_interests = (allocator,)
        self.allocator = allocator
        self.half_life_ns = duration(half_life, "half_life")
        self.period_ns = duration(period, "period")
        self.tolerance = within(tolerance, 0.0, _LARGEST, "tolerance")
        self.size_memory_ns = duration(size_memory, "size_memory")
        positive(self.half_life_ns / self.period_ns, "half_life over period")

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._pulse = Pulse(self.period_ns)
        self._fresh = Freshness(DAY, targets=2.0, result=1.0, moves=1.0, crowd=0.5)
        self._before: Floats = np.full(symbols, np.nan)
        self._size = Decayed(self.size_memory_ns)
        self._won = Wins(self.half_life_ns)
        self._habits = dict.fromkeys(("creep", "chase", "fomo"), 0.0)
        self._ts = 0

    def remember(self) -> dict[str, Any]:
        return {
            "pulse": self._pulse.checkpoint(),
            "fresh": self._fresh.checkpoint(),
            "before": self._before.copy(),
            "size": self._size.checkpoint(),
            "won": self._won.checkpoint(),
            "habits": dict(self._habits),
            "ts": self._ts,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._pulse.restore(memory["pulse"])
        self._fresh.restore(memory["fresh"])
        self._before = memory["before"].copy()
        self._size.restore(memory["size"])
        self._won.restore(memory["won"])
        self._habits = dict(memory["habits"])
        self._ts = memory["ts"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        moves = self._moves(tick)
        crowd = mean(finite(tick.value("sentiment", "fear_greed")))
        if self._pulse.beats(tick.ts):
            self._look(tick, moves, crowd)
        if moves.any():
            self._fresh.saw("moves", tick.ts)
        if not math.isnan(crowd):
            self._fresh.saw("crowd", tick.ts)
        excess = sum(max(0.0, habit - self.tolerance) for habit in self._habits.values())
        greed = -math.expm1(-excess)
        return {
            "greed": greed,
            "m_greed": 1.0 - 0.5 * greed,
            "creep_score": self._habits["creep"],
            "chase_score": self._habits["chase"],
            "fomo_score": self._habits["fomo"],
            "confidence": self._fresh.value(tick.ts),
        }

    def _moves(self, tick: Tick) -> Floats:
        """(S,) the day's move in deviations, 0 where unknown."""
        move = tick.value("technical", _MOVE)
        volatility = tick.value("risk", "vol_slow")
        known = np.isfinite(move) & (volatility > 1e-12) & (volatility < 10.0)
        spread = np.where(known, volatility, 1.0) * math.sqrt(_MOVE_BARS)
        scaled = np.where(known, np.clip(move, -_LARGEST, _LARGEST), 0.0) / spread
        return np.clip(scaled, -_LARGEST, _LARGEST)

    def _look(self, tick: Tick, moves: Floats, crowd: float) -> None:
        """Hold the targets against those of the look before."""
        elapsed = tick.ts - self._ts if self._ts else 0
        self._ts = tick.ts
        kept = halved(elapsed, self.half_life_ns)
        equity = number(tick.performance, "shadow_equity")
        if equity > 0.0:
            self._fresh.saw("result", tick.ts)
        boldness = self._won.after(equity, elapsed)
        view = tick.state(self.allocator)
        targets = None
        if view is not None and not view.stale:
            targets = vector(view.state, "target", len(self.context.symbols))
        signs = dict.fromkeys(self._habits, 0.0)
        if targets is not None:
            targets = np.clip(targets, -_LARGEST, _LARGEST)
            self._fresh.saw("targets", tick.ts - view.age if view is not None else tick.ts)
            signs = self._signs(targets, moves, crowd, boldness, elapsed)
            self._before = targets.copy()
        self._habits = {
            name: clipped(kept * habit + signs[name], 0.0, _LARGEST)
            for name, habit in self._habits.items()
        }

    def _signs(
        self, targets: Floats, moves: Floats, crowd: float, boldness: float, elapsed: int
    ) -> dict[str, float]:
        """What the change of targets adds to each habit."""
        gross = float(np.sum(np.abs(targets)))
        usual = self._size.mean(gross, elapsed)
        if usual <= 0.0 or not np.isfinite(self._before).all():
            return dict.fromkeys(self._habits, 0.0)
        grown = np.maximum(np.abs(targets) - np.abs(self._before), 0.0) / usual
        extended = np.clip(np.abs(moves) - _EXTENDED, 0.0, 1.0)
        greedy = 0.0 if math.isnan(crowd) else clipped((crowd - 50.0) / 50.0, 0.0, 1.0)
        side = np.sign(targets)
        return {
            "creep": float(np.sum(grown)) * math.tanh(boldness),
            "chase": float(np.sum(grown * extended * side * np.sign(moves))),
            "fomo": float(np.sum(grown * side)) * greedy,
        }


class Decayed:
    """A mean that forgets with a half-life."""

    __slots__ = ("_total", "_weight", "half_life_ns")

    def __init__(self, half_life_ns: int) -> None:
        self.half_life_ns = half_life_ns
        self._total = self._weight = 0.0

    def mean(self, value: float, elapsed_ns: int) -> float:
        """The mean with ``value`` in it, which came ``elapsed_ns`` after the last."""
        kept = halved(elapsed_ns, self.half_life_ns)
        self._total = kept * self._total + value
        self._weight = kept * self._weight + 1.0
        return self._total / self._weight

    def checkpoint(self) -> list[float]:
        return [self._total, self._weight]

    def restore(self, memory: list[float]) -> None:
        self._total, self._weight = memory


class Wins:
    """What a book has earned lately, in units of how much that usually varies.

    ω = W / sqrt(V), W a sum of log returns that forgets with the half-life, V the same sum of their
    squares: about N(0, 1) for a book that earns nothing on average.
    """

    __slots__ = ("_equity", "_squares", "_sum", "half_life_ns")

    def __init__(self, half_life_ns: int) -> None:
        self.half_life_ns = half_life_ns
        self._sum = self._squares = 0.0
        self._equity = math.nan

    def after(self, equity: float, elapsed_ns: int) -> float:
        """ω after a look at the equity; what is unknown or not positive changes nothing."""
        kept = halved(elapsed_ns, self.half_life_ns)
        self._sum *= kept
        self._squares *= kept * kept
        if equity > 0.0:
            if self._equity > 0.0:
                change = clipped(math.log(equity / self._equity), -_LARGEST, _LARGEST)
                self._sum += change
                self._squares += change * change
            self._equity = equity
        return self._sum / math.sqrt(self._squares) if self._squares > 1e-24 else 0.0

    def checkpoint(self) -> list[float]:
        return [self._sum, self._squares, self._equity]

    def restore(self, memory: list[float]) -> None:
        self._sum, self._squares, self._equity = memory
