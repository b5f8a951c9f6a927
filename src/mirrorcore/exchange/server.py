"""The exchange as a server: ``LocalExchange`` on a port, driven by the wall or step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import SECOND, Clock, LiveClock, VirtualClock
from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.authentication import Keyring
from mirrorcore.exchange.config import STEP, Client, ExchangeConfig
from mirrorcore.exchange.desk import Desk
from mirrorcore.exchange.faults import Fault, Faults
from mirrorcore.exchange.feed import MarketFeed, event_ms
from mirrorcore.exchange.hub import Hub
from mirrorcore.exchange.listings import UNIT
from mirrorcore.exchange.orders import Fill, Order
from mirrorcore.exchange.public import PublicRequests
from mirrorcore.exchange.rest import Rest
from mirrorcore.exchange.simulation import Simulation
from mirrorcore.exchange.streams import StreamSockets
from mirrorcore.exchange.tape import Aggregate, Print
from mirrorcore.exchange.trading import TradingRequests
from mirrorcore.exchange.user_data import UserSockets
from mirrorcore.exchange.venue import Market, Venue
from mirrorcore.exchange.weights import Weights

if TYPE_CHECKING:
    from aiohttp import web


class LocalExchange:
    """A market, and the sockets to reach it.

    With a :class:`~mirrorcore.clock.VirtualClock` it stands still until :meth:`advance` is called;
    with any other clock it lives by itself between :meth:`start` and :meth:`close`.
    """

    def __init__(self, config: ExchangeConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = LiveClock() if clock is None else clock
        start = self.clock.now()
        self.faults = Faults(config.faults, start)
        self.hub = Hub(self.faults)
        self.weights = Weights(config.weight_limit)
        self._simulation = Simulation(config, start, self)
        self._feed = MarketFeed(list(self.venue.markets.values()), self.hub, self.shown)
        self._trading = TradingRequests(self.venue, self.clock.now, self.shown, config.kept)
        desk = Desk(
            self.venue,
            PublicRequests(self.venue.markets, self.clock.now, self.shown, config.weight_limit),
            self._trading,
            Keyring([(client, self._open_account(client)) for client in config.clients]),
            self.weights,
            self._catch_up,
            self.shown,
        )
        self._rest = Rest(desk, self.faults)
        self._streams = StreamSockets(self.hub, config.queue_bytes)
        self._users = UserSockets(desk, self.hub, config.queue_bytes)
        self._simulation.live_through_history(config.history)
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def venue(self) -> Venue:
        return self._simulation.venue

    @property
    def base_url(self) -> str:
        """The server itself; every other address begins there. ``UsageError`` before the start."""
        return f"http://{self._address}"

    @property
    def url(self) -> str:
        """Where REST is answered."""
        return f"{self.base_url}/api/v3"

    @property
    def ws_url(self) -> str:
        """Where market streams are; ccxt puts a number behind it."""
        return f"ws://{self._address}/stream/ws"

    @property
    def ws_api_url(self) -> str:
        """Where requests over WebSocket and a client's own events are."""
        return f"ws://{self._address}/ws-api/v3"

    @property
    def requests(self) -> int:
        """HTTP requests answered."""
        return self._rest.requests

    @property
    def subscribers(self) -> int:
        """Sockets that listen to a client's own events."""
        return self._users.subscribers

    def shown(self, now: int) -> int:
        """``now`` in ms as the exchange's clock tells it, faults included."""
        return event_ms(now, self.faults.offset)

    async def start(self) -> None:
        """Listen on the configured port (0 finds a free one) and begin to live.

        Raises
        ------
        MirrorCoreError
            where the extra ``exchange`` is missing or the port cannot be had.
        """
        try:
            from aiohttp import web
        except ImportError:
            raise MirrorCoreError(
                "the local exchange needs aiohttp",
                hint="install it with: pip install mirrorcore-x[exchange]",
            ) from None
        app = web.Application()
        app.router.add_route("*", "/api/v3/{path:.+}", self._rest.handle)
        for path in ("/stream", "/ws", "/stream/ws", "/ws/{streams:.+}", "/stream/ws/{streams:.+}"):
            app.router.add_get(path, self._streams.handle)
        app.router.add_get("/ws-api/v3", self._users.handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.config.host, self.config.port).start()
        except OSError as error:
            await runner.cleanup()
            raise MirrorCoreError(
                f"{self.config.host}:{self.config.port} cannot be listened on: {error.strerror}",
                hint="choose another port; 0 takes any that is free",
            ) from None
        self._runner = runner
        self._port = runner.addresses[0][1]
        if not isinstance(self.clock, VirtualClock):
            self._driver = asyncio.create_task(self._live())

    async def close(self) -> None:
        """Stop the market and close every socket; may be called twice. What had ended the market
        before is raised here."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.cancel()
            await asyncio.wait([driver])
        if self._runner is not None:
            connections = list(self.hub.connections)
            await asyncio.gather(*(connection.hang_up() for connection in connections))
            await self._runner.cleanup()
            self._runner = None
        if driver is not None and not driver.cancelled():
            driver.result()

    async def serve(self) -> None:
        """Live until cancelled; raises what ends the market before that."""
        if self._driver is None:
            raise UsageError("nothing drives this exchange", hint="start it, on a clock that runs")
        await self._driver

    async def __aenter__(self) -> LocalExchange:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def advance(self, ns: int) -> None:
        """Let ``ns`` of virtual time pass; readers get their frames meanwhile."""
        if not isinstance(self.clock, VirtualClock):
            raise UsageError(
                "this exchange lives by its own clock", hint="hand it a VirtualClock to step it"
            )
        end = self.clock.now() + ns
        while (due := self._simulation.now + STEP) <= end:
            self.clock.advance_to(due)
            self._catch_up()
            await asyncio.sleep(0)
        self.clock.advance_to(end)
        self._catch_up()

    def inject(self, fault: Fault) -> None:
        """Let something go wrong now."""
        self._catch_up()
        self.faults.inject(fault)
        self.hub.abort_those_due()

    def on_trades(
        self, market: Market, prints: Sequence[Print], aggregates: Sequence[Aggregate]
    ) -> None:
        self._feed.traded(market, prints, aggregates)

    def on_book(self, market: Market, changes: Sequence[tuple[bool, int]], now: int) -> None:
        self._feed.changed(market, changes)

    def on_order(self, order: Order, execution: str, fill: Fill | None, now: int) -> None:
        if fill is not None:
            self._trading.traded(order, fill)
        self._users.on_order(order, execution, fill, self.shown(now), self.venue)

    def on_balances(self, account: Account, assets: Sequence[str], now: int) -> None:
        self._trading.balances_changed(account, now)
        self._users.on_balances(account, assets, self.shown(now))

    @property
    def _address(self) -> str:
        if self._runner is None:
            raise UsageError("the exchange has not been started", hint="await start() first")
        return f"{self.config.host}:{self._port}"

    def _open_account(self, client: Client) -> Account:
        fee = self.config.fee_ppm
        account = self.venue.open_account(client.key, maker_ppm=fee, taker_ppm=fee, house=False)
        for asset, amount in client.balances.items():
            account.credit(asset, int(amount * UNIT))
        return account

    def _catch_up(self) -> int:
        """Bring market, faults and streams to the present, which is returned."""
        now = self.clock.now()
        for end in self._simulation.pending(now):
            self._stepped(end)
        self.faults.advance(now)
        return now

    def _stepped(self, end: int) -> None:
        self.faults.advance(end)
        self.hub.abort_those_due()
        self._feed.step(end)

    async def _live(self) -> None:
        while True:
            now = self.clock.now()
            for end in self._simulation.pending(now):
                self._stepped(end)
                await asyncio.sleep(0)
            await asyncio.sleep(max(0.0, (self._simulation.now + STEP - self.clock.now()) / SECOND))


def ccxt_urls(exchange: LocalExchange) -> dict[str, Any]:
    """What the constructor of ``ccxt.async_support.binance`` or ``ccxt.pro.binance`` needs to talk
    to a started ``exchange`` and to nobody else.

    The part ``/stream`` of the address matters: the client tells spot from derivatives by it.
    """
    rest, streams = exchange.url, exchange.ws_url
    return {
        "urls": {
            "api": {
                "public": rest,
                "private": rest,
                "v1": rest,
                "ws": {"spot": streams, "ws-api": {"spot": exchange.ws_api_url}},
            }
        },
        "options": {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
        },
    }
