"""Bars made of trades, for venues that have none and for swarms that run on trades.

A bar is final at its close plus an allowance for trades on their way. While its source is down, or
a gap of it is being filled, it waits for what is missing, within bounds. What comes later still is
counted and changes no bar: the past stays as it was traded on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mirrorcore.clock import SECOND
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    Bar,
    FeedRecord,
    Flag,
    GapRecord,
    Status,
    Trade,
)


@dataclass(slots=True)
class _Growing:
    """The bar of one interval so far."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    seq: int


class BarBuilder:
    """Trades of any number of sources and symbols to bars on the grid of ``bar_ns``.

    Parameters
    ----------
    bar_ns: length of a bar; it opens at whole multiples since 1970.
    lateness_ns: how long after the close a trade still counts.
    patience_ns: how long after the close a bar waits for a source that is down, stale or behind.
    sparse: an interval without trades gives no bar. Otherwise it gives one without volume at the
        last price, flagged SYNTHETIC, unless the source was not heard then.
    """

    def __init__(
        self,
        bar_ns: int,
        *,
        lateness_ns: int = 2 * SECOND,
        patience_ns: int = 30 * SECOND,
        sparse: bool = True,
    ) -> None:
        self.late = 0
        """Trades that came after their bar was final."""
        self._bar_ns = bar_ns
        self._lateness = lateness_ns
        self._patience = max(patience_ns, lateness_ns)
        self._sparse = sparse
        self._growing: dict[tuple[str, str], dict[int, _Growing]] = {}
        self._final: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], float] = {}
        self._behind: dict[tuple[str, str], None] = {}
        self._incomplete: dict[tuple[str, str], dict[int, None]] = {}

    def read(self, records: Iterable[FeedRecord], now: int) -> list[Bar]:
        """Take what came, in order, and give the bars that are final by ``now``.

        They come in order of their close, then of the first trade of their source and symbol.
        """
        for record in records:
            if isinstance(record, Trade):
                self._add(record)
            elif isinstance(record, GapRecord):
                if not record.filled:
                    self._mark(record)
            elif isinstance(record, Status):
                self._heed(record)
        found = [bar for key in self._growing for bar in self._close(key, now)]
        return sorted(found, key=lambda bar: bar.ts_event)

    def _add(self, trade: Trade) -> None:
        key = (trade.source, trade.symbol)
        start = trade.ts_event // self._bar_ns * self._bar_ns
        if start < self._final.get(key, 0):
            self.late += 1
            return
        growing = self._growing.setdefault(key, {})
        bar = growing.get(start)
        if bar is None:
            price = trade.price
            growing[start] = _Growing(price, price, price, price, trade.quantity, trade.seq)
            self._final.setdefault(key, start)
            return
        bar.high, bar.low = max(bar.high, trade.price), min(bar.low, trade.price)
        bar.close, bar.volume, bar.seq = trade.price, bar.volume + trade.quantity, trade.seq

    def _mark(self, gap: GapRecord) -> None:
        """Bars that a gap touches are incomplete, for as long as their interval is not final."""
        for key in self._growing:
            if key[0] != gap.source or gap.symbol not in (key[1], ALL_SYMBOLS):
                continue
            first = max(gap.start // self._bar_ns * self._bar_ns, self._final[key])
            marks = self._incomplete.setdefault(key, {})
            marks.update(dict.fromkeys(range(first, gap.end, self._bar_ns)))

    def _heed(self, status: Status) -> None:
        for key in self._growing:
            if key[0] == status.source and status.symbol in (key[1], ALL_SYMBOLS):
                if status.state in ("stale", "down"):
                    self._behind[key] = None
                elif status.state == "live":
                    self._behind.pop(key, None)

    def _close(self, key: tuple[str, str], now: int) -> Iterator[Bar]:
        growing = self._growing[key]
        behind = key in self._behind
        wait = self._patience if behind else self._lateness
        while (start := self._final[key]) + self._bar_ns + wait <= now:
            bar = growing.pop(start, None)
            marked = self._incomplete.get(key, {}).pop(start, 0) is None
            flags = Flag.AFTER_GAP if behind or marked else Flag.NONE
            if bar is None and not self._sparse and not behind:
                price = self._last[key]
                bar = _Growing(price, price, price, price, 0.0, 0)
                flags |= Flag.SYNTHETIC
            if bar is not None:
                self._last[key] = bar.close
                yield self._finish(key, start, bar, int(flags), now)
            following = start + self._bar_ns
            # Over intervals that give no bar it goes in one step, however long the silence was.
            skip = self._sparse and not growing
            final = (now - wait) // self._bar_ns * self._bar_ns
            self._final[key] = max(following, final) if skip else following

    def _finish(self, key: tuple[str, str], start: int, bar: _Growing, flags: int, now: int) -> Bar:
        return Bar(
            source=key[0],
            symbol=key[1],
            ts_event=start,
            ts_recv=now,
            ts_avail=now,
            seq=bar.seq,
            flags=flags,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
        )
