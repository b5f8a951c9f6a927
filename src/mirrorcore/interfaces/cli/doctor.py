"""``mirrorcore doctor``: is everything here that a run needs?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.interfaces.cli.examinations import Finding

_CONFIG = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", show_default=False, help="TOML file to check."),
]
_RUNS = Annotated[
    Path | None,
    typer.Option("--runs", metavar="DIR", show_default=False, help="Folder of the runs."),
]
_VENUE = Annotated[
    str | None,
    typer.Option(
        "--venue", metavar="NAME", show_default=False, help="Compare clocks with this venue."
    ),
]
_URL = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", show_default=False, help="A local exchange in its place."),
]
_STYLE = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor")(doctor)


def doctor(
    session: Session,
    config: _CONFIG = None,
    runs: _RUNS = None,
    venue: _VENUE = None,
    url: _URL = None,
) -> Answer:
    """Look at installation, configuration, keys, clock and disk; exit 1 if anything is amiss."""
    from mirrorcore.interfaces.cli import examinations
    from mirrorcore.interfaces.cli.data_fetch import server

    base = server(url)
    found: list[Finding] = [
        *examinations.versions(),
        *examinations.extras(),
        examinations.time_zones(),
    ]
    judged = examinations.configuration(session, config, runs)
    found += [
        *judged.found,
        *examinations.sources(judged.sources),
        *examinations.keys(judged.sources),
        *examinations.disk(judged.runs),
        examinations.open_files(),
    ]
    if venue is not None or base:
        found.append(examinations.clock_offset(venue or "binance", base))
    levels = [one.level for one in found]
    document = {
        "healthy": "problem" not in levels,
        "findings": [
            {"subject": one.subject, "level": one.level, "says": one.says, "hint": one.hint or None}
            for one in found
        ],
    }
    return Answer(document, lambda out: _show(found, out), 1 if "problem" in levels else 0)


def _show(found: list[Finding], out: Console) -> None:
    width = max(len(one.subject) for one in found)
    for one in found:
        say(out, f"{one.level:8} {one.subject:{width}}  {one.says}", _STYLE[one.level])
        if one.hint:
            say(out, f"{'':8} {'':{width}}  → {one.hint}")
    problems = sum(one.level == "problem" for one in found)
    warnings = sum(one.level == "warning" for one in found)
    say(out, "")
    if problems or warnings:
        say(out, f"{problems} problems, {warnings} warnings", "bold")
    else:
        say(out, "everything is well", "green")
