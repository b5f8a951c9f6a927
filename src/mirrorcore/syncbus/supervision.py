"""An agent's life cycle and the limit on its restarts.

Intensity and period as in Erlang/OTP's supervisor: more than ``intensity`` restarts within the
period, and the agent has failed for good.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import msgspec

from mirrorcore.clock import SECOND
from mirrorcore.syncbus.faults import IllegalStepError


class LifeState(StrEnum):
    """Where an agent is in its life."""

    RUNNING = "running"
    PAUSED = "paused"
    ISOLATED = "isolated"
    PROBING = "probing"
    FAILED = "failed"
    REMOVED = "removed"


_STEPS: dict[LifeState, tuple[LifeState, ...]] = {
    LifeState.RUNNING: (LifeState.ISOLATED, LifeState.FAILED, LifeState.REMOVED),
    LifeState.ISOLATED: (LifeState.PROBING, LifeState.FAILED, LifeState.REMOVED),
    LifeState.PROBING: (
        LifeState.RUNNING,
        LifeState.ISOLATED,
        LifeState.FAILED,
        LifeState.REMOVED,
    ),
    LifeState.FAILED: (LifeState.ISOLATED, LifeState.REMOVED),
    LifeState.REMOVED: (),
}


def step(agent_id: str, state: LifeState, to: LifeState) -> LifeState:
    """``to``, if the table has that step; IllegalStepError otherwise.

    PAUSED is not in the table: a pause holds calls back in whatever state the agent is.
    """
    if to not in _STEPS[state]:
        raise IllegalStepError(f"agent {agent_id!r} is {state} and cannot become {to}")
    return to


class RestartPolicy(msgspec.Struct, frozen=True):
    """At most ``intensity`` restarts in max(``period_ns``, ``period_cadences`` cadences)."""

    intensity: int = 3
    period_ns: int = 60 * SECOND
    period_cadences: int = 50


class RestartWindow:
    """Counts the restarts of one agent within the period."""

    __slots__ = ("_period_ns", "_policy", "_times")

    def __init__(self, policy: RestartPolicy, cadence_ns: int = 0) -> None:
        self._policy = policy
        self._period_ns = max(policy.period_ns, policy.period_cadences * cadence_ns)
        self._times: deque[int] | None = None

    def allow(self, now: int) -> bool:
        """Count one more restart at ``now``; False when that is one too many."""
        if self.recent(now) >= self._policy.intensity:
            return False
        if self._times is None:
            self._times = deque()
        self._times.append(now)
        return True

    def recent(self, now: int) -> int:
        """Restarts within the period that ends ``now``."""
        times = self._times
        if times is None:
            return 0
        while times and times[0] <= now - self._period_ns:
            times.popleft()
        return len(times)

    def share(self, now: int) -> float:
        """Restarts within the period as a fraction of those allowed, 0..1."""
        return min(1.0, self.recent(now) / max(1, self._policy.intensity))

    def forget(self) -> None:
        """An operator's restart begins with a clean sheet."""
        self._times = None

    def checkpoint(self) -> list[int] | None:
        """Plain state for :meth:`restore`."""
        return None if self._times is None else list(self._times)

    def restore(self, times: list[int] | None) -> None:
        """Continue from :meth:`checkpoint`."""
        self._times = None if times is None else deque(times)
