"""``mirrorcore backtest``: history through the swarm, as fast as the machine allows."""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Settings, load

NoReport = Annotated[bool, typer.Option("--no-report", help="Write no HTML page.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "backtest")(backtest)


def backtest(session: Session, settings: Settings, no_report: NoReport = False) -> Answer:
    """Replay a simulated or recorded history and report."""
    config = load(session, settings).config
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.swarm.replay import replay_history

    with progress(session, "replay") as told:
        outcome = replay_history(config, progress=told)
    return tell(session, outcome, page=not no_report).answer()
