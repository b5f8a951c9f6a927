"""CCXT's own client, unmodified: made, connected, and given up without leaving sockets open."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from mirrorcore.data_sources.exchange.failures import as_source_error
from mirrorcore.data_sources.exchange.venues import dialect, local_addresses
from mirrorcore.data_sources.live import SourceError
from mirrorcore.errors import MirrorCoreError, UsageError

_KEPT = 20_000
"""Trades the client keeps for us while we are busy; its own bound of 1,000 loses them unseen."""


class Connection:
    """One client of one venue, made anew after each loss.

    One instance serves everything of its source, because CCXT limits rates by instance.

    Raises
    ------
    UsageError: CCXT knows no such venue.
    MirrorCoreError: CCXT is not installed.
    """

    def __init__(self, venue: str, name: str, url: str | None) -> None:
        self.name = name
        self._venue = venue
        self._class = _class_of(venue)
        self._settings: dict[str, Any] = {
            "enableRateLimit": True,
            "newUpdates": True,
            "options": {"tradesLimit": _KEPT, **dialect(venue).options},
        }
        if url is not None:
            self._settings["urls"] = local_addresses(venue, url)
        self._client: Any = None
        self._markets: dict[str, Any] | None = None
        self._closed = False

    @property
    def client(self) -> Any:
        """The present client."""
        if self._client is None:
            self._closed = False
            self._client = self._class(self._settings)
            if self._markets is not None:
                self._client.set_markets(self._markets)
        return self._client

    def offers(self, method: str) -> bool:
        """Whether the venue has a method, as ``watchTrades``."""
        return bool(self.client.has.get(method))

    async def markets(self) -> Mapping[str, Any]:
        """What the venue lists, by symbol; asked for once."""
        if self._markets is None:
            try:
                self._markets = await self._ask("load_markets")
            except SourceError:
                # A client that was told nothing goes on as if the venue listed nothing.
                await self.drop()
                raise
        return self._markets

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """One request; SourceError where it fails."""
        await self.markets()
        return await self._ask(method, *args, **kwargs)

    async def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        while True:
            client = self.client
            try:
                answer = await getattr(client, method)(*args, **kwargs)
                break
            except Exception as error:
                if client is self._client or self._closed:
                    raise as_source_error(error, self.name, client) from error
                # It was given up for a new one meanwhile: the venue has done nothing wrong.
        if method.startswith(("fetch_", "load_")):
            self._require_json(client)
        return answer

    def _require_json(self, client: Any) -> None:
        """SourceError where the last answer was a page: CCXT reads it as a list of nothing, and
        what was not told would be taken for what did not happen."""
        told = str(client.last_http_response or "").lstrip()
        if told and told[0] not in "[{":
            raise SourceError(
                f"{self.name}: a page came instead of data: {told[:80]}", case="malformed"
            )

    def forget_trades(self, symbol: str) -> None:
        """Have the client let go of the trades it has handed out; nobody asks for them again.

        It would keep as many as may wait while we are busy, a few kB each, for every symbol.
        """
        kept = None if self._client is None else self._client.trades.get(symbol)
        if kept is not None:
            kept.clear()

    async def drop(self) -> None:
        """Give up the present client; the next use makes another.

        One that had sockets is a knot of objects that hold each other, with some hundred kB a
        socket to unpack messages with. Python would come for it only when a quarter of all
        objects is new, which takes many losses: it is freed here, while nothing is up.
        """
        had_sockets = self._client is not None and bool(self._client.clients)
        await self._give_up()
        if had_sockets:
            gc.collect()

    async def aclose(self) -> None:
        """Close the present client; what is still being asked of it fails."""
        self._closed = True
        await self._give_up()

    async def _give_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def require_venue(venue: str) -> None:
    """UsageError where CCXT knows no such venue, MirrorCoreError where CCXT is not installed."""
    _class_of(venue)


def _class_of(venue: str) -> Any:
    try:
        import ccxt.pro
    except ImportError:
        raise MirrorCoreError(
            "exchanges need CCXT", hint="install it with: pip install mirrorcore-x[exchange]"
        ) from None
    if venue not in ccxt.pro.exchanges:
        near = get_close_matches(venue, ccxt.pro.exchanges, 1)
        raise UsageError(
            f"CCXT knows no venue {venue!r} with sockets",
            hint=f"did you mean {near[0]!r}?" if near else "see 'mirrorcore data sources'",
        )
    return getattr(ccxt.pro, venue)
