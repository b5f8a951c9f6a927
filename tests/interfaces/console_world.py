"""A swarm that can be reached over HTTP as docs/api.md has it, by a server of a few lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pexpect
from command_calls import PROGRAM
from commanded_run import Commanded, commanded

from mirrorcore.interfaces.commands import Call, Caller

TOKENS = {role: f"token-of-{role}-{'x' * 24}" for role in ("viewer", "operator", "admin")}


@dataclass
class Served:
    """A swarm and the server before it. ``asked``: (method, path, headers, body) of each call."""

    swarm: Commanded
    runs: Path
    url: str
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.swarm.run.folder.path

    @property
    def run_id(self) -> str:
        return self.swarm.run.folder.id


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """A paper run that goes on, its server up, for as long as the context."""
    with commanded(folder, **settings) as swarm, serving(swarm, folder / "runs") as found:
        yield found


@contextmanager
def serving(swarm: Commanded, runs: Path) -> Iterator[Served]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.served = found = Served(swarm, runs, url)  # type: ignore[attr-defined]
    announce(found.folder, runs, url)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def announce(folder: Path, runs: Path, url: str, pid: int | None = None) -> None:
    """The files by which a server is found."""
    tokens = runs / "tokens.json"
    tokens.write_text(json.dumps({"version": 1, "tokens": TOKENS}))
    reach = {
        "version": 1, "pid": pid or os.getpid(), "run": folder.name, "mode": "paper", "url": url,
        "tokens": str(tokens), "started": "now",
    }  # fmt: skip
    (folder / "control.json").write_text(json.dumps(reach))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        role = self._role(None)
        if role:
            commands = self._served.swarm.commands.catalogue(role)  # type: ignore[arg-type]
            self._answer(200, {"role": role, "commands": commands})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        role = self._role(body)
        if not role:
            return
        more = {
            key: body[key] for key in ("confirm", "reason", "dry_run", "timeout_s") if key in body
        }
        door = self.headers.get("X-MirrorCore-Door", "http")
        caller = Caller(role, role, door, "127.0.0.1")  # type: ignore[arg-type]
        key = self.headers.get("Idempotency-Key")
        call = Call(body["name"], body["args"], caller, key=key, **more)
        outcome = self._served.swarm.commands.execute_now(call)
        error = outcome["error"]
        if error is None:
            self._answer(200, outcome)
        else:
            kept = ("code", "hint", "fields", "confirm", "targets", "retry_after")
            told = {name: error[name] for name in kept if name in error}
            status, detail = error["http"], error["message"]
            self._answer(status, {"status": status, "detail": detail, **told, "outcome": outcome})

    @property
    def _served(self) -> Served:
        found: Served = self.server.served  # type: ignore[attr-defined]
        return found

    def _role(self, body: Any) -> str | None:
        self._served.asked.append((self.command, self.path, dict(self.headers), body))
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        for role, token in TOKENS.items():
            if given == token:
                return role
        self._answer(
            401, {"status": 401, "code": "unauthenticated", "detail": "no such token", "hint": ""}
        )
        return None

    def _answer(self, status: int, document: Any) -> None:
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked has gone
            self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Tests read what was asked from ``asked``."""


def spawn(
    *arguments: str, home: Path, columns: int = 110, program: str = PROGRAM
) -> pexpect.spawn[str]:
    """The program in a pseudo-terminal, with a home of its own."""
    environment = {
        **os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", "HOME": str(home),
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }  # fmt: skip
    return pexpect.spawn(
        sys.executable,
        ["-c", program, *arguments],
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
        dimensions=(40, columns),
        env=environment,
    )


def piped(swarm: Served, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``mirrorcore console`` with a script for its input."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "console", "--runs", str(swarm.runs), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
