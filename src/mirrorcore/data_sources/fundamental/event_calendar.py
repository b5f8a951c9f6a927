"""What is due: unlocks of tokens, forks, listings; each known from its announcement and not before.

An entry may be announced again under the same id, with another date or amount, or withdrawn; until
then the former one holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from mirrorcore.clock import DAY, format_duration
from mirrorcore.market.records import Observation

UNLOCK = "unlock"
EVENT_IN_DAYS, UNLOCK_SHARE = "fundamental.event_in_days", "fundamental.unlock_share"
Supply = Callable[[str, int], Decimal | None]
"""Circulating supply of a symbol as known at an instant, in coins."""


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One announcement.

    Parameters
    ----------
    id: the same in every announcement of one event.
    kind: ``unlock``, or any other word.
    at, announced: when it happens, and when that became public; ns UTC.
    amount: coins that an unlock sets free, None where it is not said.
    withdrawn: says that it will not happen.
    where: the place it was read at, for messages.
    """

    id: str
    symbol: str
    kind: str
    at: int
    announced: int
    amount: Decimal | None = None
    withdrawn: bool = False
    where: str = field(default="", compare=False)


class EventCalendar:
    """All announcements; asked for an instant, it answers with what was known by then."""

    def __init__(self, entries: Iterable[CalendarEntry]) -> None:
        self._entries = sorted(entries, key=lambda one: one.announced)
        self.symbols = tuple(sorted({one.symbol for one in self._entries}))

    def known(self, instant: int) -> list[CalendarEntry]:
        """What was announced by ``instant`` and lies ahead of it, soonest first."""
        latest: dict[tuple[str, str], CalendarEntry] = {}
        for one in self._entries:
            if one.announced > instant:
                break
            latest[one.symbol, one.id] = one
        ahead = [one for one in latest.values() if one.at > instant and not one.withdrawn]
        return sorted(ahead, key=lambda one: (one.at, one.symbol, one.id))

    def observations(
        self, instant: int, *, source: str, horizon_ns: int, supply: Supply, flags: int = 0
    ) -> list[Observation]:
        """Days to the next event and the share of supply unlocked within the horizon, by symbol.

        A symbol of which nothing has been announced yet has neither. Days are missing where
        nothing lies ahead; the share is missing where an amount or the supply is not known, and 0
        where no unlock is due.
        """
        announced = {one.symbol for one in self._entries if one.announced <= instant}
        ahead = self.known(instant)
        found: list[Observation] = []
        for symbol in self.symbols:
            if symbol not in announced:
                continue
            own = [one for one in ahead if one.symbol == symbol]
            days = (own[0].at - instant) / DAY if own else None
            due = [one for one in own if one.kind == UNLOCK and one.at <= instant + horizon_ns]
            share = unlock_share(due, supply(symbol, instant))
            for series, value in ((EVENT_IN_DAYS, days), (UNLOCK_SHARE, share)):
                found.append(
                    Observation(
                        source=source,
                        symbol=symbol,
                        ts_event=instant,
                        ts_recv=instant,
                        ts_avail=instant,
                        flags=flags,
                        series=series,
                        value=value,
                    )
                )
        return found


def units(horizon_ns: int) -> dict[str, str]:
    """Unit by series."""
    within = format_duration(horizon_ns)
    return {
        EVENT_IN_DAYS: "days",
        UNLOCK_SHARE: f"fraction of circulating supply within {within}",
    }


def unlock_share(due: Sequence[CalendarEntry], supply: Decimal | None) -> float | None:
    """Coins set free over coins in circulation; exact until the very last step."""
    if not due:
        return 0.0
    if supply is None or supply <= 0 or any(one.amount is None for one in due):
        return None
    return float(sum((one.amount or Decimal(0) for one in due), Decimal(0)) / supply)
