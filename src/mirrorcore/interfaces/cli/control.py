"""``mirrorcore ctl`` and ``mirrorcore console``: commands for a swarm that runs elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.interfaces.console.catalogue import Entry
    from mirrorcore.interfaces.console.doors import Outcome, RemoteDoor
    from mirrorcore.interfaces.console.reading import Request

HISTORY = ".mirrorcore_history"

_WORDS = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CMD [ARG|KEY=VALUE|--KEY VALUE]...",
        show_default=False,
        help="'ctl help' lists the commands, 'ctl help CMD' says what one takes.",
    ),
]
_REASON = Annotated[
    str, typer.Option("--reason", metavar="TEXT", show_default=False, help="Why, for the record.")
]
_YES = Annotated[bool, typer.Option("--yes", "-y", help="Confirm what has to be confirmed.")]
_DRY = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
_STRICT = Annotated[bool, typer.Option("--strict", help="End at the first command that fails.")]


@dataclass(frozen=True, slots=True)
class Where:
    """Which swarm, and as whom."""

    run: Annotated[
        str,
        typer.Option(
            "--run", metavar="RUN", show_default=False, help="Which run, where several go on."
        ),
    ] = ""
    role: Annotated[
        str, typer.Option("--role", metavar="viewer|operator|admin", help="Whose token is used.")
    ] = "operator"
    url: Annotated[
        str,
        typer.Option(
            "--url", metavar="URL", show_default=False, help="A swarm elsewhere; needs --token."
        ),
    ] = ""
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TOKEN|@FILE",
            show_default=False,
            help="Instead of the one in the runs' folder; @FILE is not seen by other users.",
        ),
    ] = ""
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", min=0.1, max=300, help="How long to wait."),
    ] = 10.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "console")(console)
    command(app, "ctl", ignore_unknown_options=True)(ctl)


def ctl(
    session: Session,
    where: Where,
    folder: RunsFolder,
    words: _WORDS = None,
    reason: _REASON = "",
    yes: _YES = False,
    dry_run: _DRY = False,
) -> Answer:
    """Give a running swarm one command: 'mirrorcore ctl status', 'ctl emergency_stop'."""
    from dataclasses import replace

    from mirrorcore.interfaces.console.catalogue import STOP, UnknownCommandError
    from mirrorcore.interfaces.console.reading import read_args

    if not words:
        raise UsageError("no command was given", hint="'mirrorcore ctl help' lists what there is")
    door = open_door(session, where, folder)
    if words[0] in ("help", "?"):
        return _help(session, door, words[1:])
    # A stop is read without asking anybody first.
    catalogue = None if words[0] == STOP.name else door.catalogue_now()
    try:
        entry = STOP if catalogue is None else catalogue.find(words[0])
        read = read_args(words[1:], entry)
    except (UsageError, UnknownCommandError) as error:
        return _unasked(session, error, words[0])
    request = replace(
        read, reason=reason or read.reason, yes=yes or read.yes, dry_run=dry_run or read.dry_run
    )
    return _answer(session, _confirmed(session, door, request), entry)


def _confirmed(session: Session, door: RemoteDoor, request: Request) -> Outcome:
    """The outcome; a person at a terminal is asked where the swarm wants it confirmed."""
    from mirrorcore.interfaces.console.console import question, refused_by_person, with_hint

    outcome = door.call_now(request)
    error = outcome.get("error") or {}
    token = error.get("confirm")
    if error.get("code") != "confirm_required" or not token:
        return outcome
    if not request.yes:
        if session.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return with_hint(outcome, "--yes confirms it")
        for line in question(error):
            say(session.remarks, line, "yellow")
        if not typer.confirm("Go on?", default=False, err=True):
            return refused_by_person(request.name)
    return door.call_now(request, str(token))


def _answer(session: Session, outcome: Outcome, entry: Entry) -> Answer:
    from mirrorcore.interfaces.console.telling import exit_code_of, show_error, show_outcome

    def show(out: Console) -> None:
        if outcome.get("error"):
            show_error(outcome, session.remarks)
        else:
            show_outcome(outcome, out, changes=entry.changes)

    return Answer(outcome, show, exit_code_of(outcome))


def _unasked(session: Session, error: MirrorCoreError, name: str) -> Answer:
    """A call that is wrong as it was written, told as the swarm tells of one."""
    from mirrorcore.interfaces.console.console import unasked
    from mirrorcore.interfaces.console.telling import show_error

    outcome = unasked(error, name)
    return Answer(outcome, lambda _: show_error(outcome, session.remarks), error.exit_code)


def _help(session: Session, door: RemoteDoor, names: Sequence[str]) -> Answer:
    from dataclasses import asdict

    from mirrorcore.interfaces.console.catalogue import UnknownCommandError
    from mirrorcore.interfaces.console.telling import show_entry, show_help

    catalogue = door.catalogue_now()
    try:
        chosen = [catalogue.find(name) for name in names] or list(catalogue.entries.values())
    except UnknownCommandError as error:
        return _unasked(session, error, "help")

    def show(out: Console) -> None:
        if not names:
            show_help(catalogue, out)
        for entry in chosen if names else ():
            show_entry(entry, out)

    return Answer({"commands": [asdict(entry) for entry in chosen]}, show)


def console(
    session: Session,
    where: Where,
    folder: RunsFolder,
    yes: _YES = False,
    strict: _STRICT = False,
) -> Answer:
    """Commands for a running swarm, typed at a prompt or read from a pipe."""
    import asyncio

    from mirrorcore.interfaces.console.console import InteractiveConsole

    door = open_door(session, where, folder)
    if door.attachment is None:
        say(session.remarks, f"warning: {door.why_closed}; a stop works all the same", "yellow")
    elif sys.stdin.isatty() and not session.json:
        attached = door.attachment
        say(session.remarks, f"{attached.run or 'a swarm'} at {attached.url}, as {where.role}")
    reader = InteractiveConsole(
        door, json=session.json, yes=yes, strict=strict, history=Path.home() / HISTORY
    )
    code = asyncio.run(reader.run_console())
    return Answer({}, lambda _: None, code, told=True)


def open_door(session: Session, where: Where, folder: RunsFolder) -> RemoteDoor:
    """The way to the swarm that is meant.

    Raises
    ------
    UsageError, NotAttachedError: there is none, or not one alone.
    """
    from mirrorcore.interfaces.attaching import (
        ROLES,
        Attachment,
        NotAttachedError,
        attach,
        find_running,
    )
    from mirrorcore.interfaces.console.doors import RemoteDoor

    if where.role not in ROLES:
        raise UsageError(f"--role was {where.role!r}, must be {', '.join(ROLES)}")
    token = _token(where.token)
    given = {where.role: token} if token else {}
    if where.url:
        url = _address(where.url)
        if not token:
            raise UsageError("--url needs a --token", hint="'mirrorcore token show' prints them")
        return RemoteDoor(
            Attachment("", "", Path(), url, 0, given), where.role, timeout_s=where.timeout
        )
    runs = folder.path(session)
    run = find_running(runs, where.run)
    try:
        found = attach(runs, run.id)
    except NotAttachedError as error:
        return RemoteDoor(None, where.role, run, error.message, where.timeout)
    if given:
        found = Attachment(found.run, found.mode, found.folder, found.url, found.pid, given)
    return RemoteDoor(found, where.role, run, timeout_s=where.timeout)


def _address(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"--url was {url!r}, must be as http://127.0.0.1:8420")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _token(text: str) -> str:
    """What --token means: the token, or the file it stands in."""
    if not text.startswith("@"):
        return text.strip()
    try:
        return Path(text[1:]).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MirrorCoreError(f"--token: {text[1:]} cannot be read: {error}") from None
