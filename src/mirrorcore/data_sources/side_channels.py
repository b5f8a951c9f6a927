"""Side channels from files: one series of values with the instants they became public."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mirrorcore.clock import DAY
from mirrorcore.data_sources.tables import NO_TIME, Table
from mirrorcore.errors import DataError
from mirrorcore.market.block import Ints
from mirrorcore.market.categories import split_series
from mirrorcore.market.columns import ObservationColumns
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.market.intake import SAMPLES_PER_CASE, Case, IntakeReport, Sample
from mirrorcore.market.records import ALL_SYMBOLS
from mirrorcore.market.timeframe import EARLIEST


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """A side channel in a file of its own.

    Parameters
    ----------
    path: parquet, feather, CSV or JSON (a list of objects, or one a line as ``.jsonl``).
    name: ``category.name``, such as ``sentiment.fear_greed``.
    time, value: names of the columns.
    lag_ns: publication lag: a value dated t is available at t + lag.
    symbol: one of the run, or ``*`` for the whole market.
    released: column with the instant each value became public; then it is available at that
        instant + lag. Where the column holds dates alone, at the end of the day (UTC); datetimes
        with a zone are no dates. One time may
        stand there several times, with the release of each correction.
    where: keeps the rows with these values, to take one series of a long table.
    bounds: lowest and highest plausible value; anything else is rejected.
    """

    path: Path
    name: str
    time: str = "date"
    value: str = "value"
    lag_ns: int = 0
    symbol: str = ALL_SYMBOLS
    where: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[float, float] | None = None
    released: str | None = None


@dataclass(frozen=True, slots=True)
class SideChannel:
    """Observations of one series as parsed; ``rows`` are their places in the file."""

    name: str
    symbol: str
    label: str
    columns: ObservationColumns
    rows: Ints


def read_series(
    file: SeriesFile, symbols: Sequence[str], report: IntakeReport, *, unit: str | None = None
) -> SideChannel:
    """A side channel, parsed, not yet judged; unreadable rows are counted in ``report``.

    A row without a value is no observation: what was known before it stays known. Where a series
    begins before 1990 it is read from there on: no market of ours is older.

    Raises
    ------
    DataError
        when the file, its columns or its symbol are not there, or the name has no category.
    """
    symbol = file.symbol
    if symbol != ALL_SYMBOLS:
        symbol = canonical_symbol(symbol)
        if symbol not in symbols:
            raise DataError(
                f"{file.path}: series {file.name} is for {symbol}, which is not in this run",
                hint=f"use * for the whole market or one of {', '.join(symbols)}",
            )
    split_series(file.name)
    if not file.path.is_file():
        raise DataError(f"series {file.name}: there is no file {file.path}", hint="check the path")
    table = Table(file.path)
    if file.where:
        table.where(file.where)
    wanted = {"time": file.time, "value": file.value}
    if file.released is not None:
        wanted["released"] = file.released
    hint = 'name the file\'s own under [[market.series]]: time = "…", value = "…"'
    names = table.columns(tuple(wanted), wanted, hint=hint)
    times = table.times(names["time"], unit=unit, early=True)
    values = table.numbers(names["value"], missing=Case.SERIES_HOLE)
    table.note(np.isnan(values), Case.NOT_FINITE)
    public = times if file.released is None else _released(table, names["released"], unit)
    rows = np.flatnonzero(table.faults == Case.NONE)
    label = f"{file.path.name}:{file.name}"

    def shown(row: int) -> Sample:
        cells = {"time": names["time"], file.name: names["value"]}
        told = table.told(cells, {file.name: values}, row, timed=times[row] != NO_TIME)
        if file.released is not None:
            told["released"] = table.cell(names["released"], row)
        case, place = Case(int(table.faults[row])), int(table.rows[row])
        return Sample(label, case, symbol, int(times[row]), place, told)

    _count_faults(table, report, label, shown)
    if file.released is not None:
        # A table of vintages is written by period; it became known by release.
        rows = rows[np.lexsort((times[rows], public[rows]))]
    elif len(rows) > 2 and bool((np.diff(times[rows]) < 0).all()):
        rows = rows[::-1]
        report.count(label, Case.ROW_ORDER)
    modern = np.flatnonzero(times[rows] >= EARLIEST)
    if len(modern):
        rows = rows[modern[0] :]
    event, value = times[rows], values[rows]
    available = public[rows] + file.lag_ns
    columns = ObservationColumns(event, available, available, value, np.zeros(len(event), np.int64))
    return SideChannel(file.name, symbol, label, columns, table.rows[rows])


def _count_faults(
    table: Table, report: IntakeReport, label: str, shown: Callable[[int], Sample]
) -> None:
    """Rows that bring no value, into the report: all counted, the last of each case kept."""
    for code in np.unique(table.faults[table.faults != Case.NONE]).tolist():
        faulty = np.flatnonzero(table.faults == code)
        report.saw(label, len(faulty))
        report.count(label, Case(code), len(faulty))
        for row in faulty[-SAMPLES_PER_CASE:].tolist():
            report.keep(shown(row))


def _released(table: Table, name: str, unit: str | None) -> Ints:
    """When each row became public, ns. A day without an hour is over before it is surely public;
    an instant that has its zone is one, midnight or not."""
    instants = table.times(name, unit=unit, early=True)
    if table.aware(name):
        return instants
    known = instants[table.faults == Case.NONE]
    return instants + DAY if bool((known % DAY == 0).all()) else instants
