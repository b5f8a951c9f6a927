"""``mirrorcore check``: does this swarm keep its promises on this market?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import CheckFailedError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.progress import Progress, progress
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.swarm.checks import CheckReport

_CUTS = Annotated[int, typer.Option("--cuts", min=1, max=1000, help="How many cuts are tried.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    checks = group("Check a promise; exit 5 where it is broken.")
    command(checks, "determinism")(determinism)
    command(checks, "lookahead")(lookahead)
    command(checks, "accounting")(accounting)
    app.add_typer(checks, name="check")


def determinism(session: Session, settings: Settings) -> Answer:
    """Same inputs, same run: other blocks, another process, another hash seed."""
    config = load(session, settings).config
    from mirrorcore.swarm.checks import check_determinism

    return _verdict(session, lambda told: check_determinism(config, progress=told))


def lookahead(session: Session, settings: Settings, cuts: _CUTS = 10) -> Answer:
    """Cutting the future off changes nothing before the cut."""
    config = load(session, settings).config
    from mirrorcore.swarm.checks import check_lookahead

    return _verdict(session, lambda told: check_lookahead(config, cuts=cuts, progress=told))


def accounting(session: Session, settings: Settings) -> Answer:
    """The books balance at every step and agree with a second bookkeeping."""
    config = load(session, settings).config
    from mirrorcore.swarm.checks import check_accounting

    return _verdict(session, lambda told: check_accounting(config, progress=told))


def _verdict(session: Session, check: Callable[[Progress], CheckReport]) -> Answer:
    with progress(session, "check") as told:
        report = check(told)

    def show(out: Console) -> None:
        for line in report.lines:
            say(out, f"  {line}")
        verdict = "passed" if report.passed else "FAILED"
        say(out, f"{report.name}: {verdict}", "green" if report.passed else "bold red")

    document = {
        "check": report.name,
        "passed": report.passed,
        "lines": list(report.lines),
        "details": report.details,
    }
    return Answer(document, show, 0 if report.passed else CheckFailedError.exit_code)
