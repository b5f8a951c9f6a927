"""The Fear & Greed index of alternative.me: one number a day, 0 extreme fear, 100 extreme greed.

``GET fng/?limit=N&format=json``, newest first, every number a text; ``limit=0`` is all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mirrorcore.clock import DAY, HOUR, Clock
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.known_values import Dated, KnownValues, published
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.data_sources.values import instant_of, value_of
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, Observation

BASE_URL = "https://api.alternative.me"
PER_MINUTE = 10
SERIES = "sentiment.fear_greed"
LICENCE = "Crypto Fear & Greed Index by alternative.me; name it beside whatever shows the number."
SURE_AFTER = DAY
"""A value is dated with its day, not with the hour it was made: a day later it is surely out."""
_PATH = "/fng/"
_NEWEST = 10


class FearGreedSource(AskedSource):
    """The index; a PolledSource with a history.

    Parameters
    ----------
    http: a client of ``BASE_URL``.
    lag_ns: in the history, a value dated t is available at t + lag.
    """

    def __init__(
        self,
        *,
        http: HttpClient,
        clock: Clock,
        name: str = "fear_greed",
        cadence_ns: int = HOUR,
        lag_ns: int = SURE_AFTER,
    ) -> None:
        self._http, self._clock, self._lag = http, clock, lag_ns
        self._known = KnownValues(name)
        super().__init__(
            SourceSpec(
                name=name,
                category="sentiment",
                kinds=("observation",),
                symbols=(ALL_SYMBOLS,),
                cadence_ns=cadence_ns,
                stale_after_ns=2 * DAY,
                sparse=True,
                units={SERIES: "index"},
                licence=LICENCE,
                tested=True,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """A new or corrected value, available when received."""
        values = await self._values(_NEWEST)
        return self._known.fresh(SERIES, ALL_SYMBOLS, values, self._clock.now())

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """Values available in [start, end) ns, flagged BACKFILL."""
        values = [Dated(event, event + self._lag, value) for event, value in await self._values(0)]
        found = published(self.name, SERIES, ALL_SYMBOLS, values)
        return [record for record in found if start <= record.ts_avail < end]

    async def _values(self, count: int) -> list[tuple[int, float | None]]:
        answer = await self._http.get(_PATH, {"limit": str(count), "format": "json"})
        body = answer.json()
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not rows:
            raise SourceError(f"{answer.where}: the answer has no values")
        return [_value(row, answer.where) for row in rows]


def _value(row: object, where: str) -> tuple[int, float | None]:
    if not isinstance(row, dict):
        raise SourceError(f"{where}: a value is {type(row).__name__}")
    value = value_of(row.get("value"), where)
    if value is not None and not 0 <= value <= 100:
        raise SourceError(f"{where}: the index was {value:g}, must be from 0 to 100")
    return instant_of(row.get("timestamp"), where), value
