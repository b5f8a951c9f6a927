"""What one delivery costs in CPU: SyncBus beside what it is compared with, in one run.

``python -m benchmarks.bus [--quick]``. Each source has five readers with sync handlers that count;
in a round every source publishes one delta, nothing conflates, and all five handlers run. The
competitors take turns within each round; the figures are medians over rounds of process CPU time
per delivery, and multiples of the bare loop of the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from mirrorcore.syncbus import SyncBus

READERS = 5
Publisher = Callable[[int], Any]


class Counter:
    """A handler that does next to nothing."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def on_update(self, _update: Any) -> None:
        self.count += 1


def readers_of(source: int, agents: int) -> list[int]:
    """The five agents after ``source``, round the ring."""
    return [(source + step) % agents for step in range(1, READERS + 1)]


class Bare:
    """The floor: call each handler in a loop."""

    def __init__(self, agents: int) -> None:
        self.counters = [Counter() for _ in range(agents)]
        self.handlers = [
            [self.counters[reader].on_update for reader in readers_of(source, agents)]
            for source in range(agents)
        ]

    async def round(self, value: float) -> None:
        for handlers in self.handlers:
            delta = {"level": value, "trend": value}
            for handler in handlers:
                handler(delta)


class Queues:
    """One asyncio.Queue and one task per agent, readers found by index."""

    def __init__(self, agents: int) -> None:
        self.counters = [Counter() for _ in range(agents)]
        self.queues: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in range(agents)]
        self.index = [
            [self.queues[reader] for reader in readers_of(source, agents)]
            for source in range(agents)
        ]
        self.tasks = [
            asyncio.create_task(_consume(queue, counter))
            for queue, counter in zip(self.queues, self.counters, strict=True)
        ]

    async def round(self, value: float) -> None:
        for queues in self.index:
            delta = {"level": value, "trend": value}
            for queue in queues:
                queue.put_nowait(delta)
        for queue in self.queues:
            await queue.join()


async def _consume(queue: asyncio.Queue[Any], counter: Counter) -> None:
    while True:
        counter.on_update(await queue.get())
        queue.task_done()


class Sketch:
    """The guide's sketch: one lock, a scan of all subscriptions, bounded queues awaited."""

    def __init__(self, agents: int) -> None:
        self.counters = [Counter() for _ in range(agents)]
        self.states: dict[str, dict[str, Any]] = {}
        self.lock = asyncio.Lock()
        self.subscriptions: dict[str, list[str]] = {f"agent{i}": [] for i in range(agents)}
        self.queues: dict[str, asyncio.Queue[Any]] = {
            name: asyncio.Queue(maxsize=100) for name in self.subscriptions
        }
        for source in range(agents):
            for reader in readers_of(source, agents):
                self.subscriptions[f"agent{reader}"].append(f"agent{source}")
        self.tasks = [
            asyncio.create_task(_consume(queue, counter))
            for queue, counter in zip(self.queues.values(), self.counters, strict=True)
        ]

    async def update_agent_state(self, agent_id: str, delta: dict[str, Any]) -> None:
        async with self.lock:
            self.states.setdefault(agent_id, {}).update(delta)
            for reader, interests in self.subscriptions.items():
                if "all" in interests or agent_id in interests:
                    await self.queues[reader].put((agent_id, delta))

    async def round(self, value: float) -> None:
        for name in self.subscriptions:
            await self.update_agent_state(name, {"level": value, "trend": value})
        for queue in self.queues.values():
            await queue.join()


class Ours:
    """SyncBus as it comes: live clock, versions, history, accounting, isolation all on."""

    def __init__(self, agents: int, *, asynchronous: bool = False) -> None:
        self.counters = [Counter() for _ in range(agents)]
        self.bus = SyncBus()
        self.handles = []
        for reader in range(agents):
            handler: Callable[[Any], Any] = self.counters[reader].on_update
            if asynchronous:
                handler = _as_async(handler)
            interests = [f"agent{(reader - step) % agents}" for step in range(1, READERS + 1)]
            self.handles.append(
                self.bus.register(
                    f"agent{reader}", kind="worker", interests=interests, on_update=handler
                )
            )

    async def round(self, value: float) -> None:
        for handle in self.handles:
            handle.publish({"level": value, "trend": value})
        self.bus.settle()


def _as_async(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def on_update(update: Any) -> None:
        handler(update)

    return on_update


COMPETITORS: dict[str, Callable[[int], Any]] = {
    "bare loop": Bare,
    "SyncBus": Ours,
    "SyncBus, async handlers": lambda agents: Ours(agents, asynchronous=True),
    "asyncio.Queue + task": Queues,
    "guide's sketch": Sketch,
}


async def measure(agents: int, rounds: int, deliveries: int) -> dict[str, float]:
    """Median CPU ns per delivery of each competitor."""
    running = {name: make(agents) for name, make in COMPETITORS.items()}
    repeats = max(1, deliveries // (agents * READERS))
    times: dict[str, list[float]] = {name: [] for name in running}
    for round_number in range(rounds + 1):
        for name, competitor in running.items():
            count = 1 if name == "guide's sketch" and agents >= 1000 else repeats
            before = sum(counter.count for counter in competitor.counters)
            gc.collect()
            start = time.process_time_ns()
            for repeat in range(count):
                await competitor.round(float(repeat))
            spent = time.process_time_ns() - start
            made = sum(counter.count for counter in competitor.counters) - before
            if made != count * agents * READERS:
                raise SystemExit(f"{name}: {made} deliveries, not {count * agents * READERS}")
            if round_number:  # the first one warms up
                times[name].append(spent / made)
    for competitor in running.values():
        for task in getattr(competitor, "tasks", ()):
            task.cancel()
    return {name: statistics.median(spent) for name, spent in times.items()}


def idle_bytes(agents: int = 1000) -> int:
    """Bytes per agent with five interests that has not been called yet."""
    gc.collect()
    tracemalloc.start()
    bus = Ours(agents)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used // len(bus.handles)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a smoke run")
    quick = parser.parse_args().quick
    rounds, deliveries = (3, 5_000) if quick else (9, 20_000)
    results = {n: asyncio.run(measure(n, rounds, deliveries)) for n in (10, 100, 1000)}

    print(f"CPU ns per delivery (multiple of the bare loop), {READERS} readers a source")
    print(f"{'':26}" + "".join(f"{n:>7} agents     " for n in results))
    for name in COMPETITORS:
        cells = (f"{r[name]:9,.0f} ({r[name] / r['bare loop']:6.1f})" for r in results.values())
        print(f"{name:26}" + " ".join(cells))
    ratios = {n: r["SyncBus"] / r["bare loop"] for n, r in results.items()}
    summary = {
        "benchmark": "bus",
        "ns_per_delivery": {
            str(n): {k: round(v) for k, v in r.items()} for n, r in results.items()
        },
        "times_bare_100": round(ratios[100], 2),
        "cheaper_than_queue_100": round(
            results[100]["asyncio.Queue + task"] / results[100]["SyncBus"], 2
        ),
        "cheaper_than_sketch_1000": round(
            results[1000]["guide's sketch"] / results[1000]["SyncBus"], 1
        ),
        "growth_10_to_1000": round(ratios[1000] / ratios[10], 2),
        "bytes_per_idle_agent": idle_bytes(),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
