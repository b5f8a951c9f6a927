"""Small worlds to trade in: instruments, an order path with its parts, and a bar at a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mirrorcore.clock import MINUTE
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading import (
    CostModel,
    Fill,
    Gateway,
    Ledger,
    LimitConfig,
    Limits,
    Order,
    OrderPath,
    SimulatedVenue,
)

PLAIN_LIMITS: dict[str, Any] = {
    "gross": 1.5,
    "net": 1.0,
    "per_symbol": 0.4,
    "daily_loss": 0.05,
    "drawdown": 0.20,
    "order_rate": 30,
    "price_collar": 0.05,
    "stale_bars": 3.0,
}


def limit_config(**changes: Any) -> LimitConfig:
    """Plain limits with some of them changed."""
    return LimitConfig(**{**PLAIN_LIMITS, **changes})


BAR = 5 * MINUTE
START = 1_700_000_000 * 10**9 // BAR * BAR


def instrument(symbol: str = "AAA/USDT", **changes: Any) -> Instrument:
    """A described instrument with ticks of a cent and lots of a thousandth."""
    base, _, quote = symbol.partition("/")
    fields: dict[str, Any] = {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settlement": quote,
        "tick": Decimal("0.01"),
        "lot": Decimal("0.001"),
        "described": True,
    }
    return Instrument(**{**fields, **changes})


def instruments(count: int, **changes: Any) -> list[Instrument]:
    return [instrument(f"{'ABCDEFGH'[i] * 3}/USDT", **changes) for i in range(count)]


class World:
    """An order path over a market that the test writes bar by bar.

    ``tick`` plays one bar interval: the venue fills at the opens, the books are marked at the
    closes, the path steps. Prices are in ticks.
    """

    def __init__(
        self,
        listed: Sequence[Instrument],
        *,
        limits: LimitConfig | None = None,
        costs: CostModel | None = None,
        initial: str = "10000",
        run_id: str = "0123456789abcdef",
        participation: float = 0.1,
    ) -> None:
        self.listed = list(listed)
        self.costs = costs or CostModel(10.0, 5.0)
        self.ledger = Ledger(self.listed, Decimal(initial))
        self.venue = SimulatedVenue(self.listed, self.costs, participation)
        self.limits = Limits(limits or limit_config())
        self.gateway = Gateway()
        self.path = OrderPath(run_id, self.ledger, self.venue, self.limits, self.gateway)
        self.ts = START
        self.marks = [0] * len(self.listed)
        self.fills: list[Fill] = []

    def tick(
        self,
        targets: Sequence[float],
        closes: Sequence[int],
        *,
        opens: Sequence[int] | None = None,
        present: Sequence[bool] | None = None,
        volume: Sequence[float] | float = 1e9,
        fresh: Sequence[bool] | None = None,
    ) -> Sequence[Order]:
        count = len(self.listed)
        present = [True] * count if present is None else present
        volume = [volume] * count if isinstance(volume, float | int) else volume
        opened = [self.ts] * count
        self.ts += BAR
        floats = [
            float(i.tick * ticks) for i, ticks in zip(self.listed, opens or closes, strict=True)
        ]
        booked = self.venue.match(self.ts, opened, present, floats, volume)
        self.path.book(self.ts, booked)
        self.fills += booked
        self.marks = [
            close if here else mark
            for close, here, mark in zip(closes, present, self.marks, strict=True)
        ]
        return self.path.step(
            self.ts,
            list(targets),
            self.marks,
            self.ledger.equity(self.marks),
            [True] * count if fresh is None else fresh,
        )

    @property
    def equity(self) -> int:
        return self.ledger.equity(self.marks)

    def hits(self) -> dict[tuple[str, int | None], int]:
        """How often each limit has bound, by limit and symbol."""
        counts: dict[tuple[str, int | None], int] = {}
        for hit in self.limits.hits.rows():
            key = (hit.limit, hit.symbol)
            counts[key] = counts.get(key, 0) + hit.count
        return counts
