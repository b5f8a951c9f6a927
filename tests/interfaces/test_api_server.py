"""The server itself on real sockets, with a tiny application behind its guard."""

from __future__ import annotations

import gc
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from raw_http import ask, connect, is_closed, read_answer, until

from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.guard import HEADERS, Guard
from mirrorcore.interfaces.api.listening import ServeError, ServerThread, bind
from mirrorcore.interfaces.api.origins import Names
from mirrorcore.interfaces.api.problems import Problem


class Tiny:
    """Says what reached it, or fails on demand."""

    def __init__(self, connections: Connections) -> None:
        self.reached: list[tuple[str, bytes]] = []
        self._connections = connections

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fail":
            raise RuntimeError("token-123 must not be shown")
        if scope["path"] == "/known":
            self._connections.proved(scope["client"])
        message = await receive()
        self.reached.append((scope["path"], message.get("body", b"")))
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


class Served:
    def __init__(self, most: int, seconds: float) -> None:
        self.sock = bind("127.0.0.1", 0)
        self.port: int = self.sock.getsockname()[1]
        self.connections = Connections(most, seconds)
        self.tiny = Tiny(self.connections)
        self.refused: list[tuple[str, str]] = []
        self.failed: list[str] = []
        names = Names.of("127.0.0.1", self.port)
        guard = Guard(self.tiny, names, self._refused, self._failed)
        self.thread = ServerThread(guard, self.sock, self.connections, self.failed.append)

    def _refused(self, address: str, problem: Problem, path: str) -> None:
        self.refused.append((address, problem.code))

    def _failed(self, error: BaseException) -> None:
        self.failed.append(type(error).__name__)


@contextmanager
def running(most: int = 256, seconds: float = 15.0) -> Iterator[Served]:
    served = Served(most, seconds)
    served.thread.start()
    try:
        yield served
    finally:
        served.thread.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with running() as served:
        yield served


def test_it_answers_with_every_security_header(server: Served) -> None:
    said = ask(server.port, "/")
    assert (said.status, said.body) == (200, b"done")
    for name, value in HEADERS.items():
        assert said.headers[name.lower()] == value
    assert said.headers["cache-control"] == "no-store"
    assert "server" not in said.headers
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]


def test_a_foreign_host_is_told_so_and_nothing_else(server: Served) -> None:
    before = len(server.tiny.reached)
    said = ask(server.port, "/", host="evil.example")
    assert (said.status, said.code) == (421, "bad_host")
    assert said.headers["content-type"] == "application/problem+json"
    assert said.headers["x-frame-options"] == "DENY"
    assert len(server.tiny.reached) == before
    assert ("127.0.0.1", "bad_host") in server.refused


def test_no_host_at_all_is_refused(server: Served) -> None:
    with connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_answer(sock).status == 421


def test_another_page_s_requests_are_refused(server: Served) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        said = ask(server.port, "/", method="POST", body="{}", **headers)
        assert (said.status, said.code) == (403, "bad_origin")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_form_is_refused(server: Served, kind: str) -> None:
    """What a page of somebody else could send without asking the browser first."""
    said = ask(server.port, "/", method="POST", body='{"name":"emergency_stop"}', content_type=kind)
    assert (said.status, said.code) == (415, "wrong_content_type")


def test_a_body_of_no_kind_is_refused(server: Served) -> None:
    with connect(server.port) as sock:
        host = f"Host: 127.0.0.1:{server.port}".encode()
        sock.sendall(b"POST / HTTP/1.1\r\n" + host + b"\r\nContent-Length: 2\r\n\r\n{}")
        assert read_answer(sock).code == "wrong_content_type"


def test_a_large_body_is_refused_before_it_is_read(server: Served) -> None:
    said = ask(server.port, "/", method="POST", body="{}", content_length="999999999999")
    assert (said.status, said.code) == (413, "too_large")


def test_a_large_body_in_chunks_is_refused_as_it_comes(server: Served) -> None:
    before = len(server.tiny.reached)
    with connect(server.port) as sock:
        sock.sendall(
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        sock.sendall(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\nffff\r\n" + b"x" * 0xFFFF + b"\r\n")
        assert read_answer(sock).status == 413
    assert len(server.tiny.reached) == before


def test_half_a_request_is_no_request(server: Served) -> None:
    before = len(server.tiny.reached)
    with connect(server.port) as sock:
        sock.sendall(
            f"POST /half HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            'Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"name":"x"}'.encode()
        )
    assert ask(server.port, "/whole").status == 200
    assert [path for path, _ in server.tiny.reached[before:]] == ["/whole"]


def test_a_defect_says_nothing_of_itself(server: Served) -> None:
    said = ask(server.port, "/fail")
    assert (said.status, said.code) == (500, "defect")
    assert b"token-123" not in said.body
    assert b"Runtime" not in said.body
    assert server.failed[-1] == "RuntimeError"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzz",
        b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\tb: \x00\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_harms_nothing(server: Served, raw: bytes) -> None:
    with connect(server.port) as sock:
        sock.sendall(raw)
        assert read_answer(sock).status in {400, 421, 431}
    assert ask(server.port).status == 200


def test_smuggled_second_requests_are_judged_too(server: Served) -> None:
    with connect(server.port) as sock:
        good = f"GET /a HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        sock.sendall(good + b"GET /b HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        data = b""
        while data.count(b"HTTP/1.1 ") < 2:
            data += sock.recv(65536)
    first, second = data.split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3]) == (b"200", b"421")


def test_nothing_it_says_reaches_a_log(
    server: Served, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(server.port, "/fail?secret=1", token="token-123")
        with connect(server.port) as sock:
            sock.sendall(b"token-123\r\n\r\n")
            read_answer(sock)
    out, err = capfd.readouterr()
    assert "token-123" not in out + err + caplog.text
    assert "secret" not in out + err + caplog.text


def test_the_socket_of_a_foreign_page_is_refused_at_the_handshake(server: Served) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    for host, origin, status in (
        (f"127.0.0.1:{server.port}", "http://evil.example", 403),
        ("evil.example", "http://evil.example", 421),
        (f"127.0.0.1:{server.port}", f"http://127.0.0.1:{server.port}", 101),
    ):
        with connect(server.port) as sock:
            head = f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n{upgrade}{key}\r\n"
            sock.sendall(head.encode())
            assert read_answer(sock).status == status


def test_a_thousand_idle_connections_keep_nobody_out() -> None:
    with running(most=64, seconds=60.0) as server, ExitStack() as stack:
        known = stack.enter_context(connect(server.port))
        host = f"Host: 127.0.0.1:{server.port}"
        known.sendall(f"GET /known HTTP/1.1\r\n{host}\r\n\r\n".encode())
        assert read_answer(known).status == 200
        idle: list[socket.socket] = []
        for number in range(1000):
            idle.append(connect(server.port))
            if number % 100 == 0:
                assert ask(server.port).status == 200
            if len(idle) > 200:  # those it has closed; this process has few descriptors as well
                until(lambda: is_closed(idle[0]))
                idle.pop(0).close()
        for one in idle:
            stack.callback(one.close)
        until(lambda: server.connections.closed >= 900)
        assert len(server.connections) <= 64
        known.sendall(f"GET /again HTTP/1.1\r\n{host}\r\n\r\n".encode())
        assert read_answer(known).status == 200
        assert not server.failed


def test_a_stranger_is_not_waited_for() -> None:
    with running(seconds=0.2) as server:
        with connect(server.port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: ")  # and nothing more
            until(lambda: is_closed(sock))
        assert server.connections.closed == 1
        assert len(server.connections) == 0


def test_a_port_that_is_taken_is_passed_over() -> None:
    first = bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    second = bind("127.0.0.1", port)
    try:
        assert port < second.getsockname()[1] < port + 50
    finally:
        first.close()
        second.close()
    with pytest.raises(ServeError, match=r"203\.0\.113\.1"):
        bind("203.0.113.1", 8420)


def test_nothing_is_left_of_a_server_that_was_stopped() -> None:
    before = threading.active_count()
    with running() as server:
        left = connect(server.port)
        port = server.port
    until(lambda: is_closed(left))
    left.close()
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    assert threading.active_count() == before
    assert not server.failed
    gc.collect()  # a socket that was not closed would be warned about here, as an error
