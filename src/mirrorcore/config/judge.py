"""Judges merged settings: what each value must be by itself, then what they must be together."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mirrorcore.config.mistakes import Mistake, Origin, dotted, shown
from mirrorcore.config.model import RunConfig
from mirrorcore.config.outside import missing_outside
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import setting_at
from mirrorcore.config.together import Vocabulary, contradictions, doubts
from mirrorcore.config.verdicts import Verdict, verdict_on


@dataclass(frozen=True, slots=True)
class Judgement:
    """A valid ``config``, or None and the mistakes; warnings in either case."""

    config: RunConfig | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def judge(
    table: Mapping[str, Any],
    origin: Callable[[Path], Origin],
    written: Callable[[Path], Path],
    vocabulary: Vocabulary,
    *,
    unread: Collection[str] = (),
    outside: bool = False,
) -> Judgement:
    """Validate merged settings.

    Parameters
    ----------
    table: the settings of all layers under their right names.
    origin, written: where a setting came from, and its path as the user wrote it.
    vocabulary: allowed names for settings whose values other rooms define.
    unread: keys whose lines could not be read, and which are therefore not missing.
    outside: whether the files and venues that are named must be there.
    """

    def mistake(path: Path, verdict: Verdict) -> Mistake:
        value = _look_up(table, path)
        text = "" if value is None or isinstance(value, dict) else shown(value)
        return Mistake(origin(path), dotted(written(path)), text, *verdict)

    mistakes: list[Mistake] = []
    bad: list[Path] = []
    config, errors = _validated(table)
    for error in errors:
        path = _setting_path(error["loc"], table)
        unreadable = error["type"] == "missing" and path[-1] in unread
        if path not in bad and not unreadable:
            mistakes.append(mistake(path, verdict_on(error, path)))
        bad.append(path)
    if config is None:
        # What is right is checked further, with defaults in place of what is wrong.
        config = _validated(_without(table, bad))[0]
    warnings: list[Mistake] = []
    if config is not None:

        def original(path: Path) -> Path:
            return _before_cutting(path, bad)

        found = list(contradictions(config, vocabulary, original))
        if outside and not found:  # what a source is told can be read once it is right
            venues = vocabulary.get("exchange.venue")
            found = [(original(path), told) for path, told in missing_outside(config, venues)]
        for path, verdict in found:
            if not any(path[: len(wrong)] == wrong for wrong in bad):
                mistakes.append(mistake(path, verdict))
        warnings = [mistake(path, verdict) for path, verdict in doubts(config)]
    return Judgement(None if mistakes or bad else config, tuple(mistakes), tuple(warnings))


def _validated(table: Mapping[str, Any]) -> tuple[RunConfig | None, list[ErrorDetails]]:
    try:
        return RunConfig.model_validate(table), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _look_up(table: Any, path: Path) -> Any:
    for part in path:
        try:
            table = table[part]
        except (KeyError, IndexError, TypeError):
            return None
    return table


def _setting_path(location: tuple[int | str, ...], table: Mapping[str, Any]) -> Path:
    """The part of an error's location that is a setting: tags of unions and validators drop out."""
    path: Path = ()
    for part in location:
        longer = (*path, part)
        known = _look_up(table, longer) is not None or (
            isinstance(part, str) and setting_at(longer) is not None
        )
        if not known:
            break
        path = longer
    return path


def _without(table: Mapping[str, Any], bad: Collection[Path]) -> dict[str, Any]:
    """A copy without the wrong settings; an element of a list of tables goes whole."""
    result: dict[str, Any] = copy.deepcopy(dict(table))
    emptied: set[Path] = set()
    for path in bad:
        indices = [depth for depth, part in enumerate(path) if isinstance(part, int)]
        cut = path[: indices[0] + 1] if indices else path
        parent = _look_up(result, cut[:-1])
        if isinstance(parent, list):
            emptied.add(cut)
        elif isinstance(parent, dict):
            parent.pop(cut[-1], None)
    for cut in sorted(emptied, reverse=True):  # from the end, so that indices stay right
        del _look_up(result, cut[:-1])[cut[-1]]
    return result


def _before_cutting(path: Path, bad: Collection[Path]) -> Path:
    """A path within the copy of :func:`_without`, as it is in the original: indices move back."""
    result: Path = ()
    for part in path:
        if isinstance(part, int):
            cut = {
                wrong[len(result)]
                for wrong in bad
                if wrong[: len(result)] == result and len(wrong) > len(result)
            }
            for index in itertools.count():
                if index not in cut:
                    if part == 0:
                        break
                    part -= 1
            part = index
        result = (*result, part)
    return result
