"""FRED: figures with every vintage, known from their release and not a day before.

``GET fred/series/observations``. Asked without a real-time period it answers with today's vintage,
in which last year's figures are as corrected since: enough to notice what is new, wrong for a
backtest. The history therefore asks for the whole real-time period, in which each value comes with
the day it was first published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mirrorcore.clock import DAY, HOUR, SECOND, Clock
from mirrorcore.data_sources.answers import HttpError
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.known_values import Dated, KnownValues, published
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.data_sources.macro.releases import ReleaseTime
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.values import day_of, midnight_ns, value_of
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, Observation

BASE_URL = "https://api.stlouisfed.org"
PER_MINUTE = 120
"""Requests of one key that the service bears."""
LICENCE = (
    "This product uses the FRED API but is not endorsed or certified by the Federal Reserve Bank "
    "of St. Louis. Most series are public domain, some are copyrighted: see each series' notes."
)
END_OF_DAY = ReleaseTime("America/Chicago", 24)
"""A vintage is dated by day alone, in St. Louis: its end is the first moment it is surely out."""
_PATH = "/fred/series/observations"
_FIRST_VINTAGE, _NO_END = date(1776, 7, 4), date(9999, 12, 31)
_EARLIEST = date(1990, 1, 1)
_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class FredSeries:
    """One figure.

    Parameters
    ----------
    series_id: the service's own name, as ``CPIAUCSL``.
    name: under which agents find it, as ``macro.us_cpi``.
    unit: as people write it.
    units: the service's transformation: ``lin`` as it is, ``pc1`` percent against a year ago …
    release: time of day of its release.
    """

    series_id: str
    name: str
    unit: str
    units: str = "lin"
    release: ReleaseTime = field(default=END_OF_DAY)


class FredSource(AskedSource):
    """Figures of FRED; a PolledSource with a history.

    Parameters
    ----------
    http: a client of ``BASE_URL`` that knows ``key`` as a secret.
    window_ns: how far back answers are compared with earlier ones, to notice corrections.
    """

    def __init__(
        self,
        series: Sequence[FredSeries],
        *,
        http: HttpClient,
        key: Secret,
        clock: Clock,
        name: str = "fred",
        cadence_ns: int = HOUR,
        window_ns: int = 750 * DAY,
    ) -> None:
        self._series = tuple(series)
        self._http, self._key, self._clock = http, key, clock
        self._window = window_ns
        self._known = KnownValues(name)
        super().__init__(
            SourceSpec(
                name=name,
                category="macro",
                kinds=("observation",),
                symbols=(ALL_SYMBOLS,),
                cadence_ns=cadence_ns,
                stale_after_ns=45 * DAY,
                sparse=True,
                units={one.name: one.unit for one in series},
                time_zone=END_OF_DAY.zone,
                licence=LICENCE,
                tested=True,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """New and corrected figures. Each series is asked before any answer is taken in, so that
        the failure of one loses nothing of the others."""
        now = self._clock.now()
        start = _day(now - self._window)
        answers = []
        for one in self._series:
            rows = await self._rows(one, {"observation_start": start.isoformat()})
            values = [(midnight_ns(row.day), row.value) for row in rows]
            answers.append((one.name, values, self._clock.now()))
        found = [
            record
            for name, values, received in answers
            for record in self._known.fresh(name, ALL_SYMBOLS, values, received)
        ]
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """Every vintage released in [start, end) ns, in order of release, flagged BACKFILL.

        A figure first published before ``start`` comes with its correction only. A series too old
        for the service to know its vintages has them from the day it began to keep them: later
        than in truth, never earlier.
        """
        found: list[Observation] = []
        for one in self._series:
            rows = await self._vintages(one, _FIRST_VINTAGE, _NO_END)
            values = [
                Dated(midnight_ns(row.day), one.release.at(row.since), row.value) for row in rows
            ]
            vintages = published(self.name, one.name, ALL_SYMBOLS, values)
            found.extend(record for record in vintages if start <= record.ts_avail < end)
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    async def _vintages(self, one: FredSeries, since: date, until: date) -> list[_Row]:
        """All rows of a real-time period; halved where it holds more vintages than are given.

        In the later half a value that was already there begins with the half: it equals the one
        before it and counts for nothing.
        """
        period = {
            "observation_start": _EARLIEST.isoformat(),
            "realtime_start": since.isoformat(),
            "realtime_end": until.isoformat(),
        }
        try:
            return await self._rows(one, period)
        except HttpError as error:
            if error.status != 400 or "vintage dates" not in error.body:
                raise
        today = _day(self._clock.now())
        first, last = max(since, _EARLIEST), min(until, today)
        if last <= first:
            raise SourceError(
                f"{self.name}: series {one.series_id} has more vintages on {first} than are given"
            )
        middle = first + (last - first) // 2
        earlier = await self._vintages(one, since, middle)
        return earlier + await self._vintages(one, middle + timedelta(days=1), until)

    async def _rows(self, one: FredSeries, period: Mapping[str, str]) -> list[_Row]:
        where = f"{self.name}: series {one.series_id}"
        rows: list[_Row] = []
        while True:
            params = {
                "series_id": one.series_id,
                "file_type": "json",
                "units": one.units,
                "limit": str(_PAGE),
                "offset": str(len(rows)),
                **period,
            }
            answer = await self._http.get(_PATH, params, keys={"api_key": self._key})
            body = answer.json()
            page = body.get("observations") if isinstance(body, dict) else None
            if not isinstance(page, list):
                raise SourceError(f"{where}: the answer has no list of observations")
            rows.extend(_row(row, where) for row in page)
            if not page or len(rows) >= int(body.get("count", 0)):
                return rows


@dataclass(frozen=True, slots=True)
class _Row:
    """What one day's figure was said to be from ``since`` on."""

    day: date
    since: date
    value: float | None


def _row(row: Any, where: str) -> _Row:
    if not isinstance(row, dict):
        raise SourceError(f"{where}: an observation is {type(row).__name__}")
    return _Row(
        day_of(row.get("date"), where),
        day_of(row.get("realtime_start"), where),
        value_of(row.get("value"), where),
    )


def _day(ns: int) -> date:
    return datetime.fromtimestamp(ns // SECOND, UTC).date()
