"""Requests of somebody with a key: orders, balances, own trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mirrorcore.exchange import wire, wire_orders
from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.client_orders import ClientOrders
from mirrorcore.exchange.order_reading import read_order
from mirrorcore.exchange.orders import Fill, Order
from mirrorcore.exchange.query import Query
from mirrorcore.exchange.refusals import (
    RefusalError,
    duplicate_order,
    no_such_order,
    unknown_order_to_cancel,
)
from mirrorcore.exchange.tape import milliseconds
from mirrorcore.exchange.venue import Venue

SignedAnswer = Callable[[Account, Query], Any]
_FORMS = {name: name for name in ("ACK", "RESULT", "FULL")}


class TradingRequests:
    """Answers for one account at a time. ``now`` is the market's time, ``shown`` what is told."""

    def __init__(
        self, venue: Venue, now: Callable[[], int], shown: Callable[[int], int], kept: int
    ) -> None:
        self._venue, self._now, self._shown = venue, now, shown
        self._kept = kept
        self._own_trades: dict[int, deque[tuple[Order, Fill]]] = {}
        self._updated: dict[int, int] = {}
        self._requests = 0

    def traded(self, order: Order, fill: Fill) -> None:
        """Keep a client's own trade."""
        number = order.account.number
        kept = self._own_trades.setdefault(number, deque(maxlen=self._kept))
        kept.append((order, fill))

    def balances_changed(self, account: Account, now: int) -> None:
        self._updated[account.number] = now

    def place(self, account: Account, query: Query) -> Any:
        """Take in a new order."""
        market, request = read_order(query, account)
        form = self._form(query)
        same = self._orders(account).named(market.listing.id, request.client_id)
        if same is not None and not same.status.final:
            raise duplicate_order()
        order = self._venue.submit(account, market, request, self._now())
        return wire_orders.placed(market.listing, order, form, self._shown)

    def test(self, account: Account, query: Query) -> Any:
        """Judge an order without taking it in; funds and book are not asked, as at the venue."""
        read_order(query, account)
        self._form(query)
        return {}

    def cancel(self, account: Account, query: Query) -> Any:
        order = self._found(account, query)
        if order is None or order.status.final:
            raise unknown_order_to_cancel()
        return self._cancel(order, query.text("newClientOrderId"))

    def cancel_all(self, account: Account, query: Query) -> Any:
        market = query.market()
        orders = [o for o in self._orders(account).open.values() if o.symbol == market.listing.id]
        if not orders:
            raise unknown_order_to_cancel()
        return [self._cancel(order, None) for order in orders]

    def status(self, account: Account, query: Query) -> Any:
        order = self._found(account, query)
        if order is None:
            raise no_such_order()
        return self._document(order)

    def open_orders(self, account: Account, query: Query) -> Any:
        symbol = query.market().listing.id if query.text("symbol") else None
        orders = self._orders(account).open.values()
        return [self._document(order) for order in orders if symbol in (None, order.symbol)]

    def all_orders(self, account: Account, query: Query) -> Any:
        """Open and closed orders of a symbol, oldest first; from ``orderId`` on if given."""
        symbol, first = query.market().listing.id, query.integer("orderId")
        orders = [
            order
            for order in self._orders(account).by_number.values()
            if order.symbol == symbol and self._in_time(order, query)
        ]
        limit = query.limit(500, 1_000)
        chosen = [o for o in orders if o.number >= first][:limit] if first else orders[-limit:]
        return [self._document(order) for order in chosen]

    def account(self, account: Account, query: Query) -> Any:
        updated = self._updated.get(account.number)
        document = wire_orders.account_document(account, self._shown(updated) if updated else 0)
        if query.text("omitZeroBalances") == "true":
            rows = document["balances"]
            document["balances"] = [row for row in rows if not _is_zero(row)]
        return document

    def own_trades(self, account: Account, query: Query) -> Any:
        """Own trades of a symbol; from trade ``fromId`` on, of ``orderId``, or in a time."""
        listing = query.market().listing
        first, of_order = query.integer("fromId"), query.integer("orderId")
        start, end = query.integer("startTime"), query.integer("endTime")
        limit = query.limit(500, 1_000)
        found = [
            (order, fill)
            for order, fill in self._own_trades.get(account.number, ())
            if order.symbol == listing.id
            and (first is None or fill.trade >= first)
            and (of_order is None or order.number == of_order)
            and (start is None or milliseconds(fill.ts) >= start)
            and (end is None or milliseconds(fill.ts) <= end)
        ]
        forward = first is not None or start is not None
        chosen = found[:limit] if forward else found[-limit:]
        return [wire_orders.own_trade(listing, order, fill, self._shown) for order, fill in chosen]

    def _cancel(self, order: Order, own_id: str | None) -> Any:
        self._requests += 1
        order.cancel_id = own_id or f"cancel-{self._requests}"
        self._venue.cancel(order, self._now())
        listing = self._venue.markets[order.symbol].listing
        return wire_orders.canceled(listing, order, order.cancel_id, self._shown)

    def _found(self, account: Account, query: Query) -> Order | None:
        """The order that ``orderId`` or ``origClientOrderId`` names; None where there is none."""
        symbol = query.market().listing.id
        number, name = query.integer("orderId"), query.text("origClientOrderId")
        if number is None and name is None:
            raise RefusalError(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        if number is None:
            assert name is not None
            return self._orders(account).named(symbol, name)
        order = self._orders(account).by_number.get(number)
        return order if order is not None and order.symbol == symbol else None

    def _orders(self, account: Account) -> ClientOrders:
        return self._venue.clients[account.number]

    def _document(self, order: Order) -> Any:
        listing = self._venue.markets[order.symbol].listing
        return wire_orders.queried(listing, order, self._shown)

    @staticmethod
    def _in_time(order: Order, query: Query) -> bool:
        start, end = query.integer("startTime"), query.integer("endTime")
        created = milliseconds(order.created)
        return (start is None or created >= start) and (end is None or created <= end)

    @staticmethod
    def _form(query: Query) -> str:
        if query.text("newOrderRespType") is None:
            return "ACK" if query.text("type") == "LIMIT_MAKER" else "FULL"
        return query.choice("newOrderRespType", _FORMS, -1100, "Illegal newOrderRespType.")


def _is_zero(row: wire.Document) -> bool:
    return bool(row["free"] == row["locked"] == wire_orders.ZERO)
