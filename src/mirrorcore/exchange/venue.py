"""The exchange itself, without any protocol: books, accounts, orders, what was traded.

Every order, a client's or a simulated participant's, goes through :meth:`Venue.submit`: funds are
locked, the book matches, each trade is settled between the two accounts, and whoever listens is
told. Time comes from whoever calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from mirrorcore.exchange.accounts import Account, fee
from mirrorcore.exchange.client_orders import ClientOrders
from mirrorcore.exchange.listings import Listing
from mirrorcore.exchange.matching import Duration, Incoming, OrderBook, Outcome
from mirrorcore.exchange.orders import Fill, Kind, Order, OrderRequest, OrderStatus
from mirrorcore.exchange.refusals import insufficient_balance, post_only_would_cross
from mirrorcore.exchange.tape import Aggregate, Print, Tape


class Market:
    """One symbol: its book and its tape."""

    def __init__(self, listing: Listing, kept: int) -> None:
        self.listing = listing
        self.book = OrderBook()
        self.tape = Tape(kept)


class Listener(Protocol):
    """Who is told what happens, in the order in which it happens."""

    def on_trades(
        self, market: Market, prints: Sequence[Print], aggregates: Sequence[Aggregate]
    ) -> None:
        """One incoming order traded."""

    def on_book(self, market: Market, changes: Sequence[tuple[bool, int]], now: int) -> None:
        """Levels (buy, price) changed; the last change is the book's ``update_id``."""

    def on_order(self, order: Order, execution: str, fill: Fill | None, now: int) -> None:
        """A client's order changed: ``NEW``, ``TRADE``, ``CANCELED`` or ``EXPIRED``."""

    def on_balances(self, account: Account, assets: Sequence[str], now: int) -> None:
        """A client's balances of these assets changed."""


class Venue:
    """Markets and accounts. Account 0 is the venue's own, where fees arrive.

    Parameters
    ----------
    listings: what is traded.
    kept: prints and aggregates kept of each symbol, and closed orders of each client.
    """

    def __init__(self, listings: Sequence[Listing], kept: int, listener: Listener) -> None:
        self.markets = {listing.id: Market(listing, kept) for listing in listings}
        self.accounts = [Account(0, "fees", house=True)]
        self.orders: dict[int, Order] = {}
        """Orders in a book, by number."""
        self.clients: dict[int, ClientOrders] = {}
        """Orders of every account that is not the house's, by its number."""
        self._kept = kept
        self._next_order = 1
        self._listener = listener

    def open_account(self, name: str, *, maker_ppm: int, taker_ppm: int, house: bool) -> Account:
        account = Account(len(self.accounts), name, maker_ppm, taker_ppm, house)
        self.accounts.append(account)
        if not house:
            self.clients[account.number] = ClientOrders(self._kept)
        return account

    def submit(self, account: Account, market: Market, request: OrderRequest, now: int) -> Order:
        """Take in an order.

        Raises
        ------
        RefusalError
            where funds are short or a post-only order would trade; nothing has happened then.
        """
        order = self._accept(account, market, request, now)
        outcome = market.book.submit(self._incoming(order))
        if outcome.refused and request.kind is Kind.LIMIT_MAKER:
            self._release(order)
            raise post_only_would_cross()
        if outcome.spent and outcome.matches:
            # It bought what its amount buys; that is the order, and it is filled.
            order.request = replace(request, lots=request.lots - outcome.left)
            outcome.left = 0
        if not request.client_id:
            order.client_id = f"local-{order.number}"
        self.orders[order.number] = order
        if not account.house:
            self.clients[account.number].add(order)
        order.rested = outcome.rests
        self._tell(order, "NEW", None, now)
        self._settle(market, order, outcome, now)
        self._expire_makers(outcome, now)
        self._conclude(order, outcome, now)
        self._told_book(market, now)
        self._tell_balances(order, now)
        return order

    def cancel(self, order: Order, now: int) -> None:
        """Take an order out of the book; ValueError where it is closed already."""
        market = self.markets[order.symbol]
        if market.book.cancel(order.number) is None:
            raise ValueError(f"order {order.number} is not in the book")
        self._close(order, OrderStatus.CANCELED, "CANCELED", now)
        self._told_book(market, now)
        self._tell_balances(order, now)

    def total(self, asset: str) -> int:
        """Units of an asset over all accounts, the venue's own included; trading keeps it."""
        return sum(
            account.free.get(asset, 0) + account.locked.get(asset, 0) for account in self.accounts
        )

    def _accept(self, account: Account, market: Market, request: OrderRequest, now: int) -> Order:
        listing = market.listing
        order = Order(
            number=self._next_order,
            client_id=request.client_id,
            account=account,
            symbol=listing.id,
            request=request,
            created=now,
            updated=now,
            held_asset=listing.quote if request.buy else listing.base,
            held=0,
        )
        order.held = self._needed(market, order)
        if not account.lock(order.held_asset, order.held):
            raise insufficient_balance()
        self._next_order += 1
        return order

    def _needed(self, market: Market, order: Order) -> int:
        """Units to lock: the worst an order can cost. A market order is priced by the book."""
        request, listing = order.request, market.listing
        if not request.buy:
            return request.lots * listing.lot_units
        if request.price is not None:
            return request.price * request.lots * listing.notional_units
        return market.book.cost(self._incoming(order)) * listing.notional_units

    @staticmethod
    def _incoming(order: Order) -> Incoming:
        request = order.request
        market = request.kind is Kind.MARKET
        return Incoming(
            order_id=order.number,
            owner=order.account.number,
            buy=request.buy,
            price=request.price,
            lots=request.lots,
            duration=Duration.IOC if market else request.duration,
            self_trade=request.self_trade,
            budget=request.budget,
        )

    def _settle(self, market: Market, taker: Order, outcome: Outcome, now: int) -> None:
        """Book every match, tell the tape, then everybody."""
        if not outcome.matches:
            return
        prints, aggregates = market.tape.record(
            now, not taker.request.buy, [(match.price, match.lots) for match in outcome.matches]
        )
        self._listener.on_trades(market, prints, aggregates)
        for match, print_ in zip(outcome.matches, prints, strict=True):
            maker = self.orders[match.maker_id]
            for order, is_maker in ((maker, True), (taker, False)):
                fill = self._book(market, order, print_, is_maker)
                self._tell(order, "TRADE", fill, now)
            self._tell_balances(maker, now)
            if maker.status.final:
                self._forget(maker)

    def _book(self, market: Market, order: Order, print_: Print, is_maker: bool) -> Fill:
        """One side of one trade: what was locked is paid, what came in is credited less the fee."""
        listing, account, request = market.listing, order.account, order.request
        notional = print_.price * print_.lots * listing.notional_units
        base = print_.lots * listing.lot_units
        if request.buy:
            paid, received, asset = notional, base, listing.base
            reserved = request.price if request.price is not None else print_.price
            better = (reserved - print_.price) * print_.lots * listing.notional_units
            account.release(order.held_asset, better)
            order.held -= better
        else:
            paid, received, asset = base, notional, listing.quote
        account.pay(order.held_asset, paid)
        order.held -= paid
        cost = fee(received, account.maker_ppm if is_maker else account.taker_ppm)
        account.credit(asset, received - cost)
        self.accounts[0].credit(asset, cost)
        fill = Fill(print_.number, print_.ts, print_.price, print_.lots, cost, asset, is_maker)
        order.traded(fill)
        return fill

    def _expire_makers(self, outcome: Outcome, now: int) -> None:
        for number in outcome.expired:
            maker = self.orders[number]
            maker.prevented = maker.left
            self._close(maker, OrderStatus.EXPIRED_IN_MATCH, "TRADE_PREVENTION", now)
            self._tell_balances(maker, now)

    def _conclude(self, order: Order, outcome: Outcome, now: int) -> None:
        """What did not trade rests or lapses."""
        if outcome.rests:
            return
        if order.status.final:
            self._release(order)
            self._forget(order)
        elif outcome.self_trade:
            order.prevented = order.left
            self._close(order, OrderStatus.EXPIRED_IN_MATCH, "TRADE_PREVENTION", now)
        else:
            self._close(order, OrderStatus.EXPIRED, "EXPIRED", now)

    def _close(self, order: Order, status: OrderStatus, execution: str, now: int) -> None:
        order.end(status, now)
        self._release(order)
        self._tell(order, execution, None, now)
        self._forget(order)

    def _release(self, order: Order) -> None:
        order.account.release(order.held_asset, order.held)
        order.held = 0

    def _forget(self, order: Order) -> None:
        """Closed orders of clients are kept for a while, those of the house are not."""
        del self.orders[order.number]
        if not order.account.house:
            self.clients[order.account.number].closed(order)

    def _tell(self, order: Order, execution: str, fill: Fill | None, now: int) -> None:
        if not order.account.house:
            self._listener.on_order(order, execution, fill, now)

    def _tell_balances(self, order: Order, now: int) -> None:
        if not order.account.house:
            listing = self.markets[order.symbol].listing
            self._listener.on_balances(order.account, (listing.base, listing.quote), now)

    def _told_book(self, market: Market, now: int) -> None:
        book = market.book
        if book.changes:
            changes, book.changes = book.changes, []
            self._listener.on_book(market, changes, now)
