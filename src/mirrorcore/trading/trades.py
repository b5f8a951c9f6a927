"""Trades out of fills: from flat, or from a change of sign, to the next.

Cost is held at average, as an integer *basis*: the signed notional paid for the lots still open.
Closing a part releases its share of the basis, rounded down, and the rest stays, so that the sum
over all parts is exact whatever the division leaves over. Fees are inside the trades: ``net`` is
``gross`` less the fees of entry and exit. Slippage is inside the prices and only reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from mirrorcore.clock import iso
from mirrorcore.trading.orders import Fill
from mirrorcore.trading.units import Units, exact_decimal


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip, or an open one as it stands at the mark (``is_open``).

    Money in quanta, lots unsigned. ``entry_value`` and ``exit_value`` are the signed notionals of
    all fills that built the position up and took it down. ``realised`` is the result of the lots
    taken down, at average cost and before fees; ``gross`` and ``net`` of an open trade include the
    rest at the mark, and its ``closed`` is 0.
    """

    number: int
    symbol: int
    side: int
    opened: int
    closed: int
    is_open: bool
    open_lots: int
    peak_lots: int
    entry_lots: int
    entry_value: int
    exit_lots: int
    exit_value: int
    entry_fees: int
    exit_fees: int
    slippage: int
    realised: int
    gross: int
    net: int
    fills: int
    opened_by: str
    closed_by: str


@dataclass(slots=True)
class _Running:
    """A trade under way. ``lots`` and ``basis`` are signed and concern what is open now."""

    number: int
    symbol: int
    side: int
    opened: int
    opened_by: str
    lots: int = 0
    basis: int = 0
    realised: int = 0
    peak_lots: int = 0
    entry_lots: int = 0
    entry_value: int = 0
    exit_lots: int = 0
    exit_value: int = 0
    entry_fees: int = 0
    exit_fees: int = 0
    slippage: int = 0
    fills: int = 0

    def enter(self, lots: int, value: int, fee: int, slippage: int) -> None:
        self.lots += lots
        self.basis += value
        self.peak_lots = max(self.peak_lots, abs(self.lots))
        self.entry_lots += abs(lots)
        self.entry_value += value
        self.entry_fees += fee
        self.slippage += slippage
        self.fills += 1

    def leave(self, lots: int, value: int, fee: int, slippage: int) -> None:
        # Whole position: this is the basis itself, so nothing can be left over.
        released = self.basis * abs(lots) // abs(self.lots)
        self.realised += -value - released
        self.basis -= released
        self.lots += lots
        self.exit_lots += abs(lots)
        self.exit_value -= value
        self.exit_fees += fee
        self.slippage += slippage
        self.fills += 1

    def trade(self, *, unrealised: int, closed: int, closed_by: str) -> Trade:
        gross = self.realised + unrealised
        return Trade(
            number=self.number,
            symbol=self.symbol,
            side=self.side,
            opened=self.opened,
            closed=closed,
            is_open=self.lots != 0,
            open_lots=abs(self.lots),
            peak_lots=self.peak_lots,
            entry_lots=self.entry_lots,
            entry_value=self.entry_value,
            exit_lots=self.exit_lots,
            exit_value=self.exit_value,
            entry_fees=self.entry_fees,
            exit_fees=self.exit_fees,
            slippage=self.slippage,
            realised=self.realised,
            gross=gross,
            net=gross - self.entry_fees - self.exit_fees,
            fills=self.fills,
            opened_by=self.opened_by,
            closed_by=closed_by,
        )


class TradeBook:
    """Reconstructs the trades of a run from its fills alone; it never looks at the ledger.

    Attributes
    ----------
    closed: trades closed since the start, or since the checkpoint it was restored from.
    closed_count, closed_won, closed_net: how many since the start, how many of them gained after
        fees, and by currency their net result in its quanta.
    """

    __slots__ = (
        "_opened",
        "_running",
        "_settled",
        "_value",
        "closed",
        "closed_count",
        "closed_net",
        "closed_won",
    )

    def __init__(self, units: Units) -> None:
        self._value = units.value
        self._settled = units.settled
        self._running: list[_Running | None] = [None] * len(units)
        self._opened = 0
        self.closed: list[Trade] = []
        self.closed_count = 0
        self.closed_won = 0
        self.closed_net = [0] * len(units.currencies)

    def number_of(self, symbol: int) -> int | None:
        """Number of the trade under way in a symbol."""
        running = self._running[symbol]
        return None if running is None else running.number

    def add(self, fill: Fill) -> None:
        """Take one fill into account; one that crosses zero ends a trade and begins the next."""
        running = self._running[fill.symbol]
        value = fill.lots * fill.price_ticks * self._value[fill.symbol]
        if running is None:
            self._begin(fill).enter(fill.lots, value, fill.fee, fill.slippage)
        elif (running.lots > 0) == (fill.lots > 0):
            running.enter(fill.lots, value, fill.fee, fill.slippage)
        elif abs(fill.lots) <= abs(running.lots):
            running.leave(fill.lots, value, fill.fee, fill.slippage)
            if not running.lots:
                self._end(running, fill)
        else:
            self._cross(running, fill)

    def _cross(self, running: _Running, fill: Fill) -> None:
        lots = -running.lots
        rest = fill.lots - lots
        price = fill.price_ticks * self._value[fill.symbol]
        # The part that closes bears its share of the costs rounded down, the new trade the rest.
        fee = fill.fee * abs(lots) // abs(fill.lots)
        slippage = fill.slippage * abs(lots) // abs(fill.lots)
        running.leave(lots, lots * price, fee, slippage)
        self._end(running, fill)
        self._begin(fill).enter(rest, rest * price, fill.fee - fee, fill.slippage - slippage)

    def _begin(self, fill: Fill) -> _Running:
        self._opened += 1
        side = 1 if fill.lots > 0 else -1
        running = _Running(self._opened, fill.symbol, side, fill.ts, fill.client_id)
        self._running[fill.symbol] = running
        return running

    def _end(self, running: _Running, fill: Fill) -> None:
        trade = running.trade(unrealised=0, closed=fill.ts, closed_by=fill.client_id)
        self._running[fill.symbol] = None
        self.closed.append(trade)
        self.closed_count += 1
        self.closed_won += trade.net > 0
        self.closed_net[self._settled[trade.symbol]] += trade.net

    def open(self, price_ticks: Sequence[int]) -> list[Trade]:
        """The trades under way, marked at ``price_ticks``, in symbol order."""
        return [
            running.trade(
                unrealised=running.lots * price_ticks[s] * self._value[s] - running.basis,
                closed=0,
                closed_by="",
            )
            for s, running in enumerate(self._running)
            if running is not None
        ]

    def result(self, price_ticks: Sequence[int]) -> int:
        """Net result in quanta of all trades, closed and open at the mark, of one currency."""
        (result,) = self.results(price_ticks)
        return result

    def results(self, price_ticks: Sequence[int]) -> list[int]:
        """The same by currency, each in its own quanta."""
        opened = self.open_net(price_ticks)
        return [closed + now for closed, now in zip(self.closed_net, opened, strict=True)]

    def open_net(self, price_ticks: Sequence[int]) -> list[int]:
        """Net result by currency of the trades under way, at the mark."""
        nets = [0] * len(self.closed_net)
        for trade in self.open(price_ticks):
            nets[self._settled[trade.symbol]] += trade.net
        return nets

    def checkpoint(self) -> dict[str, Any]:
        """What continues the reconstruction; the closed trades themselves are not in it."""
        return {
            "opened": self._opened,
            "closed_count": self.closed_count,
            "closed_won": self.closed_won,
            "closed_net": " ".join(map(str, self.closed_net)),
            "running": [_dump(running) for running in self._running if running is not None],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`; ``closed`` begins empty."""
        self._opened = state["opened"]
        self.closed = []
        self.closed_count = state["closed_count"]
        self.closed_won = state["closed_won"]
        self.closed_net = [int(net) for net in state["closed_net"].split()]
        self._running = [None] * len(self._running)
        for plain in state["running"]:
            running = _load(plain)
            self._running[running.symbol] = running


_TEXT = "opened_by"


def _dump(running: _Running) -> dict[str, str]:
    # As text: lots and money may need more than the 64 bits of the usual encodings.
    return {name: str(value) for name, value in asdict(running).items()}


def _load(plain: dict[str, str]) -> _Running:
    fields: dict[str, Any] = {k: v if k == _TEXT else int(v) for k, v in plain.items()}
    return _Running(**fields)


def trade_row(trade: Trade, units: Units) -> dict[str, Any]:
    """A trade as the trade table prints it: names, prices and amounts in place of integers.

    ``profit_ratio`` is net result over the notional of the entries; ``amount`` is in units of the
    base currency at its largest; the exit price of an open trade without exits is None.
    """
    instrument = units.instruments[trade.symbol]
    lot = Fraction(instrument.lot) * Fraction(instrument.multiplier)
    stake = abs(trade.entry_value)
    return {
        "trade": trade.number,
        "symbol": instrument.symbol,
        "side": "long" if trade.side > 0 else "short",
        "is_open": trade.is_open,
        "open_date": iso(trade.opened),
        "close_date": None if trade.is_open else iso(trade.closed),
        "duration_ns": None if trade.is_open else trade.closed - trade.opened,
        "open_rate": _average(trade.entry_value, trade.entry_lots, trade, units),
        "close_rate": _average(trade.exit_value, trade.exit_lots, trade, units),
        "amount": float(lot * trade.peak_lots),
        "stake": exact_decimal(stake, units.places),
        "fee_open": exact_decimal(trade.entry_fees, units.places),
        "fee_close": exact_decimal(trade.exit_fees, units.places),
        "slippage": exact_decimal(trade.slippage, units.places),
        "profit_abs": exact_decimal(trade.net, units.places),
        "profit_ratio": trade.net / stake if stake else 0.0,
        "opened_by": trade.opened_by,
        "closed_by": trade.closed_by,
    }


def _average(value: int, lots: int, trade: Trade, units: Units) -> Decimal | None:
    """Average price: ticks rounded to a thousandth, times the tick."""
    if not lots:
        return None
    ticks = Fraction(trade.side * value, lots * units.value[trade.symbol])
    return exact_decimal(round(ticks * 1000), 3) * units.instruments[trade.symbol].tick
