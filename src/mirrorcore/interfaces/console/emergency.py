"""A stop that reaches a swarm whose server is dead: by a file in its folder, then by a signal.

The file is looked at by a thread of the swarm's process that nothing else can hold up. The signal
comes second, and only where the process is known to listen for it: any other would be ended by it.
What came of it stands in ``STOPPED.json`` in the run's folder; nothing is said beyond that.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.attaching import CONTROL
from mirrorcore.journal import RunInfo, RunRegistry, RunStatus, write_atomic

STOP_FILE = "STOP"
ANSWER_FILE = "STOPPED.json"
"""As in :mod:`mirrorcore.swarm.control.stop_signs`, which is not imported: a stop waits for nothing
it does not need, and least of all for numpy."""
SIGNAL_AFTER_S = 1.0
"""How long the file alone is waited for."""
PATIENCE_S = 10.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Reached:
    """How the stop was given, and the swarm's own ``answer``, if it gave one."""

    ways: tuple[str, ...]
    answer: Mapping[str, Any] | None
    alive: bool

    def outcome(self, level: str, why: str) -> dict[str, Any]:
        """In the form every other command answers in. ``why``: what became of the server."""
        base: dict[str, Any] = {
            "id": None,
            "name": "emergency_stop",
            "status": "failed",
            "target_count": 0,
            "acked": [],
            "missing": [],
            "result": {"level": level, "ways": list(self.ways), "server": why},
            "tick": None,
            "audit_seq": None,
            "error": None,
        }
        answer = self.answer
        if answer is None:
            return {**base, "error": self._unanswered()}
        if answer.get("status") != "stopped":
            message = f"the swarm could not carry the stop out: {answer.get('error')}"
            return {**base, "error": _error("failed", message, "end its process")}
        acked = list(answer.get("acked") or ())
        missing = [
            {"agent": agent, "why": why} for agent, why in dict(answer.get("missing") or {}).items()
        ]
        return {
            **base,
            "status": "partial" if missing else "done",
            "target_count": len(acked) + len(missing),
            "acked": acked,
            "missing": missing,
            "tick": answer.get("tick"),
            "audit_seq": answer.get("audit_seq"),
            "result": {
                **base["result"],
                **dict(answer.get("result") or {}),
                "by": answer.get("by"),
                "command_seq": answer.get("seq"),
            },
        }

    def _unanswered(self) -> dict[str, Any]:
        if not self.alive:
            return _error(
                "run_ended",
                "the run is over: its process has gone, and nothing of it trades any more",
                "what it left behind is in its report; positions at a venue are not closed by this",
            )
        return _error(
            "ack_timeout",
            f"the stop was given by {' and by '.join(self.ways)}, and within {PATIENCE_S:g} s the "
            "swarm has not said that it was carried out",
            "the process still runs; end it if the gateway has to be closed for certain",
        )


def stop(
    run: RunInfo, level: str, reason: str, *, door: str = "console", patience_s: float = PATIENCE_S
) -> Reached:
    """Give the stop and wait for the swarm to say what came of it.

    ``door`` is what the record is to call the way it came, as it would with the server up.

    Raises
    ------
    MirrorCoreError: the file cannot be written and the process does not listen for the signal.
    """
    answer_file = run.path / ANSWER_FILE
    before = _stamp(answer_file)
    ways, trouble = [], ""
    try:
        one_line = " ".join(reason.split())
        write_atomic(run.path / STOP_FILE, f"{level}\n{one_line}\n{door}\n")
        ways.append(f"the file {run.path / STOP_FILE}")
    except OSError as error:
        trouble = f"{run.path / STOP_FILE} cannot be written: {error.strerror}"
    watch, pause = Stopwatch(), threading.Event()
    while True:
        answer = _answer(answer_file, before)
        alive = _alive(run)
        passed = watch.wall_ns() / SECOND
        if answer is not None or not alive or passed > patience_s:
            return Reached(tuple(ways), answer, alive)
        if len(ways) < 2 and (trouble or passed > SIGNAL_AFTER_S) and "SIGUSR1" not in ways:
            if _signal(pid_of(run.path)):
                ways.append("SIGUSR1")
            elif trouble:
                raise MirrorCoreError(
                    f"no way to stop run {run.id}: {trouble}",
                    hint="end its process, or write the file as the user who started it",
                )
        pause.wait(_LOOK_S)


def pid_of(folder: Path) -> int | None:
    """The process of a run, as its control.json has it; None where it has none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads((folder / CONTROL).read_bytes())["pid"])
    return None


def _signal(pid: int | None) -> bool:
    """Send SIGUSR1 to a process that catches it; whether it was sent."""
    if pid is None or not _catches(pid, signal.SIGUSR1):
        return False
    try:
        os.kill(pid, signal.SIGUSR1)
    except OSError:  # gone meanwhile, or somebody else's
        return False
    return True


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal; without one the signal would end it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    for line in lines.splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _alive(run: RunInfo) -> bool:
    return RunRegistry(run.path.parent).find(run.id).status is RunStatus.RUNNING


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_ino


def _answer(path: Path, before: tuple[int, int]) -> Mapping[str, Any] | None:
    """What the swarm has written since; None where that is nothing yet."""
    if _stamp(path) == before:
        return None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) else None
    return None


def _error(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint, "fields": {}, "http": None}
