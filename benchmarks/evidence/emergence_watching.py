"""What it costs to be watched: CPU a tick with 100 agents, memory, and that no run is changed."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from benchmarks.evidence.planted import AGENTS
from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.config.quantities import EMERGENCE_TYPES
from mirrorcore.emergence.memory import encode
from mirrorcore.swarm.emergence.watch import EmergenceWatch
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.run import RunOutcome

VOTERS = 100
MOST_US = 500.0
SYMBOLS = (1, 4)
TICK_BY_TICK = 400
CLAIM = (
    f"{VOTERS} agents, all seven types: at most {MOST_US:.0f} us of CPU a tick and symbol for the "
    "monitor as a whole; memory that does not grow with the run; the fingerprint of the run "
    "without it"
)


def run(*, quick: bool = False) -> Finding:
    ticks = 2_500 if quick else 6_000
    figures: dict[str, Any] = {"voters": VOTERS, "ticks": ticks}
    for symbols in SYMBOLS:
        figures[f"{symbols} symbols"] = _watched(symbols, ticks)
    each = [figures[f"{symbols} symbols"] for symbols in SYMBOLS]
    return Finding(
        CLAIM,
        passed=all(
            one["us_a_tick_and_symbol"] <= MOST_US and one["same_fingerprint"] and not one["idle"]
            for one in each
        )
        and each[0]["memory_growth"] < 1.02,
        headline=[
            f"{one['symbols']} symbols: {one['us_a_tick_and_symbol']:.0f} us a tick and symbol in "
            f"its thread, {one['us_in_the_loop']:.0f} us a tick in the loop of paper; state "
            f"{one['memory_mb']:.1f} MB, {one['memory_growth']:.3f} times that of half-way"
            for one in each
        ],
        figures=figures,
        seeds=[1],
    )


def _watched(symbols: int, ticks: int) -> dict[str, Any]:
    half = _run(symbols, ticks // 2, watched=True)
    full = _run(symbols, ticks, watched=True)
    plain = _run(symbols, ticks, watched=False)
    # Paper gives it tick by tick, and so has more to cut out.
    single = _run(symbols, TICK_BY_TICK, watched=True, rows=1)
    seen = max(one.ticks for one in full.watch.watched.values())
    return {
        "symbols": symbols,
        "us_a_tick_and_symbol": full.thread_s / seen / symbols * 1e6,
        "us_in_the_loop": single.loop_s / TICK_BY_TICK * 1e6,
        "memory_mb": full.memory / 1e6,
        "memory_growth": full.memory / half.memory,
        "same_fingerprint": full.outcome.fingerprint == plain.outcome.fingerprint,
        "idle": [one.idle for one in full.watch.watched.values() if one.idle],
    }


class _Timed:
    """A run, with the CPU its monitor took in its own thread and in the swarm's loop."""

    outcome: RunOutcome
    watch: EmergenceWatch
    thread_s = loop_s = 0.0
    memory = 0


def _run(symbols: int, ticks: int, *, watched: bool, rows: int = 4096) -> _Timed:
    timed = _Timed()
    look, block, save = EmergenceWatch._look, EmergenceWatch.block, EmergenceWatch.save

    def looked(watch: EmergenceWatch, batch: Any) -> Any:
        before = time.thread_time()
        out = look(watch, batch)
        timed.thread_s += time.thread_time() - before
        return out

    def blocked(watch: EmergenceWatch, record: Any) -> None:
        before = time.thread_time()
        block(watch, record)
        timed.loop_s += time.thread_time() - before

    def saved(watch: EmergenceWatch, *given: Any, **named: Any) -> None:
        timed.watch, timed.memory = watch, len(encode(watch._bank.memory()))
        save(watch, *given, **named)

    changed: dict[str, Any] = {"_look": looked, "block": blocked, "save": saved}
    for name, method in changed.items():
        setattr(EmergenceWatch, name, method)
    try:
        with tempfile.TemporaryDirectory(prefix="mirrorcore-cost-") as runs:
            timed.outcome = replay_history(
                _config(runs, symbols, ticks, watched=watched), block_rows=rows
            )
    finally:
        original: dict[str, Any] = {"_look": look, "block": block, "save": save}
        for name, method in original.items():
            setattr(EmergenceWatch, name, method)
    return timed


def _config(runs: str, symbols: int, ticks: int, *, watched: bool) -> Any:
    kinds = [t for t in EMERGENCE_TYPES if symbols > 1 or t != "specialisation"]
    voters = [
        {"id": f"P{number:03}", "file": AGENTS.as_posix(), "class": "Private",
         "interests": ["technical"]}
        for number in range(VOTERS)
    ]  # fmt: skip
    seers = [{"id": name, "type": name} for name in ("VolatilitySeer", "RegimeOracle")]
    return configured(
        runs,
        [
            ("seed", 1),
            ("agents.preset", "none"),
            ("market.preset", "null"),
            ("market.symbols", symbols),
            ("market.bars", ticks),
            ("emergence.history", watched),
            ("emergence.detectors", kinds),
        ],
        [*voters, *seers],
    )
