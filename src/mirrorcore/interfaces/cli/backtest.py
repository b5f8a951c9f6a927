"""``mirrorcore backtest``: history through the swarm, as fast as the machine allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import INTERRUPTED, Answer, Session, say
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.config import RunConfig
    from mirrorcore.interfaces.cli.outcomes import Told

NoReport = Annotated[bool, typer.Option("--no-report", help="Write no HTML page.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "backtest")(backtest)


def backtest(session: Session, settings: Settings, no_report: NoReport = False) -> Answer:
    """Replay a simulated or recorded history and report; with --without, side by side."""
    names = settings.left_out()
    config = load(session, settings).config
    if not names:
        return _run(session, config, "replay", page=not no_report).answer()
    config = load(session, replace(settings, without=None), quiet=True).config
    # Built before anything runs: whoever cannot be left out is named at once.
    shortened = _without(session, settings, config, names)
    whole = _run(session, config, "replay of the whole swarm", page=not no_report, last=False)
    if whole.interrupted:
        return whole.answer()
    other = _run(session, shortened, f"replay without {', '.join(names)}", page=not no_report)
    return _side_by_side(names, whole, other)


def _without(
    session: Session, settings: Settings, config: RunConfig, names: list[str]
) -> RunConfig:
    """The same configuration with more agents left out."""
    from mirrorcore.swarm.recruiting import recruit

    before = list(config.agents.without)
    again = [name for name in names if name in before]
    if again:
        raise UsageError(
            f"{', '.join(again)} is left out by the configuration already, so there is nothing to "
            "compare",
            hint="take it out of agents.without",
        )
    more: list[tuple[str, object]] = [("agents.without", [*before, *names])]
    shortened = load(session, replace(settings, without=None), more, quiet=True).config
    recruit(shortened)
    return shortened


def _run(session: Session, config: RunConfig, title: str, *, page: bool, last: bool = True) -> Told:
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.interfaces.cli.stalls import name_stall
    from mirrorcore.swarm.replay import replay_history

    with progress(session, title) as told:
        outcome = replay_history(config, progress=told, stalled=name_stall)
        if last or outcome.results.identity.status == "interrupted":
            session.outlast_ctrl_c()
    return tell(session, outcome, page=page)


def _side_by_side(names: list[str], whole: Told, other: Told) -> Answer:
    """Both runs and their difference; the document is that of the run without, and more."""
    from mirrorcore.report.comparison import compare, render_comparison

    if other.interrupted:

        def unfinished(out: Console) -> None:
            say(
                out, "interrupted before the second run was complete; nothing is compared", "yellow"
            )
            whole.show_places(out)
            other.show_places(out)

        return Answer({**other.document(), "whole": whole.document()}, unfinished, INTERRUPTED)
    found = compare(names, (whole.results, whole.evaluation), (other.results, other.evaluation))

    def show(out: Console) -> None:
        render_comparison(found, out)
        say(out, "")
        for title, told in (("Whole swarm:", whole), ("Without:", other)):
            say(out, title, "dim")
            told.show_places(out)

    document = {**other.document(), "whole": whole.document(), "comparison": found.document()}
    return Answer(document, show)
