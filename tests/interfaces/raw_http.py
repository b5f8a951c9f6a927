"""HTTP as an attacker writes it: bytes on a socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEADLINE = 20.0


@dataclass(frozen=True)
class Said:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.document.get("code", ""))


def connect(port: int, timeout: float = DEADLINE) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout)


def read_answer(sock: socket.socket) -> Said:
    """One whole answer; ConnectionError where the server closed before it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    if headers.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += _more(sock)
        body = _joined(body)
    else:
        while len(body) < int(headers.get("content-length", 0)):
            body += _more(sock)
    return Said(int(first.split()[1]), headers, body)


def _joined(chunks: bytes) -> bytes:
    body = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body += chunks[: int(size, 16)]
        chunks = chunks[int(size, 16) + 2 :]
    return body


def _more(sock: socket.socket) -> bytes:
    got = sock.recv(65536)
    if not got:
        raise ConnectionError("the server closed the connection")
    return got


def ask(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    token: str = "",
    body: bytes | str | dict[str, Any] | None = None,
    host: str | None = None,
    timeout: float = DEADLINE,
    **headers: str,
) -> Said:
    """One request on a connection of its own; ``content_type`` is the header Content-Type."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    raw = b""
    if body is not None:
        text = json.dumps(body) if isinstance(body, dict) else body
        raw = text.encode() if isinstance(text, str) else text
        headers.setdefault("content_type", "application/json")
        headers.setdefault("content_length", str(len(raw)))
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with connect(port, timeout) as sock:
        sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + raw)
        return read_answer(sock)


def until(what: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """The first true answer; AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to pass in time")


def is_closed(sock: socket.socket) -> bool:
    """Whether the server has ended this connection."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.setblocking(True)
