"""Bars and side channels: what each symbol and series has been so far, and what that says of more.

Rules are written over columns (``bar_rules``, ``tracks``), so a file of a year and one live bar
get the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from mirrorcore.market.block import Bools, Ints
from mirrorcore.market.columns import BarColumns, ObservationColumns
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.records import Bar, FeedRecord, Flag, GapRecord, Observation
from mirrorcore.market.standstill import Standstill
from mirrorcore.market.tracks import BarTrack, SeriesTrack, Verdict

STALE_AFTER_BARS = 3

_CASE_OF_FLAG = (
    (Flag.OUTLIER, Case.OUTLIER),
    (Flag.ZERO_VOLUME_MOVE, Case.ZERO_VOLUME_MOVE),
    (Flag.VOLUME_SPIKE, Case.VOLUME_SPIKE),
    (Flag.AFTER_GAP, Case.GAP),
    (Flag.MARKET_CLOSED, Case.MARKET_CLOSED),
)


class BarIntake:
    """Judges bars by symbol and observations by series, with a memory of bounded size.

    Parameters as of ``MarketDataProcessor``.
    """

    def __init__(
        self,
        bar_ns: int,
        *,
        source: str,
        report: IntakeReport,
        bounds: Mapping[str, tuple[float, float]],
        tolerance_ns: int,
    ) -> None:
        self.report = report
        self.bar_ns = bar_ns
        self.source = source
        self._tolerance = tolerance_ns
        self._bounds = bounds
        self._tracks: dict[str, BarTrack] = {}
        self._index: dict[str, int] = {}
        self._series: dict[tuple[str, str], SeriesTrack] = {}
        self._standstill = Standstill(0)
        self._available: dict[str, int] = {}
        self._stale: set[str] = set()

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._index

    def admit(self, instrument: Instrument) -> None:
        """Take up one more symbol."""
        self._index[instrument.symbol] = len(self._tracks)
        self._tracks[instrument.symbol] = BarTrack(
            instrument, self.bar_ns, self._tolerance, bounds=self._bounds.get(instrument.symbol)
        )
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

    def judge_groups(
        self, records: Sequence[FeedRecord], groups: Mapping[tuple[str, str], list[int]]
    ) -> dict[int, list[FeedRecord]]:
        """Judge chosen records of a batch.

        Parameters
        ----------
        groups: positions in ``records`` by (series, symbol), the series of a bar being "".

        Returns
        -------
        What may be used, by position: the record, with a gap found before it.
        """
        judged: dict[int, list[FeedRecord]] = {}
        if not groups:
            return judged
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

    def stale(self, now: int, resting: Callable[[str], bool]) -> tuple[str, ...]:
        """Symbols without a new bar for three bar lengths, at ``now`` (ns), in run order.

        Each change to stale is counted once; a symbol that is resting (halted or closed) is
        not stale.
        """
        if not self.bar_ns:
            return ()
        late = [
            symbol
            for symbol in self._index
            if symbol in self._available
            and not resting(symbol)
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
    judged: dict[int, list[FeedRecord]],
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
