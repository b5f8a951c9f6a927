"""CCXT's dictionaries as records; what is not there is missing, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from mirrorcore.clock import HOUR, MILLISECOND
from mirrorcore.data_sources.live import SourceError
from mirrorcore.market.instruments import DEFAULT_STEP, Instrument
from mirrorcore.market.records import (
    Bar,
    BookSnapshot,
    Flag,
    Funding,
    GapRecord,
    Levels,
    Quote,
    Trade,
)


class Reader:
    """Records of one venue, stamped with its name.

    ``now`` is when the message was received, ns; live records are available at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def trade(self, raw: Mapping[str, Any], now: int, flags: int = 0) -> Trade:
        """A print; its number where its id is one."""
        name = str(raw.get("id") or "")
        side = raw.get("side")
        return Trade(
            **self._stamps(raw, now, flags),
            seq=int(name) if name.isdecimal() else 0,
            price=float(raw["price"]),
            quantity=float(raw["amount"]),
            side=side if side in ("buy", "sell") else "",
            trade_id=name,
        )

    def quote(self, raw: Mapping[str, Any], now: int) -> Quote | None:
        """Best bid and ask of a ticker; None where it has not both."""
        if raw.get("bid") is None or raw.get("ask") is None:
            return None
        return Quote(
            **self._stamps(raw, now),
            bid=float(raw["bid"]),
            ask=float(raw["ask"]),
            bid_size=float(raw.get("bidVolume") or 0.0),
            ask_size=float(raw.get("askVolume") or 0.0),
        )

    def book(self, raw: Mapping[str, Any], depth: int, now: int) -> BookSnapshot:
        """The best ``depth`` levels of each side."""
        return BookSnapshot(
            **self._stamps(raw, now),
            seq=int(raw.get("nonce") or 0),
            bids=levels(raw["bids"], depth),
            asks=levels(raw["asks"], depth),
        )

    def bar(self, symbol: str, row: Sequence[float], bar_ns: int, now: int, flags: int = 0) -> Bar:
        """A finished candle of the past, available at its close."""
        start = int(row[0]) * MILLISECOND
        return Bar(
            source=self._name,
            symbol=symbol,
            ts_event=start,
            ts_recv=max(now, start + bar_ns),
            ts_avail=start + bar_ns,
            flags=flags,
            open=float(row[1]),
            high=float(row[2]),
            low=float(row[3]),
            close=float(row[4]),
            volume=float(row[5]),
        )

    def funding(self, raw: Mapping[str, Any], now: int) -> Funding | None:
        """The rate now in force; None where the venue does not say it. Eight hours by custom."""
        rate = raw.get("fundingRate")
        if rate is None:
            return None
        told = str(raw.get("interval") or "8h")
        hours = int(told.removesuffix("h")) if told.removesuffix("h").isdecimal() else 8
        return Funding(**self._stamps(raw, now), rate=float(rate), interval_ns=hours * HOUR)

    def gap(self, symbol: str, reason: str, now: int) -> GapRecord:
        """A book was dropped; it is read anew, so nothing is to be filled."""
        return GapRecord(
            source=self._name,
            symbol=symbol,
            ts_event=now,
            ts_recv=now,
            ts_avail=now,
            start=now,
            end=now,
            reason=reason,
        )

    def _stamps(self, raw: Mapping[str, Any], now: int, flags: int = 0) -> dict[str, Any]:
        told = raw.get("timestamp")
        return {
            "source": self._name,
            "symbol": str(raw["symbol"]),
            "ts_event": now if told is None else int(told) * MILLISECOND,
            "ts_recv": now,
            "ts_avail": now,
            "flags": flags,
        }


def levels(side: Sequence[Sequence[float]], depth: int) -> Levels:
    """The first ``depth`` levels of one side of CCXT's book."""
    return tuple((float(level[0]), float(level[1])) for level in side[:depth])


def crossed(book: Mapping[str, Any]) -> bool:
    """Whether somebody bids as much as is asked: levels that went were not taken out."""
    bids, asks = book["bids"], book["asks"]
    return bool(bids and asks and bids[0][0] >= asks[0][0])


def instrument(market: Mapping[str, Any], venue: str, *, places: bool) -> Instrument:
    """What the venue says of a market: steps, minimum, and that spot cannot be sold short.

    ``places``: it tells steps as numbers of decimal places.
    """
    if not market.get("active", True):
        raise SourceError(
            f"{venue}: {market['symbol']} is not traded now", permanent=True, case="symbol"
        )
    steps, limits = market.get("precision") or {}, market.get("limits") or {}
    cost = (limits.get("cost") or {}).get("min")
    return Instrument(
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        settlement=str(market.get("settle") or market["quote"]),
        tick=_step(steps.get("price"), places=places),
        lot=_step(steps.get("amount"), places=places),
        minimum=Decimal(0) if cost is None else Decimal(str(cost)),
        multiplier=Decimal(str(market.get("contractSize") or 1)),
        shortable=not market.get("spot", True),
        venue=venue,
        sparse=True,
        described=True,
    )


def _step(told: Any, *, places: bool) -> Decimal:
    if told is None:
        return DEFAULT_STEP
    return Decimal(1).scaleb(-int(told)) if places else Decimal(str(told))


BACKFILL = int(Flag.BACKFILL)
