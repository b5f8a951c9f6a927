"""Why something was traded, as the swarm hands it over: plain facts, nothing computed by a report.

Instants are nanoseconds UTC, weights shares of equity, money in the settlement currency. None is
what there was not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A value of the market that voters looked at; ``known_at`` (``ts_avail``) is when the newest
    record behind it became available, None where there was none."""

    category: str
    name: str
    value: float | None
    known_at: int | None
    age_ns: int | None
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One voter's say. ``forecast`` is its probability of a rise as it counted, faded by age.

    ``weight`` and ``trust`` are the oracle's; ``pull`` is what it added to the edge of the symbol,
    ``market_pull`` to that of the market, in sd per bar. ``cast_at`` is when it voted last.
    """

    agent: str
    forecast: float | None
    cast_at: int | None
    age_ns: int | None
    weight: float | None
    trust: float | None
    pull: float | None
    market_pull: float | None
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """What the oracle made of the votes; ``edge_sum`` and ``market_sum`` are the sums of the pulls,
    ``edge`` and ``market_edge`` what it published, which is clipped."""

    agent: str
    said_at: int
    edge_sum: float | None
    edge: float | None
    market_sum: float | None
    market_edge: float | None
    conviction: float | None
    consensus: float | None
    forecast: float | None
    volatility: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate of the mind: ``share`` is what was followed, ``said`` what its agent published, with
    the factors it is the product of."""

    agent: str | None
    share: float
    silent: bool
    said: float | None
    said_at: int | None
    factors: Mapping[str, float]
    reasons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A limit that bound at this tick; ``symbol`` empty where the whole book was cut."""

    limit: str
    symbol: str
    asked: float
    allowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One symbol of the book at the tick of a decision, in weights."""

    symbol: str
    price: float | None
    held: float
    target: float
    wanted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """A decision about one symbol at one tick.

    ``target`` is the allocator's, ``wanted`` what the gate left of it, ``held`` what there was.
    ``blocked`` are limits reached earlier that still forbid new risk or any position.
    """

    id: str
    tick: int
    ts: int
    symbol: str
    equity: float
    price: float | None
    bar_open: int | None
    budget: float | None
    held: float
    target: float
    wanted: float
    fusion: Fusion | None
    votes: tuple[Vote, ...]
    reads: tuple[Read, ...]
    gate: Gate
    clips: tuple[Clip, ...]
    blocked: tuple[str, ...]
    gateway: str
    book: tuple[Line, ...]
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """An order and what became of it; ``quantity`` is signed, positive buys.

    ``average`` is the mean price of its fills by quantity, None where there is none.
    """

    id: str
    number: int
    symbol: str
    ts: int
    quantity: Decimal
    filled: Decimal
    status: str
    outcome: str
    reason: str
    reduce_only: bool
    mark: Decimal | None
    bound: Decimal | None
    refused: Decimal | None
    average: Decimal | None
    updated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFacts:
    """A fill; ``id`` is its order's with its number among that order's fills."""

    id: str
    order: str
    symbol: str
    ts: int
    known_at: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    slippage: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFacts:
    """A trade from flat, or a change of sign, to the next. ``net`` is after fees; of an open trade
    it is what has been realised so far."""

    id: str
    symbol: str
    side: str
    is_open: bool
    opened: int
    closed: int | None
    quantity: Decimal
    entry: Decimal
    exit: Decimal | None
    gross: Decimal
    fees: Decimal
    slippage: Decimal
    net: Decimal
    opened_by: str
    closed_by: str
    fills: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How the answer was found: what was run again, and whether it came out as it was recorded.

    ``same`` is None where the journal has no hash to compare with: the run was killed before.
    """

    same: bool | None
    blocks: int
    differing: tuple[str, ...]
    begun_at: tuple[int | None, ...]
    ticks: int
    orders_compared: int
    changes: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer to one *why*; ``kind`` is decision, order, fill or trade."""

    kind: str
    id: str
    run_id: str
    currency: str
    headline: str
    proof: Proof
    decisions: tuple[DecisionFacts, ...]
    orders: tuple[OrderFacts, ...] = ()
    fills: tuple[FillFacts, ...] = ()
    trade: TradeFacts | None = None
    trades: tuple[str, ...] = ()
    """Ids of the trades that the orders belong to."""

    def document(self) -> dict[str, Any]:
        """Everything as JSON can hold it; what is no number is null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain

    @classmethod
    def read(cls, document: object) -> Explanation:
        """What :meth:`document` gave, also after its way through JSON.

        Raises
        ------
        msgspec.ValidationError: it is no such document, perhaps of another version.
        """
        return msgspec.convert(document, cls, strict=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
