"""The registry of commands over a run that goes on: every command, role and error of its tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commanded_run import Commanded, commanded

from mirrorcore.clock import SECOND
from mirrorcore.interfaces.commands import SPECS, Call, Caller, CommandInterface
from mirrorcore.interfaces.commands.failures import HTTP, as_command_error
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.assembly import role_of
from mirrorcore.swarm.rerun import rerun
from mirrorcore.syncbus import SyncBus
from mirrorcore.trading.orders import Order


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    """One run for all that leave it as it was."""
    with commanded(tmp_path_factory.mktemp("commanded")) as found:
        yield found


READING = {
    "status": {}, "agents": {}, "inspect": {"agent": "OracleEngine", "history": 5}, "health": {},
    "get_performance": {}, "positions": {}, "orders": {"limit": 5}, "trades": {}, "decisions": {},
    "risk": {}, "sources": {}, "flow": {}, "alerts": {}, "findings": {}, "audit": {}, "help": {},
}  # fmt: skip


@pytest.mark.parametrize("name", READING)
def test_a_viewer_may_read_everything_and_json_can_hold_it(swarm: Commanded, name: str) -> None:
    told = swarm.say(name, "viewer", **READING[name])
    assert (told["status"], told["error"]) == ("done", None)
    assert told["result"]
    json.dumps(told, allow_nan=False)


def test_no_command_is_without_a_test_of_its_reading() -> None:
    reading = {name for name, spec in SPECS.items() if not spec.changes}
    assert reading - READING.keys() == {"why"}


CHANGING = {
    "pause_agent": {"target": "MomentumScout"}, "resume_agent": {"target": "MomentumScout"},
    "restart_agent": {"target": "MomentumScout"}, "isolate_agent": {"target": "MomentumScout"},
    "reset_breaker": {"target": "MomentumScout"}, "adjust_risk": {"name": "net", "value": 0.1},
    "rebalance_weights": {"method": "equal"}, "exit": {}, "cancel_order": {"order": "O1"},
    "pause_entries": {}, "resume_entries": {}, "emergency_stop": {}, "resume_trading": {},
    "ack_alert": {"id": 1}, "annotate": {"text": "hello"},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGING)
def test_a_viewer_may_change_nothing(swarm: Commanded, name: str) -> None:
    assert SPECS[name].changes
    told = swarm.say(name, "viewer", **CHANGING[name])
    assert (told["status"], told["error"]["code"]) == ("rejected", "read_only")
    assert told["error"]["http"] == 403
    assert swarm.run.swarm.parts.path.gateway.latched is None


def test_every_changing_command_is_among_them() -> None:
    assert CHANGING.keys() == {name for name, spec in SPECS.items() if spec.changes}


ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    ("statsu", {}, "unknown_command", "did you mean status"),
    ("status", {"colour": 1}, "bad_args", "not a parameter"),
    ("inspect", {}, "bad_args", "is missing"),
    ("inspect", {"agent": "OracleEngin"}, "unknown_agent", "did you mean OracleEngine"),
    ("inspect", {"agent": "OracleEngine", "history": 501}, "out_of_bounds", "at most 500"),
    ("orders", {"limit": "many"}, "bad_args", "must be a number"),
    ("orders", {"limit": 1.5}, "bad_args", "whole number"),
    ("decisions", {"symbol": "NO/ONE"}, "not_found", "no decision"),
    ("agents", {"target": "kind:nothing"}, "not_found", "no agent has kind"),
    ("agents", {"target": " , "}, "bad_args", "no agent is named"),
    ("get_performance", {"by": "month"}, "bad_args", "must be one of"),
    ("get_performance", {"by": "agent", "target": "ArchCtrl"}, "no_data", "has voted"),
    ("pause_agent", {"target": "Nobody"}, "unknown_agent", "no agent"),
    ("pause_agent", {"target": 7}, "bad_args", "must be text"),
    ("adjust_risk", {"name": "gross", "value": 99}, "exceeds_hard_limit", "at most"),
    ("adjust_risk", {"name": "gross", "value": 0}, "out_of_bounds", "must be above 0"),
    ("adjust_risk", {"name": "colour", "value": 1}, "bad_args", "must be one of"),
    ("adjust_risk", {"name": "gros", "value": 1}, "bad_args", "did you mean gross?"),
    ("adjust_risk", {"name": "gross", "value": float("nan")}, "bad_args", "must be finite"),
    ("adjust_risk", {"name": "order_rate", "value": 2.9}, "out_of_bounds", "a whole number"),
    ("adjust_risk", {"name": "order_rate", "value": 0.5}, "out_of_bounds", "orders a minute"),
    ("adjust_risk", {"name": "order_rate", "value": 0}, "out_of_bounds", "orders a minute"),
    ("adjust_risk", {"name": "gross", "value": 0}, "out_of_bounds", "shares of equity"),
    ("rebalance_weights", {}, "bad_args", "either weights or method"),
    ("rebalance_weights", {}, "bad_args", "method=equal"),
    (
        "rebalance_weights",
        {"weights": {"MomentumScout": 2}},
        "out_of_bounds",
        "weights of MomentumScout was 2",
    ),
    (
        "rebalance_weights",
        {"weights": {"MomentumScout": 0.8, "MeanReverter": 0.8}},
        "bad_args",
        "share the rest",
    ),
    ("rebalance_weights", {"weights": {"Nobody": 0.1}}, "unknown_agent", "does not vote"),
    ("rebalance_weights", {"weights": "{"}, "bad_args", "must be JSON"),
    ("rebalance_weights", {"method": "equal", "max_shift": 0}, "shift_too_large", "max_shift"),
    ("exit", {"target": "NO/ONE"}, "not_found", "is not traded"),
    ("cancel_order", {"order": "O0"}, "not_found", "is working"),
    ("resume_entries", {}, "conflict", "nothing to resume"),
    ("resume_trading", {}, "conflict", "nothing to resume"),
    ("ack_alert", {"id": 9999}, "bad_args", "no alert 9999"),
    ("annotate", {"text": "x" * 501}, "bad_args", "at most 500"),
    ("why", {"id": "Z9"}, "not_found", "Z9"),
]
"""A command, its arguments, the code of its refusal and a part of what is said."""


@pytest.mark.parametrize(("name", "args", "code", "says"), ERRORS)
def test_what_cannot_be_done_says_what_where_and_what_to_do(
    swarm: Commanded, name: str, args: dict[str, object], code: str, says: str
) -> None:
    told = swarm.say(name, **args)
    assert told["error"]["code"] == code, told["error"]
    assert says in told["error"]["message"] + told["error"]["hint"]
    assert told["error"]["http"] == HTTP[code]
    assert told["status"] == "rejected"


def test_an_answer_that_comes_too_late_does_not_read_as_a_stop() -> None:
    told = as_command_error(TimeoutError())
    assert told.code == "busy"
    assert "has closed" not in told.hint
    assert "would close the gateway" in told.hint


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("pause_agent", {"target": "*"}),
        ("pause_agent", {"target": "OracleEngine"}),
        ("restart_agent", {"target": "MomentumScout"}),
        ("isolate_agent", {"target": "MomentumScout"}),
        ("adjust_risk", {"name": "drawdown", "value": 0.24}),
        ("rebalance_weights", {"method": "equal"}),
        ("exit", {}),
    ],
)
def test_what_is_dangerous_is_confirmed_by_a_token_of_its_own(
    swarm: Commanded, name: str, args: dict[str, object]
) -> None:
    told = swarm.say(name, **args)
    assert (told["error"]["code"], told["error"]["http"]) == ("confirm_required", 428)
    assert told["error"]["targets"]
    other = swarm.say("restart_agent", target="ChainWatcher", confirm=told["error"]["confirm"])
    assert other["error"]["code"] == "confirm_required", "a token is for its own command"
    used = swarm.say(name, **args, confirm=told["error"]["confirm"])
    assert used["error"]["code"] == "confirm_required", "and is gone once it was shown"
    shown = swarm.say(name, **args, dry_run=True)
    assert (shown["status"], shown["error"]) == ("dry_run", None)
    assert shown["result"]["confirms"]


def test_aliases_and_selectors_mean_what_they_say(swarm: Commanded) -> None:
    rows = swarm.say("agents", target="kind:oracle,MomentumScout")["result"]["agents"]
    assert [row["id"] for row in rows] == ["MomentumScout", "OracleEngine"]
    assert swarm.say("profit")["name"] == "get_performance"
    running = swarm.say("agents", target="status:running")["result"]["agents"]
    assert len(running) == swarm.say("status")["result"]["agents"]["running"]


def test_the_same_key_is_done_once_and_never_means_something_else(swarm: Commanded) -> None:
    before = len(swarm.run.control.notes)
    first = swarm.say("annotate", text="once", key="k1")
    again = swarm.say("annotate", text="once", key="k1")
    other = swarm.say("annotate", text="twice", key="k1")
    assert first["status"] == "done"
    assert again == first
    assert other["error"]["code"] == "idempotency_key_reused"
    assert len(swarm.run.control.notes) == before + 1


def test_many_calls_of_one_key_at_the_same_time_are_one(swarm: Commanded) -> None:
    before = len(swarm.run.control.notes)

    async def all_at_once() -> list[dict[str, object]]:
        call = Call("annotate", {"text": "at once"}, Caller("many"), key="k2", timeout_s=20)
        return await asyncio.gather(*(swarm.commands.execute(call) for _ in range(20)))

    told = asyncio.run(all_at_once())
    assert all(one == told[0] for one in told)
    assert len(swarm.run.control.notes) == before + 1


def test_a_refusal_may_be_asked_again_with_the_same_key(swarm: Commanded) -> None:
    told = swarm.say("adjust_risk", name="drawdown", value=0.22, key="k3")
    assert told["error"]["code"] == "confirm_required"
    done = swarm.say(
        "adjust_risk", name="drawdown", value=0.22, key="k3", confirm=told["error"]["confirm"]
    )
    assert done["status"] == "done"
    assert done["result"]["after"] == 0.22
    assert swarm.say("adjust_risk", name="drawdown", value=0.2)["status"] == "done", (
        "tightened again"
    )


def test_a_remark_is_seen_in_the_event_log_and_the_audit(swarm: Commanded) -> None:
    told = swarm.say("annotate", text="look here")
    picture = swarm.run.control.ask(lambda _: swarm.panel.look()).result(20)
    assert any(
        row["kind"] == "annotation" and row["text"] == "look here"
        for row in picture.logs["ev"].rows
    )
    entries = swarm.say("audit", "viewer")["result"]["audit"]
    entry = next(one for one in entries if one["id"] == told["id"])
    assert (entry["command"], entry["status"], entry["by"]["name"]) == (
        "annotate", "done", "tester",
    )  # fmt: skip
    assert entry["seq"] == told["audit_seq"]


def test_paused_agents_are_told_by_everyone_who_looks(swarm: Commanded) -> None:
    told = swarm.say("pause_agent", target="ChainWatcher", reason="a look")
    assert (told["acked"], told["missing"], told["status"]) == (["ChainWatcher"], [], "done")
    (row,) = swarm.say("agents", target="ChainWatcher")["result"]["agents"]
    assert row["status"] == "paused"
    calls = row["calls"]
    swarm.ticks(5)
    (row,) = swarm.say("agents", target="ChainWatcher")["result"]["agents"]
    assert row["calls"] == calls
    seen = swarm.say("inspect", agent="ChainWatcher")["result"]
    assert seen["commands"][-1]["command"] == "pause_agent"
    assert swarm.say("resume_agent", target="ChainWatcher")["status"] == "done"


def test_what_was_isolated_by_command_comes_back_by_a_restart_alone(swarm: Commanded) -> None:
    agent = "MacroWatcher"
    assert swarm.say("isolate_agent", target=agent, confirmed=True)["status"] == "done"
    for name in ("reset_breaker", "resume_agent"):
        told = swarm.say(name, target=agent)
        assert (told["status"], told["error"]["code"]) == ("rejected", "conflict"), told
        assert told["error"]["message"] == f"{agent}: it was isolated by command"
        assert "restart_agent" in told["error"]["hint"]
        several = swarm.say(name, target=f"{agent},FlowReader")
        assert (several["status"], several["acked"]) == ("partial", ["FlowReader"])
        assert "restart_agent" in several["missing"][0]["why"]
    (row,) = swarm.say("agents", target=agent)["result"]["agents"]
    assert row["status"] == "isolated"
    assert swarm.say("restart_agent", target=agent, confirmed=True)["status"] == "done"
    assert swarm.say("reset_breaker", target=agent)["status"] == "done"
    assert swarm.say("resume_agent", target=agent)["status"] == "done"


def test_on_a_bus_alone_isolation_by_command_holds_as_well() -> None:
    async def ask() -> list[dict[str, Any]]:
        bus = SyncBus()
        failing = [True]

        def broken(update: object) -> None:
            if failing[0]:
                raise ValueError("now")

        await bus.register_agent("source", [], lambda update: None)
        await bus.register_agent("a", ["source"], broken)
        door = CommandInterface(bus)
        for number in range(6):
            await bus.update_agent_state("source", {"n": number})
            await asyncio.sleep(0)
        told = [{"status": str(bus.status("a")), "held": bus.held_out("a")}]
        told.append(await door.handle_command("resume_agent", {"agent_id": "a"}))
        failing[0] = False
        for name in ("isolate_agent", "reset_breaker", "restart_agent", "reset_breaker"):
            told.append(await door.handle_command(name, {"agent_id": "a"}))
        return told

    before, resumed, isolated, reset, restarted, again = asyncio.run(ask())
    assert before == {"status": "isolated", "held": False}, "its failures took it down"
    assert resumed["error"]["message"] == "a: it is isolated after failures, not paused"
    assert isolated["status"] == "done"
    assert "isolated by command" in reset["error"]["message"]
    assert (restarted["status"], again["status"]) == ("done", "done")


def test_shares_of_the_fusion_come_out_as_asked(swarm: Commanded) -> None:
    """As they are until weights are learned anew, which in a quick swarm may be a moment later."""
    oracle: Any = role_of(swarm.run.swarm.members, "oracle")
    before = swarm.say("rebalance_weights", method="learned", dry_run=True)["result"]["before"]
    loud = max(before, key=lambda name: before[name])
    for _ in range(20):
        learned = oracle.agent._interval
        told = swarm.say("rebalance_weights", weights={loud: 0.1}, confirmed=True)
        assert told["status"] == "done", told
        assert told["result"]["after"][loud] == pytest.approx(0.1, abs=1e-6)
        swarm.ticks(2)
        weights = {
            row["agent"]: abs(row["weight"])
            for row in swarm.say("get_performance", by="agent")["result"]["rows"]
        }
        if oracle.agent._interval == learned:
            break
    else:
        pytest.fail("weights were learned anew between each command and its reading")
    assert weights[loud] / sum(weights.values()) == pytest.approx(0.1, abs=0.02)
    assert swarm.say("rebalance_weights", method="learned", confirmed=True)["status"] == "done"


def test_exit_and_entries(swarm: Commanded) -> None:
    symbol = swarm.run.swarm.context.symbols[0]
    told = swarm.say("exit", target=symbol, confirmed=True)
    assert told["result"]["locked"] == [symbol]
    swarm.ticks(3)
    status = swarm.say("status")["result"]
    assert status["halted"] == {symbol: "exit"}
    assert swarm.say("positions")["result"]["positions"][symbol]["quantity"] == 0
    assert swarm.say("pause_entries")["status"] == "done"
    assert swarm.say("status")["result"]["blocked"] == ["entries"]
    assert swarm.say("resume_entries")["result"]["unlocked"] == list(
        swarm.run.swarm.context.symbols
    )
    assert swarm.say("status")["result"]["halted"] == {}


def test_the_stop_from_any_thread_and_what_is_replayed(tmp_path: Path) -> None:
    with commanded(tmp_path) as swarm:
        swarm.ticks(30)
        told = swarm.say("emergency_stop", level="flatten", reason="a drill")
        assert told["status"] == "done", told
        assert told["result"]["gateway"] == "halted"
        assert len(told["acked"]) == len(swarm.run.swarm.members)
        assert told["result"]["closed_ms"] < 1.0
        swarm.ticks(5)
        positions = swarm.say("positions")["result"]["positions"]
        assert all(row["quantity"] == 0 for row in positions.values())
        alerts = swarm.say("alerts")["result"]["alerts"]
        assert any("emergency stop (flatten) by tester" in alert["text"] for alert in alerts)
        number = alerts[0]["id"]
        assert swarm.say("ack_alert", id=number)["status"] == "done"
        shown = swarm.say("alerts")["result"]["alerts"]
        assert next(a for a in shown if a["id"] == number)["acknowledged_by"] == "tester"
        why = swarm.say("why", id="last")
        assert why["status"] == "done", why["error"]
        resumed = swarm.say("resume_trading", reason="it was a drill", confirmed=True)
        assert resumed["status"] == "done"
        swarm.ticks(20)
        assert swarm.say("status")["result"]["gateway"] == "active"
    info = RunRegistry(tmp_path / "runs").find("last")
    with JournalReader(info.journal) as reader:
        commands = [entry.body for entry in reader.entries("command")]
        audits = [entry.body for entry in reader.entries("audit")]
        assert reader.verify().holds
    assert [body["action"]["action"] for body in commands] == ["emergency_stop", "resume_trading"]
    assert {body["command"] for body in audits} == {"emergency_stop", "ack_alert", "resume_trading"}
    assert rerun(info).differing == ()


def test_figures_of_all_doors_are_those_of_the_journal(tmp_path: Path) -> None:
    with commanded(tmp_path, paper__speed=60_000.0) as swarm:
        swarm.ticks(60)
        swarm.say("pause_entries")
        swarm.ticks(3)
        told = swarm.say("orders", limit=200)["result"]["orders"]
        closed = swarm.say("trades", limit=200)["result"]
        status = swarm.say("status")["result"]
    info = RunRegistry(tmp_path / "runs").find("last")
    with JournalReader(info.journal) as reader:
        orders = {}
        for entry in reader.entries("order"):
            order = Order.load(entry.body)
            orders[f"O{order.sequence}"] = order
        fills = sum(1 for entry in reader.entries("fill") if entry.ts <= swarm_ts(status))
    assert told
    finished = [row for row in told if row["status"] in ("filled", "cancelled", "vetoed")]
    for row in finished:
        order = orders[row["id"]]
        assert (row["status"], row["client_id"]) == (order.status.value, order.client_id)
        assert row["side"] == (1 if order.lots > 0 else -1)
    assert status["fills"] == fills
    assert closed["closed"] == status["trades"]


def swarm_ts(status: dict[str, object]) -> int:
    from datetime import datetime

    text = str(status["market_time"]).replace("Z", "+00:00")
    return round(datetime.fromisoformat(text).timestamp()) * SECOND


class TestABareBus:
    """The guide's reader has a bus and nothing else."""

    def test_pauses_resumes_and_stops_its_agents(self) -> None:
        stopped: list[str] = []

        async def story() -> list[dict[str, object]]:
            bus = SyncBus()
            await bus.register_agent("a", ["all"], lambda update: None)
            bus.register("b", on_signal=lambda command: stopped.append(command.name))
            interface = CommandInterface(bus)
            return [
                await interface.handle_command("pause_agent", {"agent_id": "a"}),
                await interface.handle_command("status", {}),
                await interface.handle_command("emergency_stop", {}),
                await interface.handle_command("adjust_risk", {"name": "gross", "value": 1}),
                await interface.handle_command("pause_agent", {"agent_id": "nobody"}),
            ]

        paused, status, stop, risk, nobody = asyncio.run(story())
        assert paused["acked"] == ["a"]
        assert status["result"]["agents"][0]["status"] == "paused"  # type: ignore[index]
        assert (stop["acked"], stopped) == (["b"], ["emergency_stop"])
        assert risk["error"]["code"] == "unknown_command"  # type: ignore[index]
        assert "needs a swarm" in risk["error"]["message"]  # type: ignore[index]
        assert nobody["error"]["code"] == "unknown_agent"  # type: ignore[index]


def test_the_catalogue_is_what_a_role_may_ask_for(swarm: Commanded) -> None:
    viewer = [one["name"] for one in swarm.commands.catalogue("viewer")]
    operator = [one["name"] for one in swarm.commands.catalogue("operator")]
    assert "emergency_stop" not in viewer
    assert "emergency_stop" in operator
    assert set(viewer) < set(operator)
    json.dumps(swarm.commands.catalogue("admin"), allow_nan=False)
