"""What came twice is told by what it is: a bounded memory of identities."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice

from mirrorcore.data_sources.running.kinds import CHAIN
from mirrorcore.market.records import (
    Bar,
    ChainBlock,
    FeedRecord,
    Flag,
    Funding,
    Observation,
    Swap,
    Text,
    Trade,
    Transfer,
)

Key = tuple[str, str]
"""(symbol, kind)."""


def identity(record: FeedRecord) -> tuple[Hashable, Hashable] | None:
    """What names a record among those of its symbol and kind, and the content that makes it another
    version; None where it has no name.

    A bar is its open, an observation its series and period: the same with other values is a
    revision and no repetition.
    """
    match record:
        case Trade():
            # As a number where it is one: it takes half the room.
            told = record.trade_id
            name: Hashable = int(told) if told.isdecimal() else told or record.seq or None
            return None if name is None else (name, None)
        case Bar():
            values = (record.open, record.high, record.low, record.close, record.volume)
            return record.ts_event, values
        case Observation():
            return (record.series, record.ts_event), record.value
        case Transfer() | Swap():
            place = (record.block_hash, record.transaction, record.log_index)
            return place, _is_final(record)
        case ChainBlock():
            return record.block_hash, _is_final(record)
        case Text():
            return record.digest, None
        case Funding():
            return record.ts_event, record.rate
    return None


def _is_final(record: FeedRecord) -> bool:
    """A block and what is in it come twice: at the head, and when they can no longer be undone."""
    return not record.flags & Flag.PROVISIONAL


class Remembered:
    """The last ``size`` identities: of whichever symbol and kind has the most, those longest unseen
    are forgotten first."""

    __slots__ = ("_count", "_seen", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._seen: dict[Key, dict[Hashable, Hashable]] = {}

    def __len__(self) -> int:
        return self._count

    def again(self, record: FeedRecord, kind: str) -> bool:
        """Whether this very record was seen before; from now on it was."""
        found = identity(record)
        if found is None:
            return False
        name, content = found
        seen = self._seen.setdefault((record.symbol, kind), {})
        known = name in seen
        before = seen.pop(name, None)
        seen[name] = content
        if not known:
            self._count += 1
            if self._count > self._size:
                self._shed()
        return known and before == content

    def forget_chain(self) -> None:
        """A chain was reorganised: what was retracted may come again and count."""
        for key in [key for key in self._seen if key[1] in CHAIN]:
            self.forget(key)

    def forget(self, key: Key) -> None:
        """The source numbers a symbol's records anew."""
        self._count -= len(self._seen.pop(key, ()))

    def _shed(self) -> None:
        """Some at once, so that the largest need not be looked for at every record."""
        most = max(self._seen.values(), key=len)
        for name in list(islice(most, max(1, self._size // 64))):
            del most[name]
            self._count -= 1
