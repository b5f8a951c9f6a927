"""The same script gives the same calls: run after run, under any hash seed, on any event loop.

Waiting handlers are woken by the script, deadlines and back-offs go by the virtual clock, so that
nothing here may depend on the machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    AgentDown,
    AgentHandle,
    AgentPolicy,
    BreakerPolicy,
    BusError,
    BusPolicy,
    Interest,
    SyncBus,
)

SIZE = 16


class Script:
    """Sixteen agents that wait, fail, answer, flood and feed back, drawn from one generator."""

    def __init__(self) -> None:
        self.clock = VirtualClock(SECOND)
        self.bus = SyncBus(self.clock, seed=3, policy=BusPolicy(storm_calls=4, turn=64))
        self.digest = hashlib.sha256()
        self.deliveries = 0
        self.kinds: dict[str, int] = {}
        self.rng = np.random.default_rng(5)
        self.handles: dict[str, AgentHandle] = {}
        self.gates: list[asyncio.Future[None]] = []
        self.asked: list[asyncio.Task[Any]] = []

    def note(self, *parts: Any) -> None:
        self.digest.update(repr(parts).encode())

    def register(self, index: int) -> None:
        name = f"n{index}"
        mode: Any = ("latest", "every", "latest", "eager")[index % 4]
        wanted = [Interest(f"n{(index + 1) % SIZE}", None, mode), Interest("odd", ("x", "y"))]

        def seen(update: Any) -> bool:
            self.deliveries += 1
            self.note(name, repr(update))
            return self.deliveries % 11 == 0

        def sync(update: Any) -> None:
            if seen(update):
                raise ValueError("boom")
            if self.deliveries % 5 == 0:
                self.handles[name].publish({"y": self.deliveries, "s": {"b", "a", "c"}})

        async def waits(update: Any) -> None:
            if seen(update):
                gate = asyncio.get_running_loop().create_future()
                self.gates.append(gate)
                await gate
                self.handles[name].publish({"z": self.deliveries})

        async def on_message(message: int) -> int:
            self.note(name, "message", message, self.handles[name].sender)
            if message % 5 == 0:
                await asyncio.sleep(0)
            if message % 13 == 0:
                raise KeyError(message)
            return message + 1

        self.handles[name] = self.bus.register(
            name,
            kind="odd" if index % 2 else "even",
            interests=wanted,
            on_update=sync if mode == "eager" or index % 3 else waits,
            on_message=on_message,
            on_signal=lambda signal: self.note(name, "signal", signal),
            policy=AgentPolicy(
                deadline_ns=300 * MILLISECOND, stream=8, breaker=BreakerPolicy(consecutive=3)
            ),
        )

    def event(self, event: Any) -> None:
        self.kinds[str(event.kind)] = self.kinds.get(str(event.kind), 0) + 1
        self.note(event.t, str(event.kind), event.agent_id, event.detail)

    async def run(self) -> str:
        self.bus.on_event(self.event)
        for index in range(SIZE):
            self.register(index)
        for number in range(60):
            await self.step(number)
        for gate in self.gates:
            gate.cancel()
        for task in self.asked:
            task.cancel()
        self.note(await asyncio.gather(*self.asked, return_exceptions=True))
        self.note(self.deliveries, self.bus.accounting_residual())
        for name in self.handles:
            self.note(name, repr(self.bus.statistics(name)), dict(self.bus.read(name).state))
        await self.bus.aclose()
        return self.digest.hexdigest()

    async def step(self, number: int) -> None:
        for index in self.rng.integers(0, SIZE, 6):
            self.attempt(lambda i=int(index): self.publish(i, number))
        target, sender = (f"n{i}" for i in self.rng.integers(0, SIZE, 2))
        self.attempt(lambda: self.handles[sender].send(target, number))
        self.attempt(lambda: self.handles[sender].send(target, number, ttl_ns=number % 3 * SECOND))
        self.asked.append(
            asyncio.ensure_future(self.handles[sender].request(target, number, timeout_ns=10**15))
        )
        if number % 10 == 0:
            self.note(self.bus.signal("all", number))
        if number % 17 == 0:
            self.bus.pause(target)
        if number % 17 == 8:
            for name in self.handles:
                self.bus.resume(name)
        if number % 29 == 0:
            self.bus.remove(sender)
            self.register(int(sender[1:]))
        for _ in range(4):
            await asyncio.sleep(0)
        if self.gates and number % 3 == 0:
            gate = self.gates.pop(0)
            if not gate.done():
                gate.set_result(None)
        self.clock.advance_to(self.clock.now() + 100 * MILLISECOND)
        self.bus.sweep()
        await asyncio.sleep(0)
        self.bus.settle()

    def publish(self, index: int, number: int) -> None:
        for turn in range(1 + 12 * (number % 7 == 0)):
            self.handles[f"n{index}"].publish({"x": float(self.rng.random()), f"f{turn}": number})

    def attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (AgentDown, BusError) as error:
            self.note(error.message)


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loops to be had here; uvloop where it is installed."""
    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.SelectorEventLoop,
        "virtual": lambda: VirtualTimeLoop(VirtualClock(0)),
    }
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    return found


def digests(runs: int) -> dict[str, list[str]]:
    """What each loop gives, several times over."""
    found: dict[str, list[str]] = {}
    for name, make in loops().items():
        for _ in range(runs):
            loop = make()
            try:
                found.setdefault(name, []).append(loop.run_until_complete(Script().run()))
            finally:
                loop.close()
    return found


def test_runs_hash_seeds_and_loops_give_the_same_calls() -> None:
    """Three runs on each loop, in two subprocesses of other hash seeds and in this one."""
    code = f"import sys, json; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    code += "from test_bus_determinism import digests; print(json.dumps(digests(3)))"
    found = [digests(1)]
    for seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    every = [digest for run in found for of_loop in run.values() for digest in of_loop]
    assert len(every) == 7 * len(loops())
    assert len(set(every)) == 1


def test_the_script_goes_where_order_could_matter() -> None:
    script = Script()
    loop = VirtualTimeLoop(script.clock)
    try:
        loop.run_until_complete(script.run())
    finally:
        loop.close()
    assert script.deliveries > 400
    for kind in (
        "failure",
        "expired",
        "isolated",
        "restart",
        "recovered",
        "dead_letter",
        "removed",
        "storm",
    ):
        assert script.kinds.get(kind, 0) > 0, kind
