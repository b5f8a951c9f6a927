"""Dated values that are published, corrected and published again.

Asked again and again, a service answers with mostly what it said before. ``KnownValues`` finds what
is new in it; ``published`` orders a whole history by release, so that a replay sees the first
vintage first and each correction when it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mirrorcore.market.records import Flag, Observation


@dataclass(frozen=True, slots=True)
class Dated:
    """One value: ``event`` the instant of what it describes, ``released`` when it became public.

    Both ns UTC; ``value`` None is *missing*.
    """

    event: int
    released: int
    value: float | None


class KnownValues:
    """What one source has told so far, by series and symbol; remembers ``kept`` values of each."""

    def __init__(self, source: str, *, kept: int = 4096) -> None:
        self._source = source
        self._kept = kept
        self._known: dict[tuple[str, str], dict[int, float]] = {}

    def fresh(
        self, series: str, symbol: str, values: Iterable[tuple[int, float | None]], now: int
    ) -> list[Observation]:
        """What is new or corrected in an answer received at ``now``, by event time.

        Of the very first answer that is its newest value alone: whatever is older was superseded
        before we began to listen. All of it is available from ``now``, when we came to know it.
        A missing value is no news: it takes back nothing that is known.
        """
        rows = sorted((event, value) for event, value in values if value is not None)
        first = not self.knows(series, symbol)
        known = self._known.setdefault((series, symbol), {})
        found = []
        for event, value in rows:
            if known.get(event) == value:
                continue
            revised = event in known
            known[event] = value
            if not first or event == rows[-1][0]:
                flags = Flag.REVISED if revised else Flag.NONE
                found.append(self._observation(series, symbol, event, value, now, flags))
        for event in sorted(known)[: -self._kept]:
            del known[event]
        return found

    def knows(self, series: str, symbol: str) -> bool:
        """Whether any value of this series was told before."""
        return bool(self._known.get((series, symbol)))

    def _observation(
        self, series: str, symbol: str, event: int, value: float | None, now: int, flags: int
    ) -> Observation:
        return Observation(
            source=self._source,
            symbol=symbol,
            ts_event=event,
            ts_recv=now,
            ts_avail=now,
            flags=int(flags),
            series=series,
            value=value,
        )


def published(source: str, series: str, symbol: str, values: Sequence[Dated]) -> list[Observation]:
    """A history as it became known: in order of release, then of what it describes.

    The first value of each event time is the first vintage; another one later is flagged REVISED,
    the same again is left out. Everything is flagged BACKFILL.
    """
    latest: dict[int, float | None] = {}
    found = []
    for one in sorted(values, key=lambda value: (value.released, value.event)):
        if one.event in latest and latest[one.event] == one.value:
            continue
        revised = latest.get(one.event) is not None
        latest[one.event] = one.value
        found.append(
            Observation(
                source=source,
                symbol=symbol,
                ts_event=one.event,
                ts_recv=one.released,
                ts_avail=one.released,
                flags=int(Flag.BACKFILL | (Flag.REVISED if revised else Flag.NONE)),
                series=series,
                value=one.value,
            )
        )
    return found
