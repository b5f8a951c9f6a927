"""Asks a source for what was missed, until it has it or asking has become pointless."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

from mirrorcore.clock import SECOND, Clock
from mirrorcore.data_sources.live import SourceError, StreamSource
from mirrorcore.data_sources.running.intake import Intake, OpenGap
from mirrorcore.data_sources.running.policy import RunnerPolicy


class Filler:
    """Closes the gaps of one source, one after the other."""

    def __init__(
        self, source: StreamSource, clock: Clock, policy: RunnerPolicy, rng: np.random.Generator
    ) -> None:
        self._source = source
        self._clock = clock
        self._policy = policy
        self._rng = rng
        self._asked: deque[OpenGap] = deque()
        self._wake = asyncio.Event()

    def ask(self, gap: OpenGap) -> None:
        """Queue a gap."""
        self._asked.append(gap)
        self._wake.set()

    async def run(self, intake: Intake) -> None:
        """Fill whatever is asked, until cancelled."""
        while True:
            await self._wake.wait()
            while self._asked:
                gap = self._asked.popleft()
                intake.close(gap, await self._fill(intake, gap))
            self._wake.clear()

    async def _fill(self, intake: Intake, gap: OpenGap) -> bool:
        policy = self._policy.reconnect
        for attempt in range(self._policy.fill_attempts):
            asked_ns = 0
            try:
                async with asyncio.timeout(self._policy.fill_timeout_ns / SECOND):
                    await self._bring(intake, gap)
                if intake.complete(gap):
                    return True
                intake.counts.faults["backfill_incomplete"] += 1
            except SourceError as error:
                intake.counts.faults[error.case] += 1
                if error.permanent:
                    return False
                asked_ns = error.retry_after_ns
            except TimeoutError:
                intake.counts.faults["timeout"] += 1
            except Exception:
                # A defect in one source's backfill must not end the others' filling, nor its own.
                intake.counts.faults["crash"] += 1
            longest = min(policy.cap_ns, policy.base_ns << attempt)
            wait = max(asked_ns, round(float(self._rng.random()) * longest))
            await asyncio.sleep(wait / SECOND)
        return False

    async def _bring(self, intake: Intake, gap: OpenGap) -> None:
        gap.asked = self._clock.now()
        if gap.everything:
            gap.end = max(gap.end, gap.asked + 1)  # what happens now included
        async for record in self._source.backfill(gap.start, gap.end, dict(gap.since)):
            intake.admit(gap, record)
