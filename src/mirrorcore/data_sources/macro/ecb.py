"""Reference rates of the European Central Bank: what one euro costs, once a business day.

``GET service/data/EXR/D.USD+GBP.EUR.SP00.A?startPeriod=…&format=csvdata``: the SDMX key is
frequency, currency, denominator, type, variation. Rates are fixed about 14:10 and published about
16:00 Frankfurt time; a day without business has none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime

from mirrorcore.clock import DAY, HOUR, SECOND, Clock
from mirrorcore.data_sources.answers import Answer, HttpError
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.known_values import Dated, KnownValues, published
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.data_sources.macro.releases import ReleaseTime
from mirrorcore.data_sources.values import day_of, midnight_ns, value_of
from mirrorcore.errors import UsageError
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, Observation

BASE_URL = "https://data-api.ecb.europa.eu"
PER_MINUTE = 30
"""No limit is published; this is more than anyone needs of a daily figure."""
LICENCE = "Source: European Central Bank. Free of charge, with the source named."
PUBLISHED = ReleaseTime("Europe/Berlin", 16)
_COLUMNS = ("CURRENCY", "CURRENCY_DENOM", "TIME_PERIOD", "OBS_VALUE")


class EcbSource(AskedSource):
    """Reference rates as ``macro.eur_usd`` and the like; a PolledSource with a history.

    Parameters
    ----------
    currencies: as ``USD``; each rate is in units of it for one euro.
    http: a client of ``BASE_URL``.
    released: time of day at which a day's rates are public.
    window_ns: how far back answers are compared with earlier ones, to notice corrections.
    """

    def __init__(
        self,
        currencies: Sequence[str],
        *,
        http: HttpClient,
        clock: Clock,
        name: str = "ecb",
        cadence_ns: int = HOUR,
        released: ReleaseTime = PUBLISHED,
        window_ns: int = 30 * DAY,
    ) -> None:
        odd = [one for one in currencies if not (len(one) == 3 and one.isalpha())]
        if odd or not currencies:
            raise UsageError(
                f"{name}: {', '.join(odd) or 'no currency'} cannot be asked for",
                hint="name currencies by their three letters, as USD",
            )
        self._currencies = tuple(one.upper() for one in currencies)
        self._http, self._clock = http, clock
        self._released, self._window = released, window_ns
        self._known = KnownValues(name)
        super().__init__(
            SourceSpec(
                name=name,
                category="macro",
                kinds=("observation",),
                symbols=(ALL_SYMBOLS,),
                cadence_ns=cadence_ns,
                stale_after_ns=6 * DAY,
                sparse=True,
                units={series_of(one): f"{one} for one EUR" for one in self._currencies},
                time_zone=released.zone,
                licence=LICENCE,
                tested=True,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """New and corrected rates; available when received."""
        path = self._path()
        params = _params(self._clock.now() - self._window, None)
        try:
            answer = await self._http.get(path, params, conditional=True)
        except HttpError as error:
            # That is how the service says that the period holds nothing; a key that does not
            # exist is answered alike, so it passes only where rates have come before.
            if error.status == 404 and all(
                self._known.knows(series_of(one), ALL_SYMBOLS) for one in self._currencies
            ):
                return []
            raise
        if answer.unchanged:
            return []
        rows = self._read(answer)
        found: list[Observation] = []
        for currency in self._currencies:
            values = [(midnight_ns(day), value) for one, day, value in rows if one == currency]
            found += self._known.fresh(series_of(currency), ALL_SYMBOLS, values, answer.received_ns)
        self._http.remember(path, params, answer)
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """Rates published in [start, end) ns, each available from then, flagged BACKFILL."""
        answer = await self._http.get(self._path(), _params(start - 7 * DAY, end))
        rows = self._read(answer)
        found: list[Observation] = []
        for currency in self._currencies:
            values = [
                Dated(midnight_ns(day), self._released.at(day), value)
                for one, day, value in rows
                if one == currency
            ]
            known = published(self.name, series_of(currency), ALL_SYMBOLS, values)
            found.extend(record for record in known if start <= record.ts_avail < end)
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    def _path(self) -> str:
        return f"/service/data/EXR/D.{'+'.join(self._currencies)}.EUR.SP00.A"

    def _read(self, answer: Answer) -> list[tuple[str, date, float | None]]:
        reader = csv.DictReader(io.StringIO(answer.text()))
        missing = [one for one in _COLUMNS if one not in (reader.fieldnames or ())]
        if missing:
            raise SourceError(f"{answer.where}: the answer has no column {', '.join(missing)}")
        rows = []
        for row in reader:
            currency = row["CURRENCY"]
            if currency not in self._currencies or row["CURRENCY_DENOM"] != "EUR":
                raise SourceError(
                    f"{answer.where}: asked for {', '.join(self._currencies)} against EUR, got "
                    f"{currency} against {row['CURRENCY_DENOM']}"
                )
            where = f"{answer.where}: {currency}"
            day = day_of(row["TIME_PERIOD"], where)
            rows.append((currency, day, value_of(row["OBS_VALUE"], where)))
        return rows


def series_of(currency: str) -> str:
    """The series of a currency's rate."""
    return f"macro.eur_{currency.lower()}"


def _params(start: int, end: int | None) -> dict[str, str]:
    params = {"startPeriod": _day(start), "format": "csvdata"}
    return params if end is None else {**params, "endPeriod": _day(end)}


def _day(ns: int) -> str:
    return datetime.fromtimestamp(ns // SECOND, UTC).date().isoformat()
