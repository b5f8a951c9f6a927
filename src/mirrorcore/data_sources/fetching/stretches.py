"""Stretches of time: what was asked for, what is there, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Stretch(NamedTuple):
    """[start, end) in ns UTC."""

    start: int
    end: int


def missing(wanted: Stretch, there: Iterable[Stretch]) -> list[Stretch]:
    """The parts of ``wanted`` that none of ``there`` covers, in order."""
    found, cursor = [], wanted.start
    for one in sorted(there):
        if one.start >= wanted.end:
            break
        if one.start > cursor:
            found.append(Stretch(cursor, one.start))
        cursor = max(cursor, one.end)
    if cursor < wanted.end:
        found.append(Stretch(cursor, wanted.end))
    return found


def hull(stretches: Iterable[Stretch]) -> Stretch:
    """From the first start to the last end; ValueError where there is none."""
    given = list(stretches)
    return Stretch(min(one.start for one in given), max(one.end for one in given))
