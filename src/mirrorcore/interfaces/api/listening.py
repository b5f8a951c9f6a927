"""The server in a thread and an event loop of its own, on a socket that is bound before it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.api.connections import (
    Connections,
    http_protocol,
    socket_protocol,
)

if TYPE_CHECKING:
    from uvicorn import Server

_TRIES = 50
"""Ports that are tried after the one asked for."""

_BACKLOG = 1024
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
MOST_FRAME_BYTES = 16 * 1024
"""Of one message a client may send over a WebSocket."""


class ServeError(MirrorCoreError):
    """The server cannot be started."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on ``port``, or on the next one that is free; 0 takes any.

    Raises
    ------
    ServeError: the address cannot be listened on, or no port near is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason = ""
    for candidate in range(port, min(port + _TRIES, 65536)) if port else (0,):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, candidate))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            reason = str(error.strerror or error)
            continue
        sock.setblocking(False)
        return sock
    raise ServeError(
        f"{host} port {port}: {reason}", hint="give another with --port, or web.host and web.port"
    )


class ServerThread:
    """uvicorn beside everything else; ``start`` it, ``stop`` it, nothing remains.

    Parameters
    ----------
    app: the ASGI application, already guarded.
    failed: told of errors outside of any request, from the server's thread.
    """

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        connections: Connections,
        failed: Callable[[str], None],
    ) -> None:
        self._server = server_of(app, connections)
        self._sock = sock
        self._failed = failed
        self.loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirrorcore-web", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Return once it answers.

        Raises
        ------
        ServeError: it does not come up.
        """
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or not self._thread.is_alive():
            self.stop()
            raise ServeError("the web server did not start")

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        with contextlib.suppress(OSError):
            self._sock.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(self._unexpected)
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failed(f"the web server ended: {type(error).__name__}")
        finally:
            self._started.set()
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            self.loop.close()
            asyncio.set_event_loop(None)

    async def _serve(self) -> None:
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._sock]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        self._started.set()
        await serving

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ConnectionError):
            return  # a client that is gone
        # The kind alone: texts of errors may quote what a client sent.
        told = type(error).__name__ if error is not None else str(context.get("message"))
        self._failed(f"the web server: {told}")


def server_of(app: Any, connections: Connections) -> Server:
    """A server of ``app`` in our manner, for the loop it is served in."""
    import uvicorn

    # What it would log is said by answers and counters; a line of it could quote a request.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="none",
            http=http_protocol(connections),
            ws=socket_protocol(connections),
            ws_max_size=MOST_FRAME_BYTES,
            # Its pings draw from the global generator; the wire has a heartbeat of its own.
            ws_ping_interval=None,
            # Compressed for each client anew, it costs more than all else (docs/security.md).
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
