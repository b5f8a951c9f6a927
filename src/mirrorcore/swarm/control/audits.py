"""What an entry of the audit says: the same of a command of any door, a refusal, a stop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mirrorcore.clock import Stopwatch, iso, wall_now
from mirrorcore.swarm.control.actions import By, told


def audit_entry(
    entry_id: str,
    command: str,
    by: By,
    status: str,
    *,
    args: Mapping[str, Any] | None = None,
    reason: str = "",
    key: str = "",
    error: str = "",
    acked: Iterable[str] = (),
    missing: Iterable[str] = (),
    tick: int | None = None,
    since: Stopwatch | None = None,
) -> dict[str, Any]:
    """The body of an entry, as the journal can hold it; ``since`` the call began, for ``ms``."""
    return {
        "id": entry_id,
        "command": told(command),
        "args": _written(args or {}),
        "by": msgspec.to_builtins(by.told()),
        "reason": told(reason),
        "key": told(key),
        "status": status,
        "error": error,
        "acked": list(acked),
        "missing": list(missing),
        "tick": tick,
        "ms": 0.0 if since is None else round(since.wall_ns() / 1e6, 3),
        "wall": iso(wall_now()),
    }


def _written(args: Mapping[str, Any]) -> Any:
    """Arguments as the journal can hold them, whatever a program put there."""
    text = json.dumps(dict(args), default=str, ensure_ascii=False)
    return json.loads(text.encode("utf-8", "replace"))
