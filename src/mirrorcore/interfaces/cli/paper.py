"""``mirrorcore run``: the swarm trades on paper, at the pace of the market or a multiple of it."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import RefusedError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.backtest import NoReport
from mirrorcore.interfaces.cli.dashboard import Dashboard, door_to
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Override, Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.config.model import RunConfig

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


_SOURCE = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="simulated|recorded|exchange",
        show_default=False,
        help="Where the market comes from; exchange is a venue as it trades now.",
    ),
]
_VENUE = Annotated[
    str | None,
    typer.Option("--venue", metavar="NAME", show_default=False, help="Which, as CCXT calls it."),
]
_URL = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        show_default=False,
        help="A local exchange in place of the venue's own hosts.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "run")(run)


def run(
    session: Session,
    settings: Settings,
    dashboard: Dashboard,
    mode: _MODE = "paper",
    seconds: _SECONDS = None,
    speed: _SPEED = None,
    warmup: _WARMUP = None,
    source: _SOURCE = None,
    venue: _VENUE = None,
    url: _URL = None,
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
            ("market.source", source),
            ("exchange.venue", venue),
            ("exchange.url", url),
        )
        if value is not None
    ]
    more += dashboard.overrides()
    config = load(session, settings, more).config
    from mirrorcore.interfaces.cli.live import Spectator
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.interfaces.cli.stalls import name_stall
    from mirrorcore.swarm.paper import run_paper

    if config.market.source == "exchange":
        return _live(session, config, settings.left_out(), page=not no_report)
    with Spectator(session) as eye:
        outcome = run_paper(
            config,
            seconds=config.paper.seconds,
            warm=eye.warm,
            watch=eye.watch,
            stalled=name_stall,
            attach=door_to(session, config),
        )
        session.outlast_ctrl_c()
    return tell(session, outcome, page=not no_report).answer()


def _live(session: Session, config: RunConfig, without: list[str], *, page: bool) -> Answer:
    """On a venue: the same, and how its sources did."""
    from mirrorcore.interfaces.cli.live import Spectator
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.interfaces.cli.sources_screen import show_bars, show_health
    from mirrorcore.interfaces.cli.stalls import name_stall
    from mirrorcore.swarm.feeds import open_feed, open_sources
    from mirrorcore.swarm.live_paper import run_live
    from mirrorcore.swarm.source_remarks import SourceRemarks

    sources = open_sources(config, os.environ)
    beside = (one for group in sources.values() for one in group)
    SourceRemarks(beside, partial(_warn, session)).pass_on()
    with Spectator(session) as eye:
        ended = run_live(
            config,
            open_feed(config),
            sources=sources,
            seconds=config.paper.seconds,
            without=without,
            warm=eye.warm,
            watch=eye.watch,
            stalled=name_stall,
            attach=door_to(session, config),
        )
        session.outlast_ctrl_c()
    told = tell(session, ended.outcome, page=page)
    document = {
        **told.document(),
        "sources": {name: asdict(one) for name, one in ended.health.items()},
        "late_trades": ended.late,
        "bars_against_the_venue": asdict(ended.bars),
    }

    def show(out: Console) -> None:
        told.show(out)
        show_health(out, ended.health, ended.late)
        show_bars(out, ended.bars)

    return Answer(document, show, told.exit_code)


def _warn(session: Session, text: str) -> None:
    say(session.remarks, f"warning: {text}", "yellow")


def _check_mode(mode: str) -> None:
    if mode == "live":
        raise RefusedError(
            "live trading is not there yet: no order of this version leaves this machine",
            hint="'mirrorcore run' trades on paper, with the same swarm and the same order path",
        )
    if mode != "paper":
        raise UsageError(f"--mode was {mode!r}, must be paper or live")
