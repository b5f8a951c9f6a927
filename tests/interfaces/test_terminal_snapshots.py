"""What the screens look like, compared with pictures that somebody has looked at.

``pytest --snapshot-update`` makes them anew; look at them before they are committed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from terminal_world import Door, Feed, done
from textual.pilot import Pilot

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.link import LinkState

INSIDE = {
    "id": "FearAnalyzer", "kind": "mind", "version": 7, "updated": "2025-01-01T08:20:00+00:00",
    "reads": ["risk"], "essential": True,
    "state": {
        "fear": {"value": 0.3125, "unit": "", "doc": "0 calm … 1 panic", "of": None},
        "by_symbol": {"value": [0.25, 0.5, None], "unit": "", "doc": "of each symbol",
                      "of": ["BTC/USDT", "ETH/USDT", "SOL/USDT"]},
    },
    "history": {"fear": [["2025-01-01T08:10:00+00:00", 0.25], ["2025-01-01T08:15:00+00:00", 0.3],
                         ["2025-01-01T08:20:00+00:00", 0.3125]]},
    "statistics": {"calls": 1236, "failures": 5},
}  # fmt: skip


def monitor(agents: int = 24) -> tuple[Monitor, Feed]:
    feed = Feed(World(agents))
    door = Door({"inspect": done("inspect", INSIDE)})
    return Monitor(feed, door, follow=False), feed  # type: ignore[arg-type]


def shown(feed: Feed, *keys: str) -> Callable[[Pilot[None]], Any]:
    """Time stands still but for a few frames; then the keys."""

    async def act(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, Monitor)
        for clock in app.clocks:
            clock.pause()
        for _ in range(12):
            feed.step()
            app.board.sample()
        app.second()
        app.frame()
        await app.workers.wait_for_complete()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.second()
        app.frame()
        await app.workers.wait_for_complete()
        await pilot.pause()

    return act


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("agents", ("down", "down", "s")),
        ("agent", ("enter",)),
        ("risk", ("5",)),
        ("stop", ("f10",)),
    ],
)
def test_the_screens(name: str, keys: tuple[str, ...], snap_compare: Any) -> None:
    app, feed = monitor()
    assert snap_compare(app, run_before=shown(feed, *keys), terminal_size=(140, 36))


def test_a_lost_swarm(snap_compare: Any) -> None:
    app, feed = monitor()
    feed.shown, feed.trouble = LinkState.LOST, "nobody answers at its address"
    feed.silent, feed.wait = 12.0, 2.5
    assert snap_compare(app, run_before=shown(feed), terminal_size=(140, 36))


def test_a_small_screen(snap_compare: Any) -> None:
    app, feed = monitor()
    assert snap_compare(app, run_before=shown(feed), terminal_size=(80, 24))


def test_without_colours(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, feed = monitor()
    assert snap_compare(app, run_before=shown(feed, "down"), terminal_size=(140, 36))
