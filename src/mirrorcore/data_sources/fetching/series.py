"""Histories of services into files, one a series, as ``[[market.series]]`` reads them.

A series is small and comes in a few answers, so it is fetched whole: a call that was killed goes on
with the series it had not reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.fetching.stretches import Stretch, hull, missing
from mirrorcore.data_sources.fetching.whole_files import origin_of
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.macro import ecb, fred
from mirrorcore.data_sources.observation_files import write_observations
from mirrorcore.data_sources.services import FRED_SERIES, Opening, open_service
from mirrorcore.data_sources.social import fear_greed
from mirrorcore.errors import DataError, UsageError
from mirrorcore.journal.files import make_folder
from mirrorcore.market.records import Observation

Told = Callable[[int, int | None], None]


@runtime_checkable
class KeepsHistory(Protocol):
    """A service that can be asked for what it published earlier."""

    async def history(self, start: int, end: int) -> Sequence[Observation]:
        """What was published in [start, end) ns, in order of release."""

    async def aclose(self) -> None:
        """Give up connections."""


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """One series of a service and how the service is opened for it alone."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FetchedSeries:
    """One file. ``values`` is their number; None where it was there already."""

    name: str
    path: Path
    stretch: Stretch
    values: int | None


SERVICES_WITH_HISTORY = ("fred", "ecb", "fear_greed")


def plan_series(service: str, names: Sequence[str]) -> list[SeriesPlan]:
    """What is fetched of a service: the names given (FRED's ids, currencies), or its usual ones.

    Raises
    ------
    UsageError
        for a service without history, or names where it takes none.
    """
    if service == "fear_greed":
        if names:
            raise UsageError("fear_greed is one series and takes no names")
        return [SeriesPlan(fear_greed.SERIES, {})]
    if service == "ecb":
        wanted = [one.upper() for one in names] or ["USD", "JPY", "GBP"]
        return [SeriesPlan(ecb.series_of(one), {"currencies": (one,)}) for one in wanted]
    if service == "fred":
        usual = {one.series_id: one for one in FRED_SERIES}
        given = [usual.get(name.upper()) or _figure(name.upper()) for name in names]
        return [SeriesPlan(one.name, {"series": (one,)}) for one in given or FRED_SERIES]
    raise UsageError(
        f"{service} has no history that can be fetched",
        hint=f"there are {', '.join(SERVICES_WITH_HISTORY)} and the venues of ccxt",
    )


def _figure(series_id: str) -> fred.FredSeries:
    plain = "".join(letter if letter.isalnum() else "_" for letter in series_id.lower())
    return fred.FredSeries(series_id, f"macro.{plain}", "as the service says")


async def fetch_series(
    service: str,
    plans: Sequence[SeriesPlan],
    opening: Opening,
    asked: Stretch,
    out: Path,
    *,
    tell: Told | None = None,
) -> list[FetchedSeries]:
    """Fetch each series that is not there yet for the whole of ``asked``.

    Raises
    ------
    SourceError
        where the service fails; what came is kept.
    DataError
        where a file of the name is there and is something else.
    """
    done = []
    for number, plan in enumerate(plans):
        if tell is not None:
            tell(number, len(plans))
        done.append(await _fetch(service, plan, opening, asked, out))
    if tell is not None:
        tell(len(plans), len(plans))
    return done


async def _fetch(
    service: str, plan: SeriesPlan, opening: Opening, asked: Stretch, out: Path
) -> FetchedSeries:
    path = out / f"{plan.name}.parquet"
    identity = {
        "kind": "series",
        "source": service,
        "series": plan.name,
        "server": opening.base_url or "the service's own",
    }
    there = _covered(path, identity)
    if there is not None and not missing(asked, [there]):
        return FetchedSeries(plan.name, path, there, None)
    whole = asked if there is None else hull([asked, there])
    source = open_service(service, opening, plan.options)
    try:
        if not isinstance(source, KeepsHistory):
            raise AssertionError(f"{service} is listed as having a history and has none")
        found = await source.history(whole.start, whole.end)
    finally:
        await source.aclose()
    if not found:
        raise SourceError(
            f"{service} published nothing of {plan.name} in that time", hint="give other dates"
        )
    make_folder(out, "files")
    write_observations(path, found, {**identity, "start": whole.start, "end": whole.end})
    return FetchedSeries(plan.name, path, whole, len(found))


def _covered(path: Path, identity: Mapping[str, str]) -> Stretch | None:
    if not path.is_file():
        return None
    origin = origin_of(path)
    if origin is None or {key: origin.get(key) for key in identity} != identity:
        raise DataError(
            f"{path}: the file is there and holds something else",
            hint="move it away, or fetch into another folder with --out",
        )
    return Stretch(int(origin["start"]), int(origin["end"]))


def as_settings(found: Sequence[FetchedSeries]) -> str:
    """The ``[[market.series]]`` by which a backtest reads the files."""
    from mirrorcore.config.mistakes import toml_value

    blocks = [
        f'[[market.series]]\nname = "{one.name}"\npath = {toml_value(str(one.path))}\n'
        'time = "date"\nreleased = "released"\n'
        for one in found
    ]
    return "\n".join(blocks)


EVER = -2_208_988_800 * SECOND
"""1900-01-01: before every series and every market of ours."""
