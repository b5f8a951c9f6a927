"""One source run: nothing lost, nothing twice, silence told, failures counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from feed_fakes import BTC, START, Tape, in_virtual_time, quote, rng, spec, trade
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock
from mirrorcore.data_sources.live import Cursor, SourceError
from mirrorcore.data_sources.running import RunnerPolicy, RunnerState, SourceHealth, SourceRunner
from mirrorcore.data_sources.running.policy import ReconnectPolicy
from mirrorcore.market.records import FeedRecord, Flag, GapRecord, Status, Trade


async def run_for(runner: SourceRunner, seconds: float) -> tuple[list[FeedRecord], SourceHealth]:
    """Everything a runner passes on in so many virtual seconds, and its health then."""
    task = asyncio.create_task(runner.run())
    await asyncio.wait([task], timeout=seconds)
    taken, health = list(await runner.collect()), runner.health()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return taken, health


def run_tape(seconds: float = 60, **settings: Any) -> tuple[list[FeedRecord], SourceHealth, Tape]:
    async def main(time: VirtualClock) -> tuple[list[FeedRecord], SourceHealth, Tape]:
        tape = Tape(time, **settings)
        taken, health = await run_for(SourceRunner(tape, clock=time, rng=rng()), seconds)
        return taken, health, tape

    found: tuple[list[FeedRecord], SourceHealth, Tape] = in_virtual_time(main)
    return found


def numbers(records: Sequence[FeedRecord]) -> list[int]:
    return [record.seq for record in records if isinstance(record, Trade)]


def states(records: Sequence[FeedRecord], symbol: str) -> list[str]:
    return [r.state for r in records if isinstance(r, Status) and r.symbol == symbol]


def test_a_quiet_life_passes_everything_on_unchanged() -> None:
    taken, health, tape = run_tape(20.5)
    assert taken == [trade(n, n * SECOND) for n in range(1, 21)]
    assert health.state is RunnerState.LIVE
    assert health.ok
    assert health.records == {"trade": 20}
    assert not health.faults
    assert health.connections == 1
    assert tape.closed


def test_what_was_missed_while_away_is_asked_for_and_comes_in_order() -> None:
    taken, health, _ = run_tape(outages=[(10.5, 14.5)])
    assert numbers(taken) == list(range(1, 60))
    late = [r for r in taken if isinstance(r, Trade) and r.flags & Flag.BACKFILL]
    assert [r.seq for r in late][:3] == [11, 12, 13]
    assert all(r.flags & Flag.AFTER_GAP for r in late)
    assert all(r.ts_avail > r.ts_event for r in late), "what came late was not known before"
    gap = next(r for r in taken if isinstance(r, GapRecord))
    assert gap.filled
    assert gap.reason == "reconnect"
    assert gap.start == START + 10 * SECOND
    assert health.gaps == {"reconnect": 1}
    assert (health.filled, health.unfilled, health.reconnects) == (1, 0, 1)
    assert health.faults["connection"] >= 1
    assert health.backfilled == len(late)
    # Down is told once, live only when what was missing is there.
    assert states(taken, "*") == ["down", "live"]
    live = next(r for r in taken if isinstance(r, Status) and r.state == "live")
    assert live.ts_avail >= max(r.ts_avail for r in late)
    assert {r.epoch for r in late} == {1}


def test_a_skipped_number_is_asked_for_though_the_connection_stands() -> None:
    taken, health, _ = run_tape(skips=[7, 8, 30])
    assert numbers(taken) == list(range(1, 60))
    assert health.gaps == {"sequence": 2}
    assert health.filled == 2
    assert health.reconnects == 0
    assert states(taken, BTC) == ["stale", "live"] * 2
    after = {r.seq for r in taken if isinstance(r, Trade) and r.flags & Flag.AFTER_GAP}
    assert after == {7, 8, 9, 30, 31}


def test_a_backfill_that_fails_is_tried_again_and_trades_wait_for_it() -> None:
    taken, health, tape = run_tape(skips=[7], sick=3)
    assert numbers(taken) == list(range(1, 60))
    assert health.faults == {"rate_limited": 3}
    assert len(tape.asked) == 4
    seven = next(r for r in taken if r.seq == 7 and isinstance(r, Trade))
    assert seven.ts_avail >= START + 11 * SECOND, "three waits of at least the second asked for"


def test_a_backfill_that_never_comes_is_given_up_and_said_so() -> None:
    taken, health, _ = run_tape(seconds=400, skips=[7], sick=10**6, trades=300)
    assert numbers(taken) == [n for n in range(1, 301) if n != 7]
    (gap,) = (r for r in taken if isinstance(r, GapRecord))
    assert not gap.filled
    assert (gap.start, gap.end) == (START + 6 * SECOND, START + 8 * SECOND + 1)
    assert health.unfilled == 1


def test_what_a_new_connection_repeats_is_dropped() -> None:
    taken, health, _ = run_tape(outages=[(10.5, 14.5)], replay=12)
    assert numbers(taken) == list(range(1, 60))
    assert health.replayed > 0


@settings(max_examples=25, deadline=None)
@example(outages=[(2.5, 3.5), (6.5, 7.5)], skips=[], sick=1, replay=3)
@given(
    outages=st.lists(
        st.tuples(st.integers(2, 80), st.integers(1, 9)).map(
            lambda one: (one[0] + 0.5, one[0] + one[1] + 0.5)
        ),
        max_size=3,
    ),
    skips=st.lists(st.integers(2, 80), max_size=6),
    sick=st.integers(0, 3),
    replay=st.integers(0, 20),
)
def test_no_trade_is_lost_twice_or_out_of_order(
    outages: list[tuple[float, float]], skips: list[int], sick: int, replay: int
) -> None:
    taken, health, _ = run_tape(
        seconds=300, outages=outages, skips=skips, sick=sick, replay=replay, trades=200
    )
    assert numbers(taken) == list(range(1, 201))
    order = [(r.ts_avail, r.seq) for r in taken]
    assert order == sorted(order)
    assert health.unfilled == 0


@pytest.mark.parametrize("late", [1, 3, 8])
@pytest.mark.parametrize("sick", [0, 2])
def test_trades_between_a_backfill_and_a_late_subscription_are_asked_for(
    late: int, sick: int
) -> None:
    # Nothing is numbered without holes: no skipped number tells that trades are missing.
    taken, health, _ = run_tape(
        seconds=300, outages=[(20.5, 31.5)], late=late, sick=sick, contiguous=(), sparse=True
    )
    assert numbers(taken) == list(range(1, 101))
    assert health.unfilled == 0


def test_a_subscription_in_time_is_not_asked_about_again() -> None:
    taken, health, tape = run_tape(seconds=300, outages=[(20.5, 31.5)], contiguous=(), sparse=True)
    assert numbers(taken) == list(range(1, 101))
    assert len(tape.asked) == 1
    assert health.gaps == {"reconnect": 1}


def test_the_same_seed_gives_the_same_run() -> None:
    once, twice = (run_tape(outages=[(10.5, 20.5)], skips=[30])[0] for _ in range(2))
    assert once == twice


class Script:
    """A stream that does what a function of the time says."""

    def __init__(self, body: Any, **changes: Any) -> None:
        self.spec = spec(**changes)
        self.streams = 0
        self._body = body

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        self.streams += 1
        async for record in self._body(self.streams):
            yield record

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        for record in ():
            yield record

    async def aclose(self) -> None:
        return


def run_script(
    body: Any, seconds: float, policy: RunnerPolicy | None = None, **changes: Any
) -> tuple[list[FeedRecord], SourceHealth, Script]:
    async def main(time: VirtualClock) -> tuple[list[FeedRecord], SourceHealth, Script]:
        script = Script(lambda n: body(time, n), **changes)
        runner = SourceRunner(script, clock=time, rng=rng(), policy=policy)
        return (*(await run_for(runner, seconds)), script)

    found: tuple[list[FeedRecord], SourceHealth, Script] = in_virtual_time(main)
    return found


def test_a_permanent_error_ends_it_for_good() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        raise SourceError("the key is wrong", permanent=True)
        yield

    taken, health, script = run_script(body, 1000)
    assert script.streams == 1
    assert health.state is RunnerState.FAILED
    assert health.reason == "the key is wrong"
    assert states(taken, "*") == ["down"]


def test_attempts_that_bring_nothing_open_the_breaker() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        if n < 8:
            raise SourceError("refused")
        yield trade(1, time.now() - START)
        await asyncio.sleep(10**6)

    _, health, script = run_script(body, 40)
    assert health.state is RunnerState.OPEN
    assert health.breaker == "open"
    assert script.streams == 5
    _, health, script = run_script(body, 2000)
    assert script.streams >= 8
    assert health.breaker == "closed"


def test_a_crash_in_a_source_is_its_own_affair_and_counted() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        yield trade(n, time.now() - START)
        raise KeyError("T")

    _, health, script = run_script(body, 60)
    assert health.faults["crash"] >= 2
    assert script.streams >= 3


def test_the_wait_a_server_asks_for_is_kept() -> None:
    times: list[int] = []

    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        times.append(time.now() - START)
        raise SourceError("429", retry_after_ns=20 * SECOND, case="rate_limited")
        yield

    _, health, _ = run_script(body, 50)
    assert times == [0, 20 * SECOND, 40 * SECOND]
    assert health.faults == {"rate_limited": 3}


def test_back_off_grows_to_its_cap_and_falls_after_a_healthy_minute() -> None:
    policy = RunnerPolicy(reconnect=ReconnectPolicy(trip_after=10**6))
    waits: list[int] = []
    ended = [START]

    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        waits.append(time.now() - ended[0])
        if n == 30:
            yield trade(1, time.now() - START)
            await asyncio.sleep(61)
        ended[0] = time.now()
        raise SourceError("no")
        yield

    run_script(body, 3600, policy, stale_after_ns=clock.HOUR)
    assert max(waits) <= 30 * SECOND
    assert max(waits[1:4]) <= 2 * SECOND
    assert max(waits[10:30]) > 15 * SECOND
    assert waits[30] <= 500 * MILLISECOND


def test_silence_is_told_once_and_so_is_its_end() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        yield trade(1, time.now() - START)
        await asyncio.sleep(15)
        yield trade(2, time.now() - START)
        await asyncio.sleep(5)
        yield trade(3, time.now() - START)
        await asyncio.sleep(1000)

    taken, health, script = run_script(body, 24)
    told = [(r.state, r.ts_avail - START) for r in taken if isinstance(r, Status)]
    assert [state for state, _ in told] == ["stale", "live"]
    assert 10 * SECOND < told[0][1] < 10.1 * SECOND
    assert told[1][1] == 15 * SECOND
    assert health.state is RunnerState.LIVE
    assert health.stale == 1
    assert script.streams == 1


def test_a_connection_that_is_silent_for_long_is_made_anew() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        yield trade(n, time.now() - START)
        await asyncio.sleep(10**6)

    taken, health, script = run_script(body, 100)
    assert health.faults["silent"] >= 2
    assert script.streams >= 3
    assert states(taken, BTC)[:2] == ["stale", "live"]


def test_old_news_ends_no_silence() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        for second in range(1000):
            at = time.now() - START
            yield quote(at if second < 5 else 5 * SECOND, 100.0)
            await asyncio.sleep(1)

    taken, health, _ = run_script(body, 18, kinds=("quote",))
    assert states(taken, BTC) == ["stale"]
    assert health.state is RunnerState.STALE
    assert health.stale_symbols == (BTC,)


def test_a_closed_market_is_silent_without_fault() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        yield trade(1, time.now() - START)
        at = time.now()
        yield Status(
            source="venue", symbol="*", ts_event=at, ts_recv=at, ts_avail=at,
            state="closed", reason="night",
        )  # fmt: skip
        await asyncio.sleep(500)
        yield trade(2, time.now() - START)
        await asyncio.sleep(5)

    taken, health, script = run_script(body, 504)
    assert states(taken, BTC) == []
    assert health.stale == 0
    assert script.streams == 1


def test_a_slow_consumer_gets_the_latest_quote_and_is_told_of_lost_trades() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        for number in range(1, 31):
            yield trade(number, time.now() - START)
            yield quote(time.now() - START, 100.0 + number)
            await asyncio.sleep(1)
        await asyncio.sleep(10**6)

    taken, health, _ = run_script(body, 30, RunnerPolicy(kept=10))
    assert [r.bid for r in taken if not isinstance(r, Trade | GapRecord | Status)] == [130.0]
    assert numbers(taken) == list(range(21, 31))
    (gap,) = (r for r in taken if isinstance(r, GapRecord))
    assert gap.reason == "the consumer was too slow"
    assert (gap.start - START, gap.end - START) == (0, 19 * SECOND + 1)
    assert (health.conflated, health.dropped) == (29, 20)


def test_numbers_that_begin_anew_are_no_repetition() -> None:
    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        for number in (101, 102, 1, 2, 3):
            yield trade(number, time.now() - START)
            await asyncio.sleep(1)
        await asyncio.sleep(10**6)

    taken, health, _ = run_script(body, 8)
    assert numbers(taken) == [101, 102, 1, 2, 3]
    assert health.gaps == {"renumbered": 1}


def test_a_source_ahead_of_us_is_corrected_and_flagged() -> None:
    ahead = 1270 * MILLISECOND

    async def body(time: VirtualClock, n: int) -> AsyncIterator[FeedRecord]:
        for number in range(1, 400):
            at = time.now() - START
            yield trade(number, at + ahead - 5 * MILLISECOND, received=at)
            await asyncio.sleep(0.1)

    taken, health, _ = run_script(body, 30)
    assert health.skew_ns == pytest.approx(-1265 * MILLISECOND, abs=10 * MILLISECOND)
    trades = [r for r in taken if isinstance(r, Trade)]
    assert all(r.flags & Flag.SKEW_CORRECTED for r in trades)
    assert all(r.ts_event <= r.ts_recv for r in trades)
    assert not health.stale


class Timed(Script):
    """One whose clock is ahead of ours from 20 to 28 s, and that can be asked for it."""

    def __init__(self, body: Any, time: VirtualClock) -> None:
        super().__init__(body)
        self.asked: list[float] = []
        self._time = time

    def ahead(self) -> int:
        return 3500 * MILLISECOND if 20 <= (self._time.now() - START) / SECOND < 28 else 0

    async def server_time(self) -> int:
        self.asked.append((self._time.now() - START) / SECOND)
        return self._time.now() + self.ahead()


def test_a_clock_that_was_ahead_for_a_while_is_believed_again_within_seconds() -> None:
    async def main(time: VirtualClock) -> tuple[list[FeedRecord], SourceHealth, Timed]:
        async def body(_: int) -> AsyncIterator[FeedRecord]:
            for number in range(1, 600):
                at = time.now() - START
                yield trade(number, at + source.ahead() - 5 * MILLISECOND, received=at)
                await asyncio.sleep(0.1)

        source = Timed(body, time)
        runner = SourceRunner(source, clock=time, rng=rng())
        return (*(await run_for(runner, 55)), source)

    taken, health, source = in_virtual_time(main)
    assert len(source.asked) == 2, "at the start, and when all came later than before"
    assert 28 < source.asked[1] <= 34
    wrong = [
        (r.ts_recv - START) / SECOND
        for r in taken
        if isinstance(r, Trade) and abs(r.ts_recv - r.ts_event) > SECOND
    ]
    assert min(wrong) >= 20
    assert max(wrong) <= source.asked[1]
    assert health.skew_alarms == 2
    assert health.skew_ns == pytest.approx(5 * MILLISECOND, abs=5 * MILLISECOND)


class Poll:
    """A service asked once a minute; ``answers`` are records, errors, or seconds to sleep."""

    def __init__(self, time: VirtualClock, answers: list[Any]) -> None:
        self.spec = spec(
            "poll", kinds=("trade",), cadence_ns=clock.MINUTE, stale_after_ns=150 * SECOND
        )
        self.name = "poll"
        self.asked: list[int] = []
        self._time = time
        self._answers = answers

    async def collect(self) -> Sequence[FeedRecord]:
        self.asked.append(self._time.now() - START)
        answer = self._answers.pop(0) if self._answers else []
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            await asyncio.sleep(answer)
            return []
        assert isinstance(answer, list)
        return answer

    async def aclose(self) -> None:
        return


def run_poll(answers: list[Any], seconds: float) -> tuple[list[FeedRecord], SourceHealth, Poll]:
    async def main(time: VirtualClock) -> tuple[list[FeedRecord], SourceHealth, Poll]:
        poll = Poll(time, answers)
        runner = SourceRunner(poll, clock=time, rng=rng())
        return (*(await run_for(runner, seconds)), poll)

    found: tuple[list[FeedRecord], SourceHealth, Poll] = in_virtual_time(main)
    return found


def test_a_polled_source_is_asked_once_a_cadence_and_answers_count_as_life() -> None:
    taken, health, poll = run_poll([[trade(1, 0)], [], [trade(1, 0), trade(2, SECOND)]], 601)
    assert poll.asked == [n * clock.MINUTE for n in range(11)]
    assert numbers(taken) == [1, 2]
    assert health.stale == 0
    assert health.replayed == 1


def test_a_polled_source_that_fails_or_hangs_is_backed_off_and_told_stale() -> None:
    failures = [SourceError("502"), 10**6, SourceError("502"), SourceError("502"), 10**6]
    taken, health, _ = run_poll([[trade(1, 0)], *failures], 600)
    assert health.faults == {"connection": 3, "timeout": 2}
    assert states(taken, "*") == ["down", "live"]
    assert health.state is RunnerState.LIVE
