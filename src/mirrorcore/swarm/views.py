"""The read-only views of the order plane that agents may be interested in.

``performance``: how the book, the ungated book and every forecast have done. ``execution``: what
became of orders. Both are sources on the bus, owned by the assembly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.agents.base import Context
from mirrorcore.swarm.analysis import Conclusions, Stage
from mirrorcore.swarm.scoreboard import FIELDS
from mirrorcore.syncbus import SourceHandle
from mirrorcore.trading.orders import Fill, OrderStatus
from mirrorcore.trading.path import OrderPath

_NOTHING: Mapping[str, Any] = {}
_LAST = ("shadow_equity", "shadow_drawdown", "shadow_volatility", "scores", "voter_pnl")
"""What is told of the tick before to whoever speaks before the votes are counted."""


class Views:
    """Builds and publishes the two views when somebody who asked for them is called."""

    def __init__(
        self,
        context: Context,
        path: OrderPath,
        performance: SourceHandle,
        execution: SourceHandle,
        interested: Mapping[str, Sequence[str]],
    ) -> None:
        self.context = context
        self._path = path
        self._performance = performance
        self._execution = execution
        self._interested = {name: frozenset(agents) for name, agents in interested.items()}
        self._scale = float(10**path.ledger.units.places)
        self._stage: Stage | None = None
        self._before: Conclusions | None = None
        self._prices: list[list[int]] = []
        self._fills = 0
        self._counts = dict.fromkeys(OrderStatus, 0)

    def begin(self, stage: Stage, prices: list[list[int]]) -> None:
        """A new block: its conclusions and its marks."""
        if self._stage is not None and self._stage.conclusions.scores:
            self._before = self._stage.conclusions
        self._stage = stage
        self._prices = prices

    def filled(self, fills: Sequence[Fill]) -> None:
        self._fills += len(fills)

    def finished(self, statuses: Sequence[OrderStatus]) -> None:
        """Orders that came to their end, as the recorder drained them."""
        for status in statuses:
            self._counts[status] += 1

    def wanted(self, view: str, due: Sequence[str]) -> bool:
        """Whether any of the agents in ``due`` asked for a view."""
        return not self._interested[view].isdisjoint(due)

    def publish(
        self, row: int, equity: int, peak: int, due: Sequence[str]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """(performance, execution) for the agents in ``due``; empty where none of them asked."""
        performance = execution = _NOTHING
        if self.wanted("performance", due):
            performance = self._build_performance(row, equity, peak)
            self._performance.publish(performance)
        if self.wanted("execution", due):
            execution = self._build_execution()
            self._execution.publish(execution)
        return performance, execution

    def _build_performance(self, row: int, equity: int, peak: int) -> dict[str, Any]:
        assert self._stage is not None
        made = self._stage.conclusions
        ledger = self._path.ledger
        weights = np.array(ledger.weights(self._prices[row]))
        view: dict[str, Any] = {
            "equity": equity / self._scale,
            "initial_equity": ledger.initial / self._scale,
            "drawdown": 1.0 - equity / peak,
            "gross": float(np.abs(weights).sum()),
            "net": float(weights.sum()),
            "weights": weights,
            "trades_closed": ledger.trade_count,
            "trades_won": self._path.ledger.trades_won,
            "turnover": ledger.turnover / self._scale,
        }
        # Whoever speaks before the votes are counted sees the conclusions of the tick before.
        known = min(row, len(made.scores) - 1)
        if known < 0 and self._before is not None:
            made, known = self._before, len(self._before.scores) - 1
        if known >= 0:
            view["shadow_equity"] = float(made.shadow_equity[known])
            view["shadow_drawdown"] = float(made.shadow_drawdown[known])
            view["shadow_volatility"] = float(made.shadow_volatility[known])
            # Voters first, the fused forecast last.
            sums = np.roll(made.scores[known], -1, axis=1)
            for field, values in zip(FIELDS, sums, strict=True):
                view[f"score_{field}"] = values
            view["score_pnl"] = made.voter_pnl[known][0]
        return view

    def _build_execution(self) -> dict[str, Any]:
        path, ledger = self._path, self._path.ledger
        pending = path.orders
        counts = dict(self._counts)
        for order in pending:
            counts[order.status] += 1
        finished = sum(counts.values())
        return {
            "gateway": path.gateway.state.value,
            "orders": finished - counts[OrderStatus.VETOED] + len(path.venue.working),
            "fills": self._fills,
            "filled": counts[OrderStatus.FILLED],
            "cancelled": counts[OrderStatus.CANCELLED],
            "vetoes": counts[OrderStatus.VETOED],
            "working": len(path.venue.working),
            "fees_paid": ledger.fees / self._scale,
            "slippage_paid": ledger.slippage / self._scale,
            "filled_notional": ledger.turnover / self._scale,
        }

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`, between two blocks."""
        stage = self._stage
        before = stage.conclusions if stage and stage.conclusions.scores else self._before
        return {
            "fills": self._fills,
            "counts": {str(status): count for status, count in self._counts.items()},
            "before": None if before is None else [getattr(before, name)[-1:] for name in _LAST],
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._fills = memory["fills"]
        self._counts = {OrderStatus(name): count for name, count in memory["counts"].items()}
        if memory["before"] is not None:
            self._before = Conclusions.blank(1, len(self.context.symbols))
            for name, rows in zip(_LAST, memory["before"], strict=True):
                setattr(self._before, name, rows)
