"""FRED and ECB over real HTTP: nothing before its release, the first vintage first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polled_servers import FRED_KEY, World, says, served

from mirrorcore.clock import DAY, HOUR, SECOND, VirtualClock, iso
from mirrorcore.data_sources.http import HttpClient, HttpPolicy
from mirrorcore.data_sources.known_values import Dated, KnownValues, published
from mirrorcore.data_sources.live import PolledSource, SourceError
from mirrorcore.data_sources.macro.ecb import EcbSource
from mirrorcore.data_sources.macro.fred import FredSeries, FredSource
from mirrorcore.data_sources.macro.releases import ReleaseTime
from mirrorcore.data_sources.secret import Secret
from mirrorcore.errors import UsageError
from mirrorcore.market.records import Flag, Observation
from mirrorcore.market.validator import MarketDataProcessor

T = TypeVar("T")
CPI = FredSeries("CPIAUCSL", "macro.us_cpi", "index 1982-84=100")
VINTAGES = [
    ("2024-01-01", "2024-02-13", "308.4"),
    ("2024-01-01", "2024-03-12", "309.7"),
    ("2024-02-01", "2024-03-12", "310.3"),
    ("2024-03-01", "2024-04-10", "."),
    ("2024-03-01", "2024-05-15", "312.2"),
]
QUICK = HttpPolicy(first_wait_ns=SECOND // 1000, attempts=2)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def fred(
    world: World,
    ask: Callable[[FredSource, VirtualClock], Awaitable[T]],
    *series: FredSeries,
    key: str = FRED_KEY,
    now: str = "2024-06-01",
) -> T:
    async def main() -> T:
        async with served(world):
            clock, secret = VirtualClock(at(now)), Secret("FRED_API_KEY", key)
            http = HttpClient(world.base, clock=clock, secrets=[secret], policy=QUICK)
            source = FredSource(series or [CPI], http=http, key=secret, clock=clock)
            assert isinstance(source, PolledSource)
            try:
                return await ask(source, clock)
            finally:
                await source.aclose()

    return asyncio.run(main())


def ecb(
    world: World,
    ask: Callable[[EcbSource, VirtualClock], Awaitable[T]],
    *currencies: str,
    now: str = "2024-06-01",
) -> T:
    async def main() -> T:
        async with served(world):
            clock = VirtualClock(at(now))
            http = HttpClient(world.base, clock=clock, policy=QUICK)
            source = EcbSource(currencies or ["USD"], http=http, clock=clock)
            assert isinstance(source, PolledSource)
            try:
                return await ask(source, clock)
            finally:
                await source.aclose()

    return asyncio.run(main())


def told(records: object) -> list[tuple[str, str, float | None, bool]]:
    """(available, period, value, revised) of each observation."""
    assert isinstance(records, list)
    return [
        (iso(r.ts_avail)[:16], iso(r.ts_event)[:10], r.value, bool(r.flags & Flag.REVISED))
        for r in records
    ]


def test_every_figure_is_known_from_its_release_and_the_first_vintage_comes_first() -> None:
    found = fred(World(vintages={"CPIAUCSL": VINTAGES}), _whole)
    assert told(found) == [
        ("2024-02-14T06:00", "2024-01-01", 308.4, False),
        ("2024-03-13T05:00", "2024-01-01", 309.7, True),
        ("2024-03-13T05:00", "2024-02-01", 310.3, False),
        ("2024-04-11T05:00", "2024-03-01", None, False),
        ("2024-05-16T05:00", "2024-03-01", 312.2, False),
    ], "a vintage is known at the end of its day in St. Louis; '.' is missing and not zero"
    assert all(r.flags & Flag.BACKFILL and r.series == "macro.us_cpi" for r in found)


async def _whole(source: FredSource | EcbSource, clock: VirtualClock) -> list[Observation]:
    return list(await source.history(0, clock.now()))


def test_a_history_holds_what_was_released_between_its_ends() -> None:
    async def ask(source: FredSource, clock: VirtualClock) -> list[Observation]:
        return list(await source.history(at("2024-03-01"), at("2024-04-11T05:00")))

    assert told(fred(World(vintages={"CPIAUCSL": VINTAGES}), ask)) == [
        ("2024-03-13T05:00", "2024-01-01", 309.7, True),
        ("2024-03-13T05:00", "2024-02-01", 310.3, False),
    ], "a correction stays one where the first vintage came before"


@pytest.mark.parametrize("cut", ["2024-03-01", "2024-03-12", "2024-03-13", "2024-05-15"])
def test_cutting_the_future_off_changes_nothing_that_was_visible(cut: str) -> None:
    """The server that knows nothing after ``cut`` gives the same history up to there."""
    whole = fred(World(vintages={"CPIAUCSL": VINTAGES}), _whole)
    past = [row for row in VINTAGES if row[1] < cut]
    early = fred(World(vintages={"CPIAUCSL": past}), _whole)
    assert early == [record for record in whole if record.ts_avail <= at(cut) + 12 * HOUR]
    assert early


def test_too_many_vintages_are_asked_for_in_parts_with_the_same_result() -> None:
    days = [date(2024, 1, 1 + number) for number in range(28)]
    rows = [(str(day), str(day.replace(month=2)), str(day.day)) for day in days]
    rows += [(str(day), str(day.replace(month=3)), str(day.day + 0.5)) for day in days]
    world = World(vintages={"CPIAUCSL": rows}, vintage_limit=9)
    found = fred(world, _whole)
    assert len(world.asked) > 5
    world.vintage_limit = 2000
    assert found == fred(world, _whole)
    assert len(found) == 56


def test_history_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirrorcore.data_sources.macro.fred._PAGE", 2)
    world = World(vintages={"CPIAUCSL": VINTAGES})
    assert len(fred(world, _whole)) == 5
    assert len(world.asked) == 3


def test_a_release_hour_that_is_known_is_kept_in_winter_and_summer() -> None:
    early = FredSeries(
        "CPIAUCSL", "macro.us_cpi", "index", release=ReleaseTime("America/New_York", 8, 30)
    )
    found = fred(World(vintages={"CPIAUCSL": VINTAGES}), _whole, early)
    assert [row[0] for row in told(found)] == [
        "2024-02-13T13:30",
        "2024-03-12T12:30",
        "2024-03-12T12:30",
        "2024-04-10T12:30",
        "2024-05-15T12:30",
    ]


def test_asked_again_it_tells_what_is_new_or_corrected() -> None:
    async def ask(source: FredSource, clock: VirtualClock) -> list[object]:
        first = list(await source.collect())
        nothing = list(await source.collect())
        world.vintages["CPIAUCSL"] += [
            ("2024-04-01", "2024-06-12", "313.2"),
            ("2024-03-01", "2024-06-12", "312.3"),
        ]
        clock.advance_to(at("2024-06-12T12:31"))
        return [told(first), nothing, told(list(await source.collect()))]

    world = World(vintages={"CPIAUCSL": list(VINTAGES)})
    first, nothing, later = fred(world, ask)
    assert first == [("2024-06-01T00:00", "2024-03-01", 312.2, False)]
    assert nothing == []
    assert later == [
        ("2024-06-12T12:31", "2024-03-01", 312.3, True),
        ("2024-06-12T12:31", "2024-04-01", 313.2, False),
    ], "available when it was received"


def test_the_failure_of_one_series_loses_nothing_of_another() -> None:
    other = FredSeries("DGS10", "macro.us_10y", "percent per year")

    async def ask(source: FredSource, clock: VirtualClock) -> list[object]:
        await source.collect()
        world.vintages["CPIAUCSL"].append(("2024-04-01", "2024-06-12", "313.2"))
        world.faults.extend([None, says(503), says(503)])
        with pytest.raises(SourceError, match="503"):
            await source.collect()
        return list(await source.collect())

    world = World(vintages={"CPIAUCSL": list(VINTAGES), "DGS10": [("2024-05-01",) * 2 + ("4",)]})
    assert [record.value for record in fred(world, ask, CPI, other)] == [313.2]


def test_a_wrong_key_and_a_wrong_series_are_for_good_and_show_no_key() -> None:
    async def ask(source: FredSource, clock: VirtualClock) -> SourceError:
        with pytest.raises(SourceError) as caught:
            await source.collect()
        return caught.value

    wrong = fred(World(vintages={"CPIAUCSL": VINTAGES}), ask, key="f" * 32)
    assert wrong.permanent
    assert "api_key is not registered" in str(wrong)
    assert "ffff" not in str(wrong)
    unknown = fred(World(), ask)
    assert unknown.permanent
    assert "The series does not exist" in str(unknown)


def test_a_number_that_is_none_is_an_error_and_no_zero() -> None:
    rows = [("2024-01-01", "2024-02-13", "n.d.")]
    with pytest.raises(SourceError, match=r"CPIAUCSL: the value is 'n.d.', which is no number"):
        fred(World(vintages={"CPIAUCSL": rows}), _whole)


def test_reference_rates_are_public_at_four_in_frankfurt() -> None:
    world = World(rates={"USD": {"2024-01-15": "1.0945", "2024-07-15": "1.0907"}})
    found = ecb(world, _whole, now="2024-08-01")
    assert told(found) == [
        ("2024-01-15T15:00", "2024-01-15", 1.0945, False),
        ("2024-07-15T14:00", "2024-07-15", 1.0907, False),
    ]
    assert {record.series for record in found} == {"macro.eur_usd"}


def test_rates_of_several_currencies_come_in_one_request() -> None:
    world = World(rates={"USD": {"2024-05-30": "1.08", "2024-05-31": "1.09"}, "JPY": {}})
    world.rates["JPY"]["2024-05-31"] = "NaN"

    async def ask(source: EcbSource, clock: VirtualClock) -> list[object]:
        first = list(await source.collect())
        unchanged = list(await source.collect())
        world.rates["USD"]["2024-06-03"] = "1.0842"
        world.changed = world.changed.replace(month=6)
        clock.advance_to(at("2024-06-03T14:05"))
        return [first, unchanged, told(list(await source.collect()))]

    first, unchanged, later = ecb(world, ask, "usd", "jpy")
    assert [(r.series, r.value) for r in first] == [("macro.eur_usd", 1.09)], "NaN is no news"
    assert unchanged == []
    assert later == [("2024-06-03T14:05", "2024-06-03", 1.0842, False)]
    assert "D.USD+JPY.EUR.SP00.A" in world.asked[0].path
    assert world.asked[1].headers["If-Modified-Since"]


def test_a_period_without_rates_is_no_failure_but_a_key_without_any_is() -> None:
    world = World(rates={"USD": {"2024-05-31": "1.09"}})

    async def ask(source: EcbSource, clock: VirtualClock) -> list[object]:
        await source.collect()
        clock.advance_to(at("2024-09-01"))
        world.changed = world.changed.replace(month=9)
        return list(await source.collect())

    assert ecb(world, ask) == []
    with pytest.raises(SourceError, match="No results found") as caught:
        ecb(World(), ask)
    assert caught.value.permanent


def test_a_rate_of_another_currency_than_asked_for_is_refused() -> None:
    world = World(rates={"USD": {"2024-05-31": "1.09"}})
    header = "CURRENCY,CURRENCY_DENOM,TIME_PERIOD,OBS_VALUE\n"
    world.faults.append(says(200, header + "GBP,EUR,2024-05-31,0.85\n", "text/csv"))
    with pytest.raises(SourceError, match="asked for USD against EUR, got GBP"):
        ecb(world, _whole)
    world.faults.append(says(200, "A,B\n1,2\n", "text/csv"))
    with pytest.raises(SourceError, match="no column CURRENCY, CURRENCY_DENOM"):
        ecb(world, _whole)


def test_a_currency_that_is_none_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="US cannot be asked for"):
        ecb(World(), _whole, "US")


def test_the_hour_of_a_release_follows_its_zone() -> None:
    noon = ReleaseTime("Europe/Berlin", 16)
    assert iso(noon.at(date(2024, 3, 29)))[11:16] == "15:00"
    assert iso(noon.at(date(2024, 4, 1)))[11:16] == "14:00"
    assert iso(ReleaseTime("America/Chicago").at(date(2024, 12, 31))) == "2025-01-01T06:00:00+00:00"
    with pytest.raises(UsageError, match="no time zone 'CET/nowhere'"):
        ReleaseTime("CET/nowhere", 16)
    with pytest.raises(UsageError, match="25:00 is no time of day"):
        ReleaseTime("Europe/Berlin", 25)


dated = st.builds(
    Dated,
    event=st.integers(0, 5).map(lambda day: at("2024-01-01") + day * DAY),
    released=st.integers(6, 15).map(lambda day: at("2024-01-01") + day * DAY),
    value=st.sampled_from([None, 1.0, 2.0]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(dated), st.integers(5, 16))
def test_no_release_of_the_future_reaches_into_the_past(values: list[Dated], day: int) -> None:
    cut = at("2024-01-01") + day * DAY
    whole = published("s", "macro.x", "*", values)
    assert [r.ts_avail for r in whole] == sorted(r.ts_avail for r in whole)
    early = published("s", "macro.x", "*", [one for one in values if one.released <= cut])
    assert early == [record for record in whole if record.ts_avail <= cut]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 6), st.sampled_from([None, 1.0, 2.0]))))
def test_asking_again_tells_each_change_once(answers: list[dict[int, float | None]]) -> None:
    known, said = KnownValues("s"), dict[int, float | None]()
    for number, answer in enumerate(answers):
        first = not known.knows("macro.x", "*")
        found = known.fresh("macro.x", "*", list(answer.items()), now=100 + number)
        told = {e: v for e, v in answer.items() if v is not None}
        changed = {e: v for e, v in told.items() if e not in said or said[e] != v}
        if first and told:
            changed = {e: v for e, v in changed.items() if e == max(told)}
        assert {r.ts_event: r.value for r in found} == changed
        assert [r.ts_event for r in found] == sorted(changed)
        for record in found:
            assert bool(record.flags & Flag.REVISED) == (record.ts_event in said)
        said.update(told)


def test_a_missing_value_takes_nothing_back() -> None:
    """Neither in the first answer, nor in a later one, nor in place of a value that was told."""
    known = KnownValues("s")
    day = [at("2026-11-24") + n * DAY for n in range(3)]

    def told(*values: tuple[int, float | None]) -> list[tuple[int, float | None, int]]:
        found = known.fresh("macro.vix", "*", values, now=day[2])
        return [(record.ts_event, record.value, record.flags) for record in found]

    assert told((day[2], None)) == []
    assert told((day[0], 18.0), (day[1], 17.5), (day[2], None)) == [(day[1], 17.5, Flag.NONE)]
    assert told((day[1], None), (day[2], None)) == []
    assert told((day[1], 17.5), (day[2], 16.0)) == [(day[2], 16.0, Flag.NONE)]
    assert told((day[2], 16.5)) == [(day[2], 16.5, Flag.REVISED)]


def test_the_validator_takes_a_history_as_it_is() -> None:
    found = fred(World(vintages={"CPIAUCSL": VINTAGES}), _whole)
    processor = MarketDataProcessor()
    accepted = processor.validate(found)
    assert [r.value for r in accepted] == [308.4, 309.7, 310.3, None, 312.2]
    assert processor.report.rejected_share() == 0
