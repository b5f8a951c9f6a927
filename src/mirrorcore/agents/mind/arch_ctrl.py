"""ArchCtrl: one gate made of what the swarm feels and fears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.parameters import Duration, duration, within
from mirrorcore.agents.reading import clipped, number
from mirrorcore.clock import HOUR, SECOND, format_duration


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of the gate: whose state, which field."""

    name: str
    agent_id: str
    field: str


class ArchCtrl(TickAgent):
    """The gate between the shadow book and the orders.

        gate = m_ego m_fear m_greed m_herd m_risk, each in [0, 1]

    * A veto sets it to 0 while fear is above ``veto_fear`` and for ``cool_down`` after.
    * Fail-closed: while an input has not reported, is older than ``stale_after``, or its agent is
      down or has left, the gate may not rise; the input's last factor stays in force. An agent that
      is not in the swarm at all has no factor, and ``reasons`` says so.
    * While the order gateway is REDUCING or HALTED it may not rise either, whatever anybody
      publishes. The gateway itself lets no risk through; a gate of 0 beside it would outlast the
      stop until the next look, and sell a book that the operator meant to keep.
    * It can only shrink risk, and ``reasons`` names each factor and each block.

    Parameters
    ----------
    ego, fear, greed, self_awareness, risk: ids of the agents asked.
    veto_fear: fear above which there is no risk at all.
    cool_down: how long a veto lasts after fear has fallen.
    stale_after: age of an input beyond which it is stale; None is three cadences.
    """

    kind: ClassVar[str] = "arch_ctrl"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "gate": StateField("share of the shadow book that may be held", "", 0, 1),
        "m_ego": StateField("factor of the ego", "", 0, 1),
        "m_fear": StateField("factor of fear", "", 0, 1),
        "m_greed": StateField("factor of greed", "", 0, 1),
        "m_herd": StateField("factor of herding", "", 0, 1),
        "m_risk": StateField("factor of the risk budget", "", 0, 1),
        "veto": StateField("1 while fear forbids all risk", "", 0, 1),
        "cool_down": StateField("what is left of the veto", "s", 0, 1e12),
        "reasons": StateField("each factor and each block", shape="text"),
        "confidence": StateField("share of factors and gateway known and fresh", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "ArchCtrl",
        *,
        ego: str = "EgoProcessor",
        fear: str = "FearAnalyzer",
        greed: str = "GreedSensor",
        self_awareness: str = "SelfAwarenessAgent",
        risk: str = "RiskSentinel",
        veto_fear: float = 0.9,
        cool_down: Duration = "12h",
        stale_after: Duration | None = None,
    ) -> None:
        super().__init__(agent_id, ("execution",))
        self.factors = (
            Factor("ego", ego, "m_ego"),
            Factor("fear", fear, "m_fear"),
            Factor("greed", greed, "m_greed"),
            Factor("herd", self_awareness, "m_herd"),
            Factor("risk", risk, "risk_budget"),
        )
        self.agent_interests = tuple(factor.agent_id for factor in self.factors)
        self.veto_fear = within(veto_fear, 0.0, 1.0, "veto_fear")
        self.cool_down_ns = duration(cool_down, "cool_down")
        self._stale_after = None if stale_after is None else duration(stale_after, "stale_after")

    def prepare(self) -> None:
        cadence = max(self.cadence_ns, self.context.bar_ns)
        self.stale_after_ns = self._stale_after or 3 * cadence
        self._values = {factor.name: 1.0 for factor in self.factors}
        self._members = {factor.name: False for factor in self.factors}
        self._gate = 0.0
        self._vetoed_until = 0

    def remember(self) -> dict[str, Any]:
        return {
            "values": dict(self._values),
            "members": dict(self._members),
            "gate": self._gate,
            "vetoed_until": self._vetoed_until,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._values = dict(memory["values"])
        self._members = dict(memory["members"])
        self._gate = memory["gate"]
        self._vetoed_until = memory["vetoed_until"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        blocks: list[str] = []
        fresh, product = 0, 1.0
        for factor in self.factors:
            problem = self._ask(tick, factor)
            product *= self._values[factor.name]
            if problem:
                blocks.append(f"{factor.agent_id} {problem}: the gate may not rise")
            elif self._members[factor.name]:
                fresh += 1
        gateway = str(tick.execution.get("gateway", "unknown")).upper()
        if gateway in ("REDUCING", "HALTED"):
            blocks.append(f"the order gateway is {gateway}: the gate may not rise")
        gate = min(product, self._gate) if blocks else product
        left = self._vetoed_until - tick.ts
        if left > 0:
            gate = 0.0
            blocks.append(f"veto of fear, {_duration(left)} left")
        self._gate = gate
        values = self._values
        return {
            "gate": gate,
            "m_ego": values["ego"],
            "m_fear": values["fear"],
            "m_greed": values["greed"],
            "m_herd": values["herd"],
            "m_risk": values["risk"],
            "veto": 1.0 if left > 0 else 0.0,
            "cool_down": max(left, 0) / SECOND,
            "reasons": self._reasons(blocks),
            "confidence": (fresh + (gateway == "ACTIVE")) / (len(self.factors) + 1),
        }

    def _ask(self, tick: Tick, factor: Factor) -> str:
        """Take the factor's value; what is wrong with it, or an empty text."""
        view = tick.state(factor.agent_id)
        if view is None:
            return "has left the swarm" if self._members[factor.name] else ""
        self._members[factor.name] = True
        if view.version == 0:
            return "has not reported"
        value = number(view.state, factor.field)
        if math.isnan(value):
            return f"publishes no {factor.field}"
        fresh = clipped(value, 0.0, 1.0)
        if factor.name == "fear" and number(view.state, "fear") > self.veto_fear:
            self._vetoed_until = tick.ts + self.cool_down_ns
        if view.stale or view.age > self.stale_after_ns:
            return "is down" if view.stale else f"is {_duration(view.age)} old"
        self._values[factor.name] = fresh
        return ""

    def _reasons(self, blocks: list[str]) -> str:
        parts = [
            f"{factor.name} ×{self._values[factor.name]:.2f}"
            if self._members[factor.name]
            else f"no {factor.agent_id}"
            for factor in self.factors
        ]
        return "; ".join([", ".join(parts), *blocks])


def _duration(ns: int) -> str:
    return format_duration(ns // SECOND * SECOND)
