"""A circuit breaker: closed, open, half-open, with full-jitter back-off.

A success costs nothing to record: what the rules need is the number of the call that failed.
Pattern: M. Nygard, Release It! (2007), ch. 5; full jitter: M. Brooker, Exponential Backoff and
Jitter (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND
from mirrorcore.syncbus.faults import IllegalStepError


class BreakerState(StrEnum):
    """Calls pass (closed), are kept away (open), or pass on probation (half-open)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_STEPS = {
    (BreakerState.CLOSED, BreakerState.OPEN),
    (BreakerState.OPEN, BreakerState.HALF_OPEN),
    (BreakerState.HALF_OPEN, BreakerState.OPEN),
    (BreakerState.HALF_OPEN, BreakerState.CLOSED),
}


class BreakerPolicy(msgspec.Struct, frozen=True):
    """When a breaker opens and how long it stays open.

    It opens after ``consecutive`` failures in a row, or when more than ``rate`` of the last
    ``window`` calls failed (once there were ``minimum``), or at one hang. It stays open for a
    uniform draw from 0 .. min(cap, base 2^k); base and cap are at least ``base_cadences`` and
    ``cap_cadences`` times the agent's cadence. ``probes`` successes close it again, and k falls
    by one for each ``quiet_ns`` (or ``cap_cadences`` cadences) without a failure.
    """

    consecutive: int = 5
    window: int = 20
    rate: float = 0.5
    minimum: int = 10
    base_ns: int = 500 * MILLISECOND
    cap_ns: int = 30 * SECOND
    base_cadences: int = 1
    cap_cadences: int = 20
    probes: int = 3
    quiet_ns: int = MINUTE


class Breaker:
    """The state machine of one agent; time and call numbers are handed in."""

    __slots__ = (
        "_cadence_ns",
        "_failed_at",
        "_last_failure_call",
        "_last_failure_t",
        "_policy",
        "_probes_left",
        "_run",
        "level",
        "retry_at",
        "state",
    )

    def __init__(self, policy: BreakerPolicy, cadence_ns: int = 0) -> None:
        self._policy = policy
        self._cadence_ns = cadence_ns
        self.state = BreakerState.CLOSED
        self.level = 0
        self.retry_at: int | None = None
        self._failed_at: deque[int] | None = None
        self._run = 0
        self._last_failure_call = -1
        self._last_failure_t = 0
        self._probes_left = 0

    def failed(self, call: int, now: int) -> bool:
        """Record that call number ``call`` failed; True when the breaker has to open."""
        policy = self._policy
        self._cool_down(now)
        self._run = self._run + 1 if call == self._last_failure_call + 1 else 1
        self._last_failure_call = call
        self._last_failure_t = now
        if self._failed_at is None:
            self._failed_at = deque()
        recent = self._failed_at
        recent.append(call)
        while recent[0] <= call - policy.window:
            recent.popleft()
        if self.state is BreakerState.HALF_OPEN:
            return True
        calls_seen = min(call, policy.window)
        too_many = calls_seen >= policy.minimum and len(recent) > policy.rate * calls_seen
        return self._run >= policy.consecutive or too_many

    def succeeded(self) -> bool:
        """Record a success on probation; True when it was the last one needed."""
        if self.state is not BreakerState.HALF_OPEN:
            return False
        self._probes_left -= 1
        if self._probes_left > 0:
            return False
        self._step(BreakerState.CLOSED)
        self._run = 0
        self._failed_at = None
        return True

    def open(self, now: int, rng: np.random.Generator | None) -> None:
        """Open; draw the instant of the next try, or none at all without ``rng``."""
        self._step(BreakerState.OPEN)
        if rng is None:
            self.retry_at = None
            return
        self.retry_at = now + round(float(rng.random()) * self.longest_wait_ns())
        self.level += 1

    def hold(self) -> None:
        """Stay open: no try at any time."""
        self.retry_at = None

    def longest_wait_ns(self) -> int:
        """The bound of the next draw, ns."""
        policy, cadence = self._policy, self._cadence_ns
        base = max(policy.base_ns, policy.base_cadences * cadence)
        cap = max(policy.cap_ns, policy.cap_cadences * cadence)
        return min(cap, base << min(self.level, 40))

    def forget(self) -> None:
        """A clean sheet by command: what failed so far counts no more."""
        self._run, self.level, self._failed_at = 0, 0, None

    def half_open(self) -> None:
        """Let calls pass on probation."""
        self._step(BreakerState.HALF_OPEN)
        self.retry_at = None
        self._probes_left = self._policy.probes

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`."""
        return {
            "state": str(self.state),
            "level": self.level,
            "retry_at": self.retry_at,
            "failed_at": None if self._failed_at is None else list(self._failed_at),
            "numbers": [
                self._run,
                self._last_failure_call,
                self._last_failure_t,
                self._probes_left,
            ],
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self.state = BreakerState(memory["state"])
        self.level, self.retry_at = memory["level"], memory["retry_at"]
        failed_at = memory["failed_at"]
        self._failed_at = None if failed_at is None else deque(failed_at)
        self._run, self._last_failure_call, self._last_failure_t, self._probes_left = memory[
            "numbers"
        ]

    def _cool_down(self, now: int) -> None:
        quiet = max(self._policy.quiet_ns, self._policy.cap_cadences * self._cadence_ns)
        self.level = max(0, self.level - (now - self._last_failure_t) // quiet)

    def _step(self, to: BreakerState) -> None:
        if (self.state, to) not in _STEPS:
            raise IllegalStepError(f"a breaker that is {self.state} cannot become {to}")
        self.state = to
