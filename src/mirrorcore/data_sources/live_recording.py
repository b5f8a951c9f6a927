"""Writes what a live source brings to a file, as it becomes available."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from mirrorcore.clock import MILLISECOND, SECOND, Clock
from mirrorcore.data_sources.live import PolledSource, SourceError, StreamSource
from mirrorcore.data_sources.record_log import RecordLog
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.data_sources.running.runner import SourceRunner
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, GapRecord, Status

EVERY = 50 * MILLISECOND
"""Records wait for the file no longer than this, so a kill loses no more."""
ON_THE_WAY = 2 * SECOND
"""Before the last record of an earlier call, and after the first of this one, so much may have been
on its way and not have been heard."""


class LiveRecorder:
    """Runs one source and writes its records; where a recording is gone on with, what was missed
    meanwhile is a :class:`GapRecord` before the first of them.

    Parameters
    ----------
    source: given up at the end.
    told: is called with a word for the state and the reason, at each change.
    """

    def __init__(
        self,
        source: StreamSource | PolledSource,
        log: RecordLog,
        *,
        clock: Clock,
        rng: np.random.Generator,
        policy: RunnerPolicy | None = None,
        told: Callable[[str, str], None] | None = None,
    ) -> None:
        self._runner = SourceRunner(source, clock=clock, rng=rng, policy=policy)
        self._log, self._clock, self._told = log, clock, told
        self._before = log.last

    def health(self) -> SourceHealth:
        """What the source did."""
        return self._runner.health()

    async def run(self) -> None:
        """Record until cancelled.

        Raises
        ------
        SourceError
            where the source failed for good.
        DataError
            where nothing more can be written.
        """
        running = asyncio.create_task(self._runner.run())
        state = ""
        try:
            while not running.done():
                await asyncio.wait([running], timeout=EVERY / SECOND)
                self._write()
                if str(self._runner.state) != state:
                    state = str(self._runner.state)
                    if self._told is not None:
                        self._told(state, self._runner.reason)
            running.result()  # a defect of ours is not called a failure of the source
            raise SourceError(self._runner.reason, hint=self._runner.hint, permanent=True)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._write()

    def _write(self) -> None:
        now = self._clock.now()
        records = self._runner.take(now)
        if self._before is not None and any(not isinstance(one, Status) for one in records):
            records = [self._missed(self._before, now), *records]
            self._before = None
        self._log.append(records)

    def _missed(self, before: FeedRecord, now: int) -> GapRecord:
        start = min(before.ts_event, before.ts_avail) - ON_THE_WAY
        return GapRecord(
            source=self._runner.name,
            symbol=ALL_SYMBOLS,
            ts_event=start,
            ts_recv=now,
            ts_avail=now,
            start=start,
            end=now + ON_THE_WAY,
            reason="not recorded",
        )
