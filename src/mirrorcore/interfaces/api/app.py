"""The application: every address, its answers, and their description as OpenAPI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from starlette.routing import Match

import mirrorcore
from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.interfaces.api import openapi
from mirrorcore.interfaces.api.command_routes import (
    CommandDesk,
    checked_key,
    parse,
    problem_of,
)
from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.doorkeeper import Doorkeeper
from mirrorcore.interfaces.api.figures import counted, of_picture
from mirrorcore.interfaces.api.guide_status import MOST, chosen, plain_agents, wanted_fields
from mirrorcore.interfaces.api.live_routes import LiveDesk
from mirrorcore.interfaces.api.metrics import Figure, one, registry, text_of
from mirrorcore.interfaces.api.page import INDEX, PageFile
from mirrorcore.interfaces.api.ports import Registry
from mirrorcore.interfaces.api.problems import Problem, encode
from mirrorcore.interfaces.api.pulse import LAG_S, Pulse, unready
from mirrorcore.interfaces.api.replies import (
    address_of,
    answer,
    digest_of,
    document,
    limit_of,
    no_socket,
    not_allowed,
    not_found,
    origin_of,
    query_of,
    refusal,
    tags_of,
)
from mirrorcore.interfaces.api.views import VIEWS, View, arguments
from mirrorcore.interfaces.commands.calls import Role
from mirrorcore.interfaces.commands.specs import Param
from mirrorcore.interfaces.live.hub import Hub


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of."""

    commands: Registry
    hub: Hub
    door: Doorkeeper
    connections: Connections
    pulse: Pulse
    page: Mapping[str, PageFile]


class Application:
    """The routes over :class:`Parts`; ``app`` is the ASGI application, without its guard."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.desk = CommandDesk(parts.commands, parts.door)
        self.live = LiveDesk(parts.hub, parts.door, parts.connections)
        self._metrics = registry(self._figures)
        self.app = FastAPI(
            title="MirrorCore-X",
            version=mirrorcore.__version__,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self._add_routes(self.app)
        self._looked: Stopwatch | None = None
        self._beating: asyncio.Future[None] | None = None
        self._document = self._described()

    async def begin(self) -> None:
        """Serve from the running loop."""
        self._parts.hub.open()
        self._beating = asyncio.ensure_future(self._parts.pulse.beat())

    async def end(self) -> None:
        """The run is over: let everybody hear so, and go."""
        if self._beating is not None:
            self._beating.cancel()
        await self.live.drained()

    def takes(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether an address takes this request by its path and its method."""
        return any(route.matches(scope)[0] is Match.FULL for route in self.app.routes)

    def _add_routes(self, app: FastAPI) -> None:
        def add(path: str, handler: Any, about: dict[str, Any], method: str = "GET") -> None:
            summary = (handler.__doc__ or "").strip().split("\n")[0]
            app.add_api_route(
                path,
                handler,
                methods=[method],
                response_model=None,
                summary=summary,
                name=f"{method} {path}",
                openapi_extra=about,
            )

        add("/api/v1/commands", self._command, openapi.command(self._parts.commands.specs), "POST")
        add("/api/v1/commands", self._catalogue, openapi.catalogue())
        add("/api/v1/commands/{id}", self._outcome, openapi.outcome())
        add("/api/v1/openapi.json", self._openapi, openapi.plain(secured=True))
        for view in VIEWS:
            params = self._parts.commands.specs[view.command].params
            add(view.route, self._view(view, params), openapi.view(view, params))
        add("/agents/status", self._status, openapi.status())
        add("/healthz", self._healthz, openapi.plain("503"))
        add("/readyz", self._readyz, openapi.plain("503"))
        add("/version", self._version, openapi.plain())
        add("/metrics", self._scrape, openapi.plain(secured=True, media="text/plain"))
        app.add_api_route(
            "/{path:path}",
            self._page,
            methods=["GET"],
            response_model=None,
            include_in_schema=False,
        )
        app.add_api_websocket_route("/api/v1/live", self.live.live)
        app.add_api_websocket_route("/agents/live", self.live.agents)
        app.add_api_websocket_route("/{path:path}", no_socket)
        app.add_exception_handler(Problem, self._refuse)
        app.add_exception_handler(404, not_found)
        app.add_exception_handler(405, not_allowed)

    def _described(self) -> dict[str, Any]:
        """The addresses as OpenAPI."""
        app = self.app
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        return {**document, "components": openapi.COMPONENTS}

    # -- who is asking

    def _role(self, request: Request, needed: Role = "viewer") -> Role:
        role = self._parts.door.role(
            request.headers.get("authorization", ""), address_of(request), needed
        )
        self._parts.connections.proved(request.scope["client"])
        return role

    async def _refuse(self, request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)
        self._parts.door.refused(address_of(request), problem, request.url.path)
        return refusal(problem)

    # -- commands

    async def _command(self, request: Request) -> Response:
        """Have a command carried out."""
        role = self._role(request)
        outcome = await self.desk.carry_out(
            parse(await request.body()),
            role=role,
            key=checked_key(request.headers.get("idempotency-key", "")),
            origin=origin_of(request),
            address=address_of(request),
        )
        problem = problem_of(outcome)
        return document(outcome) if problem is None else refusal(problem)

    async def _catalogue(self, request: Request) -> Response:
        """What this token's role may ask for."""
        role = self._role(request)
        commands = self._parts.commands.catalogue(role)
        given = [one["name"] for one in commands]
        others = {
            name: spec.role
            for spec in self._parts.commands.specs.values()
            for name in (spec.name, *spec.aliases)
            if spec.name not in given
        }
        return document({"role": role, "commands": commands, "others": others})

    async def _outcome(self, request: Request) -> Response:
        """What became of an earlier command."""
        role = self._role(request)
        return document(self.desk.outcomes.find(role, request.path_params["id"]))

    def _view(self, view: View, params: Sequence[Param]) -> Any:
        async def view_of(request: Request) -> Response:
            role = self._role(request)
            within = request.path_params[view.within] if view.within else ""
            args = arguments(view, params, request.query_params.multi_items(), within)
            outcome = await self.desk.read(
                view.command,
                args,
                role=role,
                origin=origin_of(request),
                address=address_of(request),
            )
            problem = problem_of(outcome)
            if problem is not None:
                return refusal(problem)
            return document({"tick": outcome["tick"], "result": outcome["result"]})

        view_of.__doc__ = self._parts.commands.specs[view.command].summary
        return view_of

    # -- the guide's view

    async def _status(self, request: Request) -> Response:
        """Every agent as a plain object, by id."""
        role = self._role(request)
        self._parts.door.read(role)
        query = query_of(request, "fields", "kind", "status", "limit", "cursor")
        fields = wanted_fields(query.get("fields", ""))
        limit = limit_of(query.get("limit", str(MOST)))
        picture = await self._parts.hub.fresh()
        agents = plain_agents(picture)
        page, more = chosen(
            agents, query.get("kind", ""), query.get("status", ""), limit, query.get("cursor", "")
        )
        body = encode({id_: {name: agent[name] for name in fields} for id_, agent in page.items()})
        headers = {"ETag": f'"{self._parts.hub.epoch}-{digest_of(body)}"'}
        if more:
            headers["X-Next-Cursor"] = quote(more, safe="")
        if headers["ETag"] in tags_of(request):
            return answer(b"", status=304, headers=headers)
        return answer(body, headers=headers)

    # -- health and figures

    async def _healthz(self, request: Request) -> Response:
        """Whether the server lives."""
        well = self._parts.pulse.lag_s < LAG_S
        return document({"status": "ok" if well else "late"}, 200 if well else 503)

    async def _readyz(self, request: Request) -> Response:
        """Whether the swarm is ready to trade."""
        if self._looked is None or self._looked.wall_ns() > SECOND:
            # Anybody may ask, so the swarm is not asked each time.
            self._looked = Stopwatch()
            await self._parts.hub.fresh()
        reasons = unready(self._parts.pulse, self._parts.hub.now())
        known = self._parts.door.knows(request.headers.get("authorization", ""))
        # Strangers learn that it is not ready, not why.
        told = {"ready": not reasons, **({"reasons": reasons} if known else {})}
        return document(told, 503 if reasons else 200)

    async def _version(self, request: Request) -> Response:
        """Which version this is."""
        return document({"name": "mirrorcore-x", "version": mirrorcore.__version__, "api": "v1"})

    async def _scrape(self, request: Request) -> Response:
        """Figures for Prometheus."""
        self._parts.door.read(self._role(request))
        await self._parts.hub.fresh()
        body, kind = text_of(self._metrics)
        return answer(body, kind=kind)

    def _figures(self) -> list[Figure]:
        parts = self._parts
        stop = self.desk.stop_s
        told = "How long the last stop took, to the last acknowledgement."
        return [
            *([] if stop is None else [one("estop_ack_seconds", told, stop)]),
            *of_picture(parts.hub.now()),
            *counted(self.desk.tally.items(), parts.door.refusals),
            one("loop_lag_seconds", "How late the server's loop was last.", parts.pulse.lag_s),
            one("swarm_answer_seconds", "How long the swarm took to answer last.",
                max(parts.pulse.answer_s, parts.pulse.silent_s)),
            one("ws_clients", "Clients of the live wire.", parts.hub.connected),
            one("ws_frames_total", "Frames sent.", self.live.frames, "counter"),
            one("ws_frame_bytes_total", "Bytes of them.", self.live.frame_bytes, "counter"),
            one("http_connections", "Open HTTP connections.", len(parts.connections)),
            one("http_closed_total", "Connections closed for want of a token or of room.",
                parts.connections.closed, "counter"),
        ]  # fmt: skip

    async def _openapi(self, request: Request) -> Response:
        """This description."""
        self._role(request)
        return document(self._document)

    # -- the page

    async def _page(self, request: Request) -> Response:
        """A file of the dashboard's page."""
        found = self._parts.page.get(request.path_params["path"] or INDEX)
        if found is None:
            return not_found(request, None)
        keep = "public, max-age=31536000, immutable" if found.lasting else "no-cache"
        headers = {"ETag": found.etag, "Cache-Control": keep}
        if found.etag in tags_of(request):
            return answer(b"", status=304, headers=headers)
        return answer(found.body, kind=found.kind, headers=headers)
