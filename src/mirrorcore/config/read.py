"""Reads a TOML file with the line of each key; goes on after a syntax error to find the next."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from mirrorcore.config.mistakes import InvalidConfigError, Mistake, Origin
from mirrorcore.config.scan import Path, key_lines

_WHERE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_SIMPLE = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=\s*([^\[{\"'#]*?)\s*(?:#.*)?")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says; ``mistakes`` are the lines that are no TOML."""

    name: str
    table: dict[str, Any]
    lines: dict[Path, int]
    mistakes: tuple[Mistake, ...]
    unread: frozenset[str] = frozenset()
    """Keys on the lines that are no TOML: they are there, only their values are not known."""

    def origin(self, path: Path) -> Origin:
        """The line of ``path``, or of the nearest table around it that has one."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return _origin(self.name, line)
        return _origin(self.name, 0)


def _origin(name: str, line: int) -> Origin:
    return Origin("file", f"{name}:{line}" if line else name, line)


def read_document(path: FilePath) -> Document:
    """Read ``path``; InvalidConfigError where it is missing or no text."""
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidConfigError([_unreadable(name, "there is no such file")]) from None
    except IsADirectoryError:
        raise InvalidConfigError([_unreadable(name, "is a folder, must be a TOML file")]) from None
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InvalidConfigError([_unreadable(name, problem)]) from None
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
        raise InvalidConfigError([_unreadable(name, problem)]) from None
    return parse_document(text.replace("\r\n", "\n"), name)


def _unreadable(name: str, problem: str) -> Mistake:
    return Mistake(_origin(name, 0), "", "", problem)


def parse_document(text: str, name: str) -> Document:
    """Parse ``text``. A line that is no TOML becomes a mistake and is left out of the rest."""
    lines = text.split("\n")
    mistakes: list[Mistake] = []
    unread: set[str] = set()
    while True:
        source = "\n".join(lines)
        try:
            table = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            number, problem = _locate(str(error), len(lines))
            line = lines[number - 1]
            mistakes.append(_syntax_mistake(name, number, line, problem))
            # Without a simple line everything after it may be misread: the first error is the last.
            simple = _SIMPLE.fullmatch(line)
            if simple is None:
                return Document(name, {}, {}, tuple(mistakes))
            unread.add(simple[1].split(".")[-1].strip("\"' "))
            lines[number - 1] = ""
        else:
            lines_of = key_lines(source)
            return Document(name, table, lines_of, tuple(mistakes), frozenset(unread))


def _locate(message: str, last_line: int) -> tuple[int, str]:
    match = _WHERE.search(message)
    number = int(match[1]) if match and match[1] else last_line
    return number, _WHERE.sub("", message)


def _syntax_mistake(name: str, number: int, line: str, problem: str) -> Mistake:
    """The reader's own words, or better ones for what people do most: forget the quotes."""
    origin = _origin(name, number)
    simple = _SIMPLE.fullmatch(line)
    if simple is None:
        return Mistake(origin, line.strip(), "", f"is not TOML: {problem}")
    key, value = simple[1], simple[2]
    if not value:
        return Mistake(origin, key, "", "has no value after the equals sign")
    if "verwrite" in problem:
        return Mistake(origin, key, value, "is set a second time in this table")
    if value.lower() in {"true", "false", "yes", "no", "on", "off"}:
        meant = "true" if value.lower() in {"true", "yes", "on"} else "false"
        return Mistake(origin, key, value, "is no TOML value", meant)
    if value.lower() in {"none", "null", "nil"}:
        return Mistake(origin, key, value, "TOML has no null: leave the key out")
    return Mistake(origin, key, value, "text must stand in quotes", f'"{value}"')
