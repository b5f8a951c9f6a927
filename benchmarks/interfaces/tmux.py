"""A real terminal to look at and type on: one tmux of its own, driven by its control mode."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

TMUX = shutil.which("tmux")
MISSING = "tmux is not installed: scripts/system-deps installs it"

_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Terminal:
    """A program in a terminal of ``width`` × ``height``; use as a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        width: int = 160,
        height: int = 45,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._socket = folder / "tmux"
        self._command = list(command)
        self._size = ("-x", str(width), "-y", str(height))
        self._environment = dict(environment or {})
        self._output: queue.Queue[tuple[float, bytes]] = queue.Queue()

    def __enter__(self) -> Terminal:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONUTF8": "1",
            "LC_ALL": "C.UTF-8",
            **self._environment,
        }
        environment.pop("TMUX", None)
        self._env = environment
        # Told before there is a program, which may end at once and take its server with it.
        kept = ("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";")
        session = ("new-session", "-d", "-s", "it", *self._size, *self._command)
        self._call("-f", "/dev/null", *kept, *session)
        self._control = subprocess.Popen(
            [*self._base(), "-C", "attach-session", "-t", "it"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._call("kill-server")
        assert self._control.stdin is not None
        with contextlib.suppress(OSError):
            self._control.stdin.close()
        self._control.wait(10)
        self._listener.join(10)
        assert self._control.stdout is not None
        self._control.stdout.close()

    def _base(self) -> list[str]:
        assert TMUX is not None, MISSING
        return [TMUX, "-u", "-S", str(self._socket)]

    def _call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._base(), *arguments],
            capture_output=True,
            check=True,
            env=self._env,
            encoding="utf-8",
            timeout=30,
        )
        return done.stdout

    def _listen(self) -> None:
        assert self._control.stdout is not None
        for line in self._control.stdout:
            if line.startswith(b"%output "):
                text = line.rstrip(b"\r\n").split(b" ", 2)[2]
                plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)
                self._output.put((time.perf_counter(), plain))

    def shown(self) -> str:
        """The text of the screen."""
        return self._call("capture-pane", "-p", "-t", "it")

    def said(self) -> str:
        """The same with what has been scrolled away."""
        return self._call("capture-pane", "-p", "-S", "-200", "-t", "it")

    def pid(self) -> int:
        """The process in the terminal."""
        return int(self._call("display-message", "-p", "-t", "it", "#{pane_pid}"))

    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._call("display-message", "-p", "-t", "it", "#{pane_dead}").strip() == "1"

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: ``Enter``, ``F10``, ``Escape``, ``a``."""
        for key in keys:
            self._send(f"send-keys -t it {key}")

    def type(self, text: str) -> None:
        """Letters as they are; none of them a quote."""
        assert "'" not in text
        self._send(f"send-keys -l -t it '{text}'")

    def _send(self, line: str) -> None:
        assert self._control.stdin is not None
        self._control.stdin.write(f"{line}\n".encode())
        self._control.stdin.flush()

    def until(self, holds: Callable[[str], bool], seconds: float = 30.0) -> str:
        """The screen as soon as ``holds`` of its text; AssertionError with what it shows if not."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.shown()
            if holds(text):
                return text
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come; the screen shows:\n{text}")
            time.sleep(0.02)

    def echo(self, letter: str, seconds: float = 10.0) -> float:
        """Milliseconds from a key to the first output that has it."""
        while not self._output.empty():
            self._output.get()
        wanted = letter.encode()
        begun = time.perf_counter()
        self.type(letter)
        while True:
            at, text = self._output.get(timeout=seconds)
            if wanted in text:
                return (at - begun) * 1000
