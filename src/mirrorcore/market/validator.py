"""The intake of the market plane: every record is accepted, flagged or rejected, and counted.

Nothing here changes a value. The rules are written over columns (``bar_rules``, ``tracks``), so a
file of a year and one live bar get the same verdict. Bars are judged by symbol in the order they
arrive: one that is not later than the last accepted is a repetition (dropped) or too late
(rejected), for the past is never changed. A large move passes, marked OUTLIER, at once: holding
it back would cost a real crash its warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from mirrorcore import clock
from mirrorcore.market.block import Bools, Ints
from mirrorcore.market.columns import BarColumns, ObservationColumns
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import Action, Case, IntakeReport, Sample
from mirrorcore.market.parsing import UnreadableError, loose_items, read_record, type_fault
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    CATEGORIES,
    Bar,
    Flag,
    GapRecord,
    Observation,
    Record,
)
from mirrorcore.market.standstill import Standstill
from mirrorcore.market.tracks import BarTrack, SeriesTrack, Verdict

__all__ = [
    "Action",
    "Case",
    "IntakeReport",
    "MarketDataProcessor",
    "Sample",
    "Verdict",
]

SKEW_TOLERANCE = 5 * clock.SECOND
"""A source's clock may run ahead of ours by so much before its times count as the future."""
STALE_AFTER_BARS = 3

_CASE_OF_FLAG = (
    (Flag.OUTLIER, Case.OUTLIER),
    (Flag.ZERO_VOLUME_MOVE, Case.ZERO_VOLUME_MOVE),
    (Flag.VOLUME_SPIKE, Case.VOLUME_SPIKE),
    (Flag.AFTER_GAP, Case.GAP),
)


class MarketDataProcessor:
    """Judges everything that comes from outside, with a memory of bounded size.

    Parameters
    ----------
    instruments: the symbols of the run; a bar of any other is rejected. Without any, symbols are
        taken up as they come.
    bar_ns: length of a bar, ns; 0 when unknown, then gaps and overlaps are not judged.
    source: name for the counters where a record brings none.
    report: where to count; a fresh one by default.
    bounds: lowest and highest plausible value by series name: another unit shows at once.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument] = (),
        bar_ns: int = 0,
        *,
        source: str = "market",
        report: IntakeReport | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        tolerance_ns: int = SKEW_TOLERANCE,
    ) -> None:
        self.report = IntakeReport() if report is None else report
        self.bar_ns = bar_ns
        self.source = source
        self._tolerance = tolerance_ns
        self._bounds = dict(bounds or {})
        self._open = not instruments
        self._tracks: dict[str, BarTrack] = {}
        self._index: dict[str, int] = {}
        self._series: dict[tuple[str, str], SeriesTrack] = {}
        self._standstill = Standstill(0)
        self._available: dict[str, int] = {}
        self._stale: set[str] = set()
        for instrument in instruments:
            self._admit(instrument)

    def _admit(self, instrument: Instrument) -> None:
        self._index[instrument.symbol] = len(self._tracks)
        self._tracks[instrument.symbol] = BarTrack(instrument, self.bar_ns, self._tolerance)
        self._standstill.add_symbol()

    def judge(
        self,
        batch: Mapping[str, BarColumns],
        *,
        sources: Mapping[str, str] | None = None,
        rows: Mapping[str, Ints] | None = None,
    ) -> dict[str, Verdict]:
        """Judge bars of several symbols, each in order of arrival.

        Parameters
        ----------
        batch: columns by symbol of this run. Whatever is judged later must not be available
            earlier than these, for the comparison between symbols.
        sources: name for the counters, by symbol.
        rows: number of each row in its file, by symbol, for the quarantine.
        """
        verdicts = {symbol: self._tracks[symbol].judge(bars) for symbol, bars in batch.items()}
        marks = self._standstill.judge(
            [
                (
                    self._index[symbol],
                    batch[symbol].ts_avail[verdict.accepted],
                    _standing(verdict),
                )
                for symbol, verdict in verdicts.items()
            ]
        )
        for (symbol, verdict), still in zip(verdicts.items(), marks, strict=True):
            source = (sources or {}).get(symbol, self.source)
            verdict.flags[np.flatnonzero(verdict.accepted)[still]] |= Flag.STALE_VALUE
            self.report.count(source, Case.STALE_VALUE, int(np.count_nonzero(still)))
            self._count_bars(symbol, source, batch[symbol], verdict, (rows or {}).get(symbol))
            times = batch[symbol].ts_avail[verdict.accepted]
            if len(times):
                self._available[symbol] = int(times[-1])
                self._stale.discard(symbol)
        return verdicts

    def _count_bars(
        self,
        symbol: str,
        source: str,
        bars: BarColumns,
        verdict: Verdict,
        rows: Ints | None,
    ) -> None:
        self.report.saw(source, len(bars))
        marks = verdict.flags & ~bars.flags
        found = [(case, np.flatnonzero(marks & flag)) for flag, case in _CASE_OF_FLAG]
        for code in np.unique(verdict.cases).tolist():
            if code:
                found.append((Case(code), np.flatnonzero(verdict.cases == code)))
        for case, at in found:
            self._count_case(at, case, symbol, source=source, bars=bars, rows=rows)
        for case, times in verdict.noted:
            self.report.count(source, case, times)

    def _count_case(
        self,
        found: Ints,
        case: Case,
        symbol: str,
        *,
        source: str,
        bars: BarColumns,
        rows: Ints | None,
    ) -> None:
        self.report.count(source, case, len(found))
        for row in found[-8:].tolist():
            number = None if rows is None else int(rows[row])
            event = int(bars.open_ts[row])
            self.report.keep(Sample(source, case, symbol, event, number, bars.values(row)))

    def judge_series(
        self,
        series: str,
        symbol: str,
        columns: ObservationColumns,
        *,
        source: str | None = None,
        rows: Ints | None = None,
    ) -> Verdict:
        """Judge observations of one series and symbol, in order of arrival."""
        track = self._series.get((series, symbol))
        if track is None:
            bounds = self._bounds.get(series)
            track = self._series[series, symbol] = SeriesTrack(self._tolerance, bounds)
        name = source or self.source
        verdict = track.judge(columns)
        self.report.saw(name, len(columns))
        for case, times in verdict.noted:
            self.report.count(name, case, times)
        for row in np.flatnonzero(verdict.cases).tolist():
            case = Case(int(verdict.cases[row]))
            self.report.count(name, case)
            number = None if rows is None else int(rows[row])
            values = {series: float(columns.value[row])}
            event = int(columns.ts_event[row])
            self.report.keep(Sample(name, case, symbol, event, number, values))
        return verdict

    def validate(self, raw_market_data: object, *, now: int | None = None) -> tuple[Record, ...]:
        """The records of one batch that may be used, flagged, in the order they were given.

        Parameters
        ----------
        raw_market_data: records, mappings with the fields of a record (times as epoch numbers,
            numbers also as text), or a mapping of symbol to such a mapping.
        now: when the batch was received, ns, for what does not say so itself.

        A gap found comes as a GapRecord before the bar that ended it.
        """
        records = self._read(raw_market_data, now)
        groups: dict[tuple[str, str], list[int]] = {}
        for i, record in enumerate(records):
            if isinstance(record, GapRecord):
                continue
            fault = type_fault(record)
            if fault is not Case.NONE:
                self._refuse(fault, record, "")
            elif self._known(record):
                kind = "" if isinstance(record, Bar) else record.series
                groups.setdefault((kind, record.symbol), []).append(i)
        judged = self._judge_groups(records, groups)
        accepted: list[Record] = []
        for i, record in enumerate(records):
            if isinstance(record, GapRecord):
                accepted.append(record)
            elif i in judged:
                accepted.extend(judged[i])
        return tuple(accepted)

    def _judge_groups(
        self, records: Sequence[Record], groups: Mapping[tuple[str, str], list[int]]
    ) -> dict[int, list[Record]]:
        judged: dict[int, list[Record]] = {}
        bars: dict[str, list[int]] = {}
        for (series, symbol), at in groups.items():
            if not series:
                bars[symbol] = at
                continue
            group = [r for i in at if isinstance(r := records[i], Observation)]
            verdict = self.judge_series(
                series, symbol, ObservationColumns.of(group), source=group[0].source
            )
            _accept(group, at, verdict, judged)
        chosen = {s: [r for i in at if isinstance(r := records[i], Bar)] for s, at in bars.items()}
        verdicts = self.judge(
            {symbol: BarColumns.of(group) for symbol, group in chosen.items()},
            sources={symbol: group[0].source for symbol, group in chosen.items()},
        )
        for symbol, verdict in verdicts.items():
            _accept(chosen[symbol], bars[symbol], verdict, judged)
        return judged

    def _read(self, raw: object, now: int | None) -> list[Record]:
        records: list[Record] = []
        for item in loose_items(raw):
            if isinstance(item, Mapping):
                try:
                    records.append(
                        read_record(item, source=self.source, bar_ns=self.bar_ns, now=now)
                    )
                except UnreadableError as unreadable:
                    self._reject(
                        unreadable.case,
                        str(item.get("source", self.source)),
                        str(item.get("symbol", "")),
                        dict(item),
                        unreadable.detail,
                    )
            else:
                records.append(item)
        return records

    def _known(self, record: Bar | Observation) -> bool:
        if isinstance(record, Observation):
            if record.series.partition(".")[0] not in CATEGORIES or "." not in record.series:
                self._refuse(Case.UNKNOWN_SERIES, record, record.series)
                return False
            if record.symbol == ALL_SYMBOLS:
                return True
        if record.symbol in self._index:
            return True
        if self._open and record.symbol:
            if isinstance(record, Bar):
                self._admit(undescribed(record.symbol, venue=record.source))
            return True
        self._refuse(Case.UNKNOWN_SYMBOL, record, record.symbol)
        return False

    def _refuse(self, case: Case, record: Bar | Observation, detail: str) -> None:
        values = msgspec.structs.asdict(record)
        self._reject(case, record.source, record.symbol, values, detail)

    def _reject(
        self,
        case: Case,
        source: str,
        symbol: str,
        values: Mapping[str, Any],
        detail: str,
    ) -> None:
        event = values.get("ts_event", 0)
        self.report.saw(source, 1)
        self.report.count(source, case)
        self.report.keep(
            Sample(
                source,
                case,
                symbol,
                event if isinstance(event, int) else 0,
                None,
                values,
                detail,
            )
        )

    def stale(self, now: int) -> tuple[str, ...]:
        """Symbols without a new bar for three bar lengths, at ``now`` (ns), in run order.

        Each change to stale is counted once.
        """
        if not self.bar_ns:
            return ()
        late = [
            symbol
            for symbol in self._index
            if symbol in self._available
            and now - self._available[symbol] > STALE_AFTER_BARS * self.bar_ns
        ]
        for symbol in late:
            if symbol not in self._stale:
                self._stale.add(symbol)
                self.report.count(self.source, Case.STALE_FEED)
        return tuple(late)


def _standing(verdict: Verdict) -> Bools:
    if verdict.unchanged is None:
        raise AssertionError("a verdict on bars says which stand still")
    return verdict.unchanged[verdict.accepted]


def _accept(
    records: Sequence[Bar] | Sequence[Observation],
    positions: Sequence[int],
    verdict: Verdict,
    judged: dict[int, list[Record]],
) -> None:
    gaps = {end: start for start, end in verdict.gaps}
    for row, position in enumerate(positions):
        if verdict.cases[row]:
            continue
        record: Bar | Observation = records[row]
        flags = int(verdict.flags[row])
        start = gaps.get(record.ts_event)
        judged[position] = [] if start is None else [_gap(record, start)]
        if flags != record.flags:
            record = msgspec.structs.replace(record, flags=flags)
        judged[position].append(record)


def _gap(record: Bar | Observation, start: int) -> GapRecord:
    return GapRecord(
        source=record.source,
        symbol=record.symbol,
        ts_event=record.ts_event,
        ts_recv=record.ts_recv,
        ts_avail=record.ts_avail,
        start=start,
        end=record.ts_event,
        reason="bars are missing",
    )
