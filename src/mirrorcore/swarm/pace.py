"""How time passes: by itself in history, by the wall in paper, by the record in a rerun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mirrorcore.clock import MILLISECOND, SECOND, PacedClock, VirtualClock
from mirrorcore.errors import CheckFailedError
from mirrorcore.syncbus import BusError, SyncBus

THINKING_NS = 250 * MILLISECOND
"""How long, by the bus clock, a tick waits for agents that answer late."""

PAPER_PATIENCE = 0.05
"""The same in wall seconds in paper, where bus time stands still within a tick."""

Admissions = Callable[[int, str, Sequence[str]], None]
"""Told of each admission of late answers: tick, phase (``before`` or ``within``), agents."""


class HistoryPace:
    """Virtual time: a wait costs nothing and ends at its virtual instant, or at its deadline."""

    def __init__(self, bus: SyncBus, clock: VirtualClock) -> None:
        self._bus = bus
        self._clock = clock

    async def reach(self, tick: int, ts: int) -> None:
        bus = self._bus
        if bus.suspended:
            await bus.wait_quiet(ts)
            bus.admit()
        self._clock.advance_to(ts)
        bus.sweep()

    async def quiet(self, tick: int) -> None:
        await self._bus.wait_quiet(self._clock.now() + THINKING_NS)
        self._bus.admit()


class PaperPace:
    """Wall time: ticks come when they are due, late answers when they come.

    Bus time is market time and moves at ticks only, so everything but the admissions is a function
    of the records; the admissions are journalled.
    """

    def __init__(
        self, bus: SyncBus, clock: VirtualClock, wall: PacedClock, journal: Admissions
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._wall = wall
        self._journal = journal

    async def wait_for(self, ts: int) -> None:
        """Until the wall has come to the tick; agents may go on thinking meanwhile."""
        await asyncio.sleep(self._wall.wall_seconds_until(ts))

    async def reach(self, tick: int, ts: int) -> None:
        await self.wait_for(ts)
        self._admit(tick, "before")
        self._clock.advance_to(ts)
        self._bus.sweep()

    async def quiet(self, tick: int) -> None:
        waited = 0.0
        while self._bus.suspended and waited < PAPER_PATIENCE:
            await asyncio.sleep(0.001)
            waited += 0.001
        self._admit(tick, "within")

    def _admit(self, tick: int, phase: str) -> None:
        admitted = self._bus.admit()
        if admitted:
            self._journal(tick, phase, admitted)


class RecordedPace:
    """A recorded paper run again: late answers count exactly where the record has them."""

    _STEP = MILLISECOND / SECOND
    _TRIES = 100_000

    def __init__(
        self,
        bus: SyncBus,
        clock: VirtualClock,
        admissions: Mapping[tuple[int, str], Sequence[str]],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._admissions = admissions

    async def reach(self, tick: int, ts: int) -> None:
        await self._obey(tick, "before")
        self._clock.advance_to(ts)
        self._bus.sweep()

    async def quiet(self, tick: int) -> None:
        await self._obey(tick, "within")

    async def _obey(self, tick: int, phase: str) -> None:
        """Let the agents finish that the record says had finished, then admit them."""
        names = self._admissions.get((tick, phase))
        if not names:
            return
        for _ in range(self._TRIES):
            try:
                self._bus.admit(names)
            except BusError:
                await asyncio.sleep(self._STEP)
            else:
                return
        raise CheckFailedError(
            f"tick {tick}: the record admits {', '.join(names)}, which do not answer this time",
            hint="an agent depends on something outside the run, as the network or the clock",
        )
