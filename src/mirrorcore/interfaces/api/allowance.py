"""How often: token buckets for those who are known, windows for those who are not."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from mirrorcore.clock import SECOND, stamp_ns

Now = Callable[[], int]
"""A monotonic clock in ns."""


class Buckets:
    """A token bucket for each key: ``rate`` a second, ``burst`` at once.

    Bounded: of more than ``most`` keys the one unused for longest is forgotten.
    """

    def __init__(self, rate: float, burst: float, *, most: int = 1024, now: Now = stamp_ns) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._now = now
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one; 0 where there was one, else the seconds until there is."""
        now = self._now()
        left, since = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + self._rate * (now - since) / SECOND)
        wait = 0.0 if left >= 1.0 else (1.0 - left) / self._rate
        self._left[key] = (left if wait else left - 1.0, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait


class Window:
    """At most ``limit`` events of a key in any ``seconds``; bounded in keys like Buckets."""

    def __init__(
        self, limit: int, seconds: float, *, most: int = 1024, now: Now = stamp_ns
    ) -> None:
        self._limit = limit
        self._span = round(seconds * SECOND)
        self._most = most
        self._now = now
        self._seen: OrderedDict[str, deque[int]] = OrderedDict()

    def admit(self, key: str) -> float:
        """Count one event; 0 while it is within the limit, else seconds until the next may be."""
        now = self._now()
        seen = self._seen.setdefault(key, deque(maxlen=self._limit))
        self._seen.move_to_end(key)
        while seen and now - seen[0] >= self._span:
            seen.popleft()
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        if len(seen) < self._limit:
            seen.append(now)
            return 0.0
        return (seen[0] + self._span - now) / SECOND
