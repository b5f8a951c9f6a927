"""The stop on the page: ``python -m benchmarks.interfaces.page_stop [--quick]``.

Row 6 of the interface budget. A real paper run of 1,000 agents that all say something new at each
tick, 31 clients on its live wire in a process of their own, and one page in a real Chromium on
which F10 is held. Measured is, by the page's clock, from the moment the gesture is complete until
the answer is there that names who acknowledged: the way to the server, the gateway that closes, the
agents that are told between two ticks, and the way back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.interfaces.busy import busy_run
from benchmarks.interfaces.page import chromium
from benchmarks.measure import calibration, machine, report, table
from mirrorcore.config.model import RunConfig
from mirrorcore.interfaces.api.serving import served
from mirrorcore.interfaces.api.tokens import Tokens
from mirrorcore.swarm.control.actions import By, ResumeTrading
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run

TARGET_MS = 250.0
CLIENTS = 32
WATCHERS = """
import asyncio, json, sys, websockets
async def one(url, token):
    async with websockets.connect(url, max_size=None, compression=None) as socket:
        await socket.send(json.dumps({"op": "hello", "v": 2, "token": token, "rate": 10}))
        async for _ in socket:
            pass
async def all(url, token, count):
    await asyncio.gather(*(one(url, token) for _ in range(count)), return_exceptions=True)
asyncio.run(all(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
CLOCK = """() => {
    const ask = window.fetch;
    window.stops = [];
    window.fetch = async (address, what) => {
        const stop = String(what?.body).includes('emergency_stop');
        const begun = performance.now();
        const answer = await ask(address, what);
        if (stop) window.stops.push(performance.now() - begun);
        return answer;
    };
}"""


def until(what: Callable[[], Any], why: str, seconds: float = 60.0) -> Any:
    """The first true value of ``what``."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:g} s: {why}")
        time.sleep(0.02)
    return found


@contextmanager
def running(config: RunConfig) -> Iterator[tuple[Run, str]]:
    """The run in a thread of its own, served; itself and its address."""
    runs: list[Run] = []
    said: list[str] = []

    @contextmanager
    def attach(run: Run) -> Iterator[Any]:
        with served(config.web, said.append)(run) as tick:
            runs.append(run)
            yield tick

    thread = threading.Thread(target=run_paper, args=(config,), kwargs={"attach": attach})
    thread.start()
    try:
        (run,) = until(lambda: runs, "the run begins")
        (address,) = [word for word in " ".join(said).split() if word.startswith("http://")]
        until(lambda: run.recorder.ticks > 2, "it decides")
        yield run, address
    finally:
        for run in runs:
            run.control.ask(lambda run: run.stop.set())
        thread.join(60)


def measure(agents: int, rounds: int) -> list[float]:
    """From gesture to answer, ms, for each round."""
    with (
        busy_run(agents, voting=False, paper__speed=3000.0, web__port=0) as config,
        running(config) as (run, address),
    ):
        tokens = Tokens.open(config.storage.runs)
        wire = f"{address.replace('http', 'ws', 1)}api/v1/live"
        watch = [sys.executable, "-c", WATCHERS, wire, tokens.secret("viewer"), str(CLIENTS - 1)]
        watchers = subprocess.Popen(watch)
        try:
            with chromium() as browser:
                page = browser.new_page()
                page.goto(f"{address}#t={tokens.secret('operator')}")
                until(
                    lambda: page.evaluate(
                        f"window.mirrorcore?.link.client.state?.top.clients >= {CLIENTS}"
                    ),
                    "all clients are there",
                )
                page.evaluate(CLOCK)
                for number in range(1, rounds + 1):
                    page.keyboard.down("F10")
                    until(
                        lambda count=number: page.evaluate("window.stops.length") >= count,  # type: ignore[misc]
                        "it is answered",
                    )
                    page.keyboard.up("F10")
                    resume(run)
                return list(page.evaluate("window.stops"))
        finally:
            watchers.kill()
            watchers.wait(10)


def resume(run: Run) -> None:
    """Open the gateway again, as an operator may."""
    by = By("benchmark", "operator", "python")
    run.control.act(ResumeTrading("the next round"), by).result(10)


def run(*, quick: bool) -> dict[str, Any]:
    """All figures, by name."""
    agents, rounds = (100, 2) if quick else (1000, 20)
    found = sorted(measure(agents, rounds))
    figures = {
        "stop_median_ms": round(found[len(found) // 2], 1),
        "stop_max_ms": round(found[-1], 1),
    }
    return {
        "benchmark": "interfaces.page_stop",
        "agents": agents,
        "clients": CLIENTS,
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
        "machine": machine(),
        "calibration": calibration(),
        "figures": figures,
        "targets": {"stop_max_ms": TARGET_MS},
        "met": {"stop_max_ms": found[-1] <= TARGET_MS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a smoke run")
    found = run(quick=parser.parse_args().quick)
    rows = [[name, value, TARGET_MS] for name, value in found["figures"].items()]
    print(table([f"{found['agents']} agents, {CLIENTS} clients", "found", "at most"], rows))
    report(found)


if __name__ == "__main__":
    main()
