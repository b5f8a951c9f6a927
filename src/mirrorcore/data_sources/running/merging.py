"""Records of several runners as batches closed by the clock, in one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from mirrorcore.data_sources.running.price_check import PriceCheck
from mirrorcore.data_sources.running.runner import SourceRunner
from mirrorcore.market.records import FeedRecord


@dataclass(frozen=True, slots=True)
class Batch:
    """One tick of live data: every record that became available by ``closed_at`` and not before.

    In order of (``ts_avail``, rank of the source, ``seq``).
    """

    closed_at: int
    records: tuple[FeedRecord, ...]


class Merger:
    """Takes from runners, whose order is their rank, and has the venues' prices compared."""

    def __init__(self, runners: Sequence[SourceRunner], check: PriceCheck) -> None:
        self._runners = tuple(runners)
        self._check = check
        self._closed_at = 0

    def close(self, now: int) -> Batch:
        """Close a batch at ``now``.

        A record that was on its way when the last batch closed becomes available after it, for
        nobody could have used it before: so a replay by ``ts_avail`` cuts the same batches.
        """
        ranked: list[tuple[int, int, int, int, FeedRecord]] = []
        for rank, runner in enumerate(self._runners):
            for record in runner.take(now):
                if record.ts_avail <= self._closed_at:
                    record = replace(record, ts_avail=self._closed_at + 1)
                ranked.append((record.ts_avail, rank, record.seq, len(ranked), record))
        ranked.sort(key=_order)
        records = [one[4] for one in ranked]
        # What the check finds is told last: it concerns the tick after these records.
        records += (
            replace(status, ts_event=now, ts_recv=now, ts_avail=now)
            for status in self._check.read(records, now)
        )
        self._closed_at = now
        return Batch(now, tuple(records))


def _order(one: tuple[int, int, int, int, FeedRecord]) -> tuple[int, int, int, int]:
    return one[:4]
