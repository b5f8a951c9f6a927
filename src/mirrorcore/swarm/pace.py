"""How time passes: by itself in history, by the wall in paper, by the record in a rerun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mirrorcore.clock import PacedClock, VirtualClock
from mirrorcore.errors import CheckFailedError
from mirrorcore.syncbus import BusError, SyncBus

THINKING = 0.25
"""How long a tick of history waits for agents that answer late, in seconds of the event loop."""

PAPER_PATIENCE = 0.05
"""The same in paper, in wall seconds."""

_STEP = 0.001

Admissions = Callable[[int, str, Sequence[str]], None]
"""Told of each admission of late answers: tick, phase (``before`` the tick, or whose turn it was
within it), agents."""


async def _thinking(bus: SyncBus, patience: float) -> None:
    """Let waiting agents go on until none waits, at most ``patience`` by the event loop's time.

    Bus time stands still meanwhile: who else is in the swarm must not change anybody's instants.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while bus.suspended and loop.time() < end:
        await asyncio.sleep(_STEP)


class HistoryPace:
    """Virtual time: a wait within a tick costs nothing; one that is too long meets its deadline.

    The event loop has a virtual clock of its own; bus time is market time and moves at ticks only,
    as in paper.
    """

    def __init__(self, bus: SyncBus, clock: VirtualClock) -> None:
        self._bus = bus
        self._clock = clock

    async def reach(self, tick: int, ts: int) -> None:
        self._clock.advance_to(ts)
        self._bus.sweep()

    async def quiet(self, tick: int, phase: str) -> None:
        await _thinking(self._bus, THINKING)
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

    def seconds_until(self, ts: int) -> float:
        """Wall seconds until the tick is due; agents may go on thinking meanwhile."""
        return self._wall.wall_seconds_until(ts)

    async def reach(self, tick: int, ts: int) -> None:
        await asyncio.sleep(self.seconds_until(ts))
        self._admit(tick, "before")
        self._clock.advance_to(ts)
        self._bus.sweep()

    async def quiet(self, tick: int, phase: str) -> None:
        await _thinking(self._bus, PAPER_PATIENCE)
        self._admit(tick, phase)

    def _admit(self, tick: int, phase: str) -> None:
        admitted = self._bus.admit()
        if admitted:
            self._journal(tick, phase, admitted)


class RecordedPace:
    """A recorded paper run again: late answers count exactly where the record has them."""

    _TRIES = 100_000
    _WAIT = 100
    """Tries that one real wait for another process counts for, 50 ms at most."""

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
        self._bus.sweep(unadmitted=True)

    async def quiet(self, tick: int, phase: str) -> None:
        await self._obey(tick, phase)

    async def _obey(self, tick: int, phase: str) -> None:
        """Let the agents finish that the record says had finished, then admit them."""
        names = self._admissions.get((tick, phase))
        if not names:
            return
        tries = 0
        while tries < self._TRIES:
            try:
                self._bus.admit(names)
            except BusError:
                # One in a process of its own thinks in real time.
                tries += self._WAIT if self._bus.isolation.idle() else 1
                await asyncio.sleep(_STEP)
            else:
                return
        raise CheckFailedError(
            f"tick {tick}: the record admits {', '.join(names)}, which do not answer this time",
            hint="an agent depends on something outside the run, as the network or the clock",
        )
