"""ExecutionDaemon: how well orders turn into fills, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.parameters import Duration, duration
from mirrorcore.agents.reading import Freshness, Totals, clipped, halved, number
from mirrorcore.clock import DAY, HOUR

_COUNTS = ("orders", "fills", "vetoes", "cancelled")
_MONEY = ("fees_paid", "slippage_paid", "filled_notional")
_MANY = 1e12


class ExecutionDaemon(TickAgent):
    """Statistics of the order life cycle, from the growth of the order plane's totals.

    Ratios are of sums that forget with half-life H, in time: fills, vetoes and cancellations for
    each order; fees and slippage in basis points of the notional filled. NaN before there was an
    order or a fill. It watches and reports; sending, netting and limits are the order plane's.

    Parameters
    ----------
    half_life: H.
    """

    kind: ClassVar[str] = "execution_daemon"
    votes: ClassVar[bool | None] = False
    cadence_ns = 4 * HOUR
    state: ClassVar[Mapping[str, StateField]] = {
        "fill_ratio": StateField("fills for each order, at most 1", "", 0, 1, missing=True),
        "veto_ratio": StateField("vetoes of all orders asked for", "", 0, 1, missing=True),
        "cancel_ratio": StateField("orders cancelled", "", 0, 1, missing=True),
        "slippage_bp": StateField("slippage of notional filled", "bp", -1e4, 1e4, missing=True),
        "fee_bp": StateField("fees of notional filled", "bp", -1e4, 1e4, missing=True),
        "order_rate": StateField("orders sent", "per hour", 0, _MANY),
        "veto_rate": StateField("orders vetoed", "per hour", 0, _MANY),
        "working": StateField("orders still at the venue", "orders", 0, _MANY),
        "open": StateField("1 while the gateway is ACTIVE", "", 0, 1),
        "gateway": StateField("state of the order gateway", shape="text"),
        "confidence": StateField("how fresh the order plane's figures are", "", 0, 1),
    }

    def __init__(self, agent_id: str = "ExecutionDaemon", *, half_life: Duration = "7d") -> None:
        super().__init__(agent_id, ("execution",))
        self.half_life_ns = duration(half_life, "half_life")

    def prepare(self) -> None:
        self._totals = Totals()
        self._sums = dict.fromkeys((*_COUNTS, *_MONEY), 0.0)
        self._fresh = Freshness(DAY, counts=1.0, money=1.0)
        self._hours = 0.0
        self._ts = 0

    def remember(self) -> dict[str, Any]:
        return {
            "totals": self._totals.checkpoint(),
            "sums": dict(self._sums),
            "fresh": self._fresh.checkpoint(),
            "hours": self._hours,
            "ts": self._ts,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._totals.restore(memory["totals"])
        self._sums = dict(memory["sums"])
        self._fresh.restore(memory["fresh"])
        self._hours = memory["hours"]
        self._ts = memory["ts"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        view, sums = tick.execution, self._sums
        elapsed = tick.ts - self._ts if self._ts else 0
        self._ts = tick.ts
        kept = halved(elapsed, self.half_life_ns)
        self._hours = kept * self._hours + elapsed / HOUR
        self._count("counts", _COUNTS, view, kept)
        self._count("money", _MONEY, view, kept)
        orders, vetoes, notional = sums["orders"], sums["vetoes"], sums["filled_notional"]
        working = number(view, "working")
        gateway = str(view.get("gateway", "unknown"))
        return {
            "fill_ratio": _share(sums["fills"], orders),
            "veto_ratio": _share(vetoes, orders + vetoes),
            "cancel_ratio": _share(sums["cancelled"], orders),
            "slippage_bp": _basis_points(sums["slippage_paid"], notional),
            "fee_bp": _basis_points(sums["fees_paid"], notional),
            "order_rate": self._rate(orders),
            "veto_rate": self._rate(vetoes),
            "working": 0.0 if math.isnan(working) else clipped(working, 0.0, _MANY),
            "open": 1.0 if gateway.upper() == "ACTIVE" else 0.0,
            "gateway": gateway,
            "confidence": self._fresh.value(tick.ts),
        }

    def _count(
        self, group: str, names: tuple[str, ...], view: Mapping[str, Any], kept: float
    ) -> None:
        complete = True
        for name in names:
            total = number(view, name)
            complete = complete and not math.isnan(total)
            # Slippage and fees (rebates) may fall; counts and notional only grow.
            signed = name in ("fees_paid", "slippage_paid")
            grown = (self._totals.change if signed else self._totals.growth)(name, total)
            self._sums[name] = kept * self._sums[name] + grown
        if complete:
            self._fresh.saw(group, self._ts)

    def _rate(self, count: float) -> float:
        return min(count / self._hours, _MANY) if self._hours > 0.0 else 0.0


def _share(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0.0 else math.nan


def _basis_points(cost: float, notional: float) -> float:
    return clipped(cost / notional * 1e4, -1e4, 1e4) if notional > 0.0 else math.nan
