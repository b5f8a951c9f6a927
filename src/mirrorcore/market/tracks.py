"""What the validator remembers of one symbol or series, and how rows are judged against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mirrorcore.market import bar_rules as rules
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.columns import BarColumns, ObservationColumns
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Flag
from mirrorcore.market.timeframe import plausible_references
from mirrorcore.market.usual import Usual

_MEMORY = 64
"""Accepted bars in which a late one is looked up: a repetition is no fault, a stranger is."""
_LEVEL = 7
"""Accepted closes whose median is the price level of the decimal rule."""
_YOUNG = 8
"""Below so many accepted bars the level itself may be the wrong one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of n rows in their order of arrival.

    ``cases`` (n,) is Case.NONE where the row is accepted; ``flags`` (n,) are the row's own flags
    and those found; ``gaps`` are [start, end) in event time of bars that should have been there;
    ``noted`` counts what is accepted but worth a figure; ``unchanged`` (n,) marks accepted bars
    that stand still; ``gap_rows`` are, for trades, the rows before which the gaps are.
    """

    cases: rules.Cases
    flags: Ints
    gaps: tuple[tuple[int, int], ...] = ()
    noted: tuple[tuple[Case, int], ...] = ()
    unchanged: Bools | None = None
    gap_rows: tuple[int, ...] = ()

    @property
    def accepted(self) -> Bools:
        return np.equal(self.cases, Case.NONE)


def follow(suspect: Bools, recent: deque[int], check: Callable[[int, deque[int]], Case]) -> Bools:
    """Accept rows one after the other, calling ``check`` for the suspicious ones alone.

    ``suspect`` compares each row with its neighbour. After a row is refused the next one has
    another predecessor than that, so it is checked too. ``recent`` holds the rows accepted last
    and is kept up to date for ``check``, which returns Case.NONE to accept.
    """
    count = len(suspect)
    accepted = np.ones(count, bool)
    at, orphan = 0, False
    nexts = iter(np.flatnonzero(suspect).tolist())
    upcoming = next(nexts, count)
    while at < count:
        if not orphan and upcoming > at:
            recent.extend(range(max(at, upcoming - _MEMORY), upcoming))
            at = upcoming
            continue
        if upcoming == at:
            upcoming = next(nexts, count)
        if orphan := check(at, recent) is not Case.NONE:
            accepted[at] = False
        else:
            recent.append(at)
        at += 1
    return accepted


@dataclass(slots=True)
class BarTrack:
    """The memory of one symbol; its size does not depend on the length of the run."""

    instrument: Instrument
    bar_ns: int
    tolerance_ns: int
    tail: BarColumns = field(default_factory=lambda: BarColumns.of([]))
    refused_in_a_row: int = 0
    usual: Usual = field(default_factory=Usual)
    bounds: tuple[float, float] | None = None

    def judge(self, columns: BarColumns) -> Verdict:
        """Judge the next rows, in their order of arrival, and remember the accepted ones."""
        cases = rules.plain_faults(
            columns,
            bar_ns=self.bar_ns,
            negative_prices=self.instrument.negative_prices,
            tolerance_ns=self.tolerance_ns,
            bounds=self.bounds,
        )
        sound = np.flatnonzero(cases == Case.NONE)
        known = _join(self.tail, columns.take(sound) if len(sound) < len(columns) else columns)
        verdicts = self._in_sequence(known)
        cases[sound] = verdicts[len(self.tail) :]
        kept = np.flatnonzero(verdicts == Case.NONE)
        return self._remember(columns, cases, known, kept)

    def _in_sequence(self, known: BarColumns) -> rules.Cases:
        """Cases of rows against the ones accepted before; the tail in front is accepted."""
        start = len(self.tail)
        cases = np.zeros(len(known), np.int8)
        suspect = np.zeros(len(known), bool)
        suspect[1:] = rules.suspects(
            known.open_ts[:-1],
            known.close[:-1],
            known.take(slice(1, None)),
            bar_ns=max(self.bar_ns, 1),
        )
        suspect[: start + (start == 0)] = False
        if suspect.any():

            def check(row: int, recent: deque[int]) -> Case:
                if row > start and cases[row - 1] == Case.NONE:
                    self.refused_in_a_row = 0
                case = self._against_last(known, row, recent, start)
                cases[row] = case
                return case

            follow(suspect, deque(maxlen=_MEMORY), check)
        if len(known) > start and cases[-1] == Case.NONE:
            self.refused_in_a_row = 0
        return cases

    def _against_last(self, known: BarColumns, row: int, recent: deque[int], start: int) -> Case:
        ts = int(known.open_ts[row])
        last = int(known.open_ts[recent[-1]])
        if ts <= last:
            return _late(known, row, recent)
        if ts < last + self.bar_ns:
            return Case.OVERLAP
        if not self._decimal(known, row, recent):
            self.refused_in_a_row = 0
            return Case.NONE
        accepted = self.usual.count + sum(i >= start for i in recent)
        if accepted < _YOUNG and self.refused_in_a_row >= accepted:
            # More bars speak for the new level than ever spoke for the old one.
            self.refused_in_a_row = 0
            return Case.NONE
        self.refused_in_a_row += 1
        return Case.DECIMAL_SHIFT

    def _decimal(self, known: BarColumns, row: int, recent: deque[int]) -> bool:
        level = np.median(known.close[list(recent)[-_LEVEL:]])
        previous = np.array([known.close[recent[-1]], known.close[recent[-1]], level])
        now = np.array([known.open[row], known.close[row], known.close[row]])
        power = rules.shifted(previous, now)
        return bool(power[0] != 0 and (power == power[0]).all())

    def _remember(
        self, columns: BarColumns, cases: rules.Cases, known: BarColumns, kept: Ints
    ) -> Verdict:
        start = len(self.tail)
        flags = columns.flags.copy()
        unchanged = np.zeros(len(columns), bool)
        rows = kept[start:]
        if not len(rows):
            return Verdict(cases, flags, unchanged=unchanged)
        bars = known.take(rows)
        before = kept[start - 1 : -1] if start else np.concatenate([rows[:1], rows[:-1]])
        previous = known.take(before)
        found = _Found(bars, previous.open_ts, previous.close, first=start == 0)
        move = rules.moves(found.previous_close, bars.close)
        marks, gaps, noted = self._marks(found, move)
        here = np.flatnonzero(cases == Case.NONE)
        flags[here] |= marks
        unchanged[here] = _standing_still(previous, bars)
        if found.first:
            unchanged[here[0]] = False
        self.tail = known.take(kept[-_MEMORY:])
        return Verdict(cases, flags, gaps, noted, unchanged)

    def _marks(
        self, found: _Found, move: Floats
    ) -> tuple[Ints, tuple[tuple[int, int], ...], tuple[tuple[Case, int], ...]]:
        bars, marks = found.bars, np.zeros(len(found.bars), np.int64)
        steps = np.ones(len(bars))
        gaps: tuple[tuple[int, int], ...] = ()
        noted: list[tuple[Case, int]] = []
        if self.bar_ns:
            distance = bars.open_ts - found.previous_ts
            distance[0] = self.bar_ns if found.first else distance[0]
            steps = np.maximum(distance / self.bar_ns, 1.0)
            noted.append((Case.OFF_GRID, int(np.count_nonzero(distance % self.bar_ns))))
            hole = distance >= 2 * self.bar_ns
            if self.instrument.trading_hours == "24/5":
                hole &= ~rules.closed_weekend(found.previous_ts + self.bar_ns, bars.open_ts)
            if self.instrument.sparse:
                noted.append((Case.SPARSE_HOLE, int(np.count_nonzero(hole))))
            else:
                marks[hole] |= Flag.AFTER_GAP
                starts = (found.previous_ts[hole] + self.bar_ns).tolist()
                gaps = tuple(zip(starts, bars.open_ts[hole].tolist(), strict=True))
        scale, middle, spread = self.usual.before(move, bars.volume)
        far = rules.outliers(found.previous_close, bars, steps, scale)
        marks[far] |= Flag.OUTLIER
        moved = (bars.volume == 0) & ((bars.high != bars.low) | (move != 0))
        if found.first:
            moved[0] = False
        marks[moved] |= Flag.ZERO_VOLUME_MOVE
        loud = (spread > 0) & (bars.volume > middle + rules.VOLUME_SCALES * spread)
        marks[loud] |= Flag.VOLUME_SPIKE
        if self.instrument.trading_hours == "24/5":
            marks[rules.market_closed(bars.open_ts)] |= Flag.MARKET_CLOSED
        return marks, gaps, tuple(noted)


@dataclass(frozen=True, slots=True)
class _Found:
    """Accepted rows with the accepted row before each; ``first`` where there is none."""

    bars: BarColumns
    previous_ts: Ints
    previous_close: Floats
    first: bool


def _join(tail: BarColumns, columns: BarColumns) -> BarColumns:
    if not len(tail):
        return columns
    return BarColumns(
        *(
            np.concatenate([getattr(tail, name), getattr(columns, name)])
            for name in BarColumns.__dataclass_fields__
        )
    )


def _standing_still(previous: BarColumns, bars: BarColumns) -> Bools:
    """Bars at the one price of the last close, and exact repetitions of the bar before."""
    flat: Bools = (bars.high == bars.low) & (bars.close == previous.close)
    repeated: Bools = (
        (bars.open == previous.open)
        & (bars.high == previous.high)
        & (bars.low == previous.low)
        & (bars.close == previous.close)
    )
    return np.logical_or(flat, repeated)


def _late(known: BarColumns, row: int, recent: deque[int]) -> Case:
    for index in recent:
        if known.open_ts[index] == known.open_ts[row]:
            same = known.values(index) == known.values(row)
            return Case.DUPLICATE if same else Case.REVISED
    return Case.OUT_OF_ORDER


@dataclass(slots=True)
class SeriesTrack:
    """The memory of one side-channel series of one symbol."""

    tolerance_ns: int
    bounds: tuple[float, float] | None = None
    event: int = -(2**63)
    avail: int = -(2**63)
    value: float = np.nan
    ancient: bool = False
    """Times before 1970 were met, so that 1970-01-01 itself is a date and no empty field."""

    def judge(self, columns: ObservationColumns) -> Verdict:
        """Judge the next observations, in their order of arrival, and remember the last."""
        cases = self._plain(columns)
        sound = np.flatnonzero(cases == Case.NONE)
        event = np.concatenate([[self.event], columns.ts_event[sound]])
        avail = np.concatenate([[self.avail], columns.ts_avail[sound]])
        value = np.concatenate([[self.value], columns.value[sound]])
        flags = columns.flags.copy()
        found = np.zeros(len(event), np.int8)

        def check(row: int, recent: deque[int]) -> Case:
            last = recent[-1]
            case = Case.NONE
            if event[row] < event[last]:
                case = Case.OLD_VINTAGE
            elif avail[row] < avail[last]:
                case = Case.OUT_OF_ORDER
            elif event[row] == event[last]:
                same = value[row] == value[last] or (np.isnan(value[row]) and np.isnan(value[last]))
                if same:
                    case = Case.DUPLICATE
                else:
                    flags[sound[row - 1]] |= Flag.REVISED
            found[row] = case
            return case

        suspect = np.zeros(len(event), bool)
        suspect[1:] = (event[1:] <= event[:-1]) | (avail[1:] < avail[:-1])
        accepted = follow(suspect, deque(maxlen=1), check)
        cases[sound] = found[1:]
        last = int(np.flatnonzero(accepted)[-1])
        self.event, self.avail, self.value = int(event[last]), int(avail[last]), float(value[last])
        revised = int(np.count_nonzero(flags & ~columns.flags & Flag.REVISED))
        return Verdict(cases, flags, noted=((Case.NEW_VINTAGE, revised),))

    def _plain(self, columns: ObservationColumns) -> rules.Cases:
        cases = np.zeros(len(columns), np.int8)
        old = plausible_references(columns.ts_event) & (columns.ts_event < 0)
        ancient = np.logical_or.accumulate(old) | self.ancient
        self.ancient = bool(ancient[-1]) if len(ancient) else self.ancient
        faults = [
            (
                ~plausible_references(columns.ts_event) | ((columns.ts_event == 0) & ~ancient),
                Case.TIME_RANGE,
            ),
            (np.isinf(columns.value), Case.NOT_FINITE),
            (columns.ts_event > columns.ts_recv + self.tolerance_ns, Case.FUTURE),
            (columns.ts_avail < columns.ts_event, Case.LOOK_AHEAD),
        ]
        if self.bounds is not None:
            low, high = self.bounds
            faults.append(((columns.value < low) | (columns.value > high), Case.OUT_OF_RANGE))
        for where, case in faults:
            cases[where & (cases == Case.NONE)] = case
        return cases
