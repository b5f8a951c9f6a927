"""``mirrorcore replay``: a recorded run again, to the same fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import CheckFailedError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, a part of it, or last.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "replay")(replay)


def replay(session: Session, folder: RunsFolder, run: RunName) -> Answer:
    """Run a recorded run again; exit 5 if it comes out otherwise."""
    from mirrorcore.journal import RunRegistry
    from mirrorcore.swarm.rerun import rerun

    runs = folder.path(session)
    recorded = RunRegistry(runs).find(run)
    with progress(session, f"replay of {recorded.id}") as told:
        report = rerun(recorded, runs=runs, progress=told)
    expected = str(recorded.identity["fingerprint"])
    document = {
        "run_id": report.outcome.run_id,
        "repeats": recorded.id,
        "same": report.same,
        "fingerprint": report.outcome.fingerprint,
        "expected": expected,
        "differing": list(report.differing),
        "path": str(report.outcome.path),
    }

    def show(out: Console) -> None:
        if report.same:
            say(out, f"the same to the byte: fingerprint {expected}", "green")
        else:
            say(out, f"NOT the same: {', '.join(report.differing)} differ", "bold red")
            say(out, f"  recorded {expected}")
            say(out, f"  replayed {report.outcome.fingerprint}")
        say(out, f"Run     {report.outcome.path}")

    return Answer(document, show, 0 if report.same else CheckFailedError.exit_code)
