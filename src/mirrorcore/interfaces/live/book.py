"""Positions, orders, fills and closed trades of a run, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirrorcore.interfaces.live.figures import Scales, instant, ms, rounded
from mirrorcore.interfaces.live.picture import LOGS, Log, Row
from mirrorcore.swarm.recorder import Drained
from mirrorcore.trading.orders import Fill, Order
from mirrorcore.trading.path import OrderPath
from mirrorcore.trading.trades import Trade

ORDERS = 200
"""Finished orders that are shown; working ones are all."""


class Book:
    """Follows the order path of a run."""

    def __init__(self, path: OrderPath, symbols: Sequence[str], scales: Scales) -> None:
        self._path = path
        self._symbols = tuple(symbols)
        self._scales = scales
        self._finished: dict[str, Row] = {}
        self._working: dict[str, tuple[tuple[Any, ...], Row]] = {}
        self._orders: dict[str, Row] = {}
        self._fills = Log()
        self._trades = Log()
        self._part: dict[str, int] = {}
        self._closed = len(path.ledger.trades)

    def note(self, drained: Drained) -> None:
        """What left the order path in a tick."""
        new = [self._fill(fill) for fill in drained.fills]
        self._fills = grown(self._fills, new, LOGS["fills"])
        for order in drained.orders:
            self._finished[f"O{order.sequence}"] = self._order(order)
            self._part.pop(order.client_id, None)
        while len(self._finished) > ORDERS:
            del self._finished[next(iter(self._finished))]
        trades = self._path.ledger.trades
        if len(trades) > self._closed:
            new = [self._trade(trade) for trade in trades[self._closed :]]
            self._trades = grown(self._trades, new, LOGS["tr"])
            self._closed = len(trades)

    def orders(self) -> dict[str, Row]:
        """Working orders and the last finished ones, by id."""
        working: dict[str, tuple[tuple[Any, ...], Row]] = {}
        for order in self._path.venue.working:
            name, mark = f"O{order.sequence}", (order.status, order.filled, order.updated)
            known = self._working.get(name)
            working[name] = known if known and known[0] == mark else (mark, self._order(order))
        self._working = working
        orders = {**self._finished, **{name: row for name, (_, row) in working.items()}}
        if orders != self._orders:
            self._orders = orders
        return self._orders

    def logs(self) -> dict[str, Log]:
        """Fills and closed trades."""
        return {"fills": self._fills, "tr": self._trades}

    def positions(
        self, prices: Sequence[int], targets: Sequence[float], wanted: Sequence[float]
    ) -> dict[str, Row]:
        """A row for each symbol, at marks in ticks."""
        ledger, scales = self._path.ledger, self._scales
        weights = ledger.weights(prices)
        opened = {trade.symbol: trade for trade in ledger.open_trades(prices)}
        rows: dict[str, Row] = {}
        for s, name in enumerate(self._symbols):
            lots, trade = ledger.positions[s], opened.get(s)
            value = lots * prices[s] * ledger.units.value[s]
            rows[name] = {
                "qty": scales.amount(s, lots),
                "mark": scales.price(s, prices[s]),
                "value": scales.money(value),
                "weight": rounded(weights[s], 4),
                "target": rounded(targets[s], 4),
                "wanted": rounded(wanted[s], 4),
                "avg": self._average(s, lots, value, trade),
                "upnl": scales.money(trade.gross - trade.realised) if trade else 0.0,
                "since": instant(trade.opened) if trade else None,
                "trade": f"T{trade.number}" if trade else None,
            }
        return rows

    def _average(self, symbol: int, lots: int, value: int, trade: Trade | None) -> float | None:
        """What the open lots cost on average: their worth less what they gained."""
        if trade is None:
            return None
        return self._scales.average(symbol, value - (trade.gross - trade.realised), lots)

    def _order(self, order: Order) -> Row:
        scales, symbol = self._scales, order.symbol
        return {
            "id": f"O{order.sequence}",
            "client": order.client_id,
            "t": ms(order.ts),
            "upd": ms(order.updated or order.ts),
            "sym": self._symbols[symbol],
            "side": 1 if order.lots > 0 else -1,
            "qty": scales.amount(symbol, abs(order.lots)),
            "filled": scales.amount(symbol, abs(order.filled)),
            "status": str(order.status),
            "reason": order.reason,
            "outcome": order.outcome,
            "mark": scales.price(symbol, order.mark),
            "reduce": order.reduce_only,
        }

    def _fill(self, fill: Fill) -> Row:
        part = self._part[fill.client_id] = self._part.get(fill.client_id, 0) + 1
        scales, symbol = self._scales, fill.symbol
        return {
            "id": f"O{fill.sequence}/{part}",
            "ord": f"O{fill.sequence}",
            "t": ms(fill.ts),
            "sym": self._symbols[symbol],
            "side": 1 if fill.lots > 0 else -1,
            "qty": scales.amount(symbol, abs(fill.lots)),
            "px": scales.price(symbol, fill.price_ticks),
            "fee": scales.money(fill.fee),
            "slip": scales.money(fill.slippage),
        }

    def _trade(self, trade: Trade) -> Row:
        scales, symbol = self._scales, trade.symbol
        stake = abs(trade.entry_value)
        return {
            "id": f"T{trade.number}",
            "sym": self._symbols[symbol],
            "side": trade.side,
            "opened": ms(trade.opened),
            "closed": ms(trade.closed),
            "qty": scales.amount(symbol, trade.peak_lots),
            "entry": scales.average(symbol, trade.entry_value, trade.entry_lots),
            "exit": scales.average(symbol, trade.exit_value, trade.exit_lots),
            "net": scales.money(trade.net),
            "ret": rounded(trade.net / stake if stake else 0.0, 5),
            "fees": scales.money(trade.entry_fees + trade.exit_fees),
            "slip": scales.money(trade.slippage),
            "fills": trade.fills,
        }


def grown(log: Log, new: Sequence[Row], cap: int) -> Log:
    """The log with ``new`` at its end and the oldest beyond ``cap`` gone."""
    return Log(log.total + len(new), (*log.rows, *new)[-cap:]) if new else log
