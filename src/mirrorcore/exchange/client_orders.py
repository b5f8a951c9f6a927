"""The orders of one client, found by number or by the client's own name for them."""

from __future__ import annotations

from collections import deque

from mirrorcore.exchange.orders import Order


class ClientOrders:
    """All open orders, and the last ``kept`` closed ones."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._closed: deque[Order] = deque()
        self._named: dict[tuple[str, str], Order] = {}
        self.by_number: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        """In the order in which they came."""

    def add(self, order: Order) -> None:
        self.by_number[order.number] = self.open[order.number] = order
        self._named[order.symbol, order.client_id] = order

    def named(self, symbol: str, client_id: str) -> Order | None:
        """The newest order of that name."""
        return self._named.get((symbol, client_id))

    def closed(self, order: Order) -> None:
        """An order ended; the oldest closed one beyond what is kept is forgotten."""
        del self.open[order.number]
        self._closed.append(order)
        if len(self._closed) > self._kept:
            old = self._closed.popleft()
            del self.by_number[old.number]
            if self._named[old.symbol, old.client_id] is old:
                del self._named[old.symbol, old.client_id]
