"""Where a running swarm can be reached: a file in its folder while its server is up."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mirrorcore.errors import RefusedError
from mirrorcore.interfaces.api.private_files import read_private, write_private

FILE = "control.json"


@dataclass(frozen=True, slots=True)
class Reach:
    """How to reach one running swarm; ``tokens`` is the path of the tokens' file."""

    pid: int
    run: str
    mode: str
    url: str
    tokens: str
    started: str
    version: int = 1


def announce(folder: Path, reach: Reach) -> None:
    """Write the file of a run; OSError where that fails."""
    write_private(folder / FILE, json.dumps(asdict(reach), indent=2) + "\n", replace=True)


def withdraw(folder: Path) -> None:
    """Take the file away, if it is this process's."""
    found = reach_of(folder)
    if found is not None and found.pid == os.getpid():
        with contextlib.suppress(OSError):  # whoever reads it sees by the run's lock that it ended
            (folder / FILE).unlink()


def reach_of(folder: Path) -> Reach | None:
    """What the file of a run says; None where there is none that can be believed.

    It says nothing on whether the process still lives: the run's own lock does.
    """
    try:
        document = json.loads(read_private(folder / FILE, ""))
        return Reach(
            pid=int(document["pid"]),
            run=str(document["run"]),
            mode=str(document["mode"]),
            url=str(document["url"]),
            tokens=str(document["tokens"]),
            started=str(document["started"]),
        )
    except (OSError, RefusedError, ValueError, KeyError, TypeError):
        return None
