"""``mirrorcore attribution``: which agents a run's result is owed to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.rerun import RunName
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mirrorcore.report.attribution import Attribution

_AGENTS = Annotated[
    str | None,
    typer.Option(
        "--agents",
        metavar="A,B",
        help="Who is in question; those that voted and those the gate listens to by default.",
        show_default=False,
    ),
]
_JOBS = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, max=256, metavar="N",
        help="Replays at the same time; all cores by default.",
        show_default=False,
    ),
]  # fmt: skip
_PAIRS = Annotated[
    int,
    typer.Option(
        "--pairs", min=2, max=10_000, metavar="N",
        help="Pairs of orders drawn where more than 6 agents are in question.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "attribution")(attribution)


def attribution(
    session: Session,
    folder: RunsFolder,
    run: RunName,
    agents: _AGENTS = None,
    jobs: _JOBS = None,
    pairs: _PAIRS = 5,
) -> Answer:
    """Share a run's result out among its agents, by replaying it without them."""
    from mirrorcore.journal import RunRegistry
    from mirrorcore.report.attribution import save_attribution
    from mirrorcore.swarm.attribution import attribute

    recorded = RunRegistry(folder.path(session)).find(run)
    named = [name.strip() for name in (agents or "").split(",") if name.strip()]
    with progress(session, f"replays of {recorded.id}", lines=True) as told, _termination():
        found = attribute(
            recorded, agents=named, pairs=pairs, jobs=jobs or os.cpu_count() or 1, progress=told
        )
    path = save_attribution(found, recorded.path)
    document = {**asdict(found), "path": str(path)}

    def show(out: Console) -> None:
        out.print(_table(found))
        for line in _remarks(found):
            say(out, line, "dim")
        say(out, f"Written {path}")

    return Answer(document, show)


@contextmanager
def _termination() -> Iterator[None]:
    """Being terminated ends the work as Ctrl-C does, with its processes."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(found: Attribution) -> Table:
    from rich.table import Table

    from mirrorcore.report.formatting import money, money_places, percent, printable

    places = money_places(found.initial_equity)

    def amount(value: float) -> str:
        return money(value, places, signed=True)

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("agent", no_wrap=True, overflow="ellipsis")
    sampled = any(share.error is not None for share in found.agents)
    heads = ["Shapley", *(["± error"] if sampled else []), "of equity", "left out alone"]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for share in sorted(found.agents, key=lambda share: (-share.shapley, share.id)):
        error = [] if share.error is None else [money(share.error, places)]
        table.add_row(
            printable(share.id),
            amount(share.shapley),
            *error,
            percent(share.shapley / found.initial_equity, signed=True),
            amount(0.0 - share.left_out),
            style="" if share.shapley else "dim",
        )
    blank = [""] if sampled else []
    shared = found.whole - found.empty
    for name, value in (
        ("shared out", shared), ("without all of them", found.empty), ("whole run", found.whole)
    ):  # fmt: skip
        relative = percent(value / found.initial_equity, signed=True)
        table.add_row(name, amount(value), *blank, relative, "", style="bold")
    return table


def _remarks(found: Attribution) -> Iterator[str]:
    how = (
        f"all {len(found.coalitions)} coalitions replayed"
        if found.method == "exact"
        else f"{found.orders} orders drawn (antithetic pairs, seed {found.seed}), "
        f"{len(found.coalitions)} coalitions replayed; ± is a standard error"
    )
    yield f"In {found.currency}, after costs. Shapley value: {how}."
    yield "Left out alone: how the result changes when this agent alone is missing."
    yield from found.notes
