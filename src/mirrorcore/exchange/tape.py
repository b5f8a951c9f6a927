"""What was traded: prints, aggregates and candles, each in a contiguous space of numbers.

History is bounded: the last so many prints, aggregates and candles are kept, so that a client which
was away can ask for what it missed by number or by time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from mirrorcore.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND

INTERVALS = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
}
"""Candles that are offered; those above a minute are made of minutes, on the grid of UTC."""


@dataclass(frozen=True, slots=True)
class Print:
    """One trade. ``buyer_maker``: the buyer's order was resting, so the taker sold."""

    number: int
    ts: int
    price: int
    lots: int
    buyer_maker: bool


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Trades of one incoming order at one price: prints ``first`` to ``last``."""

    number: int
    ts: int
    price: int
    lots: int
    first: int
    last: int
    buyer_maker: bool


@dataclass(slots=True)
class Candle:
    """[open_ts, open_ts + interval). Prices in ticks; ``notional`` is ticks × lots."""

    open_ts: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    notional: int = 0
    count: int = 0
    taker_lots: int = 0
    """Lots bought by takers."""
    taker_notional: int = 0
    first: int = -1
    """Number of its first print, -1 where there is none."""
    last: int = -1

    def add(self, print_: Print) -> None:
        price, lots = print_.price, print_.lots
        if self.count == 0:  # until now it only repeated the close before it
            self.open = self.high = self.low = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.lots += lots
        self.notional += price * lots
        self.count += 1
        if not print_.buyer_maker:
            self.taker_lots += lots
            self.taker_notional += price * lots
        if self.first < 0:
            self.first = print_.number
        self.last = print_.number


def merged(open_ts: int, parts: Sequence[Candle]) -> Candle:
    """One candle of several, in order of time."""
    filled = [part for part in parts if part.count] or parts[-1:]
    return Candle(
        open_ts=open_ts,
        open=filled[0].open,
        high=max(part.high for part in filled),
        low=min(part.low for part in filled),
        close=filled[-1].close,
        lots=sum(part.lots for part in filled),
        notional=sum(part.notional for part in filled),
        count=sum(part.count for part in filled),
        taker_lots=sum(part.taker_lots for part in filled),
        taker_notional=sum(part.taker_notional for part in filled),
        first=filled[0].first,
        last=filled[-1].last,
    )


class Numbered(Protocol):
    """What a :class:`Series` holds."""

    @property
    def number(self) -> int: ...
    @property
    def ts(self) -> int: ...


Item = TypeVar("Item", bound=Numbered)


class Series(Generic[Item]):
    """The newest items of a contiguous numbering, found by number or by time."""

    def __init__(self, kept: int) -> None:
        self._items: deque[Item] = deque(maxlen=kept)

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Item) -> None:
        self._items.append(item)

    @property
    def next_number(self) -> int:
        return self._items[-1].number + 1 if self._items else 1

    def latest(self, limit: int) -> list[Item]:
        return self._slice(max(0, len(self._items) - limit), limit)

    def from_number(self, number: int, limit: int) -> list[Item]:
        """Those from ``number`` on; from the oldest kept where that one has gone."""
        if not self._items:
            return []
        return self._slice(max(0, number - self._items[0].number), limit)

    def between(self, start: int | None, end: int | None, limit: int) -> list[Item]:
        """Those of [start, end] ns; the newest of them if no start is given, else the oldest."""
        low = 0 if start is None else bisect_left(self._items, start, key=_ts)
        high = len(self._items) if end is None else bisect_left(self._items, end + 1, key=_ts)
        if start is None:
            low = max(low, high - limit)
        return self._slice(low, min(limit, high - low))

    def _slice(self, start: int, length: int) -> list[Item]:
        return list(islice(self._items, start, start + max(0, length)))


def _ts(item: Numbered) -> int:
    return item.ts


class Candles:
    """Candles of one interval; one without trades repeats the last close with no volume."""

    def __init__(self, interval: int, kept: int) -> None:
        self.interval = interval
        self._candles: deque[Candle] = deque(maxlen=kept)

    @property
    def newest(self) -> Candle | None:
        return self._candles[-1] if self._candles else None

    def roll(self, now: int) -> None:
        """Open what has to be open at ``now``; before the first trade there is nothing."""
        newest = self.newest
        if newest is None:
            return
        target = now - now % self.interval
        missing = (target - newest.open_ts) // self.interval
        close = newest.close
        for back in range(min(missing, self._candles.maxlen or missing) - 1, -1, -1):
            opened = target - back * self.interval
            self._candles.append(Candle(opened, close, close, close, close))

    def add(self, print_: Print) -> None:
        self.roll(print_.ts)
        if not self._candles:
            price = print_.price
            opened = print_.ts - print_.ts % self.interval
            self._candles.append(Candle(opened, price, price, price, price))
        self._candles[-1].add(print_)

    def within(self, start: int, end: int) -> list[Candle]:
        """Those opened in [start, end)."""
        candles = self._candles
        if not candles:
            return []
        first = candles[0].open_ts
        low = max(0, -(-(start - first) // self.interval))
        high = min(len(candles), max(0, -(-(end - first) // self.interval)))
        return list(islice(candles, low, max(low, high)))


class Tape:
    """Everything traded in one symbol."""

    def __init__(self, kept: int) -> None:
        self.prints: Series[Print] = Series(kept)
        self.aggregates: Series[Aggregate] = Series(kept)
        self.seconds = Candles(SECOND, 3_600)
        self.minutes = Candles(MINUTE, 2 * 1_440)
        self.last: Print | None = None

    def roll(self, now: int) -> None:
        self.seconds.roll(now)
        self.minutes.roll(now)

    def record(
        self, ts: int, buyer_maker: bool, matches: Sequence[tuple[int, int]]
    ) -> tuple[list[Print], list[Aggregate]]:
        """Book the (price, lots) one incoming order traded; its prints and aggregates."""
        prints = []
        for price, lots in matches:
            print_ = Print(self.prints.next_number, ts, price, lots, buyer_maker)
            self.prints.append(print_)
            self.seconds.add(print_)
            self.minutes.add(print_)
            prints.append(print_)
        self.last = prints[-1]
        return prints, self._aggregated(prints)

    def _aggregated(self, prints: Sequence[Print]) -> list[Aggregate]:
        found: list[Aggregate] = []
        start = 0
        for end in range(1, len(prints) + 1):
            if end < len(prints) and prints[end].price == prints[start].price:
                continue
            group = prints[start:end]
            first = group[0]
            aggregate = Aggregate(
                self.aggregates.next_number,
                first.ts,
                first.price,
                sum(print_.lots for print_ in group),
                first.number,
                group[-1].number,
                first.buyer_maker,
            )
            self.aggregates.append(aggregate)
            found.append(aggregate)
            start = end
        return found

    def candles(self, interval: str, start: int, end: int) -> list[Candle]:
        """Candles of an interval of :data:`INTERVALS` opened in [start, end) ns, oldest first."""
        step = INTERVALS[interval]
        base = self.seconds if step < MINUTE else self.minutes
        start = -(-start // step) * step
        if step == base.interval:
            return base.within(start, end)
        found: list[Candle] = []
        parts = base.within(start, -(-end // step) * step)
        low = 0
        for high in range(1, len(parts) + 1):
            opened = parts[low].open_ts - parts[low].open_ts % step
            if high == len(parts) or parts[high].open_ts >= opened + step:
                found.append(merged(opened, parts[low:high]))
                low = high
        return found

    def day(self, now: int) -> Candle | None:
        """The last 24 hours up to ``now``, to the minute; None before the first trade."""
        parts = self.minutes.within(now - DAY, now + 1)
        return merged(parts[0].open_ts, parts) if parts else None


def milliseconds(ns: int) -> int:
    """An instant as the wire has it."""
    return ns // MILLISECOND
