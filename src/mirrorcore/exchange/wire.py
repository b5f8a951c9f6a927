"""The venue's documents: our records as the JSON objects clients expect. Numbers are text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrorcore.exchange.listings import Listing, units_text
from mirrorcore.exchange.tape import (
    INTERVALS,
    Aggregate,
    Candle,
    Print,
    milliseconds,
)
from mirrorcore.exchange.venue import Market

Document = dict[str, Any]


def listed(listing: Listing) -> Document:
    """One symbol of ``exchangeInfo``."""
    return {
        "symbol": listing.id,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": units_text(listing.tick_units),
                "maxPrice": listing.price_text(MAX_STEPS),
                "tickSize": units_text(listing.tick_units),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": units_text(listing.lot_units),
                "maxQty": listing.lots_text(MAX_STEPS),
                "stepSize": units_text(listing.lot_units),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": units_text(listing.minimum_units),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


MAX_STEPS = 10**12
"""Most ticks of a price and most lots of an order."""


def kline(listing: Listing, candle: Candle, interval: str) -> list[Any]:
    """One row of ``klines``."""
    return [
        milliseconds(candle.open_ts),
        listing.price_text(candle.open),
        listing.price_text(candle.high),
        listing.price_text(candle.low),
        listing.price_text(candle.close),
        listing.lots_text(candle.lots),
        milliseconds(candle.open_ts + INTERVALS[interval]) - 1,
        listing.notional_text(candle.notional),
        candle.count,
        listing.lots_text(candle.taker_lots),
        listing.notional_text(candle.taker_notional),
        "0",
    ]


def kline_event(
    listing: Listing, candle: Candle, interval: str, closed: bool, event_ms: int
) -> Document:
    """A candle on a stream; ``x`` says that it is final."""
    return {
        "e": "kline",
        "E": event_ms,
        "s": listing.id,
        "k": {
            "t": milliseconds(candle.open_ts),
            "T": milliseconds(candle.open_ts + INTERVALS[interval]) - 1,
            "s": listing.id,
            "i": interval,
            "f": candle.first,
            "L": candle.last,
            "o": listing.price_text(candle.open),
            "c": listing.price_text(candle.close),
            "h": listing.price_text(candle.high),
            "l": listing.price_text(candle.low),
            "v": listing.lots_text(candle.lots),
            "n": candle.count,
            "x": closed,
            "q": listing.notional_text(candle.notional),
            "V": listing.lots_text(candle.taker_lots),
            "Q": listing.notional_text(candle.taker_notional),
            "B": "0",
        },
    }


def trade_event(listing: Listing, print_: Print, event_ms: int, trade_ms: int) -> Document:
    return {
        "e": "trade",
        "E": event_ms,
        "s": listing.id,
        "t": print_.number,
        "p": listing.price_text(print_.price),
        "q": listing.lots_text(print_.lots),
        "T": trade_ms,
        "m": print_.buyer_maker,
        "M": True,
    }


def trade_row(listing: Listing, print_: Print) -> Document:
    """One row of ``trades``."""
    return {
        "id": print_.number,
        "price": listing.price_text(print_.price),
        "qty": listing.lots_text(print_.lots),
        "quoteQty": listing.notional_text(print_.price * print_.lots),
        "time": milliseconds(print_.ts),
        "isBuyerMaker": print_.buyer_maker,
        "isBestMatch": True,
    }


def aggregate_row(listing: Listing, aggregate: Aggregate) -> Document:
    """One row of ``aggTrades``."""
    return {
        "a": aggregate.number,
        "p": listing.price_text(aggregate.price),
        "q": listing.lots_text(aggregate.lots),
        "f": aggregate.first,
        "l": aggregate.last,
        "T": milliseconds(aggregate.ts),
        "m": aggregate.buyer_maker,
        "M": True,
    }


def aggregate_event(
    listing: Listing, aggregate: Aggregate, event_ms: int, trade_ms: int
) -> Document:
    row = aggregate_row(listing, aggregate)
    return {"e": "aggTrade", "E": event_ms, "s": listing.id, **row, "T": trade_ms}


def levels(market: Market, buy: bool, depth: int) -> list[list[str]]:
    """Price and quantity of the best levels of one side."""
    listing = market.listing
    half = market.book.bids if buy else market.book.asks
    return [
        [listing.price_text(price), listing.lots_text(lots)] for price, lots in half.levels(depth)
    ]


def depth(market: Market, limit: int) -> Document:
    """The answer of ``depth``."""
    return {
        "lastUpdateId": market.book.update_id,
        "bids": levels(market, True, limit),
        "asks": levels(market, False, limit),
    }


def depth_event(
    market: Market, first_id: int, touched: Mapping[tuple[bool, int], None], event_ms: int
) -> Document:
    """What changed since update ``first_id``: the level's quantity now, 0 where it is gone."""
    listing, book = market.listing, market.book
    sides: dict[bool, list[list[str]]] = {True: [], False: []}
    for buy, price in touched:
        lots = (book.bids if buy else book.asks).totals.get(price, 0)
        sides[buy].append([listing.price_text(price), listing.lots_text(lots)])
    return {
        "e": "depthUpdate",
        "E": event_ms,
        "s": listing.id,
        "U": first_id,
        "u": book.update_id,
        "b": sides[True],
        "a": sides[False],
    }


def best(market: Market) -> tuple[int, int, int, int]:
    """Best bid, its lots, best ask, its lots; zeros for an empty side."""
    bid = market.book.bids.levels(1) or [(0, 0)]
    ask = market.book.asks.levels(1) or [(0, 0)]
    return *bid[0], *ask[0]


def book_ticker_event(market: Market) -> Document:
    """Neither ``e`` nor a time: the venue sends none on this stream."""
    listing = market.listing
    bid, bid_lots, ask, ask_lots = best(market)
    return {
        "u": market.book.update_id,
        "s": listing.id,
        "b": listing.price_text(bid),
        "B": listing.lots_text(bid_lots),
        "a": listing.price_text(ask),
        "A": listing.lots_text(ask_lots),
    }


def book_ticker_row(market: Market) -> Document:
    """One row of ``ticker/bookTicker``."""
    event = book_ticker_event(market)
    return {
        "symbol": event["s"],
        "bidPrice": event["b"],
        "bidQty": event["B"],
        "askPrice": event["a"],
        "askQty": event["A"],
    }


def day_row(market: Market, now: int) -> Document:
    """One row of ``ticker/24hr``; all zeros before the first trade."""
    listing = market.listing
    day = market.tape.day(now) or Candle(now, 0, 0, 0, 0)
    last = market.tape.last
    bid, bid_lots, ask, ask_lots = best(market)
    return {
        "symbol": listing.id,
        "priceChange": listing.price_text(day.close - day.open),
        "priceChangePercent": f"{100 * (day.close / day.open - 1) if day.open else 0:.3f}",
        "weightedAvgPrice": listing.price_text(day.notional // day.lots if day.lots else 0),
        "prevClosePrice": listing.price_text(day.open),
        "lastPrice": listing.price_text(day.close),
        "lastQty": listing.lots_text(last.lots if last else 0),
        "bidPrice": listing.price_text(bid),
        "bidQty": listing.lots_text(bid_lots),
        "askPrice": listing.price_text(ask),
        "askQty": listing.lots_text(ask_lots),
        "openPrice": listing.price_text(day.open),
        "highPrice": listing.price_text(day.high),
        "lowPrice": listing.price_text(day.low),
        "volume": listing.lots_text(day.lots),
        "quoteVolume": listing.notional_text(day.notional),
        "openTime": milliseconds(day.open_ts),
        "closeTime": milliseconds(now),
        "firstId": day.first,
        "lastId": day.last,
        "count": day.count,
    }


def mini_ticker_event(market: Market, now: int, event_ms: int) -> Document:
    row = day_row(market, now)
    return {
        "e": "24hrMiniTicker",
        "E": event_ms,
        "s": row["symbol"],
        "c": row["lastPrice"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
    }


def ticker_event(market: Market, now: int, event_ms: int) -> Document:
    row = day_row(market, now)
    names = {
        "p": "priceChange",
        "P": "priceChangePercent",
        "w": "weightedAvgPrice",
        "x": "prevClosePrice",
        "c": "lastPrice",
        "Q": "lastQty",
        "b": "bidPrice",
        "B": "bidQty",
        "a": "askPrice",
        "A": "askQty",
        "o": "openPrice",
        "h": "highPrice",
        "l": "lowPrice",
        "v": "volume",
        "q": "quoteVolume",
        "O": "openTime",
        "C": "closeTime",
        "F": "firstId",
        "L": "lastId",
        "n": "count",
    }
    event = {short: row[name] for short, name in names.items()}
    return {"e": "24hrTicker", "E": event_ms, "s": row["symbol"], **event}
