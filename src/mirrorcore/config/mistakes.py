"""A mistake in a configuration, and how it is told: where, what, and what was probably meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path as FilePath
from typing import Any, Literal

from mirrorcore.config.scan import Path
from mirrorcore.errors import ConfigError

OriginKind = Literal["default", "file", "environment", "command line"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; ``where`` is a file with its line, a variable or an option."""

    kind: OriginKind
    where: str = ""
    line: int = 0

    def __str__(self) -> str:
        return self.where or self.kind


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong: ``key`` as the user wrote it, ``value`` as TOML (empty: nothing to show)."""

    origin: Origin
    key: str
    value: str
    problem: str
    suggestion: str = ""

    def __str__(self) -> str:
        shown = f"{self.key} = {self.value}" if self.value else self.key
        meant = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        subject = f"{shown}: " if shown else ""
        return f"{self.origin}: {subject}{self.problem}{meant}"

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "origin": self.origin.kind,
            "where": self.origin.where,
            "line": self.origin.line or None,
            "key": self.key,
            "value": self.value,
            "problem": self.problem,
            "suggestion": self.suggestion or None,
        }


class InvalidConfigError(ConfigError):
    """The configuration is not valid; ``mistakes`` holds every one that was found."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        lines = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        super().__init__(
            f"the configuration has {count} mistake{'s' if count != 1 else ''}:{lines}",
            hint="'mirrorcore config show --origin' lists every setting with its value",
        )


def near(word: str, known: Iterable[str], closeness: float = 0.7) -> str | None:
    """The one of ``known`` that ``word`` probably means; None where nothing is close."""
    by_plain = {_plain(name): name for name in known}
    matches = difflib.get_close_matches(_plain(word), by_plain, n=1, cutoff=closeness)
    if matches:
        return by_plain[matches[0]]
    plain = _plain(word)
    longer = [name for name in by_plain if len(plain) >= 3 and name.startswith(plain)]
    return by_plain[longer[0]] if len(longer) == 1 else None


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def dotted(path: Path) -> str:
    """``("agent", 0, "id")`` as ``agent[1].id``: people count from one."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{_key(part)}" if text else _key(part)
    return text


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _text(key)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: object) -> str:
    """A value as TOML, on one line.

    Raises
    ------
    TypeError: TOML has no such value.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case FilePath():
            return _text(str(value))
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case Mapping():
            inside = ", ".join(f"{_key(str(k))} = {toml_value(v)}" for k, v in value.items())
            return "{" + inside + "}"
    raise TypeError(f"TOML has no form for {type(value).__name__}")


def shown(value: object) -> str:
    """``value`` as TOML, short enough for a message."""
    text = toml_value(value)
    return text if len(text) <= 60 else text[:57] + "..."
