"""What a rule says of one live record, and the rules that hold for every kind of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import msgspec

from mirrorcore.market.intake import Case
from mirrorcore.market.records import FeedRecord, Levels, Stamped
from mirrorcore.market.timeframe import EARLIEST, LATEST

_LARGEST = 2**1000
"""An integer beyond this is no price; turning it into a float may overflow."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The judgement of one record.

    Parameters
    ----------
    case: Case.NONE to accept; otherwise the record is left out.
    flags: bits to add to an accepted record.
    noted: cases worth a figure that do not decide.
    record: what is accepted instead, where its place or form was put right.
    before, after: records that this one gave rise to (a gap, a status, changes kept back).
    """

    case: Case = Case.NONE
    flags: int = 0
    noted: tuple[Case, ...] = ()
    detail: str = ""
    record: FeedRecord | None = None
    before: tuple[FeedRecord, ...] = ()
    after: tuple[FeedRecord, ...] = ()


ACCEPTED = Ruling()


def time_fault(record: Stamped, tolerance_ns: int) -> Case:
    """What is wrong with the times of a live record; Case.NONE where they make sense.

    ``tolerance_ns``: how far a source's clock may run ahead of ours before it is the future.
    """
    if not EARLIEST <= record.ts_event < LATEST:
        return Case.TIME_RANGE
    if record.ts_event > record.ts_recv + tolerance_ns:
        return Case.FUTURE
    if record.ts_avail < record.ts_recv:
        return Case.LOOK_AHEAD
    return Case.NONE


def type_fault(record: Stamped) -> Case:
    """What is wrong with the types of a ready-made record; Case.NONE when rules can read it."""
    for name, check in _checks(type(record)):
        fault = check(getattr(record, name))
        if fault is not Case.NONE:
            return fault
    return Case.NONE


@lru_cache(maxsize=64)
def _checks(kind: type[Stamped]) -> tuple[tuple[str, Callable[[Any], Case]], ...]:
    checks: list[tuple[str, Callable[[Any], Case]]] = []
    for field in msgspec.structs.fields(kind):
        name, declared = field.name, field.type
        if name.startswith("ts_"):
            checks.append((name, _instant))
        elif name in ("flags", "seq", "epoch"):
            checks.append((name, _count))
        elif declared is int:
            checks.append((name, _whole))
        elif declared is float:
            checks.append((name, _number))
        elif NoneType in get_args(declared):
            checks.append((name, _number_or_none))
        elif declared is str:
            checks.append((name, _text))
        elif declared == Levels:
            checks.append((name, _levels))
        elif get_origin(declared) is Literal:
            checks.append((name, partial(_word, get_args(declared))))
    return tuple(checks)


def _instant(value: object) -> Case:
    if not isinstance(value, int):
        return Case.WRONG_TYPE
    return Case.NONE if -(2**63) <= value < 2**63 else Case.TIME_RANGE


def _count(value: object) -> Case:
    sound = isinstance(value, int) and 0 <= value < 2**63
    return Case.NONE if sound else Case.WRONG_TYPE


def _whole(value: object) -> Case:
    return Case.NONE if isinstance(value, int) else Case.WRONG_TYPE


def _number(value: object) -> Case:
    if value is None:
        return Case.MISSING_VALUE
    if not isinstance(value, int | float):
        return Case.WRONG_TYPE
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return Case.NOT_FINITE
    return Case.NONE


def _number_or_none(value: object) -> Case:
    return Case.NONE if value is None else _number(value)


def _text(value: object) -> Case:
    if value is None:
        return Case.MISSING_VALUE
    return Case.NONE if isinstance(value, str) else Case.WRONG_TYPE


def _word(words: tuple[str, ...], value: object) -> Case:
    return Case.NONE if isinstance(value, str) and value in words else Case.WRONG_TYPE


def _levels(value: object) -> Case:
    if not isinstance(value, tuple | list):
        return Case.MISSING_VALUE if value is None else Case.WRONG_TYPE
    for level in value:
        if type(level) is tuple and len(level) == 2 and type(level[0]) is type(level[1]) is float:
            continue  # as every decoder makes them
        if not isinstance(level, tuple | list) or len(level) != 2:
            return Case.WRONG_TYPE
        for number in level:
            fault = _number(number)
            if fault is not Case.NONE:
                return fault
    return Case.NONE
