"""Pages of candles from a venue. A page that fails is asked for again, after waits that double or
after what the venue asks for; nothing needs a key."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from mirrorcore.clock import MILLISECOND, SECOND, format_duration
from mirrorcore.data_sources.exchange.client import Connection
from mirrorcore.data_sources.exchange.listing import instead_of
from mirrorcore.data_sources.fetching.candle_store import Row
from mirrorcore.data_sources.live import SourceError
from mirrorcore.errors import UsageError

PAGE = 1000
"""Candles asked for at once; venues that give fewer say so by giving fewer."""
_FIRST_TRIES = 3
"""Of the first request: a venue that was never there is not waited for as one that fails midway."""
_LONGEST = 60 * SECOND


class VenueCandles:
    """Candles of one venue; an asynchronous context.

    Parameters
    ----------
    venue: CCXT's name of it, as ``binance``.
    url: a local exchange that stands for it.
    attempts, first_wait_ns: tries of one page, and the wait before the second; each further wait is
        twice as long, up to a minute.

    Raises
    ------
    UsageError
        for an unknown venue; a MirrorCoreError where CCXT is not installed.
    """

    def __init__(
        self, venue: str, *, url: str = "", attempts: int = 6, first_wait_ns: int = SECOND
    ) -> None:
        self.venue = venue
        self._connection = Connection(venue, venue, url or None)
        self._attempts, self._first_wait = attempts, first_wait_ns
        self._met = False

    async def __aenter__(self) -> VenueCandles:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.drop()

    async def require(self, symbol: str, bar_ns: int) -> None:
        """Check that the venue has candles of this length for this symbol.

        Raises
        ------
        UsageError
            saying what it has instead.
        """
        if not self._connection.offers("fetchOHLCV"):
            raise UsageError(f"{self.venue} gives no candles", hint="choose another venue")
        known, name = self._connection.client.timeframes or {}, format_duration(bar_ns)
        if known and name not in known:
            raise UsageError(
                f"{self.venue} has no candles of {name}", hint=f"it has {', '.join(known)}"
            )
        markets = await self._asked("load_markets")
        if symbol not in markets:
            raise UsageError(
                f"{self.venue} does not list {symbol}", hint=instead_of([symbol], markets)
            )

    async def now(self, otherwise: int) -> int:
        """The venue's clock, ns UTC; ``otherwise`` where it tells none."""
        if not self._connection.offers("fetchTime"):
            return otherwise
        return int(await self._asked("fetch_time")) * MILLISECOND

    async def page(self, symbol: str, bar_ns: int, since: int) -> list[Row]:
        """Up to PAGE candles that open at or after ``since`` (ns), in order of time.

        Raises
        ------
        SourceError
            where the venue does not answer, or with something else.
        """
        rows = await self._asked(
            "fetch_ohlcv", symbol, format_duration(bar_ns), since // MILLISECOND, PAGE
        )
        found: dict[int, Row] = {}
        for row in rows:
            if len(row) < 6 or not isinstance(row[0], int):
                raise SourceError(f"{self.venue}: a candle of {symbol} was {str(row)[:80]}")
            values = [float("nan") if value is None else float(value) for value in row[1:6]]
            found[row[0] * MILLISECOND] = (row[0] * MILLISECOND, *values)
        return [found[ts] for ts in sorted(found) if ts >= since]

    async def _asked(self, method: str, *arguments: Any) -> Any:
        wait = self._first_wait
        attempts = self._attempts if self._met else min(self._attempts, _FIRST_TRIES)
        for left in reversed(range(attempts)):
            try:
                answer = await self._connection.call(method, *arguments)
            except SourceError as error:
                if error.permanent:
                    raise
                if not left:
                    raise SourceError(
                        f"{error.message} ({attempts} tries)",
                        hint="what came is kept: the same command goes on from there",
                        case=error.case,
                    ) from None
                await asyncio.sleep(max(wait, error.retry_after_ns) / SECOND)
                wait = min(2 * wait, _LONGEST)
            else:
                self._met = True
                return answer
        raise AssertionError("a request ends with an answer or an error")
