"""Results of queries at Dune: columns of a table about chains as observations.

``latest`` reads what the last execution of a query found; ``execute`` has it executed, waits and
reads. Both answer in pages. What came is available from the moment it came.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mirrorcore.clock import DAY, HOUR, SECOND, Clock
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.known_values import KnownValues
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.values import instant_of, value_of
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord

BASE_URL = "https://api.dune.com"
LICENCE = "Data from Dune: credit and link dune.com wherever it is shown."
READS_PER_MINUTE = 40
"""Requests of one free key that the service bears."""

_PAGE = 1_000
_WAITING = ("QUERY_STATE_PENDING", "QUERY_STATE_EXECUTING")
_ZONE = re.compile(r"\s*(UTC|Z)$")


class DuneSource(AskedSource):
    """One query's table; a PolledSource.

    Parameters
    ----------
    query: the number in its address.
    http: a client of ``BASE_URL`` that knows ``key`` as a secret.
    time: the column that says when.
    series: name of the series (``onchain.active_addresses``) by column.
    symbol: of every row, or ``symbol_column`` with the column that says it.
    symbols: those to be told where a column says it; others in the table are left out.
    units: by series.
    mode: whether each asking has the query executed, which costs credits.
    wait_ns: between two looks at an execution; ``patience_ns`` how long one may take.
    """

    def __init__(
        self,
        query: int,
        *,
        http: HttpClient,
        key: Secret,
        clock: Clock,
        series: Mapping[str, str],
        time: str = "time",
        symbol: str = ALL_SYMBOLS,
        symbol_column: str = "",
        symbols: Sequence[str] = (),
        units: Mapping[str, str] | None = None,
        mode: Literal["latest", "execute"] = "latest",
        name: str = "dune",
        cadence_ns: int = HOUR,
        wait_ns: int = 2 * SECOND,
        patience_ns: int = 300 * SECOND,
    ) -> None:
        self._query, self._http, self._key, self._clock = query, http, key, clock
        self._series, self._time, self._mode = dict(series), time, mode
        self._symbol, self._symbol_column = symbol, symbol_column
        self._symbols = tuple(symbols) if symbol_column else (symbol,)
        self._wait, self._patience = wait_ns, patience_ns
        self._known = KnownValues(name)
        super().__init__(
            SourceSpec(
                name=name,
                category="onchain",
                kinds=("observation",),
                symbols=self._symbols,
                cadence_ns=cadence_ns,
                stale_after_ns=2 * DAY,
                sparse=True,
                units=dict(units or {}),
                licence=LICENCE,
                tested=True,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """New and corrected rows; SourceError where the query failed or its table is another."""
        path = f"/api/v1/query/{self._query}/results"
        if self._mode == "execute":
            path = f"/api/v1/execution/{await self._executed()}/results"
        rows = await self._rows(path)
        values: dict[tuple[str, str], list[tuple[int, float | None]]] = {}
        for number, row in enumerate(rows, 1):
            where = f"{self.name}: row {number} of query {self._query}"
            symbol = self._symbol
            if self._symbol_column:
                symbol = str(self._cell(row, self._symbol_column, where))
                if symbol not in self._symbols:
                    continue
            instant = _instant(self._cell(row, self._time, where), where)
            for column, series in self._series.items():
                value = value_of(self._cell(row, column, where), f"{where}, {column}")
                values.setdefault((series, symbol), []).append((instant, value))
        now = self._clock.now()
        found = [
            record
            for (series, symbol), told in values.items()
            for record in self._known.fresh(series, symbol, told, now)
        ]
        return sorted(found, key=lambda record: (record.ts_avail, record.ts_event))

    async def _executed(self) -> str:
        """Has the query executed; the execution's id when it is complete."""
        path = f"/api/v1/query/{self._query}/execute"
        body = (await self._http.post(path, form={}, headers=self._headers())).json()
        execution = body.get("execution_id") if isinstance(body, dict) else None
        if not isinstance(execution, str) or not re.fullmatch(r"[\w-]{1,64}", execution):
            raise SourceError(f"{self.name}: query {self._query} was not accepted for execution")
        for _ in range(max(1, self._patience // self._wait)):
            status = await self._get(f"/api/v1/execution/{execution}/status")
            if self._complete(status):
                return execution
            await asyncio.sleep(self._wait / SECOND)
        seconds = self._patience / SECOND
        raise SourceError(f"{self.name}: query {self._query} took longer than {seconds:g} s")

    def _complete(self, body: Mapping[str, Any]) -> bool:
        """Whether an execution is complete; SourceError where it never will be."""
        state = body.get("state")
        if state == "QUERY_STATE_COMPLETED":
            return True
        if state in _WAITING:
            return False
        reason = body.get("error") or ""
        message = reason.get("message", "") if isinstance(reason, dict) else str(reason)
        said = message[:120] or "no reason given"
        raise SourceError(f"{self.name}: query {self._query} ended as {state}: {said}")

    async def _rows(self, path: str) -> list[Mapping[str, Any]]:
        """All pages of a table."""
        rows: list[Mapping[str, Any]] = []
        offset = 0
        while True:
            body = await self._get(path, {"limit": str(_PAGE), "offset": str(offset)})
            if not self._complete(body):
                raise SourceError(f"{self.name}: query {self._query} is still being executed")
            result = body.get("result")
            page = result.get("rows") if isinstance(result, dict) else None
            if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
                raise SourceError(f"{self.name}: query {self._query} answered without rows")
            rows += page
            following = body.get("next_offset")
            if following is None:
                return rows
            if not isinstance(following, int) or following <= offset:
                raise SourceError(f"{self.name}: query {self._query} gives the same page again")
            offset = following

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        body = (await self._http.get(path, params, headers=self._headers())).json()
        if not isinstance(body, dict):
            raise SourceError(f"{self.name}: query {self._query} answered with no object")
        return body

    def _headers(self) -> dict[str, str | Secret]:
        return {"X-Dune-API-Key": self._key}

    def _cell(self, row: Mapping[str, Any], column: str, where: str) -> Any:
        if column not in row:
            raise SourceError(
                f"{where} has no column {column}",
                hint=f"its columns are {', '.join(map(str, row))}",
                permanent=True,
            )
        return row[column]


def _instant(raw: object, where: str) -> int:
    """``2024-03-01 12:00:00.000 UTC``, as the service writes it; or a date, or a number."""
    return instant_of(_ZONE.sub("", raw) if isinstance(raw, str) else raw, where)
