"""Where orders meet the market: the matching core, and the simulated venue of replay and paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading.costs import CostModel
from mirrorcore.trading.orders import (
    ACCEPTED,
    CANCELLED,
    FILLED,
    PARTIALLY_FILLED,
    Fill,
    Order,
)
from mirrorcore.trading.units import Units, ratio_of


class MatchingEngine:
    """Working orders and what happens to them; subclasses say when, how much and at what price.

    Attributes
    ----------
    working: accepted orders not yet finished, oldest first.
    working_lots: per symbol, signed lots that ``working`` still has to fill.
    finished: filled or cancelled orders that the order path has not yet taken over.
    """

    __slots__ = ("costs", "finished", "units", "working", "working_lots")

    def __init__(self, instruments: Sequence[Instrument], costs: CostModel) -> None:
        # What the account counts in is no business of a venue: a fill has its symbol's currency.
        self.units = Units(instruments, instruments[0].settlement if instruments else None)
        self.costs = costs
        self.working: list[Order] = []
        self.working_lots = [0] * len(self.units)
        self.finished: list[Order] = []

    def submit(self, order: Order, now: int) -> None:
        """Accept an order; it waits until it is filled or cancelled."""
        if not order.lots:
            raise ValueError(f"order {order.client_id} has no lots")
        order.move(ACCEPTED, now)
        self.working.append(order)
        self.working_lots[order.symbol] += order.lots

    def cancel(self, order: Order, now: int, reason: str) -> None:
        """Withdraw what is still to be filled."""
        order.move(CANCELLED, now)
        order.outcome = reason
        self.working_lots[order.symbol] -= order.remaining
        self._finish(order)

    def _finish(self, order: Order) -> None:
        self.working.remove(order)
        self.finished.append(order)

    def _fill(
        self, order: Order, lots: int, price_ticks: int, reference: int, *, ts: int, now: int
    ) -> Fill:
        """Fill ``lots`` of an order; ``reference`` is the price before slippage."""
        size = abs(lots) * self.units.value[order.symbol]
        fill = Fill(
            order.client_id,
            order.sequence,
            order.symbol,
            ts,
            now,
            lots,
            price_ticks,
            self.costs.fee(size * price_ticks),
            size * abs(price_ticks - reference),
        )
        order.filled += lots
        self.working_lots[order.symbol] -= lots
        if order.filled == order.lots:
            order.move(FILLED, now)
            self._finish(order)
        else:
            order.move(PARTIALLY_FILLED, now)
        return fill

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`."""
        return {
            "working": [order.dump() for order in self.working],
            "finished": [order.dump() for order in self.finished],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self.working = [Order.load(plain) for plain in state["working"]]
        self.finished = [Order.load(plain) for plain in state["finished"]]
        self.working_lots[:] = [0] * len(self.units)
        for order in self.working:
            self.working_lots[order.symbol] += order.remaining


class SimulatedVenue(MatchingEngine):
    """Fills at the open of the symbol's next bar, never of the bar that made the decision.

    The open is slipped and rounded against us, all orders of a symbol together take at most
    ``participation`` of the bar's volume in the order they came, and the rest is cancelled. A bar
    without volume fills nothing; a symbol without a bar keeps its orders waiting.
    """

    __slots__ = ("_share_den", "_share_num", "participation")

    def __init__(
        self,
        instruments: Sequence[Instrument],
        costs: CostModel,
        participation: float,
    ) -> None:
        super().__init__(instruments, costs)
        if not 0 < participation <= 1:
            raise ConfigError(
                f"participation was {participation}, must be in 0..1 and above 0",
                hint="it is the largest share of a bar's volume that may be taken",
            )
        self.participation = participation
        self._share_num, self._share_den = ratio_of(participation)

    def match(
        self,
        ts: int,
        open_ts: Sequence[int],
        present: Sequence[bool],
        open_: Sequence[float],
        volume: Sequence[float],
    ) -> list[Fill]:
        """Fill what the bars of one tick allow.

        Parameters
        ----------
        ts: instant of the tick, ns. The rest per symbol, as in a row of a market block.
        """
        fills: list[Fill] = []
        if not self.working:
            return fills
        left: dict[int, int] = {}
        for order in tuple(self.working):
            symbol = order.symbol
            if not present[symbol] or open_ts[symbol] < order.ts:
                continue
            if not math.isfinite(open_[symbol]):
                continue
            room = left.get(symbol)
            if room is None:
                room = self._room(symbol, volume[symbol])
            left[symbol] = room - self._match_one(
                order, room, float(open_[symbol]), int(open_ts[symbol]), ts, fills
            )
        return fills

    def _match_one(
        self, order: Order, room: int, price: float, opened: int, now: int, fills: list[Fill]
    ) -> int:
        """Fill or cancel one order at one bar; returns the lots taken from the volume."""
        side = 1 if order.lots > 0 else -1
        reference = round(price / self.units.tick_size[order.symbol])
        price_ticks = self.costs.slipped(self._against(order.symbol, price, side), side)
        if order.bound is not None and (price_ticks - order.bound) * side > 0:
            order.refused = price_ticks
            self.cancel(order, now, "price_collar")
            return 0
        take = min(abs(order.remaining), room)
        if take:
            fills.append(self._fill(order, side * take, price_ticks, reference, ts=opened, now=now))
        if order.remaining:
            self.cancel(order, now, "volume")
        return take

    def _against(self, symbol: int, price: float, side: int) -> int:
        """The price in ticks; one that lies between two ticks is taken on the worse side."""
        exact = price / self.units.tick_size[symbol]
        nearest = round(exact)
        # Prices are on the grid up to the error of their decimal notation in floating point.
        if abs(exact - nearest) <= 1e-6 + abs(exact) * 1e-15:
            return nearest
        return math.ceil(exact) if side > 0 else math.floor(exact)

    def _room(self, symbol: int, volume: float) -> int:
        """Lots that may be taken out of a bar's volume, given in base currency."""
        if not math.isfinite(volume) or volume <= 0:
            return 0
        return round(volume / self.units.lot_base[symbol]) * self._share_num // self._share_den
