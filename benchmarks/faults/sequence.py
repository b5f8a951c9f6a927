"""What comes in the wrong order, twice, late, too early or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.faults.harness import (
    PLACES,
    Clean,
    Generator,
    Outcome,
    changed,
    compared,
    first_bars,
    injects,
    intake,
    pick,
    places,
    processor_for,
    recorded,
    tried,
)
from mirrorcore import clock
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.intake import Case
from mirrorcore.market.records import (
    Bar,
    Flag,
    Observation,
    Trade,
)

_TIMES = re.compile(rb'("[ET]":)(\d{13})')


@injects(7)
def bars_from_the_past(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    old = {bar.ts_event: bars[i - 100] for i, bar in enumerate(bars) if i >= 100}

    def how(bar: Bar) -> Sequence[Bar]:
        return changed(bar, ts_event=old[bar.ts_event].ts_event), bar

    return tried(bars, places(rng, len(bars)), how, (Case.OUT_OF_ORDER,), clean)


@injects(7)
def trades_swapped_in_a_batch(clean: Clean, rng: Generator) -> Outcome:
    trades = list(clean.trades)
    at = [i // 256 * 256 + 17 for i in places(rng, len(trades), most=8)]
    at = [i for i in dict.fromkeys(at) if i + 1 < len(trades)]
    for i in at:
        trades[i], trades[i + 1] = trades[i + 1], trades[i]
    before = intake(clean.trades, clean)
    return compared(before, intake(trades, clean), (Case.REORDERED,), len(at))


@injects(7)
def trades_far_too_late(clean: Clean, rng: Generator) -> Outcome:
    """A trade comes 300 trades after its turn: a gap, and then one that fills it."""
    trades = list(clean.trades)
    at = places(rng, len(trades) - 400, most=4)
    for i in reversed(at):
        trades.insert(i + 300, trades.pop(i))
    before = intake(clean.trades, clean)
    return compared(before, intake(trades, clean), (Case.LATE,), len(at))


@injects(8)
def bars_twice(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), lambda b: (b, b), (Case.DUPLICATE,), clean)


@injects(8)
def trades_twice(clean: Clean, rng: Generator) -> Outcome:
    at = places(rng, len(clean.trades))
    return tried(clean.trades, at, lambda t: (t, t), (Case.DUPLICATE,), clean)


@injects(8)
def quotes_twice(clean: Clean, rng: Generator) -> Outcome:
    at = places(rng, len(clean.quotes))
    return tried(clean.quotes, at, lambda q: (q, q), (Case.DUPLICATE,), clean)


@injects(8)
def transfers_twice(clean: Clean, rng: Generator) -> Outcome:
    at = places(rng, len(clean.transfers), first=1, most=4)
    return tried(clean.transfers, at, lambda t: (t, t), (Case.DUPLICATE,), clean)


@injects(9)
def bars_told_differently(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return bar, changed(bar, volume=bar.volume + 1.0)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.REVISED,), clean)


@injects(9)
def bars_not_final(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return changed(bar, flags=int(Flag.PROVISIONAL), volume=bar.volume / 2), bar

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.PROVISIONAL,), clean)


@injects(9)
def trades_told_differently(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return trade, changed(trade, quantity=trade.quantity * 2)

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.REVISED,), clean)


@injects(10)
def feeds_gone_silent(clean: Clean, rng: Generator) -> Outcome:
    """All symbols but one go on; the one is asked for four bars later."""
    outcome = Outcome()
    for symbol in clean.bars:
        processor = processor_for([b for bars in clean.bars.values() for b in bars[:1]], clean)
        last = int(rng.integers(50, 100))
        for i in range(last + 5):
            batch = [
                b[i] for s, b in clean.bars.items() if i < len(b) and (s != symbol or i < last)
            ]
            now = max(bar.ts_avail for bar in batch)
            processor.validate(batch)
            processor.stale(now)
        outcome += Outcome(1, processor.report.counts.get(("clean", Case.STALE_FEED), 0))
    return outcome


@injects(11)
def prices_frozen(clean: Clean, rng: Generator) -> Outcome:
    """One symbol repeats its bar for 60 bars while the others move."""
    outcome = Outcome()
    for symbol in clean.bars:
        length = min(len(bars) for bars in clean.bars.values())
        start = int(rng.integers(100, length - 100))
        frozen = {s: list(bars[:length]) for s, bars in clean.bars.items()}
        still = frozen[symbol][start]
        for i in range(start + 1, start + 61):
            bar = frozen[symbol][i]
            frozen[symbol][i] = changed(
                still, ts_event=bar.ts_event, ts_recv=bar.ts_recv, ts_avail=bar.ts_avail
            )
        reports = []
        for version in (clean.bars, frozen):
            processor = processor_for([bars[0] for bars in version.values()], clean)
            processor.judge({s: BarColumns.of(bars[:length]) for s, bars in version.items()})
            reports.append(processor.report)
        outcome += compared(reports[0], reports[1], (Case.STALE_VALUE,), 1)
    return outcome


@injects(12)
def trades_of_the_future(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, ts_event=trade.ts_recv + clock.MINUTE), trade

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.FUTURE,), clean)


@injects(12)
def bars_of_the_future(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return changed(bar, ts_recv=bar.ts_event - clock.HOUR), bar

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.FUTURE,), clean)


@injects(12)
def clock_of_the_venue_jumps(clean: Clean, rng: Generator) -> Outcome:
    """From some message on the venue's times are two seconds later."""
    at = int(rng.integers(len(clean.lines) // 4, len(clean.lines) // 2))

    def later(line: bytes) -> bytes:
        return _TIMES.sub(lambda m: m[1] + str(int(m[2]) + 2000).encode(), line)

    jumped = [*clean.lines[:at], *(later(line) for line in clean.lines[at:])]
    return compared(recorded(clean.lines), recorded(jumped), (Case.SKEW_JUMP,), 1)


@injects(13)
def times_in_another_unit(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        unit = pick(rng, clock.SECOND, clock.MILLISECOND, clock.MICROSECOND)
        return changed(bar, ts_event=pick(rng, bar.ts_event // unit, 0)), bar

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.TIME_RANGE,), clean)


@injects(13)
def trade_times_in_another_unit(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, ts_event=trade.ts_event // clock.MILLISECOND), trade

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.TIME_RANGE,), clean)


@injects(14)
def files_in_another_time_zone(clean: Clean, rng: Generator) -> Outcome:
    """The whole file a few hours off, three times: at least one bar lies in the weekend."""
    outcome = Outcome()
    for hours in rng.choice([-12, -9, -7, -5, -4, 2, 3, 5, 8, 12], 3, replace=False).tolist():
        shift = hours * clock.HOUR
        moved = [
            changed(
                bar,
                ts_event=bar.ts_event + shift,
                ts_recv=bar.ts_recv + shift,
                ts_avail=bar.ts_avail + shift,
            )
            for bar in clean.weekly
        ]
        reports = [
            intake(bars, clean, hours="24/5", bar_ns=_spacing(bars))
            for bars in (clean.weekly, moved)
        ]
        outcome += compared(reports[0], reports[1], (Case.MARKET_CLOSED,), 1)
    return outcome


def _spacing(bars: Sequence[Bar]) -> int:
    return bars[0].ts_avail - bars[0].ts_event


@injects(15)
def bars_missing(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), lambda _: (), (Case.GAP,), clean)


@injects(16)
def sparse_bars_missing(clean: Clean, rng: Generator) -> Outcome:
    """Where the neighbours are there, so that there is one hole more; it is no gap."""
    bars = clean.sparse
    step = _spacing(bars)
    at = [
        i
        for i in places(rng, len(bars), most=4 * PLACES)
        if bars[i + 1].ts_event - bars[i - 1].ts_event == 2 * step
    ][:PLACES]
    options = {"sparse": True, "bar_ns": step}
    return tried(bars, at, lambda _: (), (Case.SPARSE_HOLE,), clean, **options)


@injects(29)
def revised_values(clean: Clean, rng: Generator) -> Outcome:
    def how(one: Observation) -> Sequence[Observation]:
        value = (one.value or 0.0) + 0.25
        later = one.ts_avail + 1
        return one, changed(one, value=value, ts_avail=later, ts_recv=later)

    at = places(rng, len(clean.series), first=1)
    return tried(clean.series, at, how, (Case.NEW_VINTAGE,), clean)


@injects(30)
def bars_available_too_early(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return changed(bar, ts_avail=bar.ts_event + 1), bar

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.LOOK_AHEAD,), clean)


@injects(30)
def values_available_too_early(clean: Clean, rng: Generator) -> Outcome:
    def how(one: Observation) -> Sequence[Observation]:
        return changed(one, ts_avail=one.ts_event - clock.DAY), one

    at = places(rng, len(clean.series), first=1)
    return tried(clean.series, at, how, (Case.LOOK_AHEAD,), clean)


@injects(30)
def trades_available_too_early(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, ts_avail=trade.ts_recv - 1), trade

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.LOOK_AHEAD,), clean)


@injects(34)
def own_clock_back(clean: Clean, rng: Generator) -> Outcome:
    """From some trade on everything is received three seconds earlier by our clock."""
    outcome = Outcome()
    before = intake(clean.trades, clean)
    for at in places(rng, len(clean.trades), most=4):
        step = 3 * clock.SECOND
        stepped = [
            changed(t, ts_recv=t.ts_recv - step, ts_avail=t.ts_avail - step) if i >= at else t
            for i, t in enumerate(clean.trades)
        ]
        outcome += compared(before, intake(stepped, clean), (Case.CLOCK_JUMP,), 1)
    return outcome


@injects(35)
def replayed_after_reconnect(clean: Clean, rng: Generator) -> Outcome:
    """A new connection begins with the last 20 trades of the old one."""
    outcome = Outcome()
    before = intake(clean.trades, clean)
    for at in places(rng, len(clean.trades), most=3):
        again = [changed(t, epoch=1) for t in clean.trades[at - 20 :]]
        version = [*clean.trades[:at], *again]
        outcome += compared(before, intake(version, clean), (Case.REPLAYED,), 20)
    return outcome
