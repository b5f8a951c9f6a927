"""When a figure of a day became public, in the time zone of those who publish it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mirrorcore.clock import SECOND
from mirrorcore.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReleaseTime:
    """A time of day in a zone, daylight saving included.

    Parameters
    ----------
    zone: as ``Europe/Berlin``.
    hour, minute: 24:00 is the end of the day: for who knows the day of a release, not the hour.
    """

    zone: str
    hour: int = 24
    minute: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.hour <= 24 and 0 <= self.minute < 60):
            raise UsageError(f"{self.hour}:{self.minute:02d} is no time of day")
        zone_of(self.zone)

    def at(self, day: date) -> int:
        """The instant of release on a day, ns UTC."""
        carry, hour = divmod(self.hour, 24)
        zone = zone_of(self.zone)
        local = datetime(day.year, day.month, day.day, hour, self.minute, tzinfo=zone)
        return round((local + timedelta(days=carry)).timestamp()) * SECOND


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; UsageError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f"there is no time zone {name!r}",
            hint="write it as Europe/Berlin; a system without time zones needs: pip install tzdata",
        ) from None
