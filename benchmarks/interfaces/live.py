"""What it costs to show a swarm of 1,000 agents live: rows 1, 2 and 9 of the interface budget.

``python -m benchmarks.interfaces.live [--quick]``. *Pictures*: a run in which every agent (or every
fifth) says something new at each tick; CPU time of the thread that makes the picture, and of the
one that makes the frame of it, at ten frames a second as a share of a core, with the bytes. *In two
threads*: a paper run of ten ticks a second by the wall, its frames sent through real WebSockets to
clients of another process; CPU time of the two threads apart, and of the view within the swarm's.
A *stalled* client is one of those that never reads.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import numpy as np
import websockets
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.interfaces.busy import busy_run
from benchmarks.measure import Spread, calibration, machine, report, table
from mirrorcore.clock import SECOND, Stopwatch, ThreadClock
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.hub import Hub
from mirrorcore.interfaces.live.panel import Panel
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run

HERTZ = 10
CLIENT = """
import asyncio, sys, websockets
async def main(url, stalled):
    async with websockets.connect(url, max_size=None, compression=None, max_queue=4) as socket:
        try:
            if stalled:
                await asyncio.Event().wait()
            while True:
                await socket.recv()
        except websockets.ConnectionClosed:
            pass
async def all(url, readers, stalled):
    await asyncio.gather(*(main(url, n >= readers) for n in range(readers + stalled)))
asyncio.run(all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


@dataclass
class Costs:
    """CPU of each picture and each frame, s; bytes of each frame."""

    picture: list[float] = field(default_factory=list)
    frame: list[float] = field(default_factory=list)
    size: list[int] = field(default_factory=list)


def pictures(agents: int, every: int, ticks: int) -> dict[str, Any]:
    """What pictures and frames cost where 1 in ``every`` agents changes at each tick."""
    costs = Costs()
    with busy_run(agents, every=every, paper__speed=1e6, market__bars=12 + ticks) as config:
        run_paper(config, attach=lambda run: _measured(run, costs))
    # The first few make columns that were not there.
    picture, frame = Spread.of(costs.picture[5:]), Spread.of(costs.frame[5:])
    kilobytes = float(np.mean(costs.size[5:])) * HERTZ / 1024
    return {
        "agents": agents,
        "changing": round(1 / every, 2),
        "picture_us_an_agent": round(1e6 * picture.median * every / agents, 2),
        "picture_core_percent": round(100 * HERTZ * picture.median, 2),
        "frame_core_percent": round(100 * HERTZ * frame.median, 2),
        "best_core_percent": round(100 * HERTZ * (picture.best + frame.best), 2),
        "kilobytes_a_second": round(kilobytes, 1),
        "frames": len(costs.size),
    }


@contextmanager
def _measured(run: Run, costs: Costs) -> Iterator[None]:
    with Panel(run) as panel:
        channel = Channel(1, panel.build())
        clock = ThreadClock()

        def look() -> None:
            # As often as at ten a second: a tenth of the agents is examined each time.
            start = clock.cpu_ns()
            picture = panel.build(1 / HERTZ)
            made = clock.cpu_ns()
            frame = channel.advance(picture)
            done = clock.cpu_ns()
            costs.picture.append((made - start) / SECOND)
            costs.frame.append((done - made) / SECOND)
            costs.size.append(0 if frame is None else len(frame))

        run.control.on_change.append(look)
        yield
        run.control.on_change.remove(look)


# -- two threads and real sockets ------------------------------------------------------------------


@dataclass
class Shown:
    """A run that was shown: CPU of both threads, and how far its ticks were off their time."""

    seconds: float = 0.0
    swarm_s: float = 0.0
    panel_s: float = 0.0
    server_s: float = 0.0
    late_ms: list[float] = field(default_factory=list)
    behind: int = 0
    waiting_bytes: int = 0


def shown(agents: int, clients: int, stalled: int, seconds: float) -> Shown:
    """A paper run of ten ticks a second with so many clients."""
    found = Shown()
    with busy_run(agents, voting=False, paper__speed=300.0 * HERTZ) as config:
        run_paper(config, seconds=seconds, attach=lambda run: _served(run, clients, stalled, found))
    return found


@contextmanager
def _served(run: Run, clients: int, stalled: int, found: Shown) -> Iterator[None]:
    with Panel(run) as panel:
        server = _Server(panel.hub, clients, stalled)
        server.start()
        cpu, wall = ThreadClock(), Stopwatch()
        begun: list[int] = []
        before: list[Stopwatch] = []

        def ticked() -> None:
            if not begun:  # the warm-up is not what is measured
                begun.append(cpu.cpu_ns())
                server.mark()
            if before:
                apart = before.pop().wall_ns() / SECOND
                found.late_ms.append(1000 * abs(apart - 1 / HERTZ))
            before.append(Stopwatch())
            found.swarm_s = (cpu.cpu_ns() - begun[0]) / SECOND
            found.server_s = server.spent()
            found.seconds = wall.wall_ns() / SECOND
            found.waiting_bytes = max(found.waiting_bytes, server.waiting())
            found.behind = panel.hub.resyncs

        wall = Stopwatch()

        def shown() -> None:
            start = cpu.cpu_ns()
            panel.ticked()
            found.panel_s += (cpu.cpu_ns() - start) / SECOND if begun else 0.0

        run.control.on_change[:] = [shown, ticked]
        yield
        run.control.on_change[:] = [panel.ticked]
    server.join()


class _Server:
    """Sends a hub's frames through WebSockets from a thread of its own; clients are a process."""

    def __init__(self, hub: Hub, clients: int, stalled: int) -> None:
        self._hub = hub
        self._clients, self._stalled = clients, stalled
        self._ready, self._over = Event(), False
        self._thread = Thread(target=lambda: asyncio.run(self._main()))
        self._clock: ThreadClock | None = None
        self._marked = 0
        self._queues: list[Any] = []

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def join(self) -> None:
        self._over = True
        self._thread.join()

    def mark(self) -> None:
        assert self._clock is not None
        self._marked = self._clock.cpu_ns()

    def spent(self) -> float:
        assert self._clock is not None
        return (self._clock.cpu_ns() - self._marked) / SECOND

    def waiting(self) -> int:
        return max((queue.waiting_bytes for queue in self._queues), default=0)

    async def _main(self) -> None:
        self._hub.open()
        self._clock = ThreadClock()
        async with serve(self._serve, "127.0.0.1", 0, compression=None, max_size=16384) as server:
            port = server.sockets[0].getsockname()[1]
            args = [f"ws://127.0.0.1:{port}", str(self._clients), str(self._stalled)]
            process = subprocess.Popen([sys.executable, "-c", CLIENT, *args])
            while self._hub.connected < self._clients + self._stalled:
                await asyncio.sleep(0.01)
            self._ready.set()
            while not self._over:
                await asyncio.sleep(0.1)
        process.kill()
        process.wait()

    async def _serve(self, socket: ServerConnection) -> None:
        client = await self._hub.join(HERTZ, "viewer")
        self._queues.append(client)
        try:
            while (frame := await client.next()) is not None:
                await socket.send(frame, text=True)
        except websockets.ConnectionClosed:
            client.close()


def run(*, quick: bool) -> dict[str, Any]:
    """All figures, by name."""
    agents, ticks, seconds = (100, 20, 3.0) if quick else (1000, 60, 15.0)
    before = calibration()
    made = [pictures(agents, every, ticks) for every in (1, 5)]
    runs = {
        name: shown(agents, clients, stalled, seconds)
        for name, clients, stalled in (
            ("nobody", 0, 0), ("1 client", 1, 0), ("11 clients", 11, 0), ("1 and 1 stalled", 1, 1),
        )
    }  # fmt: skip
    percent = {
        name: [100 * s / run.seconds for s in (run.swarm_s, run.panel_s, run.server_s)]
        for name, run in runs.items()
    }
    one = sum(percent["1 client"][1:]) - percent["nobody"][2]
    more = (percent["11 clients"][2] - percent["1 client"][2]) / 10
    return {
        "benchmark": "interfaces.live",
        "agents": agents,
        "pictures": made,
        "first_client_core_percent": round(one, 2),
        "further_client_core_percent": round(more, 3),
        "stalled_waiting_bytes": runs["1 and 1 stalled"].waiting_bytes,
        "runs": {
            name: {
                "swarm_core_percent": round(percent[name][0], 2),
                "view_core_percent": round(percent[name][1], 2),
                "server_core_percent": round(percent[name][2], 2),
                "ticks": len(run.late_ms) + 1,
                "tick_off_ms_p50": round(float(np.percentile(run.late_ms, 50)), 2),
                "tick_off_ms_p99": round(float(np.percentile(run.late_ms, 99)), 2),
                "snapshots_in_place_of_frames": run.behind,
            }
            for name, run in runs.items()
        },
        "calibration": {"before": before, "after": calibration()},
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short, for a look whether it runs")
    found = run(quick=parser.parse_args().quick)
    made, runs = found["pictures"], found["runs"]
    print(table(list(made[0]), [list(row.values()) for row in made]))
    heads = ["shown to", *next(iter(runs.values()))]
    print(table(heads, [[name, *row.values()] for name, row in runs.items()]))
    report(found)


if __name__ == "__main__":
    main()
