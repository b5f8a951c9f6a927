"""Calls of the command line as a user makes them: in this process, or in one with a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect

from mirrorcore.interfaces.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
PROGRAM = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main())"
SMALL = ("--bars", "600", "--symbols", "3")


@dataclass(frozen=True)
class Call:
    """What came of a call."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; an error where there is anything else."""
        return json.loads(self.out)


class Caller:
    """Calls commands with a folder of runs of their own."""

    def __init__(self, capsys: Any, runs: Path) -> None:
        self._capsys = capsys
        self.runs = runs

    def __call__(self, *arguments: str, runs: bool = True) -> Call:
        where = ("--runs", str(self.runs)) if runs else ()
        self._capsys.readouterr()
        code = main([*arguments, *where])
        said = self._capsys.readouterr()
        return Call(code, said.out, said.err)

    def made(self) -> list[str]:
        """Names in the folder of runs but that of the tokens; empty where nobody made one."""
        found = sorted(path.name for path in self.runs.iterdir()) if self.runs.is_dir() else []
        return [name for name in found if name != "tokens.json"]


def in_terminal(*arguments: str, rows: int = 40, columns: int = 110) -> pexpect.spawn[str]:
    """The program in a pseudo-terminal."""
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    return pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, *arguments],
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
        dimensions=(rows, columns),
        env=environment,
    )


def plain(text: str) -> str:
    """Terminal output without what steers the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", "", text)
