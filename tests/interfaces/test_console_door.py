"""Every command, every role and the errors of the tables through the console's door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from console_world import TOKENS, Served, served
from test_commands import CHANGING, READING

from mirrorcore.interfaces.attaching import attach
from mirrorcore.interfaces.commands import SPECS, asking_why
from mirrorcore.interfaces.console import doors
from mirrorcore.interfaces.console.catalogue import Entry, Parameter
from mirrorcore.interfaces.console.doors import RemoteDoor
from mirrorcore.interfaces.console.reading import Request, read
from mirrorcore.interfaces.console.telling import exit_code_of
from mirrorcore.trading.gateway import HALTED


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("door")) as found:
        found.swarm.ticks(3)
        yield found


def door(swarm: Served, role: str) -> RemoteDoor:
    return RemoteDoor(attach(swarm.runs), role)


def words(name: str, args: dict[str, Any]) -> list[str]:
    """The command as somebody types it."""
    return [name, *(f"{key}={value}" for key, value in args.items())]


@pytest.mark.parametrize("role", TOKENS)
@pytest.mark.parametrize("name", READING)
def test_what_only_reads_is_answered_in_every_role(swarm: Served, role: str, name: str) -> None:
    way = door(swarm, role)
    outcome = way.call_now(read(words(name, READING[name]), way.catalogue_now()))
    assert (outcome["name"], outcome["status"], outcome["error"]) == (name, "done", None)
    assert outcome["result"].keys() == swarm.swarm.say(name, **READING[name])["result"].keys()
    assert exit_code_of(outcome) == 0


@pytest.mark.parametrize("name", CHANGING)
def test_a_viewer_changes_nothing_whatever_is_sent(swarm: Served, name: str) -> None:
    way = door(swarm, "viewer")
    assert name not in way.catalogue_now().entries, "it is not even offered"
    outcome = way.call_now(Request(name, CHANGING[name]))
    assert outcome["error"]["code"] == "read_only"
    assert exit_code_of(outcome) == 6
    assert swarm.swarm.run.swarm.parts.path.gateway.state is not HALTED


@pytest.mark.parametrize("role", ["operator", "admin"])
@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_can_be_tried_dry(swarm: Served, role: str, name: str) -> None:
    way = door(swarm, role)
    request = replace(
        read(words(name, CHANGING[name]), way.catalogue_now()), dry_run=True, reason="dry"
    )
    outcome = way.call_now(request)
    # Where there is no such order, alert or halt, that is what it says.
    assert outcome["status"] == "dry_run" or outcome["error"]["code"] in ("not_found", "conflict")
    assert swarm.swarm.run.swarm.parts.path.gateway.state is not HALTED


@pytest.mark.parametrize(("name", "args", "code", "exit_code"), [
    ("statsu", {}, "unknown_command", 2),
    ("status", {"colour": 1}, "bad_args", 2),
    ("inspect", {"agent": "Nobody"}, "unknown_agent", 2),
    ("pause_agent", {"target": "kind:nothing"}, "not_found", 2),
    ("decisions", {"symbol": "ZZZ/USD"}, "not_found", 2),
    ("inspect", {"agent": "OracleEngine", "history": 501}, "out_of_bounds", 2),
    ("adjust_risk", {"name": "gross", "value": 50_000}, "exceeds_hard_limit", 6),
    ("rebalance_weights", {"method": "equal", "max_shift": 0.0}, "shift_too_large", 6),
    ("isolate_agent", {"target": "DataSentry"}, "confirm_required", 6),
    ("resume_trading", {}, "conflict", 1),
    ("ack_alert", {"id": 999}, "bad_args", 2),
])  # fmt: skip
def test_the_errors_of_the_table_come_through(
    swarm: Served, name: str, args: dict[str, Any], code: str, exit_code: int
) -> None:
    outcome = door(swarm, "operator").call_now(Request(name, args))
    error = outcome["error"]
    assert (error["code"], exit_code_of(outcome)) == (code, exit_code), error
    assert error["message"]


def test_a_confirmation_is_for_one_command_alone(swarm: Served) -> None:
    way = door(swarm, "operator")
    isolate = Request("isolate_agent", {"target": "DataSentry"})

    def token() -> str:
        return str(way.call_now(isolate)["error"]["confirm"])

    other = way.call_now(Request("isolate_agent", {"target": "FlowReader"}), token())
    assert other["error"]["code"] == "confirm_required"
    assert way.call_now(isolate, "made up")["error"]["code"] == "confirm_required"
    assert way.call_now(isolate, token())["error"] is None
    assert str(swarm.swarm.run.swarm.parts.bus.status("DataSentry")) == "isolated"


def test_whoever_asks_why_waits_longer_than_the_swarm_works_on_it() -> None:
    """Once the console gave up first, and said that the server hangs."""
    assert doors._SLOW_S >= asking_why._LEAST_S + 10


def test_waiting_for_the_swarm_holds_up_no_event_loop(swarm: Served) -> None:
    async def work() -> int:
        beats, way = 0, door(swarm, "viewer")
        asked = asyncio.create_task(way.call(Request("status")))
        while not asked.done():
            beats += 1
            await asyncio.sleep(0)
        assert (await asked)["status"] == "done"
        return beats

    assert asyncio.run(work()) > 3


def test_the_catalogue_is_the_registry_s(swarm: Served) -> None:
    entries = door(swarm, "admin").catalogue_now().entries
    assert list(entries) == list(SPECS)
    for name, spec in SPECS.items():
        entry: Entry = entries[name]
        assert (entry.role, entry.changes, entry.aliases) == (
            spec.role, spec.changes, spec.aliases,
        )  # fmt: skip
        assert [one.name for one in entry.parameters] == [one.name for one in spec.params]
        for one, param in zip(entry.parameters, spec.params, strict=True):
            assert isinstance(one, Parameter)
            assert (one.kind, one.required, one.choices) == (
                param.kind, param.required, param.choices,
            )  # fmt: skip
