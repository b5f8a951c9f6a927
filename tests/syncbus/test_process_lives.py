"""One agent in a process of its own: its calls, reads, messages, restarts and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from process_world import SMALL, agent, alive, children, until

from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    AgentPolicy,
    BusError,
    BusEvent,
    Command,
    EventKind,
    Field,
    Handlers,
    Interest,
    LifeState,
    ProcessFactory,
    ProcessPolicy,
    RegistrationError,
    RequestFailed,
    SyncBus,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
PATIENT = AgentPolicy(deadline_ns=20 * SECOND)


def details(events: list[BusEvent], kind: EventKind) -> list[str]:
    return [event.detail for event in events if event.kind is kind]


async def ask(bus: SyncBus, target: str, message: Any) -> Any:
    """A request of the operator's, without the wrapping of a command."""
    return await bus._post.request(None, target, message, 10 * SECOND)


def isolated(bus: SyncBus, name: str, **options: Any) -> None:
    made = options.pop("process", None) or agent(options.pop("make", name))
    bus.register(name, kind="isolated", isolation="process", process=made, **options)


def test_killed_between_calls_it_goes_on_from_its_checkpoint() -> None:
    async def main() -> None:
        bus = SyncBus(seed=1)
        events: list[BusEvent] = []
        bus.on_event(events.append)
        source = bus.register("src", kind="source")
        isolated(bus, "echo", interests=["src"], policy=PATIENT)
        await bus.started()
        for number in range(3):
            source.publish({"x": float(number)})
            await bus.drain()
        assert bus.read("echo").state == {"calls": 3, "value": 2.0}
        first = (await ask(bus, "echo", "who"))["pid"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: bus.status("echo") is LifeState.ISOLATED)
        assert bus.read("echo").stale
        assert "was ended by SIGKILL" in details(events, EventKind.FAILURE)[0]
        await until(lambda: bus.status("echo") is LifeState.PROBING)
        source.publish({"x": 7.0})
        await until(lambda: bus.read("echo").state["value"] == 7.0)
        # What was published while it was down came as one update, and it counted on from three.
        assert bus.read("echo").state["calls"] == 4
        assert not bus.read("echo").stale
        assert (await ask(bus, "echo", "who"))["pid"] != first
        assert bus.statistics("echo").incarnation == 2
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_a_death_within_a_call_is_an_error_to_its_sender() -> None:
    async def main() -> None:
        bus = SyncBus(seed=1)
        isolated(bus, "echo", policy=PATIENT)
        await bus.started()
        with pytest.raises(RequestFailed, match="ended with code 7"):
            await ask(bus, "echo", "die")
        statistics = bus.statistics("echo")
        assert (statistics.accepted, statistics.failed) == (1, 1)
        assert statistics.calls == statistics.successes + statistics.failures
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_it_reads_what_was_so_when_the_call_began() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        secret = bus.register("secret", kind="hidden")
        secret.publish({"x": 1.0})
        isolated(bus, "reader", interests=["src", Interest("every", mode="every")], policy=PATIENT)
        every = bus.register("every", kind="stream")
        await bus.started()
        source.publish({"x": 1.0})
        source.publish({"x": 2.0})
        every.publish({"x": 3.0})
        every.publish({"x": 4.0})
        bus.tick(None)
        await bus.drain()
        state = bus.read("reader").state
        assert (state["x"], state["version"], state["stale"], state["own"]) == (2.0, 2, False, 0)
        assert state["relevant"] == ("every", "src")
        assert state["refused"] == "UndeclaredReadError"
        assert state["nobody"] is True
        # Merged where the latest counts, one by one where each does.
        assert state["gaps"] == (
            ("src", 2, False, 2.0),
            ("every", 1, False, 3.0),
            ("every", 1, False, 4.0),
        )
        assert 0 <= state["age"] < 10 * SECOND
        assert state["now"] <= bus.clock.now()
        bus.isolate("src")
        bus.tick(None)
        await bus.drain()
        state = bus.read("reader").state
        assert (state["stale"], state["own"], state["gaps"]) == (True, 1, ())
        bus.remove("every")
        bus.tick(None)
        await bus.drain()
        assert bus.read("reader").state["relevant"] == ("src",)
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_its_messages_are_taken_or_refused_where_they_stand() -> None:
    heard: list[Any] = []

    async def main() -> None:
        bus = SyncBus()

        def on_message(message: Any) -> Any:
            heard.append(message)
            return message * 2

        bus.register("other", on_message=on_message)
        bus.register("down", on_message=heard.append)
        bus.isolate("down")
        isolated(bus, "talker", policy=PATIENT)
        await bus.started()
        assert await ask(bus, "talker", ("send", "other")) == "sent"
        assert "UnknownAgentError" in await ask(bus, "talker", ("send", "nobody"))
        assert "AgentDown" in await ask(bus, "talker", ("request", "down"))
        answer = await ask(bus, "talker", ("request", "other"))
        np.testing.assert_array_equal(answer, np.arange(3.0) * 2)
        await bus.drain()
        assert heard[0] == {"hello": (1, 2)}
        assert bus.signal("talker", Command("pause", {}, 0)) == ["talker"]
        await until(lambda: bus.read("talker").state.get("signal") == "pause")
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_what_it_does_before_it_waits_is_seen_while_it_waits() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        isolated(bus, "patient", interests=["src"], policy=PATIENT)
        await bus.started()
        source.publish({"x": 1.0})
        await until(lambda: bus.read("patient").state.get("stage") == 1)
        assert bus.statistics("patient").waiting == 1
        bus.signal("patient", "go on")
        await until(lambda: bus.read("patient").state.get("stage") == 2)
        await bus.drain()
        assert bus.statistics("patient").failures == 0
        await bus.aclose()

    asyncio.run(main())


def test_nothing_builds_up_before_a_slow_child() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        isolated(bus, "patient", interests=["src"], policy=PATIENT)
        await bus.started()
        source.publish({"x": 0.0})
        await until(lambda: bus.read("patient").state.get("stage") == 1)
        host = bus._agents["patient"].host
        assert host is not None
        sent = host._calls
        for number in range(10_000):
            source.publish({f"f{number % 65}": float(number)})
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert host._calls == sent, "it was written to although it had not answered"
        bus.signal("patient", "go on")
        await until(lambda: bus.statistics("patient").pending == 0)
        statistics = bus.statistics("patient")
        assert statistics.conflated == 9_999
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def states(processes: bool) -> list[Any]:
    """What a deterministic agent publishes over thirty ticks and a restart, and its versions."""
    clock = VirtualClock(SECOND)
    seen: list[Any] = []

    async def main() -> None:
        bus = SyncBus(clock, admission="tick", processes=processes)
        source = bus.register("src", kind="source")
        bus.register(
            "model",
            kind="isolated",
            interests=["src"],
            schema={
                "level": Field("array", low=-1, high=1),
                "mean": Field(low=-1, high=1),
                "third": Field("int"),
                "text": Field("str"),
            },
            policy=PATIENT,
            isolation="process",
            process=ProcessFactory("process_agents:Deterministic.make", {"weight": 0.1}, SMALL),
        )

        async def settled() -> None:
            await until(lambda: not bus.suspended)
            bus.admit()

        await bus.started()
        await settled()
        for tick in range(30):
            clock.advance_to((tick + 2) * SECOND)
            source.publish({"x": 0.1 * tick})
            if tick == 17:
                assert bus.restart("model")
                await bus.started()
                await settled()
            bus.tick(tick)
            if processes and tick == 3:
                await until(lambda: not bus.suspended)
                assert bus.read("model").version == seen[-1][1], "done before it was admitted"
            await settled()
            view = bus.read("model")
            plain = {name: np.asarray(v).tolist() for name, v in view.state.items()}
            seen.append((plain, view.version, view.t))
        assert bus.accounting_residual() == 0
        assert bus.statistics("model").failures == 0
        await bus.aclose()

    asyncio.run(main())
    return seen


def test_the_same_states_and_versions_in_the_loop_and_in_a_process() -> None:
    here, elsewhere = states(False), states(True)
    assert here[-1][1] == 40
    assert elsewhere == here


def test_on_virtual_time_it_runs_in_the_loop() -> None:
    clock = VirtualClock(SECOND)
    loop = VirtualTimeLoop(clock)

    async def main() -> None:
        bus = SyncBus(clock)
        source = bus.register("src", kind="source")
        isolated(bus, "echo", interests=["src"])
        await bus.started()
        source.publish({"x": 1.0})
        await bus.drain()
        assert bus.read("echo").state["value"] == 1.0
        assert (await ask(bus, "echo", "who"))["pid"] == os.getpid()
        assert bus.restart("echo")
        source.publish({"x": 2.0})
        await bus.drain()
        assert bus.read("echo").state == {"calls": 2, "value": 2.0}

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("end", ["isolate", "remove", "restart", "close"])
def test_an_agent_that_is_down_has_no_process(end: str) -> None:
    async def main() -> None:
        bus = SyncBus()
        isolated(bus, "echo", policy=PATIENT)
        await bus.started()
        pid = (await ask(bus, "echo", "who"))["pid"]
        assert alive(pid)
        if end == "close":
            await bus.aclose()
        else:
            getattr(bus, end)("echo")
        await until(lambda: pid not in children())
        if end == "restart":
            await bus.started()
            await until(lambda: bus.status("echo") is LifeState.PROBING and not bus.suspended)
            assert (await ask(bus, "echo", "who"))["pid"] != pid
        await bus.aclose()
        assert children() == []

    asyncio.run(main())


def test_crashes_leak_neither_descriptors_nor_zombies() -> None:
    async def main() -> None:
        bus = SyncBus()
        isolated(bus, "echo", policy=PATIENT)
        await bus.started()
        counts = []
        for _ in range(6):
            with pytest.raises(RequestFailed):
                await ask(bus, "echo", "die")
            await until(lambda: not children())
            counts.append(len(os.listdir("/proc/self/fd")))
            bus.restart("echo")
            await bus.started()
            await until(lambda: not bus.suspended)
        assert counts == counts[:1] * 6
        await bus.aclose()

    asyncio.run(main())


def test_what_it_started_is_ended_with_it() -> None:
    marker = "mirrorcore-orphan-of-a-test"

    def orphans() -> list[str]:
        found = subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True, check=True, timeout=30
        )
        return [line for line in found.stdout.splitlines() if marker in line]

    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        isolated(
            bus,
            "leaves_a_child",
            interests=["src"],
            process=agent("leaves_a_child", marker=marker),
        )
        await bus.started()
        source.publish({"x": 1.0})
        await until(lambda: bus.status("leaves_a_child") is not LifeState.RUNNING)
        await until(lambda: not orphans())
        assert not bus.read("leaves_a_child").state
        await bus.aclose()

    asyncio.run(main())


def test_a_parent_that_is_killed_leaves_nobody_behind(tmp_path: Path) -> None:
    script = tmp_path / "swarm.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import asyncio, sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from mirrorcore.syncbus import AgentPolicy, SyncBus

            async def main():
                bus = SyncBus()
                source = bus.register("src", kind="source")
                for make in ("loops_in_c", "blocks", "echo"):
                    bus.register(
                        make, interests=["src"], isolation="process",
                        factory=f"process_agents:{{make}}",
                        policy=AgentPolicy(deadline_ns=10**12),
                    )
                await bus.started()
                source.publish({{"x": 1.0}})
                while bus.read("echo").version == 0:
                    await asyncio.sleep(0.001)
                print(*[agent.host.link.pid for agent in list(bus._agents.values())[1:]])
                sys.stdout.flush()
                await asyncio.Event().wait()

            asyncio.run(main())
            """
        ),
        encoding="utf-8",
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(alive(pid) for pid in pids)
        parent.kill()
        parent.wait(20)
        asyncio.run(until(lambda: not any(alive(pid) for pid in pids)))
    finally:
        parent.kill()
        parent.communicate()


def test_twenty_at_once() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        names = [f"echo{number}" for number in range(20)]
        for bias, name in enumerate(names):
            isolated(bus, name, interests=["src"], policy=PATIENT, process=agent("echo", bias=bias))
        await bus.started()
        for number in range(10):
            source.publish({"x": float(number)})
            await bus.drain()
        values = [bus.read(name).state for name in names]
        assert values == [{"calls": 10, "value": 9.0 + bias} for bias in range(20)]
        assert len({(await ask(bus, name, "who"))["pid"] for name in names}) == 20
        assert bus.accounting_residual() == 0
        await bus.aclose()
        assert children() == []

    asyncio.run(main())


def test_too_slow_a_start_is_ended() -> None:
    async def main() -> None:
        bus = SyncBus()
        slow = ProcessFactory("process_agents:never_built", policy=ProcessPolicy(start_ns=SECOND))
        isolated(bus, "never", process=slow)
        with pytest.raises(BusError, match=r"not built within 1 s"):
            await bus.started()
        await bus.aclose()
        assert children() == []

    asyncio.run(main())


def test_the_processor_time_of_a_process_is_bounded() -> None:
    async def main() -> None:
        bus = SyncBus()
        events: list[BusEvent] = []
        bus.on_event(events.append)
        source = bus.register("src", kind="source")
        bounded = ProcessFactory("process_agents:loops_in_c", policy=ProcessPolicy(cpu_seconds=1))
        isolated(bus, "loops", interests=["src"], process=bounded, policy=PATIENT)
        await bus.started()
        source.publish({"x": 1.0})
        await until(lambda: details(events, EventKind.FAILURE))
        assert "was ended by SIG" in details(events, EventKind.FAILURE)[0]
        await bus.aclose()

    asyncio.run(main())


def test_a_module_that_cannot_be_imported_is_named() -> None:
    async def main() -> None:
        bus = SyncBus()
        bus.register("a", isolation="process", factory="no_such_module_anywhere:make")
        bus.register("b", isolation="process", factory="process_agents_broken")
        with pytest.raises(BusError) as caught:
            await bus.started()
        assert "agent 'a' cannot be built in its process" in caught.value.message
        assert "No module named 'no_such_module_anywhere'" in caught.value.message
        assert "names no factory" in caught.value.message
        assert 'write "package.module:attribute"' in caught.value.hint
        assert "Traceback" in bus.isolation.output("a")
        await bus.aclose()

    asyncio.run(main())


def test_registered_before_there_is_a_loop_it_begins_with_started() -> None:
    bus = SyncBus()
    source = bus.register("src", kind="source")
    isolated(bus, "echo", interests=["src"], policy=PATIENT)
    source.publish({"x": 1.0})
    bus.pause("echo")
    bus.resume("echo")

    async def main() -> None:
        await bus.started()
        await until(lambda: bus.read("echo").version == 1)
        assert bus.read("echo").state == {"calls": 1, "value": 1.0}
        await bus.aclose()

    asyncio.run(main())


def test_what_cannot_be_registered_is_refused_at_once() -> None:
    bus = SyncBus()
    bus.register("src", kind="source")
    with pytest.raises(RegistrationError, match="has no factory"):
        bus.register("a", isolation="process")
    with pytest.raises(RegistrationError, match="is 'loop' or 'process'"):
        bus.register("a", isolation="thread", factory="process_agents:echo")  # type: ignore[arg-type]
    with pytest.raises(RegistrationError, match="within each publish"):
        isolated(bus, "echo", interests=[Interest("src", mode="eager")])
    with pytest.raises(BusError, match="cannot go to another process"):
        bus.register("a", isolation="process", factory=lambda handle, checkpoint: {})
    assert bus.agent_ids == ["src"]


class Odd(msgspec.Struct, frozen=True):
    """A state of this kind cannot be pickled: its class is not found under its name."""

    number: int


Odd.__qualname__ = "NotThere"


def test_a_state_that_cannot_travel_hurts_only_who_reads_it() -> None:
    async def main() -> None:
        bus = SyncBus()
        events: list[BusEvent] = []
        bus.on_event(events.append)
        source = bus.register("src", kind="source")
        odd = bus.register("odd", kind="strange")
        source.publish({"x": 1.0})
        odd.publish({"odd": Odd(1), "x": 5.0})
        isolated(bus, "reader", interests=["src", "odd"], policy=PATIENT)
        isolated(bus, "echo", interests=["src", "odd"], policy=PATIENT)
        await bus.started()
        await until(lambda: bus.read("echo").state.get("value") == 5.0)
        assert "odd.odd is left out" in details(events, EventKind.UNREADABLE)[0]
        source.publish({"x": 2.0})
        await until(lambda: bus.read("echo").state.get("value") == 2.0)
        # A message that cannot travel is its sender's error, and nobody else's.
        with pytest.raises(RequestFailed, match="cannot go to another process"):
            await ask(bus, "echo", Odd(2))
        bus.send("echo", Odd(3))
        await bus.drain()
        assert [letter.message for letter in bus.dead_letters] == [Odd(2), Odd(3)]
        assert bus.statistics("echo").failures == 0
        bus.tick(None)
        await bus.drain()
        assert bus.read("reader").state["relevant"] == ("odd", "src")
        assert bus.read("reader").state["gaps"] == (("src", 1, True, 2.0), ("odd", 0, True, 5.0))
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


def test_what_it_prints_can_be_looked_at() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        isolated(bus, "prints", interests=["src"], policy=PATIENT)
        await bus.started()
        source.publish({"x": 1.0})
        await until(lambda: len(bus.isolation.output("prints")) > 10_000)
        assert "I have a lot to say\n" in bus.isolation.output("prints")
        host = bus._agents["prints"].host
        assert host is not None
        assert host.link is not None
        link = host.link
        await until(lambda: not link._listening)
        # Beyond the bound nothing is read, so that printing costs the bus no more.
        assert link._output_budget <= 0
        await bus.aclose()

    asyncio.run(main())


def test_with_admission_by_ticks_a_death_between_calls_is_told_by_the_next() -> None:
    clock = VirtualClock(SECOND)

    async def main() -> None:
        bus = SyncBus(clock, admission="tick", processes=True)
        bus.register("src", kind="source").publish({"x": 1.0})
        isolated(bus, "reader", interests=["src"], policy=PATIENT)
        await bus.started()
        await until(lambda: not bus.suspended)
        bus.admit()
        host = bus._agents["reader"].host
        assert host is not None
        assert host.link is not None
        os.kill(host.link.pid, signal.SIGKILL)
        await until(lambda: host.lost)
        # When a child dies is chance; when that counts is not.
        assert bus.status("reader") is LifeState.RUNNING
        bus.tick(None)
        await until(lambda: not bus.suspended)
        assert bus.status("reader") is LifeState.RUNNING
        assert bus.admit() == ["reader"]
        assert bus.status("reader") is LifeState.ISOLATED
        clock.advance_to(10 * SECOND)
        bus.sweep()
        await bus.started()
        await until(lambda: not bus.suspended)
        bus.admit()
        bus.tick(None)
        await until(lambda: not bus.suspended)
        bus.admit()
        assert bus.read("reader").state["x"] == 1.0
        assert bus.accounting_residual() == 0
        await bus.aclose()

    asyncio.run(main())


# -- from the loop to a process -----------------------------------------------------------------


def test_an_agent_of_the_loop_is_moved_at_its_restart() -> None:
    import process_agents

    async def main() -> None:
        bus = SyncBus()
        events: list[BusEvent] = []
        bus.on_event(events.append)
        bus.register("echo", factory=process_agents.echo, on_message=lambda _: {"pid": 0})
        bus.register("closure", factory=lambda handle, checkpoint: {})
        bus.register("bare")
        assert bus.isolation.relocate(bus._agents["echo"])
        for name in ("closure", "bare"):
            assert not bus.isolation.relocate(bus._agents[name])
        reasons = details(events, EventKind.NOT_RELOCATED)
        assert "cannot go to another process" in reasons[0]
        assert "without a factory" in reasons[1]
        assert (await ask(bus, "echo", "who"))["pid"] == 0
        bus.restart("echo")
        await bus.started()
        await until(lambda: not bus.suspended)
        assert (await ask(bus, "echo", "who"))["pid"] != os.getpid()
        await bus.aclose()

    asyncio.run(main())


def test_who_blocks_the_loop_in_c_is_named_and_moved_where_it_blocks_nobody() -> None:
    import process_agents

    async def main() -> None:
        bus = SyncBus(watchdog=True)
        events: list[BusEvent] = []
        bus.on_event(events.append)
        source = bus.register("src", kind="source")
        factory = partial(process_agents.sleeper, home=os.getpid())
        handle = bus.register("sleeper", interests=["src"], factory=factory, on_update=print)
        sleeper = bus._agents["sleeper"]
        made = factory(handle, None)
        sleeper.handlers = Handlers(**made)
        sleeper.mailbox.on_update = sleeper.handlers.on_update
        source.publish({"x": 1.0})
        await until(lambda: bus.read("sleeper").state.get("home") is True)
        await until(lambda: details(events, EventKind.RELOCATED))
        source.publish({"x": 2.0})
        await until(lambda: bus.read("sleeper").state["x"] == 2.0)
        assert bus.read("sleeper").state["home"] is False
        await bus.aclose()

    asyncio.run(main())


def test_without_processes_nobody_is_moved() -> None:
    import process_agents

    bus = SyncBus(VirtualClock(SECOND))
    bus.register("echo", factory=process_agents.echo)
    assert not bus.isolation.relocate(bus._agents["echo"])


# -- a call that floods after it has waited -----------------------------------------------------


def test_after_a_flood_that_came_late_it_is_called_again() -> None:
    async def main() -> None:
        bus = SyncBus()
        source = bus.register("src", kind="source")
        calls: list[int] = []

        async def on_update(update: Any) -> None:
            calls.append(1)
            await asyncio.sleep(0)
            for number in range(300 if len(calls) == 1 else 1):
                flooder.publish({"x": number})

        flooder = bus.register("flooder", kind="bad", interests=["src"], on_update=on_update)
        for number in range(3):
            source.publish({"x": float(number)})
            await bus.drain()
        assert len(calls) == 3
        assert bus.statistics("flooder").failures == 1
        await bus.aclose()

    asyncio.run(main())
