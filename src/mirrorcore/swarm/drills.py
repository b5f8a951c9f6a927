"""Faults made on purpose, so that isolation and restart are seen before they are needed."""

from __future__ import annotations

import asyncio
from typing import Any

from mirrorcore.errors import ConfigError

KINDS = ("raise", "hang", "nan", "flood", "undeclared")
_FLOOD = 1_000


class DrillFault(RuntimeError):  # noqa: N818  # what an operator reads in the log: a drill, no error
    """The error a drill raises."""


class Drill:
    """Hits the calls of one agent from a given tick on.

    It belongs to the member, not to the agent: a restart does not cure it, only its end does.

    Parameters
    ----------
    agent_id: who fails.
    at: number of the first tick it may hit.
    kind: one of :data:`KINDS`.
    count: how many calls in a row are hit.
    """

    def __init__(self, agent_id: str, at: int, kind: str, count: int) -> None:
        if kind not in KINDS:
            raise ConfigError(f"drill of {agent_id}: kind was {kind!r}", hint=", ".join(KINDS))
        self.agent_id = agent_id
        self.at = at
        self.kind = kind
        self.left = count

    def reaches(self, first: int, ticks: int) -> bool:
        """Whether a block of ``ticks`` from ``first`` on has a tick that would be hit."""
        return self.left > 0 and first + ticks > self.at

    def strike(self, tick: int) -> bool:
        """Count one call; True if it is hit."""
        if self.left <= 0 or tick < self.at:
            return False
        self.left -= 1
        return True

    def error(self) -> DrillFault:
        return DrillFault(f"drill: {self.agent_id} was told to fail")

    def misbehave(self, handle: Any, schema: Any) -> None:
        """What a struck call does instead of its work, unless it hangs."""
        if self.kind == "nan":
            handle.publish({next(iter(schema), "value"): float("nan")})
        elif self.kind == "undeclared":
            handle.publish({"a_field_nobody_declared": 1.0})
        elif self.kind == "flood":
            for _ in range(_FLOOD):
                handle.publish({})
        raise self.error()

    async def hang(self) -> None:
        """Never returns; only a deadline ends it."""
        await asyncio.get_running_loop().create_future()
