"""Does the bus keep what it should let go? ``python -m benchmarks.bus.flat KIND WORK``.

One kind of work in this process, over and over: *messages* through one bus, whole *buses* made and
closed, *agents* that come and go. Prints resident memory, as the system counts it, after the first
tenth, which warms up, and at each further one. Meant to be started afresh for each kind.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import report
from mirrorcore.clock import MICROSECOND, MINUTE
from mirrorcore.syncbus import AgentHandle, AgentPolicy, BusPolicy, SyncBus

AGENTS = 100
READERS = 5
PATIENT = AgentPolicy(deadline_ns=MINUTE)
"""A machine that stands still for a moment must not end in isolated agents: not what is asked."""

SHORT_HISTORY = BusPolicy(history_bytes=1 << 20)
"""The history of those who stay is bounded and fills slowly; here it is to be full at once."""

PARTS = 10
"""Of the work; the first is the warm-up."""


def resident_bytes() -> int:
    with Path("/proc/self/statm").open(encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Member:
    """An agent with all lanes in use; every seventh waits a turn of the loop in its handler."""

    def __init__(self, number: int) -> None:
        self.waits = number % 7 == 0
        self.calls = 0

    def on_update(self, _update: Any) -> Any:
        self.calls += 1
        return self._wait() if self.waits else None

    async def _wait(self) -> None:
        await asyncio.sleep(0)

    def on_message(self, message: Any) -> Any:
        self.calls += 1
        return message

    def on_signal(self, _signal: Any) -> None:
        self.calls += 1


def join(bus: SyncBus, name: str, number: int, readable: int) -> AgentHandle:
    """A member that reads the five before it."""
    member = Member(number)
    return bus.register(
        name,
        kind="worker",
        interests=[f"agent{(number - step) % readable}" for step in range(1, READERS + 1)],
        on_update=member.on_update,
        on_message=member.on_message,
        on_signal=member.on_signal,
        policy=PATIENT,
    )


def members(bus: SyncBus, agents: int = AGENTS) -> list[AgentHandle]:
    return [join(bus, f"agent{number}", number, agents) for number in range(agents)]


async def talk(bus: SyncBus, handles: list[AgentHandle], turn: int) -> int:
    """Everybody publishes, every fourth sends, some of it too late; returns the messages sent.

    Values are new each time, so that nothing is shared by accident.
    """
    sent = len(handles)
    for number, handle in enumerate(handles):
        handle.publish({"level": turn + number / 7, "mood": f"mood {turn} {number}"})
        if number % 4 == turn % 4:
            target = handles[number - 1].agent_id
            handle.send(target, ("work", turn), ttl_ns=MICROSECOND if number % 8 == 0 else None)
            sent += 1
    bus.settle()
    if bus.suspended:
        await bus.drain()
    return sent


async def messages(work: int) -> AsyncIterator[int]:
    """Through one bus; yields how many so far."""
    bus = SyncBus()
    handles = members(bus)
    done = turn = 0
    while done < work:
        done += await talk(bus, handles, turn)
        turn += 1
        yield done
    _no_residue(bus)
    await bus.aclose()


async def buses(work: int) -> AsyncIterator[int]:
    """Made, used in every way, closed, forgotten."""
    for done in range(1, work + 1):
        bus = SyncBus(seed=done)
        handles = members(bus)
        for turn in range(3):
            await talk(bus, handles, turn)
        answer = await bus.send_command("agent1", "report")
        if not answer.ok:
            raise SystemExit(f"a command was not answered: {answer.error}")
        bus.signal("all", "stop")
        bus.isolate("agent2")
        bus.restart("agent2")
        _no_residue(bus)
        await bus.aclose()
        yield done


async def agents(work: int) -> AsyncIterator[int]:
    """Each of its own name: registers, speaks, is spoken to, is removed."""
    bus = SyncBus(policy=SHORT_HISTORY)
    handles = members(bus)
    for done in range(1, work + 1):
        name = f"visitor{done}"
        handle = join(bus, name, done, AGENTS)
        handle.publish({"level": float(done), "mood": name})
        bus.send(name, ("work", done))
        if done % 10 == 0:
            await talk(bus, handles, done)
        if done % 3 == 0:
            bus.isolate(name)
        bus.remove(name)
        yield done
    _no_residue(bus)
    await bus.aclose()


def _no_residue(bus: SyncBus) -> None:
    if bus.accounting_residual():
        raise SystemExit(f"{bus.accounting_residual()} deliveries are not accounted for")


KINDS: dict[str, Callable[[int], AsyncIterator[int]]] = {
    "messages": messages,
    "buses": buses,
    "agents": agents,
}


async def watch(kind: str, work: int) -> list[int]:
    """Resident bytes after each part of the work."""
    marks: list[int] = []
    async for done in KINDS[kind](work):
        if done >= (len(marks) + 1) * work // PARTS:
            marks.append(resident_bytes())
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("work", type=int, help="messages, buses or agents altogether")
    arguments = parser.parse_args()
    marks = asyncio.run(watch(arguments.kind, arguments.work))
    report({"kind": arguments.kind, "work": arguments.work, "resident_bytes": marks})


if __name__ == "__main__":
    main()
