"""Candles of one symbol from its files, parsed and cut to a range of time, not yet judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mirrorcore import clock
from mirrorcore.data_sources.file_names import CandleFile
from mirrorcore.data_sources.row_order import TOO_EARLY, rows_in_order
from mirrorcore.data_sources.tables import Table
from mirrorcore.errors import DataError
from mirrorcore.market.block import Ints
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.timeframe import EARLIEST, LATEST, distinct, modal_spacing

PRICES = ("open", "high", "low", "close", "volume")

_SPARSE_FROM = 0.005
"""A file that lacks more than 0.5 % of its intervals leaves out those without trades."""


def leaves_out(open_ts: Ints, bar_ns: int) -> bool:
    """Whether so many bars are missing that their venue writes none without trades."""
    times = distinct(open_ts[(open_ts >= EARLIEST) & (open_ts < LATEST)])
    due = int(times[-1] - times[0]) // bar_ns + 1 if len(times) else 0
    return due - len(times) > _SPARSE_FROM * due


@dataclass(frozen=True, slots=True)
class Candles:
    """A symbol's rows as parsed; ``rows`` are their places in the files, one after the other."""

    label: str
    bars: BarColumns
    rows: Ints


@dataclass(frozen=True, slots=True)
class CandleReader:
    """Reads candle files; what cannot be read at all is counted in ``report``.

    ``columns`` are the file's own names, ``unit`` that of epoch times (None: by magnitude),
    ``timerange`` [start, end) in ns, either side None.
    """

    report: IntakeReport
    columns: Mapping[str, str]
    unit: str | None
    timerange: tuple[int | None, int | None]

    def read(self, files: Sequence[CandleFile]) -> Candles:
        """The rows of one symbol from its files, which must not overlap in time."""
        symbol = files[0].symbol
        parts = sorted((self._read_file(one) for one in files), key=_first_time)
        for one, after in pairwise(parts):
            if len(one.bars) and len(after.bars) and _first_time(after) <= one.bars.open_ts.max():
                raise DataError(
                    f"{one.label} and {after.label} overlap in time for {symbol}",
                    hint="keep one of them, or cut them so that each time is in one file",
                )
        merged = parts[0]
        if len(parts) > 1:
            bars = [part.bars for part in parts]
            merged = Candles(
                f"{parts[0].label} (and {len(parts) - 1} more)",
                BarColumns(
                    *(
                        np.concatenate([getattr(one, name) for one in bars])
                        for name in BarColumns.__dataclass_fields__
                    )
                ),
                np.concatenate([part.rows for part in parts]),
            )
        spacing = modal_spacing(merged.bars.open_ts)
        if spacing is not None and spacing != files[0].bar_ns:
            raise DataError(
                f"{merged.label}: the name says bars of {files[0].timeframe}, but the rows are "
                f"{clock.format_duration(spacing)} apart",
                hint="rename the file or choose the right timeframe",
            )
        return self._within_range(merged, symbol)

    def _read_file(self, file: CandleFile) -> Candles:
        table = Table(file.path)
        names = table.columns(("time", *PRICES), self.columns)
        times = table.times(names["time"], unit=self.unit)
        prices = [table.numbers(names[name]) for name in PRICES]
        label = file.path.name
        cut = table.cut_off()
        rows, turned = rows_in_order(table, times)
        for row in np.flatnonzero(table.faults).tolist():
            case = Case(int(table.faults[row]))
            self.report.count(label, case)
            event = int(times[row])
            numbers = dict(zip(PRICES, prices, strict=True))
            values = table.told(names, numbers, row, timed=event >= 0)
            detail = TOO_EARLY if case is Case.OUT_OF_ORDER else ""
            if case is Case.TRUNCATED:
                detail = f"cut off at byte {cut}"
            self.report.keep(Sample(label, case, file.symbol, event, row, values, detail))
        self.report.saw(label, int(np.count_nonzero(table.faults)))
        if turned:
            self.report.count(label, Case.ROW_ORDER)
        if len(rows) < len(times) or (len(rows) and rows[0] != 0):
            times, prices = times[rows], [column[rows] for column in prices]
        available, (o, h, low, c, v) = times + file.bar_ns, prices
        flags = np.zeros(len(times), np.int64)
        return Candles(label, BarColumns(times, available, available, o, h, low, c, v, flags), rows)

    def _within_range(self, raw: Candles, symbol: str) -> Candles:
        start, end = self.timerange
        times = raw.bars.open_ts
        if (start is None and end is None) or not len(times):
            return raw
        inside = np.ones(len(times), bool)
        if start is not None:
            inside &= times >= start
        if end is not None:
            inside &= times < end
        if not inside.any():
            span = f"{clock.iso(int(times.min()))} to {clock.iso(int(times.max()))}"
            raise DataError(
                f"{raw.label}: no bar of {symbol} within the timerange",
                hint=f"the file spans {span}",
            )
        return Candles(raw.label, raw.bars.take(inside), raw.rows[inside])


def _first_time(raw: Candles) -> int:
    return int(raw.bars.open_ts.min()) if len(raw.bars) else 0
