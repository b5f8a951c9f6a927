"""``python -m benchmarks.evidence.swarm_stop_client RUNS STOPS CLIENTS SEED``: the operator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGINT
from typing import Any

import numpy as np

from mirrorcore.clock import Stopwatch
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.attaching import Attachment, attach


async def main(runs: Path, stops: int, clients: int, seed: int) -> None:
    """Stop and lift again so often, while so many clients read; figures go to standard output."""
    swarm = await _found(runs)
    host, token = swarm.url.removeprefix("http://"), swarm.token("operator")
    readers = [asyncio.create_task(_read(host, token)) for _ in range(clients)]
    rng = np.random.default_rng(seed)
    told: dict[str, Any] = {
        "stops": 0, "agents": 0, "missing": 0, "left_open": 0,
        "closed": [], "done": [], "call": [],
    }  # fmt: skip
    for number in range(stops):
        await asyncio.sleep(float(rng.uniform(0.05, 0.4)))
        await asyncio.to_thread(_one, host, token, number, told)
    for reader in readers:
        reader.cancel()
    os.kill(swarm.pid, SIGINT)
    figures = {name: told[name] for name in ("stops", "agents", "missing", "left_open")}
    for name in ("closed", "done", "call"):
        figures[f"{name}_ms"] = _spread(told[name])
    sys.stdout.write(json.dumps(figures) + "\n")


async def _found(runs: Path) -> Attachment:
    for _ in range(1200):
        await asyncio.sleep(0.1)
        with contextlib.suppress(MirrorCoreError, FileNotFoundError):
            found = attach(runs)
            if found.url and found.tokens:
                return found
    raise SystemExit("the swarm did not come up")


async def _read(host: str, token: str) -> None:
    from websockets.asyncio.client import connect

    async with connect(f"ws://{host}/api/v1/live", max_size=None) as socket:
        await socket.send(json.dumps({"op": "hello", "v": 2, "token": token, "rate": 10}))
        async for _ in socket:
            pass


def _one(host: str, token: str, number: int, told: dict[str, Any]) -> None:
    """One stop, timed as its caller sees it, and its lifting."""
    level = ("cancel", "flatten")[number % 2]
    watch = Stopwatch()
    outcome = _post(host, token, f"stop{number}", "emergency_stop", {"level": level})
    told["call"].append(watch.wall_ns() / 1e6)
    told["stops"] += outcome["status"] == "done"
    told["agents"] = len(outcome["acked"])
    told["missing"] += len(outcome["missing"])
    told["closed"].append(outcome["result"]["closed_ms"])
    told["done"].append(outcome["result"]["ms"])
    if level == "flatten":
        for _ in range(100):
            held = _post(host, token, "", "positions", {})["result"]["positions"]
            left = sum(1 for row in held.values() if row["quantity"])
            if not left:
                break
        told["left_open"] += left
    asked = _post(host, token, f"resume{number}", "resume_trading", {})
    token_of_this = asked["error"]["confirm"]
    _post(host, token, f"resume{number}", "resume_trading", {}, confirm=token_of_this)


def _post(
    host: str, token: str, key: str, name: str, args: dict[str, Any], **more: Any
) -> dict[str, Any]:
    connection = HTTPConnection(host, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    body = json.dumps({"name": name, "args": args, "reason": "a drill", **more})
    try:
        while True:
            connection.request("POST", "/api/v1/commands", body, headers)
            response = connection.getresponse()
            document: dict[str, Any] = json.loads(response.read())
            if response.status != 429:
                break
            asyncio.run(asyncio.sleep(float(response.headers.get("Retry-After", "1"))))
    finally:
        connection.close()
    outcome: dict[str, Any] = document.get("outcome", document)
    return outcome


def _spread(values: list[float]) -> dict[str, float]:
    found = np.quantile(values, [0.5, 0.99, 1.0])
    return dict(zip(("p50", "p99", "max"), found.round(4).tolist(), strict=True))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5])))
