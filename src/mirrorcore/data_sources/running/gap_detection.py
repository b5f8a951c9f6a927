"""What should have come and did not, told by number, by the grid of bars, or by time."""

from __future__ import annotations

from mirrorcore.data_sources.live import Position, SourceSpec
from mirrorcore.data_sources.running.kinds import LATEST
from mirrorcore.market.records import BookDelta, FeedRecord

SILENCES = 3
"""So many cadences without a record are a gap, on a source that is not sparse."""


class GapDetector:
    """Compares each record with the one before it of its symbol and kind."""

    __slots__ = ("_contiguous", "_spec")

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._contiguous = frozenset(spec.contiguous)

    def contiguous(self, kind: str) -> bool:
        """Whether records of a kind are numbered without holes."""
        return kind in self._contiguous

    def missing(self, record: FeedRecord, kind: str, last: Position) -> str:
        """Why something must be missing between ``last`` and the record; empty when nothing is."""
        if isinstance(record, BookDelta):
            joined = record.previous_seq or record.first_seq - 1
            return "sequence" if joined > last.seq and last.seq else ""
        if kind in LATEST:
            return ""
        if kind in self._contiguous:
            return "sequence" if last.seq and record.seq > last.seq + 1 else ""
        if self._spec.sparse:
            return ""
        passed = record.ts_event - last.ts_event
        if kind == "bar":
            return "grid" if 0 < self._spec.bar_ns < passed else ""
        # What a value describes (a month) says nothing of how often it is asked for: trades alone.
        longest = max(SILENCES * self._spec.cadence_ns, self._spec.stale_after_ns)
        return "silence" if kind == "trade" and passed > longest else ""
