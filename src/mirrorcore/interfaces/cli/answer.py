"""What a command answers, and where it may speak: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a command: ``document`` for ``--json``, ``show`` for everybody else."""

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    exit_code: int = 0


@dataclass(slots=True)
class Session:
    """One call of the command line.

    ``runs`` is known once a configuration has been loaded; ``written`` are the runs it has made.
    """

    json: bool = False
    debug: bool = False
    runs: Path | None = None
    written: list[Path] = field(default_factory=list)

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
