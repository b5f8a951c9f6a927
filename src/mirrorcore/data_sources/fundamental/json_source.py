"""Supply, hash rate, addresses, fees: whatever a service gives as JSON, by a declared mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirrorcore.clock import DAY, HOUR, Clock
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.known_values import Dated, KnownValues, published
from mirrorcore.data_sources.live import SourceSpec
from mirrorcore.data_sources.secret import Secret
from mirrorcore.errors import UsageError
from mirrorcore.market.categories import split_series
from mirrorcore.market.records import FeedRecord, Observation


class JsonSource(AskedSource):
    """Series out of one JSON document; a PolledSource with a history where the document has one.

    Parameters
    ----------
    path, params: of the request below the client's base address.
    series: what is read from the answer; all of one category.
    keys, headers: parameters and headers that are secrets; the client must know them too.
    licence: terms of the service, with the attribution it asks for.
    """

    def __init__(
        self,
        path: str,
        series: Sequence[JsonSeries],
        *,
        http: HttpClient,
        clock: Clock,
        name: str,
        params: Mapping[str, str] | None = None,
        keys: Mapping[str, Secret] | None = None,
        headers: Mapping[str, Secret] | None = None,
        cadence_ns: int = HOUR,
        stale_after_ns: int = 3 * DAY,
        licence: str = "",
    ) -> None:
        categories = list(dict.fromkeys(split_series(one.name)[0] for one in series))
        if len(categories) != 1:
            raise UsageError(
                f"{name}: the series are of {len(categories)} categories",
                hint="one source brings one category: give each its own source",
            )
        units: dict[str, str] = {}
        for one in series:
            if units.setdefault(one.name, one.unit) != one.unit:
                raise UsageError(
                    f"{name}: {one.name} is in {units[one.name]!r} and in {one.unit!r}",
                    hint="use scale to bring it to one unit, or give each unit its own source",
                )
        self._path, self._params = path, params
        self._series, self._http, self._clock = tuple(series), http, clock
        self._keys, self._headers = dict(keys or {}), dict(headers or {})
        self._known = KnownValues(name)
        super().__init__(
            SourceSpec(
                name=name,
                category=categories[0],
                kinds=("observation",),
                symbols=tuple(dict.fromkeys(one.symbol for one in series)),
                cadence_ns=cadence_ns,
                stale_after_ns=stale_after_ns,
                sparse=True,
                units=units,
                licence=licence,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """New and corrected values; available when received, for then they are public."""
        now, read = await self._read()
        found: list[Observation] = []
        for one, rows in read:
            values = [(row.event, row.value) for row in rows]
            found += self._known.fresh(one.name, one.symbol, values, now)
        return sorted(found, key=lambda record: record.ts_event)

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """Values that became public in [start, end) ns, in that order, flagged BACKFILL.

        Raises
        ------
        UsageError
            where a series has no times: such a service tells only what is now.
        """
        undated = [one.name for one in self._series if not one.time]
        if undated:
            raise UsageError(
                f"{self.name}: {', '.join(undated)} has no times, so there is no history to read",
                hint="record it while it is asked, or use a file",
            )
        _, read = await self._read()
        found: list[Observation] = []
        for one, rows in read:
            known = published(self.name, one.name, one.symbol, rows)
            found.extend(record for record in known if start <= record.ts_avail < end)
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    async def _read(self) -> tuple[int, list[tuple[JsonSeries, list[Dated]]]]:
        answer = await self._http.get(
            self._path, self._params, keys=self._keys, headers=self._headers
        )
        body, now = answer.json(), answer.received_ns
        return now, [
            (one, one.read(body, received=now, where=answer.where)) for one in self._series
        ]
