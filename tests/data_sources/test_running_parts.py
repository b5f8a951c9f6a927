"""The parts by which a live source is run, each alone."""

from __future__ import annotations

import asyncio

import pytest
from feed_fakes import BTC, START, in_virtual_time, rng, trade

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND, VirtualClock
from mirrorcore.data_sources.running.duplicates import Remembered
from mirrorcore.data_sources.running.policy import ReconnectPolicy, SkewPolicy
from mirrorcore.data_sources.running.rate_limits import RateLimits, TokenBucket
from mirrorcore.data_sources.running.reconnect import Reconnect
from mirrorcore.data_sources.running.skew import SkewEstimator
from mirrorcore.data_sources.running.states import RunnerState, RunnerStepError, step
from mirrorcore.market.records import Bar, Observation


def delays(seed: int, count: int) -> list[int]:
    """Network delays: 20 ms and an exponential tail of 30 ms."""
    return [round((20 + 30 * x) * MILLISECOND) for x in rng(seed).standard_exponential(count)]


def fed(skew: SkewEstimator, values: list[int], start: int = 0, every: int = 10**7) -> int:
    for number, value in enumerate(values):
        skew.sample(value, start + number * every)
    return start + len(values) * every


def test_the_low_end_of_the_delays_bounds_the_offset() -> None:
    skew = SkewEstimator(SkewPolicy())
    assert skew.offset_ns is None
    fed(skew, [d - 1292 * MILLISECOND for d in delays(1, 20_000)])
    assert skew.offset_ns == pytest.approx(-1272 * MILLISECOND, abs=5 * MILLISECOND)
    assert skew.correction_ns == skew.offset_ns
    assert skew.alarms == 0


def test_a_late_source_is_not_believed_to_have_a_slow_clock_unless_its_server_says_so() -> None:
    skew = SkewEstimator(SkewPolicy())
    end = fed(skew, [d + 2 * SECOND for d in delays(2, 1000)])
    assert skew.offset_ns == pytest.approx(2020 * MILLISECOND, abs=5 * MILLISECOND)
    assert skew.correction_ns == 0
    # Sent at end, answered 80 ms later: the server's 2 s behind, as of the middle.
    skew.answer(end + 40 * MILLISECOND - 2 * SECOND, end, end + 80 * MILLISECOND)
    assert skew.offset_ns == skew.correction_ns == 2 * SECOND


def test_the_answer_with_the_shortest_way_counts() -> None:
    skew = SkewEstimator(SkewPolicy())
    # All of the delay on the way back: wrong by half the round trip.
    skew.answer(1000 * SECOND, 1000 * SECOND, 1000 * SECOND + 200 * MILLISECOND)
    assert skew.offset_ns == 100 * MILLISECOND
    later = 1060 * SECOND
    skew.answer(later, later, later + 10 * MILLISECOND)
    assert skew.offset_ns == 5 * MILLISECOND
    assert skew.alarms == 0


def test_an_answer_that_took_long_moves_no_time() -> None:
    """The first question of a connection waits until the venue's markets are loaded."""
    skew = SkewEstimator(SkewPolicy())
    end = fed(skew, [8 * MILLISECOND] * 100)
    skew.answer(end + 440 * MILLISECOND, end, end + 440 * MILLISECOND)
    assert skew.in_doubt
    assert (skew.offset_ns, skew.correction_ns) == (8 * MILLISECOND, 0)
    later = end + 5 * SECOND
    skew.answer(later + 5 * MILLISECOND, later, later + 10 * MILLISECOND)
    assert not skew.in_doubt
    assert skew.offset_ns == skew.correction_ns == 0


def test_a_clock_far_beyond_the_doubt_of_a_slow_answer_is_corrected() -> None:
    ahead, behind = SkewEstimator(SkewPolicy()), SkewEstimator(SkewPolicy())
    trip = 440 * MILLISECOND
    behind.answer(START - 2 * SECOND, START, START + trip)
    assert behind.correction_ns == 2 * SECOND + trip // 2
    # What the stream itself proves needs no answer, and one in doubt takes nothing from it.
    end = fed(ahead, [-150 * MILLISECOND] * 100)
    ahead.answer(end + trip, end, end + trip)
    assert ahead.correction_ns == -150 * MILLISECOND


def test_a_clock_that_jumps_ahead_is_an_alarm_and_a_lone_wrong_stamp_is_none() -> None:
    skew = SkewEstimator(SkewPolicy())
    end = fed(skew, delays(3, 1000))
    skew.sample(-3600 * SECOND, end)
    end = fed(skew, delays(4, 1000), end)
    assert skew.alarms == 0
    assert abs(skew.offset_ns or 0) < 100 * MILLISECOND
    fed(skew, [d - 400 * MILLISECOND for d in delays(5, 100)], end)
    assert skew.alarms == 1
    assert skew.offset_ns == pytest.approx(-380 * MILLISECOND, abs=10 * MILLISECOND)


def test_slow_first_records_are_no_clock_that_jumped() -> None:
    skew = SkewEstimator(SkewPolicy())
    end = fed(skew, [400 * MILLISECOND])
    fed(skew, delays(7, 1000), end)
    assert skew.alarms == 0
    assert skew.offset_ns == pytest.approx(20 * MILLISECOND, abs=5 * MILLISECOND)


def test_a_clock_that_falls_back_is_found_when_the_window_has_passed_or_the_server_is_asked() -> (
    None
):
    skew = SkewEstimator(SkewPolicy())
    end = fed(skew, delays(3, 6000))
    end = fed(skew, [d + 400 * MILLISECOND for d in delays(5, 6600)], end)
    assert skew.alarms == 1
    assert skew.offset_ns == pytest.approx(420 * MILLISECOND, abs=10 * MILLISECOND)

    asked = SkewEstimator(SkewPolicy())
    asked.answer(START, START, START)
    asked.answer(START + MINUTE - SECOND, START + MINUTE, START + MINUTE)
    assert asked.alarms == 1
    assert asked.offset_ns == SECOND


def test_a_clock_set_ahead_for_a_while_is_right_again_as_soon_as_the_server_is_asked() -> None:
    skew = SkewEstimator(SkewPolicy())
    skew.answer(START, START, START)
    end = fed(skew, delays(3, 1000), START)
    end = fed(skew, [d - 3500 * MILLISECOND for d in delays(5, 800)], end)
    assert skew.correction_ns == pytest.approx(-3480 * MILLISECOND, abs=10 * MILLISECOND)
    assert not skew.in_question
    end = fed(skew, delays(7, 10), end)
    assert skew.in_question
    skew.answer(end, end, end + 10 * MILLISECOND)
    assert skew.correction_ns == 0
    assert not skew.in_question
    assert skew.alarms == 2
    fed(skew, delays(8, 1000), end)
    assert skew.offset_ns == pytest.approx(5 * MILLISECOND, abs=5 * MILLISECOND)


def test_a_slow_network_puts_a_clock_in_question_and_the_server_clears_it() -> None:
    skew = SkewEstimator(SkewPolicy())
    skew.answer(START, START, START)
    end = fed(skew, delays(3, 1000), START)
    end = fed(skew, [d + 2 * SECOND for d in delays(5, 10)], end)
    assert skew.in_question
    skew.answer(end + 2 * SECOND, end, end + 4 * SECOND)
    assert not skew.in_question
    assert (skew.correction_ns, skew.alarms) == (0, 0)


def test_many_samples_cost_bounded_memory_and_keep_the_estimate() -> None:
    skew = SkewEstimator(SkewPolicy())
    fed(skew, [d - SECOND for d in delays(6, 100_000)], every=10_000)
    assert sum(len(bucket) for bucket in skew._buckets) <= 12 * 4097
    assert skew.offset_ns == pytest.approx(-980 * MILLISECOND, abs=5 * MILLISECOND)


def test_what_was_seen_is_known_again_until_it_is_forgotten() -> None:
    seen = Remembered(3)
    assert [seen.again(trade(n, 0), "trade") for n in (1, 2, 1, 3, 4)] == [False] * 2 + [
        True,
        False,
        False,
    ]
    assert len(seen) == 3
    assert not seen.again(trade(2, 0), "trade"), "the longest unseen is forgotten"
    assert not seen.again(trade(4, 0, symbol="ETH/USDT"), "trade"), "each symbol has its own ids"


def test_a_busy_symbol_does_not_push_out_what_is_known_of_a_quiet_one() -> None:
    seen = Remembered(1_000)
    assert not seen.again(trade(1, 0, symbol="ETH/USDT"), "trade")
    assert not any(seen.again(trade(n, 0), "trade") for n in range(1, 5_001))
    assert 900 < len(seen) <= 1_000
    assert seen.again(trade(1, 0, symbol="ETH/USDT"), "trade")
    assert seen.again(trade(4_200, 0), "trade")
    assert not seen.again(trade(3_000, 0), "trade")
    before = len(seen)
    seen.forget((BTC, "trade"))
    assert len(seen) == 1 < before
    assert not seen.again(trade(5_000, 0), "trade")


def test_the_same_period_with_another_value_is_a_revision_and_no_repetition() -> None:
    seen = Remembered(100)
    told = [
        Observation(
            source="s", symbol="*", ts_event=1, ts_recv=n, ts_avail=n, series="macro.x", value=v
        )
        for n, v in enumerate((1.0, 1.0, 2.0, 2.0, 1.0, None))
    ]
    assert [seen.again(one, "observation") for one in told] == [
        False, True, False, True, False, False,
    ]  # fmt: skip
    bars = [
        Bar(
            source="s", symbol=BTC, ts_event=1, ts_recv=2, ts_avail=2,
            open=1, high=2, low=1, close=close, volume=1,
        )
        for close in (1.5, 1.5, 1.6)
    ]  # fmt: skip
    assert [seen.again(one, "bar") for one in bars] == [False, True, False]


def test_a_breaker_is_closed_by_the_first_record_and_reopens_on_probation() -> None:
    reconnect = Reconnect(ReconnectPolicy(trip_after=2), rng())
    reconnect.failed(0)
    assert reconnect.breaker == "closed"
    first = reconnect.failed(0)
    assert reconnect.breaker == "open"
    assert 30 * SECOND <= first <= MINUTE
    reconnect.trying()
    assert reconnect.breaker == "half_open"
    second = reconnect.failed(0)
    assert reconnect.breaker == "open"
    assert MINUTE <= second <= 2 * MINUTE
    reconnect.trying()
    reconnect.heard(0)
    assert reconnect.breaker == "closed"
    # A connection that lived and broke is not fruitless.
    for now in range(10):
        reconnect.heard(now)
        reconnect.failed(now)
    assert reconnect.breaker == "closed"


def test_a_suspect_source_opens_its_breaker_at_the_next_failure() -> None:
    reconnect = Reconnect(ReconnectPolicy(), rng())
    reconnect.heard(0)
    reconnect.suspect()
    assert reconnect.failed(1) >= 30 * SECOND
    assert reconnect.breaker == "open"


def test_steps_that_make_no_sense_are_refused() -> None:
    with pytest.raises(RunnerStepError, match="'x' is failed and cannot become live"):
        step("x", RunnerState.FAILED, RunnerState.LIVE)
    assert step("x", RunnerState.STALE, RunnerState.LIVE) is RunnerState.LIVE


def test_requests_of_all_who_share_a_host_wait_for_one_bucket() -> None:
    async def main(time: VirtualClock) -> list[float]:
        limits = RateLimits(time)
        done: list[float] = []

        async def ask(weight: float) -> None:
            await limits.bucket("venue.example", capacity=10, per_second=2).take(weight)
            done.append((time.now() - START) / SECOND)

        await asyncio.gather(*(ask(5) for _ in range(4)), ask(1))
        assert limits.bucket("other.example") is not limits.bucket("venue.example")
        assert limits.bucket("venue.example", "me") is not limits.bucket("venue.example")
        return done

    assert in_virtual_time(main) == pytest.approx([0, 0, 2.5, 5.0, 5.5], abs=1e-6)


def test_the_strictest_of_those_who_share_a_host_is_kept_whoever_asks_first() -> None:
    async def main(time: VirtualClock) -> list[float]:
        limits = RateLimits(time)
        lax = limits.bucket("venue.example", capacity=10, per_second=2)
        await lax.take(4)
        strict = limits.bucket("venue.example", capacity=2, per_second=0.5)
        assert strict is lax
        assert limits.bucket("venue.example", capacity=50, per_second=9) is lax
        done = []
        for _ in range(3):
            await lax.take(2)
            done.append((time.now() - START) / SECOND)
        return done

    assert in_virtual_time(main) == pytest.approx([0, 4, 8], abs=1e-6)


def test_a_bucket_waits_as_long_as_the_server_asked() -> None:
    async def main(time: VirtualClock) -> tuple[float, int]:
        bucket = TokenBucket(time, capacity=10, per_second=1)
        bucket.close_for(7 * SECOND)
        await bucket.take()
        return (time.now() - START) / SECOND, bucket.waited_ns

    seconds, waited = in_virtual_time(main)
    assert seconds == pytest.approx(7)
    assert waited == pytest.approx(7 * SECOND)


def test_more_than_a_full_bucket_leaves_it_in_debt() -> None:
    async def main(time: VirtualClock) -> float:
        bucket = TokenBucket(time, capacity=10, per_second=1)
        await bucket.take(15)
        await bucket.take(1)
        return (time.now() - START) / SECOND

    assert in_virtual_time(main) == pytest.approx(6)


@pytest.mark.parametrize(("capacity", "per_second"), [(0, 1), (1, 0), (-1, 1)])
def test_a_bucket_that_never_fills_is_refused(capacity: float, per_second: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        TokenBucket(VirtualClock(), capacity=capacity, per_second=per_second)
