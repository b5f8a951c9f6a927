"""The live kinds: each record goes to the memory of its source, symbol and kind, and is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from mirrorcore.market.block import Ints
from mirrorcore.market.book import OrderBook
from mirrorcore.market.book_rules import BookTrack
from mirrorcore.market.chain_rules import ChainTrack
from mirrorcore.market.funding_rules import FundingTrack
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.quiet_trades import CLOCK_SLACK
from mirrorcore.market.quote_rules import QuoteTrack
from mirrorcore.market.records import (
    ALL_SYMBOLS,
    BookDelta,
    BookSnapshot,
    ChainBlock,
    FeedRecord,
    Flag,
    Funding,
    GapRecord,
    Quote,
    Stamped,
    Status,
    Swap,
    Text,
    Trade,
    Transfer,
)
from mirrorcore.market.rulings import ACCEPTED, Ruling, type_fault
from mirrorcore.market.text_rules import TextTrack
from mirrorcore.market.tracks import Verdict
from mirrorcore.market.trade_columns import TradeColumns
from mirrorcore.market.trade_rules import TradeTrack

_CASE_OF_FLAG = (
    (Flag.OUTLIER, Case.OUTLIER),
    (Flag.VOLUME_SPIKE, Case.VOLUME_SPIKE),
    (Flag.ZERO_VOLUME_MOVE, Case.ZERO_VOLUME_MOVE),
    (Flag.OUT_OF_ORDER, Case.LATE),
    (Flag.WASH_LIKE, Case.WASH_LIKE),
    (Flag.MARKET_CLOSED, Case.MARKET_CLOSED),
)

_FEW = 32
"""Up to so many trades of a batch are looked at one by one first."""

_BACKFILL = int(Flag.BACKFILL)

SUSPENDING = ("halted", "closed")
"""States of a :class:`Status` in which silence is what is to be expected."""


class FeedIntake:
    """Judges trades, quotes, books, funding, chain events, texts and statuses.

    Parameters
    ----------
    report: where to count.
    tolerance_ns: how far a source's clock may run ahead of ours.
    bounds: lowest and highest plausible price by symbol.
    contiguous: sources whose trade numbers count up by one without holes within a symbol.
    tokens: addresses of the tokens that are believed, any case; None believes all.
    """

    def __init__(
        self,
        report: IntakeReport,
        *,
        tolerance_ns: int,
        bounds: Mapping[str, tuple[float, float]],
        contiguous: Collection[str] = (),
        tokens: AbstractSet[str] | None = None,
    ) -> None:
        self.report = report
        self.suspended: dict[str, str] = {}
        """Reason by symbol (``*`` for all) that is halted or whose market is closed."""
        self._tolerance = tolerance_ns
        self._bounds = bounds
        self._contiguous = frozenset(contiguous)
        self._tokens = None if tokens is None else frozenset(t.lower() for t in tokens)
        self._instruments: dict[str, Instrument] = {}
        self._trades: dict[tuple[str, str], TradeTrack] = {}
        self._quotes: dict[tuple[str, str], QuoteTrack] = {}
        self._books: dict[tuple[str, str], BookTrack] = {}
        self._funding: dict[tuple[str, str], FundingTrack] = {}
        self._chains: dict[str, ChainTrack] = {}
        self._texts = TextTrack(tolerance_ns)
        self._receipts: dict[tuple[str, type[Stamped]], int] = {}

    def admit(self, instrument: Instrument) -> None:
        """Take up what is known of one more symbol."""
        self._instruments[instrument.symbol] = instrument

    def book(self, source: str, symbol: str) -> OrderBook | None:
        """The local book of a symbol at a source; None before anything of it came."""
        track = self._books.get((source, symbol))
        return None if track is None else track.book

    def wanting_snapshot(self) -> tuple[tuple[str, str], ...]:
        """(source, symbol) of every book that cannot go on without a new snapshot."""
        return tuple(key for key, track in self._books.items() if track.wants_snapshot)

    def judge(self, record: FeedRecord) -> list[FeedRecord]:
        """What may be used of one record that is no trade: itself, and what it gave rise to."""
        self.report.saw(record.source, 1)
        self._watch_clock(record)
        ruling = self._rule(record)
        for case in (*ruling.noted, ruling.case):
            if case is not Case.NONE:
                self._count(case, record, ruling.detail)
        usable = list(ruling.before)
        if ruling.case is Case.NONE:
            accepted = record if ruling.record is None else ruling.record
            if ruling.flags:
                flags = int(accepted.flags | ruling.flags)
                accepted = msgspec.structs.replace(accepted, flags=flags)
            usable.append(accepted)
        usable.extend(ruling.after)
        return usable

    def _rule(self, record: FeedRecord) -> Ruling:
        key = (record.source, record.symbol)
        if isinstance(record, Quote):
            if key not in self._quotes:
                self._quotes[key] = self._new_quotes(record.symbol)
            return self._quotes[key].judge(record)
        if isinstance(record, BookSnapshot | BookDelta):
            return self._books.setdefault(key, BookTrack(self._tolerance)).judge(record)
        if isinstance(record, Funding):
            return self._funding.setdefault(key, FundingTrack(self._tolerance)).judge(record)
        if isinstance(record, ChainBlock | Transfer | Swap):
            return self._chain(record.source).judge(record)
        if isinstance(record, Text):
            return self._texts.judge(record)
        if isinstance(record, Status):
            return self._status(record)
        return ACCEPTED

    def _new_quotes(self, symbol: str) -> QuoteTrack:
        instrument = self._instruments.get(symbol)
        return QuoteTrack(
            self._tolerance,
            closes=instrument is not None and instrument.trading_hours == "24/5",
            negative_prices=instrument is not None and instrument.negative_prices,
            bounds=self._bounds.get(symbol),
        )

    def _chain(self, source: str) -> ChainTrack:
        if source not in self._chains:
            self._chains[source] = ChainTrack(self._tokens)
        return self._chains[source]

    def _status(self, status: Status) -> Ruling:
        fault = type_fault(status)
        if fault is not Case.NONE:
            return Ruling(fault)
        if status.state == "reorg":
            self._chain(status.source).retract(status.block)
            return Ruling(noted=(Case.REORG,))
        if status.state in SUSPENDING:
            fresh = status.symbol not in self.suspended
            self.suspended[status.symbol] = status.reason
            return Ruling(noted=(Case.SUSPENDED,) if fresh else ())
        if status.state == "stale":
            return Ruling(noted=(Case.STALE_FEED,))
        if status.state == "live":
            self.suspended.pop(status.symbol, None)
        return ACCEPTED

    def _watch_clock(self, record: Stamped) -> None:
        """What was asked for later, and what a runner says itself, is received out of turn."""
        receipt: object = record.ts_recv
        flags: object = record.flags
        if not isinstance(receipt, int) or not isinstance(flags, int):
            return  # the kind's own rule says so
        if isinstance(record, Status) or flags & _BACKFILL:
            return
        key = (record.source, type(record))
        last = self._receipts.get(key, 0)
        if receipt < last - CLOCK_SLACK:
            self._count(Case.CLOCK_JUMP, record, f"{last - receipt} ns before the last receipt")
        self._receipts[key] = receipt

    def _count(self, case: Case, record: Stamped, detail: str = "") -> None:
        self.report.count(record.source, case)
        values = _values(record)
        event = values["ts_event"]
        event = event if isinstance(event, int) else 0
        self.report.keep(Sample(record.source, case, record.symbol, event, None, values, detail))

    # --- trades ------------------------------------------------------------------------------

    def judge_trades(self, source: str, symbol: str, trades: TradeColumns) -> Verdict:
        """Judge trades of one source and symbol, in order of arrival."""
        verdict = self._trade_track(source, symbol).judge(trades)
        self.report.saw(source, len(trades))
        for case, times in verdict.noted:
            self.report.count(source, case, times)
        if verdict.cases.any() or (verdict.flags != trades.flags).any():
            self._count_trades(source, symbol, trades, verdict)
        return verdict

    def _trade_track(self, source: str, symbol: str) -> TradeTrack:
        track = self._trades.get((source, symbol))
        if track is None:
            instrument = self._instruments.get(symbol)
            track = self._trades[source, symbol] = TradeTrack(
                self._tolerance,
                dense=source in self._contiguous,
                closes=instrument is not None and instrument.trading_hours == "24/5",
                bounds=self._bounds.get(symbol),
            )
        return track

    def _count_trades(
        self, source: str, symbol: str, trades: TradeColumns, verdict: Verdict
    ) -> None:
        marks = verdict.flags & ~trades.flags
        found: list[tuple[Case, Ints]] = [
            (case, np.flatnonzero(marks & flag)) for flag, case in _CASE_OF_FLAG
        ]
        for code in np.unique(verdict.cases).tolist():
            if code:
                found.append((Case(code), np.flatnonzero(verdict.cases == code)))
        for case, rows in found:
            self.report.count(source, case, len(rows))
            for row in rows[-8:].tolist():
                event = int(trades.ts_event[row])
                self.report.keep(Sample(source, case, symbol, event, None, trades.values(row)))

    def renumber(self, source: str, symbol: str) -> None:
        """The source numbers the symbol's trades anew from here on."""
        track = self._trades.get((source, symbol))
        if track is not None:
            track.renumber()

    def judge_trade_records(self, trades: Sequence[Trade]) -> list[list[FeedRecord]]:
        """Judge trades of one source and symbol that came in one batch.

        What came before its predecessor within the batch is put in order first. Returns what may
        be used, one list for each of the given positions.
        """
        source, symbol = trades[0].source, trades[0].symbol
        usable: list[list[FeedRecord]] = [[] for _ in trades]
        quiet = 0
        if len(trades) <= _FEW:
            track = self._trade_track(source, symbol)
            while quiet < len(trades) and track.passes_quietly(trades[quiet]):
                usable[quiet].append(trades[quiet])
                quiet += 1
            self.report.saw(source, quiet)
            if quiet == len(trades):
                return usable
        places = list(range(quiet, len(trades)))
        try:
            columns = TradeColumns.of(trades[quiet:])
        except (TypeError, OverflowError, KeyError):
            places = [i for i in places if self._sound(trades[i])]
            if not places:
                return usable
            columns = TradeColumns.of([trades[i] for i in places])
        chosen = [trades[i] for i in places]
        order = np.lexsort((columns.seq, columns.epoch))
        if (columns.seq > 0).all() and (np.diff(order) < 0).any():
            moved = sum(b < a for a, b in pairwise(columns.seq.tolist()))
            self.report.count(source, Case.REORDERED, moved)
            columns = columns.take(order)
            chosen = [chosen[i] for i in order.tolist()]
        verdict = self.judge_trades(source, symbol, columns)
        gaps = dict(zip(verdict.gap_rows, verdict.gaps, strict=True))
        for row, (place, trade) in enumerate(zip(places, chosen, strict=True)):
            if verdict.cases[row]:
                continue
            flags = int(verdict.flags[row])
            if row in gaps and not trade.flags & Flag.AFTER_GAP:
                # Otherwise whoever runs the source has told of it already.
                usable[place].append(_gap(trade, *gaps[row]))
            changed = flags != trade.flags
            usable[place].append(msgspec.structs.replace(trade, flags=flags) if changed else trade)
        return usable

    def _sound(self, trade: Trade) -> bool:
        fault = type_fault(trade)
        if fault is Case.NONE:
            return True
        self.report.saw(trade.source, 1)
        self._count(fault, trade)
        return False

    def is_suspended(self, symbol: str) -> bool:
        """Whether a status said that the symbol, or everything, is halted or closed."""
        return symbol in self.suspended or ALL_SYMBOLS in self.suspended


def _values(record: Stamped) -> dict[str, Any]:
    """The fields for the quarantine; of a book's levels the best few."""
    fields = msgspec.structs.asdict(record)
    return {
        name: value[:3] if isinstance(value, tuple | list) else value
        for name, value in fields.items()
    }


def _gap(trade: Trade, start: int, end: int) -> GapRecord:
    return GapRecord(
        source=trade.source,
        symbol=trade.symbol,
        ts_event=trade.ts_event,
        ts_recv=trade.ts_recv,
        ts_avail=trade.ts_avail,
        epoch=trade.epoch,
        start=start,
        end=end,
        reason="trade numbers are missing",
    )
