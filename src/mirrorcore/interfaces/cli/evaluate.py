"""``mirrorcore evaluate``: is what the swarm earns more than luck, on this market?"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Override, Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.config.model import RunConfig
    from mirrorcore.interfaces.cli.outcomes import Told
    from mirrorcore.swarm.evaluate import SwarmEvaluation, Variation

MOST_VARIATIONS = 64
_SCALED = (("fusion.ridge_days", (0.3, 3.0)), ("fusion.smoothing", (0.5, 2.0)),
           ("fusion.band", (0.5, 2.0)), ("fusion.half_life", (0.5,)))  # fmt: skip
"""What is varied unless something else is asked for, by these factors, one at a time."""

_FIXED = ("market", "seed", "storage", "journal", "paper", "schema_version", "account")
"""Not the swarm's configuration but what it is tried on, or where that is kept."""

_VARY = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="KEY=A,B,C",
        show_default=False,
        help="Try these values of a setting; may be repeated, and then all combinations are tried. "
        "Without it a few settings of the fusion are varied one at a time.",
    ),
]
_JOBS = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, max=256, show_default=False,
                 help="Processes at a time; as many as there are processors by default."),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "evaluate")(evaluate)


def evaluate(
    session: Session, settings: Settings, vary: _VARY = None, jobs: _JOBS = None
) -> Answer:
    """Replay, vary and stress a configuration, and judge whether it is more than luck."""
    config = load(session, settings).config
    variations = _variations(session, settings, config, vary)
    from mirrorcore.interfaces.cli.outcomes import tell
    from mirrorcore.swarm.evaluate import evaluate_run, run_watched

    with progress(session, "replay") as run_told:
        watched = run_watched(config, run_told)
    if not watched.finished:
        return tell(session, watched.outcome).answer()
    session.written.append(watched.outcome.path.resolve())
    workers = jobs or os.cpu_count() or 1
    with progress(session, f"{2 + len(variations)} more replays") as told:
        found = evaluate_run(watched, variations, workers=workers, told=told)
    story = tell(session, found.run)
    document = {**story.document(), "evaluation": found.document}
    return Answer(document, lambda out: _show(out, story, found), story.exit_code)


def _variations(
    session: Session, settings: Settings, config: RunConfig, vary: list[str] | None
) -> list[Variation]:
    """The configurations to try beside the one given, without repetitions."""
    from mirrorcore.config import to_toml
    from mirrorcore.swarm.evaluate import Variation

    changes = _asked(vary) if vary else _usual(config)
    seen, found = {to_toml(config)}, []
    for change in changes:
        varied = load(session, settings, change, quiet=True).config
        if to_toml(varied) not in seen:
            seen.add(to_toml(varied))
            found.append(Variation(", ".join(f"{key}={value}" for key, value in change), varied))
    return found


def _asked(vary: list[str]) -> list[list[Override]]:
    """Every combination of the values of ``--vary``."""
    axes: list[list[Override]] = []
    for text in vary:
        key, equals, values = text.partition("=")
        key = key.strip()
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if not equals or not key or not listed:
            raise UsageError(f"--vary {text!r} has no values", hint="as --vary fusion.band=0.5,1,2")
        if key.split(".")[0] in _FIXED:
            raise UsageError(
                f"--vary {key} changes what the swarm is tried on, not the swarm",
                hint="vary settings of fusion, agents, agent, risk or costs",
            )
        if any(key == other for axis in axes for other, _ in axis):
            raise UsageError(f"--vary {key} is given twice", hint="list its values in one")
        axes.append([(key, value) for value in listed])
    count = 1
    for axis in axes:
        count *= len(axis)
    if count > MOST_VARIATIONS:
        raise UsageError(
            f"--vary asks for {count} configurations, at most {MOST_VARIATIONS}",
            hint="each is a whole replay and a trial that deflates the Sharpe; try fewer values",
        )
    return [list(one) for one in itertools.product(*axes)]


def _usual(config: RunConfig) -> list[list[Override]]:
    """A few settings of the fusion by a factor, one at a time."""
    from mirrorcore.clock import SECOND
    from mirrorcore.config.render import leaves

    values = {".".join(map(str, path)): value for path, value in leaves(config)}
    numbers: dict[str, Any] = {
        "fusion.half_life": config.fusion.half_life,
        "fusion.smoothing": config.fusion.smoothing,
    }
    changes: list[list[Override]] = []
    for key, factors in _SCALED:
        for factor in factors:
            if key in numbers:
                seconds = max(1, round(numbers[key] * factor / SECOND))
                text = f"{seconds}s" if seconds % 3600 else f"{seconds // 3600}h"
                changes.append([(key, text)])
            else:
                changes.append([(key, values[key] * factor)])
    return changes


def _show(out: Console, story: Told, found: SwarmEvaluation) -> None:
    """The checks as a table, the variations, the verdict."""
    verdict = story.evaluation.verdict
    say(out, f"Evaluation of run {found.run.run_id}", "bold")
    say(out, "")
    out.print(_checks(found))
    say(out, "")
    out.print(_configurations(found))
    better = found.document["best_variation"]
    if better is not None:
        say(out, f"Best variation against the run: {better['label']}, SPA p {better['spa_p']:.3f}")
    say(out, "")
    style = {"evidence": "green", "weak": "yellow"}.get(verdict.evidence, "bold")
    say(out, verdict.headline, style)
    for reason in verdict.reasons:
        say(out, f"  {reason}")
    from mirrorcore.report.verdict import RULE

    say(out, "")
    say(out, RULE, "dim")
    story.show_places(out)
    say(out, f"Checks  {story.path / 'evaluation.json'}")


def _checks(found: SwarmEvaluation) -> Any:
    table = _table("check", "outcome", "figure", "needs")
    for check in found.checks:
        style = {True: "green", False: "red", None: "dim"}[check.passed]
        table.add_row(check.label, _styled(check.outcome, style), check.shown, check.bar)
    return table


def _configurations(found: SwarmEvaluation) -> Any:
    table = _table("configuration", "Sharpe")
    for one in found.document["configurations"]:
        sharpe = "n/a" if one["sharpe"] is None else f"{one['sharpe']:.2f}"
        table.add_row(one["label"], sharpe)
    return table


def _styled(text: str, style: str) -> Any:
    from rich.text import Text

    return Text(text, style=style)


def _table(*heads: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        table.add_column(head)
    return table
