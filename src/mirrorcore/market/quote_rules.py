"""Best bid and ask: one quote after the other, by source and symbol.

A quote whose bid is above its ask is held back and the last good one stays in force; once that
lasts, the source says nothing usable any more, and a status tells so.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from mirrorcore import clock
from mirrorcore.market import bar_rules as rules
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Flag, Quote, Status
from mirrorcore.market.rulings import Ruling, time_fault, type_fault
from mirrorcore.market.trade_rules import TIME_SLACK

CROSSED_TIMES = 5
CROSSED_FOR = 5 * clock.SECOND
"""Crossed so many times in a row, or for so long, a quote or book is no blink of the feed."""
_LEVEL = 7
_PLAINLY = 0.25
"""Within a factor of four of the last one no decimal point is out of place."""
_MOVES = 64


@dataclass(slots=True)
class CrossedSpell:
    """How long bid has been above ask."""

    times: int = 0
    since: int = 0
    told: bool = False

    def begins_to_last(self, event: int) -> bool:
        """Count one more crossed record; True once in a spell, when it has lasted."""
        if not self.times:
            self.since = event
        self.times += 1
        lasts = self.times > CROSSED_TIMES or event - self.since > CROSSED_FOR
        fresh = lasts and not self.told
        self.told = lasts
        return fresh

    def end(self) -> None:
        self.times = 0
        self.told = False


@dataclass(slots=True)
class QuoteTrack:
    """The memory of one source's quotes of one symbol; parameters as of ``TradeTrack``."""

    tolerance_ns: int
    closes: bool = False
    negative_prices: bool = False
    bounds: tuple[float, float] | None = None
    last: Quote | None = None
    """The last good quote."""
    spell: CrossedSpell = field(default_factory=CrossedSpell)
    mids: deque[float] = field(default_factory=lambda: deque(maxlen=_LEVEL))
    moves: deque[float] = field(default_factory=lambda: deque(maxlen=_MOVES))
    refused_in_a_row: int = 0
    accepted: int = 0

    def judge(self, quote: Quote) -> Ruling:
        """Judge the next quote and remember it if it is good."""
        case = self._fault(quote)
        if case is Case.CROSSED:
            return self._crossed(quote)
        if case is not Case.NONE:
            return Ruling(case)
        before = (_status(quote, "live", "bid below ask again"),) if self.spell.told else ()
        self.spell.end()
        flags, noted = self._marks(quote)
        if self.last is None or not _is_late(quote, self.last):
            self.last = quote
        self.accepted += 1
        return Ruling(flags=flags, noted=noted, before=before)

    def _fault(self, quote: Quote) -> Case:
        fault = Case.NONE if _plain(quote) else type_fault(quote)
        if fault is Case.NONE:
            fault = time_fault(quote, self.tolerance_ns)
        if fault is not Case.NONE:
            return fault
        bid, ask = quote.bid, quote.ask
        if not math.isfinite(bid + ask + quote.bid_size + quote.ask_size):
            return Case.NOT_FINITE
        if not self.negative_prices and (bid <= 0 or ask <= 0):
            return Case.PRICE_NOT_POSITIVE
        if quote.bid_size < 0 or quote.ask_size < 0:
            return Case.NEGATIVE_VOLUME
        if self.bounds is not None and not (self.bounds[0] <= bid and ask <= self.bounds[1]):
            return Case.OUT_OF_RANGE
        case = self._repeated(quote)
        if case is Case.NONE:
            # A decimal point out of place on one side also crosses: it is the graver fault.
            case = self._decimal(quote)
        return Case.CROSSED if case is Case.NONE and bid > ask else case

    def _repeated(self, quote: Quote) -> Case:
        last = self.last
        if last is None or (quote.seq, quote.ts_event) != (last.seq, last.ts_event):
            replayed = last is not None and 0 < quote.seq <= last.seq and quote.epoch > last.epoch
            return Case.REPLAYED if replayed else Case.NONE
        same = (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (
            last.bid,
            last.ask,
            last.bid_size,
            last.ask_size,
        )
        if same:
            return Case.REPLAYED if quote.epoch > last.epoch else Case.DUPLICATE
        return Case.REVISED if quote.seq else Case.NONE

    def _decimal(self, quote: Quote) -> Case:
        if not self.mids:
            return Case.NONE
        newest = self.mids[-1]
        if quote.bid > _PLAINLY * newest and newest > _PLAINLY * quote.ask:
            return Case.NONE
        level = median(self.mids)
        if not (_shifted(level, quote.bid) or _shifted(level, quote.ask)):
            return Case.NONE
        if self.accepted < _LEVEL + 1 and self.refused_in_a_row >= self.accepted:
            self.refused_in_a_row = 0
            self.mids.clear()
            return Case.NONE
        self.refused_in_a_row += 1
        return Case.DECIMAL_SHIFT

    def _crossed(self, quote: Quote) -> Ruling:
        lasting = self.spell.begins_to_last(quote.ts_event)
        if not lasting:
            return Ruling(Case.CROSSED)
        status = _status(quote, "stale", f"bid above ask {self.spell.times} times in a row")
        return Ruling(Case.CROSSED, noted=(Case.CROSSED_LONG,), before=(status,))

    def _marks(self, quote: Quote) -> tuple[int, tuple[Case, ...]]:
        flags, noted = 0, []
        if quote.bid == quote.ask:
            flags |= Flag.LOCKED
            noted.append(Case.LOCKED)
        last = self.last
        if last is not None and _is_late(quote, last):
            flags |= Flag.OUT_OF_ORDER
            noted.append(Case.LATE)
        mid = (quote.bid + quote.ask) / 2
        if self.mids and self._far(abs(mid / self.mids[-1] - 1.0)):
            flags |= Flag.OUTLIER
            noted.append(Case.OUTLIER)
        self.mids.append(mid)
        self.refused_in_a_row = 0
        if self.closes and rules.market_closed_at(quote.ts_event):
            flags |= Flag.MARKET_CLOSED
            noted.append(Case.MARKET_CLOSED)
        return flags, tuple(noted)

    def _far(self, move: float) -> bool:
        far = move > rules.OUTLIER_LEAST and len(self.moves) >= _MOVES // 2
        if far:
            usual = median(self.moves) * rules.NORMAL_MAD
            far = move > rules.OUTLIER_SCALES * usual
        self.moves.append(move)
        return far


def _plain(quote: Quote) -> bool:
    """Types exactly as declared, as every decoder makes them: the quick way to say so."""
    return (
        type(quote.bid) is type(quote.ask) is float
        and type(quote.bid_size) is type(quote.ask_size) is float
        and type(quote.ts_event) is type(quote.ts_recv) is type(quote.ts_avail) is int
        and type(quote.seq) is type(quote.epoch) is type(quote.flags) is int
        and quote.seq >= 0
        and quote.epoch >= 0
        and 0 <= quote.flags < 2**63
        and quote.ts_avail < 2**63
        and quote.ts_recv < 2**63
    )


def _status(quote: Quote, state: Literal["stale", "live"], reason: str) -> Status:
    return Status(
        source=quote.source,
        symbol=quote.symbol,
        ts_event=quote.ts_event,
        ts_recv=quote.ts_recv,
        ts_avail=quote.ts_avail,
        epoch=quote.epoch,
        state=state,
        reason=reason,
    )


def _is_late(quote: Quote, last: Quote) -> bool:
    if quote.seq and last.seq:
        return quote.seq < last.seq or quote.ts_event < last.ts_event - TIME_SLACK
    return quote.ts_event < last.ts_event


def _shifted(level: float, price: float) -> bool:
    """Whether the price is a power of ten away from the level; see ``bar_rules.shifted``."""
    if level <= 0 or price <= 0:
        return False
    ratio = max(price / level, level / price)
    return ratio >= rules.SHIFT_FROM and rules.near_power_of_ten(ratio)
