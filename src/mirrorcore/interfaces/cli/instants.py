"""Instants as people write them on a command line."""

from __future__ import annotations

import math

from mirrorcore.errors import UsageError


def instant(option: str, text: str, now: int) -> int:
    """``2024-01-31``, ``20240131``, ``2024-01-31T12:30`` (UTC unless it says), how long ago, as
    ``30d`` or ``30d ago``, or ``now``; in ns UTC.

    Raises
    ------
    UsageError
        for anything else.
    """
    from mirrorcore.clock import parse_duration

    plain = text.strip()
    if plain == "now":
        return now
    if plain[-1:].isalpha() and plain[-1:] != "Z":
        try:
            return now - parse_duration(plain.removesuffix(" ago"))
        except ValueError:
            raise _wrong(option, text) from None
    return _dated(option, plain)


def _dated(option: str, text: str) -> int:
    from datetime import UTC, datetime

    from mirrorcore.clock import MICROSECOND, SECOND

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(option, text) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = round(moment.replace(microsecond=0).timestamp()) * SECOND
    return whole + moment.microsecond * MICROSECOND


def _wrong(option: str, text: str) -> UsageError:
    return UsageError(
        f"{option} was {text!r}, which is no date",
        hint="write 2024-01-31, 2024-01-31T12:30 (UTC), or how long ago, as 30d",
    )


def require_seconds(seconds: float) -> None:
    """UsageError where ``--seconds`` is no length of time; 0 stands for no end."""
    if not 0 <= seconds < math.inf:
        raise UsageError(
            f"--seconds was {seconds:g}, must be a finite number, 0 or more",
            hint="0, or leaving it out, goes on to Ctrl-C",
        )
