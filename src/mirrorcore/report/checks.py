"""Outcomes of the checks that ``mirrorcore evaluate`` runs, as its file holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirrorcore.errors import DataError

STORED = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its figure.

    ``shown`` is the figure in words, ``bar`` what it had to reach, ``guards`` what the check is
    good against. ``passed`` is None where it could not be made, and ``shown`` says why.
    """

    name: str
    label: str
    shown: str
    bar: str
    passed: bool | None
    guards: str = ""
    value: float | None = None

    @property
    def outcome(self) -> str:
        """One word."""
        return {True: "passed", False: "FAILED", None: "not made"}[self.passed]


class _Stored(msgspec.Struct):
    checks: tuple[Check, ...]


def load_checks(folder: Path) -> tuple[Check, ...]:
    """The checks stored in a run's folder; empty where none were made.

    Raises
    ------
    DataError: the file is damaged.
    """
    file = folder / STORED
    if not file.is_file():
        return ()
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Stored).checks
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{file} is damaged: {error}",
            hint="remove it, or run 'mirrorcore evaluate' again",
        ) from error
