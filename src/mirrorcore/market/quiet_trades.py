"""Trades about which there is nothing to remark, one by one.

The rules of trades are written over columns, whose cost for a single trade is a hundred times that
of a trade in a batch. Almost every trade is the next number at about the last price: these are
told here by comparing a few numbers, wait in a list, and are remembered by the column rules
together. Whatever is not plainly quiet goes to those rules at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mirrorcore import clock
from mirrorcore.market.bar_rules import market_closed_at
from mirrorcore.market.records import Flag, Trade
from mirrorcore.market.timeframe import EARLIEST, LATEST

WASH_RUN = 20
"""So many trades in a row with one price and one size look made. Iceberg orders and the slices of
large market orders do that too, in quiet minutes up to 54 in a row: a flag, never a verdict."""
CLOCK_SLACK = 250 * clock.MILLISECOND
"""Our own receipts may run backwards by so much, from threads, before it is a clock step."""
_LARGEST = 1e150
_NEAR = 4.0
"""Within this factor of the last price no decimal point is out of place."""


class Calm(NamedTuple):
    """The last trade accepted, and how far the next may go from it without a remark.

    ``farthest`` is a fraction of the price, NaN while nothing is known and so nothing remarked.
    """

    last: int
    price: float
    quantity: float
    event: int
    receipt: int
    run: int
    farthest: float
    loudest: float


@dataclass(slots=True)
class QuietTrades:
    """Quiet trades that wait to be remembered; ``room`` is how many may wait at most."""

    waiting: list[Trade] = field(default_factory=list)
    room: int = 0
    _calm: Calm | None = None

    def settle(self, calm: Calm, *, room: int) -> None:
        """Begin anew after the column rules."""
        self._calm, self.room = calm, room

    def drain(self) -> list[Trade]:
        """The waiting trades, which are then to be remembered."""
        waiting, self.waiting = self.waiting, []
        return waiting

    def take(
        self,
        trade: Trade,
        tolerance_ns: int,
        bounds: tuple[float, float] | None,
        *,
        dense: bool,
        closes: bool,
    ) -> bool:
        """Whether the trade is plainly quiet; if so it waits."""
        calm = self._calm
        if calm is None or len(self.waiting) >= self.room or not _well_formed(trade):
            return False
        price, quantity, event, receipt = (
            trade.price,
            trade.quantity,
            trade.ts_event,
            trade.ts_recv,
        )
        step = trade.seq - calm.last
        follows = step == 1 if dense and calm.last else trade.seq == calm.last == 0 or step > 0
        timely = (
            max(EARLIEST, calm.event) <= event < LATEST
            and event <= receipt + tolerance_ns
            and receipt <= trade.ts_avail
            and receipt >= calm.receipt - CLOCK_SLACK
        )
        usual = (
            0.0 < price < _LARGEST
            and 0.0 < quantity <= min(calm.loudest, _LARGEST)
            and calm.price < _NEAR * price < _NEAR * _NEAR * calm.price
            and not abs(price / calm.price - 1.0) > calm.farthest
            and (bounds is None or bounds[0] <= price <= bounds[1])
        )
        if not (follows and timely and usual) or (closes and market_closed_at(event)):
            return False
        same = price == calm.price and quantity == calm.quantity
        run = calm.run + 1 if same else 0
        if run + 1 >= WASH_RUN:
            return False
        self.waiting.append(trade)
        self._calm = calm._replace(
            last=trade.seq, price=price, quantity=quantity, event=event, receipt=receipt, run=run
        )
        return True


def _well_formed(trade: Trade) -> bool:
    """Types as declared: columns of these cannot fail."""
    flags: object = trade.flags
    return (
        type(trade.price) is type(trade.quantity) is float
        and type(trade.ts_event) is type(trade.ts_recv) is type(trade.ts_avail) is int
        and type(trade.seq) is type(trade.epoch) is int
        and isinstance(flags, int)
        and 0 <= flags < 2**63
        and not flags & Flag.BACKFILL
        and 0 <= trade.epoch < 2**63
        and trade.ts_avail < LATEST
        and trade.side in ("buy", "sell", "")
        and type(trade.trade_id) is str
    )
