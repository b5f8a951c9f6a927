"""The venue's documents about orders, balances and a client's own trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.listings import Listing, units_text
from mirrorcore.exchange.orders import Fill, Kind, Order
from mirrorcore.exchange.tape import milliseconds
from mirrorcore.exchange.wire import Document

Shown = Callable[[int], int]
ZERO = units_text(0)


def _what(listing: Listing, order: Order) -> Document:
    """What every answer about an order has in common."""
    request = order.request
    by_amount = request.budget is not None
    asked = order.filled if by_amount else request.lots
    amount = listing.notional_text(request.budget) if request.budget is not None else ZERO
    prevented = {"preventedQuantity": listing.lots_text(order.prevented)} if order.prevented else {}
    return {
        **prevented,
        "symbol": listing.id,
        "orderId": order.number,
        "orderListId": -1,
        "price": listing.price_text(request.price or 0),
        "origQty": listing.lots_text(asked),
        "executedQty": listing.lots_text(order.filled),
        "origQuoteOrderQty": amount,
        "cummulativeQuoteQty": listing.notional_text(order.notional),
        "status": order.status.value,
        "timeInForce": time_in_force(order),
        "type": request.kind.value,
        "side": "BUY" if request.buy else "SELL",
        "selfTradePreventionMode": request.self_trade.value,
    }


def time_in_force(order: Order) -> str:
    """The venue says GTC of market and post-only orders."""
    return order.request.duration.value if order.request.kind is Kind.LIMIT else "GTC"


def placed(listing: Listing, order: Order, form: str, shown: Shown) -> Document:
    """The answer to a new order: ``ACK``, ``RESULT`` or ``FULL``."""
    short = {
        "symbol": listing.id,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": shown(order.updated),
    }
    if form == "ACK":
        return short
    result = {**_what(listing, order), **short, "workingTime": shown(order.created)}
    if form == "FULL":
        result["fills"] = [
            {
                "price": listing.price_text(fill.price),
                "qty": listing.lots_text(fill.lots),
                "commission": units_text(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade,
            }
            for fill in order.fills
        ]
    return result


def canceled(listing: Listing, order: Order, own_id: str, shown: Shown) -> Document:
    """The answer to a cancel; ``own_id`` names the cancel itself."""
    return {
        **_what(listing, order),
        "origClientOrderId": order.client_id,
        "clientOrderId": own_id,
        "transactTime": shown(order.updated),
    }


def queried(listing: Listing, order: Order, shown: Shown) -> Document:
    """An order as it stands."""
    return {
        **_what(listing, order),
        "clientOrderId": order.client_id,
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": shown(order.created),
        "updateTime": shown(order.updated),
        "isWorking": True,
        "workingTime": shown(order.created),
    }


def own_trade(listing: Listing, order: Order, fill: Fill, shown: Shown) -> Document:
    """One row of ``myTrades``."""
    return {
        "symbol": listing.id,
        "id": fill.trade,
        "orderId": order.number,
        "orderListId": -1,
        "price": listing.price_text(fill.price),
        "qty": listing.lots_text(fill.lots),
        "quoteQty": listing.notional_text(fill.price * fill.lots),
        "commission": units_text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": shown(fill.ts),
        "isBuyer": order.request.buy,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def account_document(account: Account, updated_ms: int) -> Document:
    """The answer of ``account``."""
    basis_points = {"maker": account.maker_ppm // 100, "taker": account.taker_ppm // 100}
    return {
        "makerCommission": basis_points["maker"],
        "takerCommission": basis_points["taker"],
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": units_text(account.maker_ppm * 100),
            "taker": units_text(account.taker_ppm * 100),
            "buyer": ZERO,
            "seller": ZERO,
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": updated_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, **_amounts(account, asset, "free", "locked")}
            for asset in account.assets()
        ],
        "permissions": ["SPOT"],
        "uid": account.number,
    }


def _amounts(account: Account, asset: str, free: str, locked: str) -> Document:
    return {
        free: units_text(account.free.get(asset, 0)),
        locked: units_text(account.locked.get(asset, 0)),
    }


def position_event(account: Account, assets: Sequence[str], event_ms: int) -> Document:
    """``outboundAccountPosition``: balances that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": event_ms,
        "u": event_ms,
        "B": [{"a": asset, **_amounts(account, asset, "f", "l")} for asset in assets],
    }


def execution_event(
    listing: Listing, order: Order, execution: str, fill: Fill | None, own_id: str, event_ms: int
) -> Document:
    """``executionReport``. ``own_id`` names the cancel where it was one."""
    request, what = order.request, _what(listing, order)
    canceled_now = execution == "CANCELED"
    last = fill.lots if fill else 0
    return {
        "e": "executionReport",
        "E": event_ms,
        "s": listing.id,
        "c": own_id if canceled_now else order.client_id,
        "S": what["side"],
        "o": what["type"],
        "f": what["timeInForce"],
        "q": what["origQty"],
        "p": what["price"],
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": order.client_id if canceled_now else "",
        "x": execution,
        "X": what["status"],
        "r": "NONE",
        "i": order.number,
        "l": listing.lots_text(last),
        "z": what["executedQty"],
        "L": listing.price_text(fill.price if fill else 0),
        "n": units_text(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": event_ms,
        "t": fill.trade if fill else -1,
        "I": order.number,
        "w": order.rested and not order.status.final,
        "m": fill.maker if fill else False,
        "M": False,
        "O": _created_ms(order, event_ms),
        "Z": what["cummulativeQuoteQty"],
        "Y": listing.notional_text(fill.price * fill.lots if fill else 0),
        "Q": what["origQuoteOrderQty"],
        "W": _created_ms(order, event_ms),
        "V": request.self_trade.value,
    }


def _created_ms(order: Order, event_ms: int) -> int:
    """When it was created, on the clock the event is told by."""
    return event_ms - milliseconds(order.updated) + milliseconds(order.created)
