"""Two venues that quote one symbol watch each other: a price that differs for long is not believed.

A difference of a moment is arbitrage; one of many seconds is a venue that shows an old price, lost
its peg to the world, or means another asset by the same name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mirrorcore.clock import SECOND
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    BookSnapshot,
    FeedRecord,
    Quote,
    Status,
    Trade,
)

NAME = "price_check"
"""``source`` of the statuses told here."""
_GONE = ("stale", "down", "halted", "closed")


@dataclass(frozen=True, slots=True)
class PriceCheckPolicy:
    """``share`` apart for longer than ``for_ns`` is divergence; prices older than ``fresh_ns`` are
    not compared. A venue's mid counts before its last trade while it is fresh."""

    share: float = 0.002
    for_ns: int = 5 * SECOND
    fresh_ns: int = 10 * SECOND


class PriceCheck:
    """Reads every record in order and answers with statuses of symbols.

    Divergence is told once, ``live`` once when the venues agree again. A venue that fell silent
    clears nobody: what cannot be compared stays as it was.
    """

    def __init__(self, policy: PriceCheckPolicy | None = None) -> None:
        self._policy = policy or PriceCheckPolicy()
        self._prices: dict[str, dict[str, dict[str, tuple[float, int]]]] = {}
        self._apart_since: dict[str, int] = {}
        self._diverged: dict[str, None] = {}

    @property
    def diverged(self) -> tuple[str, ...]:
        """Symbols not believed at present."""
        return tuple(self._diverged)

    def read(self, records: Iterable[FeedRecord], now: int) -> list[Status]:
        """What changes through these records, and by ``now`` through the passing of time."""
        told: list[Status] = []
        for record in records:
            if isinstance(record, Status):
                self._gone(record)
            elif (found := _price(record)) is not None:
                kind, price = found
                venues = self._prices.setdefault(record.symbol, {})
                venues.setdefault(record.source, {})[kind] = (price, record.ts_avail)
                told += self._judge(record.symbol, record.ts_avail)
        for symbol in list(self._apart_since):
            told += self._judge(symbol, now)
        return told

    def _gone(self, status: Status) -> None:
        if status.state in _GONE:
            for symbol, venues in self._prices.items():
                if status.symbol in (symbol, ALL_SYMBOLS):
                    venues.pop(status.source, None)

    def _judge(self, symbol: str, now: int) -> list[Status]:
        prices = self._fresh(symbol, now)
        if len(prices) < 2:
            self._apart_since.pop(symbol, None)
            return []
        low, high = min(prices), max(prices)
        text = f"{high[1]} has {high[0]:.10g}, {low[1]} has {low[0]:.10g}"
        if high[0] / low[0] - 1 <= self._policy.share:
            self._apart_since.pop(symbol, None)
            if symbol not in self._diverged:
                return []
            del self._diverged[symbol]
            return [_status(symbol, "live", f"venues agree again: {text}", now)]
        since = self._apart_since.setdefault(symbol, now)
        if symbol in self._diverged or now - since <= self._policy.for_ns:
            return []
        self._diverged[symbol] = None
        return [_status(symbol, "diverged", text, now)]

    def _fresh(self, symbol: str, now: int) -> list[tuple[float, str]]:
        """(price, venue) of each venue that has a fresh one; its mid first."""
        found = []
        for venue, kinds in self._prices.get(symbol, {}).items():
            for kind in ("mid", "last"):
                price, at = kinds.get(kind, (0.0, 0))
                if price > 0 and now - at <= self._policy.fresh_ns:
                    found.append((price, venue))
                    break
        return found


def _price(record: FeedRecord) -> tuple[str, float] | None:
    """What kind of price a record tells; a bar tells none that is of now."""
    match record:
        case Quote():
            return "mid", (record.bid + record.ask) / 2
        case BookSnapshot() if record.bids and record.asks:
            return "mid", (record.bids[0][0] + record.asks[0][0]) / 2
        case Trade():
            return "last", record.price
    return None


def _status(symbol: str, state: str, reason: str, now: int) -> Status:
    return Status(
        source=NAME,
        symbol=symbol,
        ts_event=now,
        ts_recv=now,
        ts_avail=now,
        state=state,  # type: ignore[arg-type]
        reason=reason,
    )
