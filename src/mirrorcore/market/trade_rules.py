"""Trades: judged over columns, by source and symbol, against the trades accepted before.

Where the venue numbers its trades one after the other, a number that skips is a gap, one met
before is a repetition, and one that falls into an earlier gap fills it, however late it comes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from mirrorcore import clock
from mirrorcore.market import bar_rules as rules
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.intake import Case
from mirrorcore.market.quiet_trades import CLOCK_SLACK, WASH_RUN, Calm, QuietTrades
from mirrorcore.market.records import Flag, Trade
from mirrorcore.market.timeframe import EARLIEST, LATEST
from mirrorcore.market.tracks import Verdict, follow
from mirrorcore.market.trade_columns import TradeColumns
from mirrorcore.market.trade_numbers import SeenTrades, TradeNumbers
from mirrorcore.market.usual import Usual

TIME_SLACK = clock.SECOND
"""Where numbers say the order, times may run back by so much: skew is corrected as it is learnt."""
_LEVEL = 7
_YOUNG = 8
_MEMORY = 1024
"""Accepted trades in which a repetition is compared value by value."""


@dataclass(slots=True)
class TradeTrack:
    """The memory of one source's trades of one symbol.

    Parameters
    ----------
    tolerance_ns: how far the source's clock may run ahead of ours.
    dense: the venue's numbers follow each other without holes.
    closes: the market trades 24/5.
    bounds: lowest and highest plausible price.
    """

    tolerance_ns: int
    dense: bool = True
    closes: bool = False
    bounds: tuple[float, float] | None = None
    numbers: TradeNumbers = field(init=False)
    tail: TradeColumns = field(default_factory=lambda: TradeColumns.of([]))
    event: int = 0
    """Latest event time accepted."""
    receipt: int = 0
    run: int = 0
    refused_in_a_row: int = 0
    usual: Usual = field(default_factory=Usual)
    quiet: QuietTrades = field(default_factory=QuietTrades)

    def __post_init__(self) -> None:
        self.numbers = TradeNumbers(dense=self.dense)

    def passes_quietly(self, trade: Trade) -> bool:
        """Take up the next trade if there is nothing to remark about it; otherwise do nothing.

        The same verdict as that of :meth:`judge`, for one trade at a hundredth of its cost.
        """
        if len(self.quiet.waiting) >= self.quiet.room:
            self.flush()
        return self.quiet.take(
            trade, self.tolerance_ns, self.bounds, dense=self.dense, closes=self.closes
        )

    def flush(self) -> None:
        """Remember the trades that passed quietly since the last time."""
        waiting = self.quiet.drain()
        if waiting:
            self._judge(TradeColumns.of(waiting))
        self._settle()

    def renumber(self) -> None:
        """The venue numbers its trades anew: what was met under the old numbers was another one."""
        self.flush()
        self.numbers = TradeNumbers(dense=self.dense)
        self.tail = replace(self.tail, seq=np.zeros_like(self.tail.seq))
        self._settle()

    def judge(self, trades: TradeColumns) -> Verdict:
        """Judge the next trades, in their order of arrival, and remember the accepted ones."""
        self.flush()
        verdict = self._judge(trades)
        self._settle()
        return verdict

    def _settle(self) -> None:
        """Tell the quick way what is usual now, and until when."""
        tail = self.tail
        if not len(tail):
            return
        move, middle, spread = self.usual.now()
        self.quiet.settle(
            Calm(
                last=self.numbers.last,
                price=float(tail.price[-1]),
                quantity=float(tail.quantity[-1]),
                event=self.event,
                receipt=self.receipt,
                run=self.run,
                farthest=max(rules.OUTLIER_SCALES * move, rules.OUTLIER_LEAST),
                loudest=middle + rules.VOLUME_SCALES * spread if spread > 0 else math.inf,
            ),
            room=self.usual.until_next(),
        )

    def _judge(self, trades: TradeColumns) -> Verdict:
        cases = self._plain(trades)
        sound = np.flatnonzero(cases == Case.NONE)
        if len(sound):
            cases[sound] = self._in_sequence(trades, sound)
        kept = np.flatnonzero(cases == Case.NONE)
        flags = trades.flags.copy()
        noted = [(Case.CLOCK_JUMP, self._steps_back(trades))]
        if not len(kept):
            return Verdict(cases, flags, noted=tuple(noted))
        accepted = trades.take(kept) if len(kept) < len(trades) else trades
        flags[kept] |= self._marks(accepted)
        rows, gaps = self._gaps(accepted)
        after = kept[rows]
        flags[after] |= Flag.AFTER_GAP
        noted.append((Case.SEQUENCE_GAP, len(gaps)))
        self._remember(accepted)
        return Verdict(cases, flags, gaps, tuple(noted), gap_rows=tuple(after.tolist()))

    def _plain(self, trades: TradeColumns) -> rules.Cases:
        cases = np.zeros(len(trades), np.int8)
        event, price, quantity = trades.ts_event, trades.price, trades.quantity
        with np.errstate(invalid="ignore", over="ignore"):
            faults = [
                ((event < EARLIEST) | (event >= LATEST), Case.TIME_RANGE),
                (~np.isfinite(price + quantity), Case.NOT_FINITE),
                (price <= 0, Case.PRICE_NOT_POSITIVE),
                (quantity < 0, Case.NEGATIVE_VOLUME),
                (event > trades.ts_recv + self.tolerance_ns, Case.FUTURE),
                (trades.ts_avail < trades.ts_recv, Case.LOOK_AHEAD),
            ]
        if self.bounds is not None:
            low, high = self.bounds
            faults.append(((price < low) | (price > high), Case.OUT_OF_RANGE))
        for where, case in faults:
            if where.any():
                cases[where & (cases == Case.NONE)] = case
        return cases

    def _in_sequence(self, trades: TradeColumns, sound: Ints) -> rules.Cases:
        """Cases of sound rows against the trades accepted before them."""
        seq, price = trades.seq[sound], trades.price[sound]
        numbered = seq > 0
        highest = np.maximum.accumulate(np.concatenate([[self.numbers.last], seq]))[:-1]
        suspect = numbered & (seq <= highest)
        previous = np.concatenate([self.tail.price[-1:], price[:-1]])
        jumped = rules.shifted(previous, price[len(price) - len(previous) :]) != 0
        suspect[len(price) - len(previous) :] |= jumped
        cases = np.zeros(len(sound), np.int8)
        if not suspect.any():
            self.refused_in_a_row = 0
            return cases
        levels = deque(self.tail.price[-_LEVEL:].tolist(), maxlen=_LEVEL)
        seen = SeenTrades(self.numbers, self.tail, trades, sound)
        done = 0

        def check(row: int, _: deque[int]) -> Case:
            nonlocal done
            accepted = price[done:row][cases[done:row] == Case.NONE]
            if len(accepted):
                self.refused_in_a_row = 0
            levels.extend(accepted[-_LEVEL:].tolist())
            done = row
            case = self._one(row, seq, price, levels, seen, cases)
            cases[row] = case
            return case

        follow(suspect, deque(maxlen=1), check)
        if cases[-1] == Case.NONE:
            self.refused_in_a_row = 0
        return cases

    def _one(
        self,
        row: int,
        seq: Ints,
        price: Floats,
        levels: deque[float],
        seen: SeenTrades,
        cases: rules.Cases,
    ) -> Case:
        if seq[row] > 0:
            case = seen.verdict(row, cases)
            if case is not Case.NONE:
                return case
        if not levels:
            return Case.NONE
        level = np.array([levels[-1], float(np.median(list(levels)))])
        power = rules.shifted(level, np.array([price[row], price[row]]))
        if power[0] == 0 or power[0] != power[1]:
            return Case.NONE
        accepted = self.usual.count + int(np.count_nonzero(cases[:row] == Case.NONE))
        if accepted < _YOUNG and self.refused_in_a_row >= accepted:
            self.refused_in_a_row = 0
            return Case.NONE
        self.refused_in_a_row += 1
        return Case.DECIMAL_SHIFT

    def _steps_back(self, trades: TradeColumns) -> int:
        """How often our clock went back; what was asked for later is received out of turn."""
        receipts = trades.ts_recv[(trades.flags & Flag.BACKFILL) == 0]
        if not len(receipts):
            return 0
        steps = np.diff(np.concatenate([[self.receipt or int(receipts[0])], receipts]))
        self.receipt = int(receipts[-1])
        return int(np.count_nonzero(steps < -CLOCK_SLACK))

    def _marks(self, trades: TradeColumns) -> Ints:
        marks = np.zeros(len(trades), np.int64)
        first = not len(self.tail)
        before = trades.price[:1] if first else self.tail.price[-1:]
        previous = np.concatenate([before, trades.price[:-1]])
        move = rules.moves(previous, trades.price)
        scale, middle, spread = self.usual.before(move, trades.quantity)
        with np.errstate(invalid="ignore", over="ignore"):
            limit = np.maximum(rules.OUTLIER_SCALES * scale, rules.OUTLIER_LEAST)
            marks[move > limit] |= Flag.OUTLIER
            loud = (spread > 0) & (trades.quantity > middle + rules.VOLUME_SCALES * spread)
        marks[loud] |= Flag.VOLUME_SPIKE
        marks[trades.quantity == 0] |= Flag.ZERO_VOLUME_MOVE
        latest = np.maximum.accumulate(np.concatenate([[self.event], trades.ts_event]))
        highest = np.maximum.accumulate(np.concatenate([[self.numbers.last], trades.seq]))[:-1]
        slack = np.where(trades.seq > 0, TIME_SLACK, 0)
        late = (trades.ts_event < latest[:-1] - slack) | ((trades.seq > 0) & (trades.seq < highest))
        marks[late] |= Flag.OUT_OF_ORDER
        self.event = int(latest[-1])
        marks[self._repeats(trades)] |= Flag.WASH_LIKE
        if self.closes:
            marks[rules.market_closed(trades.ts_event)] |= Flag.MARKET_CLOSED
        return marks

    def _repeats(self, trades: TradeColumns) -> Bools:
        """Trades that end a run of WASH_RUN or more with one price and size."""
        price = np.concatenate([self.tail.price[-1:], trades.price])
        size = np.concatenate([self.tail.quantity[-1:], trades.quantity])
        same = np.zeros(len(trades), bool)
        known = len(price) - 1
        same[len(same) - known :] = (price[1:] == price[:-1]) & (size[1:] == size[:-1])
        order = np.arange(len(same))
        start = np.maximum.accumulate(np.where(same, -1, order))
        run = np.where(start >= 0, order - start, self.run + order + 1)
        self.run = int(run[-1])
        long: Bools = run + 1 >= WASH_RUN
        return long

    def _gaps(self, trades: TradeColumns) -> tuple[Ints, tuple[tuple[int, int], ...]]:
        """Take up the numbers; the rows whose number skips, and [start, end) of each in time."""
        at = np.flatnonzero(trades.seq > 0)
        rows = at[self.numbers.take(trades.seq[at])]
        before = int(self.tail.ts_event[-1]) if len(self.tail) else 0
        starts = [int(trades.ts_event[row - 1]) if row else before for row in rows.tolist()]
        return rows, tuple(zip(starts, trades.ts_event[rows].tolist(), strict=True))

    def _remember(self, trades: TradeColumns) -> None:
        joined = TradeColumns.joined([self.tail, trades.take(slice(-_MEMORY, None))])
        kept = joined.take(slice(-_MEMORY, None))
        self.tail = kept.take(np.arange(len(kept)))
