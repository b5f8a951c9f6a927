"""``mirrorcore data fetch``: the past of a venue or a service, into files that a backtest reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import INTERRUPTED, Answer, Session, say
from mirrorcore.interfaces.cli.instants import instant
from mirrorcore.interfaces.cli.progress import Progress, progress
from mirrorcore.interfaces.cli.registration import command

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.checked import Checked
    from mirrorcore.data_sources.fetching.candles import CandleFetch, Fetched
    from mirrorcore.data_sources.fetching.series import FetchedSeries

_SOURCE = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A venue, or fred, ecb, fear_greed.")
]
_NAMES = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        show_default=False,
        help="Symbols of a venue, ids of FRED, currencies of the ECB.",
    ),
]
_KEPT = "what came is kept: the same command goes on from there"


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What is fetched and where it goes."""

    timeframe: Annotated[
        str, typer.Option("--timeframe", metavar="DURATION", help="Length of a candle.")
    ] = "5m"
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            show_default=False,
            help="As 2024-01-31 or 30d ago; 30d for candles, everything for series.",
        ),
    ] = None
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help="Not included.")] = "now"
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.")] = Path(
        "candles"
    )
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            show_default=False,
            help="Another server that speaks for the source, as a local exchange.",
        ),
    ] = None


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "fetch")(fetch)


def fetch(session: Session, what: FetchOptions, source: _SOURCE, name: _NAMES = None) -> Answer:
    """Fetch history into files a backtest reads; a call that was killed is gone on with."""
    from mirrorcore.config.source_params import PARAMS

    if source in PARAMS:  # a service; a venue has a name of its own
        return _fetch_series(session, source, name or [], what)
    return _fetch_candles(session, source, name or [], what)


def server(url: str | None) -> str:
    """The address of a server, without what the program adds itself; UsageError for none."""
    if url is None:
        return ""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--url was {url!r}, no address", hint="write http://127.0.0.1:8787")
    return url.rstrip("/").removesuffix("/api/v3")


def _fetch_candles(session: Session, venue: str, names: list[str], what: FetchOptions) -> Answer:
    from mirrorcore.clock import wall_now
    from mirrorcore.data_sources.checking import Reading, check_file
    from mirrorcore.data_sources.exchange.client import require_venue
    from mirrorcore.data_sources.fetching.candles import CandleFetch, fetch_candles
    from mirrorcore.data_sources.fetching.venue_candles import VenueCandles
    from mirrorcore.data_sources.importing import parse_symbol
    from mirrorcore.market.timeframe import parse_timeframe

    if not names:
        require_venue(venue)
        raise UsageError(
            f"no symbol of {venue} was named", hint=f"as in mirrorcore data fetch {venue} BTC/USDT"
        )
    now = wall_now()
    try:
        bar_ns = parse_timeframe(what.timeframe)
    except ValueError as error:
        raise UsageError(f"--timeframe {error}", hint="write 1m, 5m, 1h or 1d") from None
    since = instant("--since", what.since or "30d", now)
    until = None if what.until == "now" else instant("--until", what.until, now)
    if until is not None and since >= until:
        raise UsageError("--since is not before --until")
    symbols = list(dict.fromkeys(parse_symbol(part) for name in names for part in name.split(",")))
    url = server(what.url)
    asked = [CandleFetch(venue, one, bar_ns, since, until, what.out, url) for one in symbols]
    done: list[Fetched] = []

    async def all_of_them() -> None:
        async with VenueCandles(venue, url=url) as pages:
            for one in asked:
                with progress(session, f"{venue} {one.symbol}", lines=True) as told:
                    done.append(await fetch_candles(one, pages, now=now, tell=told))

    interrupted = _run(all_of_them())
    checked = [check_file(one.path, Reading()) for one in done]
    return _told_candles(asked, done, checked, interrupted)


def _run(work: Any) -> bool:
    """Whether it was interrupted."""
    import asyncio

    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return True
    return False


def _told_candles(
    asked: list[CandleFetch], done: list[Fetched], checked: list[Checked], interrupted: bool
) -> Answer:
    from mirrorcore.clock import iso
    from mirrorcore.interfaces.cli.verdicts import UNUSABLE, described, verdict_line

    document = {
        "files": [
            {
                "path": one.path,
                "start": iso(one.stretch.start),
                "end": iso(one.stretch.end),
                "first": None if one.first is None else iso(one.first),
                "resumed": one.resumed,
                "requests": one.pages,
                "verdict": described(verdict),
            }
            for one, verdict in zip(done, checked, strict=True)
        ],
        "interrupted": interrupted,
    }

    def show(out: Console) -> None:
        for one, verdict in zip(done, checked, strict=True):
            first, end = iso(one.stretch.start), iso(one.stretch.end)
            again = " (gone on with)" if one.resumed else ""
            say(out, f"{one.path}{again}: {first[:16]} to {end[:16]} UTC")
            if one.first is not None and one.first > one.stretch.start:
                say(out, f"  the venue has nothing before {iso(one.first)[:16]} UTC", "yellow")
            verdict_line(verdict, out)
        if interrupted:
            say(out, f"interrupted after {len(done)} of {len(asked)} files; {_KEPT}", "yellow")
        elif done:
            say(out, f"read them with: mirrorcore backtest --data {done[0].path.parent}", "dim")

    bad = any(not one.usable for one in checked)
    return Answer(document, show, INTERRUPTED if interrupted else UNUSABLE if bad else 0)


def _fetch_series(session: Session, service: str, names: list[str], what: FetchOptions) -> Answer:
    from mirrorcore.clock import LiveClock
    from mirrorcore.data_sources.fetching.series import EVER, fetch_series, plan_series
    from mirrorcore.data_sources.fetching.stretches import Stretch
    from mirrorcore.data_sources.running.rate_limits import RateLimits
    from mirrorcore.data_sources.services import Opening

    plans = plan_series(service, [part for name in names for part in name.split(",")])
    clock = LiveClock()
    now = clock.now()
    since = EVER if what.since is None else instant("--since", what.since, now)
    until = instant("--until", what.until, now)
    if since >= until:
        raise UsageError("--since is not before --until")
    opening = Opening(clock, os.environ, RateLimits(clock), server(what.url))
    found: list[FetchedSeries] = []

    async def all_of_them(told: Progress) -> None:
        for number, plan in enumerate(plans):
            told(number, len(plans))
            span = Stretch(since, until)
            found.extend(await fetch_series(service, [plan], opening, span, what.out))

    with progress(session, service, lines=True) as told:
        interrupted = _run(all_of_them(told))
    return _told_series(found, len(plans), interrupted)


def _told_series(found: list[FetchedSeries], planned: int, interrupted: bool) -> Answer:
    from mirrorcore.data_sources.fetching.series import as_settings

    settings = as_settings(found)
    document = {
        "files": [
            {
                "series": one.name,
                "path": one.path,
                "values": one.values,
                "there": one.values is None,
            }
            for one in found
        ],
        "settings": settings,
        "interrupted": interrupted,
    }

    def show(out: Console) -> None:
        for one in found:
            came = "was there already" if one.values is None else f"{one.values:,} values"
            say(out, f"{one.path}: {came}")
        if interrupted:
            say(out, f"interrupted after {len(found)} of {planned} series; {_KEPT}", "yellow")
        if found:
            say(out, "for a configuration:", "dim")
            say(out, "")
            say(out, settings.rstrip())

    return Answer(document, show, INTERRUPTED if interrupted else 0)
