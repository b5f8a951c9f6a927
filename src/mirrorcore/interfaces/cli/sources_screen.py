"""How live sources did, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mirrorcore.clock import MILLISECOND
from mirrorcore.interfaces.cli.answer import say

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.running.health import SourceHealth
    from mirrorcore.market.bar_check import BarCounts

_BAD = frozenset({"unfilled", "dropped"})
"""What is missing for good where it is not zero."""


def show_health(out: Console, health: Mapping[str, SourceHealth], late: int) -> None:
    """A column for each source, a line for each counter by its own name, so that all have room.

    ``late`` trades came after their bar was closed.
    """
    from rich.table import Table
    from rich.text import Text

    told = [_told(one) for one in health.values()]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("source", style="dim", no_wrap=True)
    for one in health.values():
        table.add_column(Text(one.name), justify="right", overflow="fold")
    for name in told[0] if told else ():
        cells = [column[name] for column in told]
        bad = [name in _BAD and cell != "0" for cell in cells]
        table.add_row(
            name,
            *(Text(cell, "yellow" if no else "") for cell, no in zip(cells, bad, strict=True)),
        )
    say(out, "")
    out.print(table)
    if late:
        say(out, f"{late:,} trades came after their bar was closed and changed nothing", "yellow")


def _told(one: SourceHealth) -> dict[str, str]:
    """What docs/sources.md calls a counter is what it is called here."""
    counts = {
        "records": sum(one.records.values()),
        "gaps": sum(one.gaps.values()),
        "filled": one.filled,
        "unfilled": one.unfilled,
        "dropped": one.dropped,
        "duplicates": one.duplicates,
        "replayed": one.replayed,
        "reconnects": one.reconnects,
        "stale": one.stale,
        "skew_alarms": one.skew_alarms,
    }
    faults = ", ".join(f"{case} {count}" for case, count in sorted(one.faults.items()))
    return {
        "state": str(one.state),
        **{name: f"{count:,}" for name, count in counts.items()},
        "skew": "–" if one.skew_ns is None else f"{one.skew_ns / MILLISECOND:+,.0f} ms",
        "faults": faults or "none",
    }


def show_bars(out: Console, counts: BarCounts) -> None:
    """How the run's bars compare with the venue's own; nothing where none were compared."""
    if not (counts.compared or counts.missing):
        return
    same = counts.compared - counts.different
    missing = f", {counts.missing:,} missing here" if counts.missing else ""
    wrong = counts.different or counts.missing
    told = f"{same:,} of {counts.compared:,} bars equal the venue's own{missing}"
    say(out, told, "yellow" if wrong else "")
