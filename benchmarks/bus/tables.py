"""The benchmark's document as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.bus.scenarios.cost import PATTERN_NAMES
from benchmarks.measure import table

Cell = Mapping[str, Any]


def shown(found: Cell) -> Iterator[str]:
    """Title and table of every scenario, then the rows with their bars."""
    for handlers, patterns in found["cost"].items():
        for pattern, sizes in patterns.items():
            title = f"CPU ns per delivery, {handlers} handlers, {PATTERN_NAMES[pattern]}"
            yield f"{title} (best .. worst; multiple of the bare call loop)"
            yield cpu_table({f"{int(agents):,} agents": cells for agents, cells in sizes.items()})
    yield "CPU ns per delivery of the first publish of each source"
    yield cpu_table({f"{int(agents):,} agents": cells for agents, cells in found["cold"].items()})
    yield "CPU ns of registering one of 1,000 agents; of one more that comes and goes"
    yield cpu_table(found["registration"])
    yield "Latency in us, 100 agents, 1,000 deltas/s: p50, p99, p99 from when it was due"
    yield latency_table(found["latency"])
    yield "One agent that takes 10 ms a call, 10x overloaded: the others in us, and its backlog"
    yield slow_table(found["latency"])
    yield "One agent that raises on every message"
    yield raising_table(found["raising"])
    yield f"Stop, {found['stop']['runs']} runs, {found['stop']['agents']:,} flooded agents, us"
    yield stop_table(found["stop"]["us"])
    yield "Stop behind 100 waiting deltas for each of 1,000 agents: until the last has heard it"
    yield backlog_table(found["backlog"])
    yield "Bytes of an idle agent with 5 interests"
    yield table(["", "bytes"], [[k, f"{v:,}"] for k, v in found["bytes_per_idle_agent"].items()])
    yield "The rows of the design"
    yield rows_table(found["rows"])
    yield "Rows the research adds"
    yield rows_table(found["more"])
    if found["left_out"]:
        yield "Left out, not installed (extra bench): " + ", ".join(found["left_out"])


def cpu_table(columns: Mapping[str, Cell]) -> str:
    """Rivals down, sizes or cases across."""
    labels = list(next(iter(columns.values())))
    rows = [[label, *(_cpu(cells[label]) for cells in columns.values())] for label in labels]
    return table(["", *columns], rows)


def _cpu(cell: Cell) -> str:
    ns = cell["ns"]
    return (
        f"{ns['median']:,.0f} ({ns['best']:,.0f} .. {ns['worst']:,.0f}; "
        f"{cell['times_bare']['median']:.1f}x)"
    )


def latency_table(runs: Mapping[str, Cell]) -> str:
    header = ["", "sync p50", "p99", "late p99", "async p50", "p99", "late p99"]
    rows = []
    for label in runs["sync"]:
        row = [label]
        for kind in ("sync", "async"):
            told = runs[kind][label]
            row += [_median(told, name) for name in ("p50_us", "p99_us", "late_p99_us")]
        rows.append(row)
    return table(header, rows)


def slow_table(runs: Mapping[str, Cell]) -> str:
    header = ["", "p99", "without it", "late p99", "without it", "published", "waiting", "age ms"]
    rows = [
        [
            label,
            _median(told, "p99_us"),
            _median(runs["async"][label], "p99_us"),
            _median(told, "late_p99_us"),
            _median(runs["async"][label], "late_p99_us"),
            f"{told['published_share']['median']:.0%}",
            _median(told, "slow_pending"),
            _median(told, "slow_age_ms"),
        ]
        for label, told in runs["slow"].items()
    ]
    return table(header, rows)


def _median(told: Cell, name: str) -> str:
    return f"{told[name]['median']:,.0f}" if name in told else "-"


def raising_table(found: Mapping[str, Cell]) -> str:
    header = ["", "due to others", "lost", "raised in publisher", "published"]
    names = ("due_to_others", "lost_by_others", "raised_in_publisher", "published")
    rows = [[label, *(f"{told[name]:,}" for name in names)] for label, told in found.items()]
    return table(header, rows)


def stop_table(us: Mapping[str, Cell]) -> str:
    rows = [
        [name.replace("_", " "), *(f"{told[part]:,.0f}" for part in ("p50", "p99", "max"))]
        for name, told in us.items()
    ]
    return table(["", "p50", "p99", "max"], rows)


def backlog_table(found: Mapping[str, Cell]) -> str:
    rows = []
    for label, told in found.items():
        us = told["us"]
        spread = f"{us['median']:,.0f} ({us['best']:,.0f} .. {us['worst']:,.0f})"
        rows.append([label, spread, f"{told['calls_before']['median']:,.0f}"])
    return table(["", "us", "ordinary calls before"], rows)


def rows_table(rows: list[dict[str, Any]]) -> str:
    cells = []
    for row in rows:
        spread = row["spread"]
        cells.append(
            [
                row["name"],
                f"{'≤' if row['at_most'] else '≥'} {row['bar']:,g} {row['unit']}".rstrip(),
                f"{row['aim']:,g}",
                f"{row['measured']:,.4g} ({row['statistic']})",
                f"{spread['best']:,.4g} .. {spread['worst']:,.4g}",
                "met" if row["met"] else "MISSED",
                "yes" if row["aim_met"] else "no",
            ]
        )
    return table(["row", "bar", "aim", "measured", "best .. worst", "", "aim reached"], cells)
