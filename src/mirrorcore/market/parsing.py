"""Loose input to records: what an exchange, a test or a user hands in as plain mappings.

A missing value is never zero: it makes the record a rejected one, with the reason counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mirrorcore.market.intake import Case
from mirrorcore.market.records import ALL_SYMBOLS, Bar, FeedRecord, Observation, Stamped
from mirrorcore.market.timeframe import NS_PER_UNIT, epoch_unit

MISSING_WORDS = frozenset({"", ".", "null", "none", "n/a", "na", "-"})
"""How files and services write *no value*; compared in lower case."""
_TIME_NAMES = ("ts_event", "ts", "timestamp", "time", "date")
_PRICES = ("open", "high", "low", "close", "volume")


class UnreadableError(Exception):
    """A record that cannot be built; carries the case, for the counter."""

    def __init__(self, case: Case, detail: str) -> None:
        super().__init__(detail)
        self.case = case
        self.detail = detail


def read_number(value: object, name: str) -> float:
    """A float from a number or its text; UnreadableError when it is missing or no number."""
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS):
        raise UnreadableError(Case.MISSING_VALUE, f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnreadableError(Case.WRONG_TYPE, f"{name} is {type(value).__name__}")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise UnreadableError(Case.WRONG_TYPE, f"{name} is {str(value)[:40]!r}") from None


def read_time(value: object, name: str) -> int:
    """Epoch ns from an epoch number in s, ms, us or ns, or its text."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        parsed = read_number(value, name)
        if not math.isfinite(parsed):
            raise UnreadableError(Case.NOT_FINITE, f"{name} is {parsed}")
        number = int(parsed)
    unit = epoch_unit(number)
    if unit is None:
        raise UnreadableError(Case.TIME_RANGE, f"{name} is {number}")
    return number * NS_PER_UNIT[unit]


def loose_items(raw: object) -> Iterator[FeedRecord | Mapping[str, Any]]:
    """One item a record: from a record, a mapping, a mapping by symbol, or an iterable of these.

    Raises
    ------
    TypeError
        for anything else: that is a mistake of the caller, not of the data.
    """
    if isinstance(raw, Stamped):
        yield raw  # type: ignore[misc]
    elif isinstance(raw, Mapping):
        values = list(raw.values())
        if values and all(isinstance(value, Mapping) for value in values):
            for symbol, fields in raw.items():
                yield {"symbol": symbol, **fields}
        elif raw:
            yield raw
    elif isinstance(raw, Iterable) and not isinstance(raw, str | bytes):
        for item in raw:
            yield from loose_items(item)
    else:
        raise TypeError(f"market data must be records or mappings, not {type(raw).__name__}")


def read_record(
    fields: Mapping[str, Any], *, source: str, bar_ns: int, now: int | None
) -> Bar | Observation:
    """A bar (has ``open``) or an observation (has ``series``) from named fields.

    ``ts_avail`` defaults to the close of the bar, for an observation to its event time;
    ``ts_recv`` to ``now``, without one to ``ts_avail``. UnreadableError when a field is missing or
    wrong.
    """
    name = next((n for n in _TIME_NAMES if fields.get(n) is not None), None)
    if name is None:
        raise UnreadableError(Case.MISSING_VALUE, "no time (ts_event) is given")
    event = read_time(fields[name], name)
    is_bar = "series" not in fields
    avail = (
        read_time(fields["ts_avail"], "ts_avail")
        if fields.get("ts_avail") is not None
        else event + (bar_ns if is_bar else 0)
    )
    given = fields.get("ts_recv")
    receipt = read_time(given, "ts_recv") if given is not None else now
    common: dict[str, Any] = {
        "source": str(fields.get("source", source)),
        "symbol": str(fields.get("symbol", "" if is_bar else ALL_SYMBOLS)),
        "ts_event": event,
        "ts_recv": avail if receipt is None else receipt,
        "ts_avail": avail,
        "seq": _read_count(fields, "seq"),
        "epoch": _read_count(fields, "epoch"),
        "flags": _read_count(fields, "flags"),
    }
    if is_bar:
        common.update((n, read_number(fields.get(n), n)) for n in _PRICES)
        return Bar(**common)
    raw = fields.get("value")
    absent = raw is None or (isinstance(raw, str) and raw.strip().lower() in MISSING_WORDS)
    value = None if absent else read_number(raw, "value")
    return Observation(**common, series=str(fields["series"]), value=value)


def _read_count(fields: Mapping[str, Any], name: str) -> int:
    number = read_number(fields.get(name, 0), name)
    if not 0 <= number < 2.0**53:
        raise UnreadableError(Case.WRONG_TYPE, f"{name} is {number:g}")
    return int(number)
