"""What is odd in a calendar, though it can be read: told to whoever keeps it, and left as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from mirrorcore.clock import iso
from mirrorcore.data_sources.fundamental.event_calendar import UNLOCK, CalendarEntry, Supply


def oddities(
    entries: Sequence[CalendarEntry], symbols: Collection[str], supply: Supply
) -> Iterator[str]:
    """One sentence for each entry that cannot be meant as it stands, and each symbol not in
    ``symbols``; ``supply`` is the circulating supply as known at an instant."""
    strangers: set[str] = set()
    for one in entries:
        if one.symbol not in symbols:
            if one.symbol not in strangers:
                strangers.add(one.symbol)
                yield (
                    f"{_place(one)}{one.symbol} is not in this run, what is announced of it is "
                    f"left out; the run has {', '.join(symbols)}"
                )
        elif not one.withdrawn:
            yield from _odd(one, supply)


def _odd(one: CalendarEntry, supply: Supply) -> Iterator[str]:
    if one.announced > one.at:
        yield (
            f"{_place(one)}{one.symbol} {one.id!r} counts as announced at "
            f"{iso(one.announced)[:16]}, after it happens at {iso(one.at)[:16]}, so "
            "that no agent hears of it: check both "
            "(a day without an hour is announced at its end)"
        )
    known = supply(one.symbol, one.announced)
    if one.kind == UNLOCK and one.amount is not None and known is not None and one.amount > known:
        yield (
            f"{_place(one)}{one.symbol} {one.id!r} sets {one.amount} coins free, more than the "
            f"{known} in circulation: check that both are in coins"
        )


def _place(one: CalendarEntry) -> str:
    return f"{one.where}: " if one.where else ""
