"""What a checkpoint of a whole swarm is: all that a later tick may depend on, as bytes.

Each part owns what it holds (``checkpoint`` and ``restore``); here is only which parts there are,
in what order they come back, and when a swarm cannot be captured at all: while an agent waits or a
message lies about, or where an agent's memory cannot be encoded. Then there is no checkpoint, and
whoever wants to run a stretch again begins at an earlier one or at the start.

A checkpoint is taken between two blocks, after the order path was drained. What observers alone
keep (results, digests, histories, latencies) is not in it.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from mirrorcore.agents.checkpoint import decode_checkpoint, encode_checkpoint
from mirrorcore.errors import DataError
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.engine import Engine
from mirrorcore.swarm.members import Member
from mirrorcore.syncbus import LifeState, SyncBus

LAYOUT = 3
"""Number of the form described here; another one is not read."""

_ALIVE = (LifeState.RUNNING, LifeState.PROBING, LifeState.PAUSED)
_FAST = 1
"""Compression level: floating-point numbers hardly shrink further, whatever is spent on them."""


def capture(swarm: Swarm, engine: Engine) -> bytes | None:
    """The swarm as it is now, None where it cannot be continued exactly from plain data.

    The agents' memories are those that ``engine.save_checkpoints()`` has just given to the bus.
    """
    parts = swarm.parts
    if any(member.kept is None for member in swarm.members if _alive(parts.bus, member)):
        return None
    bus = parts.bus.checkpoint()
    if bus is None:
        return None
    whole: dict[str, Any] = {
        "layout": LAYOUT,
        "now": parts.clock.now(),
        "voters": list(swarm.context.voters),
        "bus": bus,
        "members": {member.agent_id: member.checkpoint() for member in swarm.members},
        "features": parts.features.checkpoint(),
        "analysis": parts.analysis.checkpoint(),
        "path": parts.path.checkpoint(),
        "gate": parts.gate.checkpoint(),
        "views": parts.views.checkpoint(),
        "engine": engine.checkpoint(),
    }
    try:
        return zlib.compress(encode_checkpoint(whole), _FAST)
    except TypeError:
        # A state that an agent of the user's published, of a kind that plain data do not have.
        return None


def restore(swarm: Swarm, engine: Engine, data: bytes) -> None:
    """Make a freshly assembled swarm what it was when ``data`` was captured.

    Raises
    ------
    DataError: the checkpoint has another layout, or the swarm other agents or symbols.
    """
    try:
        whole = decode_checkpoint(zlib.decompress(data))
    except (zlib.error, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise DataError(f"the checkpoint cannot be read: {error}") from error
    if whole.get("layout") != LAYOUT:
        raise DataError(
            f"the checkpoint has layout {whole.get('layout')}, this version reads {LAYOUT}",
            hint="read it with the version that wrote it",
        )
    parts = swarm.parts
    parts.clock.advance_to(whole["now"])
    # Agents size what they hold by the voters there are when they are attached.
    parts.voters[:] = whole["voters"]
    handles = parts.bus.restore(whole["bus"])
    for member in swarm.members:
        state = whole["members"][member.agent_id]
        alive = _alive(parts.bus, member)
        member.continued(state, handles[member.agent_id], alive=alive)
    parts.features.restore(whole["features"])
    parts.analysis.restore(whole["analysis"])
    parts.path.restore(whole["path"])
    parts.gate.restore(whole["gate"])
    parts.views.restore(whole["views"])
    engine.restore(whole["engine"])


def _alive(bus: SyncBus, member: Member) -> bool:
    return bus.status(member.agent_id) in _ALIVE
