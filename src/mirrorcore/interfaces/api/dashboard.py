"""The guide's ``AgentDashboard``: a web view of the agents of a bus, or of a running swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.doorkeeper import Doorkeeper
from mirrorcore.interfaces.api.guard import Guard
from mirrorcore.interfaces.api.listening import bind, server_of
from mirrorcore.interfaces.api.origins import Names
from mirrorcore.interfaces.api.problems import Problem, encode
from mirrorcore.interfaces.api.tokens import new_token, same
from mirrorcore.interfaces.commands.calls import Role
from mirrorcore.interfaces.live.picture import action_of
from mirrorcore.syncbus import SyncBus

if TYPE_CHECKING:
    from fastapi import FastAPI, WebSocket

    from mirrorcore.swarm.run import Run

_EVERY_S = 0.1
_MOST_CLIENTS = 32
_HELLO_S = 2.0


class AgentDashboard:
    """Serves ``GET /agents/status`` and ``WS /agents/live``, behind a token.

    Over a bus it is served in the loop of the bus, as in the guide: ``await dashboard.serve()``, or
    give ``dashboard.app`` to a server of your own. Over a run all that ``mirrorcore run`` serves
    comes up beside it: ``run_paper(config, attach=AgentDashboard)``.

    Parameters
    ----------
    source: the bus, or the run.
    token: what callers have to show; a new one by default.

    Attributes
    ----------
    said: over a run, what its server has said of itself: its address.
    """

    def __init__(self, source: SyncBus | Run, *, token: str = "", port: int = 8420) -> None:
        self.run = None if isinstance(source, SyncBus) else source
        self.syncbus: SyncBus = source if isinstance(source, SyncBus) else source.swarm.parts.bus
        self.token = token or new_token()
        self.port = port
        self.said: list[str] = []
        self._stack = ExitStack()
        self._door = Doorkeeper(self, lambda _: None)
        self._clients = 0
        self._app: FastAPI | None = None

    # -- over a run

    def __enter__(self) -> AgentDashboard:
        if self.run is None:
            raise UsageError(
                "an AgentDashboard over a bus is served in the loop of the bus",
                hint="await dashboard.serve()",
            )
        from mirrorcore.interfaces.api.serving import served

        self._stack.enter_context(served(self.run.config.web, self.said.append)(self.run))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- over a bus

    @property
    def app(self) -> FastAPI:
        """The application, for a server in the loop of the bus."""
        if self._app is None:
            from fastapi import FastAPI

            self._app = FastAPI(title="MirrorCore-X", docs_url=None, redoc_url=None)
            self._app.add_middleware(
                Guard,
                names=Names.loopback(),
                refused=self._door.refused,
                failed=_raised,
            )
            self.setup_routes()
        return self._app

    async def serve(self) -> None:
        """Serve on ``port``, or the next that is free, until cancelled.

        Raises
        ------
        ServeError: no port near is free.
        """
        sock = bind("127.0.0.1", self.port)
        self.port = sock.getsockname()[1]
        with sock:
            await server_of(self.app, Connections()).serve(sockets=[sock])

    def setup_routes(self) -> None:
        """Add the two addresses to :attr:`app`; done when that is first used."""
        from fastapi import Request, Response, WebSocket

        async def status(request: Request) -> Response:
            address = request.client.host if request.client else ""
            try:
                self._door.role(request.headers.get("authorization", ""), address)
            except Problem as problem:
                return Response(
                    problem.body(), problem.status, dict(problem.headers),
                    media_type="application/problem+json",
                )  # fmt: skip
            return Response(encode(await self.get_agent_status()), media_type="application/json")

        async def live(websocket: WebSocket) -> None:
            await self._live(websocket)

        # Their annotations are names of this function.
        status.__annotations__ = {"request": Request, "return": Response}
        live.__annotations__ = {"websocket": WebSocket, "return": None}
        self.app.add_api_route("/agents/status", status, response_model=None)
        self.app.add_api_websocket_route("/agents/live", live)

    async def get_agent_status(self) -> dict[str, dict[str, Any]]:
        """Every agent as a plain object, by id."""
        return self.format_for_display(await self.syncbus.get_all_states())

    def format_for_display(
        self, states: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """States as the guide shows them, with what the bus knows of each agent beside."""
        return {agent: self._row(agent, state) for agent, state in states.items()}

    def _row(self, agent: str, state: Mapping[str, Any]) -> dict[str, Any]:
        bus = self.syncbus
        counts = bus.statistics(agent)
        signal = _number(state.get("signal"))
        return {
            "status": str(counts.state),
            "confidence": _number(state.get("confidence")),
            "last_action": str(state.get("last_action") or action_of(signal)),
            "performance": _number(state.get("performance_score")),
            "health": bus.health(agent).score,
            "kind": bus.kind_of(agent),
            "signal": signal,
            "mailbox": counts.pending + counts.inbox,
            "version": counts.version,
        }

    async def _live(self, websocket: WebSocket) -> None:
        from mirrorcore.interfaces.api.sockets import (
            LeftError,
            bearer_of,
            close,
            heard,
            peer_of,
            token_of,
        )

        await websocket.accept()
        try:
            token = bearer_of(websocket)
            if not token:
                async with asyncio.timeout(_HELLO_S):
                    token = token_of(await heard(websocket))
            self._door.role_of(token, str(peer_of(websocket)[0]))
        except TimeoutError:
            await close(websocket, 4408, "no token within 2 seconds")
        except Problem as problem:
            await close(websocket, 4401, problem.detail)
        except LeftError:
            return
        else:
            if self._clients >= _MOST_CLIENTS:
                await close(websocket, 4429, f"{_MOST_CLIENTS} clients are connected")
                return
            self._clients += 1
            try:
                await self._stream(websocket)
            finally:
                self._clients -= 1

    async def _stream(self, websocket: WebSocket) -> None:
        """What the agents are, whenever it is something else; a slow reader is waited for."""
        from fastapi import WebSocketDisconnect

        from mirrorcore.interfaces.api.sockets import heard

        listening = asyncio.ensure_future(heard(websocket))
        shown = b""
        try:
            while not listening.done():
                told = encode(await self.get_agent_status())
                if told != shown:
                    shown = told
                    await websocket.send_text(told.decode())
                await asyncio.wait([listening], timeout=_EVERY_S)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the client is gone
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    # -- who may look

    def role_of(self, given: str) -> Role | None:
        """The token is a viewer's: nothing can be changed here."""
        return "viewer" if same(given, self.token) else None


def _raised(error: BaseException) -> None:
    raise error


def _number(value: object) -> float | None:
    import numpy as np

    if isinstance(value, np.ndarray):
        known = value[np.isfinite(value)]
        return float(known.mean()) if known.size else None
    return float(value) if isinstance(value, int | float) else None
