"""The types of a configuration's values: durations, amounts, spans of time, lists of names.

Each turns what a user writes into what the swarm computes with, and says what is wrong with what it
cannot read, where possible with what was probably meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from mirrorcore.clock import MILLISECOND, SECOND, format_duration, parse_duration


class WrongValue(ValueError):  # noqa: N818  # read by pydantic, never raised to a user
    """``problem`` completes "the value ..."; ``suggestion`` is TOML that may be meant."""

    def __init__(self, problem: str, suggestion: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.suggestion = suggestion


_SPELLED_UNITS = {
    "ms": ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes", "t"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
}
_SHORT_UNIT = {spelled: unit for unit, forms in _SPELLED_UNITS.items() for spelled in forms}


def _duration(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongValue('must be a duration in quotes, such as "5m" or "1h"')
    if isinstance(value, int | float):
        raise WrongValue(
            f'has no unit of time: write "{value:g}m" for minutes, "{value:g}s" for seconds',
            f'"{value:g}m"',
        )
    try:
        nanoseconds = parse_duration(value)
    except ValueError:
        raise WrongValue(*_unreadable_duration(value)) from None
    if nanoseconds % MILLISECOND:
        raise WrongValue("must be a whole number of milliseconds")
    return nanoseconds


def _unreadable_duration(text: str) -> tuple[str, str]:
    problem = "must be a number with a unit ms, s, m, h, d or w"
    signed = text.strip()
    if signed[:1] in ("-", "+") and _is_duration(signed[1:]):
        return (
            f"has a sign, {signed[0]}: a duration is written without one",
            f'"{signed[1:].strip()}"',
        )
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None:
        return problem, ""
    number, unit = match[1], match[2]
    if unit == "M" or unit.lower() in {"mo", "month", "months"}:
        return "names months, which have no fixed length", f'"{float(number) * 30:g}d"'
    if not unit:
        return f"has no unit of time: {problem}", f'"{number}m"'
    short = _SHORT_UNIT.get(unit.lower())
    return problem, f'"{number}{short}"' if short else ""


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _positive_duration(value: object) -> int:
    nanoseconds = _duration(value)
    if nanoseconds == 0:
        raise WrongValue("must be longer than nothing")
    return nanoseconds


def _duration_text(nanoseconds: int) -> str:
    return format_duration(nanoseconds) if nanoseconds else "0s"


_AS_TEXT = PlainSerializer(_duration_text, return_type=str)

Duration = Annotated[int, BeforeValidator(_positive_duration), _AS_TEXT]
"""Nanoseconds > 0, written ``"5m"``."""

Delay = Annotated[int, BeforeValidator(_duration), _AS_TEXT]
"""Nanoseconds >= 0, written ``"0s"``, ``"1h"``."""


def plain_decimal(value: Decimal) -> str:
    """The one way to write an amount: no exponent, no zeros at the end (``100000``, ``0.01``)."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise WrongValue("must be a number")
    try:
        # By way of the text: 0.1 in a file means a tenth, not the float nearest to it.
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        digits = str(value).replace(",", "").replace("_", "").replace(" ", "")
        meant = digits if re.fullmatch(r"-?\d+(\.\d+)?", digits) else ""
        raise WrongValue("must be a number", meant) from None
    if not amount.is_finite():
        raise WrongValue("must be a finite number")
    return amount


Amount = Annotated[
    Decimal, BeforeValidator(_amount), PlainSerializer(plain_decimal, return_type=str)
]
"""An exact decimal; written as a number or, for exactness beyond doubt, as text."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[start, end) in nanoseconds UTC; None is an open end."""

    start: int | None
    end: int | None

    def __str__(self) -> str:
        return f"{_stamp(self.start)}-{_stamp(self.end)}"


def _stamp(instant: int | None) -> str:
    if instant is None:
        return ""
    moment = datetime.fromtimestamp(instant // SECOND, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.strftime("%Y%m%d" if midnight else "%Y%m%dT%H%M%S")


def _instant(text: str) -> int | None:
    if not text:
        return None
    for pattern in ("%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M"):
        # strptime takes single digits too ("2024131" as 13 January): the length must agree.
        if len(text) == len(datetime(2000, 10, 10, 10, 10, 10, tzinfo=UTC).strftime(pattern)):
            try:
                moment = datetime.strptime(text, pattern).replace(tzinfo=UTC)
            except ValueError:
                continue
            return round(moment.timestamp()) * SECOND
    raise WrongValue(f"names {text!r}, which is no date such as 20240131 or 20240131T1230")


def _time_range(value: object) -> TimeRange:
    if isinstance(value, TimeRange):
        return value
    shape = 'must be "START-END" such as "20240101-20240301"; one end may be left out'
    if not isinstance(value, str):
        raise WrongValue(shape)
    dashed = re.findall(r"\d{4}-\d{2}-\d{2}", value)
    if dashed:
        raise WrongValue(shape, '"' + "-".join(day.replace("-", "") for day in dashed[:2]) + '"')
    first, dash, last = value.strip().partition("-")
    if not dash or not (first or last) or "-" in last:
        raise WrongValue(shape)
    start, end = _instant(first), _instant(last)
    if start is not None and end is not None and start >= end:
        raise WrongValue("ends before it starts", f'"{last}-{first}"' if start > end else "")
    return TimeRange(start, end)


Span = Annotated[TimeRange, BeforeValidator(_time_range), PlainSerializer(str, return_type=str)]
"""``"20240101-20240301"``: from the first day's midnight UTC to the last one's, exclusive."""


def _names(value: object) -> object:
    if isinstance(value, str):
        parts = ", ".join(f'"{part.strip()}"' for part in value.split(",") if part.strip())
        raise WrongValue("must be a list", f"[{parts}]")
    if not isinstance(value, list | tuple):
        raise WrongValue('must be a list such as ["a", "b"]')
    for item in value:
        if not isinstance(item, str) or not item.strip():
            raise WrongValue(f"holds {item!r}, must be a list of names in quotes")
    seen: set[str] = set()
    for item in value:
        if item in seen:
            raise WrongValue(f'names "{item}" twice')
        seen.add(item)
    return tuple(value)


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""A list of different, non-empty names."""

EMERGENCE_TYPES = (
    "coordination",
    "drift",
    "specialisation",
    "novelty",
    "collective",
    "risk",
    "regime",
)


def _emergence_types(value: object) -> object:
    names = _names(value)
    for name in names if isinstance(names, tuple) else ():
        if name not in EMERGENCE_TYPES:
            raise WrongValue(f"holds {name!r}, may hold {', '.join(EMERGENCE_TYPES)}")
    return names


EmergenceTypes = Annotated[tuple[str, ...], BeforeValidator(_emergence_types)]
"""Types of findings that are watched for."""

MOST_SYMBOLS = 1000


def _symbols(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_SYMBOLS:
            raise WrongValue(f"must be 1 to {MOST_SYMBOLS} symbols")
        return value
    if isinstance(value, str | list | tuple):
        names = _names(value)
        if not names:
            raise WrongValue("names no symbol: give at least one, or leave the key out")
        return names
    raise WrongValue('must be a list such as ["BTC/USDT"] or a number of symbols')


Symbols = Annotated[int | tuple[str, ...] | None, BeforeValidator(_symbols)]
"""Names, or for a simulated market how many."""


def _location(value: object) -> object:
    if isinstance(value, str):
        if not value:
            raise WrongValue("is empty, must name a file or folder")
        return Path(value)
    return value


Location = Annotated[Path, BeforeValidator(_location), PlainSerializer(str, return_type=str)]
"""A file or folder. :func:`~mirrorcore.config.load.load_config` makes it absolute."""


def _params(value: object) -> object:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_param(str(key), item)
    return value


def _check_param(name: str, value: object) -> None:
    """What a run writes down as JSON must come back the same, or its replay would differ."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_param(f"{name}.{key}", item)
    elif isinstance(value, list):
        for item in value:
            _check_param(name, item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongValue(f"holds {value} under {name}, must hold finite numbers")
    elif not isinstance(value, str | int | float):
        raise WrongValue(f"holds a date or time under {name}: write it in quotes, as text")


Params = Annotated[dict[str, Any], BeforeValidator(_params)]
"""What an agent of any kind can be told: numbers, texts, lists and tables of them."""


def _tables(value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    raise WrongValue("is a list of tables: write its header in double brackets, [[...]]")


Tables: Any = BeforeValidator(_tables)
"""Marks a tuple of sub-tables, ``[[name]]`` in the file."""
