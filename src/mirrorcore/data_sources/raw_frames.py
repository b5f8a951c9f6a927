"""Records the public sockets of Binance, or of a server that speaks its dialect, frame by frame.

One line a message, as :mod:`mirrorcore.data_sources.recordings` reads them: the instant of receipt
in ns, a space, the JSON as it came. Trades, best quotes and changes of the book come in one
combined stream; a snapshot of each book is asked for once the changes flow, again after each new
connection, and now and then, so that a reader can compare. No key is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorcore.clock import MINUTE, SECOND, Clock
from mirrorcore.data_sources.answers import retry_after_ns
from mirrorcore.data_sources.line_log import LineLog
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.running.policy import ReconnectPolicy
from mirrorcore.data_sources.running.reconnect import Reconnect
from mirrorcore.errors import UsageError

if TYPE_CHECKING:
    import aiohttp

REST = "https://api.binance.com/api/v3"
STREAMS = "wss://stream.binance.com:9443/stream"
KINDS = ("trade", "bookTicker", "depth@100ms")
SNAPSHOT_EVERY = 5 * MINUTE
_LEVELS = 1000
_PROBES = 4
_SILENT = 60 * SECOND
"""The whole market silent for so long is a dead connection."""


@dataclass(slots=True)
class RecordingCounts:
    """What was written, and what went wrong on the way."""

    frames: int = 0
    snapshots: int = 0
    connections: int = 0
    faults: dict[str, int] = field(default_factory=dict)

    def failed(self, case: str) -> None:
        self.faults[case] = self.faults.get(case, 0) + 1


class RawRecorder:
    """One recording of any number of symbols.

    Parameters
    ----------
    symbols: as ``BTC/USDT``.
    log: where the lines go.
    url: of another server's REST side, as ``http://127.0.0.1:8787``; its streams are beside it.
    snapshot_every: ns between two snapshots of a book.

    Raises
    ------
    UsageError
        where aiohttp is not installed, or the address is none.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        log: LineLog,
        *,
        clock: Clock,
        rng: np.random.Generator,
        url: str = "",
        policy: ReconnectPolicy | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        self._http = _library()
        self._rest, self._streams = _addresses(url)
        self._ids = [symbol.replace("/", "") for symbol in symbols]
        self._log, self._clock = log, clock
        self._reconnect = Reconnect(policy or ReconnectPolicy(), rng)
        self._every = snapshot_every
        self._flowing: dict[str, asyncio.Event] = {}
        """By symbol: whether changes of its book have begun to come on this connection."""
        self.counts = RecordingCounts()

    async def run(self) -> None:
        """Record until cancelled.

        Raises
        ------
        SourceError
            where a symbol is not there, or the venue refuses for good.
        DataError
            where nothing more can be written.
        """
        async with self._http.ClientSession() as session:
            for symbol in self._ids:
                await self._probe(session, symbol)
            while True:
                self._reconnect.trying()
                asked = 0
                try:
                    await self._listen(session)
                except SourceError as error:
                    if error.permanent:
                        raise
                    self.counts.failed(error.case)
                    asked = error.retry_after_ns
                wait = self._reconnect.failed(self._clock.now(), asked)
                await asyncio.sleep(wait / SECOND)

    async def _probe(self, session: aiohttp.ClientSession, symbol: str) -> None:
        """A stream of a symbol that does not exist is silent for ever; so it is asked for once.

        Nobody waits for ever for a venue that was never there, either.
        """
        for left in reversed(range(_PROBES)):
            try:
                await self._depth(session, symbol, 5)
            except SourceError as error:
                if error.permanent or not left:
                    raise
                self.counts.failed(error.case)
                wait = self._reconnect.failed(self._clock.now(), error.retry_after_ns)
                await asyncio.sleep(wait / SECOND)
            else:
                return

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        """One connection, from its making to its loss."""
        names = [f"{symbol.lower()}@{kind}" for symbol in self._ids for kind in KINDS]
        self._flowing = {symbol: asyncio.Event() for symbol in self._ids}
        address = f"{self._streams}?streams={'/'.join(names)}"
        try:
            async with session.ws_connect(address, heartbeat=20.0, max_msg_size=1 << 24) as socket:
                self.counts.connections += 1
                keeper = asyncio.create_task(self._keep_snapshots(session))
                reader = asyncio.create_task(self._read(socket))
                try:
                    await asyncio.wait([keeper, reader], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (keeper, reader):
                        task.cancel()
                    ended = await asyncio.gather(keeper, reader, return_exceptions=True)
                for one in ended:
                    if isinstance(one, Exception):
                        raise one
        except (self._http.ClientError, OSError, TimeoutError) as error:
            raise SourceError(f"the connection failed: {type(error).__name__}") from None

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        kinds = self._http.WSMsgType
        while True:
            try:
                message = await socket.receive(timeout=_SILENT / SECOND)
            except TimeoutError:
                raise SourceError("nothing came for a minute", case="silent") from None
            if message.type is not kinds.TEXT:
                raise SourceError("the venue closed the connection")
            self._reconnect.heard(self._clock.now())
            self._write(" ".join(message.data.splitlines()).encode())
            self.counts.frames += 1
            stream = message.data[11:60].partition('"')[0]
            symbol, _, kind = stream.partition("@")
            if kind.startswith("depth") and symbol.upper() in self._flowing:
                self._flowing[symbol.upper()].set()

    async def _keep_snapshots(self, session: aiohttp.ClientSession) -> None:
        while True:
            for symbol in self._ids:
                await self._flowing[symbol].wait()
                await self._snapshot(session, symbol)
            await asyncio.sleep(self._every / SECOND)

    async def _snapshot(self, session: aiohttp.ClientSession, symbol: str) -> None:
        """Ask until it comes; the stream goes on meanwhile."""
        wait = SECOND
        while True:
            try:
                body = await self._depth(session, symbol, _LEVELS)
            except SourceError as error:
                if error.permanent:
                    raise
                self.counts.failed(error.case)
                await asyncio.sleep(max(wait, error.retry_after_ns) / SECOND)
                wait = min(2 * wait, MINUTE)
                continue
            name = f"{symbol.lower()}@snapshot"
            self._write(b'{"stream":"%b","data":%b}' % (name.encode(), body))
            self.counts.snapshots += 1
            return

    async def _depth(self, session: aiohttp.ClientSession, symbol: str, limit: int) -> bytes:
        """The answer of ``GET depth``, which is a snapshot; SourceError for any other."""
        params = {"symbol": symbol, "limit": str(limit)}
        try:
            async with (
                asyncio.timeout(20),
                session.get(f"{self._rest}/depth", params=params) as answer,
            ):
                body = await answer.read()
                status, headers = answer.status, answer.headers
        except (self._http.ClientError, OSError, TimeoutError) as error:
            raise SourceError(
                f"GET {self._rest}/depth: {type(error).__name__}", case="connection"
            ) from None
        if status == 200 and b'"lastUpdateId"' in body[:64]:
            return b" ".join(body.split())
        told = body[:160].decode("utf-8", errors="replace")
        busy = status in (418, 429) or status >= 500 or status == 200
        lower = {name.lower(): value for name, value in headers.items()}
        raise SourceError(
            f"GET {self._rest}/depth of {symbol}: {status} {told}",
            hint="" if busy else "check the symbol and the address",
            retry_after_ns=retry_after_ns(lower, self._clock.now()) if busy else 0,
            permanent=not busy,
            case="rate_limited" if status in (418, 429) else "malformed",
        )

    def _write(self, body: bytes) -> None:
        self._log.append([b"%d %b" % (self._clock.now(), body)])


def _addresses(url: str) -> tuple[str, str]:
    """REST and streams."""
    if not url:
        return REST, STREAMS
    scheme, separator, rest = url.rstrip("/").removesuffix("/api/v3").partition("://")
    if not separator or scheme not in ("http", "https"):
        raise UsageError(f"{url!r} is no address", hint="write http://127.0.0.1:8787")
    return f"{scheme}://{rest}/api/v3", f"{'wss' if scheme == 'https' else 'ws'}://{rest}/stream"


def _library() -> Any:
    try:
        import aiohttp
    except ImportError:
        raise UsageError(
            "recording sockets needs aiohttp", hint="pip install mirrorcore-x[exchange]"
        ) from None
    return aiohttp
