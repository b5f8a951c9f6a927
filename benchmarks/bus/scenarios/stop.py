"""Stop under flood: how long until the gateway is closed and a thousand agents have heard of it.

A thousand agents on a bus, every one with messages and news waiting; a publisher that floods them
faster than they can be served; orders working at the venue. A thread asks for the stop at a moment
nobody knows. The loop *takes* the command when it comes round for it; once it is *accepted* the
gateway closes, then ``broadcast_command("emergency_stop")`` carries it to all. An agent has
acknowledged when its ``on_signal`` has run.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from typing import Any

from benchmarks.bus.ring import interests_of
from benchmarks.bus.rivals.ours import PATIENT
from benchmarks.orders import BAR, SYMBOLS, Desk
from mirrorcore.clock import MICROSECOND, stamp_ns
from mirrorcore.syncbus import BusError, SyncBus
from mirrorcore.trading import Directive, net_targets

AGENTS = 1_000
PREFILLED = 32
"""Messages in every inbox before the flood begins."""

TURN = 320
"""Sources that publish, and agents that are sent to, in each turn of the loop: more calls than it
makes in one."""


class Listener:
    """An agent that counts what it gets and notes when it heard the stop."""

    __slots__ = ("calls", "heard_ns")

    def __init__(self) -> None:
        self.calls = 0
        self.heard_ns = 0

    def on_update(self, _update: Any) -> None:
        self.calls += 1

    def on_message(self, _message: Any) -> None:
        self.calls += 1

    def on_signal(self, _command: Any) -> None:
        self.heard_ns = stamp_ns()


class Stop:
    """One run.

    Attributes
    ----------
    flooded: agents with something waiting when the stop was accepted.
    """

    def __init__(self, agents: int) -> None:
        self.bus = SyncBus()
        self.listeners = [Listener() for _ in range(agents)]
        self.handles = [
            self.bus.register(
                f"agent{number}",
                kind="worker",
                interests=[f"agent{source}" for source in interests_of(number, agents)],
                on_update=listener.on_update,
                on_message=listener.on_message,
                on_signal=listener.on_signal,
                policy=PATIENT,
            )
            for number, listener in enumerate(self.listeners)
        ]
        self.desk = Desk()
        self.asked_ns = self.taken_ns = self.accepted_ns = 0
        self.closed_ns = self.answered_ns = 0
        self.flooded = 0
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self, delay_s: float) -> dict[str, float]:
        """Flood, stop after ``delay_s``, and say how long it took, in us."""
        self._place_orders()
        for handle in self.handles:
            for _ in range(PREFILLED):
                self.bus.send(handle.agent_id, "work")
        timer = threading.Timer(delay_s, self._ask)
        timer.start()
        try:
            await self._flood()
        finally:
            timer.join()
        figures = self._figures()
        self._check()
        return figures

    def _place_orders(self) -> None:
        self.desk.path.step(*self._plan(0.04))
        if len(self.desk.venue.working) != SYMBOLS:
            raise SystemExit("stop: no orders are working")

    def _plan(self, weight: float) -> Any:
        desk = self.desk
        directives = [Directive(s, weight, 0.6, 12 * BAR, ("benchmark",)) for s in range(SYMBOLS)]
        equity = desk.ledger.equity(desk.marks)
        return desk.ts, net_targets(directives, SYMBOLS), desk.marks, equity, desk.present

    async def _flood(self) -> None:
        handles, bus = self.handles, self.bus
        turn = 0
        while not self._stopped.is_set():
            for step in range(TURN):
                handle = handles[(turn + step) % len(handles)]
                handle.publish({"level": float(turn), "trend": float(step)})
                try:
                    bus.send(handle.agent_id, "work")
                except BusError:
                    continue  # its inbox is full: flooded indeed
            turn += TURN
            await asyncio.sleep(0)

    def _ask(self) -> None:
        self.asked_ns = stamp_ns()
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._accept()))

    async def _accept(self) -> None:
        self.taken_ns = stamp_ns()
        # Looking at everybody takes a while; the command counts as accepted after that.
        self.flooded = sum(self._waits(handle.agent_id) for handle in self.handles)
        self.accepted_ns = stamp_ns()
        self.desk.path.gateway.stop("the operator", ts=self.desk.ts)
        self.closed_ns = stamp_ns()
        replies = await self.bus.broadcast_command("emergency_stop")
        self.answered_ns = stamp_ns()
        if not all(reply.ok for reply in replies.values()):
            raise SystemExit("stop: not every agent was reached")
        self._stopped.set()

    def _waits(self, agent_id: str) -> bool:
        told = self.bus.statistics(agent_id)
        return bool(told.pending or told.inbox)

    def _figures(self) -> dict[str, float]:
        heard = [listener.heard_ns for listener in self.listeners]
        if not all(heard):
            raise SystemExit(f"stop: {heard.count(0)} agents have not heard of it")
        return {
            "asked_to_taken": (self.taken_ns - self.asked_ns) / MICROSECOND,
            "accepted_to_closed": (self.closed_ns - self.accepted_ns) / MICROSECOND,
            "accepted_to_first": (min(heard) - self.accepted_ns) / MICROSECOND,
            "accepted_to_all": (max(heard) - self.accepted_ns) / MICROSECOND,
            "accepted_to_answer": (self.answered_ns - self.accepted_ns) / MICROSECOND,
        }

    def _check(self) -> None:
        """Nothing is left working, and what agents want after the stop goes nowhere."""
        path = self.desk.path
        working = len(self.desk.venue.working)
        sent = path.step(*self._plan(-0.04))
        if working or sent:
            raise SystemExit(f"stop: {working} orders still work, {len(sent)} went out after it")


async def measure(runs: int, seed: int, agents: int = AGENTS) -> dict[str, Any]:
    """{what: us in each run}, and how many agents were flooded at least."""
    rng = random.Random(seed)
    found: dict[str, list[float]] = {}
    flooded = agents
    for number in range(runs + 1):
        # The buses of runs before are nobody's load; what this one makes is collected as it goes.
        gc.collect()
        stop = Stop(agents)
        figures = await stop.run(rng.uniform(0.01, 0.05))
        await stop.bus.aclose()
        if number:  # the first one warms up
            flooded = min(flooded, stop.flooded)
            for name, figure in figures.items():
                found.setdefault(name, []).append(figure)
        del stop
    return {"agents": agents, "runs": runs, "least_flooded": flooded, "us": found}
