"""What the doctor looks at. Each examination says what it found and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mirrorcore import __version__
from mirrorcore.errors import ConfigError, MirrorCoreError
from mirrorcore.interfaces.cli.answer import Session
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from mirrorcore.config.model import SourceConfig

Level = Literal["ok", "warning", "problem"]

_CORE = ("numpy", "msgspec", "pydantic", "typer", "rich", "polars", "plotly", "threadpoolctl")
_EXTRAS = {
    "exchange": (("ccxt", "aiohttp"), "exchanges, the local exchange, data fetch and record"),
    "sources": (("httpx", "stamina", "feedparser", "web3", "tzdata"), "services, feeds and chains"),
}
"""What an extra brings, and what is not there without it. A test compares with the project file."""
_LEAST_PYTHON = (3, 11)
_LITTLE, _TOO_LITTLE = 1 << 30, 100 << 20
"""Bytes of free disk: a year's journal of paper trading is some hundred MiB."""
_FEW_FILES = 1024
_CLOCK_ODD_NS, _CLOCK_WRONG_NS = 500_000_000, 2_500_000_000
"""Venues refuse what is signed with a time half their window, 5 s, away from theirs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. ``hint`` says what to do, empty where nothing is to be done."""

    subject: str
    level: Level
    says: str
    hint: str = ""


def versions() -> list[Finding]:
    """Python, this program, and what it cannot be without."""
    python = platform.python_version()
    old = sys.version_info < _LEAST_PYTHON
    found = [
        Finding("python", "problem", f"{python} is too old", "install 3.11 or newer")
        if old
        else Finding("python", "ok", f"{python} on {platform.system()} {platform.machine()}"),
        Finding("mirrorcore-x", "ok", __version__),
    ]
    there = {name: _version(name) for name in _CORE}
    lacking = [name for name, version in there.items() if version is None]
    listed = ", ".join(f"{name} {version}" for name, version in there.items() if version)
    if lacking:
        return [
            *found,
            Finding(
                "packages", "problem", f"{', '.join(lacking)} missing", "pip install mirrorcore-x"
            ),
        ]
    return [*found, Finding("packages", "ok", listed)]


def extras() -> Iterator[Finding]:
    """What may be left out."""
    for extra, (packages, purpose) in _EXTRAS.items():
        there = {name: _version(name) for name in packages}
        lacking = [name for name, version in there.items() if version is None]
        if lacking:
            yield Finding(
                f"extra {extra}",
                "warning",
                f"{', '.join(lacking)} not installed: no {purpose}",
                f"pip install mirrorcore-x[{extra}]",
            )
        else:
            listed = ", ".join(f"{name} {version}" for name, version in there.items())
            yield Finding(f"extra {extra}", "ok", listed)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def time_zones() -> Finding:
    """Whether the zones of those who publish are known here."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        for name in ("America/Chicago", "Europe/Berlin"):
            ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        return Finding("time zones", "problem", f"unknown: {error}", "pip install tzdata")
    return Finding("time zones", "ok", "known")


@dataclass(frozen=True, slots=True)
class Configured:
    """What came of the configuration: the folder of the runs and the sources that it names."""

    found: Sequence[Finding]
    runs: Path
    sources: Sequence[SourceConfig] = ()


def configuration(session: Session, file: Path | None, runs: Path | None) -> Configured:
    """Whether it is valid, and what else is to be looked at for it."""
    from mirrorcore.swarm.recruiting import recruit

    subject = str(file) if file is not None else "defaults and environment"
    try:
        loaded = load(session, Settings(config=file, runs=runs), quiet=True)
        members = recruit(loaded.config)
    except ConfigError as error:
        lines = [str(one) for one in getattr(error, "mistakes", ())] or [error.message]
        there = file is None or file.exists()
        advice = f"mend it in {subject}" if there else "check the path"
        wrong = [Finding("configuration", "problem", line, advice) for line in lines]
        return Configured(wrong, runs or Path("runs"))
    except MirrorCoreError as error:
        wrong = [Finding("configuration", "problem", error.message, error.hint)]
        return Configured(wrong, runs or Path("runs"))
    odd = [Finding("configuration", "warning", one) for one in loaded.warnings]
    sound = Finding("configuration", "ok", f"{subject}: valid, {len(members)} agents")
    return Configured([sound, *odd], loaded.config.storage.runs, loaded.config.sources)


def sources(configured: Sequence[SourceConfig]) -> Iterator[Finding]:
    """What each of ``[[sources]]`` reads from the environment; a run is refused without it."""
    from mirrorcore.config.source_params import variables_of

    for source in configured:
        names = variables_of(source)
        missing = [name for name in names if not os.environ.get(name)]
        subject = f"source {source.label}"
        if missing:
            are = "is" if len(missing) == 1 else "are"
            yield Finding(
                subject,
                "problem",
                f"{', '.join(missing)} {are} not set, and a live run is refused without",
                f"export {missing[0]}=… before you start",
            )
        elif names:
            yield Finding(subject, "ok", f"{', '.join(names)} set")
        else:
            yield Finding(subject, "ok", "needs no variable")


def keys(configured: Sequence[SourceConfig] = ()) -> Iterator[Finding]:
    """Keys of services by the variable that holds them; what is in it is never shown.

    Those that ``configured`` sources read were told with them.
    """
    from mirrorcore.config.source_params import variables_of
    from mirrorcore.data_sources.secret import Secret
    from mirrorcore.data_sources.services import SERVICES

    told = {name for source in configured for name in variables_of(source)}
    for service in SERVICES:
        if not service.keys or told.issuperset(service.keys):
            continue
        given = [name for name in service.keys if os.environ.get(name)]
        missing = [name for name in service.keys if name not in given]
        subject = f"key {service.name}"
        if not given:
            yield Finding(subject, "ok", f"not set, so {service.name} is not asked")
        elif missing:
            yield Finding(
                subject,
                "warning",
                f"{', '.join(given)} is set and {', '.join(missing)} is not",
                f"export {missing[0]}=… before you start, or unset the other",
            )
        else:
            try:
                for name in given:
                    Secret.from_environment(name, os.environ)
            except MirrorCoreError as error:
                yield Finding(subject, "problem", error.message, error.hint)
            else:
                yield Finding(subject, "ok", f"{', '.join(given)} set")


def disk(runs: Path) -> Iterator[Finding]:
    """Whether the folder of the runs can be written to, and how much room it has."""
    place = runs.absolute()
    while not place.exists():
        place = place.parent
    subject = f"folder {runs}"
    if not place.is_dir():
        yield Finding(subject, "problem", f"{place} is a file", "name another folder with --runs")
        return
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"mirrorcore")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Finding(
            subject,
            "problem",
            f"{place} cannot be written to: {error.strerror}",
            "change its rights, or name another folder with --runs",
        )
        return
    yield Finding(
        subject, "ok", "can be written to" + ("" if runs.is_dir() else ", made when used")
    )
    free = shutil.disk_usage(place).free
    level: Level = "ok" if free >= _LITTLE else "warning" if free >= _TOO_LITTLE else "problem"
    hint = "" if level == "ok" else "make room: a journal that cannot be written stops new risk"
    yield Finding("free disk", level, f"{free / (1 << 30):,.1f} GiB", hint)


def open_files() -> Finding:
    """How many files and sockets the process may have open."""
    try:
        import resource
    except ImportError:  # there is none on Windows
        return Finding("open files", "ok", "this system sets no limit that can be read")
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= _FEW_FILES:
        return Finding("open files", "ok", f"{limit:,} at once")
    raised = (
        f"ulimit -n {_FEW_FILES}" if most < 0 or most >= _FEW_FILES else "ask your administrator"
    )
    return Finding("open files", "warning", f"{limit:,} at once are few for live sources", raised)


def clock_offset(venue: str, url: str) -> Finding:
    """How far our clock is from a venue's, half the round trip taken off."""
    import asyncio

    from mirrorcore.clock import MILLISECOND, LiveClock

    clock, subject = LiveClock(), f"clock against {venue}"

    async def measured() -> tuple[int, int]:
        from mirrorcore.data_sources.exchange import ExchangeSource

        source = ExchangeSource(venue, ["BTC/USDT"], url=url or None, clock=clock)
        try:
            await source.server_time()  # the first call makes the connection
            sent = clock.now()
            told = await source.server_time()
            came = clock.now()
        finally:
            await source.aclose()
        return (sent + came) // 2 - told, came - sent

    try:
        offset, trip = asyncio.run(measured())
    except MirrorCoreError as error:
        if getattr(error, "case", "") == "unsupported":
            return Finding(subject, "warning", f"{venue} tells no time", "compare with another")
        return Finding(subject, "problem", error.message, error.hint or "check the address")
    says = f"{offset / MILLISECOND:+,.0f} ms, round trip {trip / MILLISECOND:,.0f} ms"
    if abs(offset) <= _CLOCK_ODD_NS:
        return Finding(subject, "ok", says)
    level: Level = "problem" if abs(offset) > _CLOCK_WRONG_NS else "warning"
    return Finding(subject, level, says, "let this machine's clock be set by NTP")
