"""The benchmark's document as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bus.scenarios.cost import PATTERN_NAMES
from benchmarks.measure import table


def shown(found: dict[str, Any]) -> Iterator[str]:
    """Title and table of every scenario, then the rows with their bars."""
    for handlers, patterns in found["cost"].items():
        for pattern, sizes in patterns.items():
            title = f"CPU ns per delivery, {handlers} handlers, {PATTERN_NAMES[pattern]}"
            yield f"{title} (best .. worst; multiple of the bare call loop)"
            yield cost_table(sizes)
    yield "Bytes of an idle agent with 5 interests"
    yield table(["", "bytes"], [[k, f"{v:,}"] for k, v in found["bytes_per_idle_agent"].items()])
    yield "The rows of the design"
    yield rows_table(found["rows"])
    if found["left_out"]:
        yield "Left out, not installed (extra bench): " + ", ".join(found["left_out"])


def cost_table(sizes: dict[str, dict[str, Any]]) -> str:
    header = [""] + [f"{int(agents):,} agents" for agents in sizes]
    labels = list(next(iter(sizes.values())))
    return table(header, [[label, *(_cost(sizes[n][label]) for n in sizes)] for label in labels])


def _cost(cell: dict[str, Any]) -> str:
    ns = cell["ns"]
    return (
        f"{ns['median']:,.0f} ({ns['best']:,.0f} .. {ns['worst']:,.0f}; "
        f"{cell['times_bare']['median']:.1f}x)"
    )


def rows_table(rows: list[dict[str, Any]]) -> str:
    cells = []
    for row in rows:
        measured = row["measured"]
        cells.append(
            [
                row["name"],
                f"{'≤' if row['at_most'] else '≥'} {row['bar']:g} {row['unit']}",
                f"{row['aim']:g}",
                f"{measured['median']:,g}",
                f"{measured['best']:,g} .. {measured['worst']:,g}",
                "met" if row["met"] else "MISSED",
                "yes" if row["aim_met"] else "no",
            ]
        )
    return table(["row", "bar", "aim", "measured", "best .. worst", "bar", "aim reached"], cells)
