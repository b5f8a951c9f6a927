"""One call of a command: who asks for what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mirrorcore.swarm.control.actions import By

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may what those before it may."""

Outcome = dict[str, Any]
"""``id``, ``name``, ``status``, ``target_count``, ``acked``, ``missing``, ``result``, ``tick``,
``audit_seq``, ``error``: the same behind every door."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and through which door."""

    name: str = "python"
    role: Role = "operator"
    origin: str = "python"
    address: str = ""

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def by(self) -> By:
        return By(self.name, self.role, self.origin, self.address)


@dataclass(frozen=True, slots=True)
class Call:
    """A call. ``key``: the same key is the same command, which is done once. ``confirm``: the
    token of an earlier refusal. ``dry_run``: only say what would be done. ``timeout_s``: how long
    the swarm may take to answer."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    key: str | None = None
    confirm: str | None = None
    reason: str = ""
    dry_run: bool = False
    timeout_s: float = 5.0


def outcome(
    call_id: str,
    name: str,
    status: str,
    *,
    acked: list[str] | None = None,
    missing: Mapping[str, str] | None = None,
    result: Mapping[str, Any] | None = None,
    tick: int | None = None,
    audit_seq: int | None = None,
    error: Mapping[str, Any] | None = None,
) -> Outcome:
    """An outcome with all its keys."""
    did, did_not = list(acked or ()), dict(missing or {})
    return {
        "id": call_id,
        "name": name,
        "status": status,
        "target_count": len(did) + len(did_not),
        "acked": did,
        "missing": [{"agent": agent, "why": why} for agent, why in did_not.items()],
        "result": dict(result or {}),
        "tick": tick,
        "audit_seq": audit_seq,
        "error": None if error is None else dict(error),
    }
