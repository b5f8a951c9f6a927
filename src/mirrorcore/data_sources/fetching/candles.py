"""A history of candles from a venue into one file; a call that was killed is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mirrorcore.data_sources.fetching.candle_store import CandleStore, Row
from mirrorcore.data_sources.fetching.stretches import Stretch
from mirrorcore.data_sources.fetching.venue_candles import PAGE
from mirrorcore.data_sources.file_names import candle_name
from mirrorcore.errors import UsageError

Told = Callable[[int, int | None], None]


class CandlePages(Protocol):
    """Where candles come from."""

    async def require(self, symbol: str, bar_ns: int) -> None:
        """Raise where there are no such candles."""

    async def now(self, otherwise: int) -> int:
        """The venue's clock, ns UTC."""

    async def page(self, symbol: str, bar_ns: int, since: int) -> list[Row]:
        """Candles from ``since`` on, in order of time, the first PAGE of them."""


@dataclass(frozen=True, slots=True)
class CandleFetch:
    """What is asked for.

    Parameters
    ----------
    since, until: [since, until) by the open of the candles, ns UTC; ``until`` None is now.
    url: of another server than the venue's own.
    """

    venue: str
    symbol: str
    bar_ns: int
    since: int
    until: int | None
    out: Path
    url: str = ""

    @property
    def path(self) -> Path:
        return self.out / f"{candle_name(self.venue, self.symbol, self.bar_ns)}.parquet"

    def store(self) -> CandleStore:
        """The pages of this fetch, also those of an earlier call."""
        identity = {
            "kind": "candles",
            "source": self.venue,
            "symbol": self.symbol,
            "bar": str(self.bar_ns),
            "server": self.url or "the venue's own",
        }
        return CandleStore(self.path, identity)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it.

    Parameters
    ----------
    stretch: what the file covers; ``first`` is when its first candle opens, None without any: a
        venue may have nothing older.
    pages: how many were asked for now.
    resumed: something was there from an earlier call.
    """

    path: Path
    stretch: Stretch
    first: int | None
    pages: int
    resumed: bool


async def fetch_candles(
    asked: CandleFetch, venue: CandlePages, *, now: int, tell: Told | None = None
) -> Fetched:
    """Fetch what is missing and make the file.

    A candle that has not closed by the venue's clock is not taken: it would be another one later.

    Raises
    ------
    UsageError
        where nothing can be asked for.
    SourceError
        where the venue fails; the pages that came are kept.
    """
    store = asked.store()
    await venue.require(asked.symbol, asked.bar_ns)
    closed = await venue.now(now) // asked.bar_ns * asked.bar_ns
    start = -(-asked.since // asked.bar_ns) * asked.bar_ns
    end = closed if asked.until is None else min(closed, asked.until)
    if start >= end:
        raise UsageError(
            "no candle has closed between --since and --until", hint="give an earlier --since"
        )
    wanted = Stretch(start, end)
    resumed, pages = not store.untouched, 0
    whole = store.wanted(wanted)
    gaps = store.missing(wanted)
    total = (whole.end - whole.start) // asked.bar_ns
    left = sum(one.end - one.start for one in gaps) // asked.bar_ns
    for gap in gaps:
        cursor = gap.start
        while cursor < gap.end:
            if tell is not None:
                tell(total - left + (cursor - gap.start) // asked.bar_ns, total)
            rows = await venue.page(asked.symbol, asked.bar_ns, cursor)
            page = Stretch(cursor, _reached(rows, gap.end, cursor, asked.bar_ns))
            store.add(page, [row for row in rows if row[0] < page.end])
            pages += 1
            cursor = page.end
        left -= (gap.end - gap.start) // asked.bar_ns
    if tell is not None:
        tell(total, total)
    store.finish(wanted)
    return Fetched(asked.path, whole, store.first(), pages, resumed)


def _reached(rows: list[Row], end: int, cursor: int, bar_ns: int) -> int:
    """Up to where a page says all there is. A page of nothing says so of its own length."""
    if not rows:
        return min(end, cursor + PAGE * bar_ns)
    return min(end, int(rows[-1][0]) + bar_ns)
