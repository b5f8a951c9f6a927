"""Many at once: people and programs of all roles command one run, each from a thread of its own."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commanded_run import Commanded, commanded

from mirrorcore.interfaces.commands import Call, Caller, Outcome
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.rerun import rerun

LIVELY = {
    "costs__fee_bps": 0, "costs__slippage_bps": 0, "fusion__band": 0.0, "market__ic": 0.05,
    "risk__volatility_target": 0.5, "market__preset": "plain", "market__bars": 20_000,
}  # fmt: skip
ROLES = ("viewer", "operator", "operator", "admin")
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {}),
    ("orders", {"limit": 5}),
    ("audit", {}),
    ("inspect", {"agent": "OracleEngine"}),
    ("pause_agent", {"target": "kind:scout"}),
    ("pause_agent", {"target": "MomentumScout"}),
    ("pause_agent", {"target": "*"}),
    ("resume_agent", {"target": "*"}),
    ("restart_agent", {"target": "MeanReverter"}),
    ("adjust_risk", {"name": "gross", "value": 0.3}),
    ("adjust_risk", {"name": "gross", "value": 1.6}),
    ("adjust_risk", {"name": "gross", "value": -1}),
    ("exit", {"target": "*"}),
    ("pause_entries", {}),
    ("resume_entries", {}),
    ("cancel_order", {"order": "O3"}),
    ("rebalance_weights", {"method": "equal"}),
    ("emergency_stop", {"level": "flatten"}),
    ("emergency_stop", {}),
    ("resume_trading", {}),
    ("resume_trading", {}),
    ("annotate", {"text": "here"}),
    ("ack_alert", {"id": 1}),
    ("no_such", {}),
)
SEEDS = (2, 3)
STATUSES = {"done", "partial", "rejected", "failed", "dry_run"}


def person(swarm: Commanded, seed: int, told: list[tuple[Call, Outcome]]) -> None:
    """Fifteen calls of one who is in a hurry: some with a key, some twice, some confirmed."""
    rng = random.Random(seed)
    role = rng.choice(ROLES)
    caller = Caller(f"person {seed}", role, "python")  # type: ignore[arg-type]
    for number in range(15):
        name, args = rng.choice(CALLS)
        more = {
            "key": f"{seed}-{number}" if rng.random() < 0.5 else None,
            "dry_run": rng.random() < 0.1,
            "reason": rng.choice(["", "because", "\ud800"]),
        }
        call = Call(name, args, caller, timeout_s=rng.choice([0.001, 20.0, 20.0]), **more)
        outcome = swarm.commands.execute_now(call)
        told.append((call, outcome))
        token = (outcome["error"] or {}).get("confirm")
        if token and rng.random() < 0.8:
            call = Call(name, args, caller, confirm=token, timeout_s=20.0, **more)
            told.append((call, swarm.commands.execute_now(call)))
        elif call.key and outcome["status"] == "done" and name != "emergency_stop":
            assert swarm.commands.execute_now(call) == outcome, "one key is one command"


@pytest.mark.parametrize("seed", SEEDS)
def test_many_at_once_are_each_answered_once_recorded_and_repeated(
    tmp_path: Path, seed: int
) -> None:
    told: list[tuple[Call, Outcome]] = []
    with commanded(tmp_path, **LIVELY) as swarm:
        people = [
            threading.Thread(target=person, args=(swarm, seed * 100 + n, told)) for n in range(6)
        ]
        for one in people:
            one.start()
        for one in people:
            one.join(120)
            assert not one.is_alive()
        assert swarm.say("emergency_stop")["status"] in ("done", "partial")
        swarm.ticks(3)
    assert swarm.outcome[0].results.accounting_residual == 0
    changing = {name for name, spec in swarm.commands.specs.items() if spec.changes}
    for call, outcome in told:
        assert outcome["status"] in STATUSES
        if call.caller.role == "viewer" and call.name in changing:
            assert outcome["error"]["code"] == "read_only"
    info = RunRegistry(tmp_path / "runs").find("last")
    with JournalReader(info.journal) as reader:
        assert reader.verify().holds
        audits = Counter(entry.body["id"] for entry in reader.entries("audit"))
    assert set(audits.values()) == {1}
    asked = [o["id"] for c, o in told if c.name in changing and o["status"] != "dry_run"]
    assert set(asked) <= set(audits), "each is in the record"
    assert [warning for warning in swarm.run.warnings if "the command" in warning] == []
    again = rerun(info)
    assert again.differing == ()
