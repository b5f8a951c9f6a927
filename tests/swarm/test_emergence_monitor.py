"""The guide's monitor and detectors, over a bare bus and over a run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from swarm_world import configured

from mirrorcore import (
    BehaviorDriftDetector,
    CoordinationDetector,
    EmergenceMonitor,
    NovelStrategyDetector,
    SyncBus,
)
from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.emergence.states import StateFeed
from mirrorcore.errors import UsageError
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.sources import open_source

TICKS = 2600


async def watched(votes: np.ndarray, prices: np.ndarray, *, every: int = 400) -> list[Any]:
    """A bus on which a price and what agents (T, N) say are published, watched now and then."""
    clock = VirtualClock()
    bus = SyncBus(clock)
    monitor = EmergenceMonitor(bus)
    told: list[Any] = []
    for t, price in enumerate(prices):
        clock.advance_to((t + 1) * SECOND)
        await bus.update_agent_state("feed", {"price": float(price)})
        clock.advance_to((t + 1) * SECOND + 1000)
        for i, vote in enumerate(votes[t]):
            await bus.update_agent_state(f"agent{i}", {"signal": float(vote)})
        if t % every == every - 1:
            told += await monitor.monitor_emergence()
    assert monitor.failures == []
    assert monitor.emergence_log == told
    return told


def world(seed: int, planted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Votes of six agents with noise of their own; from half on, two of them have it in common."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=TICKS) * 0.01
    noise = rng.normal(size=(TICKS, 6))
    if planted:
        noise[TICKS // 2 :, 5] = noise[TICKS // 2 :, 4]
    lean = noise + 30.0 * moves[:, None]
    return np.where(np.abs(lean) > 0.5, np.sign(lean), 0.0), 100.0 * np.exp(np.cumsum(moves))


def test_a_bare_bus_is_watched_with_the_guides_words() -> None:
    told = asyncio.run(watched(*world(3, planted=True)))
    (one,) = [found for found in told if found["type"] == "spontaneous_sync"]
    assert one["agents"] == ["agent4", "agent5"]
    assert 0.95 <= one["significance_score"] < 1.0
    assert one["significance_score"] == pytest.approx(1 - 1 / one["e_value"])
    assert one["experimental"]


def test_agents_with_a_market_in_common_are_no_finding_on_a_bare_bus() -> None:
    assert asyncio.run(watched(*world(4, planted=False))) == []


def test_without_a_price_nothing_is_claimed() -> None:
    async def look() -> EmergenceMonitor:
        bus = SyncBus(VirtualClock())
        monitor = EmergenceMonitor(bus)
        for i in range(3):
            await bus.update_agent_state(f"agent{i}", {"signal": 1.0})
        assert await monitor.monitor_emergence() == []
        return monitor

    monitor = asyncio.run(look())
    assert len(monitor.idle) == len(monitor.detectors) == 5
    assert "price" in monitor.idle["CoordinationDetector"]


def test_ticks_of_a_history_are_given_once_and_in_time() -> None:
    async def collect(every: int) -> list[dict[str, Any]]:
        clock = VirtualClock()
        bus, feed, got = SyncBus(clock), StateFeed(), []
        for t, price in enumerate((100.0, 110.0, 99.0, 108.9, 98.01)):
            clock.advance_to((t + 1) * SECOND)
            await bus.update_agent_state("market", {"price": price})
            clock.advance_to((t + 1) * SECOND + 1)
            await bus.update_agent_state("a", {"forecast": 0.5 + 0.1 * t})
            if t % every == every - 1:
                got += feed.ticks(await bus.get_historical_states())
        return got + feed.ticks(await bus.get_historical_states())

    often, once = asyncio.run(collect(2)), asyncio.run(collect(9))
    assert [t["ret"] for t in once] == pytest.approx([-0.1, 0.1, -0.1])
    assert [float(t["votes"][0]) for t in once] == pytest.approx([0.6, 0.7, 0.8])
    # What was said before a price is paid at the next one.
    assert [float(t["pnl"][0]) for t in once] == pytest.approx([0.0, 0.2 * 0.1, -0.4 * 0.1])
    assert [t["ret"] for t in often] == [t["ret"] for t in once]


def test_detectors_work_alone_on_arrays() -> None:
    detector = CoordinationDetector({"subs": np.zeros((2, 1))})
    tick = {"ret": 0.0, "inputs": [0.0], "actions": [0, 1], "messages": [0, 0]}
    assert list(detector.update(tick)) == []
    with pytest.raises(UsageError, match="NovelStrategyDetector"):
        NovelStrategyDetector().update(tick)
    with pytest.raises(UsageError, match="baseline_end"):
        BehaviorDriftDetector({"subs": np.zeros((2, 1))})


def test_a_run_that_is_not_watched_says_how_it_would_be(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=20)
    run = Run.open(config, open_source(config), mode="replay", full=False)
    try:
        with pytest.raises(UsageError, match="not watched") as caught:
            EmergenceMonitor(run)
        assert "emergence.history" in str(caught.value.hint)
    finally:
        run.abort()
    with pytest.raises(UsageError, match="given a str"):
        EmergenceMonitor("bus")  # type: ignore[arg-type]


def test_over_a_run_it_tells_what_the_runs_own_monitor_found(tmp_path: Path) -> None:
    config = configured(
        tmp_path, market__bars=20, emergence__history=True, emergence__detectors=["novelty"]
    )
    run = Run.open(config, open_source(config), mode="replay", full=False)
    try:
        monitor = EmergenceMonitor(run)
        assert asyncio.run(monitor.monitor_emergence()) == []
        watch = run.emergence
        assert watch is not None
        from mirrorcore.emergence.finding import Effect, Finding
        from mirrorcore.emergence.record import found

        effect = Effect("x", 0.2, "a tick", "up")
        one = Finding("novelty", (0,), effect, "null", (0, 9), 9, "Agent 0 earns", e=25.0)
        for number, why in enumerate(("", "a command"), start=1):
            watch.findings.append(found(one, number, ("Anna",), (), (0, 9), 9, 1, why))
        (told,) = asyncio.run(monitor.monitor_emergence())
        assert (told["type"], told["agent"]) == ("novel_strategy", "Anna")
        assert told["description"] == "Agent Anna earns"
        assert told["performance"] == 0.2
        assert told["significance_score"] == pytest.approx(0.96)
        assert asyncio.run(monitor.monitor_emergence()) == []
    finally:
        run.abort()
