"""The calendar of events as a source: from a file that is read anew, or from a service's JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mirrorcore.clock import DAY, HOUR, Clock
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.fundamental.calendar_checks import oddities
from mirrorcore.data_sources.fundamental.calendar_files import CalendarMapping, read_calendar
from mirrorcore.data_sources.fundamental.event_calendar import (
    CalendarEntry,
    EventCalendar,
    Supply,
    units,
)
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.errors import DataError
from mirrorcore.market.records import FeedRecord, Flag, Observation
from mirrorcore.recent import Remarks

_REMARKS = 100
"""Kept of a calendar; nobody reads more."""
Load = Callable[[], Awaitable[Sequence[CalendarEntry]]]


class CalendarSource(AskedSource):
    """Days to the next event and share of supply about to be unlocked; a PolledSource.

    What is odd in the announcements is in ``remarks``.

    Parameters
    ----------
    load: brings all announcements there are; :func:`from_file` or :func:`from_service`.
    symbols: of the run; what is announced of others is left out.
    supply: circulating supply as known at an instant.
    horizon_ns: how far ahead unlocks are added up.
    """

    def __init__(
        self,
        load: Load,
        *,
        symbols: Sequence[str],
        supply: Supply,
        clock: Clock,
        name: str = "calendar",
        horizon_ns: int = 30 * DAY,
        cadence_ns: int = HOUR,
        licence: str = "",
    ) -> None:
        self._load, self._supply, self._clock = load, supply, clock
        self._horizon = horizon_ns
        self.remarks = Remarks(_REMARKS)
        super().__init__(
            SourceSpec(
                name=name,
                category="fundamental",
                kinds=("observation",),
                symbols=tuple(symbols),
                cadence_ns=cadence_ns,
                stale_after_ns=3 * max(cadence_ns, DAY),
                sparse=True,
                units=units(horizon_ns),
                licence=licence,
            )
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """Both series as of now, by what was announced by now."""
        calendar = await self._calendar()
        return self._at(calendar, self._clock.now(), Flag.NONE)

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """Both series at every cadence in [start, end) ns, each by what was announced by then."""
        calendar = await self._calendar()
        step = self._spec.cadence_ns
        first = -(-start // step) * step
        return [
            record
            for instant in range(first, end, step)
            for record in self._at(calendar, instant, Flag.BACKFILL)
        ]

    def examine(self, entries: Sequence[CalendarEntry]) -> None:
        """Say in ``remarks`` what is odd in these announcements."""
        for oddity in oddities(entries, self._spec.symbols, self._supply):
            self.remarks.append(oddity)

    async def _calendar(self) -> EventCalendar:
        entries = await self._load()
        self.examine(entries)
        return EventCalendar(one for one in entries if one.symbol in self._spec.symbols)

    def _at(self, calendar: EventCalendar, instant: int, flags: int) -> list[Observation]:
        return calendar.observations(
            instant,
            source=self.name,
            horizon_ns=self._horizon,
            supply=self._supply,
            flags=int(flags),
        )


def from_file(path: Path) -> Load:
    """Reads the table anew each time, so that it can be added to while a run goes on."""

    async def load() -> Sequence[CalendarEntry]:
        try:
            return read_calendar(path)
        except DataError as error:
            # Half written by an editor, perhaps; the run goes on and asks again.
            raise SourceError(error.message, hint=error.hint) from error

    return load


def from_service(http: HttpClient, path: str, mapping: CalendarMapping) -> Load:
    """Asks a service. Where it does not say when something was announced, that is when it was first
    received as it is, and what is no longer there was withdrawn."""
    told: list[CalendarEntry] = []
    current: dict[tuple[str, str], CalendarEntry] = {}

    async def load() -> Sequence[CalendarEntry]:
        answer = await http.get(path)
        body, now = answer.json(exact=True), answer.received_ns
        entries = mapping.read(body, received=now, where=answer.where)
        if mapping.announced:
            return entries
        fresh = {(one.symbol, one.id): one for one in entries}
        for key, one in current.items():
            if key not in fresh and one.at > now and not one.withdrawn:
                fresh[key] = replace(one, announced=now, withdrawn=True)
        for key, one in fresh.items():
            if key not in current or replace(current[key], announced=now) != one:
                current[key] = one
                told.append(one)
        return list(told)

    return load
