"""``mirrorcore why``: what led to a decision, an order, a fill or a trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import CheckFailedError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.journal import RunInfo

_ID = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID",
        help="T12 (a trade), O17 or an order's id, O17/1 (a fill), D1234 or 2025-03-01T12:05 with "
        "a symbol (a decision). Without it: what there is to ask for.",
    ),
]
_RUN = Annotated[str, typer.Option("--run", metavar="RUN", help="A run's id, a part of it, last.")]
_LISTED = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "why")(why)


def why(session: Session, folder: RunsFolder, asked: _ID = None, run: _RUN = "last") -> Answer:
    """Explain a trade, order, fill or decision; exit 5 if it comes out otherwise than recorded."""
    from mirrorcore.journal import RunRegistry
    from mirrorcore.report.why_screen import render_why
    from mirrorcore.swarm.why import explain

    info = RunRegistry(folder.path(session)).find(run)
    if not asked:
        return _list(info)
    answer = explain(info, " ".join(asked))
    failed = answer.proof.same is False
    return Answer(
        answer.document(),
        lambda out: render_why(answer, out),
        CheckFailedError.exit_code if failed else 0,
    )


def _list(info: RunInfo) -> Answer:
    """What may be asked for: the last trades and orders."""
    from mirrorcore.swarm.why import what_there_is

    trades, orders, ticks = what_there_is(info, _LISTED)
    document = {"run_id": info.id, "trades": trades, "orders": orders, "decisions": ticks}

    def show(out: Console) -> None:
        say(out, f"run {info.id}: ask 'mirrorcore why ID', for instance", "bold")
        for text in trades:
            say(out, f"  {text}")
        for text in orders:
            say(out, f"  {text}")
        if ticks:
            say(out, f"  {' to '.join(ticks)}: the decision at a tick, or at an instant, with a")
            say(out, "  symbol if you like: D100 BTC/USDT, 2025-03-01T12:05 BTC/USDT")

    return Answer(document, show)
