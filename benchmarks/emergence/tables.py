"""Rows of :mod:`benchmarks.emergence.summary` as cells, for the terminal and the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.emergence.summary import Row

QUIET_HEAD = (
    "quiet world",
    "alarms",
    "share",
    "interval",
    "bar kept",
    "findings/10k",
    "naive rule",
    "µs/tick",
)
PLANTED_HEAD = (
    "planted",
    "within",
    "found",
    "power",
    "interval",
    "bar reached",
    "median delay",
    "recall",
    "precision",
    "early",
    "naive early",
)


def quiet_cells(kind: str, rows: Sequence[Row]) -> list[list[str]]:
    """Quiet worlds: runs with any finding, Wilson's 95 % interval, findings in 10,000 ticks."""
    return [
        [
            f"{kind}: {row['world']}",
            f"{row['alarms']}/{row['runs']}",
            f"{row['share']:.3f}",
            _interval(row),
            "yes" if row["kept"] else "**no**",
            f"{row['findings_in_10k']:.4f}",
            _of(row["naive"]),
            str(row["us_a_tick"]),
        ]
        for row in rows
    ]


def planted_cells(kind: str, rows: Sequence[Row]) -> list[list[str]]:
    """Planted effects: found in time, median delay, agents named rightly, alarms before."""
    return [
        [
            f"{kind}: {row['world']}",
            str(row["within"]),
            f"{row['found']}/{row['runs']}",
            f"{row['power']:.3f}",
            _interval(row),
            "yes" if row["reached"] else "**no**",
            _number(row["median_delay"], 0),
            _number(row["recall"], 2),
            _number(row["precision"], 2),
            f"{row['early']}/{row['runs']}",
            _of(row["naive_early"]),
        ]
        for row in rows
    ]


def _interval(row: Row) -> str:
    low, high = row["interval"]
    return f"[{low:.3f}, {high:.3f}]"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _of(counts: Sequence[int] | None) -> str:
    return f"{counts[0]}/{counts[1]}" if counts and counts[1] else "–"
