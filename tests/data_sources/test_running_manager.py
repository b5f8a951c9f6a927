"""Several live sources at once: batches closed by the clock, and prices compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from feed_fakes import BTC, START, Tape, in_virtual_time, quote, rng, spec, trade

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock
from mirrorcore.data_sources import DataSourceManager
from mirrorcore.data_sources.live import Cursor, SourceError
from mirrorcore.data_sources.running import RunnerState
from mirrorcore.data_sources.running.merging import Batch
from mirrorcore.data_sources.running.price_check import PriceCheck
from mirrorcore.errors import UsageError
from mirrorcore.market.records import FeedRecord, Observation, Status, Trade


async def some(manager: DataSourceManager, count: int, every: int = SECOND) -> list[Batch]:
    found: list[Batch] = []
    async with manager:
        stream = manager.batches(every)
        while len(found) < count:
            found.append(await anext(stream))
        await stream.aclose()  # type: ignore[attr-defined]
    return found


class Broken:
    """A source with a defect that no runner can foresee: its description cannot be read."""

    def __init__(self) -> None:
        self.spec = spec("broken")

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        await asyncio.sleep(2.5)
        raise SourceError("gone for good", permanent=True)
        yield

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        raise SourceError("no")
        yield

    async def aclose(self) -> None:
        raise RuntimeError("cannot even close")


def test_a_batch_holds_what_became_available_since_the_last() -> None:
    async def main(time: VirtualClock) -> list[Batch]:
        return await some(
            DataSourceManager(
                {"price": [Tape(time, name="a"), Tape(time, name="b")]}, time=time, rng=rng()
            ),
            4,
            every=2 * SECOND,
        )

    batches = in_virtual_time(main)
    assert [b.closed_at - START for b in batches] == [n * 2 * SECOND for n in (1, 2, 3, 4)]
    seen: list[int] = []
    closed = 0
    for batch in batches:
        assert all(closed < r.ts_avail <= batch.closed_at for r in batch.records)
        closed = batch.closed_at
        seen += [r.seq for r in batch.records]
    # Each trade once from each of the two sources, in order of time; at one instant by rank.
    assert seen == [n for n in range(1, 9) for _ in "ab"][: len(seen)]
    assert len(seen) >= 14


def test_one_that_fails_hurts_nobody_and_says_so() -> None:
    async def main(time: VirtualClock) -> tuple[list[Batch], Any]:
        manager = DataSourceManager(
            {"price": [Broken(), Tape(time, name="good")]}, time=time, rng=rng()
        )
        batches = await some(manager, 6)
        return batches, manager.health()

    batches, health = in_virtual_time(main)
    assert sum(isinstance(r, Trade) for b in batches for r in b.records) >= 5
    assert health["broken"].state is RunnerState.FAILED
    assert health["broken"].reason == "gone for good"
    assert health["good"].records["trade"] >= 5


def test_the_guides_round_covers_running_sources_too() -> None:
    class Mood:
        name = "mood"

        async def collect(self) -> list[Observation]:
            return [
                Observation(
                    source="mood", symbol="*", ts_event=START, ts_recv=START, ts_avail=START,
                    series="sentiment.score", value=0.5,
                )
            ]  # fmt: skip

    async def main(time: VirtualClock) -> tuple[Any, Any]:
        manager = DataSourceManager(
            {"price": [Tape(time)], "social": [Mood()]}, time=time, rng=rng()
        )
        async with manager:
            await asyncio.sleep(3.5)
            data = await manager.collect_all_data()
        return data, manager.last

    data, last = in_virtual_time(main)
    assert data["sentiment"]["*"] == {"score": 0.5}
    assert [r.seq for r in last.records if isinstance(r, Trade)] == [1, 2, 3]


def test_a_stream_without_a_clock_is_refused() -> None:
    with pytest.raises(UsageError, match="no clock to run by"):
        DataSourceManager({"price": [Tape(VirtualClock(START))]})


def test_a_late_record_belongs_to_the_batch_it_came_in() -> None:
    class Late:
        """Yields a record that it had received before the last batch closed."""

        def __init__(self, time: VirtualClock) -> None:
            self.spec = spec("late")
            self._time = time

        async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
            await asyncio.sleep(0.9)
            yield trade(1, 900 * MILLISECOND)
            await asyncio.sleep(0.2)
            yield trade(2, 950 * MILLISECOND)
            await asyncio.sleep(100)

        async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
            for record in ():
                yield record

        async def aclose(self) -> None:
            return

    async def main(time: VirtualClock) -> list[Batch]:
        return await some(DataSourceManager({"p": [Late(time)]}, time=time, rng=rng()), 2)

    first, second = in_virtual_time(main)
    assert [r.ts_avail for r in first.records] == [START + 900 * MILLISECOND]
    assert [r.ts_avail for r in second.records] == [first.closed_at + 1]


def told(check: PriceCheck, records: list[FeedRecord], at: int) -> list[tuple[str, str]]:
    return [(s.state, s.reason) for s in check.read(records, START + at)]


def test_venues_that_differ_for_long_halt_the_symbol_until_they_agree() -> None:
    check = PriceCheck()
    assert not told(check, [quote(0, 100.0, source="a"), quote(0, 100.3, source="b")], 0)
    assert not told(check, [quote(5 * SECOND, 100.0, source="a")], 5 * SECOND), "not yet longer"
    found = told(check, [], 5 * SECOND + 1)
    assert found == [("diverged", "b has 100.3, a has 100")]
    assert check.diverged == (BTC,)
    assert not told(check, [quote(7 * SECOND, 100.0, source="a")], 7 * SECOND), "told once"
    found = told(check, [quote(8 * SECOND, 100.1, source="b")], 8 * SECOND)
    assert found == [("live", "venues agree again: b has 100.1, a has 100")]
    assert not check.diverged


def test_a_moments_difference_and_a_silent_venue_are_no_divergence() -> None:
    check = PriceCheck()
    for second in range(19):
        apart = second % 4 == 3
        prices = [
            quote(second * SECOND, 100.0, source="a"),
            quote(second * SECOND, 101.0 if apart else 100.0, source="b"),
        ]
        assert not told(check, prices, second * SECOND)
    # b stays behind at an old price: that is silence, which is told elsewhere.
    for second in range(19, 40):
        assert not told(
            check,
            [quote(second * SECOND, 105.0 + second, source="a")] if second > 29 else [],
            second * SECOND,
        )


def test_a_venue_that_falls_silent_clears_nobody() -> None:
    check = PriceCheck()
    for second in range(7):
        told(
            check,
            [quote(second * SECOND, 100.0, source="a"), quote(second * SECOND, 101.0, source="b")],
            second * SECOND,
        )
    assert check.diverged == (BTC,)
    at = START + 8 * SECOND
    down = Status(source="b", symbol="*", ts_event=at, ts_recv=at, ts_avail=at,
                  state="down", reason="")  # fmt: skip
    assert not told(check, [down, quote(9 * SECOND, 100.0, source="a")], 9 * SECOND)
    assert check.diverged == (BTC,)


def test_divergence_is_told_in_the_batch() -> None:
    class Steady:
        def __init__(self, time: VirtualClock, name: str, price: float) -> None:
            self.spec = spec(name, kinds=("quote",))
            self._time, self._price = time, price

        async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
            while True:
                at = self._time.now() - START
                yield quote(at, self._price, source=self.spec.name)
                await asyncio.sleep(0.5)

        async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
            for record in ():
                yield record

        async def aclose(self) -> None:
            return

    async def main(time: VirtualClock) -> list[Batch]:
        venues = [Steady(time, "one", 100.0), Steady(time, "two", 100.5)]
        return await some(DataSourceManager({"price": venues}, time=time, rng=rng()), 8)

    batches = in_virtual_time(main)
    statuses = [r for b in batches for r in b.records if isinstance(r, Status)]
    assert [(s.source, s.symbol, s.state) for s in statuses] == [("price_check", BTC, "diverged")]
    assert statuses[0].reason == "two has 100.5, one has 100"
    assert 5 * SECOND < statuses[0].ts_avail - START <= 6 * SECOND
