"""Histories of services into files: one a series, what is there is not asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from polled_servers import FRED_KEY, World, says, served

from mirrorcore import load_config
from mirrorcore.clock import DAY, LiveClock, iso
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.fetching.series import (
    EVER,
    FetchedSeries,
    as_settings,
    fetch_series,
    plan_series,
)
from mirrorcore.data_sources.fetching.stretches import Stretch
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.running.rate_limits import RateLimits
from mirrorcore.data_sources.services import Opening
from mirrorcore.data_sources.side_channels import SeriesFile, read_series
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.intake import Action, IntakeReport
from mirrorcore.swarm.sources import open_source

T0 = 1_704_067_200_000_000_000  # 2024-01-01
YEAR = Stretch(T0, T0 + 366 * DAY)
WORLD = {
    "vintages": {
        "CPIAUCSL": [
            ("2024-01-01", "2024-02-13", "308.4"),
            ("2024-02-01", "2024-03-12", "310.3"),
            ("2024-01-01", "2024-03-12", "309.7"),
        ],
        "UNRATE": [("2024-01-01", "2024-02-02", "3.7")],
    },
    "rates": {"USD": {"2024-01-02": "1.0956", "2024-01-03": "1.0919"}},
    "fear": [(T0 // 10**9 + 86_400 * n, str(40 + n)) for n in range(5)],
}


def fetched(
    world: World, service: str, names: Sequence[str], out: Path, span: Stretch = YEAR
) -> list[FetchedSeries]:
    async def go() -> list[FetchedSeries]:
        async with served(world):
            clock = LiveClock()
            opening = Opening(clock, {"FRED_API_KEY": FRED_KEY}, RateLimits(clock), world.base)
            return await fetch_series(service, plan_series(service, names), opening, span, out)

    return asyncio.run(go())


def test_figures_come_with_every_vintage_and_a_backtest_reads_them(tmp_path: Path) -> None:
    world = World(**WORLD)  # type: ignore[arg-type]
    found = fetched(world, "fred", ["CPIAUCSL", "unrate"], tmp_path)
    assert [(one.name, one.values) for one in found] == [
        ("macro.us_cpi", 3), ("macro.us_unemployment", 1),
    ]  # fmt: skip
    candles = tmp_path / "demo_BTCUSDT_1d.csv"
    rows = [f"{T0 // 10**9 + 86_400 * n},1,2,1,2,5" for n in range(100)]
    candles.write_text("\n".join(["ts,open,high,low,close,volume", *rows]))
    config = tmp_path / "c.toml"
    config.write_text(
        f'[market]\nsource = "recorded"\ndirectory = "{tmp_path}"\n\n{as_settings(found)}'
    )
    source = open_source(load_config(config, {}).config)
    assert isinstance(source, RecordedSource)
    assert source.verdicts.total(Action.REJECT) == 0
    (block,) = source.blocks()
    assert sorted(block.series) == ["macro.us_cpi", "macro.us_unemployment"]
    # The day of its release is over in St. Louis before the first figure of January is known.
    known = block.series["macro.us_cpi"]
    at = int((known.value[:, 0] == 308.4).argmax())
    assert iso(int(known.known_at[at, 0])) == "2024-02-14T06:00:00+00:00"


def test_a_series_that_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with served(World(**WORLD)) as world:  # type: ignore[arg-type]
            clock = LiveClock()
            opening = Opening(clock, {}, RateLimits(clock), world.base)
            plans = plan_series("ecb", ["USD"])
            first = await fetch_series("ecb", plans, opening, YEAR, tmp_path)
            asked = len(world.asked)
            again = await fetch_series("ecb", plans, opening, YEAR, tmp_path)
            assert (first[0].values, again[0].values) == (2, None)
            assert len(world.asked) == asked
            longer = Stretch(EVER, YEAR.end)
            (more,) = await fetch_series("ecb", plans, opening, longer, tmp_path)
            assert (more.values, more.stretch) == (2, longer)

    asyncio.run(go())


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    world = World(**WORLD)  # type: ignore[arg-type]
    world.faults.extend([None, *[says(400, "Bad Request.")] * 3])
    with pytest.raises(SourceError, match="400"):
        fetched(world, "fred", ["UNRATE", "CPIAUCSL"], tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["macro.us_unemployment.parquet"]


def test_moods_are_one_series(tmp_path: Path) -> None:
    world = World(**WORLD)  # type: ignore[arg-type]
    (found,) = fetched(world, "fear_greed", [], tmp_path)
    assert (found.name, found.values) == ("sentiment.fear_greed", 5)


def test_moods_are_known_a_day_after_their_date_and_no_later(tmp_path: Path) -> None:
    """Every one of them is released at a midnight, which is an instant and not a day."""
    (found,) = fetched(World(**WORLD), "fear_greed", [], tmp_path)  # type: ignore[arg-type]
    file = SeriesFile(found.path, found.name, released="released")
    channel = read_series(file, (), IntakeReport())
    assert (channel.columns.ts_avail - channel.columns.ts_event).tolist() == [DAY] * 5


def test_what_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sentiment.fear_greed.parquet").write_bytes(b"mine")
    with pytest.raises(DataError, match="cannot be read"):
        fetched(World(**WORLD), "fear_greed", [], tmp_path)  # type: ignore[arg-type]
    assert (tmp_path / "sentiment.fear_greed.parquet").read_bytes() == b"mine"


def test_nothing_published_is_told(tmp_path: Path) -> None:
    empty = Stretch(EVER, EVER + DAY)
    with pytest.raises(SourceError, match="published nothing"):
        fetched(World(**WORLD), "fear_greed", [], tmp_path, empty)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("service", "names", "says"),
    [("fear_greed", ["BTC"], "takes no names"), ("reddit", [], "has no history")],
)
def test_what_cannot_be_fetched_is_refused(service: str, names: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan_series(service, names)


def test_a_figure_of_any_id_has_a_name() -> None:
    (plan,) = plan_series("fred", ["A191RL1Q225SBEA"])
    assert plan.name == "macro.a191rl1q225sbea"
