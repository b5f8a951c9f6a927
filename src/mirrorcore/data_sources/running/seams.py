"""Where what a backfill brought meets what a new connection brings, for what has no numbers.

After a reconnect the past is asked for as soon as anything is heard again. A symbol whose own
subscription takes effect later than that loses what happens in between, and without numbers no
hole shows. So its first record is looked at: unless the answer reached beyond it, the time up to it
is asked for as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Key = tuple[str, str]
"""(symbol, kind)."""


@dataclass(frozen=True, slots=True)
class First:
    """The first record of a new connection: when it was received, and when it happened, ns."""

    received: int
    event: int

    def joined(self, asked: int, end: int) -> bool:
        """Whether an answer to a question of ``asked`` about what happened before ``end`` leaves
        nothing out before this record: the subscription was in effect by then."""
        return self.received <= asked and self.event < end


class Seams:
    """The keys of which a new connection has brought nothing yet, or of which it is open whether
    that joins what was before."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[Key, First | None] = {}

    def expect(self, keys: Iterable[Key]) -> None:
        """A new connection begins; what was open of an older one is covered by its backfill."""
        self._open = dict.fromkeys(keys)

    def open(self, key: Key) -> bool:
        """Whether the first record of ``key`` is still waited for."""
        return key in self._open and self._open[key] is None

    def note(self, key: Key, first: First) -> None:
        """It came while the backfill was under way."""
        self._open[key] = first

    def first(self, key: Key) -> First | None:
        """The first record of ``key``, where it came before its backfill was over."""
        return self._open.get(key)

    def closed(self, key: Key) -> None:
        """Nothing is missing any more, or it has been asked for."""
        self._open.pop(key, None)
