"""Any answer of a command as indented lines: lists of alike rows become columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mirrorcore.interfaces.terminal.look import BOLD, DIM
from mirrorcore.interfaces.terminal.pane import Line
from mirrorcore.interfaces.terminal.text import NOTHING, fit, wrap

_COLUMN = 24
_DEEPEST = 8


def unfold(value: Any, width: int) -> list[Line]:
    """``value`` as lines of at most ``width`` cells."""
    return list(_unfold(value, width, 1))


def _unfold(value: Any, width: int, indent: int) -> Iterator[Line]:
    if isinstance(value, Mapping) and indent // 2 < _DEEPEST:
        yield from _mapping(value, width, indent)
    elif isinstance(value, list | tuple) and indent // 2 < _DEEPEST:
        yield from _sequence(value, width, indent)
    else:
        for part in wrap(said(value), max(8, width - indent)):
            yield ((" " * indent + part, None),)


def _mapping(value: Mapping[Any, Any], width: int, indent: int) -> Iterator[Line]:
    if not value:
        yield ((" " * indent + "none", DIM),)
        return
    room = min(22, max(len(str(key)) for key in value))
    for key, found in value.items():
        head = " " * indent + fit(str(key), room) + "  "
        if isinstance(found, Mapping | list | tuple) and found and not _is_flat(found):
            yield ((head.rstrip(), BOLD),)
            yield from _unfold(found, width, indent + 2)
            continue
        first, *more = wrap(said(found), max(8, width - len(head)))
        yield ((head, DIM), (first, None))
        for part in more:
            yield ((" " * len(head) + part, None),)


def _sequence(value: Sequence[Any], width: int, indent: int) -> Iterator[Line]:
    if not value:
        yield ((" " * indent + "none", DIM),)
    elif all(isinstance(one, Mapping) and one.keys() == value[0].keys() for one in value):
        yield from _columns(value, width, indent)
    else:
        for one in value:
            yield from _unfold(one, width, indent)


def _columns(rows: Sequence[Mapping[str, Any]], width: int, indent: int) -> Iterator[Line]:
    names = [str(name) for name in rows[0]]
    table = [[said(found) for found in row.values()] for row in rows]
    widths = [
        min(_COLUMN, max(len(name), *(len(line[at]) for line in table)))
        for at, name in enumerate(names)
    ]
    start = " " * indent
    yield ((start + "  ".join(map(fit, names, widths)), BOLD),)
    for line in table:
        yield ((fit(start + "  ".join(map(fit, line, widths)), width), None),)


def _is_flat(value: Mapping[Any, Any] | Sequence[Any]) -> bool:
    """A short list of plain values, which stands on the line of its name."""
    return not isinstance(value, Mapping) and not any(
        isinstance(one, Mapping | list | tuple) for one in value
    )


def said(value: Any, digits: int = 6) -> str:
    """A plain value in words: a dash for nothing; figures with six digits, in a row with four."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if math.isfinite(value) else NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(said(one, 4) for one in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {said(found)}" for key, found in value.items()) or "none"
    return str(value)
