"""Runs one source: connects, listens, tells silence, tries again, and counts.

``SourceRunner`` wraps a :class:`StreamSource` or a :class:`PolledSource` and looks itself like a
source that is asked: ``collect`` gives what came since.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import numpy as np

from mirrorcore.clock import MILLISECOND, SECOND, Clock
from mirrorcore.data_sources.live import (
    PolledSource,
    SourceError,
    SourceSpec,
    StreamSource,
    TellsTime,
)
from mirrorcore.data_sources.running.filling import Filler
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.intake import Intake
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.data_sources.running.reconnect import Reconnect
from mirrorcore.data_sources.running.states import RunnerState, step
from mirrorcore.market.records import FeedRecord

_BREATH = 256
"""After so many records without a pause, others get their turn."""


class SourceRunner:
    """One live source, run until it is stopped or has failed for good.

    Parameters
    ----------
    source: what is run.
    clock: the time of the run; virtual in tests.
    rng: draws the waits.
    policy: every limit and duration.
    """

    def __init__(
        self,
        source: StreamSource | PolledSource,
        *,
        clock: Clock,
        rng: np.random.Generator,
        policy: RunnerPolicy | None = None,
    ) -> None:
        self.source = source
        self.state = RunnerState.STOPPED
        self.reason = "not started"
        self.hint = ""
        """What to do about a failure that is for good."""
        self._clock = clock
        self._policy = policy or RunnerPolicy()
        self._reconnect = Reconnect(self._policy.reconnect, rng)
        self._filler = (
            Filler(source, clock, self._policy, rng) if isinstance(source, StreamSource) else None
        )
        self._intake = Intake(
            source.spec, clock, self._policy, None if self._filler is None else self._filler.ask
        )
        self._session: asyncio.Task[None] | None = None
        self._ended: SourceError | None = None
        self._alive_at = clock.now()

    @property
    def name(self) -> str:
        return self.source.spec.name

    @property
    def spec(self) -> SourceSpec:
        """What the source says it is."""
        return self.source.spec

    async def run(self) -> None:
        """Connect and listen, again and again; returns only when it failed for good.

        Cancel it to stop; the source is closed either way.
        """
        self._intake.freshness.begin(self._clock.now())
        helpers = [asyncio.create_task(self._watch())]
        if self._filler is not None:
            helpers.append(asyncio.create_task(self._filler.run(self._intake)))
        try:
            while self.state is not RunnerState.FAILED:
                await self._attempt(helpers)
        except Exception as error:
            self._to(RunnerState.FAILED, f"a defect of ours: {type(error).__name__}: {error}")
            raise
        finally:
            if self.state is not RunnerState.FAILED:
                self._to(RunnerState.STOPPED, "stopped")
            await _cancelled([*helpers, *([self._session] if self._session else [])])
            await self.source.aclose()

    async def collect(self) -> Sequence[FeedRecord]:
        """What came since it was asked last, in order of (``ts_avail``, ``seq``)."""
        return self.take(self._clock.now())

    def take(self, now: int) -> list[FeedRecord]:
        """The records available by ``now`` that nobody took yet."""
        return self._intake.outbox.take(now)

    def renew(self, reason: str, case: str) -> None:
        """End the present connection from outside, as if it had been lost: it is made anew.

        ``case`` is the word by which its health counts it.
        """
        if self._connected:
            self._break(SourceError(reason, case=case))

    def trip(self, reason: str) -> None:
        """Open the breaker from outside: what it brings is too bad to go on.

        Nothing happens while no connection is up.
        """
        if self._session is not None and not self._session.done():
            self._reconnect.suspect()
            self._break(SourceError(reason, case="quality"))

    def health(self) -> SourceHealth:
        """Everything counted so far."""
        intake, counts = self._intake, self._intake.counts
        heard = intake.heard_at
        return SourceHealth(
            name=self.name,
            state=self.state,
            reason=self.reason,
            breaker=self._reconnect.breaker,
            records=dict(counts.records),
            duplicates=counts.duplicates,
            replayed=counts.replayed,
            backfilled=counts.backfilled,
            gaps=dict(counts.gaps),
            filled=counts.filled,
            unfilled=counts.unfilled,
            conflated=intake.outbox.conflated,
            dropped=intake.outbox.dropped,
            pending=len(intake.outbox),
            connections=counts.connections,
            reconnects=counts.reconnects,
            faults=dict(counts.faults),
            stale=counts.stale,
            stale_symbols=intake.freshness.stale,
            silence_ns=None if heard is None else self._clock.now() - heard,
            skew_ns=intake.skew.offset_ns,
            skew_alarms=intake.skew.alarms,
        )

    async def _attempt(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        """One connection from its making to its loss, and the wait after it."""
        self._to(RunnerState.CONNECTING, "connecting")
        self._reconnect.trying()
        self._alive_at = self._clock.now()
        self._ended = None
        listen = self._listen if isinstance(self.source, StreamSource) else self._poll
        self._session = asyncio.create_task(listen())
        await asyncio.wait([self._session, *helpers], return_when=asyncio.FIRST_COMPLETED)
        for helper in helpers:
            if helper.done():
                helper.result()
        error = self._why_ended(self._session)
        self._intake.counts.faults[error.case] += 1
        if error.permanent:
            self.hint = error.hint
            self._to(RunnerState.FAILED, error.message)
            self._intake.lost(error.message)
            return
        wait = self._reconnect.failed(self._clock.now(), error.retry_after_ns)
        opened = self._reconnect.breaker == "open"
        self._to(RunnerState.OPEN if opened else RunnerState.BACKING_OFF, error.message)
        self._intake.lost(error.message)
        await asyncio.sleep(wait / SECOND)

    def _why_ended(self, session: asyncio.Task[None]) -> SourceError:
        """Why a connection ended: a reason of ours, or whatever its source raised."""
        if self._ended is not None:
            return self._ended
        if session.cancelled():
            return SourceError("the connection was cancelled", case="crash")
        error = session.exception()
        if isinstance(error, SourceError):
            return error
        return SourceError(f"{type(error).__name__}: {error}", case="crash")

    async def _listen(self) -> None:
        """Everything a stream source yields on one connection."""
        assert isinstance(self.source, StreamSource)
        intake, first = self._intake, True
        intake.connected(max(0, intake.counts.connections))
        stream = self.source.stream(dict(intake.cursor))
        async with contextlib.aclosing(stream) as records:  # type: ignore[type-var]
            count = 0
            async for record in records:
                if first:
                    first = False
                    self._up()
                intake.receive(record)
                self._mark()
                count += 1
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
        raise SourceError(f"{self.name}: the stream ended", case="ended")

    async def _poll(self) -> None:
        """A polled source, asked once a cadence."""
        assert isinstance(self.source, PolledSource)
        first = True
        while True:
            asked = self._clock.now()
            try:
                async with asyncio.timeout(self._policy.collect_timeout_ns / SECOND):
                    records = await self.source.collect()
            except TimeoutError:
                raise SourceError(f"{self.name}: no answer", case="timeout") from None
            if first:
                first = False
                self._up()
            for record in records:
                self._intake.receive(record)
            self._answered()
            passed = self._clock.now() - asked
            await asyncio.sleep(max(0, self.spec.cadence_ns - passed) / SECOND)

    def _up(self) -> None:
        """The first sign of life of a connection."""
        intake = self._intake
        again = intake.counts.connections > 0
        intake.counts.connections += 1
        intake.counts.reconnects += again
        self._reconnect.heard(self._clock.now())
        self._to(RunnerState.LIVE, "live")
        intake.back()

    def _answered(self) -> None:
        """A polled source that answers is alive, whether it had news or not."""
        for symbol in self.spec.symbols:
            self._intake.alive(symbol)
        self._mark()

    def _mark(self) -> None:
        """Live or stale, after something came in or a deadline passed."""
        stale = self._intake.freshness.all_stale
        if not stale:
            self._alive_at = self._clock.now()
        if stale and self.state is RunnerState.LIVE:
            self._to(RunnerState.STALE, "every symbol is silent")
        elif not stale and self.state is RunnerState.STALE:
            self._to(RunnerState.LIVE, "live")

    async def _watch(self) -> None:
        """Deadlines of symbols, connections that are dead without saying so, the server's clock."""
        patience = round(self._policy.restart_after * self.spec.stale_after_ns)
        ask_at = self._clock.now()
        while True:
            now = self._clock.now()
            self._intake.expire()
            if self._connected:
                self._mark_if_stale()
            listening = self._connected and isinstance(self.source, StreamSource)
            if listening and self._intake.freshness.all_stale and now - self._alive_at > patience:
                self._break(SourceError(f"{self.name}: silent, connected anew", case="silent"))
            wake = [self._alive_at + patience + 1]
            if isinstance(self.source, TellsTime):
                skew, policy = self._intake.skew, self._policy.skew
                if now >= ask_at or skew.in_question:
                    await self._ask_time(self.source)
                    ask_at = now + (policy.ask_again_ns if skew.in_doubt else policy.ask_every_ns)
                # Looked at sooner than asked, for its clock may come into question meanwhile.
                wake.append(min(ask_at, now + policy.ask_again_ns))
            deadline = self._intake.freshness.next_deadline()
            if deadline is not None:
                wake.append(deadline + 1)
            ahead = [one for one in wake if one > now]
            wait = min(ahead, default=now + SECOND) - now
            await asyncio.sleep(max(wait, MILLISECOND) / SECOND)

    @property
    def _connected(self) -> bool:
        return self._session is not None and not self._session.done()

    def _mark_if_stale(self) -> None:
        if self._intake.freshness.all_stale and self.state is RunnerState.LIVE:
            self._to(RunnerState.STALE, "every symbol is silent")

    async def _ask_time(self, source: TellsTime) -> None:
        sent = self._clock.now()
        try:
            async with asyncio.timeout(self._policy.collect_timeout_ns / SECOND):
                told = await source.server_time()
        except (SourceError, TimeoutError):
            self._intake.counts.faults["server_time"] += 1
        else:
            self._intake.skew.answer(told, sent, self._clock.now())

    def _break(self, error: SourceError) -> None:
        """End the present connection for a reason of ours."""
        assert self._session is not None
        self._ended = error
        self._session.cancel()

    def _to(self, state: RunnerState, reason: str) -> None:
        self.reason = reason
        if state is not self.state:
            self.state = step(self.name, self.state, state)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            # Read, so that a failure that was told already is not told again as never retrieved.
            task.exception()
