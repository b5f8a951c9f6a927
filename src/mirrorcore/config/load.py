"""Loads a configuration: defaults < file < environment < command line, every mistake at once."""

from __future__ import annotations

import contextlib
import copy
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from mirrorcore.config.judge import judge
from mirrorcore.config.mistakes import (
    DEFAULT,
    InvalidConfigError,
    Mistake,
    Origin,
    OriginKind,
    dotted,
)
from mirrorcore.config.model import RunConfig
from mirrorcore.config.read import read_document
from mirrorcore.config.render import leaves
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import Review, setting_at
from mirrorcore.config.together import Vocabulary

ENVIRONMENT_PREFIX = "MIRRORCORE__"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, where each value came from, and what is odd about it.

    ``origins`` has an entry for every setting of the effective configuration, by dotted key.
    """

    config: RunConfig
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    table: Mapping[str, Any]
    review: Review


def load_config(
    path: str | FilePath | None,
    environment: Mapping[str, str],
    overrides: Iterable[tuple[str, object]] = (),
    *,
    vocabulary: Vocabulary | None = None,
    outside: bool = False,
) -> Loaded:
    """Load and validate a configuration.

    Parameters
    ----------
    path: the TOML file; None is an empty one.
    environment: usually ``os.environ``; ``MIRRORCORE__RISK__GROSS=1`` sets ``risk.gross``.
    overrides: (dotted key, value) of the command line; text is read as TOML where it is some, and
        None is an option not given.
    vocabulary: names that other rooms define, see :data:`~mirrorcore.config.together.Vocabulary`.
    outside: whether the files and venues that are named must be there.

    Raises
    ------
    InvalidConfigError: with every mistake found.
    """
    mistakes: list[Mistake] = []
    layers: list[_Layer] = []
    warnings: list[str] = []
    unread: frozenset[str] = frozenset()
    if path is not None:
        document = read_document(FilePath(path))
        mistakes.extend(document.mistakes)
        unread = document.unread
        folder = FilePath(path).resolve().parent
        layers.append(_Layer(document.table, Review(document.origin, folder)))
    variables, stray = _from_environment(environment)
    warnings.extend(stray)
    layers.append(_texts("environment", variables))
    options = [(key, tuple(key.split(".")), value) for key, value in overrides if value is not None]
    layers.append(_texts("command line", options))

    merged: dict[str, Any] = {}
    sources: dict[Path, Review] = {}
    for layer in layers:
        _merge(merged, layer.review.run(layer.table), (), layer.review, sources)
        mistakes.extend(layer.review.mistakes)

    def origin(at: Path) -> Origin:
        review = _source(at, sources)
        return review.origin(_written(at, review)) if review else DEFAULT

    def written(at: Path) -> Path:
        review = _source(at, sources)
        return _written(at, review) if review else at

    judgement = judge(merged, origin, written, vocabulary or {}, unread=unread, outside=outside)
    mistakes.extend(judgement.mistakes)
    if judgement.config is None or mistakes:
        raise InvalidConfigError(_in_order(mistakes))
    warnings.extend(str(warning) for warning in judgement.warnings)
    origins = {
        dotted(at): origin(at) if at in sources else DEFAULT for at, _ in leaves(judgement.config)
    }
    return Loaded(judgement.config, origins, tuple(warnings))


def _in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    kinds: dict[OriginKind, int] = {"file": 0, "environment": 1, "command line": 2, "default": 3}
    return sorted(mistakes, key=lambda one: (kinds[one.origin.kind], one.origin.line))


def _merge(
    into: dict[str, Any],
    table: Mapping[str, Any],
    path: Path,
    review: Review,
    sources: dict[Path, Review],
) -> None:
    """Lay ``table`` over ``into``: tables merge, anything else replaces what was there."""
    for key, value in table.items():
        at = (*path, key)
        if isinstance(value, dict) and path == ():
            sources.setdefault(at, review)
            _merge(into.setdefault(key, {}), value, at, review, sources)
            continue
        for old in [old for old in sources if old[: len(at)] == at]:
            del sources[old]
        into[key] = copy.deepcopy(value)
        _claim(value, at, review, sources)


def _claim(value: Any, at: Path, review: Review, sources: dict[Path, Review]) -> None:
    sources[at] = review
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        _claim(item, (*at, key), review, sources)


def _source(at: Path, sources: Mapping[Path, Review]) -> Review | None:
    for length in range(len(at), 0, -1):
        if at[:length] in sources:
            return sources[at[:length]]
    return None


def _written(at: Path, review: Review) -> Path:
    """``at`` as the user wrote it, by the longest part of it that was written."""
    for length in range(len(at), 0, -1):
        if at[:length] in review.written:
            return (*review.written[at[:length]], *at[length:])
    return at


_OF_THE_BUILD = "MIRRORCORE_WEB"
"""Says whether the page is built when the package is installed; no setting of a run."""


def _from_environment(
    environment: Mapping[str, str],
) -> tuple[list[tuple[str, Path, object]], list[str]]:
    """The variables meant for us, and warnings about those that look as if they were."""
    variables: list[tuple[str, Path, object]] = []
    stray: list[str] = []
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            parts = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
            variables.append((name, parts, environment[name]))
        elif name.startswith("MIRRORCORE_") and name != _OF_THE_BUILD:
            meant = _meant_variable(name.removeprefix("MIRRORCORE_").lower())
            if meant is not None:
                stray.append(f"{name} is not read; did you mean {meant}?")
    return variables, stray


def _meant_variable(name: str) -> str | None:
    """``RISK_GROSS`` lacks underscores, if there is a setting that reads so with them."""
    words = name.replace("__", "_").split("_")
    for cut in range(len(words)):
        path: Path = tuple("_".join(part) for part in (words[:cut], words[cut:]) if part)
        if setting_at(path) is not None:
            return ENVIRONMENT_PREFIX + "__".join(str(part) for part in path).upper()
    return None


def _texts(kind: OriginKind, settings: Iterable[tuple[str, Path, object]]) -> _Layer:
    """A layer of single settings, each with the name of the variable or option that gave it."""
    table: dict[str, Any] = {}
    names: dict[Path, str] = {}
    for name, path, value in settings:
        names[path] = name
        below = table
        for part in path[:-1]:
            inner = below.setdefault(str(part), {})
            if not isinstance(inner, dict):
                inner = below[str(part)] = {}
            below = inner
        below[str(path[-1])] = _read_text(value, path) if isinstance(value, str) else value

    def origin(at: Path) -> Origin:
        for length in range(len(at), 0, -1):
            if at[:length] in names:
                return Origin(kind, f"{kind} {names[at[:length]]}")
        below = [name for path, name in names.items() if path[: len(at)] == at]
        return Origin(kind, f"{kind} {below[0]}" if below else kind)

    return _Layer(table, Review(origin, FilePath.cwd()))


def _read_text(text: str, path: Path) -> object:
    """Text of a variable or option as TOML, as it stands, or as a list at its commas.

    The first reading that suits the setting wins; where none does, the text itself stands and the
    mistake is reported like any other.
    """
    readings: list[object] = []
    with contextlib.suppress(tomllib.TOMLDecodeError):  # no TOML: the other readings remain
        readings.append(tomllib.loads(f"value = {text}")["value"])
    readings.append(text)
    readings.append([part.strip() for part in text.split(",") if part.strip()])
    found = setting_at(path)
    if found is None:
        return readings[0]
    section, info = found
    for reading in readings:
        try:
            section.model_validate({str(path[-1]): reading})
        except ValidationError as error:
            if any(one["loc"][:1] == (info.alias or path[-1],) for one in error.errors()):
                continue
        return reading
    return readings[0]
