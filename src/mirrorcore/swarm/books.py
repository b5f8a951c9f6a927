"""Orders, fills and trades of a recorded run, from its journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from mirrorcore.journal import JournalReader
from mirrorcore.report.explanation import FillFacts, OrderFacts, TradeFacts
from mirrorcore.trading.orders import Fill, Order
from mirrorcore.trading.trades import Trade, TradeBook, trade_row
from mirrorcore.trading.units import Units, exact_decimal


@dataclass(slots=True)
class TradeLife:
    """A trade with the ids of its fills, in order; ``trade`` is how it stands in the end."""

    number: int
    symbol: int
    fills: list[str] = field(default_factory=list)
    trade: Trade | None = None


class Books:
    """What the journal says was ordered, filled and traded.

    Attributes
    ----------
    orders: by client id, as they stood last. fills: by id, the order's and ``/`` and a number from
        1. trades: by number.
    """

    def __init__(self, reader: JournalReader, units: Units) -> None:
        self.units = units
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.trades: dict[int, TradeLife] = {}
        self._of_order: dict[str, list[str]] = {}
        for entry in reader.entries("order"):
            order = Order.load(entry.body)
            self.orders[order.client_id] = order
        book = TradeBook(units)
        for entry in reader.entries("fill"):
            client_id, sequence, symbol, ts, ts_avail, lots, price, fee, slippage = entry.body
            fill = Fill(
                client_id, sequence, symbol, ts, ts_avail, int(lots), price, int(fee), int(slippage)
            )
            self._enter(fill, book)
        ended = {trade.number: trade for trade in book.closed}
        # Marked at nothing: what is still open counts with what it has realised.
        left = {trade.number: trade for trade in book.open([0] * len(units))}
        for life in self.trades.values():
            life.trade = ended.get(life.number) or left.get(life.number)

    def _enter(self, fill: Fill, book: TradeBook) -> None:
        known = self._of_order.setdefault(fill.client_id, [])
        fill_id = f"{fill.client_id}/{len(known) + 1}"
        known.append(fill_id)
        self.fills[fill_id] = fill
        before = book.number_of(fill.symbol)
        book.add(fill)
        after = book.number_of(fill.symbol)
        # One that crosses zero belongs to the trade it ends and to the one it begins.
        for number in dict.fromkeys((before, after)):
            if number is not None:
                life = self.trades.setdefault(number, TradeLife(number, fill.symbol))
                life.fills.append(fill_id)

    def fills_of(self, client_id: str) -> Sequence[str]:
        """Ids of the fills of an order."""
        return self._of_order.get(client_id, ())

    def trades_of(self, client_id: str) -> list[int]:
        """Numbers of the trades that fills of an order belong to."""
        mine = self.fills_of(client_id)
        return [n for n, life in self.trades.items() if any(f in mine for f in life.fills)]

    # -- as facts

    def order_facts(self, client_id: str) -> OrderFacts:
        order = self.orders[client_id]
        return OrderFacts(
            id=client_id,
            number=order.sequence,
            symbol=self._name(order.symbol),
            ts=order.ts,
            quantity=self._quantity(order.symbol, order.lots),
            filled=self._quantity(order.symbol, order.filled),
            status=str(order.status),
            outcome=order.outcome,
            reason=order.reason,
            reduce_only=order.reduce_only,
            mark=self._price(order.symbol, order.mark or None),
            bound=self._price(order.symbol, order.bound),
            refused=self._price(order.symbol, order.refused),
            average=self._average(client_id),
            updated=order.updated,
        )

    def _average(self, client_id: str) -> Decimal | None:
        fills = [self.fills[fill_id] for fill_id in self.fills_of(client_id)]
        if len({fill.price_ticks for fill in fills}) <= 1:
            return self._price(fills[0].symbol, fills[0].price_ticks) if fills else None
        worth = sum(fill.lots * self.units.price(fill.symbol, fill.price_ticks) for fill in fills)
        return Decimal(f"{worth / sum(fill.lots for fill in fills):.10g}")

    def fill_facts(self, fill_id: str) -> FillFacts:
        fill = self.fills[fill_id]
        return FillFacts(
            id=fill_id,
            order=fill.client_id,
            symbol=self._name(fill.symbol),
            ts=fill.ts,
            known_at=fill.ts_avail,
            quantity=self._quantity(fill.symbol, fill.lots),
            price=self.units.price(fill.symbol, fill.price_ticks),
            fee=self._money(fill.fee),
            slippage=self._money(fill.slippage),
        )

    def trade_facts(self, number: int) -> TradeFacts:
        life = self.trades[number]
        trade = life.trade
        assert trade is not None
        row = trade_row(trade, self.units)
        realised = trade.realised if trade.is_open else trade.gross
        fees = trade.entry_fees + trade.exit_fees
        return TradeFacts(
            id=f"T{number}",
            symbol=row["symbol"],
            side=row["side"],
            is_open=trade.is_open,
            opened=trade.opened,
            closed=None if trade.is_open else trade.closed,
            quantity=self._quantity(trade.symbol, trade.peak_lots),
            entry=row["open_rate"],
            exit=row["close_rate"],
            gross=self._money(realised),
            fees=self._money(fees),
            slippage=self._money(trade.slippage),
            net=self._money(realised - fees),
            opened_by=trade.opened_by,
            closed_by=trade.closed_by,
            fills=tuple(life.fills),
        )

    def _name(self, symbol: int) -> str:
        return self.units.instruments[symbol].symbol

    def _quantity(self, symbol: int, lots: int) -> Decimal:
        """In base currency, exact."""
        instrument = self.units.instruments[symbol]
        size = Fraction(instrument.lot) * Fraction(instrument.multiplier) * lots
        return Decimal(size.numerator) / Decimal(size.denominator)

    def _price(self, symbol: int, ticks: int | None) -> Decimal | None:
        return None if ticks is None else self.units.price(symbol, ticks)

    def _money(self, quanta: int) -> Decimal:
        return exact_decimal(quanta, self.units.places)
