"""``mirrorcore data``: what sources there are, and how their data is had, judged and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mirrorcore.interfaces.cli import data_fetch, data_files, data_record
from mirrorcore.interfaces.cli.answer import Answer, say
from mirrorcore.interfaces.cli.registration import command, group

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.catalogue import SourceEntry


def register(app: typer.Typer) -> None:
    """Add the commands."""
    data = group("Market data: sources, history, own files, recordings.")
    command(data, "sources")(sources)
    data_fetch.register(data)
    data_files.register(data)
    data_record.register(data)
    app.add_typer(data, name="data")


def sources() -> Answer:
    """List every source there is: what it brings, its terms, and how it was tried."""
    from mirrorcore.data_sources.catalogue import catalogue

    entries = catalogue()
    document = {"sources": [one.document() for one in entries]}
    return Answer(document, lambda out: _show(entries, out))


def _show(entries: tuple[SourceEntry, ...], out: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("source", "category", "cadence", "key", "in a run", "tried", "data …"):
        table.add_column(head, no_wrap=True)
    for one in entries:
        table.add_row(
            Text(one.name),
            Text(one.category),
            Text(one.cadence),
            Text("needed" if one.keys else "none"),
            Text("where named" if one.kind else "–"),
            Text("yes" if one.tested else "no", style="" if one.tested else "yellow"),
            Text(", ".join(one.commands) or "–"),
        )
    out.print(table)
    for one in entries:
        say(out, "")
        say(out, f"{one.name}: {one.brings}")
        tried = f"Tried against {one.tested}." if one.tested else "Not tried."
        keys = f" Its key is in a variable: {', '.join(one.keys)}." if one.keys else ""
        say(out, f"  {one.licence.rstrip('.')}. {tried}{keys}", "dim")
        if one.kind:
            say(out, f"  {_configured(one.kind)}", "dim")


def _configured(kind: str) -> str:
    """How a run is told to ask it, with what it must be told and what it may be."""
    from mirrorcore.config.source_checks import NEED_URL
    from mirrorcore.config.source_notes import parameter_notes

    notes = [note for note in parameter_notes(kind) if "." not in note.key]
    needed = ", ".join(note.key for note in notes if note.required)
    optional = ", ".join(note.key for note in notes if not note.required)
    told = [f"needs {needed}" if needed else "", f"may have {optional}" if optional else ""]
    params = " and ".join(part for part in told if part)
    address = f", url = {NEED_URL[kind]}" if kind in NEED_URL else ""
    return f'In a run: [[sources]] kind = "{kind}"{address}' + (
        f"; params {params}." if params else "."
    )
