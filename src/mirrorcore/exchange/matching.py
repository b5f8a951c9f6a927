"""A limit order book with price-time priority, in whole ticks and lots.

An incoming order meets the best price first and, at one price, the order that came first. It trades
at the resting order's price. What it leaves rests (GTC), lapses (IOC, market), or nothing happens
at all unless all of it can be done (FOK) or none of it would trade (post-only).

**Self-trade prevention**: an order never trades with one of the same owner. By default the resting
one expires and the incoming one goes on (``EXPIRE_MAKER``, the venue's default); the incoming one
may expire instead, or both.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class Duration(Enum):
    """How long an order wants to live."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "POST_ONLY"


class SelfTrade(Enum):
    """Who expires when an order meets one of its own owner."""

    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


@dataclass(slots=True)
class Resting:
    """An order in the book; ``lots`` is what is left of it."""

    order_id: int
    owner: int
    buy: bool
    price: int
    lots: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """An order on its way in.

    ``price`` None takes any price. ``budget`` bounds ticks × lots spent (a market order for an
    amount of quote currency); ``lots`` is then the most that may be bought.
    """

    order_id: int
    owner: int
    buy: bool
    price: int | None
    lots: int
    duration: Duration = Duration.GTC
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """``lots`` changed hands at ``price`` ticks; the maker was ``maker_id``."""

    maker_id: int
    price: int
    lots: int


@dataclass(slots=True)
class Outcome:
    """What became of an incoming order.

    ``left`` is what did not trade. It rests if ``rests``; otherwise it lapsed. ``refused`` means
    that nothing happened at all; ``self_trade`` that prevention ended it; ``spent`` that its budget
    does not buy another lot. ``expired`` are resting orders that prevention took out of the book.
    """

    left: int
    matches: list[Match] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    rests: bool = False
    refused: bool = False
    self_trade: bool = False
    spent: bool = False


class Half:
    """One side of the book: orders by price, each price a queue in order of arrival.

    Prices are kept sorted with the best one last: bids by price, asks by its negative.
    """

    __slots__ = ("_keys", "_sign", "queues", "totals")

    def __init__(self, buy: bool) -> None:
        self._sign = 1 if buy else -1
        self._keys: list[int] = []
        self.queues: dict[int, dict[int, Resting]] = {}
        self.totals: dict[int, int] = {}

    @property
    def best(self) -> int | None:
        return self._keys[-1] * self._sign if self._keys else None

    def prices(self) -> Iterator[int]:
        """Best first."""
        return (key * self._sign for key in reversed(self._keys))

    def levels(self, depth: int) -> list[tuple[int, int]]:
        """The best ``depth`` prices with the lots resting there."""
        totals = self.totals
        return [
            (key * self._sign, totals[key * self._sign]) for key in self._keys[: -depth - 1 : -1]
        ]

    def add(self, order: Resting) -> None:
        queue = self.queues.get(order.price)
        if queue is None:
            queue = self.queues[order.price] = {}
            self.totals[order.price] = 0
            insort(self._keys, order.price * self._sign)
        queue[order.order_id] = order
        self.totals[order.price] += order.lots

    def take(self, order: Resting, lots: int) -> None:
        """Take ``lots`` out of a resting order; an order that has none left goes."""
        order.lots -= lots
        self.totals[order.price] -= lots
        if order.lots == 0:
            self._forget(order)

    def remove(self, order: Resting) -> None:
        self.totals[order.price] -= order.lots
        self._forget(order)

    def _forget(self, order: Resting) -> None:
        queue = self.queues[order.price]
        del queue[order.order_id]
        if not queue:
            del self.queues[order.price], self.totals[order.price]
            del self._keys[bisect_left(self._keys, order.price * self._sign)]


class OrderBook:
    """Both sides. ``changes`` collects (buy, price) of every level touched, for whoever publishes
    it and empties it; ``update_id`` counts them."""

    __slots__ = ("asks", "bids", "changes", "orders", "update_id")

    def __init__(self) -> None:
        self.bids = Half(True)
        self.asks = Half(False)
        self.orders: dict[int, Resting] = {}
        self.changes: list[tuple[bool, int]] = []
        self.update_id = 0

    def submit(self, order: Incoming) -> Outcome:
        """Match an order and let what is left rest or lapse.

        ValueError where the order is not one: no lots, a price below one tick, a known id, or an
        order to rest without a price.
        """
        self._check(order)
        outcome = Outcome(order.lots)
        if order.duration is Duration.POST_ONLY and self._crosses(order, self._best(order)):
            outcome.refused = True
            return outcome
        if order.duration is Duration.FOK and self._available(order) < order.lots:
            outcome.refused = True
            return outcome
        self._sweep(order, outcome)
        rests = order.price is not None and order.duration in (Duration.GTC, Duration.POST_ONLY)
        if outcome.left and rests and not outcome.self_trade:
            self._rest(order, outcome)
        return outcome

    def cancel(self, order_id: int) -> Resting | None:
        """Take an order out; None where it is not in the book."""
        order = self.orders.pop(order_id, None)
        if order is not None:
            self._half(order.buy).remove(order)
            self._touch(order.buy, order.price)
        return order

    def cost(self, order: Incoming) -> int:
        """Ticks × lots that the part of ``order`` which can trade now would cost."""
        return sum(price * lots for price, lots in self._reachable(order))

    def _check(self, order: Incoming) -> None:
        if order.lots <= 0:
            raise ValueError(f"an order of {order.lots} lots")
        if order.price is not None and order.price < 1:
            raise ValueError(f"an order at {order.price} ticks")
        if order.order_id in self.orders:
            raise ValueError(f"order {order.order_id} is in the book already")
        if order.price is None and order.duration in (Duration.GTC, Duration.POST_ONLY):
            raise ValueError("an order without a price cannot rest")

    def _half(self, buy: bool) -> Half:
        return self.bids if buy else self.asks

    def _best(self, order: Incoming) -> int | None:
        """The best price on the other side."""
        return self._half(not order.buy).best

    @staticmethod
    def _crosses(order: Incoming, price: int | None) -> bool:
        if price is None:
            return False
        if order.price is None:
            return True
        return price <= order.price if order.buy else price >= order.price

    def _sweep(self, order: Incoming, outcome: Outcome) -> None:
        half = self._half(not order.buy)
        budget = order.budget
        while outcome.left and self._crosses(order, price := half.best):
            assert price is not None
            maker = next(iter(half.queues[price].values()))
            if maker.owner == order.owner:
                if self._own_met(order, maker, outcome):
                    return
                continue
            lots = min(outcome.left, maker.lots)
            if budget is not None:
                lots = min(lots, budget // price)
                if lots == 0:
                    outcome.spent = True
                    return
                budget -= lots * price
            half.take(maker, lots)
            if maker.lots == 0:
                del self.orders[maker.order_id]
            self._touch(maker.buy, price)
            outcome.left -= lots
            outcome.matches.append(Match(maker.order_id, price, lots))

    def _own_met(self, order: Incoming, maker: Resting, outcome: Outcome) -> bool:
        """Prevent a self-trade; True where the incoming order ends here."""
        if order.self_trade is not SelfTrade.EXPIRE_TAKER:
            self.cancel(maker.order_id)
            outcome.expired.append(maker.order_id)
        outcome.self_trade = order.self_trade is not SelfTrade.EXPIRE_MAKER
        return outcome.self_trade

    def _reachable(self, order: Incoming) -> Iterator[tuple[int, int]]:
        """Price and lots of each trade the order would make now, changing nothing."""
        half = self._half(not order.buy)
        left, budget = order.lots, order.budget
        for price in half.prices():
            if not self._crosses(order, price):
                return
            for maker in half.queues[price].values():
                if maker.owner == order.owner:
                    if order.self_trade is SelfTrade.EXPIRE_MAKER:
                        continue
                    return
                lots = min(left, maker.lots)
                if budget is not None:
                    lots = min(lots, budget // price)
                    budget -= lots * price
                if lots == 0:
                    return
                left -= lots
                yield price, lots
                if left == 0:
                    return

    def _available(self, order: Incoming) -> int:
        return sum(lots for _, lots in self._reachable(order))

    def _rest(self, order: Incoming, outcome: Outcome) -> None:
        assert order.price is not None
        resting = Resting(order.order_id, order.owner, order.buy, order.price, outcome.left)
        self.orders[order.order_id] = resting
        self._half(order.buy).add(resting)
        self._touch(order.buy, order.price)
        outcome.rests = True

    def _touch(self, buy: bool, price: int) -> None:
        self.update_id += 1
        self.changes.append((buy, price))
