"""Supply, networks and calendars: by a declared mapping, in their units, known when published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polled_servers import World, served

from mirrorcore.clock import DAY, HOUR, SECOND, YEAR, VirtualClock, iso
from mirrorcore.data_sources.fundamental.calendar_files import (
    CalendarMapping,
    SupplyTable,
    read_calendar,
)
from mirrorcore.data_sources.fundamental.calendar_source import (
    CalendarSource,
    from_file,
    from_service,
)
from mirrorcore.data_sources.fundamental.event_calendar import (
    EVENT_IN_DAYS,
    UNLOCK_SHARE,
    CalendarEntry,
    EventCalendar,
)
from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries, at_path
from mirrorcore.data_sources.fundamental.json_source import JsonSource
from mirrorcore.data_sources.fundamental.supply_growth import GROWTH, SUPPLY, SupplyGrowth
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import PolledSource, SourceError
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.records import Flag, Observation
from mirrorcore.market.validator import MarketDataProcessor

T = TypeVar("T")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NOW = at("2024-06-03T12:00")
HASHRATE = JsonSeries(
    "fundamental.hashrate",
    "y",
    "H/s",
    rows="values",
    time="x",
    lag_ns=DAY,
    symbol="BTC/USDT",
    scale=1e12,
    expect={"unit": "TH/s", "status": "ok"},
    low=1e15,
    high=1e24,
)
CHART = {
    "status": "ok",
    "name": "Hash Rate",
    "unit": "TH/s",
    "period": "day",
    "values": [
        {"x": at("2024-06-01") // SECOND, "y": 6.1e8},
        {"x": at("2024-06-02") // SECOND, "y": None},
        {"x": at("2024-06-03") // SECOND, "y": 6.3e8},
    ],
}


def asking(
    document: object, series: Sequence[JsonSeries], ask: Callable[[JsonSource, World], Awaitable[T]]
) -> T:
    async def main() -> T:
        async with served(World(documents={"chart": document})) as world:
            clock = VirtualClock(NOW)
            http = HttpClient(world.base, clock=clock)
            source = JsonSource("/json/chart", series, http=http, clock=clock, name="network")
            assert isinstance(source, PolledSource)
            try:
                return await ask(source, world)
            finally:
                await source.aclose()

    return asyncio.run(main())


async def _collect(source: JsonSource, world: World) -> list[Any]:
    return list(await source.collect())


async def _history(source: JsonSource, world: World) -> list[Observation]:
    return list(await source.history(0, NOW))


def test_a_mapping_reads_values_in_their_unit_and_history_by_publication() -> None:
    (newest,) = asking(CHART, [HASHRATE], _collect)
    assert (newest.value, newest.symbol, newest.ts_avail) == (6.3e20, "BTC/USDT", NOW)
    found = asking(CHART, [HASHRATE], _history)
    assert [(iso(r.ts_avail)[:10], r.value) for r in found] == [
        ("2024-06-02", 6.1e20),
        ("2024-06-03", None),
    ], "what is public after the end asked for is not there"
    assert all(r.flags & Flag.BACKFILL for r in found)


def test_asked_again_only_news_and_corrections_are_told() -> None:
    async def ask(source: JsonSource, world: World) -> list[list[float | None]]:
        rounds = [await source.collect(), await source.collect()]
        chart = {**CHART, "values": [*CHART["values"], {"x": NOW // SECOND, "y": 6.4e8}]}
        chart["values"][1] = {"x": at("2024-06-02") // SECOND, "y": 6.2e8}
        world.documents["chart"] = chart
        rounds.append(await source.collect())
        return [[r.value for r in one] for one in rounds]

    assert asking(CHART, [HASHRATE], ask) == [[6.3e20], [], [6.2e20, 6.4e20]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit": "GH/s"}, "unit was 'GH/s', expected 'TH/s'"),
        ({"values": [{"x": NOW // SECOND, "y": 630.0}]}, r"must be from 1e\+15 to 1e\+24"),
        ({"values": {"x": 1}}, "values is no list"),
        ({"values": [{"x": NOW // SECOND}]}, "the answer has no y"),
        ({"values": [{"x": 12, "y": 6e8}]}, "no time from 1990 to 2099"),
        ({"values": [{"x": NOW // SECOND, "y": "many"}]}, "which is no number"),
        ({"error": "not found"}, "answered with an error: not found"),
    ],
)
def test_a_document_that_is_not_as_declared_is_an_error(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        asking({**CHART, **changes}, [HASHRATE], _collect)


def test_a_value_without_time_is_of_now_and_has_no_history() -> None:
    supply = JsonSeries(SUPPLY, "data.0.circulating", "BTC", symbol="BTC/USDT")
    document = {"data": [{"circulating": "19700000"}]}
    (found,) = asking(document, [supply], _collect)
    assert (found.ts_event, found.value) == (NOW, 19_700_000.0)
    with pytest.raises(UsageError, match="has no times, so there is no history"):
        asking(document, [supply], _history)


def test_one_series_in_two_units_is_two_sources() -> None:
    other = JsonSeries(SUPPLY, "y", "lots", symbol="ETH/USDT")
    with pytest.raises(UsageError, match="supply is in 'BTC' and in 'lots'"):
        asking(CHART, [JsonSeries(SUPPLY, "y", "BTC", symbol="BTC/USDT"), other], _collect)


def test_series_of_two_categories_are_two_sources() -> None:
    other = JsonSeries("onchain.fees", "y", "BTC")
    with pytest.raises(UsageError, match="of 2 categories"):
        asking(CHART, [HASHRATE, other], _collect)
    with pytest.raises(DataError, match="belongs to no category"):
        JsonSeries("hashrate", "y", "H/s")


def test_paths_reach_into_lists_and_tables() -> None:
    body = {"a": [{"b": 1}, {"b": [2, 3]}]}
    assert at_path(body, "a.1.b.0", "here") == 2
    assert at_path(body, "a.7", "here", None) is None
    for path in ("a.7", "a.b", "c", "a.0.b.c"):
        with pytest.raises(SourceError, match=f"here: the answer has no {path}"):
            at_path(body, path, "here")


# --- Supply growth --------------------------------------------------------------------------------


def supply(day: int, value: float | None, avail: int | None = None) -> Observation:
    event = at("2024-01-01") + day * DAY
    known = event if avail is None else at("2024-01-01") + avail * DAY
    return Observation(
        source="s",
        symbol="BTC/USDT",
        ts_event=event,
        ts_recv=known,
        ts_avail=known,
        series=SUPPLY,
        value=value,
    )


def test_growth_is_a_years_rate_over_at_least_the_window() -> None:
    found = SupplyGrowth(window_ns=30 * DAY).add(
        [
            supply(0, 100.0),
            supply(10, 101.0),
            supply(30, 102.0),
            supply(45, None),
            supply(73, 104.0),
        ]
    )
    assert [(r.ts_event, r.series) for r in found] == [
        (at("2024-01-31"), GROWTH),
        (at("2024-02-15"), GROWTH),
        (at("2024-03-14"), GROWTH),
    ]
    assert found[0].value == pytest.approx(1.02 ** (YEAR / (30 * DAY)) - 1)
    assert found[1].value is None, "missing supply, missing growth"
    assert found[2].value == pytest.approx((104 / 102) ** (YEAR / (43 * DAY)) - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.integers(0, 40), st.sampled_from([None, -1.0, 90.0, 100.0])
        ),
        max_size=15,
    ),
    st.integers(0, 240),
)
def test_growth_of_the_past_knows_nothing_of_the_future(
    rows: list[tuple[int, int, float | None]], cut: int
) -> None:
    stream = sorted(
        (supply(day, value, day + late) for day, late, value in rows), key=lambda r: r.ts_avail
    )
    limit = at("2024-01-01") + cut * DAY
    whole = SupplyGrowth().add(stream)
    assert SupplyGrowth().add([r for r in stream if r.ts_avail <= limit]) == [
        r for r in whole if r.ts_avail <= limit
    ]


# --- Calendar -------------------------------------------------------------------------------------


def entry(
    name: str,
    when: str,
    announced: str,
    amount: str | None = None,
    kind: str = "unlock",
    symbol: str = "ARB/USDT",
    withdrawn: bool = False,
) -> CalendarEntry:
    exact = None if amount is None else Decimal(amount)
    return CalendarEntry(name, symbol, kind, at(when), at(announced), exact, withdrawn)


ENTRIES = [
    entry("a", "2024-03-16", "2024-01-10", "1000"),
    entry("b", "2024-03-26", "2024-02-01", "500.5"),
    entry("b", "2024-04-26", "2024-03-01", "500.5"),
    entry("fork", "2024-03-05", "2024-02-20", kind="fork"),
    entry("fork", "2024-03-05", "2024-03-02", kind="fork", withdrawn=True),
    entry("x", "2024-03-05", "2024-02-25", kind="listing", symbol="OP/USDT"),
]


def view(instant: str, known_supply: str | None = "10000") -> dict[tuple[str, str], float | None]:
    exact = None if known_supply is None else Decimal(known_supply)
    found = EventCalendar(ENTRIES).observations(
        at(instant), source="c", horizon_ns=30 * DAY, supply=lambda symbol, when: exact
    )
    return {(r.symbol.partition("/")[0], r.series): r.value for r in found}


def test_nothing_is_known_before_it_was_announced_and_the_last_word_counts() -> None:
    assert view("2024-01-09") == {}
    assert view("2024-01-10") == {("ARB", EVENT_IN_DAYS): 66.0, ("ARB", UNLOCK_SHARE): 0.0}
    assert view("2024-02-26")["ARB", EVENT_IN_DAYS] == 8.0, "the fork"
    assert view("2024-02-26")["ARB", UNLOCK_SHARE] == 0.15005, "both unlocks within 30 days"
    assert view("2024-03-01")["ARB", UNLOCK_SHARE] == 0.1, "the second was put off"
    assert view("2024-03-02")["ARB", EVENT_IN_DAYS] == 14.0, "the fork was withdrawn"
    assert view("2024-02-26")["OP", UNLOCK_SHARE] == 0.0, "no unlock is due"
    assert view("2024-03-05")["OP", EVENT_IN_DAYS] is None, "nothing lies ahead"


def test_a_share_of_an_unknown_supply_or_amount_is_missing_and_not_zero() -> None:
    assert view("2024-03-01", None)["ARB", UNLOCK_SHARE] is None
    assert view("2024-03-01", "0")["ARB", UNLOCK_SHARE] is None
    unknown = EventCalendar([entry("a", "2024-03-16", "2024-01-10")])
    found = unknown.observations(
        at("2024-03-01"), source="c", horizon_ns=30 * DAY, supply=lambda s, t: Decimal(5)
    )
    assert {r.series: r.value for r in found} == {EVENT_IN_DAYS: 15.0, UNLOCK_SHARE: None}


days = st.integers(0, 60).map(lambda day: at("2024-01-01") + day * DAY)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            CalendarEntry,
            id=st.sampled_from("ab"),
            symbol=st.just("ARB/USDT"),
            kind=st.sampled_from(["unlock", "fork"]),
            at=days,
            announced=days,
            amount=st.sampled_from([None, Decimal(5), Decimal(7)]),
            withdrawn=st.booleans(),
        ),
        max_size=8,
    ),
    days,
)
def test_an_announcement_of_the_future_changes_nothing_now(
    entries: list[CalendarEntry], instant: int
) -> None:
    def told(some: Sequence[CalendarEntry]) -> list[Observation]:
        return EventCalendar(some).observations(
            instant, source="c", horizon_ns=20 * DAY, supply=lambda s, t: Decimal(100)
        )

    past = [one for one in entries if one.announced <= instant]
    assert told(past) == told(entries)


CALENDAR = """id,symbol,kind,at,announced,amount,withdrawn
a,ARB/USDT,Unlock,2024-03-16,2024-01-10T14:00:00Z,92650000.123456789012345678,
b,arb_usdt,fork,2024-03-05T12:00:00Z,2024-02-20,,true
"""


def test_a_calendar_file_keeps_amounts_exact(tmp_path: Path) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text(CALENDAR)
    first, second = read_calendar(path)
    assert first.amount == Decimal("92650000.123456789012345678")
    assert (first.kind, first.at, first.announced) == (
        "unlock",
        at("2024-03-16"),
        at("2024-01-10T14:00"),
    )
    assert (second.symbol, second.amount, second.withdrawn) == ("ARB/USDT", None, True)
    assert second.at == at("2024-03-05T12:00")
    assert second.announced == at("2024-02-21"), "some time of that day: at its end, surely"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2024-01-10T14:00:00Z", "", "column announced, row 1 .*the time is missing"),
        ("92650000.123456789012345678", "9,265", r"row 1 \(the first below .*\): .* is no amount"),
        ("92650000.123456789012345678", "-5", r"row 1 \(.*\): the amount is -5, and below zero"),
        ("92650000.123456789012345678", "inf", r"row 1 \(.*\): 'inf' is no amount"),
        ("2024-03-05T12:00:00Z", "soon", "column at, row 2 .*'soon'"),
        ("true", "maybe", "withdrawn was 'maybe'"),
        ("arb_usdt", "a b", "the symbol was 'a b'"),
        ("announced", "told", "missing column announced"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text(CALENDAR.replace(old, f'"{new}"'))
    with pytest.raises(DataError, match=reason):
        read_calendar(path)


def test_what_is_odd_in_a_calendar_is_told_once_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "calendar.csv"
    path.write_text(
        "id,symbol,kind,at,announced,amount,withdrawn\n"
        "a,ARB/USDT,unlock,2024-03-16,2024-01-10,92650000,\n"
        "b,ARB/USDT,unlock,2024-04-16,2024-01-10,10000000001,\n"
        "c,ARB/USDT,fork,2024-03-16,2024-03-16,,\n"
        "c,ARB/USDT,fork,2024-03-16,2024-03-18,,yes\n"
        "d,OP/USDT,unlock,2024-05-16,2024-01-10,1,\n"
        "e,OP/USDT,unlock,2024-06-16,2024-01-10,1,\n"
    )
    source = calendar(from_file(path), VirtualClock(NOW), lambda s, t: Decimal(10**10))
    asyncio.run(source.collect())
    asyncio.run(source.collect())
    more, late, stranger = source.remarks
    assert more.startswith(
        f"{path}: row 2 (the first below the header is row 1): ARB/USDT 'b' sets"
    )
    assert "10000000001 coins free, more than the 10000000000 in circulation" in more
    assert "row 3 " in late
    assert "announced at 2024-03-17T00:00, after it happens at 2024-03-16T00:00" in late
    assert "row 5 " in stranger
    assert "OP/USDT is not in this run" in stranger


def test_an_amount_below_zero_of_a_service_is_refused() -> None:
    mapping = CalendarMapping("events", announced="", of="ARB/USDT", symbol="")
    event = {"id": "cliff", "kind": "unlock", "at": "2024-07-01", "amount": -5}
    with pytest.raises(SourceError, match="the amount is '-5'"):
        mapping.read({"events": [event]}, received=NOW, where="here")


def test_amounts_written_as_floats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "calendar.parquet"
    frame = pl.DataFrame({"symbol": ["BTC/USDT"], "released": ["2024-01-01"], "supply": [1.5]})
    frame.write_parquet(path)
    with pytest.raises(DataError, match="holds Float64, and amounts must be exact"):
        SupplyTable(path)
    frame.with_columns(pl.lit(21_000_000).alias("supply")).write_parquet(path)
    assert SupplyTable(path)("BTC/USDT", at("2024-01-02")) == 21_000_000


def calendar(load: Any, clock: VirtualClock, known: Any, cadence_ns: int = DAY) -> CalendarSource:
    source = CalendarSource(
        load, symbols=["ARB/USDT"], supply=known, clock=clock, cadence_ns=cadence_ns
    )
    assert isinstance(source, PolledSource)
    return source


def test_the_history_of_a_calendar_is_what_each_day_knew(tmp_path: Path) -> None:
    (tmp_path / "calendar.csv").write_text(CALENDAR)
    (tmp_path / "supply.csv").write_text(
        "symbol,released,supply\nARB/USDT,2024-01-01,1000000000\nARB/USDT,2024-02-29,2000000000\n"
    )
    known = SupplyTable(tmp_path / "supply.csv")
    source = calendar(from_file(tmp_path / "calendar.csv"), VirtualClock(NOW), known)
    found = asyncio.run(source.history(at("2024-01-01"), at("2024-04-01")))
    shares = {iso(r.ts_avail)[:10]: r.value for r in found if r.series == UNLOCK_SHARE}
    assert min(shares) == "2024-01-11", "the first day after its announcement"
    assert shares["2024-02-14"] == 0.0
    assert shares["2024-02-15"] == pytest.approx(0.09265)
    assert shares["2024-03-01"] == pytest.approx(0.046325)
    assert shares["2024-03-16"] == 0.0
    accepted = MarketDataProcessor().validate(found)
    assert len(accepted) == len(found)
    (tmp_path / "calendar.csv").write_text("half")
    with pytest.raises(SourceError, match="missing column"):
        asyncio.run(source.collect())


def test_a_service_that_does_not_say_when_it_announced_is_watched() -> None:
    mapping = CalendarMapping(
        "events",
        at="date",
        id="name",
        kind="type",
        amount="tokens",
        announced="",
        symbol="",
        of="ARB/USDT",
    )
    event = {"name": "cliff", "type": "unlock", "date": "2024-07-01", "tokens": 92.5}

    async def main() -> list[tuple[float | None, float | None]]:
        world = World(documents={"events": {"events": [event]}})
        async with served(world):
            clock = VirtualClock(at("2024-06-20"))
            http = HttpClient(world.base, clock=clock)
            load = from_service(http, "/json/events", mapping)
            source = calendar(load, clock, lambda symbol, when: Decimal(1000))
            seen = []
            for changes in ({}, {"date": "2024-07-11"}, {"date": "2024-07-01"}, None, {}):
                events = [] if changes is None else [{**event, **changes}]
                world.documents["events"] = {"events": events}
                days, share = await source.collect()
                seen.append((days.value, share.value))
                clock.advance_to(clock.now() + DAY)
            then = await source.history(at("2024-06-20"), at("2024-06-25"))
            assert [r.value for r in then if r.series == EVENT_IN_DAYS] == [s[0] for s in seen]
            await http.aclose()
            return seen

    assert asyncio.run(main()) == [
        (11.0, 0.0925),
        (20.0, 0.0925),
        (9.0, 0.0925),
        (None, 0.0),
        (7.0, 0.0925),
    ]


def test_a_calendar_is_asked_about_the_symbols_of_the_run_alone() -> None:
    async def load() -> list[CalendarEntry]:
        return ENTRIES

    clock = VirtualClock(at("2024-03-01"))
    source = calendar(load, clock, lambda symbol, when: Decimal(10000), cadence_ns=HOUR)
    found = asyncio.run(source.collect())
    assert {record.symbol for record in found} == {"ARB/USDT"}
    assert all(record.ts_avail == clock.now() for record in found)
