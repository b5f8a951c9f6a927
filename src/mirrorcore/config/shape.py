"""The tree of known keys, read off the models, and the search for keys that are not in it."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic.fields import FieldInfo

from mirrorcore.config.mistakes import Mistake, Origin, dotted, near, shown
from mirrorcore.config.model import RunConfig, Section
from mirrorcore.config.scan import Path


def fields_of(section: type[Section]) -> dict[str, FieldInfo]:
    """The settings of a section under the names a file uses."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def subsection(info: FieldInfo) -> tuple[type[Section] | None, bool]:
    """The model below a setting, and whether there is a list of it (``[[...]]``)."""
    annotation = info.annotation
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    for argument in typing.get_args(annotation):
        if (
            typing.get_origin(annotation) is tuple
            and isinstance(argument, type)
            and issubclass(argument, Section)
        ):
            return argument, True
    return None, False


def extra(info: FieldInfo, key: str) -> Any:
    """What :func:`~mirrorcore.config.section.setting` noted beside the field."""
    noted = info.json_schema_extra
    return noted.get(key) if isinstance(noted, dict) else None


def settings(
    section: type[Section] = RunConfig, path: Path = ()
) -> Iterator[tuple[Path, FieldInfo]]:
    """Every setting that is no section itself; lists of tables show with index 0."""
    for key, info in fields_of(section).items():
        below, listed = subsection(info)
        if below is None:
            yield (*path, key), info
        else:
            yield from settings(below, (*path, key, 0) if listed else (*path, key))


def setting_at(path: Path) -> tuple[type[Section], FieldInfo] | None:
    """The section and the field of a path of names and indices; None where there is none."""
    section: type[Section] | None = RunConfig
    info: FieldInfo | None = None
    owner: type[Section] = RunConfig
    for part in path:
        if isinstance(part, int):
            continue
        if section is None:
            return None
        owner, info = section, fields_of(section).get(part)
        if info is None:
            return None
        section = subsection(info)[0]
    return (owner, info) if info is not None else None


@dataclass
class Review:
    """One layer (a file, the environment, the command line) against the tree of known keys.

    Unknown keys become mistakes. One that is clearly a misspelling goes on under the right name, so
    that its value is judged in the same pass. ``folder`` is what relative paths are relative to.
    """

    origin: Callable[[Path], Origin]
    folder: FilePath
    mistakes: list[Mistake] = field(default_factory=list)
    written: dict[Path, Path] = field(default_factory=dict)
    """Path under the right names -> path as the user wrote it."""

    def run(self, table: Mapping[str, Any]) -> dict[str, Any]:
        return self._section(table, RunConfig, (), ())

    def _section(
        self, table: Mapping[str, Any], section: type[Section], path: Path, wrote: Path
    ) -> dict[str, Any]:
        known = fields_of(section)
        result: dict[str, Any] = {}
        # Misspelt keys first, so that the right ones win where both are there.
        for key, value in sorted(table.items(), key=lambda item: item[0] in known):
            name = key if key in known else self._unknown(key, value, section, wrote)
            if name is None:
                continue
            self.written[(*path, name)] = (*wrote, key)
            if self._misplaced(value, known[name], (*wrote, key)):
                continue
            judged = self._value(value, known[name], (*path, name), (*wrote, key))
            if isinstance(judged, dict) and name != "params":
                judged = {**result.get(name, {}), **judged}
            result[name] = judged
        return result

    def _value(self, value: Any, info: FieldInfo, path: Path, wrote: Path) -> Any:
        below, listed = subsection(info)
        if below is not None and listed:
            return [
                self._section(item, below, (*path, index), (*wrote, index))
                for index, item in enumerate(value)
            ]
        if below is not None:
            return self._section(value, below, path, wrote)
        if path[-1] == "params":
            return copy.deepcopy(value)
        value = self._trimmed(value, wrote)
        if extra(info, "location") and isinstance(value, str | FilePath) and str(value):
            return str(self.folder / _from_home(FilePath(value)))
        return value

    def _misplaced(self, value: Any, info: FieldInfo, wrote: Path) -> bool:
        """Whether something else stands where a section belongs: ``[agent]`` for ``[[agent]]``."""
        below, listed = subsection(info)
        if below is None:
            return False
        wanted = isinstance(value, list) if listed else isinstance(value, dict)
        items = value if wanted and listed else []
        if wanted and all(isinstance(item, dict) for item in items):
            return False
        name = ".".join(part for part in wrote if isinstance(part, str))
        header = f"[[{name}]]" if listed else f"[{name}]"
        self._mistake(wrote, value, f"is a section: its settings stand under {header}")
        return True

    def _trimmed(self, value: Any, wrote: Path) -> Any:
        if isinstance(value, list):
            return [self._trimmed(item, (*wrote, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and value != value.strip():
            self._mistake(wrote, value, "has a space at its start or end", shown(value.strip()))
            return value.strip()
        return value

    def _unknown(self, key: str, value: Any, section: type[Section], wrote: Path) -> str | None:
        """Note the mistake; the name that was meant, where it is clear."""
        known = fields_of(section)
        if key.strip() in known:
            self._mistake((*wrote, key), value, "the key has a space in it", key.strip())
            return key.strip()
        # A key that is right elsewhere was more likely misplaced than misspelt, unless it is close.
        meant = near(key, known, closeness=0.85 if _homes(key) else 0.7)
        if meant is not None:
            self._mistake((*wrote, key), value, "unknown key", _header(meant, section))
            return meant
        self._mistake((*wrote, key), value, *_elsewhere(key, section))
        return None

    def _mistake(self, wrote: Path, value: Any, problem: str, suggestion: str = "") -> None:
        text = "" if isinstance(value, dict) else shown(value)
        self.mistakes.append(Mistake(self.origin(wrote), dotted(wrote), text, problem, suggestion))


def _header(name: str, section: type[Section]) -> str:
    below, listed = subsection(fields_of(section)[name])
    if below is None or section is not RunConfig:
        return name
    return f"[[{name}]]" if listed else f"[{name}]"


def _homes(key: str) -> list[Path]:
    """The places where a key of exactly this name is known."""
    return [path for path, _ in settings() if path[-1] == key]


def _elsewhere(key: str, section: type[Section]) -> tuple[str, str]:
    """Problem and suggestion for a key with no near name beside it."""
    homes = _homes(key)
    if [len(home) for home in homes] == [1]:
        return "unknown key here; it belongs at the top, before the first [table]", key
    if homes:
        headers = " or ".join(_table_header(home[:-1]) for home in homes)
        return "unknown key here", f"{key} under {headers}"
    known = ", ".join(fields_of(section))
    return f"unknown key; known here: {known}", ""


def _table_header(path: Path) -> str:
    name = ".".join(part for part in path if isinstance(part, str))
    return f"[[{name}]]" if any(isinstance(part, int) for part in path) else f"[{name}]"


def _from_home(path: FilePath) -> FilePath:
    """``~`` as a shell reads it: a name that is nobody's home, as ``~0``, is a file's name."""
    try:
        return path.expanduser()
    except RuntimeError:  # that is how pathlib says it
        return path
