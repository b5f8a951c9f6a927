"""The dashboard beside a run: its options, and ``mirrorcore token``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.settings import Override, RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.config.model import RunConfig
    from mirrorcore.swarm.driving import Attach

_ROLE = Annotated[
    str,
    typer.Option(
        "--role",
        metavar="viewer|operator|admin|all",
        show_default=False,
        help="One role's token alone.",
    ),
]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What a command takes that runs a swarm in front of people."""

    dashboard: Annotated[
        bool | None,
        typer.Option(
            "--dashboard/--no-dashboard",
            show_default=False,
            help="Serve the dashboard and API on this machine; on by default.",
        ),
    ] = None
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65_535,
            show_default=False,
            help="Port of the dashboard, or the next that is free; 0 takes any.",
        ),
    ] = None

    def overrides(self) -> list[Override]:
        """The options as settings."""
        return [
            (key, value)
            for key, value in (("web.enabled", self.dashboard), ("web.port", self.port))
            if value is not None
        ]


def door_to(session: Session, config: RunConfig) -> Attach | None:
    """What opens a run to the dashboard; None where that is not wanted."""
    if not config.web.enabled:
        return None
    from mirrorcore.interfaces.api.serving import served

    story = session.story
    # A token belongs on a screen and in no log: where nobody looks the address comes without.
    return served(config.web, lambda line: say(story, line), show_token=story.is_terminal)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    token = group("Who may look at, and command, the swarms of a folder of runs.")
    command(token, "show")(show_tokens)
    command(token, "rotate")(rotate_tokens)
    app.add_typer(token, name="token")


def show_tokens(session: Session, folder: RunsFolder, role: _ROLE = "operator") -> Answer:
    """Print a token, and where a swarm is running the address that carries it."""
    from mirrorcore.interfaces.api.discovery import reach_of
    from mirrorcore.interfaces.api.tokens import Tokens
    from mirrorcore.journal import RunRegistry, RunStatus

    runs = folder.path(session)
    tokens = Tokens.open(runs)
    roles = _roles(role)
    running = [run for run in RunRegistry(runs).runs() if run.status is RunStatus.RUNNING]
    urls = [reach.url for run in running if (reach := reach_of(run.path)) is not None]
    shown = {name: tokens.secret(name) for name in roles}
    document = {"file": str(tokens.path), "tokens": shown, "running": urls}

    def show(out: Console) -> None:
        for name, token in shown.items():
            say(out, token if len(shown) == 1 else f"{name:8}  {token}")
        for url in urls:
            for name, token in shown.items():
                say(out, f"{url}/#t={token}" + ("" if len(shown) == 1 else f"  ({name})"))

    return Answer(document, show)


def rotate_tokens(session: Session, folder: RunsFolder, role: _ROLE = "all") -> Answer:
    """Replace tokens; pages and programs that hold an old one are shut out at once."""
    from mirrorcore.interfaces.api.tokens import FILE, rotate

    runs = folder.path(session)
    roles = _roles(role)
    rotate(runs, None if role == "all" else role)
    document = {"file": str(runs / FILE), "rotated": list(roles)}
    return Answer(
        document,
        lambda out: say(out, f"new: {', '.join(roles)}; 'mirrorcore token show' prints them"),
    )


def _roles(role: str) -> tuple[str, ...]:
    from mirrorcore.interfaces.commands.calls import ROLES

    if role == "all":
        return ROLES
    if role not in ROLES:
        raise UsageError(f"--role was {role!r}, must be one of {', '.join(ROLES)} or all")
    return (role,)
