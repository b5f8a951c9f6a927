"""``mirrorcore runs`` and ``mirrorcore report``: what has been run, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.rerun import RunName
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.journal import RunInfo

_HTML = Annotated[
    Path | None, typer.Option("--html", metavar="PATH", help="Write the page there instead.")
]
_OPEN = Annotated[bool, typer.Option("--open/--no-open", help="Show the page in a browser.")]
_LONG = ("config", "versions", "parts")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    runs = group("What has been run.")
    command(runs, "list")(list_runs)
    command(runs, "show")(show_run)
    app.add_typer(runs, name="runs")
    command(app, "report")(report)


def list_runs(session: Session, folder: RunsFolder) -> Answer:
    """List the runs, the newest first."""
    from mirrorcore.journal import RunRegistry

    registry = RunRegistry(folder.path(session))
    found, damaged = registry.runs(), registry.damaged()
    for damage in damaged:
        say(session.remarks, f"warning: {damage.message}", "yellow")
    document = {
        "folder": str(registry.root),
        "runs": [_row(run) for run in found],
        "damaged": [damage.message for damage in damaged],
    }

    def show(out: Console) -> None:
        if not found:
            say(out, f"no runs in {registry.root}; 'mirrorcore demo' or 'backtest' makes one")
            return
        out.print(_table(found))

    return Answer(document, show)


def _row(run: RunInfo) -> dict[str, Any]:
    identity = run.identity
    return {
        "run_id": run.id,
        "mode": run.mode,
        "status": str(run.status),
        "created": run.created,
        "source": identity.get("source"),
        "symbols": identity.get("symbols", []),
        "seed": identity.get("seed"),
        "ticks": identity.get("ticks"),
        "fingerprint": identity.get("fingerprint"),
        "path": str(run.path),
    }


def _table(found: list[RunInfo]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("run", "mode", "status", "source", "symbols", "ticks", "fingerprint"):
        number = head in ("symbols", "ticks")
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for run in found:
        row = _row(run)
        ticks = "" if row["ticks"] is None else f"{row['ticks']:,}"
        style = {"finished": "", "running": "green"}.get(row["status"], "yellow")
        table.add_row(
            row["run_id"], row["mode"], row["status"], str(row["source"] or ""),
            str(len(row["symbols"])), ticks, str(row["fingerprint"] or "")[:12], style=style,
        )  # fmt: skip
    return table


def show_run(session: Session, folder: RunsFolder, run: RunName) -> Answer:
    """Show what is known of a run: identity, seeds, inputs, versions, fingerprint."""
    from mirrorcore.journal import RunRegistry

    registry = RunRegistry(folder.path(session))
    found = registry.show(run)
    path = Path(str(found["path"]))
    document = {**found, "files": sorted(file.name for file in path.iterdir())}

    def show(out: Console) -> None:
        for name, value in document.items():
            if name not in _LONG:
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                say(out, f"{name:13} {text}")
        for name in ("versions", "parts"):
            for key, value in dict(found.get(name, {})).items():
                say(out, f"{name:13} {key} {value}")
        say(out, "")
        say(out, str(found.get("config", "")))

    return Answer(document, show)


def report(
    session: Session,
    folder: RunsFolder,
    run: RunName,
    html: _HTML = None,
    open_page: _OPEN = False,
) -> Answer:
    """Show the report of a run and write its HTML page."""
    from mirrorcore.interfaces.cli.outcomes import PAGE, tell_results
    from mirrorcore.journal import RunRegistry
    from mirrorcore.report.store import load_results

    found = RunRegistry(folder.path(session)).find(run)
    page = (html or found.path / PAGE).resolve()
    told = tell_results(found.path, load_results(found.path), page)
    if open_page:
        _open(page)
    return Answer(told.document(), told.show)


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.as_uri()):
        raise MirrorCoreError(f"no browser opened {page}", hint="open the file by hand")
