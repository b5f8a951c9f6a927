"""How an agent does: success rate, latency, backlog, breaker, restarts; nothing else.

Wall-clock latencies enter here alone: never a decision, an agent's state or a fingerprint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirrorcore.syncbus.breaker import BreakerState
from mirrorcore.syncbus.messages import Health

_DECAY = 0.5 ** (1 / 50)
"""Half-life of the success rate: 50 calls."""

_BREAKER = {BreakerState.CLOSED: 1.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 0.0}


class SuccessRate:
    """Exponentially weighted share of calls that succeeded; only failures cost anything."""

    __slots__ = ("_at", "_rate")

    def __init__(self) -> None:
        self._rate = 1.0
        self._at = 0

    def failed(self, call: int) -> None:
        """Call number ``call`` failed, all since the last failure succeeded."""
        self._rate = self.after(call - 1) * _DECAY
        self._at = call

    def after(self, calls: int) -> float:
        """The rate after ``calls`` calls."""
        return 1.0 - (1.0 - self._rate) * _DECAY ** max(0, calls - self._at)

    def checkpoint(self) -> list[float]:
        """Plain state for :meth:`restore`."""
        return [self._rate, self._at]

    def restore(self, memory: list[float]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._rate, self._at = memory[0], int(memory[1])


BUCKETS = 48
"""Latencies are counted by their bit length in ns, up to a day and a half."""


def latency_quantile(counts: Sequence[int], q: float) -> int:
    """Upper bound of the bucket in which the ``q`` quantile lies, ns; 0 without calls.

    ``counts[b]`` is the number of calls that took 2^(b-1) .. 2^b ns.
    """
    rank = math.ceil(q * sum(counts))
    seen = 0
    for bits, count in enumerate(counts):
        seen += count
        if seen >= rank > 0:
            return 1 << bits
    return 0


def health(
    success: float,
    p99_ns: int,
    deadline_ns: int,
    oldest_pending_ns: int,
    breaker: BreakerState,
    restart_share: float,
) -> Health:
    """Product of the five factors, each 0..1.

    latency = 1 - min(1, p99 / deadline) / 2; backlog = exp(-age of the oldest pending / deadline).
    """
    latency = 1.0 - 0.5 * min(1.0, p99_ns / deadline_ns)
    backlog = math.exp(-max(0, oldest_pending_ns) / deadline_ns)
    gate = _BREAKER[breaker]
    restarts = 1.0 - restart_share
    score = success * latency * backlog * gate * restarts
    return Health(score, success, latency, backlog, gate, restarts)
