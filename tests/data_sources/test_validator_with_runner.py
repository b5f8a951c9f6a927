"""What a runner passes on is what the validator takes: nothing refused, nothing told twice."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorcore import clock
from mirrorcore.data_sources.live import SourceSpec
from mirrorcore.data_sources.running.intake import Intake, OpenGap
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Flag, GapRecord, Trade
from mirrorcore.market.validator import MarketDataProcessor

START = 1_700_000_000 * clock.SECOND
AHEAD = 1_270 * clock.MILLISECOND
SPEC = SourceSpec(
    name="venue",
    category="technical",
    kinds=("trade",),
    symbols=("BTC/USDT",),
    cadence_ns=clock.SECOND,
    stale_after_ns=10 * clock.SECOND,
    contiguous=("trade",),
)


def trade(number: int, **more: Any) -> Trade:
    """Printed by a venue whose clock is ahead of ours."""
    at = START + number * clock.SECOND
    fields: dict[str, Any] = {
        "source": "venue",
        "symbol": "BTC/USDT",
        "ts_event": at + AHEAD,
        "ts_recv": at,
        "ts_avail": at,
        "seq": number,
        "price": 100.0 + number % 3,
        "quantity": 1.0,
    }
    return Trade(**{**fields, **more})


def test_a_gap_the_runner_filled_is_none_for_the_validator() -> None:
    gaps: list[OpenGap] = []
    time = clock.VirtualClock(START)
    intake = Intake(SPEC, time, RunnerPolicy(), gaps.append)
    intake.connected(0)
    processor = MarketDataProcessor(contiguous=("venue",))
    usable: list[Any] = []

    def hear(*numbers: int) -> None:
        for number in numbers:
            time.advance_to(START + number * clock.SECOND)
            intake.receive(trade(number))
            usable.extend(processor.validate(intake.outbox.take(time.now())))

    hear(*range(1, 50), 53, 54)
    (gap,) = gaps
    for number in (50, 51, 52):
        intake.admit(gap, trade(number, ts_recv=time.now(), ts_avail=time.now()))
    assert intake.complete(gap)
    intake.close(gap, filled=True)
    hear(55, 56)
    assert [r.seq for r in usable if isinstance(r, Trade)] == list(range(1, 57))
    (told,) = [r for r in usable if isinstance(r, GapRecord)]
    assert told.filled
    report = processor.report
    assert {case for _, case in report.counts} <= {Case.STALE_FEED}
    assert all(r.flags & Flag.SKEW_CORRECTED for r in usable if isinstance(r, Trade))
    assert all(abs(r.ts_event - r.ts_recv) < AHEAD for r in usable[:40])


def test_a_gap_the_runner_could_not_fill_is_told_once() -> None:
    time = clock.VirtualClock(START)
    intake = Intake(SPEC, time, RunnerPolicy(), None)
    intake.connected(0)
    processor = MarketDataProcessor(contiguous=("venue",))
    usable: list[Any] = []
    for number in (1, 2, 6, 7):
        time.advance_to(START + number * clock.SECOND)
        intake.receive(trade(number))
        usable.extend(processor.validate(intake.outbox.take(time.now())))
    assert [type(r).__name__ for r in usable] == ["Trade", "Trade", "GapRecord", "Trade", "Trade"]
    assert processor.report.counts == {("venue", Case.SEQUENCE_GAP): 1}


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_venue_that_comes_back_and_counts_anew_is_believed(batch: int) -> None:
    """Its numbers run through the same range once more, and are other trades at other prices."""
    time = clock.VirtualClock(START)
    intake = Intake(SPEC, time, RunnerPolicy(), None)
    intake.connected(0)
    processor = MarketDataProcessor(contiguous=("venue",))
    usable: list[Any] = []

    def hear(numbers: range, later: int, **more: Any) -> None:
        for count, number in enumerate(numbers):
            at = START + (later + count) * clock.SECOND
            time.advance_to(at)
            moved = {"ts_event": at + AHEAD, "ts_recv": at, "ts_avail": at}
            intake.receive(trade(number, **moved, **more))
            if count % batch == batch - 1:
                take()
        take()

    def take() -> None:
        usable.extend(processor.validate(intake.outbox.take(time.now())))

    hear(range(1000, 1100), 0)
    intake.lost("the venue went away")
    intake.connected(1)
    intake.back()
    hear(range(990, 1130), 300, epoch=1, price=104.5)
    trades = [r for r in usable if isinstance(r, Trade)]
    assert [r.seq for r in trades] == [*range(1000, 1100), *range(990, 1130)]
    assert [r.reason for r in usable if isinstance(r, GapRecord)] == ["renumbered"]
    told = {case for _, case in processor.report.counts}
    assert not told & {Case.REVISED, Case.REPLAYED, Case.DUPLICATE, Case.SEQUENCE_GAP}
