"""The knobs of an agent and of the bus, each with its default."""

from __future__ import annotations

import msgspec

from mirrorcore.clock import MILLISECOND, SECOND
from mirrorcore.syncbus.breaker import BreakerPolicy
from mirrorcore.syncbus.supervision import RestartPolicy


class AgentPolicy(msgspec.Struct, frozen=True):
    """What one agent may do and what happens when it does not.

    ``deadline_ns`` bounds one handler call by the bus clock. ``cadence_ns`` is how often the agent
    is called; back-off and restart periods are never shorter than its multiples. ``inbox`` bounds
    the lossless lane, ``stream`` what waits of a source whose every delta it wants. One call may
    publish, and may send, ``max_publishes_per_call`` times.
    """

    deadline_ns: int = 250 * MILLISECOND
    cadence_ns: int = 0
    inbox: int = 1024
    stream: int = 1024
    max_publishes_per_call: int = 256
    breaker: BreakerPolicy = BreakerPolicy()
    restart: RestartPolicy = RestartPolicy()


class BusPolicy(msgspec.Struct, frozen=True):
    """What holds for the whole bus.

    ``turn`` calls are made per turn of the event loop, ``agent_turn`` of them to one agent
    before the next has its go. A run of ``storm_calls`` calls per agent and edge without ever
    coming to rest is a feedback storm. ``history_bytes`` bounds the history of all sources
    together, ``source_history_bytes`` of one. ``dead_letters`` are kept, newest last.
    """

    turn: int = 256
    agent_turn: int = 16
    storm_calls: int = 256
    history_bytes: int = 64 << 20
    source_history_bytes: int = 256 << 10
    dead_letters: int = 1024
    command_timeout_ns: int = SECOND
    sweep_ns: int = 20 * MILLISECOND
