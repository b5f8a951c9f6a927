"""The stop as an operator gives it: over HTTP, to a swarm of 1,000 agents that has no time for it.

The swarm is paper at full speed, every agent publishing as often as it may in each of its calls;
32 clients read the live wire; the stops come from a process of their own, at moments of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.interfaces.api.serving import served
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.rerun import rerun
from mirrorcore.trading.orders import Order

SEED = 7
FLOODING, CLIENTS, STOPS = 978, 32, 100
CLAIM = (
    f"a stop over HTTP in a swarm of 1,000 agents of which {FLOODING} flood, with {CLIENTS} "
    "clients on the live wire: the order gateway closed within 1 ms of acceptance, every agent "
    f"acknowledged within 250 ms of the call at p99 of {STOPS} stops, every position closed where "
    "that was asked, no order of an agent between a stop and its lifting, and the whole run "
    "repeated to the same fingerprint"
)


def run(*, quick: bool = False) -> Finding:
    stops, flooding = (3, 50) if quick else (STOPS, FLOODING)
    with tempfile.TemporaryDirectory(prefix="mirrorcore-stop-") as folder:
        runs = Path(folder) / "runs"
        agents = [
            {"id": f"Flood{number:04d}", "class": "Flooding", "params": {}}
            for number in range(flooding)
        ]
        config = configured(
            runs,
            [("seed", SEED), ("market.symbols", 3), ("market.bars", 200_000),
             ("paper.speed", 1_000_000.0), ("paper.warmup", "1d"), ("web.port", 0)],
            agents,
        )  # fmt: skip
        said: list[str] = []
        command = [sys.executable, "-m", "benchmarks.evidence.swarm_stop_client", str(runs),
                   str(stops), str(1 if quick else CLIENTS), str(SEED)]  # fmt: skip
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            run_paper(config, attach=served(config.web, said.append))
        finally:
            out, _ = client.communicate(timeout=120)
        told: dict[str, Any] = json.loads(out)
        info = RunRegistry(runs).find("last")
        told["orders_while_stopped"] = _orders_while_stopped(info.journal)
        told["rerun_same"] = rerun(info).same
    passed = (
        told["closed_ms"]["max"] <= 1.0
        and told["call_ms"]["p99"] <= 250.0
        and not told["missing"]
        and not told["left_open"]
        and not told["orders_while_stopped"]
        and told["stops"] == stops
        and told["rerun_same"]
    )
    return Finding(
        CLAIM,
        passed,
        headline=[
            f"{told['stops']} stops: gateway closed {1e3 * told['closed_ms']['p50']:.0f} us after "
            f"acceptance, at most {1e3 * told['closed_ms']['max']:.0f}",
            f"all of {told['agents']:,} agents acknowledged {told['done_ms']['p50']:.0f} ms after "
            f"acceptance, p99 {told['done_ms']['p99']:.0f}; the answer was back after "
            f"{told['call_ms']['p50']:.0f} ms, p99 {told['call_ms']['p99']:.0f}",
            f"{told['orders_while_stopped']} orders of agents while stopped, "
            f"{told['left_open']} positions left open after a flatten",
            f"rerun to the same fingerprint: {'yes' if told['rerun_same'] else 'no'}",
        ],
        figures=told,
        seeds=[SEED],
    )


def _orders_while_stopped(journal: Path) -> int:
    """Orders that went out between a stop and its lifting, the stop controller's own apart."""
    stopped, found = False, 0
    with JournalReader(journal) as reader:
        for entry in reader.entries():
            if entry.kind == "command":
                stopped = entry.body["action"]["action"] == "emergency_stop"
            elif entry.kind == "order" and stopped:
                order = Order.load(entry.body)
                found += order.status.value == "intent" and order.reason != "stop"
    return found
