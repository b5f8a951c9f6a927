"""The table of live sources at the end of a run: every counter by the name the guide gives it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.states import RunnerState
from mirrorcore.interfaces.cli.sources_screen import show_health

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def source(name: str) -> SourceHealth:
    """A source of which every counter has another value."""
    return SourceHealth(
        name=name, state=RunnerState.LIVE, reason="", breaker="closed",
        records={"trade": 1_000, "book": 1}, duplicates=11, replayed=12, backfilled=13,
        gaps={"sequence": 20, "silence": 1}, filled=15, unfilled=6, conflated=14, dropped=17,
        pending=18, connections=19, reconnects=22, faults={"timeout": 23, "crash": 1}, stale=24,
        stale_symbols=(), silence_ns=None, skew_ns=-10_000_000, skew_alarms=25,
    )  # fmt: skip


def shown(*names: str, width: int = 80) -> list[list[str]]:
    out = Console(width=width, file=io.StringIO())
    with out.capture() as captured:
        show_health(out, {name: source(name) for name in names}, 0)
    return [line.split(maxsplit=1) for line in captured.get().splitlines() if line.strip()]


def test_every_counter_is_there_by_its_name() -> None:
    assert shown("binance") == [
        ["source", "binance"],
        ["state", "live"],
        ["records", "1,001"],
        ["gaps", "21"],
        ["filled", "15"],
        ["unfilled", "6"],
        ["dropped", "17"],
        ["duplicates", "11"],
        ["replayed", "12"],
        ["reconnects", "22"],
        ["stale", "24"],
        ["skew_alarms", "25"],
        ["skew", "-10 ms"],
        ["faults", "crash 1, timeout 23"],
    ]


def test_the_guide_explains_each_by_the_same_name() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    health = guide[guide.index("### Health") : guide.index("## Exchanges")]
    for name, _ in shown("binance")[1:]:
        assert f"`{name}`" in health or f"`{name}_ns`" in health, name


def test_several_sources_fit_a_narrow_terminal() -> None:
    rows = shown("binance", "kraken", "ethereum", "fear_greed")
    assert rows[0][1].split() == ["binance", "kraken", "ethereum", "fear_greed"]
    by_name = {name: cells.split() for name, cells in rows if name in ("unfilled", "dropped")}
    assert by_name == {"unfilled": ["6"] * 4, "dropped": ["17"] * 4}


def test_no_sources_are_no_defect() -> None:
    assert shown() == [["source"]]
