"""What the tests of agents in processes share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.syncbus import ProcessFactory, ProcessPolicy

SMALL = ProcessPolicy(memory_bytes=512 << 20, blob_bytes=1 << 20)


async def until(condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
    """Wait for ``condition``, at most ``seconds``."""
    watch = Stopwatch()
    while not condition():
        assert watch.wall_ns() < seconds * SECOND, what or "the condition did not come about"
        await asyncio.sleep(0.002)


def agent(name: str, **arguments: Any) -> ProcessFactory:
    return ProcessFactory(f"process_agents:{name}", arguments, SMALL)


def children() -> list[int]:
    """Processes whose parent is this one, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
