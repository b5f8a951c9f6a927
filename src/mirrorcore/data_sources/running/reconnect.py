"""Back-off with full jitter, and a circuit breaker over attempts that bring nothing.

Full jitter: M. Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015). Breaker: M.
Nygard, Release It! (2007), ch. 5. A connection that brought records and then broke is no reason to
open the breaker; one that never brings any is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mirrorcore.data_sources.running.policy import ReconnectPolicy

BreakerState = Literal["closed", "open", "half_open"]


class Reconnect:
    """When to try again. Time is handed in; waits come from a seeded generator."""

    __slots__ = ("_fruitless", "_healthy_since", "_level", "_policy", "_rng", "_trips", "breaker")

    def __init__(self, policy: ReconnectPolicy, rng: np.random.Generator) -> None:
        self._policy = policy
        self._rng = rng
        self._level = 0
        self._fruitless = 0
        self._trips = 0
        self._healthy_since: int | None = None
        self.breaker: BreakerState = "closed"

    def heard(self, now: int) -> None:
        """The attempt brought something."""
        if self._healthy_since is None:
            self._healthy_since = now
        if self.breaker != "closed":
            self.breaker, self._trips = "closed", 0
        self._fruitless = 0

    def failed(self, now: int, asked_ns: int = 0) -> int:
        """The attempt or the connection failed; ns to wait before the next.

        ``asked_ns`` is what the server asked for, and the least. ``breaker`` is then ``open`` when
        the wait is the breaker's.
        """
        since, self._healthy_since = self._healthy_since, None
        if since is not None and now - since >= self._policy.healthy_ns:
            self._level = 0
        if since is None:
            self._fruitless += 1
        if self.breaker == "half_open" or self._fruitless >= self._policy.trip_after:
            return max(asked_ns, self.trip())
        longest = min(self._policy.cap_ns, self._policy.base_ns << min(self._level, 40))
        self._level += 1
        return max(asked_ns, round(float(self._rng.random()) * longest))

    def trip(self) -> int:
        """Open the breaker; ns until it is half open."""
        longest = min(self._policy.open_cap_ns, self._policy.open_ns << min(self._trips, 40))
        self._trips += 1
        self.breaker = "open"
        return round((0.5 + 0.5 * float(self._rng.random())) * longest)

    def suspect(self) -> None:
        """Something is wrong with what it brings: the next failure opens the breaker."""
        self.breaker = "half_open"

    def trying(self) -> None:
        """The wait is over; after an open breaker one attempt is on probation."""
        if self.breaker == "open":
            self.breaker = "half_open"
