"""What a command answers, and where it may speak: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
_PATIENCE = b"\nthe run is over and is being reported; Ctrl-C again leaves without that\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a command: ``document`` for ``--json``, ``show`` for everybody else.

    ``told`` says that all has been said already, line by line.
    """

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    exit_code: int = 0
    told: bool = False


@dataclass(slots=True)
class Session:
    """One call of the command line.

    ``runs`` is known once a configuration has been loaded; ``written`` are the runs it has made.
    """

    json: bool = False
    debug: bool = False
    runs: Path | None = None
    written: list[Path] = field(default_factory=list)
    _patience: ExitStack = field(default_factory=ExitStack)

    def outlast_ctrl_c(self) -> None:
        """The last run of this call is over: from here on Ctrl-C does not lose what is told of it.

        The first says so, the second leaves without the rest.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        pressed = False

        def heard(*_: object) -> None:
            nonlocal pressed
            if pressed:
                raise KeyboardInterrupt
            pressed = True
            # As bytes: the main thread may be in the middle of writing text.
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _PATIENCE)

        before = signal.signal(signal.SIGINT, heard)
        self._patience.callback(signal.signal, signal.SIGINT, before)

    def end(self) -> None:
        """The call is over: Ctrl-C does again what it did before."""
        self._patience.close()

    @property
    def remarks(self) -> Console:
        """Where warnings and progress go."""
        return console(sys.stderr)

    @property
    def story(self) -> Console:
        """Where a long command tells how it goes; a document has stdout for itself."""
        return console(sys.stderr if self.json else sys.stdout)


def console(file: Any) -> Console:
    """A console that never guesses: no markup, no highlighting of what merely looks like a number.

    Without a terminal lines are as wide as a screen, so that a log reads like one.
    """
    from rich.console import Console

    found = Console(file=file, markup=False, highlight=False, emoji=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = 100
    return found


def say(target: Console, text: str, style: str = "") -> None:
    """``text`` as it stands on a line of its own, wrapped by nobody but the terminal."""
    target.print(text, style=style or None, soft_wrap=True)


def encode(document: Mapping[str, Any]) -> str:
    """One JSON document; a value that JSON cannot hold is a defect and raises."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Path | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
