"""The intake of the market plane: every record is accepted, flagged or rejected, and counted.

Nothing here changes a value. Bars, side channels and trades are judged over columns, so that a
file of a year and one live record get the same verdict; the other live kinds one after the other.
Bars are judged by symbol in the order they arrive: one that is not later than the last accepted
is a repetition (dropped) or too late (rejected), for the past is never changed. A large move
passes, marked OUTLIER, at once: holding it back would cost a real crash its warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from mirrorcore import clock
from mirrorcore.market.bar_intake import BarIntake
from mirrorcore.market.block import Ints
from mirrorcore.market.book import OrderBook
from mirrorcore.market.columns import BarColumns, ObservationColumns
from mirrorcore.market.feed_intake import FeedIntake
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import Action, Case, IntakeReport, Sample
from mirrorcore.market.parsing import UnreadableError, loose_items, read_record
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    CATEGORIES,
    RENUMBERED,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedRecord,
    GapRecord,
    Observation,
    Quote,
    Trade,
)
from mirrorcore.market.rulings import type_fault
from mirrorcore.market.tracks import Verdict
from mirrorcore.market.trade_columns import TradeColumns

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

_PRICED = (Bar, Trade, Quote, BookSnapshot, BookDelta)
"""Kinds whose symbol must be one of the run."""


class MarketDataProcessor:
    """Judges everything that comes from outside, with a memory of bounded size.

    Parameters
    ----------
    instruments: the symbols of the run; a bar, trade, quote or book of any other is rejected.
        Without any, symbols are taken up as they come.
    bar_ns: length of a bar, ns; 0 when unknown, then gaps and overlaps are not judged.
    source: name for the counters where a record brings none.
    report: where to count; a fresh one by default.
    bounds: lowest and highest plausible value by series name, or price by symbol: another unit
        (points, cents) shows at once.
    tolerance_ns: how far a source's clock may run ahead of ours.
    contiguous: sources whose trade numbers count up by one without holes within a symbol, so that
        one that skips is a gap.
    tokens: addresses of the tokens that are believed; None believes all.
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
        contiguous: Collection[str] = (),
        tokens: AbstractSet[str] | None = None,
    ) -> None:
        self.report = IntakeReport() if report is None else report
        self.bar_ns = bar_ns
        self.source = source
        limits = dict(bounds or {})
        self._open = not instruments
        self._bars = BarIntake(
            bar_ns, source=source, report=self.report, bounds=limits, tolerance_ns=tolerance_ns
        )
        self._feed = FeedIntake(
            self.report,
            tolerance_ns=tolerance_ns,
            bounds=limits,
            contiguous=contiguous,
            tokens=tokens,
        )
        for instrument in instruments:
            self._admit(instrument)

    def _admit(self, instrument: Instrument) -> None:
        self._bars.admit(instrument)
        self._feed.admit(instrument)

    def judge(
        self,
        batch: Mapping[str, BarColumns],
        *,
        sources: Mapping[str, str] | None = None,
        rows: Mapping[str, Ints] | None = None,
    ) -> dict[str, Verdict]:
        """Judge bars of several symbols, each in order of arrival; see :class:`BarIntake`."""
        return self._bars.judge(batch, sources=sources, rows=rows)

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
        return self._bars.judge_series(series, symbol, columns, source=source, rows=rows)

    def judge_trades(self, source: str, symbol: str, trades: TradeColumns) -> Verdict:
        """Judge trades of one source and symbol, in order of arrival: the quick way for many."""
        return self._feed.judge_trades(source, symbol, trades)

    def book(self, source: str, symbol: str) -> OrderBook | None:
        """The local book of a symbol at a source; None before anything of it came."""
        return self._feed.book(source, symbol)

    def wanting_snapshot(self) -> tuple[tuple[str, str], ...]:
        """(source, symbol) of every book that cannot go on without a new snapshot."""
        return self._feed.wanting_snapshot()

    @property
    def suspended(self) -> Mapping[str, str]:
        """Why trading rests, by symbol (``*`` for all), as statuses told."""
        return dict(self._feed.suspended)

    def validate(
        self, raw_market_data: object, *, now: int | None = None
    ) -> tuple[FeedRecord, ...]:
        """The records of one batch that may be used, flagged, in the order they were given.

        Parameters
        ----------
        raw_market_data: records, mappings with the fields of a bar or observation (times as epoch
            numbers, numbers also as text), or a mapping of symbol to such a mapping.
        now: when the batch was received, ns, for what does not say so itself.

        A gap found comes as a GapRecord before the record that ended it. Trades that came before
        their predecessor in the batch are put in order.
        """
        records = self._read(raw_market_data, now)
        columns: dict[tuple[str, str], list[int]] = {}
        trades: dict[tuple[str, str], list[int]] = {}
        judged: dict[int, list[FeedRecord]] = {}
        for i, record in enumerate(records):
            symbol: object = record.symbol
            if not isinstance(symbol, str):
                self._refuse(Case.WRONG_TYPE, record, "the symbol is no text")
            elif isinstance(record, GapRecord):
                judged[i] = [record]
                if record.reason == RENUMBERED:
                    key = (record.source, record.symbol)
                    judged.update(self._judge_trades(records, trades.pop(key, ())))
                    self._feed.renumber(*key)
            elif isinstance(record, Bar | Observation):
                if (fault := type_fault(record)) is not Case.NONE:
                    self._refuse(fault, record, "")
                elif self._known(record):
                    kind = "" if isinstance(record, Bar) else record.series
                    columns.setdefault((kind, record.symbol), []).append(i)
            elif not self._known(record):
                continue
            elif isinstance(record, Trade):
                trades.setdefault((record.source, record.symbol), []).append(i)
            else:
                judged[i] = self._feed.judge(record)
        judged.update(self._bars.judge_groups(records, columns))
        for at in trades.values():
            judged.update(self._judge_trades(records, at))
        return tuple(usable for i in range(len(records)) for usable in judged.get(i, ()))

    def _judge_trades(
        self, records: Sequence[FeedRecord], at: Sequence[int]
    ) -> Iterable[tuple[int, list[FeedRecord]]]:
        """What may be used of the trades of one source and symbol, by position."""
        group = [r for i in at if isinstance(r := records[i], Trade)]
        if not group:
            return ()
        return zip(at, self._feed.judge_trade_records(group), strict=True)

    def _read(self, raw: object, now: int | None) -> list[FeedRecord]:
        records: list[FeedRecord] = []
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

    def _known(self, record: FeedRecord) -> bool:
        if isinstance(record, Observation):
            if record.series.partition(".")[0] not in CATEGORIES or "." not in record.series:
                self._refuse(Case.UNKNOWN_SERIES, record, record.series)
                return False
            if record.symbol == ALL_SYMBOLS:
                return True
        elif not isinstance(record, _PRICED):
            return True
        if record.symbol in self._bars:
            return True
        if self._open and record.symbol:
            if isinstance(record, Bar):
                self._admit(undescribed(record.symbol, venue=record.source))
            return True
        self._refuse(Case.UNKNOWN_SYMBOL, record, str(record.symbol))
        return False

    def _refuse(self, case: Case, record: FeedRecord, detail: str) -> None:
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

        Each change to stale is counted once; a symbol that is halted or closed is not stale.
        """
        return self._bars.stale(now, self._feed.is_suspended)
