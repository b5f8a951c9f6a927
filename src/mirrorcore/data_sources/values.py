"""Numbers and dates as services write them; what cannot be read is an error of the service."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.live import SourceError
from mirrorcore.market.intake import Case
from mirrorcore.market.parsing import UnreadableError, read_number, read_time


def value_of(raw: object, where: str) -> float | None:
    """A number, also as text; None where it is missing (``.``, empty, null, NaN).

    Raises
    ------
    SourceError
        where it is anything else.
    """
    try:
        number = read_number(raw, "the value")
    except UnreadableError as error:
        if error.case is Case.MISSING_VALUE:
            return None
        raise SourceError(f"{where}: {error.detail}, which is no number") from None
    if math.isnan(number):
        return None
    if math.isinf(number):
        raise SourceError(f"{where}: the value is infinite")
    return number


def day_of(raw: object, where: str) -> date:
    """``2024-03-01`` as a date; SourceError for anything else."""
    try:
        return date.fromisoformat(str(raw))
    except ValueError:
        raise SourceError(f"{where}: {str(raw)[:40]!r} is no date such as 2024-03-01") from None


def midnight_ns(day: date) -> int:
    """00:00 UTC of a day, ns."""
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


def instant_of(raw: object, where: str) -> int:
    """An instant in ns UTC: an epoch number in any unit, a date, or ISO 8601 (UTC unless said).

    Raises
    ------
    SourceError
        where it is none of these, or outside 1990 to 2099.
    """
    text = str(raw).strip()
    try:
        moment = datetime.fromisoformat(text) if "-" in text else None
    except ValueError:
        raise SourceError(f"{where}: {text[:40]!r} is no time") from None
    try:
        if moment is None:
            return read_time(raw, "the time")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        whole = round(moment.replace(microsecond=0).timestamp()) * SECOND
        return read_time(whole + moment.microsecond * 1000, "the time")
    except UnreadableError as error:
        raise SourceError(f"{where}: {error.detail}, which is no time from 1990 to 2099") from None
