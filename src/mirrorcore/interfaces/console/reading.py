"""A line, or the words of a call, as a command with its arguments.

Arguments come by position in the order of the command's description, as ``key=value``, or as
``--key value``; all three may be mixed. Words that only the console knows (``--reason``, ``--yes``,
``--dry-run``, ``--json``) belong to the call, unless the command has an argument of that name.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mirrorcore.config.mistakes import near
from mirrorcore.errors import UsageError
from mirrorcore.interfaces.console.catalogue import Catalogue, Entry, Parameter

_FLAGS = {"--yes": "yes", "-y": "yes", "--dry-run": "dry_run", "--json": "json"}
_WANTED = {
    "json": "JSON",
    "weights": 'as A=0.5,B=0.2 or {"A": 0.5}',
    "integer": "a whole number",
    "boolean": "yes or no",
}
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Request:
    """One call as somebody wrote it."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    yes: bool = False
    dry_run: bool = False
    json: bool = False


def words_of(line: str) -> list[str]:
    """The words of a line, ``#`` begins a comment; UsageError for a quote that is not closed."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"{line.strip()!r}: {error}", hint="close the quote") from None


def read(words: Sequence[str], catalogue: Catalogue) -> Request:
    """The call that ``words`` are, the first of them the command.

    Raises
    ------
    UsageError: an argument that is unknown, given twice, missing or of the wrong kind.
    UnknownCommandError: there is no such command.
    """
    return read_args(words[1:], catalogue.find(words[0]))


def read_args(words: Sequence[str], entry: Entry) -> Request:
    """The same for a command that is known already."""
    named, bare, request = _sorted(words, entry)
    args = {
        one.name: _value(entry, one, named[one.name])
        for one in entry.parameters
        if one.name in named
    }
    free = [one for one in entry.parameters if one.name not in named]
    if len(bare) > len(free):
        if not free or free[-1].kind != "text" or free[-1].choices:
            extra = bare[len(free)]
            raise UsageError(f"{entry.name} takes no {extra!r}", hint=f"as {entry.usage()}")
        # The last words of a sentence need no quotes.
        bare = [*bare[: len(free) - 1], " ".join(bare[len(free) - 1 :])]
    for one, word in zip(free, bare, strict=False):
        args[one.name] = _value(entry, one, word)
    missing = [one.name for one in entry.parameters if one.required and one.name not in args]
    if missing:
        raise UsageError(f"{entry.name} needs {' and '.join(missing)}", hint=f"as {entry.usage()}")
    return replace(request, args=args)


def _sorted(words: Sequence[str], entry: Entry) -> tuple[dict[str, str], list[str], Request]:
    """Arguments by name, those by position, and what belongs to the call."""
    known = {one.name: one for one in entry.parameters}
    named: dict[str, str] = {}
    bare: list[str] = []
    request = Request(entry.name)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        plain = name.removeprefix("--").replace("-", "_")
        if word == "--":
            bare += rest
            break
        if plain not in known and word in _FLAGS:
            request = _flagged(request, _FLAGS[word])
        elif plain not in known and name == "--reason":
            request = replace(request, reason=value if equals else _next(rest, word))
        elif word.startswith("--") or (equals and name in known):
            if plain not in known:
                meant = near(plain, known, 0.6)
                has = f"did you mean {meant}?" if meant else f"it has {', '.join(known) or 'none'}"
                raise UsageError(f"{entry.name} has no argument {name!r}", hint=has)
            if plain in named:
                raise UsageError(f"{entry.name}: {plain} is given twice")
            named[plain] = value if equals else _next(rest, word)
        else:
            bare.append(word)
    return named, bare, request


def _flagged(request: Request, flag: str) -> Request:
    if flag == "yes":
        return replace(request, yes=True)
    return replace(request, json=True) if flag == "json" else replace(request, dry_run=True)


def _next(rest: list[str], word: str) -> str:
    if not rest:
        raise UsageError(f"{word} needs a value")
    return rest.pop(0)


def _value(entry: Entry, parameter: Parameter, word: str) -> Any:
    """As :func:`value_of`; where nothing better is known, the hint is how the command is used."""
    try:
        return value_of(parameter, word)
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint or f"as {entry.usage()}") from None


def value_of(parameter: Parameter, word: str) -> Any:
    """A word as the value its parameter takes; UsageError where it is none."""
    try:
        value = _parsed(parameter, word)
    except ValueError:
        wanted = _WANTED.get(parameter.kind, f"a {parameter.kind}")
        raise UsageError(f"{parameter.name} was {word!r}, must be {wanted}") from None
    if parameter.choices and str(value) not in parameter.choices:
        meant = near(word, parameter.choices, 0.6)
        raise UsageError(
            f"{parameter.name} was {word!r}, must be {' or '.join(parameter.choices)}",
            hint=f"did you mean {meant}?" if meant else "",
        )
    return value


def _parsed(parameter: Parameter, word: str) -> Any:
    match parameter.kind:
        case "integer":
            return int(word)
        case "number":
            return _number(word)
        case "boolean":
            if word.lower() not in (*_YES, *_NO):
                raise ValueError(word)
            return word.lower() in _YES
        case "json":
            return json.loads(word)
        case "weights":
            return _weights(word)
    return word


def _number(word: str) -> float:
    """A finite one: JSON has no other."""
    found = float(word)
    if not math.isfinite(found):
        raise ValueError(word)
    return found


def _weights(word: str) -> Any:
    """JSON, or ``A=0.5,B=0.2``."""
    if word.lstrip().startswith("{"):
        return json.loads(word)
    pairs = [part.partition("=") for part in word.split(",")]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError(word)
    return {name.strip(): _number(number) for name, _, number in pairs}
