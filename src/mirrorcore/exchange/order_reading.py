"""From the parameters of an order to ticks and lots, through the venue's filters."""

from __future__ import annotations

import re
from decimal import Decimal

from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.listings import UNIT, Listing
from mirrorcore.exchange.matching import Duration, SelfTrade
from mirrorcore.exchange.orders import Kind, OrderRequest
from mirrorcore.exchange.query import Query
from mirrorcore.exchange.refusals import (
    RefusalError,
    filter_failure,
    illegal,
    insufficient_balance,
    missing,
)
from mirrorcore.exchange.venue import Market
from mirrorcore.exchange.wire import MAX_STEPS

_SIDES = {"BUY": True, "SELL": False}
_KINDS = {kind.value: kind for kind in Kind}
_DURATIONS = {d.value: d for d in (Duration.GTC, Duration.IOC, Duration.FOK)}
_SELF_TRADES = {policy.value: policy for policy in SelfTrade}
_CLIENT_ID = re.compile(r"[.A-Za-z0-9:/_-]{1,36}")
_NOT_OFFERED = ("stopPrice", "trailingDelta", "icebergQty", "pegPriceType")
"""Parameters that would make another order of it; to leave them unread would be wrong."""


def read_order(query: Query, account: Account) -> tuple[Market, OrderRequest]:
    """The market and the order asked for.

    Raises
    ------
    RefusalError
        with the venue's number for what is missing, malformed, or against a filter.
    """
    market = query.market()
    buy = query.choice("side", _SIDES, -1117, "Invalid side.")
    kind = query.choice("type", _KINDS, -1116, "Invalid orderType.")
    for name in (*_NOT_OFFERED, *_unwanted(kind)):
        if query.text(name) is not None:
            raise RefusalError(-1106, f"Parameter '{name}' sent when not required.")
    price = _price(query, market.listing) if kind is not Kind.MARKET else None
    lots, budget = _size(query, market, account, buy, kind)
    _check_notional(market, price, lots, budget)
    return market, OrderRequest(
        buy=buy,
        kind=kind,
        lots=lots,
        price=price,
        duration=_duration(query, kind),
        self_trade=_self_trade(query),
        budget=budget,
        client_id=_client_id(query),
    )


def _unwanted(kind: Kind) -> tuple[str, ...]:
    return {
        Kind.LIMIT: ("quoteOrderQty",),
        Kind.LIMIT_MAKER: ("quoteOrderQty", "timeInForce"),
        Kind.MARKET: ("price", "timeInForce"),
    }[kind]


def _duration(query: Query, kind: Kind) -> Duration:
    if kind is Kind.LIMIT:
        return query.choice("timeInForce", _DURATIONS, -1115, "Invalid timeInForce.")
    return Duration.POST_ONLY if kind is Kind.LIMIT_MAKER else Duration.IOC


def _self_trade(query: Query) -> SelfTrade:
    name = "selfTradePreventionMode"
    if query.text(name) is None:
        return SelfTrade.EXPIRE_MAKER
    return query.choice(
        name, _SELF_TRADES, -1130, f"Data sent for parameter '{name}' is not valid."
    )


def _client_id(query: Query) -> str:
    given = query.text("newClientOrderId")
    if given is not None and _CLIENT_ID.fullmatch(given) is None:
        raise illegal("newClientOrderId")
    return given or ""


def _price(query: Query, listing: Listing) -> int:
    price = query.decimal("price")
    if price is None:
        raise missing("price")
    if price <= 0:
        raise RefusalError(-1013, "Invalid price.")
    ticks = _steps(price, listing.tick, "price")
    if ticks is None:
        raise filter_failure("PRICE_FILTER")
    return ticks


def _size(
    query: Query, market: Market, account: Account, buy: bool, kind: Kind
) -> tuple[int, int | None]:
    """Lots, and for a market order by amount of quote currency its budget in ticks × lots."""
    listing = market.listing
    quantity, amount = query.decimal("quantity"), query.decimal("quoteOrderQty")
    if kind is Kind.MARKET and (quantity is None) == (amount is None):
        raise RefusalError(
            -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, and not both of them."
        )
    if amount is not None:
        if amount <= 0:
            raise RefusalError(-1013, "Invalid quote order quantity.")
        budget = int(amount * UNIT) // listing.notional_units
        if buy:
            return MAX_STEPS, budget
        lots = account.free.get(listing.base, 0) // listing.lot_units
        if lots == 0:
            raise insufficient_balance()
        return min(lots, MAX_STEPS), budget
    if quantity is None:
        raise missing("quantity")
    if quantity <= 0:
        raise RefusalError(-1013, "Invalid quantity.")
    found = _steps(quantity, listing.lot, "quantity")
    if found is None:
        raise filter_failure("LOT_SIZE")
    return found, None


def _steps(value: Decimal, step: Decimal, name: str) -> int | None:
    """``value`` in whole steps; None where it is not a whole number of them, or too many."""
    if value > step * MAX_STEPS:
        return None
    if value != round(value, 8):
        raise RefusalError(-1111, f"Parameter '{name}' has too much precision.")
    if value % step:
        return None
    return int(value / step)


def _check_notional(market: Market, price: int | None, lots: int, budget: int | None) -> None:
    """The smallest order; one at the market is valued at the last price."""
    listing, last = market.listing, market.tape.last
    reference = price if price is not None else (last.price if last else None)
    value = budget if budget is not None else None if reference is None else reference * lots
    if value is not None and value * listing.notional_units < listing.minimum_units:
        raise filter_failure("NOTIONAL")
