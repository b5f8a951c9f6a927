"""One order's life: what was asked for, what became of it, and which states may follow which."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.matching import Duration, SelfTrade


class Kind(Enum):
    """Types of order that are taken."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"


class OrderStatus(Enum):
    """Where an order stands; the last four are final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    """Self-trade prevention ended it."""

    @property
    def final(self) -> bool:
        return self not in _OPEN


_OPEN = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What somebody asks for, in ticks and lots.

    A market order gives ``lots``, or as ``budget`` the ticks × lots it may spend (buying) or wants
    to receive (selling).
    """

    buy: bool
    kind: Kind
    lots: int
    price: int | None = None
    duration: Duration = Duration.GTC
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    budget: int | None = None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade seen from one order. ``fee`` in units of ``fee_asset``."""

    trade: int
    ts: int
    price: int
    lots: int
    fee: int
    fee_asset: str
    maker: bool


@dataclass(slots=True, eq=False)
class Order:
    """An order that was taken in. ``held`` units of ``held_asset`` are still locked for it."""

    number: int
    client_id: str
    account: Account
    symbol: str
    request: OrderRequest
    created: int
    updated: int
    held_asset: str
    held: int
    status: OrderStatus = OrderStatus.NEW
    filled: int = 0
    notional: int = 0
    """Ticks × lots traded."""
    rested: bool = False
    prevented: int = 0
    """Lots that self-trade prevention took."""
    fills: list[Fill] = field(default_factory=list)
    cancel_id: str = ""
    """The client's name of the cancel, once there is one."""

    @property
    def left(self) -> int:
        return self.request.lots - self.filled

    def end(self, status: OrderStatus, ts: int) -> None:
        """Move to a final state; ValueError from one."""
        if self.status.final:
            raise ValueError(f"order {self.number} is {self.status.value} already")
        self.status = status
        self.updated = ts

    def traded(self, fill: Fill) -> None:
        if self.status.final:
            raise ValueError(f"order {self.number} traded after it was {self.status.value}")
        self.filled += fill.lots
        self.notional += fill.price * fill.lots
        self.updated = fill.ts
        self.fills.append(fill)
        self.status = OrderStatus.PARTIALLY_FILLED if self.left else OrderStatus.FILLED
