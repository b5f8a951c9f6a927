"""Stop stops, whatever the load: a thousand flooded agents, a hundred runs."""

from __future__ import annotations

import asyncio

from benchmarks.bus.rows import stop_rows
from benchmarks.bus.run import SEED, stop_document
from benchmarks.bus.scenarios import stop
from benchmarks.evidence.record import Finding

RUNS = 100
CLAIM = (
    "with 1,000 agents flooded faster than they can be served, the gateway is closed within 1 ms "
    "of the stop's acceptance and all agents have acknowledged within 100 ms, both at p99 of "
    f"{RUNS} runs; its working orders are withdrawn and no order goes out after it in any"
)


def run(*, quick: bool = False) -> Finding:
    stopped = asyncio.run(stop.measure(3 if quick else RUNS, SEED))
    rows = stop_rows(stopped["us"])
    told = stop_document(stopped)
    everybody = stopped["least_flooded"] == stopped["agents"]
    us = told["us"]
    return Finding(
        CLAIM,
        passed=all(row.met for row in rows) and everybody,
        headline=[
            f"gateway closed {us['accepted_to_closed']['p50']:,.0f} us after acceptance, at most "
            f"{us['accepted_to_closed']['max']:,.0f}",
            f"all acknowledged after {us['accepted_to_all']['p50'] / 1e3:.1f} ms, p99 "
            f"{us['accepted_to_all']['p99'] / 1e3:.1f} ms, at most "
            f"{us['accepted_to_all']['max'] / 1e3:.1f} ms",
            f"the loop took the command up {us['asked_to_taken']['p50'] / 1e3:.1f} ms after it was "
            f"asked for, at most {us['asked_to_taken']['max'] / 1e3:.1f} ms",
            f"{stopped['least_flooded']:,} of {stopped['agents']:,} agents had work waiting in "
            "every run",
        ],
        figures={**told, "rows": [row.document() for row in rows]},
        seeds=[SEED],
    )
