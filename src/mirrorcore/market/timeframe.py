"""Names of timeframes, ranges of time, the unit of a time column and the weekly opening hour.

Everything ends as integer nanoseconds UTC. An epoch number is accepted in seconds, milli-, micro-
or nanoseconds: between 1990 and 2099 the four magnitudes do not touch, so the unit is certain.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from mirrorcore import clock
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.block import Bools, Ints

EARLIEST = 631_152_000 * clock.SECOND  # 1990-01-01
LATEST = 4_102_444_800 * clock.SECOND  # 2100-01-01
_OLDEST = -8_520_336_000 * clock.SECOND  # 1700-01-01
NS_PER_UNIT = {
    "s": clock.SECOND,
    "ms": clock.MILLISECOND,
    "us": clock.MICROSECOND,
    "ns": 1,
}
_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_LETTER_FIRST = re.compile(r"([smhdwSMHDW])(\d+)")


def parse_timeframe(text: str) -> int:
    """``5m``, ``1h`` or ``1d``, also ``m5``, ``H1``, ``d1`` as terminals write it, in ns.

    ValueError for anything else. ``1M`` is a month, which has no fixed length, and is refused.
    """
    name = text.strip()
    if swapped := _LETTER_FIRST.fullmatch(name):
        name = swapped[2] + swapped[1].lower()
    if name.endswith("M"):
        raise ValueError(f"was {text!r}: months have no fixed length; use 1d or 1w")
    duration = clock.parse_duration(name)
    if duration <= 0:
        raise ValueError(f"was {text!r}, must be longer than nothing")
    return duration


def parse_timerange(text: str) -> tuple[int | None, int | None]:
    """``20240101-20240301`` as [start, end) in ns UTC; either side may be left out.

    Raises
    ------
    UsageError
        when the text is no such range or its start is not before its end.
    """
    match = re.fullmatch(r"(\d{8})?-(\d{8})?", text.strip())
    if match is None or not (match[1] or match[2]):
        raise UsageError(
            f"timerange was {text!r}",
            hint="write 20240101-20240301, 20240101- or -20240301 (UTC, the end is not included)",
        )
    start, end = (_day(text, part) if part else None for part in match.groups())
    if start is not None and end is not None and start >= end:
        raise UsageError(f"timerange {text!r} ends before it starts")
    return start, end


def _day(text: str, digits: str) -> int:
    try:
        day = datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"timerange {text!r}: {digits} is no date", hint="YYYYMMDD") from None
    return round(day.timestamp()) * clock.SECOND


def epoch_unit(number: int) -> str | None:
    """Unit of an epoch number by its magnitude, or None when it fits none (1990 to 2099)."""
    for unit, scale in NS_PER_UNIT.items():
        if EARLIEST <= number * scale < LATEST:
            return unit
    return None


def epoch_to_ns(numbers: Ints, *, where: str, unit: str | None = None) -> Ints:
    """A column of epoch numbers in ns.

    With ``unit`` None the unit is found by magnitude. A few numbers of another magnitude come out
    outside 1990..2099, so that the validator rejects those rows; without a clear majority of 99 %
    the whole column is refused.

    Raises
    ------
    DataError
        naming the file and column (``where``) when the unit is not clear or does not fit.
    """
    if len(numbers) == 0:
        return numbers.astype(np.int64)
    counts = {
        name: int(np.count_nonzero((numbers >= EARLIEST // ns) & (numbers < LATEST // ns)))
        for name, ns in NS_PER_UNIT.items()
    }
    best = max(counts, key=lambda name: counts[name])
    if counts[best] < 0.99 * len(numbers):
        found = ", ".join(f"{n} × {_WORDS[u]}" for u, n in counts.items() if n) or "no known unit"
        raise DataError(
            f"{where}: the times are in no one unit ({found}, of {len(numbers)}; "
            f"the first is {int(numbers[0])})",
            hint="epoch times must lie between 1990 and 2099, all in s, ms, us or ns",
        )
    if unit is not None and unit != best:
        raise DataError(
            f"{where}: the times look like {_WORDS[best]}, but the config says {_WORDS[unit]}",
            hint=f'set market.unit = "{best}" or leave it out',
        )
    scale = NS_PER_UNIT[best]
    # Clamped first: a foreign magnitude times the scale would overflow into a plausible date.
    clamped = np.clip(numbers.astype(np.int64), -1, LATEST // scale)
    return clamped * scale


def plausible_references(times: Ints) -> Bools:
    """Which times may be those of a published series, whose history can be older than computers.

    From 1700 on; but within a month of 1970-01-01 only whole days: there lies every time of today
    that was written in s, ms or us and read as ns.
    """
    near = np.abs(times) < 31 * clock.DAY
    sound: Bools = (times >= _OLDEST) & (times < LATEST) & (~near | (times % clock.DAY == 0))
    return sound


def require_plausible(times: Ints, *, where: str) -> None:
    """Refuse a column of datetimes that was written in the wrong unit.

    Raises
    ------
    DataError
        when more than 1 % lie outside 1990..2099; says which unit would make them plausible.
    """
    outside = (times < EARLIEST) | (times >= LATEST)
    if np.count_nonzero(outside) <= 0.01 * len(times):
        return
    sample = int(times[np.flatnonzero(outside)[0]])
    guess = ""
    for factor, meaning in ((1_000, "one unit finer"), (1_000_000, "two units finer")):
        if EARLIEST <= sample * factor < LATEST:
            guess = f"; it looks like a number written as {meaning} than it is (× {factor:,})"
    raise DataError(
        f"{where}: the time {clock.iso(sample)} is outside 1990 to 2099{guess}",
        hint="write the column as epoch numbers or with the right datetime unit",
    )


def distinct(times: Ints) -> Ints:
    """The distinct instants, rising. Quick where the times come in a few sorted stretches."""
    ordered = np.sort(times, kind="stable")
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return ordered[fresh]


def modal_spacing(times: Ints) -> int | None:
    """The most frequent distance of neighbouring distinct times, ns; None below three rows."""
    distances = np.diff(distinct(times))
    if len(distances) < 2:
        return None
    spacings, counts = np.unique(distances, return_counts=True)
    return int(spacings[int(np.argmax(counts))])


def weekly_opening(times: Ints) -> tuple[int, int] | None:
    """(weekday 0 = Monday, hour UTC) at which most weeks open, None where no weekend is seen.

    An opening is a bar after a pause of 24 to 80 hours: the weekend of a market that trades five
    days, longer by a holiday at most.
    """
    ordered = distinct(times)
    pauses = np.diff(ordered)
    opens = ordered[1:][(pauses > 24 * clock.HOUR) & (pauses <= 80 * clock.HOUR)]
    if len(opens) < 4:
        return None
    hours = (opens // clock.HOUR + 72) % 168  # 1970-01-01 was a Thursday
    values, counts = np.unique(hours, return_counts=True)
    mode = int(values[int(np.argmax(counts))])
    return mode // 24, mode % 24


def require_weekly_opening(times: Ints, *, where: str) -> None:
    """Check a market traded Sunday 17:00 to Friday 17:00 New York (``trading_hours = "24/5"``).

    Its week opens at 21:00 UTC in summer and 22:00 in winter; a bar may come an hour late.

    Raises
    ------
    DataError
        when most weeks open at another hour: the times are not UTC.
    """
    opening = weekly_opening(times)
    if opening is None or (opening[0] == 6 and 20 <= opening[1] <= 23):
        return
    day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[opening[0]]
    shift = (opening[0] * 24 + opening[1] - (6 * 24 + 21) + 84) % 168 - 84
    raise DataError(
        f"{where}: the week opens on {day} at {opening[1]:02d}:00, expected Sunday 21:00 or 22:00 "
        f"UTC; the times look shifted by about {shift:+d} h",
        hint="make a file in UTC (times are the open of the candle) with 'mirrorcore data import': "
        "--zone says whose clock its times are, --ahead how far they run before that; or describe "
        "other trading hours for the instrument",
    )
