"""What a venue tells of its past, page by page: all of it, in order, whatever a page holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mirrorcore.clock import MILLISECOND, LiveClock
from mirrorcore.data_sources.exchange.past import Past
from mirrorcore.data_sources.exchange.reading import Reader
from mirrorcore.data_sources.exchange.venues import Dialect
from mirrorcore.data_sources.live import Position

T0 = 1_700_000_000_000
"""ms."""
# Several in one millisecond, so that pages end within one.
TIMES = [T0 + offset for offset in (0, 0, 1, 3, 3, 3, 3, 4, 9, 9, 9, 12, 20, 20, 21)]


class Venue:
    """Answers with at most ``limit`` trades from an instant or a number on."""

    def __init__(self, limit: int, *, numbered: bool) -> None:
        self.asked = 0
        self._limit = limit
        self._trades = [
            {
                "id": str(100 + number) if numbered else f"trade-{number}",
                "symbol": "BTC/USDT",
                "timestamp": at,
                "price": 10.0,
                "amount": 1.0,
                "side": "buy",
            }
            for number, at in enumerate(TIMES)
        ]

    async def call(
        self, method: str, symbol: str, since: int | None, limit: int, params: Mapping[str, int]
    ) -> Sequence[Any]:
        assert (method, symbol) == ("fetch_trades", "BTC/USDT")
        self.asked += 1
        found: list[dict[str, Any]] = self._trades
        if "fromId" in params:
            found = [one for one in found if int(one["id"]) >= params["fromId"]]
        elif since is not None:
            found = [one for one in found if one["timestamp"] >= since]
        return found[: min(limit, self._limit)]


def past(
    venue: Venue, dialect: Dialect, start: int, end: int, after: Position | None = None
) -> list[tuple[str, int]]:
    async def main() -> list[tuple[str, int]]:
        told = Past(venue, Reader("venue"), dialect, LiveClock())  # type: ignore[arg-type]
        found = told.trades("BTC/USDT", start * MILLISECOND, end * MILLISECOND, after)
        return [(one.trade_id, one.ts_event // MILLISECOND) async for one in found]

    return asyncio.run(main())


@pytest.mark.parametrize("limit", [5, 6, 7, 1_000])
@pytest.mark.parametrize("numbered", [False, True])
def test_pages_of_any_length_leave_nothing_out_and_repeat_nothing(
    limit: int, numbered: bool
) -> None:
    found = past(Venue(limit, numbered=numbered), Dialect(), T0, T0 + 30)
    assert [at for _, at in found] == TIMES
    assert len(dict(found)) == len(TIMES)


def test_it_begins_with_the_last_that_is_known_and_ends_before_the_end() -> None:
    after = Position(0, (T0 + 3) * MILLISECOND)
    found = past(Venue(5, numbered=False), Dialect(), T0, T0 + 12, after)
    assert [at for _, at in found] == [at for at in TIMES if T0 + 3 <= at < T0 + 12]


def test_numbers_that_are_no_order_are_not_taken_for_one() -> None:
    # A position with a high number says nothing of what came before it, where ids do not count up.
    after = Position(10**9, (T0 + 9) * MILLISECOND)
    found = past(Venue(5, numbered=True), Dialect(), T0, T0 + 30, after)
    assert [at for _, at in found] == [at for at in TIMES if at >= T0 + 9]


def test_where_trades_are_numbered_the_number_decides() -> None:
    venue = Venue(1_000, numbered=True)
    after = Position(104, (T0 + 3) * MILLISECOND)
    found = past(venue, Dialect(from_id=True), T0, T0 + 30, after)
    assert [int(name) for name, _ in found] == list(range(105, 100 + len(TIMES)))
    assert venue.asked == 1


def test_without_a_number_to_begin_with_the_first_page_is_by_time() -> None:
    found = past(Venue(1_000, numbered=True), Dialect(from_id=True), T0 + 3, T0 + 20)
    assert [at for _, at in found] == [at for at in TIMES if T0 + 3 <= at < T0 + 20]


def test_a_venue_that_answers_the_same_whatever_it_is_asked_is_not_asked_for_ever() -> None:
    class Stuck(Venue):
        async def call(
            self, method: str, symbol: str, since: int | None, limit: int, params: Mapping[str, int]
        ) -> Sequence[Any]:
            return await super().call(method, symbol, None, limit, {})

    venue = Stuck(5, numbered=False)
    assert len(past(venue, Dialect(), T0, T0 + 30)) == 5
    assert venue.asked == 2
