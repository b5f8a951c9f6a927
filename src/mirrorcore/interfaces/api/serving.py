"""A server beside a run: begins within it, ends with it, and never keeps it from running."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import iso, wall_now
from mirrorcore.config.model import WebConfig
from mirrorcore.config.together import is_loopback
from mirrorcore.errors import MirrorCoreError, RefusedError
from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.discovery import Reach, announce, withdraw
from mirrorcore.interfaces.api.doorkeeper import Doorkeeper
from mirrorcore.interfaces.api.guard import Guard
from mirrorcore.interfaces.api.listening import ServerThread, bind
from mirrorcore.interfaces.api.origins import Names, reached_at
from mirrorcore.interfaces.api.page import read_page
from mirrorcore.interfaces.api.pulse import Pulse, aside
from mirrorcore.interfaces.api.tokens import Tokens

if TYPE_CHECKING:
    from mirrorcore.swarm.driving import Attach
    from mirrorcore.swarm.run import Run

Say = Callable[[str], None]
"""Tells whoever started the run one line."""

_PATIENCE_S = 3.0

_OF_THE_EXTRA = ("fastapi", "starlette", "uvicorn", "h11", "websockets", "prometheus_client")
EXTRA = "pip install 'mirrorcore-x[web]'"


def served(web: WebConfig, say: Say, *, show_token: bool = False) -> Attach:
    """Have a run served.

    Parameters
    ----------
    say: told the address, or in one line why there is none.
    show_token: whether the address carries the operator's token, in its fragment; only where it is
        shown to a person and not written to a log.

    Raises
    ------
    RefusedError: the address could be reached from other machines, with no proxy before it.
    """
    check(web)

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(_serving(run, web, say, show_token=show_token))
            except ModuleNotFoundError as error:
                if str(error.name).split(".")[0] not in _OF_THE_EXTRA:
                    raise
                say(f"no dashboard: {error.name} is not installed; {EXTRA} brings it")
            except MirrorCoreError as error:
                say(f"no dashboard: {error.message}" + (f" ({error.hint})" if error.hint else ""))
            except OSError as error:
                say(f"no dashboard: {error.filename or web.host}: {error.strerror}")
            yield

    return attach


def check(web: WebConfig) -> None:
    """Refuse an address that others can reach, unless a proxy with TLS stands before it."""
    if not is_loopback(web.host) and not web.behind_proxy:
        raise RefusedError(
            f"web.host {web.host} can be reached from other machines, where tokens can be read",
            hint="put a proxy with TLS before it and set web.behind_proxy = true",
        )


@contextmanager
def _serving(run: Run, web: WebConfig, say: Say, *, show_token: bool) -> Iterator[None]:
    from mirrorcore.interfaces.api.app import Application, Parts
    from mirrorcore.interfaces.commands import Commands
    from mirrorcore.interfaces.live.panel import Panel

    tokens = Tokens.open(run.config.storage.runs)
    with _quick_turns(), ExitStack() as stack, ExitStack() as shown:
        sock = stack.enter_context(bind(web.host, web.port))
        host, port = sock.getsockname()[:2]
        panel = shown.enter_context(Panel(run))
        connections, warn = Connections(), _Warnings(run)
        pulse = Pulse(lambda: run.control.ask(lambda _run: None))
        panel.hub.aside = aside(pulse, run.swarm.parts.path.gateway)
        door = Doorkeeper(tokens, _audit(run))
        application = Application(
            Parts(
                commands=Commands(run, lambda: run.control.ask(lambda _run: panel.look())),
                hub=panel.hub,
                door=door,
                connections=connections,
                pulse=pulse,
                page=read_page(),
            )
        )
        names = Names.of(host, port, web.hosts)
        guard = Guard(application.app, names, door.refused, warn.failed, application.takes)
        server = ServerThread(guard, sock, connections, warn.add)
        server.start()
        stack.callback(server.stop)
        _within(server, application.begin())
        # Everybody hears how it ended before the server goes.
        stack.callback(lambda: _within(server, application.end()))
        stack.callback(withdraw, run.folder.path)
        _announce(run, f"http://{reached_at(host)}:{port}", tokens.path)
        _tell(say, web, port, tokens, show_token=show_token)
        yield


_TURN_S = 0.0005


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Let the server's thread have its turn soon while the swarm computes without a pause.

    Python hands over after 5 ms; a request takes dozens of turns, a stop among them.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _within(server: ServerThread, work: Coroutine[Any, Any, None]) -> None:
    """Have ``work`` done in the server's loop, if that still runs."""
    if not server.alive:
        work.close()
        return
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(work, server.loop).result(_PATIENCE_S)


def _announce(run: Run, url: str, tokens: Path) -> None:
    announce(
        run.folder.path,
        Reach(
            pid=os.getpid(),
            run=run.folder.id,
            mode=run.mode,
            url=url,
            tokens=str(tokens.resolve()),
            started=iso(wall_now()),
        ),
    )


def _tell(say: Say, web: WebConfig, port: int, tokens: Tokens, *, show_token: bool) -> None:
    if web.port not in (port, 0):
        say(f"port {web.port} is taken, {port} is free")
    url = f"http://{reached_at(web.host)}:{port}/"
    if show_token:
        say(f"Dashboard  {url}#t={tokens.secret('operator')}")
    else:
        say(f"Dashboard  {url}  ('mirrorcore token show' prints the address with its token)")


def _audit(run: Run) -> Callable[[Any], object]:
    from mirrorcore.swarm.control.actions import By
    from mirrorcore.swarm.control.audits import audit_entry

    def audit(body: Any) -> object:
        by = By("stranger", "none", body["origin"], body["address"])
        what = f"{body['event']} {body['path']}".strip()
        # The same keys as an entry of a command has: whoever reads the record reads both.
        entry = audit_entry("", what, by, "rejected", error=body["code"])
        return run.control.audit({**entry, **{key: body[key] for key in ("event", "code", "path")}})

    return audit


class _Warnings:
    """Trouble of the server as warnings of the run, each kind once."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def add(self, text: str) -> None:
        self._run.warnings.append(text)

    def failed(self, error: BaseException) -> None:
        # Its kind and place alone: what it says may quote a request.
        trace, where = error.__traceback__, ""
        while trace is not None:
            code = trace.tb_frame.f_code
            where = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
            trace = trace.tb_next
        self.add(f"the web server: {type(error).__name__} at {where}")
