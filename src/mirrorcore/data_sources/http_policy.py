"""Limits, durations and counters of requests over HTTP, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mirrorcore.clock import MILLISECOND, SECOND

MEBIBYTE = 1 << 20


class Limit(Protocol):
    """A rate limit shared by all who talk to one host with one account."""

    async def take(self, weight: float = 1.0) -> None:
        """Wait for one's turn."""

    def close_for(self, duration_ns: int) -> None:
        """Let nobody pass for so long: the server asked for it."""


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Every number by which requests are made.

    Parameters
    ----------
    timeout_ns: deadline of one whole answer: a server that drips is no better than a silent one.
    max_bytes: largest answer, unpacked.
    attempts: tries of one request in all.
    first_wait_ns, longest_wait_ns: the wait doubles from the one to the other.
    patience_ns: a server that asks for more is not waited for here; the error says how long.
    """

    timeout_ns: int = 20 * SECOND
    max_bytes: int = 16 * MEBIBYTE
    attempts: int = 3
    first_wait_ns: int = 500 * MILLISECOND
    longest_wait_ns: int = 4 * SECOND
    patience_ns: int = 5 * SECOND


@dataclass(slots=True)
class HttpCounters:
    """What the client did, for health."""

    requests: int = 0
    retries: int = 0
    unchanged: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """By kind of failure: ``429``, ``timeout``, ``connection`` …"""

    def failed(self, kind: str) -> None:
        self.failures[kind] = self.failures.get(kind, 0) + 1
