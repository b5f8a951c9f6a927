"""``mirrorcore init``: a folder to begin in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.interfaces.cli.answer import Answer, say
from mirrorcore.interfaces.cli.registration import command

if TYPE_CHECKING:
    from rich.console import Console

_FOLDER = Annotated[
    Path, typer.Argument(metavar="[DIR]", show_default=False, help="Where; here if left out.")
]
_TEMPLATE = Annotated[
    str, typer.Option("--template", metavar="minimal|crypto", help="What to begin from.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "init")(init)


def _quoted(folder: Path) -> str:
    """The folder as a shell reads it; ``cd`` takes what begins with a dash for an option."""
    text = shlex.quote(str(folder))
    return f"./{text}" if text.startswith("-") else text


def init(folder: _FOLDER = Path(), template: _TEMPLATE = "minimal") -> Answer:
    """Begin a project: configuration, one agent, its test. Nothing is overwritten."""
    from mirrorcore.interfaces.scaffold.agents import CONFIG
    from mirrorcore.interfaces.scaffold.projects import create_project
    from mirrorcore.interfaces.terminal.text import harmless

    made = create_project(folder, template)
    enter = [] if folder.resolve() == Path.cwd() else [f"cd {_quoted(folder)}"]
    steps = [
        *enter,
        f"mirrorcore agents test {made.agent}",
        f"mirrorcore backtest -c {CONFIG}",
        f"mirrorcore run -c {CONFIG}",
    ]

    def show(out: Console) -> None:
        for path in made.written:
            say(out, f"  wrote  {harmless(str(path))}")
        for path in made.kept:
            say(out, f"  kept   {harmless(str(path))}", "yellow")
        say(out, "")
        say(out, "Next:")
        for step in steps:
            say(out, f"  {harmless(step)}", "bold")

    document = {
        "folder": made.folder,
        "template": made.template,
        "agent": made.agent,
        "written": list(made.written),
        "kept": list(made.kept),
        "next": steps,
    }
    return Answer(document, show)
