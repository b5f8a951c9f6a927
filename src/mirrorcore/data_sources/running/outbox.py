"""What waits for the consumer of a source, bounded, and honest about what it had to give up."""

from __future__ import annotations

from collections import deque

from mirrorcore.data_sources.running.kinds import KIND, LATEST, NOTICES
from mirrorcore.market.records import FeedRecord, GapRecord


class Outbox:
    """Records on their way to a consumer.

    Quotes and books conflate to the latest of each symbol. Of everything else at most ``capacity``
    wait; beyond that the oldest give way, and a gap record tells from when to when.
    """

    def __init__(self, source: str, capacity: int) -> None:
        self.conflated = 0
        self.dropped = 0
        self._source = source
        self._capacity = capacity
        self._queue: deque[FeedRecord] = deque()
        self._notices: deque[FeedRecord] = deque(maxlen=capacity)
        self._latest: dict[tuple[str, str], FeedRecord] = {}
        self._lost: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._queue) + len(self._notices) + len(self._latest)

    def put(self, record: FeedRecord) -> None:
        kind = KIND[type(record)]
        if kind in LATEST:
            key = (record.symbol, kind)
            if self._latest.pop(key, None) is not None:
                self.conflated += 1
            self._latest[key] = record
        elif isinstance(record, NOTICES):
            self._notices.append(record)
        else:
            self._queue.append(record)
            if len(self._queue) > self._capacity:
                self._lose(self._queue.popleft())

    def take(self, now: int) -> list[FeedRecord]:
        """Everything available by ``now``, in order of (``ts_avail``, ``seq``)."""
        found: list[FeedRecord] = self._tell_losses(now)
        for queue in (self._notices, self._queue):
            later: list[FeedRecord] = []
            while queue:
                record = queue.popleft()
                (found if record.ts_avail <= now else later).append(record)
            queue.extend(later)
        due = [key for key, record in self._latest.items() if record.ts_avail <= now]
        found.extend(self._latest.pop(key) for key in due)
        found.sort(key=_order)
        return found

    def _lose(self, record: FeedRecord) -> None:
        self.dropped += 1
        start, end = self._lost.get(record.symbol, (record.ts_event, record.ts_event))
        self._lost[record.symbol] = (min(start, record.ts_event), max(end, record.ts_event))

    def _tell_losses(self, now: int) -> list[FeedRecord]:
        lost, self._lost = self._lost, {}
        return [
            GapRecord(
                source=self._source,
                symbol=symbol,
                ts_event=start,
                ts_recv=now,
                ts_avail=now,
                start=start,
                end=end + 1,
                reason="the consumer was too slow",
            )
            for symbol, (start, end) in lost.items()
        ]


def _order(record: FeedRecord) -> tuple[int, int]:
    return record.ts_avail, record.seq
