"""DecisionMirror: what became of each decision, and what another would have brought."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.mind.decisions import Book, Closed
from mirrorcore.agents.parameters import Duration, duration
from mirrorcore.agents.reading import Freshness, Pulse, clipped, halved, number, vector
from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.block import Floats

_LARGEST_WEIGHT = 10.0
_MANY = 1e15
_ENOUGH = 30.0
"""Decisions, after forgetting, that a lesson needs behind it."""


class DecisionMirror(TickAgent):
    """Opens a record for each change of a target, closes it once, and learns from the difference.

    A decision is a change Δ of a symbol's target before any gate, between two looks. It is opened
    with the price, the gate g and the oracle's edge of that moment, and closed once, at the first
    look ``horizon`` later that knows a price; one whose symbol stays silent for another horizon is
    closed as unresolved. With r the simple return in between and c the cost of a side:

        full = Δ r - c |Δ|     what the whole decision earned
        taken = g full         what the gate's share of it earned
        regret = max(full, 0) - taken

    the best of acting in full and not acting, in hindsight, less what was done (external regret:
    Savage, 1951; Cesa-Bianchi and Lugosi, 2006). It lies between 0 and |full|. As a rate it is
    Σ regret / Σ |full|, and of it ``caution`` is the part that comes from gated winners, ``action``
    from losers that were held. All sums forget with ``half_life``.

    * consistency: share of Σ|Δ| in the direction of the oracle's edge at that moment.
    * flip_rate: share of decisions that turn a position to its other side.
    * lessons: what the sums support beyond two standard errors, in words; nothing below that.

    Parameters
    ----------
    horizon: after which a decision is judged.
    period: how often targets are looked at.
    half_life: of all sums.
    allocator, oracle, gate: whose states are read.
    """

    kind: ClassVar[str] = "decision_mirror"
    votes: ClassVar[bool | None] = False
    cadence_ns = 4 * HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "consistency": StateField("change of targets that follows the edges", "", 0, 1),
        "flip_rate": StateField("decisions that turn a position over", "", 0, 1),
        "regret": StateField("regret over what was at stake", "", 0, 1),
        "caution": StateField("part of it from winners the gate cut", "", 0, 1),
        "action": StateField("part of it from losers that were held", "", 0, 1),
        "opened": StateField("decisions so far", "decisions", 0, _MANY),
        "closed": StateField("of them judged", "decisions", 0, _MANY),
        "unresolved": StateField("closed without a price", "decisions", 0, _MANY),
        "open": StateField("not yet judged", "decisions", 0, _MANY),
        "lessons": StateField("what the record supports", shape="text"),
        "confidence": StateField("share of the inputs that is fresh", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "DecisionMirror",
        *,
        horizon: Duration = "4h",
        period: Duration = "1h",
        half_life: Duration = "30d",
        allocator: str = "Allocator",
        oracle: str = "OracleEngine",
        gate: str = "ArchCtrl",
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.agent_interests = (allocator, oracle, gate)
        self.allocator, self.oracle, self.gate = allocator, oracle, gate
        self.horizon_after_ns = duration(horizon, "horizon")
        self.period_ns = duration(period, "period")
        self.half_life_ns = duration(half_life, "half_life")

    def prepare(self) -> None:
        self._pulse = Pulse(self.period_ns)
        self._fresh = Freshness(DAY, targets=2.0, prices=1.0, gate=1.0)
        self._book = Book(self.horizon_after_ns, self.context.cost_per_side)
        self._targets: Floats = np.full(len(self.context.symbols), np.nan)
        self._sums = dict.fromkeys(
            ("count", "flips", "moved", "agreed", "stake", "caution", "action", "full", "square",
             "judged"), 0.0,
        )  # fmt: skip
        self._ts = 0

    def remember(self) -> dict[str, Any]:
        return {
            "pulse": self._pulse.checkpoint(),
            "fresh": self._fresh.checkpoint(),
            "book": self._book.checkpoint(),
            "targets": self._targets.copy(),
            "sums": dict(self._sums),
            "ts": self._ts,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._pulse.restore(memory["pulse"])
        self._fresh.restore(memory["fresh"])
        self._book.restore(memory["book"])
        self._targets = memory["targets"].copy()
        self._sums = dict(memory["sums"])
        self._ts = memory["ts"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        price = tick.value("technical", "close")
        if self._pulse.beats(tick.ts):
            self._look(tick, np.where((price > 1e-100) & (price < 1e100), price, np.nan))
        sums = self._sums
        return {
            "consistency": _share(sums["agreed"], sums["moved"]),
            "flip_rate": _share(sums["flips"], sums["count"]),
            "regret": _share(sums["caution"] + sums["action"], sums["stake"]),
            "caution": _share(sums["caution"], sums["stake"]),
            "action": _share(sums["action"], sums["stake"]),
            "opened": float(self._book.opened),
            "closed": float(self._book.closed),
            "unresolved": float(self._book.unresolved),
            "open": float(self._book.open),
            "lessons": self._lessons(),
            "confidence": self._fresh.value(tick.ts),
        }

    def _look(self, tick: Tick, price: Floats) -> None:
        elapsed = tick.ts - self._ts if self._ts else 0
        self._ts = tick.ts
        kept = halved(elapsed, self.half_life_ns)
        self._sums = {name: kept * total for name, total in self._sums.items()}
        if np.isfinite(price).any():
            self._fresh.saw("prices", tick.ts)
        for closed in self._book.close(tick.ts, price):
            self._judge(closed)
        self._record(tick, price)

    def _record(self, tick: Tick, price: Floats) -> None:
        """Open a record for each target that has changed since the last look."""
        targets = self._vector(tick, self.allocator, "target")
        if targets is None:
            return
        self._fresh.saw("targets", tick.ts)
        targets = np.clip(targets, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
        before, self._targets = self._targets, targets.copy()
        change = np.where(np.isfinite(before), targets - before, 0.0)
        # Where there is no price there is nothing to hold a decision against.
        change = np.where(np.isfinite(price), change, 0.0)
        gate = self._share_held(tick)
        if not change.any():
            return
        self._book.record(tick.ts, change, price, gate)
        size = np.abs(change)
        edge = self._vector(tick, self.oracle, "edge")
        if edge is not None:
            self._sums["moved"] += float(np.sum(size))
            self._sums["agreed"] += float(np.sum(np.where(edge * change > 0, size, 0.0)))
        changed = change != 0.0
        self._sums["count"] += float(np.count_nonzero(changed))
        self._sums["flips"] += float(np.count_nonzero(changed & (targets * before < 0)))

    def _share_held(self, tick: Tick) -> float:
        """The gate in force; 1 in a swarm without one, 0 while it has not spoken."""
        view = tick.state(self.gate)
        if view is None:
            self._fresh.saw("gate", tick.ts)
            return 1.0
        share = number(view.state, "gate")
        if view.stale or math.isnan(share):
            return 0.0
        self._fresh.saw("gate", tick.ts)
        return clipped(share, 0.0, 1.0)

    def _vector(self, tick: Tick, agent_id: str, field: str) -> Floats | None:
        view = tick.state(agent_id)
        if view is None or view.stale:
            return None
        return vector(view.state, field, len(self.context.symbols))

    def _judge(self, closed: Closed) -> None:
        sums = self._sums
        won = np.maximum(closed.full, 0.0)
        lost = np.maximum(-closed.full, 0.0)
        sums["stake"] += float(np.sum(np.abs(closed.full)))
        sums["caution"] += float(np.sum(won)) * (1.0 - closed.gate)
        sums["action"] += float(np.sum(lost)) * closed.gate
        # Decisions of one look move together: they are one observation.
        total = float(np.sum(closed.full))
        sums["full"] += total
        sums["square"] += total * total
        sums["judged"] += 1.0

    def _lessons(self) -> str:
        sums = self._sums
        if sums["judged"] < _ENOUGH or sums["square"] <= 0.0:
            return ""
        t = sums["full"] / math.sqrt(sums["square"])
        said = []
        if abs(t) > 2.0:
            verb = "earned" if t > 0 else "lost"
            said.append(f"decisions {verb} more than chance explains ({t:+.1f} standard errors)")
        if sums["caution"] > 2.0 * sums["action"]:
            said.append("the gate cost more on winners than losers got through")
        flips = _share(sums["flips"], sums["count"])
        if flips > 0.25:
            said.append(f"positions turn over in {flips:.0%} of decisions")
        return "; ".join(said)


def _share(part: float, whole: float) -> float:
    return clipped(part / whole, 0.0, 1.0) if whole > 1e-300 else 0.0
