"""The command line as a whole: its groups, and how every call ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from mirrorcore import __version__
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.cli import (
    agents,
    attribution,
    backtest,
    checks,
    configuration,
    control,
    dashboard,
    data,
    demo,
    doctor,
    emergence,
    evaluate,
    exchange,
    init,
    monitor,
    paper,
    rerun,
    runs,
    why,
)
from mirrorcore.interfaces.cli.answer import INTERRUPTED, Answer, Session, console, encode, say
from mirrorcore.interfaces.cli.registration import group

USAGE = 2

_RIGHTS = "change who may write there, or name another place"
_ROOM = "make room there, or name another place"
_ANOTHER = "name another place"
_HANDLES = "close other programs, or allow more open files ('ulimit -n')"
_SURROUNDINGS = {
    errno.EACCES: _RIGHTS, errno.EPERM: _RIGHTS, errno.EROFS: _RIGHTS,
    errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM,
    errno.ENOTDIR: _ANOTHER, errno.EISDIR: _ANOTHER, errno.EEXIST: _ANOTHER,
    errno.ENAMETOOLONG: _ANOTHER, errno.EMFILE: _HANDLES, errno.ENFILE: _HANDLES,
    errno.EIO: "check the disk",
}  # fmt: skip
"""Errors of the machine a person has to mend, and how; any other is a defect of ours."""


def application() -> typer.Typer:
    """All commands."""
    app = group(
        "A trading swarm of specialised agents. Start with 'mirrorcore demo': nothing to set up, "
        "nothing downloaded, nothing asked."
    )
    app.callback()(_root)
    for module in (
        demo, init, backtest, evaluate, paper, control, rerun, runs, why, emergence, attribution,
        checks, agents, exchange, data, configuration, dashboard, monitor, doctor,
    ):  # fmt: skip
        module.register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mirrorcore-x {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """What belongs to no command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one call of the command line; the exit code is returned."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Read here as well, because a call that cannot be parsed has to be answered in the same form.
    session = Session(json="--json" in given)
    try:
        answer = get_command(application()).main(
            args=given, prog_name="mirrorcore", standalone_mode=False, obj=session
        )
        return _deliver(session, answer)
    except MirrorCoreError as error:
        return _fail(session, _described(error), error.exit_code)
    except typer.TyperException as error:
        return _misused(session, error)
    except KeyboardInterrupt:
        return _interrupted(session)
    except BrokenPipeError:
        return _unheard()
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            return _defect(session, error)
        where = f"{error.filename}: " if error.filename else ""
        told = {
            "kind": "SystemError",
            "message": f"{where}{error.strerror}",
            "hint": _SURROUNDINGS[error.errno],
        }
        return _fail(session, told, 1)
    except Exception as error:  # nobody outside is shown a traceback
        return _defect(session, error)
    finally:
        session.end()


def _deliver(session: Session, answer: Any) -> int:
    if answer == INTERRUPTED:  # typer makes a number of a KeyboardInterrupt
        return _interrupted(session)
    if not isinstance(answer, Answer):
        return int(answer or 0)  # help was shown, and its code is the answer
    if answer.told:
        return answer.exit_code
    if session.json:
        sys.stdout.write(encode(answer.document) + "\n")
    else:
        answer.show(console(sys.stdout))
    sys.stdout.flush()
    return answer.exit_code


def _unheard() -> int:
    """Whoever read our output has gone, as ``head`` does; nothing more can be said to anybody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _described(error: MirrorCoreError) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": type(error).__name__, "message": error.message}
    if error.hint:
        found["hint"] = error.hint
    mistakes = getattr(error, "mistakes", None)
    if mistakes is not None:
        found["mistakes"] = [mistake.to_dict() for mistake in mistakes]
    return found


def _fail(session: Session, error: dict[str, Any], exit_code: int) -> int:
    """Say on stderr what went wrong; with ``--json`` also in the one document."""
    from mirrorcore.interfaces.terminal.text import harmless

    remarks = session.remarks
    for number, line in enumerate(error["message"].split("\n")):
        # It may quote a name from outside, which must not steer the terminal.
        say(remarks, f"{'' if number else 'error: '}{harmless(line)}", "red")
    for number, line in enumerate(error.get("hint", "").split("\n")):
        if line:
            say(remarks, f"{'' if number else '  → '}{harmless(line)}")
    if session.json:
        sys.stdout.write(encode({"error": error, "exit_code": exit_code}) + "\n")
        sys.stdout.flush()
    return exit_code


def _interrupted(session: Session) -> int:
    """Ctrl-C where no run was under way; what earlier ones wrote is named."""
    kept = ", ".join(str(path) for path in session.written)
    message = (
        f"interrupted; complete are {kept}" if kept else "interrupted before a run was complete"
    )
    return _fail(session, {"kind": "Interrupted", "message": message}, INTERRUPTED)


def _misused(session: Session, error: typer.TyperException) -> int:
    """The call cannot be read: an unknown command, option or value."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
        sys.stderr.write(error.format_message() + "\n")
        return USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mirrorcore"
    described = {
        "kind": "UsageError",
        "message": error.format_message(),
        "hint": f"'{path} --help' lists what there is",
    }
    return _fail(session, described, USAGE)


def _defect(session: Session, error: Exception) -> int:
    """An exception nobody foresaw: one line, and the traceback where it can be sent on from."""
    import traceback

    text = "".join(traceback.format_exception(error))
    told = {
        "kind": type(error).__name__,
        "message": f"this is a defect of ours: {type(error).__name__}: {error}",
    }
    if session.debug:
        sys.stderr.write(text)
    else:
        told["hint"] = _kept(session, error, text)
    return _fail(session, told, 1)


def _kept(session: Session, error: Exception, text: str) -> str:
    """Where the traceback is; where no file can be written, where in the code it came from."""
    import traceback

    try:
        return f"the traceback is in {_keep(session, text)}; please send it to us"
    except OSError as trouble:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"it was in {last.name}, line {last.lineno} of {last.filename}; the traceback could"
            f" not be kept ({trouble.filename}: {trouble.strerror}), --debug shows it;"
            " please send it to us"
        )


def _keep(session: Session, text: str) -> Path:
    """Write the traceback into the folder of the runs, or aside where that cannot be."""
    import tempfile

    from mirrorcore.clock import SECOND, wall_now
    from mirrorcore.journal.files import write_atomic

    name = f"defect-{wall_now() // SECOND}.txt"
    if session.runs is not None and session.runs.is_dir():
        # What fails here is told of the place aside, if that fails as well.
        with suppress(OSError):
            write_atomic(session.runs / name, text)
            return session.runs / name
    file = Path(tempfile.gettempdir()) / name
    write_atomic(file, text)
    return file
