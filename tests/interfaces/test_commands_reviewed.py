"""What a review of the registry found: answers that were not true, and calls that got lost."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from commanded_run import Commanded, commanded

from mirrorcore.interfaces.commands import Call, Caller, CommandInterface, Commands, Outcome
from mirrorcore.interfaces.console import emergency
from mirrorcore.interfaces.console.doors import RemoteDoor
from mirrorcore.interfaces.console.reading import Request
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    """One run for all that leave it as it was."""
    with commanded(tmp_path_factory.mktemp("reviewed")) as found:
        yield found


@contextmanager
def held_up(run: Run) -> Iterator[None]:
    """The swarm is in the middle of something for as long as the context lasts."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: Run) -> None:
        begun.set()
        assert go_on.wait(60)

    run.control.ask(wait)
    assert begun.wait(60)
    try:
        yield
    finally:
        go_on.set()


def short(commands: Commands, name: str, args: dict[str, Any], **more: Any) -> Outcome:
    """A call that gives the swarm no time."""
    return commands.execute_now(Call(name, args, Caller("hasty"), timeout_s=0.05, **more))


def until(true: Callable[[], bool], swarm: Commanded) -> None:
    """Wait for it, a tick at a time."""
    for _ in range(200):
        if true():
            return
        swarm.ticks()
    raise AssertionError("it did not come to be")


def test_a_stop_that_nobody_waits_for_is_carried_out_and_written_down(tmp_path: Path) -> None:
    with commanded(tmp_path) as swarm:
        swarm.ticks(30)
        with held_up(swarm.run):
            told = short(swarm.commands, "emergency_stop", {"level": "flatten"})
        assert (told["status"], told["error"]["code"]) == ("partial", "ack_timeout")
        everybody = swarm.run.swarm.parts.bus.agent_ids
        why = "the swarm has not come round to it"
        assert told["missing"] == [{"agent": name, "why": why} for name in everybody]
        assert told["target_count"] == len(everybody)
        path = swarm.run.swarm.parts.path
        until(lambda: path.gateway.state.value == "halted", swarm)
        until(lambda: not any(path.ledger.positions), swarm)
        until(lambda: len(swarm.run.control.audits) == 1, swarm)
    info = RunRegistry(tmp_path / "runs").find("last")
    with JournalReader(info.journal) as reader:
        (command,) = [entry.body for entry in reader.entries("command")]
        (audit,) = [entry.body for entry in reader.entries("audit")]
    assert command["action"]["level"] == "flatten"
    assert (audit["command"], audit["id"]) == ("emergency_stop", told["id"])
    assert rerun(info).differing == ()


def test_what_was_not_done_in_time_is_not_done_later_and_may_be_asked_again(
    swarm: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, given = swarm.run.control.act, list[Future[Any]]()

    def late(*args: Any) -> Future[Any]:
        holding.enter_context(held_up(swarm.run))
        given.append(act(*args))
        return given[-1]

    with ExitStack() as holding, monkeypatch.context() as patched:
        patched.setattr(swarm.run.control, "act", late)
        call = Call("pause_entries", {}, Caller("hasty"), key="again", timeout_s=0.5)
        told = swarm.commands.execute_now(call)
    assert (told["status"], told["error"]["code"]) == ("failed", "busy")
    assert "nothing was done" in told["error"]["message"]
    swarm.ticks(2)
    assert given[0].cancelled()
    assert not swarm.run.engine.locks
    again = swarm.commands.execute_now(Call("pause_entries", {}, Caller("hasty"), key="again"))
    assert again["status"] == "done"
    assert swarm.say("resume_entries")["status"] == "done"


def test_a_stop_is_given_whatever_its_key_was_used_for(tmp_path: Path) -> None:
    with commanded(tmp_path) as swarm:
        assert swarm.say("annotate", text="first", key="k")["status"] == "done"
        assert swarm.say("emergency_stop", key="k")["status"] == "done"
        assert swarm.say("resume_trading", confirmed=True)["status"] == "done"
        door = CommandInterface(swarm.commands)
        second = asyncio.run(door.handle_command("emergency_stop", {"key": ["k"], "reason": 5}))
        assert second["status"] == "done"
        assert swarm.say("status")["result"]["gateway"] == "halted"


def test_one_of_many_with_a_key_may_give_up_without_the_others(swarm: Commanded) -> None:
    async def both() -> Outcome:
        call = Call("annotate", {"text": "patience"}, Caller("two"), key="p", timeout_s=20.0)
        with held_up(swarm.run):
            first = asyncio.ensure_future(swarm.commands.execute(call))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(swarm.commands.execute(call))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        return await first

    assert asyncio.run(both())["status"] == "done"


def test_whatever_goes_wrong_is_in_the_outcome_and_among_the_warnings(swarm: Commanded) -> None:
    def look() -> Future[Any]:
        raise ValueError("a secret")

    told = Commands(swarm.run, look).execute_now(Call("status"))
    assert (told["status"], told["error"]["code"]) == ("failed", "failed")
    assert "secret" not in str(told)
    (warning,) = [text for text in swarm.run.warnings if "the command status" in text]
    assert "ValueError at test_commands_reviewed.py:" in warning
    assert "secret" not in warning


def test_one_agent_is_inspected_and_not_the_first_of_several(swarm: Commanded) -> None:
    told = swarm.say("inspect", agent="*")
    assert told["error"]["code"] == "bad_args"
    assert "means 22 agents" in told["error"]["message"]
    assert swarm.say("inspect", agent="kind:oracle")["status"] == "done"


def test_an_audit_that_grows_meanwhile_disturbs_nobody(
    swarm: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Growing(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            audits.append({})
            return super().get(name, default)

    audits = deque[dict[str, Any]]([Growing(acked=["MomentumScout"])], maxlen=10)
    monkeypatch.setattr(swarm.run.control, "audits", audits)
    assert swarm.say("inspect", agent="MomentumScout")["result"]["commands"] == [audits[0]]


@pytest.mark.parametrize("name", ["key", "confirm"])
def test_what_must_be_text_says_so(swarm: Commanded, name: str) -> None:
    door = CommandInterface(swarm.commands)
    told = asyncio.run(door.handle_command("annotate", {"text": "x", name: ["no text"]}))
    assert told["error"]["fields"] == {name: "must be text"}


def test_text_without_bytes_is_written_as_far_as_it_can_be(swarm: Commanded) -> None:
    told = swarm.say("annotate", text="half a pair \ud800", reason="\udfff", key="\ud800")
    assert told["status"] == "done"
    assert told["result"] == {"text": "half a pair ?"}
    assert told["audit_seq"] is not None


@pytest.mark.parametrize("code", ["defect", "failed", "bus_unavailable"])
def test_a_stop_that_breaks_within_the_server_goes_another_way(
    swarm: Commanded, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    broken = {"status": "failed", "error": {"code": code, "message": "a defect of ours"}}
    given: list[tuple[str, str]] = []

    def stop(_: object, level: str, reason: str, door: str) -> emergency.Reached:
        given.append((level, reason))
        assert door == "console"
        return emergency.Reached(("the file",), {"status": "stopped", "audit_seq": 7}, alive=True)

    monkeypatch.setattr(RemoteDoor, "_call", lambda *_: broken)
    monkeypatch.setattr(emergency, "stop", stop)
    info = RunRegistry(swarm.run.folder.path.parent).find("last")
    door = RemoteDoor(None, "operator", info)
    told = door.call_now(Request("emergency_stop", {"level": "flatten"}, reason="out"))
    assert given == [("flatten", "out")]
    assert (told["status"], told["audit_seq"]) == ("done", 7)


def test_what_was_taken_back_does_not_pile_up(swarm: Commanded) -> None:
    with held_up(swarm.run):
        before = len(swarm.run.control._waiting)
        for _ in range(20):
            assert short(swarm.commands, "health", {})["error"]["code"] == "busy"
        assert len(swarm.run.control._waiting) == before
