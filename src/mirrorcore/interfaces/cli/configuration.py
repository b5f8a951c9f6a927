"""``mirrorcore config``: what holds, where it comes from, and whether it is valid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

_ORIGIN = Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")]
_EXPLAIN = Annotated[bool, typer.Option("--explain", help="Give the reason for each default.")]
_FILE = Annotated[
    Path | None, typer.Argument(metavar="FILE", show_default=False, help="TOML file to check.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = group("The configuration in effect.")
    command(config, "show")(show_config)
    command(config, "check")(check_config)
    app.add_typer(config, name="config")


def show_config(
    session: Session, settings: Settings, origin: _ORIGIN = False, explain: _EXPLAIN = False
) -> Answer:
    """Show every setting as a TOML file, or with where it comes from."""
    from mirrorcore.config import to_toml
    from mirrorcore.config.mistakes import dotted, toml_value
    from mirrorcore.config.render import leaves

    loaded = load(session, settings)
    values = {dotted(path): value for path, value in leaves(loaded.config)}
    document = {
        "settings": {
            key: {
                "value": value,
                "origin": loaded.origins[key].kind,
                "where": loaded.origins[key].where or None,
            }
            for key, value in values.items()
        },
        "warnings": list(loaded.warnings),
    }

    def show(out: Console) -> None:
        if not origin:
            say(out, to_toml(loaded.config, explain=explain).rstrip())
            return
        width = max(map(len, values))
        for key, value in values.items():
            text = "(left out)" if value is None else toml_value(value)
            style = "dim" if loaded.origins[key].kind == "default" else ""
            say(out, f"{key:{width}}  {text}  # {loaded.origins[key]}", style)

    return Answer(document, show)


def check_config(session: Session, file: _FILE = None) -> Answer:
    """Check a file, the environment and the agents named there; every mistake at once."""
    loaded = load(session, Settings(config=file), outside=True)
    from mirrorcore.swarm.recruiting import recruit

    members = recruit(loaded.config)
    document = {
        "valid": True,
        "file": None if file is None else str(file),
        "agents": [member.agent_id for member in members],
        "warnings": list(loaded.warnings),
    }
    subject = str(file) if file is not None else "the environment"
    return Answer(
        document, lambda out: say(out, f"{subject} is valid; {len(members)} agents", "green")
    )
