"""An agent in a process of its own: what it costs, and that its worst reaches nobody."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from benchmarks.measure import Spread
from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.market.categories import sealed
from mirrorcore.market.features.engine import FeatureEngine
from mirrorcore.swarm.assembly import assemble
from mirrorcore.swarm.away import packed
from mirrorcore.swarm.members import TickView
from mirrorcore.swarm.sources import open_source
from mirrorcore.syncbus import AgentPolicy, ProcessFactory, ProcessPolicy, RestartPolicy, SyncBus
from mirrorcore.syncbus.process_frames import pickled

SEED = 1
SYMBOLS = (8, 100)
STARTS, CROWD, TICKS, ROUNDS = 9, 20, 300, 7
WITNESSES, PUBLISHED = 100, 300
CLAIM = (
    "beside agents in processes of their own that loop in C, crash the interpreter, exit, exhaust "
    f"their memory and write rubbish into their pipe, {WITNESSES} agents of the loop get every "
    "delivery"
)


# -- agents, for the children -------------------------------------------------------------------


def idle(_handle: Any, _checkpoint: bytes | None) -> Mapping[str, Callable[..., Any]]:
    return {"on_update": lambda _update: None}


def _exhaust() -> None:
    held = []
    while True:
        held.append(bytes(1 << 24))


FAULTS: Mapping[str, Callable[[], Any]] = {
    "loops in C": lambda: sum(itertools.repeat(0)),
    "crashes": lambda: ctypes.string_at(0),
    "exits": lambda: os._exit(3),
    "exhausts its memory": _exhaust,
    "writes rubbish": lambda: os.write(int(sys.argv[1]), b"\xff" * 64),
}


def faulty(
    _handle: Any, _checkpoint: bytes | None, fault: str = ""
) -> Mapping[str, Callable[..., Any]]:
    return {"on_update": lambda _update: FAULTS[fault]()}


# -- what is measured ---------------------------------------------------------------------------


def run(*, quick: bool = False) -> Finding:
    starts = asyncio.run(_starts(2 if quick else STARTS))
    crowd = asyncio.run(_crowd(2 if quick else CROWD))
    ticks = {
        str(symbols): {
            where: asyncio.run(_ticks(symbols, where == "process", quick=quick))
            for where in ("loop", "process")
        }
        for symbols in SYMBOLS
    }
    sizes = {
        str(symbols): len(pickled(packed(_view(symbols)[2], _READS, ()))) for symbols in SYMBOLS
    }
    harm = asyncio.run(_harm(20 if quick else PUBLISHED))
    whole = all(told == harm["published"] for told in harm["delivered"].values())
    return Finding(
        CLAIM,
        passed=whole and harm["residual"] == 0 and set(harm["states"].values()) == {"failed"},
        headline=[
            f"{harm['published']} deltas to each of {WITNESSES}: all delivered"
            if whole
            else "some were not delivered",
            f"an agent is built {starts.median:.0f} ms after it was registered, {CROWD} at once "
            f"after {crowd / 1e3:.1f} s",
            *(
                f"a tick of {symbols} symbols: {told['process']['wall_us']['median']:.0f} us, "
                f"{told['process']['cpu_us']['median']:.0f} us of it the bus's own CPU; in the "
                f"loop {told['loop']['wall_us']['median']:.0f} us"
                for symbols, told in ticks.items()
            ),
        ],
        figures={
            "start_ms": starts.rounded(1),
            "crowd": {"agents": CROWD, "ms": round(crowd, 1)},
            "tick": ticks,
            "tick_bytes": sizes,
            "harm": harm,
        },
        seeds=[SEED],
    )


_READS = ("technical", "risk")


async def _starts(rounds: int) -> Spread:
    """Milliseconds from registration to an agent that is built."""
    return Spread.of([await _crowd(1) for _ in range(rounds)])


async def _crowd(agents: int) -> float:
    bus = SyncBus()
    watch = Stopwatch()
    for number in range(agents):
        bus.register(f"a{number}", isolation="process", factory=f"{__name__}:idle")
    await bus.started()
    took = watch.wall_ns() / 1e6
    await bus.aclose()
    return took


def _view(symbols: int) -> tuple[Any, Any, TickView]:
    with tempfile.TemporaryDirectory(prefix="mirrorcore-isolation-") as folder:
        config = configured(
            folder,
            [
                ("market.symbols", symbols),
                ("market.bars", 300),
                ("agents.preset", "none"),
                ("seed", SEED),
            ],
            [{"id": "Looker", "class": "Looker", "isolation": "process"}],
        )
        source = open_source(config)
        block = next(iter(source.blocks(max_rows=300)))
        market = sealed(FeatureEngine(len(source.symbols), source.bar_ns).update(block))
    row = len(block) - 1
    return config, source, TickView(row, int(block.ts[row]), row, market, {}, {})


async def _ticks(symbols: int, process: bool, *, quick: bool) -> dict[str, Any]:
    """Microseconds a tick of one agent, from the call to its admitted answer."""
    config, source, view = _view(symbols)
    swarm = assemble(config, source, "isolation", processes=process)
    bus, clock = swarm.parts.bus, swarm.parts.clock
    clock.advance_to(view.ts)
    await bus.started()
    bus.admit()
    walls, cpus = [], []
    ticks, rounds = (10, 1) if quick else (TICKS, ROUNDS)
    for _ in range(rounds):
        watch = Stopwatch()
        for _ in range(ticks):
            bus.tick(view, ["Looker"])
            while bus.suspended:
                # Waits for the child without turning round, which would count as work.
                bus.isolation.idle()
                await asyncio.sleep(0)
            bus.admit()
        walls.append(watch.wall_ns() / ticks / 1e3)
        cpus.append(watch.cpu_ns() / ticks / 1e3)
    if bus.read("Looker").version < ticks:
        raise RuntimeError("the agent did not answer")
    await bus.aclose()
    return {"wall_us": Spread.of(walls).rounded(1), "cpu_us": Spread.of(cpus).rounded(1)}


async def _harm(published: int) -> dict[str, Any]:
    """Deliveries to agents of the loop while each fault happens in a process of its own."""
    bus = SyncBus(seed=SEED)
    source = bus.register("source", kind="publisher")
    heard = {f"witness{number}": 0 for number in range(WITNESSES)}
    late: list[int] = []

    def hearing(name: str) -> Callable[[Any], None]:
        def hear(update: Any) -> None:
            heard[name] += update.gap
            late.append(bus.clock.now() - update.t)

        return hear

    for name in heard:
        bus.register(name, kind="witness", interests=["source"], on_update=hearing(name))
    once = AgentPolicy(deadline_ns=SECOND, restart=RestartPolicy(intensity=0))
    for fault in FAULTS:
        bus.register(
            fault,
            kind="faulty",
            interests=["source"],
            policy=once,
            isolation="process",
            process=_made(fault),
        )
    await bus.started()
    count = 0
    while count < published or any(bus.status(fault) != "failed" for fault in FAULTS):
        count += 1
        source.publish({"x": float(count)})
        await asyncio.sleep(0.005)
        if count > 100 * published:
            break
    await bus.drain()
    told = {
        "published": count,
        "delivered": dict(heard),
        "states": {fault: str(bus.status(fault)) for fault in FAULTS},
        "residual": bus.accounting_residual(),
        "late_us": {
            "p50": round(statistics.median(late) / 1e3, 1),
            "p99": round(statistics.quantiles(late, n=100)[98] / 1e3, 1),
        },
    }
    await bus.aclose()
    return told


def _made(fault: str) -> ProcessFactory:
    small = ProcessPolicy(memory_bytes=512 << 20)
    return ProcessFactory(f"{__name__}:faulty", {"fault": fault}, small)
