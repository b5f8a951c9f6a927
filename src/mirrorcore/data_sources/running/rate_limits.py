"""Weighted token buckets, one for each (host, account), shared by all who talk to that host.

A venue counts requests by address or account, whatever instance of a client made them; so the
limit belongs to the pair and not to the client.
"""

from __future__ import annotations

import asyncio

from mirrorcore.clock import SECOND, Clock


class TokenBucket:
    """Tokens that fill at a steady rate; requests wait their turn.

    Parameters
    ----------
    capacity: most tokens at once, > 0; the bucket begins full.
    per_second: tokens that come each second, > 0.
    """

    def __init__(self, clock: Clock, *, capacity: float, per_second: float) -> None:
        _require(capacity, per_second)
        self.capacity = capacity
        self.per_second = per_second
        self.waited_ns = 0
        """How long requests have waited here, all together."""
        self._clock = clock
        self._tokens = capacity
        self._at = clock.now()
        self._closed_until = 0
        self._turn = asyncio.Lock()

    async def take(self, weight: float = 1.0) -> None:
        """Wait until ``weight`` tokens are there, and take them; first come, first served.

        A weight above the capacity waits for a full bucket and leaves it in debt.
        """
        async with self._turn:
            start = self._clock.now()
            while (wait := self._wait(weight)) > 0:
                await asyncio.sleep(wait)
            self._tokens -= weight
            self.waited_ns += self._clock.now() - start

    def tighten(self, *, capacity: float, per_second: float) -> None:
        """From now on no more than this, either; who talks to the host already is held to it."""
        _require(capacity, per_second)
        self._wait(0.0)  # what came until now came at the old rate
        self.capacity = min(self.capacity, capacity)
        self.per_second = min(self.per_second, per_second)
        self._tokens = min(self._tokens, self.capacity)

    def close_for(self, duration_ns: int) -> None:
        """The server asked everyone to wait: nobody passes for so long."""
        self._closed_until = max(self._closed_until, self._clock.now() + duration_ns)

    def _wait(self, weight: float) -> float:
        """Seconds until ``weight`` may pass, 0 when it may now."""
        now = self._clock.now()
        self._tokens = min(
            self.capacity, self._tokens + (now - self._at) / SECOND * self.per_second
        )
        self._at = now
        if now < self._closed_until:
            return (self._closed_until - now) / SECOND
        short = min(weight, self.capacity) - self._tokens
        # A nanosecond's worth of tokens is lost to rounding; it must not be waited for for ever.
        return short / self.per_second if short > 1e-9 else 0.0


def _require(capacity: float, per_second: float) -> None:
    if capacity <= 0 or per_second <= 0:
        raise ValueError(f"capacity {capacity} and per_second {per_second} must be above 0")


class RateLimits:
    """The buckets of a process by (host, account)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def bucket(
        self, host: str, account: str = "", *, capacity: float = 1200, per_second: float = 20
    ) -> TokenBucket:
        """The one bucket of that host and account: the strictest of what those who share it say."""
        key = (host, account)
        known = self._buckets.get(key)
        if known is None:
            known = TokenBucket(self._clock, capacity=capacity, per_second=per_second)
            self._buckets[key] = known
        known.tighten(capacity=capacity, per_second=per_second)
        return known
