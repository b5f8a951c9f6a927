"""What the intake found: counters by source and case, and a small quarantine of samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from mirrorcore.errors import DataError
from mirrorcore.market.records import ALL_SYMBOLS


class Action(Enum):
    """What happens to a record that shows a case."""

    REJECT = "reject"
    """Not trustworthy: never reaches a decision, counts towards the share that ends a run."""
    DROP = "drop"
    """Surplus and harmless (a repeated or provisional record): left out, no sign of bad data."""
    FLAG = "flag"
    """Accepted as it is, marked where the record has a flag for it."""
    HOLD = "hold"
    """Kept back without being bad data: what was known before stays in force."""
    REPAIR = "repair"
    """Accepted after its place or form, never its value, was put right."""


class Case(IntEnum):
    """Everything the intake can notice; 0 means nothing."""

    NONE = 0
    NOT_FINITE = 1
    MISSING_VALUE = 2
    WRONG_TYPE = 3
    PRICE_NOT_POSITIVE = 4
    NEGATIVE_VOLUME = 5
    HIGH_LOW = 6
    TIME_RANGE = 7
    FUTURE = 8
    LOOK_AHEAD = 9
    OUT_OF_ORDER = 10
    REVISED = 11
    OVERLAP = 12
    DECIMAL_SHIFT = 13
    UNKNOWN_SYMBOL = 14
    UNKNOWN_SERIES = 15
    OUT_OF_RANGE = 16
    TRUNCATED = 17
    DUPLICATE = 18
    PROVISIONAL = 19
    OLD_VINTAGE = 20
    OUTLIER = 21
    ZERO_VOLUME_MOVE = 22
    VOLUME_SPIKE = 23
    STALE_VALUE = 24
    STALE_FEED = 25
    GAP = 26
    OFF_GRID = 27
    NEW_VINTAGE = 28
    ROW_ORDER = 29
    SPARSE_HOLE = 30
    CROSSED = 31
    CROSSED_LONG = 32
    LOCKED = 33
    REORDERED = 34
    LATE = 35
    SEQUENCE_GAP = 36
    AWAITING_SNAPSHOT = 37
    NOT_ALIGNED = 38
    BOOK_DRIFT = 39
    BOOK_TOO_DEEP = 40
    AMOUNT_RANGE = 41
    REORG = 42
    ORPHANED = 43
    UNLISTED_TOKEN = 44
    CLOCK_JUMP = 45
    SKEW_JUMP = 46
    REPLAYED = 47
    ERROR_BODY = 48
    EMPTY_TEXT = 49
    TEXT_DATE = 50
    INSTRUCTION_LIKE = 51
    WASH_LIKE = 52
    SUSPENDED = 53
    MARKET_CLOSED = 54
    SERIES_HOLE = 55

    @property
    def action(self) -> Action:
        return _TABLE[self][0]

    @property
    def description(self) -> str:
        return _TABLE[self][1]


_TABLE: dict[Case, tuple[Action, str]] = {
    Case.NONE: (Action.FLAG, "nothing to remark"),
    Case.NOT_FINITE: (Action.REJECT, "a number is NaN or infinite"),
    Case.MISSING_VALUE: (Action.REJECT, "a required value is empty, '.' or null; it is not zero"),
    Case.WRONG_TYPE: (Action.REJECT, "a value is not a number"),
    Case.PRICE_NOT_POSITIVE: (Action.REJECT, "a price is zero or negative"),
    Case.NEGATIVE_VOLUME: (Action.REJECT, "the volume is negative"),
    Case.HIGH_LOW: (Action.REJECT, "high or low does not enclose open and close"),
    Case.TIME_RANGE: (
        Action.REJECT,
        "the time is before 1990 (a series: 1700) or after 2099: wrong unit?",
    ),
    Case.FUTURE: (Action.REJECT, "the event time is later than its receipt"),
    Case.LOOK_AHEAD: (Action.REJECT, "available before the bar closed or the value was released"),
    Case.OUT_OF_ORDER: (
        Action.REJECT,
        "older than what was accepted, or, in a file of candles, newer than the rows after it",
    ),
    Case.REVISED: (Action.REJECT, "a final bar came again with other values; the first stays"),
    Case.OVERLAP: (Action.REJECT, "opens before the previous bar has closed"),
    Case.DECIMAL_SHIFT: (Action.REJECT, "the whole bar is a power of ten away from the last ones"),
    Case.UNKNOWN_SYMBOL: (Action.REJECT, "the symbol is not part of this run"),
    Case.UNKNOWN_SERIES: (Action.REJECT, "the series is not named category.name"),
    Case.OUT_OF_RANGE: (Action.REJECT, "outside the bounds given for the series: other unit?"),
    Case.TRUNCATED: (Action.REJECT, "the last line of the file is cut off"),
    Case.DUPLICATE: (Action.DROP, "the identical record came before"),
    Case.PROVISIONAL: (Action.DROP, "the bar is not final yet"),
    Case.OLD_VINTAGE: (Action.DROP, "a value for an earlier period than the current one"),
    Case.OUTLIER: (Action.FLAG, "the move is far outside the usual; real moves do that too"),
    Case.ZERO_VOLUME_MOVE: (Action.FLAG, "the price moved without volume"),
    Case.VOLUME_SPIKE: (Action.FLAG, "the volume is far outside the usual"),
    Case.STALE_VALUE: (Action.FLAG, "the price stands still while other symbols move"),
    Case.STALE_FEED: (Action.FLAG, "nothing came within the deadline"),
    Case.GAP: (Action.FLAG, "bars are missing on a source that should have them all"),
    Case.OFF_GRID: (Action.FLAG, "the bar does not open on the grid of the bars before it"),
    Case.NEW_VINTAGE: (Action.FLAG, "a published value was revised; the new one counts from now"),
    Case.ROW_ORDER: (Action.REPAIR, "the file was newest first and was turned round"),
    Case.SPARSE_HOLE: (Action.FLAG, "an interval without bar on a source that leaves them out"),
    Case.CROSSED: (Action.HOLD, "bid above ask: the last good quote or book stays in force"),
    Case.CROSSED_LONG: (Action.FLAG, "crossed too often or too long: a new snapshot is due"),
    Case.LOCKED: (Action.FLAG, "bid equals ask"),
    Case.REORDERED: (Action.REPAIR, "came before its predecessor in one batch; put in order"),
    Case.LATE: (Action.FLAG, "older than what was accepted; it changes no bar of the past"),
    Case.SEQUENCE_GAP: (Action.FLAG, "the source's own numbers skip: something was not received"),
    Case.AWAITING_SNAPSHOT: (Action.HOLD, "a book change before the snapshot it belongs to"),
    Case.NOT_ALIGNED: (Action.DROP, "a book change or snapshot older than the book"),
    Case.BOOK_DRIFT: (Action.FLAG, "a new snapshot differs from the book kept; it replaces it"),
    Case.BOOK_TOO_DEEP: (Action.FLAG, "more levels than are kept; the worst are left out"),
    Case.AMOUNT_RANGE: (Action.REJECT, "an amount on a chain is no whole number of 256 bits"),
    Case.REORG: (Action.FLAG, "blocks were replaced; everything from the fork on is retracted"),
    Case.ORPHANED: (Action.DROP, "belongs to a block that was replaced"),
    Case.UNLISTED_TOKEN: (Action.DROP, "the token's address is not on the list, whatever its name"),
    Case.CLOCK_JUMP: (Action.FLAG, "our own clock went back between two receipts"),
    Case.SKEW_JUMP: (Action.FLAG, "the source's clock jumped against ours"),
    Case.REPLAYED: (Action.DROP, "sent again after a reconnect"),
    Case.ERROR_BODY: (Action.REJECT, "the answer is an error or a page, though it says success"),
    Case.EMPTY_TEXT: (Action.DROP, "a text without a title"),
    Case.TEXT_DATE: (Action.REPAIR, "a text dated in the future counts from its receipt"),
    Case.INSTRUCTION_LIKE: (Action.FLAG, "reads like an instruction; it is data and stays data"),
    Case.WASH_LIKE: (Action.FLAG, "a burst of trades with one price and one size"),
    Case.SUSPENDED: (Action.FLAG, "halted or closed: silence is not stale, orders are blocked"),
    Case.MARKET_CLOSED: (Action.FLAG, "traded while its market is closed: are the times UTC?"),
    Case.SERIES_HOLE: (Action.FLAG, "a series file has no value here: the last one known stays"),
}

SAMPLES_PER_CASE = 8
"""Kept by source and case, so that a flood of one case does not push out the others."""


def told_row(index: int) -> str:
    """The row of a file with this index, from 0, as people count."""
    return f"row {index + 1} (the first below the header is row 1)"


@dataclass(frozen=True, slots=True)
class Sample:
    """One record that showed a case: where it stood and what it said."""

    source: str
    case: Case
    symbol: str
    ts_event: int
    row: int | None
    """Row of the file, from 0, or None where the record did not come from a file."""
    values: Mapping[str, Any]
    detail: str = ""

    @property
    def counted_row(self) -> int | None:
        """Its row as people count: the first, below a header, is row 1."""
        return None if self.row is None else self.row + 1


_LATELY = 1000
"""Records of one of the two windows that say how a source does lately."""


@dataclass(slots=True)
class _Lately:
    """Counts of the current window and of the one before it."""

    seen: int = 0
    rejected: int = 0
    before: tuple[int, int] = (0, 0)

    def saw(self, records: int) -> None:
        if self.seen >= _LATELY:
            self.before = (self.rejected, self.seen)
            self.seen = self.rejected = 0
        self.seen += records

    def both(self) -> tuple[int, int]:
        rejected, seen = self.before
        return self.rejected + rejected, self.seen + seen


@dataclass(slots=True)
class IntakeReport:
    """Counters of one run's intake. ``seen`` counts records by source, ``counts`` the cases;
    ``remarks`` are sentences that the reader of a run's figures has to know."""

    seen: dict[str, int] = field(default_factory=dict)
    counts: dict[tuple[str, Case], int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    _samples: dict[tuple[str, Case], deque[Sample]] = field(default_factory=dict)
    _lately: dict[str, _Lately] = field(default_factory=dict)

    def saw(self, source: str, records: int) -> None:
        self.seen[source] = self.seen.get(source, 0) + records
        lately = self._lately.get(source)
        if lately is None:
            lately = self._lately[source] = _Lately()
        lately.saw(records)

    def count(self, source: str, case: Case, times: int = 1) -> None:
        if times:
            key = (source, case)
            self.counts[key] = self.counts.get(key, 0) + times
            if case.action is Action.REJECT and source in self._lately:
                self._lately[source].rejected += times

    def keep(self, sample: Sample) -> None:
        """Put a sample into quarantine; the oldest of its source and case makes room."""
        key = (sample.source, sample.case)
        ring = self._samples.get(key)
        if ring is None:
            ring = self._samples[key] = deque(maxlen=SAMPLES_PER_CASE)
        ring.append(sample)

    @property
    def quarantine(self) -> tuple[Sample, ...]:
        """The samples kept, by source and case in the order first met."""
        return tuple(sample for ring in self._samples.values() for sample in ring)

    def total(self, action: Action, source: str | None = None) -> int:
        """How many records (or, for flags, how many times) ``action`` was taken."""
        return sum(
            times
            for (name, case), times in self.counts.items()
            if case.action is action and source in (None, name)
        )

    def rejected_share(self, source: str | None = None) -> float:
        """Rejected records over records seen, of one source or of all; 0 before the first."""
        seen = sum(self.seen.values()) if source is None else self.seen.get(source, 0)
        return self.total(Action.REJECT, source) / seen if seen else 0.0

    def rejected_lately(self, source: str) -> tuple[int, int]:
        """(rejected, seen) of about the last thousand records of a source: a source that was good
        for a year and is bad now is bad."""
        lately = self._lately.get(source)
        return (0, 0) if lately is None else lately.both()

    def failing(self, *, limit: float = 0.05, least: int = 100) -> tuple[str, ...]:
        """Sources of which more than ``limit`` was rejected lately, by name, for their breakers.

        ``least``: one of which fewer records were seen is not judged yet.
        """
        shares = {source: self.rejected_lately(source) for source in sorted(self.seen)}
        return tuple(
            source
            for source, (rejected, seen) in shares.items()
            if seen >= max(least, 1) and rejected > limit * seen
        )

    def rows(self) -> Iterator[tuple[str, Case, int]]:
        """(source, case, count), by source and case, for a table."""
        for source, case in sorted(self.counts):
            yield source, case, self.counts[source, case]

    def check(self, *, limit: float = 0.01, least: int = 1000) -> None:
        """End the run when a source is too bad to trade on.

        Parameters
        ----------
        limit: largest share of rejected records that is borne.
        least: sources with fewer records are not judged yet; pass 0 at the end of a run.

        Raises
        ------
        DataError
            naming the source, the share, the most frequent cases and one sample of the worst.
        """
        for source in sorted(self.seen):
            seen, rejected = self.seen[source], self.total(Action.REJECT, source)
            if seen >= max(least, 1) and rejected > limit * seen:
                raise self._too_bad(source, rejected, limit)

    def _too_bad(self, source: str, rejected: int, limit: float) -> DataError:
        found = sorted(
            (
                (times, case)
                for (name, case), times in self.counts.items()
                if name == source and case.action is Action.REJECT
            ),
            reverse=True,
        )
        causes = "; ".join(f"{times} × {case.description}" for times, case in found[:3])
        worst = found[0][1]
        where, remedy = "", _REMEDY_OF_SOURCES
        for sample in self._samples.get((source, worst), ()):
            row = () if sample.row is None else (told_row(sample.row),)
            symbol = () if sample.symbol in ("", ALL_SYMBOLS) else (sample.symbol,)
            where = f"; for example {' '.join((*symbol, *row))}: {dict(sample.values)}"
            remedy = _REMEDY_OF_ROWS if row else _REMEDY_OF_SOURCES
            break
        return DataError(
            f"{source}: {rejected} of {self.seen[source]} records were rejected "
            f"({rejected / self.seen[source]:.1%}, at most {limit:.1%} is borne): {causes}{where}",
            hint=_REMEDY.get(worst, remedy),
        )


_REMEDY_OF_ROWS = (
    "mend these rows, or leave them out; 'mirrorcore data check FILE' shows more of them"
)
_REMEDY_OF_SOURCES = "look at the samples in quarantine and repair the source"

_REMEDY = {
    Case.DECIMAL_SHIFT: "if the instrument was redenominated, start the run after that date "
    "(timerange) or scale the older prices",
    Case.TIME_RANGE: 'say the unit of the time column, as in market.unit = "ms"',
    Case.PRICE_NOT_POSITIVE: "if this instrument may have such prices, describe it from Python "
    "with Instrument(negative_prices=True); a configuration cannot say so yet",
    Case.OUT_OF_ORDER: "sort the file by time; local time with daylight saving also looks like "
    "this: convert it to UTC",
    Case.OVERLAP: "the file seems to hold bars of another timeframe, or times in local time",
    Case.REVISED: "the file holds different bars for one time: keep the right ones only",
    Case.UNKNOWN_SYMBOL: "add the symbol to the run or stop asking the source for it",
}
