"""Trades of one source and symbol in columns, in the order they arrived."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.records import Trade

Sides = npt.NDArray[np.int8]
"""Side of the taker: 1 bought, -1 sold, 0 unknown."""

_SIDE = {"buy": 1, "sell": -1, "": 0}
_NAME = ("", "buy", "sell")  # by the number of the side; -1 is the last


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """n trades; every array has shape (n,). Times in ns UTC, ``seq`` the venue's trade number."""

    ts_event: Ints
    ts_recv: Ints
    ts_avail: Ints
    seq: Ints
    epoch: Ints
    flags: Ints
    price: Floats
    quantity: Floats
    side: Sides

    def __len__(self) -> int:
        return len(self.ts_event)

    def take(self, where: Bools | Ints | slice) -> TradeColumns:
        """The rows chosen by a mask, by indices or by a slice (then as views)."""
        return TradeColumns(*(getattr(self, name)[where] for name in TRADE_FIELDS))

    def values(self, row: int) -> dict[str, float]:
        """One row for a quarantine sample."""
        return {
            "seq": int(self.seq[row]),
            "price": float(self.price[row]),
            "quantity": float(self.quantity[row]),
        }

    def records(self, source: str, symbol: str) -> list[Trade]:
        """The same trades as records."""
        columns = (getattr(self, name).tolist() for name in TRADE_FIELDS)
        return [
            Trade(
                source=source,
                symbol=symbol,
                ts_event=event,
                ts_recv=receipt,
                ts_avail=avail,
                seq=seq,
                epoch=epoch,
                flags=flags,
                price=price,
                quantity=quantity,
                side=_NAME[side],  # type: ignore[arg-type]
                trade_id=str(seq) if seq else "",
            )
            for event, receipt, avail, seq, epoch, flags, price, quantity, side in zip(
                *columns, strict=True
            )
        ]

    @classmethod
    def of(cls, trades: Sequence[Trade]) -> TradeColumns:
        """The same trades in columns.

        Raises
        ------
        TypeError, OverflowError, KeyError
            where a field has another type than its record declares, or no known side. (numpy
            would read the text ``"100"`` as a number and None as NaN.)
        """
        return cls(
            ts_event=whole_numbers([t.ts_event for t in trades]),
            ts_recv=whole_numbers([t.ts_recv for t in trades]),
            ts_avail=whole_numbers([t.ts_avail for t in trades]),
            seq=whole_numbers([t.seq for t in trades]),
            epoch=whole_numbers([t.epoch for t in trades]),
            flags=whole_numbers([t.flags for t in trades]),
            price=numbers([t.price for t in trades]),
            quantity=numbers([t.quantity for t in trades]),
            side=np.array([_SIDE[t.side] for t in trades], np.int8),
        )

    @classmethod
    def joined(cls, parts: Sequence[TradeColumns]) -> TradeColumns:
        """Several one after the other."""
        parts = parts or (cls.of(()),)
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in TRADE_FIELDS))


TRADE_FIELDS = tuple(TradeColumns.__dataclass_fields__)
"""Names of the columns, in order."""


def whole_numbers(values: Sequence[int]) -> Ints:
    """A column of integers; TypeError or OverflowError where one is none of 64 bits."""
    return np.frombuffer(array("q", values), np.int64)


def numbers(values: Sequence[float]) -> Floats:
    """A column of floats; TypeError where one is no number."""
    return np.frombuffer(array("d", values), np.float64)
