"""The connection to a running swarm: kept up, looked at by the local clock, and never hurried.

Frames go into a :class:`~mirrorcore.interfaces.live.model.ClientModel`; whether they are fresh is
decided here by when they came, not by what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from mirrorcore.clock import SECOND, Clock, LiveClock
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.attaching import Attachment
from mirrorcore.interfaces.calling import UnreachableError
from mirrorcore.interfaces.live.model import RESYNC, ClientModel, Heard

STALE_S = 2.0
SILENT_S = 10.0
WAITS_S = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Between two attempts, the last one repeated. A person's monitor needs no chance in it."""

_LARGEST = 16 * 1024 * 1024
_REFUSED = {
    4400: "the swarm is of another version than this monitor",
    4401: "the swarm does not know this token",
    4403: "the swarm does not let this address in",
    4429: "the swarm has as many clients as it takes",
}


class LinkState(StrEnum):
    """Where the connection stands; only LIVE figures are of now. HELD: it stands, but the swarm
    itself does not come round to tell anything new."""

    CONNECTING = "connecting"
    LIVE = "live"
    HELD = "held"
    STALE = "stale"
    LOST = "lost"
    ENDED = "ended"


class Link:
    """Attaches, follows, and attaches again; :meth:`run` goes on until it is cancelled.

    Parameters
    ----------
    find: the way to the swarm, asked before every attempt: a restarted server may stand elsewhere.
    role: whose token is shown.
    rate: frames a second: 10, 4 or 1.
    """

    def __init__(
        self,
        find: Callable[[], Attachment],
        *,
        role: str,
        rate: int = 4,
        clock: Clock | None = None,
    ) -> None:
        self.model = ClientModel(rate)
        self.applied = 0
        """Updates taken in so far."""
        self.role = role
        self.trouble = ""
        """Why there is no connection, in words; empty while there is one."""
        self.attached: Attachment | None = None
        self._find = find
        self._clock = LiveClock() if clock is None else clock
        self._heard = 0
        self._open = False
        self._retry = 0
        self._later = 0

    def state(self) -> LinkState:
        """By the local clock: a link that says nothing for two seconds is stale."""
        if not self._open:
            if self.model.ended:
                return LinkState.ENDED
            return LinkState.LOST if self.trouble else LinkState.CONNECTING
        if self.silence() > STALE_S or self.model.waiting:
            return LinkState.STALE if self._heard else LinkState.CONNECTING
        return LinkState.HELD if self.model.top.get("held") else LinkState.LIVE

    @property
    def mode(self) -> str:
        """``paper`` or ``live``; empty before anything is known."""
        return str(self.model.facts.get("mode") or (self.attached.mode if self.attached else ""))

    def silence(self) -> float:
        """Seconds since anything was heard; 0 before the first frame."""
        return (self._clock.now() - self._heard) / SECOND if self._heard else 0.0

    def countdown(self) -> float:
        """Seconds until the next attempt; 0 while one is under way."""
        return max(0.0, (self._retry - self._clock.now()) / SECOND)

    async def run(self) -> None:
        """Follow the swarm until cancelled; a run that ended may be followed by another."""
        attempt = -1
        while True:
            before = self._heard
            try:
                await self._follow(lambda: False)
            except (MirrorCoreError, OSError, InvalidHandshake, InvalidURI, ValueError) as error:
                self.trouble = _told(error)
            except ConnectionClosed as closed:
                self.trouble = _reason(closed)
            self._open = False
            attempt = 0 if self._heard != before else attempt + 1
            wait = WAITS_S[-1 if self.model.ended else min(attempt, len(WAITS_S) - 1)]
            self._retry = self._clock.now() + round(wait * SECOND)
            await asyncio.sleep(wait)

    async def look(self, patience_s: float = SILENT_S) -> None:
        """Attach, take in one snapshot and the frame after it, and leave.

        The snapshot is of when somebody last looked; what is new since then comes right after it.

        Raises
        ------
        MirrorCoreError: there is no swarm, or it says nothing.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._follow(lambda: self._later > 0)
        except TimeoutError:
            raise UnreachableError(f"the swarm has said nothing for {patience_s:g} s") from None
        except ConnectionClosed as closed:
            raise UnreachableError(_reason(closed)) from None
        except (OSError, InvalidHandshake, InvalidURI, ValueError) as error:
            raise UnreachableError(_told(error)) from None

    async def _follow(self, enough: Callable[[], bool]) -> None:
        """One connection, from its hello to its end."""
        attached = await asyncio.to_thread(self._find)
        token = attached.token(self.role)
        socket = await connect(
            "ws" + attached.url.removeprefix("http") + "/api/v1/live",
            proxy=None,
            compression=None,
            max_size=_LARGEST,
            open_timeout=5,
            close_timeout=1,
        )
        try:
            async with socket:
                self.attached = attached
                await socket.send(self.model.hello(token))
                while not enough():
                    await self._hear(socket)
        finally:
            # A second cancellation, as a loop that ends sends one, cuts the goodbye short.
            socket.transport.abort()

    async def _hear(self, socket: ClientConnection) -> None:
        wait = STALE_S if self.model.waiting and self.model.known else SILENT_S
        try:
            async with asyncio.timeout(wait):
                data = await socket.recv()
        except TimeoutError:
            if wait == SILENT_S or self.silence() > SILENT_S:
                raise ConnectionError(f"nothing was heard for {SILENT_S:.0f} s") from None
            if self.model.ask_again():
                await socket.send(RESYNC)
            return
        self._heard = self._clock.now()
        self._open, self.trouble = True, ""
        self._later += self.model.known
        heard = self.model.receive(data)
        if heard is Heard.APPLIED:
            self.applied += 1
        elif heard is Heard.RESYNC:
            await socket.send(RESYNC)


def _reason(closed: ConnectionClosed) -> str:
    code = closed.rcvd.code if closed.rcvd is not None else 1006
    return _REFUSED.get(code, "the connection was closed")


def _told(error: Exception) -> str:
    if isinstance(error, MirrorCoreError):
        return error.message
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers at its address"
    if isinstance(error, InvalidHandshake):
        return "what answers at its address is no swarm"
    return str(error) or type(error).__name__
