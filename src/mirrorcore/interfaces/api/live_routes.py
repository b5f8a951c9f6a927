"""``WS /api/v1/live`` and the guide's ``WS /agents/live``: a running swarm as it happens.

A client says who it is in its first message, never in the address, which gets logged. It is sent
what the hub has for it; one that does not read is let go, and costs the swarm nothing meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import WebSocket, WebSocketDisconnect

from mirrorcore.interfaces.api.allowance import Buckets
from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.doorkeeper import Doorkeeper
from mirrorcore.interfaces.api.guide_status import plain_agents
from mirrorcore.interfaces.api.problems import Problem, encode
from mirrorcore.interfaces.api.sockets import (
    LeftError,
    bearer_of,
    close,
    heard,
    peer_of,
    token_of,
)
from mirrorcore.interfaces.commands.calls import Role
from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.hub import Hub, HubFullError

if TYPE_CHECKING:
    from mirrorcore.interfaces.live.client import Client
    from mirrorcore.interfaces.live.picture import Picture

MOST_WAITING = 64
"""Connections that have not said who they are; of more the oldest is let go."""

SEND_SECONDS = 20.0
"""How long a client may take to read what fills its socket."""

_LOOK_S = 1.0
_INBOUND_A_SECOND, _INBOUND_AT_ONCE = 10.0, 20.0
TOO_MUCH = 1008


class LiveDesk:
    """Takes in the clients of the live wire; used in the server's loop alone."""

    def __init__(self, hub: Hub, door: Doorkeeper, connections: Connections) -> None:
        self.frame_bytes = 0
        self.frames = 0
        self._hub = hub
        self._door = door
        self._connections = connections
        self._waiting: OrderedDict[int, WebSocket] = OrderedDict()
        self._plain: tuple[Picture, str] | None = None
        self._talking = 0
        self._silence = asyncio.Event()
        self._silence.set()

    async def live(self, websocket: WebSocket) -> None:
        """The wire of docs/wire.md."""
        await websocket.accept()
        try:
            hello = wire.read_hello(await self._first(websocket))
            role = self._known(websocket, hello.token)
            client = await self._hub.join(hello.rate, role, hello.resume)
        except LeftError:
            return
        except wire.BadHelloError as error:
            await close(websocket, wire.BAD_HELLO, str(error))
            return
        except _RefusedError as refused:
            await close(websocket, refused.code, refused.reason)
            return
        except HubFullError as error:
            await close(websocket, wire.TOO_MANY, error.message)
            return
        await self._converse(websocket, client, hello.token, role, self._as_it_is)

    async def agents(self, websocket: WebSocket) -> None:
        """The guide's plain objects, all agents at each change, at most ten times a second."""
        await websocket.accept()
        try:
            token = bearer_of(websocket) or token_of(await self._first(websocket))
            role = self._known(websocket, token)
            client = await self._hub.join(wire.RATES[0], role)
        except LeftError:
            return
        except _RefusedError as refused:
            await close(websocket, refused.code, refused.reason)
            return
        except HubFullError as error:
            await close(websocket, wire.TOO_MANY, error.message)
            return
        await self._converse(websocket, client, token, role, self._as_objects)

    async def _first(self, websocket: WebSocket) -> str | bytes:
        """The first message, if it comes in time."""
        self._waiting[id(websocket)] = websocket
        if len(self._waiting) > MOST_WAITING:
            _, oldest = self._waiting.popitem(last=False)
            self._connections.abort(peer_of(oldest))
        try:
            async with asyncio.timeout(wire.HELLO_S):
                return await heard(websocket)
        except TimeoutError:
            raise _RefusedError(
                wire.NO_HELLO, f"no hello within {wire.HELLO_S:g} seconds"
            ) from None
        finally:
            self._waiting.pop(id(websocket), None)

    def _known(self, websocket: WebSocket, token: str) -> Role:
        address = str(peer_of(websocket)[0])
        try:
            return self._door.role_of(token, address)
        except Problem as problem:
            self._door.refused(address, problem, websocket.url.path)
            code = wire.TOO_MANY if problem.status == 429 else wire.UNKNOWN_TOKEN
            raise _RefusedError(code, problem.detail) from None

    async def _converse(
        self,
        websocket: WebSocket,
        client: Client,
        token: str,
        role: Role,
        form: Callable[[bytes], str | None],
    ) -> None:
        """Send and listen until one side has had enough."""
        tasks = [
            asyncio.ensure_future(self._send(websocket, client, form)),
            asyncio.ensure_future(self._listen(websocket, client)),
            asyncio.ensure_future(self._watch(token, role)),
        ]
        self._talking += 1
        self._silence.clear()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, reason = next(task.result() for task in tasks if task in done)
            if code == _SILENT:
                self._connections.abort(peer_of(websocket))
            elif code != _GONE:
                await close(websocket, code, reason)
        finally:
            client.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._talking -= 1
            if not self._talking:
                self._silence.set()

    async def drained(self) -> None:
        """Until every client has been told that the run is over, for a second at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._silence.wait()

    async def _send(
        self, websocket: WebSocket, client: Client, form: Callable[[bytes], str | None]
    ) -> tuple[int, str]:
        while True:
            frame = await client.next()
            if frame is None:
                return wire.GOING_AWAY, "the run is over"
            text = form(frame)
            if text is None:
                continue
            self.frames += 1
            self.frame_bytes += len(text)
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await websocket.send_text(text)
            except TimeoutError:
                return _SILENT, ""
            except (WebSocketDisconnect, RuntimeError, OSError):
                return _GONE, ""

    async def _listen(self, websocket: WebSocket, client: Client) -> tuple[int, str]:
        allowance = Buckets(_INBOUND_A_SECOND, _INBOUND_AT_ONCE)
        while True:
            try:
                message = await heard(websocket)
            except LeftError:
                return _GONE, ""
            if allowance.take(""):
                return TOO_MUCH, "too many messages"
            if wire.asks_for_snapshot(message):
                client.owe("resync")

    async def _watch(self, token: str, role: Role) -> tuple[int, str]:
        """Until the token counts no more."""
        while self._door.holds(token, role):
            await asyncio.sleep(_LOOK_S)
        return wire.UNKNOWN_TOKEN, "the token has been replaced"

    def _as_it_is(self, frame: bytes) -> str:
        return frame.decode()

    def _as_objects(self, frame: bytes) -> str | None:
        """Every frame of news as what it makes of the agents."""
        if not frame.startswith((b'{"t":"d"', b'{"t":"snap"')):
            return None
        picture = self._hub.latest
        if self._plain is None or self._plain[0] is not picture:
            self._plain = (picture, encode(plain_agents(picture)).decode())
        return self._plain[1]


_GONE = 0
_SILENT = -1


class _RefusedError(Exception):
    """A client that is not taken, with the code and reason of the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
