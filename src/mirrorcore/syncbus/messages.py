"""What travels on the bus and what it says about itself: small frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

ALL = "all"
"""The interest in, or the address of, everybody."""


class Update(msgspec.Struct, frozen=True, gc=False):
    """What a reader missed of one source since it looked last.

    ``fields`` is the delta itself (``gap`` 1), the merge of 2..64 deltas, or the whole state
    (``resync``). ``version`` is the source's version after it, ``t`` the instant of its newest
    change, ns. ``gap`` counts the published deltas it stands for; 0 means that nothing was missed
    and the reader is new.
    """

    source: str
    fields: Mapping[str, Any]
    version: int
    gap: int
    resync: bool
    t: int


class Gap(msgspec.Struct, frozen=True, gc=False):
    """In a stream of every delta: ``count`` deltas of versions ``first`` .. ``last`` were lost.

    They were published faster than the reader took them for longer than its room lasted.
    """

    source: str
    first: int
    last: int
    count: int


Mode = Literal["latest", "every", "eager"]


class Interest(msgspec.Struct, frozen=True):
    """A source id, a kind or ``all``; with ``fields``, only changes of those.

    ``mode``: *latest*, what was missed is merged into one update; *every*, each delta by itself,
    losses told by a :class:`Gap`; *eager*, called within the publish (trusted sync handlers).
    """

    name: str
    fields: tuple[str, ...] | None = None
    mode: Mode = "latest"

    @classmethod
    def of(cls, value: str | tuple[str, Any] | Interest) -> Interest:
        """From a name, a pair (name, fields), or itself."""
        if isinstance(value, Interest):
            return value
        if isinstance(value, str):
            return cls(value)
        name, fields = value
        return cls(name, (fields,) if isinstance(fields, str) else tuple(fields))


class StateView(msgspec.Struct, frozen=True):
    """The state of a source as it stands: read-only, with its version and age in ns.

    ``stale`` says that its owner is down, so that this is the last it said.
    """

    source: str
    state: Mapping[str, Any]
    version: int
    t: int
    stale: bool
    age: int


class Command(msgspec.Struct, frozen=True):
    """An order of the control plane to an agent."""

    name: str
    params: Mapping[str, Any]
    t: int


class Reply(msgspec.Struct, frozen=True):
    """An agent's own answer to a command; ``ok`` False says why in ``error``."""

    agent_id: str
    ok: bool
    value: Any = None
    error: str = ""


class DeadLetter(msgspec.Struct, frozen=True):
    """A lossless message that no incarnation will handle."""

    t: int
    sender: str
    target: str
    message: Any
    reason: str


class EventKind(StrEnum):
    """The life events an observer sees."""

    REGISTERED = "registered"
    REMOVED = "removed"
    FAILURE = "failure"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    FLOOD = "flood"
    STORM = "storm"
    BREAKER = "breaker"
    RESTART = "restart"
    RECOVERED = "recovered"
    FAILED = "failed"
    ESCALATION = "escalation"
    PAUSED = "paused"
    RESUMED = "resumed"
    ISOLATED = "isolated"
    RELOCATED = "relocated"
    NOT_RELOCATED = "not_relocated"
    UNREADABLE = "unreadable"
    DEAD_LETTER = "dead_letter"
    REJECTED_PUBLISH = "rejected_publish"
    OBSERVER_FAILURE = "observer_failure"


class BusEvent(msgspec.Struct, frozen=True):
    """One life event of one agent at bus time ``t``, ns."""

    t: int
    kind: EventKind
    agent_id: str
    detail: str


class Ending(StrEnum):
    """How a call that held the loop came to its end, or why it has not.

    PYTHON: by an exception thrown into it. NATIVE: not at all, it is in code of C. STUBBORN: not
    at all, it catches whatever is thrown. NAMED: by itself, or it cannot be ended on this Python.
    """

    PYTHON = "python"
    NATIVE = "native"
    STUBBORN = "stubborn"
    NAMED = "named"


class Stall(msgspec.Struct, frozen=True):
    """A call of an agent that has held the loop beyond its deadline.

    ``call`` numbers the agent's calls, ``seconds`` is wall time so far or in all, ``strikes``
    counts the exceptions that arrived in it, ``publishes`` and ``sends`` what it had done until
    then. ``later`` says that the handler had waited before, so that this was not its first step,
    ``raised`` that the exception left the handler: it was not caught there.
    ``stack`` is the agent's part of the stack, innermost last.
    """

    agent_id: str
    call: int
    seconds: float
    ended: Ending
    strikes: int = 0
    publishes: int = 0
    sends: int = 0
    later: bool = False
    raised: bool = False
    stack: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for a log."""
        how = {
            Ending.PYTHON: "ended",
            Ending.NATIVE: "in native code, which cannot be ended",
            Ending.STUBBORN: f"caught what ends it {self.strikes} times",
            Ending.NAMED: "not ended",
        }[self.ended]
        where = f" at {self.stack[-1]}" if self.stack else ""
        return f"held the loop for {self.seconds:.3g} s, {how}{where}"


class Missed(msgspec.Struct, frozen=True):
    """``count`` life events that an observer was too slow to see."""

    count: int


class AgentStatistics(msgspec.Struct, frozen=True):
    """Counters of one agent since it registered.

    ``published`` .. ``rejected`` concern the deltas addressed to it, summed over its edges;
    ``accepted`` .. ``inbox`` its lossless lane. ``calls = successes + failures + waiting``.
    """

    state: str
    incarnation: int
    calls: int
    successes: int
    failures: int
    waiting: int
    skipped: int
    expired: int
    blocked: int
    restarts: int
    zombies: int
    version: int
    refused: int
    published: int
    delivered: int
    conflated: int
    lost: int
    pending: int
    rejected: int
    resyncs: int
    edges: int
    accepted: int
    handled: int
    failed: int
    dead_lettered: int
    inbox: int


class Health(msgspec.Struct, frozen=True):
    """How well an agent does, 0..1, with the factors whose product it is."""

    score: float
    success: float
    latency: float
    backlog: float
    breaker: float
    restarts: float
