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

_HEADS = (
    ("source", False), ("state", False), ("records", True), ("gaps", True), ("filled", True),
    ("again", True), ("repeated", True), ("lost", True), ("stale", True), ("skew", True),
    ("faults", False),
)  # fmt: skip


def show_health(out: Console, health: Mapping[str, SourceHealth], late: int) -> None:
    """One line a source; ``late`` trades came after their bar was closed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head, number in _HEADS:
        table.add_column(head, justify="right" if number else "left", no_wrap=head != "faults")
    for one in health.values():
        skew = "–" if one.skew_ns is None else f"{one.skew_ns / MILLISECOND:+,.0f} ms"
        faults = ", ".join(f"{case} {count}" for case, count in sorted(one.faults.items()))
        table.add_row(
            Text(one.name),
            Text(str(one.state)),
            f"{sum(one.records.values()):,}",
            f"{sum(one.gaps.values()):,}",
            f"{one.filled:,}",
            f"{one.reconnects:,}",
            f"{one.duplicates + one.replayed:,}",
            f"{one.dropped:,}",
            f"{one.stale:,}",
            skew,
            Text(faults or "none"),
        )
    say(out, "")
    out.print(table)
    if late:
        say(out, f"{late:,} trades came after their bar was closed and changed nothing", "yellow")


def show_bars(out: Console, counts: BarCounts) -> None:
    """How the run's bars compare with the venue's own; nothing where none were compared."""
    if not (counts.compared or counts.missing):
        return
    same = counts.compared - counts.different
    missing = f", {counts.missing:,} missing here" if counts.missing else ""
    wrong = counts.different or counts.missing
    told = f"{same:,} of {counts.compared:,} bars equal the venue's own{missing}"
    say(out, told, "yellow" if wrong else "")
