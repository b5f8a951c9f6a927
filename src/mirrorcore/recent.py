"""The newest of what goes on for ever: a run of weeks keeps what its screens show, and counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The last ``most`` of all that was appended, oldest first; ``total`` counts them all.

    Safe from any thread: whoever follows it remembers how many it has seen (:meth:`since`).
    """

    def __init__(self, most: int) -> None:
        self.total = 0
        self._kept: deque[T] = deque(maxlen=most)
        self._lock = threading.Lock()

    def append(self, one: T) -> None:
        """One more; the oldest goes where there are too many."""
        with self._lock:
            self._add(one)

    def _add(self, one: T) -> None:
        self._kept.append(one)
        self.total += 1

    def since(self, seen: int) -> tuple[list[T], int]:
        """What came after the first ``seen``, as far as it is kept, and how many are seen then."""
        with self._lock:
            new = self.total - seen
            return (list(self._kept)[-new:] if new > 0 else []), self.total

    def __iter__(self) -> Iterator[T]:
        return iter(self.since(0)[0])

    def __len__(self) -> int:
        return len(self._kept)


class Remarks(Recent[str]):
    """Lines of text, each of them once as long as it is kept."""

    def _add(self, one: str) -> None:
        if one not in self._kept:
            super()._add(one)

    def told(self) -> tuple[str, ...]:
        """All that are kept, after a line that says how many were before them."""
        gone = self.total - len(self)
        before = (f"{gone:,} earlier warnings are no longer kept",) if gone else ()
        return (*before, *self)
