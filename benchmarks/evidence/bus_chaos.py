"""Nothing one agent does can hurt another: every fault on every lane, and a minute of all."""

from __future__ import annotations

import asyncio
import gc
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chaos import FAULTS, LANES, PERSISTENT, READS, Agent, World, virtual
from benchmarks.evidence.record import Finding
from mirrorcore.clock import MILLISECOND, SECOND, stamp_ns
from mirrorcore.syncbus import ALL, SyncBus

SEED = 20_264
SIZE, ROUNDS = 1_000, 20
SLICES, SLICE_S = 12, 5.0
BEAT_S, TURN_S = 0.005, 0.02
PUBLISHED, SIGNAL_TURNS = 5, 10
MOST_TIMES, MOST_LAG_MS, MOST_CRITICAL_MS, MOST_GROWTH = 2.0, 50.0, 5.0, 0.05
CLAIM = (
    f"of {SIZE:,} agents some hang, crash, wait, flood, are cancelled, feed on themselves, restart "
    "for ever, fail by the hundred, lie about their state or write into another's, on each of "
    "three lanes: the others get 100 % of their deliveries, residual 0, each offender is named and "
    f"nobody else; all at once for a minute on a real loop, the others' p99 is at most "
    f"{MOST_TIMES:.0f}× that of a control beside it, the loop's lag below {MOST_LAG_MS:.0f} ms, "
    f"signals below {MOST_CRITICAL_MS:.0f} ms at p99, memory flat within {MOST_GROWTH:.0%}"
)


class Noted:
    """Figures, in room taken beforehand: what the harness notes would be what grows."""

    def __init__(self, most: float) -> None:
        self._room = array("d", bytes(8 * int(most)))
        self.count = 0

    def add(self, figure: float) -> None:
        self._room[self.count] = figure
        self.count += 1

    def percentile(self, q: float) -> float:
        return float(np.percentile(self._room[: self.count], q))


class Timed:
    """A world on the real loop, and how long its well-behaved waited, for ``seconds`` at most."""

    def __init__(self, cases: list[tuple[str, str]], size: int, seconds: float) -> None:
        self.bus = SyncBus(seed=SEED)
        self.world = World(self.bus, size, SEED, cases, policy=PERSISTENT)
        self.rng = np.random.default_rng(SEED)
        self.published: dict[str, int] = {}
        self.signalled = 0
        turns = 1.1 * seconds / TURN_S
        self.delivery_us = Noted(turns * PUBLISHED * READS)
        self.critical_us = Noted(turns / SIGNAL_TURNS * size + size)
        self.lag_ms = Noted(1.1 * seconds / BEAT_S)
        self.number = 0
        for agent in self.world.good:
            self._time(agent)

    def _time(self, agent: Agent) -> None:
        """It keeps nothing of what it gets: the collector would look at it while all wait."""

        def on_update(delivered: Any) -> None:
            sent = self.published.get(delivered.source)
            if sent is not None:
                self.delivery_us.add((stamp_ns() - sent) / 1e3)

        def on_message(_number: int) -> None:
            pass

        def on_signal(_number: int) -> None:
            self.critical_us.add((stamp_ns() - self.signalled) / 1e3)

        handlers = {"on_update": on_update, "on_message": on_message, "on_signal": on_signal}
        for name, timed in handlers.items():
            setattr(agent, name, timed)
        self.bus.restart(agent.name)  # the factory hands these to the bus

    async def slice(self, seconds: float) -> None:
        """250 publishes, 250 messages and 5 signals to all a second, and a heartbeat beside."""
        end = stamp_ns() + seconds * SECOND
        heart = asyncio.ensure_future(self.beat(end))
        turn = 0
        while stamp_ns() < end:
            self.step(turn)
            turn += 1
            await asyncio.sleep(TURN_S)
        await heart
        await self.bus.drain(50 * MILLISECOND)
        self._forget()

    def step(self, turn: int) -> None:
        world, size = self.world, self.world.size
        self.number += 1
        for index in self.rng.integers(0, len(world.good), PUBLISHED):
            agent = world.good[int(index)]
            self.published[agent.name] = stamp_ns()
            world.publish(agent, self.number)
        for index in self.rng.integers(0, size, PUBLISHED):
            world.send(world.agents[int(index)], self.number)
        for offender in world.offenders:
            world.send(offender, self.number)
        if turn % SIGNAL_TURNS == 0:
            self.signalled = stamp_ns()
            self.bus.signal(ALL, self.number)

    async def beat(self, end: float) -> None:
        while (before := stamp_ns()) < end:
            await asyncio.sleep(BEAT_S)
            self.lag_ms.add((stamp_ns() - before) / 1e6 - 1e3 * BEAT_S)

    def _forget(self) -> None:
        """What the harness notes would be what grows."""
        for offender in self.world.offenders:
            offender.messages.clear()
            offender.signals.clear()
            offender.versions.clear()
        self.world.events[:-1000] = []


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def minute(size: int, slices: int, seconds: float) -> dict[str, Any]:
    """Slices of chaos and of a control without offenders, in turn, in one process."""
    cases = [(fault, lane) for fault in FAULTS for lane in LANES]
    chaos, control = (Timed(who, size, slices * seconds) for who in (cases, []))
    # As a swarm does when it begins: what was set up is not looked at again and again.
    gc.collect()
    gc.freeze()
    memory: list[int] = []
    for _ in range(slices):
        await control.slice(seconds)
        await chaos.slice(seconds)
        memory.append(resident_bytes())
    settled = memory[len(memory) // 3]
    found = {
        "control": _figures(control),
        "chaos": _figures(chaos),
        "seconds of chaos": slices * seconds,
        "resident MiB": [round(value / 2**20, 1) for value in memory],
        "growth": round(memory[-1] / settled - 1, 4),
        "residual": chaos.bus.accounting_residual() + control.bus.accounting_residual(),
        "failures of the well-behaved": sum(
            chaos.bus.statistics(agent.name).failures for agent in chaos.world.good
        ),
        "restarts of offenders": sum(
            chaos.bus.statistics(agent.name).restarts for agent in chaos.world.offenders
        ),
    }
    await chaos.bus.aclose()
    await control.bus.aclose()
    gc.unfreeze()
    return found


def _figures(timed: Timed) -> dict[str, float]:
    percentiles: list[tuple[str, Noted, float]] = [
        ("delivery p50 us", timed.delivery_us, 50),
        ("delivery p99 us", timed.delivery_us, 99),
        ("critical p99 us", timed.critical_us, 99),
        ("critical max us", timed.critical_us, 100),
        ("lag p99 ms", timed.lag_ms, 99),
        ("lag max ms", timed.lag_ms, 100),
    ]
    told = {name: round(noted.percentile(q), 3) for name, noted, q in percentiles}
    return {"deliveries": timed.delivery_us.count, **told}


def matrix(size: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Every cell in virtual time."""
    cells: dict[str, dict[str, Any]] = {}
    for fault in FAULTS:
        for lane in LANES:
            found = virtual(fault, lane, size, rounds, SEED)
            cells[f"{fault} on {lane}"] = {
                "wanted": found.wanted,
                "got": found.got,
                "residual": found.worst_residual,
                "offenders": len(found.offenders),
                "named": len(found.named),
                "innocent named": len(found.innocent),
                "wrong states": len(found.wrong_states),
            }
    return cells


def run(*, quick: bool = False) -> Finding:
    size = 100 if quick else SIZE
    cells = matrix(size, 5 if quick else ROUNDS)
    live = asyncio.run(minute(size, 1 if quick else SLICES, 1.0 if quick else SLICE_S))
    sound = all(
        cell["got"] == cell["wanted"]
        and cell["named"] == cell["offenders"]
        and cell["residual"] == cell["innocent named"] == cell["wrong states"] == 0
        for cell in cells.values()
    )
    chaos, control = live["chaos"], live["control"]
    times = chaos["delivery p99 us"] / control["delivery p99 us"]
    bars: dict[str, Callable[[], bool]] = {
        "every cell": lambda: sound,
        "p99": lambda: times <= MOST_TIMES,
        "lag": lambda: chaos["lag max ms"] < MOST_LAG_MS,
        "critical": lambda: chaos["critical p99 us"] < 1e3 * MOST_CRITICAL_MS,
        "memory": lambda: live["growth"] <= MOST_GROWTH,
        "books": lambda: live["residual"] == live["failures of the well-behaved"] == 0,
    }
    met = {name: bar() for name, bar in bars.items()}
    deliveries = sum(cell["got"] for cell in cells.values())
    return Finding(
        CLAIM,
        passed=all(met.values()),
        headline=[
            f"{len(cells)} cells of {size:,} agents: {deliveries:,} deliveries of "
            f"{sum(cell['wanted'] for cell in cells.values()):,}",
            f"a minute of all: p99 {chaos['delivery p99 us']:,.0f} us, control "
            f"{control['delivery p99 us']:,.0f} us ({times:.2f}×)",
            f"lag at most {chaos['lag max ms']:.1f} ms, control {control['lag max ms']:.1f} ms",
            f"signals p99 {chaos['critical p99 us'] / 1e3:.2f} ms to all {size:,}",
            f"resident memory {live['growth']:+.1%}, {live['restarts of offenders']:,} restarts",
        ],
        figures={"matrix": cells, "minute": live, "met": met},
        seeds=[SEED],
    )
