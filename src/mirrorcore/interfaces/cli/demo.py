"""``mirrorcore demo``: a simulated year, then paper in front of you, nothing to set up.

One agent is made to crash while you watch, so that its isolation, restart and recovery are seen.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.interfaces.cli.answer import INTERRUPTED, Answer, Session, say
from mirrorcore.interfaces.cli.dashboard import Dashboard, door_to
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Override, Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.interfaces.cli.outcomes import Told

SYMBOLS = 8
SPEED = 1200.0
"""Market seconds a wall second: four bars of five minutes pass each second."""

CRASHED = "ChainWatcher"
CRASH_AFTER = 6
CRASH_CALLS = 7
"""Five failures in a row open the breaker; the others fail probes of the restarted agent."""

SECONDS, WATCHED_SECONDS = 20.0, 300.0
"""How long paper goes on where nobody watches, and on a terminal, where there is time to look at
the dashboard and Ctrl-C to end it."""

_SECONDS = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="N",
        min=1,
        max=86_400,
        show_default=False,
        help=f"How long paper goes on; {SECONDS:g}, on a terminal {WATCHED_SECONDS:g} or Ctrl-C.",
    ),
]
_DAYS = Annotated[
    int, typer.Option("--days", metavar="N", min=1, max=3650, help="How long history is.")
]
_SEED = Annotated[
    int | None, typer.Option("--seed", metavar="N", show_default=False, help="Another market.")
]
_RUNS = Annotated[
    Path | None,
    typer.Option("--runs", metavar="DIR", show_default=False, help="Folder of the runs."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo")(demo)


def demo(
    session: Session,
    dashboard: Dashboard,
    seconds: _SECONDS = None,
    days: _DAYS = 365,
    seed: _SEED = None,
    runs: _RUNS = None,
) -> Answer:
    """Replay a simulated year, then trade paper in front of you. Start here."""
    settings = Settings(seed=seed, runs=runs)
    year = _replay_year(session, settings, days)
    if year.interrupted:
        return Answer({"replay": year.document(), "paper": None}, year.show, INTERRUPTED)
    if seconds is None:
        seconds = WATCHED_SECONDS if session.story.is_terminal else SECONDS
    paper = _trade_paper(session, settings, dashboard, days, seconds)

    def show(out: Console) -> None:
        paper.show(out)
        say(out, f"Report  {year.page}  (the history before)")

    document = {"replay": year.document(), "paper": paper.document()}
    return Answer(document, show, INTERRUPTED if paper.interrupted else 0)


def _replay_year(session: Session, settings: Settings, days: int) -> Told:
    """History through the whole swarm, told in a few lines."""
    config = load(session, settings, [*_MARKET, ("market.period", f"{days}d")]).config
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.swarm.replay import replay_history

    bars = config.market.bar_count
    story = session.story
    say(
        story,
        f"1/2  {'One simulated year' if days == 365 else f'{days} simulated days'}: {SYMBOLS} "
        f"symbols x {bars:,} five-minute bars, seed {config.seed}",
        "bold",
    )
    with progress(session, "replay", lines=True) as told:
        outcome = replay_history(config, progress=told)
    year = tell(session, outcome)
    _summarise(year, story)
    return year


def _summarise(year: Told, story: Console) -> None:
    """The year in short; the page has the rest."""
    from mirrorcore.report import HEADLINES, METRICS
    from mirrorcore.report.formatting import interval_text, measure_text

    results, found = year.results, year.evaluation
    run = results.identity
    rate = run.symbol_bars / run.cpu_s if run.cpu_s else 0.0
    say(
        story,
        f"     {run.symbol_bars:,} symbol bars in {run.cpu_s:.1f} CPU s ({rate:,.0f} a second), "
        f"{results.fills:,} fills, {len(results.closed_trades):,} trades, books "
        + ("balance" if results.accounting_residual == 0 else "DO NOT BALANCE"),
    )
    for name in HEADLINES:
        value, spread = found.measures[name], interval_text(name, found.interval(name))
        say(
            story,
            f"     {METRICS[name].label:15} {measure_text(name, value):>10}"
            f"   95 % interval {spread}",
        )
    verdict = found.verdict
    say(story, f"     {verdict.headline}: {'; '.join(verdict.reasons)}")
    say(story, f"     {year.page}", "dim")


def _trade_paper(
    session: Session, settings: Settings, dashboard: Dashboard, days: int, seconds: float
) -> Told:
    """The market goes on where history ended; what came before is the warm-up."""
    from mirrorcore.clock import DAY, SECOND

    base = load(session, settings, _MARKET, quiet=True).config
    first = days * DAY // base.market.bar
    # A few bars more than the clock lets pass, so that it is the clock that ends the run.
    passing = math.ceil(seconds * SPEED * SECOND / base.market.bar) + 100
    fault = {"agent": CRASHED, "at": first + CRASH_AFTER, "kind": "raise", "count": CRASH_CALLS}
    more: list[Override] = [
        *_MARKET,
        ("market.bars", first + passing),
        ("paper.speed", SPEED),
        ("faults", [fault]),
        *dashboard.overrides(),
    ]
    config = load(session, settings, more, quiet=True).config
    from mirrorcore.interfaces.cli.live import Spectator
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.swarm.paper import run_paper

    story = session.story
    say(story, "")
    say(
        story,
        f"2/2  Paper for {seconds:g} s, four bars a second; {CRASHED} will be made to crash",
        "bold",
    )
    with Spectator(session, lines=True) as eye:
        outcome = run_paper(
            config,
            seconds=seconds,
            start_tick=first,
            warm=eye.warm,
            watch=eye.watch,
            attach=door_to(session, config),
        )
        session.outlast_ctrl_c()
    return tell(session, outcome)


_MARKET: list[Override] = [
    ("market.source", "simulated"),
    ("market.preset", "default"),
    ("market.symbols", SYMBOLS),
    ("market.timeframe", "5m"),
]
