"""A local order book from a snapshot and the changes after it.

The rule of alignment is the one venues of Binance's kind publish: a change covers the updates
``first_seq`` to ``seq``; the first one used after a snapshot of update L must begin at or before
L + 1 and end after L, each further one must begin where the last ended. Where the venue says which
update came before (``previous_seq``), that decides, for its numbers may skip. Whatever does not
fit drops the book: a book with a hole is not slightly wrong, it is wrong from then on.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from mirrorcore.market.records import BookDelta, BookSnapshot, Levels

KEPT_LEVELS = 5000
"""Levels a side; the worst beyond are left out."""
KEPT_CHANGES = 1024
"""Changes kept to align a snapshot that was taken before the newest of them."""


class BookState(Enum):
    """WAITING for a snapshot, or LIVE: equal to the venue's book as of ``seq``."""

    WAITING = "waiting"
    LIVE = "live"


class Applied(Enum):
    """What a record did to the book."""

    CHANGED = "changed"
    OLD = "old"
    """Older than the book: ignored."""
    WAITS = "waits"
    """Kept until a snapshot comes."""
    GAP = "gap"
    """Something before it is missing: the book is dropped, the change is kept."""


class Reset(NamedTuple):
    """What a snapshot led to: the kept changes applied on top of it, and how many levels of a book
    that was live differ from the new one, within the prices that both reach."""

    applied: tuple[BookDelta, ...]
    differing: int


class _Side:
    """Levels of one side; prices sorted, so that the best and the worst are at the ends."""

    __slots__ = ("_prices", "_sizes", "is_bids")

    def __init__(self, *, bids: bool) -> None:
        self.is_bids = bids
        self._sizes: dict[float, float] = {}
        self._prices: list[float] = []

    def fill(self, levels: Levels) -> None:
        """Begin with these levels."""
        self._sizes = {price: size for price, size in dict(levels).items() if size > 0}
        self._prices = sorted(self._sizes)

    def set(self, price: float, size: float) -> None:
        known = price in self._sizes
        if size > 0:
            self._sizes[price] = size
            if not known:
                insort(self._prices, price)
        elif known:
            del self._sizes[price]
            del self._prices[bisect_left(self._prices, price)]

    def trim(self, most: int) -> int:
        cut = 0
        while len(self._prices) > most:
            del self._sizes[self._prices.pop(0 if self.is_bids else -1)]
            cut += 1
        return cut

    def best_first(self) -> Iterator[tuple[float, float]]:
        prices = reversed(self._prices) if self.is_bids else iter(self._prices)
        return ((price, self._sizes[price]) for price in prices)

    def best(self) -> tuple[float, float] | None:
        if not self._prices:
            return None
        price = self._prices[-1 if self.is_bids else 0]
        return price, self._sizes[price]

    def size(self, price: float) -> float:
        return self._sizes.get(price, 0.0)

    def __len__(self) -> int:
        return len(self._prices)


class OrderBook:
    """One symbol's book at one venue.

    Parameters
    ----------
    levels: how many are kept on each side.
    """

    def __init__(self, *, levels: int = KEPT_LEVELS) -> None:
        self.state = BookState.WAITING
        self.seq = 0
        """Last update applied."""
        self.trimmed = 0
        """Levels left out so far."""
        self._most = levels
        self._bids, self._asks = _Side(bids=True), _Side(bids=False)
        self._recent: deque[BookDelta] = deque(maxlen=KEPT_CHANGES)

    def change(self, delta: BookDelta) -> Applied:
        """Apply the next change, keep it for later, or drop the book because one is missing."""
        newest = self._recent[-1].seq if self._recent else 0
        if delta.seq <= max(newest, self.seq):
            return Applied.OLD
        if self.state is BookState.WAITING:
            if self._recent and not _follows(delta, newest):
                self._recent.clear()
            self._recent.append(delta)
            return Applied.WAITS
        if not _follows(delta, self.seq):
            self.drop()
            self._recent.append(delta)
            return Applied.GAP
        self._recent.append(delta)
        self._apply(delta)
        return Applied.CHANGED

    def reset(self, snapshot: BookSnapshot) -> Reset | None:
        """Begin anew from a snapshot and the kept changes after it.

        None where the snapshot does not fit, being older than the changes kept or than the book,
        which then stays as it was.
        """
        later = [delta for delta in self._recent if delta.seq > snapshot.seq]
        live = self.state is BookState.LIVE
        if live and snapshot.seq < self.seq and not later:
            return None
        if later and not _follows(later[0], snapshot.seq):
            return None
        old = (self.seq, self._bids, self._asks)
        self._bids, self._asks = _Side(bids=True), _Side(bids=False)
        for side, levels in ((self._bids, snapshot.bids), (self._asks, snapshot.asks)):
            side.fill(levels)
            self.trimmed += side.trim(self._most)
        self.seq, self.state = snapshot.seq, BookState.LIVE
        for delta in later:
            self._apply(delta)
        differing = 0
        if live and old[0] == self.seq > 0:
            differing = _differences(old[1], self._bids) + _differences(old[2], self._asks)
        return Reset(tuple(later), differing)

    def drop(self) -> None:
        """Forget everything, the kept changes too; a new snapshot is needed."""
        self.state = BookState.WAITING
        self.seq = 0
        self._bids, self._asks = _Side(bids=True), _Side(bids=False)
        self._recent.clear()

    def _apply(self, delta: BookDelta) -> None:
        for side, levels in ((self._bids, delta.bids), (self._asks, delta.asks)):
            for price, size in levels:
                side.set(price, size)
            if len(side) > self._most:
                self.trimmed += side.trim(self._most)
        self.seq = delta.seq

    @property
    def best_bid(self) -> tuple[float, float] | None:
        """Price and size, None where the side is empty."""
        return self._bids.best()

    @property
    def best_ask(self) -> tuple[float, float] | None:
        return self._asks.best()

    @property
    def crossed(self) -> bool:
        """Best bid above best ask."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] > ask[0]

    @property
    def locked(self) -> bool:
        """Best bid equal to best ask."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] == ask[0]

    def bids(self, levels: int = KEPT_LEVELS) -> tuple[tuple[float, float], ...]:
        """Price and size, best first."""
        return _first(self._bids.best_first(), levels)

    def asks(self, levels: int = KEPT_LEVELS) -> tuple[tuple[float, float], ...]:
        return _first(self._asks.best_first(), levels)

    def imbalance(self, levels: int = 5) -> float | None:
        """(B - A) / (B + A) of the sizes of the best levels of each side, in -1..1.

        None while a side is empty. Positive: more is bid for than offered. Over one level it is
        the queue imbalance of Gould & Bonart (2016).
        """
        bid = sum(size for _, size in self.bids(levels))
        ask = sum(size for _, size in self.asks(levels))
        return (bid - ask) / (bid + ask) if bid > 0 and ask > 0 else None


def _follows(delta: BookDelta, seq: int) -> bool:
    """Whether nothing lies between update ``seq`` and this change, which ends after it."""
    before = delta.previous_seq or delta.first_seq - 1
    return before <= seq < delta.seq


def _first(levels: Iterable[tuple[float, float]], count: int) -> tuple[tuple[float, float], ...]:
    return tuple(level for level, _ in zip(levels, range(count), strict=False))


def _differences(one: _Side, other: _Side) -> int:
    mine, theirs = list(one.best_first()), list(other.best_first())
    if not mine or not theirs:
        return len(mine) + len(theirs)
    ends = (mine[-1][0], theirs[-1][0])
    low, high = (max(ends), math.inf) if one.is_bids else (-math.inf, min(ends))
    prices = sorted({price for price, _ in (*mine, *theirs) if low <= price <= high})
    return sum(one.size(price) != other.size(price) for price in prices)
