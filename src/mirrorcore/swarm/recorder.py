"""Writes down what a run did: digests, the results table, the journal. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats, Ints
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.contributions import Contributions
from mirrorcore.swarm.daily import Daily, since
from mirrorcore.swarm.digests import Digest, row_bytes
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.trading.hits import LimitHit
from mirrorcore.trading.orders import Fill, Order

_Column = TypeVar("_Column", Ints, Floats)

COLUMNS = ("equity", "shadow_equity", "benchmark", "gross", "net", "gate", "fear", "confidence")


_PARTS = 256
"""Arrays of a column before they become one: a tick of its own takes 8 bytes then, not 100."""


@dataclass(slots=True)
class Columns:
    """The results table as it grows: an array a block, many small ones joined."""

    ts: list[Ints] = field(default_factory=list)
    values: dict[str, list[Floats]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    weight_ts: list[int] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)

    def add(self, ts: Ints, rows: Mapping[str, Floats]) -> None:
        """The rows of one block: ``ts`` (T,) and each column (T,)."""
        _append(self.ts, ts)
        for name, values in rows.items():
            _append(self.values[name], values)

    def joined(self, name: str) -> Floats:
        parts = self.values[name]
        return np.concatenate(parts) if parts else np.empty(0)

    def instants(self) -> Ints:
        return np.concatenate(self.ts) if self.ts else np.empty(0, dtype=np.int64)


def _append(parts: list[_Column], values: _Column) -> None:
    parts.append(values)
    if len(parts) >= _PARTS:
        parts[:] = [np.concatenate(parts)]


@dataclass(slots=True)
class Drained:
    """What left the order path since the last block."""

    orders: Sequence[Order]
    fills: Sequence[Fill]
    hits: Sequence[LimitHit]


class Recorder:
    """Observes an engine and keeps everything a report and a fingerprint need."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._path = swarm.parts.path
        self._scale = float(10**self._path.ledger.units.places)
        self._digests = swarm.digests
        self.columns = Columns()
        self.hits: list[LimitHit] = []
        self.order_count = self.fill_count = 0
        self.ticks = self.symbol_bars = 0
        self.worst_residual = 0
        self.final_voter_pnl: Floats = np.zeros((2, 0))
        self._base_scores: Floats = np.zeros((0, 0))
        self._base_pnl: Floats = np.zeros((2, 0))
        self._shadow_base = 1.0
        self.last_prices: list[int] = [0] * len(swarm.context.symbols)
        self.last_weights: Floats = np.zeros(0)
        self._weight_sum: Floats = np.zeros(0)
        self._weight_rows = 0
        self._first_prices = np.zeros(len(swarm.context.symbols))
        self._held: tuple[int, ...] = (0,) * len(swarm.context.symbols)
        self._last_day = -1
        self.contributions = Contributions(len(swarm.context.symbols))
        self.daily = Daily()
        self.block_digest = ""
        self.latest: tuple[BlockRecord, Drained] | None = None
        """The last block and what left the order path in it, for whoever shows the run."""

    def begin(self, learned: tuple[Floats, Floats] | None) -> None:
        """The run begins here: what the warm-up did is not its doing."""
        self._shadow_base = self._swarm.parts.analysis.shadow_equity
        if learned is not None:
            self._base_scores, self._base_pnl = learned
        self.daily.begin(self._base_scores, self._base_pnl)

    def block(self, record: BlockRecord) -> Drained:
        """Take note of a finished block; returns what the order path produced in it."""
        block, made = record.block, record.stage.conclusions
        shares = np.array(record.shares)
        for agent_id, outputs in record.stage.outputs.items():
            self._digests.block(agent_id, block.ts, outputs)
        wanted = made.targets * shares[:, None]
        table = np.concatenate(
            [block.ts.view(np.float64)[:, None], shares[:, None], wanted], axis=1
        )
        self._digests.decisions.add_rows(block.ts, table)
        single = Digest()
        single.add_rows(block.ts, table)
        self.block_digest = single.hexdigest()
        drained = self._drain()
        self._tabulate(record, shares)
        self._follow_weights(record)
        self._swarm.alarms.follow(block.ts, made.weights)
        self.daily.block(block.ts, made.scores, made.voter_pnl)
        if made.scores:
            self.final_voter_pnl = since(made.voter_pnl[-1], self._base_pnl)
        self.ticks += len(block)
        self.symbol_bars += int(np.count_nonzero(block.present))
        self.last_prices = record.prices[-1]
        self.worst_residual = max(self.worst_residual, record.worst_residual)
        self.latest = record, drained
        return drained

    def _drain(self, *, final: bool = False) -> Drained:
        orders, fills, hits = self._path.drain(final=final)
        for order in orders:
            self._digests.orders.add(order.updated, row_bytes(order.row()))
        for fill in fills:
            self._digests.fills.add(fill.ts_avail, row_bytes(fill.row()))
        self.order_count += len(orders)
        self.fill_count += len(fills)
        self.hits.extend(hits)
        self._swarm.parts.views.finished([order.status for order in orders])
        return Drained(orders, fills, hits)

    def finish(self) -> Drained:
        """The run is over: what has not left the order path yet."""
        drained = self._drain(final=True)
        if self.latest is not None:
            self.latest = self.latest[0], drained
        return drained

    def _tabulate(self, record: BlockRecord, shares: Floats) -> None:
        made = record.stage.conclusions
        prices = np.array(record.prices, dtype=np.float64)
        equity = np.array([amount / self._scale for amount in record.equity])
        initial = self._path.ledger.initial / self._scale
        rates = self._path.ledger.rates
        # Prices in the account's currency; where there is one alone, the prices.
        counted = prices if rates is None else prices * rates.matrix(prices)
        exposure = self._exposure(record, counted)
        against = np.maximum(equity, initial * 1e-9)[:, None]
        moods = np.array(record.moods)
        self.contributions.update(made.pulls, equity * shares, prices)
        self.columns.add(
            record.block.ts,
            {
                "equity": equity,
                "shadow_equity": made.shadow_equity / self._shadow_base * initial,
                "benchmark": self._benchmark(counted) * initial,
                "gross": np.abs(exposure / against).sum(axis=1),
                "net": (exposure / against).sum(axis=1),
                "gate": shares,
                "fear": moods[:, 0],
                "confidence": moods[:, 1],
            },
        )

    def _exposure(self, record: BlockRecord, prices: Floats) -> Floats:
        """(T, S) notional of each position at the mark, in the account's currency."""
        lots = np.empty_like(prices)
        row = 0
        for changed, held in record.held:
            lots[row:changed] = self._held
            row, self._held = changed, held
        lots[row:] = self._held
        value = np.array(self._path.ledger.units.value, dtype=np.float64) / self._scale
        exposure: Floats = lots * value * prices
        return exposure

    def _benchmark(self, prices: Floats) -> Floats:
        """(T,) worth of equal parts of all symbols, each bought at its first price."""
        for symbol in np.flatnonzero(self._first_prices == 0):
            known = prices[prices[:, symbol] > 0, symbol]
            if known.size:
                self._first_prices[symbol] = known[0]
        started = (self._first_prices > 0) & (prices > 0)
        grown = np.divide(prices, self._first_prices, out=np.ones_like(prices), where=started)
        worth: Floats = np.add.reduce(grown, axis=1) / prices.shape[1]
        return worth

    def _follow_weights(self, record: BlockRecord) -> None:
        """The oracle's weights at the begin of each day, and their mean over the run."""
        rows = record.stage.conclusions.weights
        days = record.block.ts // DAY
        for row in np.flatnonzero(np.diff(days, prepend=self._last_day)):
            self.columns.weight_ts.append(int(record.block.ts[row]))
            self.columns.weights.append(rows[row])
        self._last_day = int(days[-1])
        self.last_weights = rows[-1]
        total = np.zeros(len(rows[-1]))
        for weights in rows if len(rows[0]) != len(rows[-1]) else [np.add.reduce(rows, axis=0)]:
            total[: len(weights)] += weights
        self._weight_sum = np.pad(self._weight_sum, (0, len(total) - len(self._weight_sum))) + total
        self._weight_rows += len(rows)

    def mean_weights(self) -> Floats:
        return self._weight_sum / max(self._weight_rows, 1)
