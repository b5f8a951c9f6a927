"""Orders, what may become of them, and fills."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec


class OrderStatus(StrEnum):
    """Where an order is in its life; :data:`NEXT_STATUS` says what may follow."""

    INTENT = "intent"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    VETOED = "vetoed"


INTENT = OrderStatus.INTENT
ACCEPTED = OrderStatus.ACCEPTED
PARTIALLY_FILLED = OrderStatus.PARTIALLY_FILLED
FILLED = OrderStatus.FILLED
CANCELLED = OrderStatus.CANCELLED
VETOED = OrderStatus.VETOED

NEXT_STATUS: dict[OrderStatus, tuple[OrderStatus, ...]] = {
    INTENT: (ACCEPTED, VETOED),
    ACCEPTED: (PARTIALLY_FILLED, FILLED, CANCELLED),
    PARTIALLY_FILLED: (PARTIALLY_FILLED, FILLED, CANCELLED),
    FILLED: (),
    CANCELLED: (),
    VETOED: (),
}


class IllegalStepError(ValueError):
    """A state machine was asked for a step its table does not have: a defect of the caller."""


class Order(msgspec.Struct):
    """A market order in whole lots.

    Attributes
    ----------
    client_id: derived from the run's identity and ``sequence``; the same after a restart.
    sequence: number within the run, from 1.
    symbol: index in the run's symbol order.
    lots: signed, positive buys.
    ts: when it was decided, ns.
    reduce_only: it can only bring the position nearer to zero.
    reason: why it exists: ``target``, ``drawdown``, ``stop``.
    mark: price in ticks it was decided at, 0 if there was none.
    bound: worst price in ticks at which it may fill; None for orders that reduce risk.
    status, filled: where it is and how many lots, signed as ``lots``, have been filled.
    outcome: why it was cancelled or vetoed, else empty.
    refused: price in ticks that was worse than ``bound``, if that is why.
    updated: instant of the last change of status, ns.
    """

    client_id: str
    sequence: int
    symbol: int
    lots: int
    ts: int
    reduce_only: bool = False
    reason: str = "target"
    mark: int = 0
    bound: int | None = None
    status: OrderStatus = INTENT
    filled: int = 0
    outcome: str = ""
    refused: int | None = None
    updated: int = 0

    @property
    def remaining(self) -> int:
        """Lots still to be filled, signed."""
        return self.lots - self.filled

    def move(self, status: OrderStatus, ts: int) -> None:
        """Take one step of the life cycle; IllegalStepError if the table has none such."""
        if status not in NEXT_STATUS[self.status]:
            raise IllegalStepError(
                f"order {self.client_id}: {self.status.name} -> {status.name} is not a step"
            )
        self.status = status
        self.updated = ts

    def row(self) -> tuple[int | str, ...]:
        """Everything but the run's identity, as integers of 64 bits and text, for a digest."""
        return (
            self.sequence,
            self.symbol,
            self.ts,
            self.updated,
            str(self.lots),
            int(self.reduce_only),
            self.status.value,
            str(self.filled),
            self.reason,
            self.mark,
            "" if self.bound is None else str(self.bound),
            self.outcome,
            "" if self.refused is None else str(self.refused),
        )

    def dump(self) -> list[Any]:
        """A plain list that :meth:`load` reads back."""
        return [self.client_id, *self.row()]

    @classmethod
    def load(cls, plain: Sequence[Any]) -> Order:
        """The order that :meth:`dump` wrote."""
        client_id, sequence, symbol, ts, updated, lots, reduce_only, *rest = plain
        status, filled, reason, mark, bound, outcome, refused = rest
        return cls(
            client_id=client_id,
            sequence=sequence,
            symbol=symbol,
            lots=int(lots),
            ts=ts,
            reduce_only=bool(reduce_only),
            reason=reason,
            mark=mark,
            bound=int(bound) if bound else None,
            status=OrderStatus(status),
            filled=int(filled),
            outcome=outcome,
            refused=int(refused) if refused else None,
            updated=updated,
        )


class Fill(msgspec.Struct, frozen=True):
    """A trade at a venue.

    Attributes
    ----------
    client_id, sequence, symbol: of its order.
    ts: when it happened, ns; for a bar fill the bar's open.
    ts_avail: when we learned of it, ns.
    lots: signed, positive bought.
    price_ticks: what was paid, slippage included.
    fee, slippage: quanta, never negative; slippage is already inside the price.
    """

    client_id: str
    sequence: int
    symbol: int
    ts: int
    ts_avail: int
    lots: int
    price_ticks: int
    fee: int
    slippage: int

    def row(self) -> tuple[int | str, ...]:
        """Everything but the run's identity, as integers of 64 bits and text, for a digest."""
        return (
            self.sequence,
            self.symbol,
            self.ts,
            self.ts_avail,
            str(self.lots),
            self.price_ticks,
            str(self.fee),
            str(self.slippage),
        )
