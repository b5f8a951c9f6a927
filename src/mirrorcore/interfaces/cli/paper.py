"""``mirrorcore run``: the swarm trades on paper, at the pace of the market or a multiple of it."""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorcore.errors import RefusedError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session
from mirrorcore.interfaces.cli.backtest import NoReport
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Override, Settings, load

_MODE = Annotated[str, typer.Option("--mode", metavar="paper|live", help="Live is refused so far.")]
_SECONDS = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="N",
        show_default=False,
        help="Wall seconds after which it ends; 0 goes on until Ctrl-C or the market's end.",
    ),
]
_SPEED = Annotated[
    float | None,
    typer.Option(
        "--speed", metavar="X", show_default=False, help="Market seconds a wall second; 1 is live."
    ),
]
_WARMUP = Annotated[
    str | None,
    typer.Option(
        "--warmup", metavar="DURATION", show_default=False, help="History taken in before, as 7d."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "run")(run)


def run(
    session: Session,
    settings: Settings,
    mode: _MODE = "paper",
    seconds: _SECONDS = None,
    speed: _SPEED = None,
    warmup: _WARMUP = None,
    no_report: NoReport = False,
) -> Answer:
    """Trade on paper in front of you; Ctrl-C ends it and reports."""
    _check_mode(mode)
    more: list[Override] = [
        (key, value)
        for key, value in (
            ("paper.seconds", None if seconds is None else float(seconds)),
            ("paper.speed", speed),
            ("paper.warmup", warmup),
        )
        if value is not None
    ]
    config = load(session, settings, more).config
    from mirrorcore.interfaces.cli.live import Spectator
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.interfaces.cli.stalls import name_stall
    from mirrorcore.swarm.paper import run_paper

    with Spectator(session) as eye:
        outcome = run_paper(
            config,
            seconds=config.paper.seconds,
            warm=eye.warm,
            watch=eye.watch,
            stalled=name_stall,
        )
    return tell(session, outcome, page=not no_report).answer()


def _check_mode(mode: str) -> None:
    if mode == "live":
        raise RefusedError(
            "live trading is not there yet: no order of this version leaves this machine",
            hint="'mirrorcore run' trades on paper, with the same swarm and the same order path",
        )
    if mode != "paper":
        raise UsageError(f"--mode was {mode!r}, must be paper or live")
