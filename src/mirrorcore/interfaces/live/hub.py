"""Between the swarm's thread and the clients of the live wire: pictures in, frames out.

The swarm pushes pictures from its own thread; everything else here belongs to the server's loop.
No client can slow the swarm: what it does not read is replaced by one snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from mirrorcore.clock import MILLISECOND, SECOND, Stopwatch, wall_now
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.client import Client
from mirrorcore.interfaces.live.picture import Picture, Row

MOST_CLIENTS = 32
_BEAT_S = 0.5
_QUIET_S = 0.9
_PATIENCE_S = 1.0

Ask = Callable[[], "Future[Picture]"]
"""Have the swarm make a picture of what is now and push it, from any thread."""


class HubFullError(MirrorCoreError):
    """As many clients are connected as may be."""


class Hub:
    """Serves one run's pictures to clients.

    Parameters
    ----------
    ask: has the swarm make a picture of now and push it.
    epoch: a number above that of every earlier server; by default the wall clock in ms.

    Attributes
    ----------
    rate: frames a second that anybody wants, 0 while nobody is connected.
    connected: how many clients there are. latest: the newest picture; any thread may read these.
    aside: what is known of the top line without the swarm's thread, given that line: a swarm that
        is held up makes no pictures, and the last one must not pass for how it is.
    """

    def __init__(self, ask: Ask, *, run: str, mode: str, epoch: int | None = None) -> None:
        self.epoch = wall_now() // MILLISECOND if epoch is None else epoch
        self.rate = self.connected = 0
        self.latest = Picture.blank()
        self.aside: Callable[[Row], Row] = _nothing
        self._facts = {"mode": mode, "run": run}
        self._ask = ask
        self._classes: dict[int, _Class] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._question: Future[Picture] | None = None
        self._asked: asyncio.Future[Picture]
        self._beat: asyncio.TimerHandle | None = None
        self._ended = ""

    # -- the swarm's thread

    def push(self, picture: Picture) -> None:
        """A new picture; from the swarm's thread alone, so that the newest is the last."""
        self.latest = picture
        self._tell(self._arrived)

    def finish(self, status: str) -> None:
        """The run is over: every client is told and let go; from any thread."""
        self._ended = status
        self._tell(self._finish)

    def _tell(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(what)
        except RuntimeError:
            self._loop = None  # the server's loop is closed: nobody is there to be told

    # -- the server's loop

    @property
    def resyncs(self) -> int:
        """Snapshots given to clients that had lost the thread, of those connected now."""
        return sum(c.resyncs for one in self._classes.values() for c in one.clients)

    def open(self) -> None:
        """Serve in the running loop."""
        self._loop = asyncio.get_running_loop()

    async def fresh(self) -> Picture:
        """The run as it is now; as it was last where it has ended, or is too busy for a second."""
        asked = self._want()
        await asyncio.wait([asked], timeout=_PATIENCE_S)
        if asked.done() and not isinstance(asked.exception(), MirrorCoreError | None):
            asked.result()
        return self.now()

    def now(self) -> Picture:
        """The newest picture, with what is known better by now."""
        latest = self.latest
        better = self.aside(latest.top)
        return replace(latest, top={**latest.top, **better}) if better else latest

    def _want(self) -> asyncio.Future[Picture]:
        """One question at a time, however many want to know.

        One that has been answered already may have been answered before what is asked for now.
        """
        if self._question is None or self._question.done():
            self._question = self._ask()
            self._asked = asyncio.wrap_future(self._question)
            self._asked.add_done_callback(_heard)
        return self._asked

    async def join(self, rate: int, role: str, resume: wire.Resume | None = None) -> Client:
        """A new client, its hello and what it needs to begin with already in its queue.

        Raises
        ------
        HubFullError: 32 are connected.
        """
        if self.connected >= MOST_CLIENTS:
            raise HubFullError(
                f"{MOST_CLIENTS} clients are connected", hint="close a page that nobody looks at"
            )
        one = self._class(rate)
        # What happened while nobody looked; it is the next frame of those who come back.
        one.emit(self.now())
        client = Client(one.channel, rate, self._leave)
        hello = wire.hello(self.epoch, rate, role, _wall(), **self._facts)
        missed = None if resume is None else one.channel.since(resume)
        if missed is None or not client.catch_up([hello, *missed]):
            client.owe("hello")
            client.say(hello)
        one.clients.append(client)
        self._count()
        if self._ended:
            client.close(wire.end(self.epoch, one.channel.seq, self._ended))
        else:
            self._want()
        if self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(_BEAT_S, self._beats)
        return client

    def _class(self, rate: int) -> _Class:
        one = self._classes.get(rate)
        if one is None:
            one = self._classes[rate] = _Class(rate, Channel(self.epoch, self.latest))
        return one

    def _leave(self, client: Client) -> None:
        clients = self._classes[client.rate].clients
        if client in clients:
            clients.remove(client)
        self._count()

    def _count(self) -> None:
        self.connected = sum(len(one.clients) for one in self._classes.values())
        self.rate = max((rate for rate, one in self._classes.items() if one.clients), default=0)

    def _arrived(self) -> None:
        for one in self._classes.values():
            if one.clients:
                self._due(one)

    def _due(self, one: _Class) -> None:
        """A frame now, or as soon as the class may have one."""
        if one.timer is not None:
            return
        wait = 1.0 / one.rate - one.sent.wall_ns() / SECOND
        if wait <= 0.1 / one.rate:
            one.emit(self.now())
        else:
            one.timer = asyncio.get_running_loop().call_later(wait, self._late, one)

    def _late(self, one: _Class) -> None:
        one.timer = None
        one.emit(self.now())

    def _beats(self) -> None:
        self._beat = None
        if not self.connected:
            return
        for one in self._classes.values():
            quiet = one.clients and one.sent.wall_ns() >= _QUIET_S * SECOND
            if quiet and not one.emit(self.now()):
                one.send(one.channel.heartbeat(_wall()))
        self._beat = asyncio.get_running_loop().call_later(_BEAT_S, self._beats)

    def _finish(self) -> None:
        for one in self._classes.values():
            one.emit(self.latest)
            last = wire.end(self.epoch, one.channel.seq, self._ended)
            for client in tuple(one.clients):
                client.close(last)


class _Class:
    """The clients of one rate."""

    def __init__(self, rate: int, channel: Channel) -> None:
        self.rate = rate
        self.channel = channel
        self.clients: list[Client] = []
        self.sent = Stopwatch()
        self.timer: asyncio.TimerHandle | None = None

    def emit(self, picture: Picture) -> bool:
        """The next frame for all, if there is anything new; whether there was."""
        frame = self.channel.advance(picture)
        if frame is not None:
            self.send(frame)
        return frame is not None

    def send(self, frame: bytes) -> None:
        self.sent = Stopwatch()
        for client in self.clients:
            client.put(frame)


def _heard(asked: asyncio.Future[Picture]) -> None:
    """What went wrong is told by fresh(); that nobody else looks at it is no defect."""
    if not asked.cancelled():
        asked.exception()


def _nothing(_top: Row) -> Row:
    return {}


def _wall() -> int:
    return wall_now() // MILLISECOND
