"""Calls that hold up a run: watched for in every run, and obeyed where a record has them.

Wall time decides when a call is ended, so that it was, and how far it had come, is an input of the
run like a late answer: journalled, and ended at the same place when the run is repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np

from mirrorcore.clock import MILLISECOND, SECOND
from mirrorcore.journal import JournalReader
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.obedience import Obedience
from mirrorcore.syncbus import Stall, StallCallback, WatchdogPolicy

PAPER_DEADLINE_NS = 500 * MILLISECOND
"""How long a call may hold up a paper run; what is in C is named 100 ms later."""

HISTORY_DEADLINE_NS = 10 * SECOND
"""The same in a replay of history, where nobody waits for the next tick."""


@contextmanager
def watching(
    swarm: Swarm,
    deadline_ns: int,
    stalled: StallCallback | None = None,
    stalls: Sequence[Stall] | None = None,
) -> Iterator[None]:
    """Have a watchdog end calls that hold up the run.

    Of a repeated run only those whose agents caught the exception: the others end by the record.
    """
    poll_ns = max(20 * MILLISECOND, deadline_ns // 50)
    policy = WatchdogPolicy(poll_ns=poll_ns, deadline_ns=deadline_ns)
    only = None
    if stalls is not None:
        caught = [stall for stall in stalls if stall.strikes and not stall.raised]
        only = frozenset((stall.agent_id, stall.call) for stall in caught)
    bus = swarm.parts.bus
    if only is None or only:
        bus.start_watchdog(policy, stalled, only)
    try:
        yield
    finally:
        bus.stop_watchdog()


def stalls_of(reader: JournalReader) -> list[Stall]:
    """The calls that held up a recorded run."""
    return [msgspec.convert(entry.body, Stall) for entry in reader.entries("stall")]


def obey(swarm: Swarm, stalls: Sequence[Stall] | None) -> None:
    """Have the calls of a repeated run end where the record says they were ended."""
    for member in swarm.members if stalls else ():
        own = {stall.call: stall for stall in stalls or () if stall.agent_id == member.agent_id}
        if own:
            member.obedience = Obedience(swarm.parts.bus, own)


def forget_random(swarm: Swarm, seed: int, stall: Stall) -> None:
    """Give the agent random numbers that do not depend on how many it drew before it was ended."""
    key = hashlib.sha256(f"{stall.agent_id} {stall.call}".encode()).digest()
    fresh = np.random.default_rng([seed, int.from_bytes(key[:8], "big")])
    for member in swarm.members:
        if member.agent_id == stall.agent_id and member.rng is not None:
            member.rng.bit_generator.state = fresh.bit_generator.state
