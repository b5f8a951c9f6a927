"""A run shared out among its agents: exactly, repeatably, and only where it repeats."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from swarm_world import configured

from mirrorcore.errors import CheckFailedError, MirrorCoreError, UsageError
from mirrorcore.journal import RunInfo, RunRegistry, RunStatus
from mirrorcore.report.attribution import load_attribution, save_attribution
from mirrorcore.swarm.attribution import attribute
from mirrorcore.swarm.replay import replay_history

VOTERS = ("MomentumScout", "MeanReverter")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunInfo:
    folder = tmp_path_factory.mktemp("attributed")
    config = configured(
        folder,
        market__bars=1500,
        costs__fee_bps=1.0,
        costs__slippage_bps=0.0,
        agents__without=["VolatilitySeer", "SentimentEar"],
    )
    outcome = replay_history(config)
    assert outcome.results.fills > 0
    return RunRegistry(config.storage.runs).find(outcome.run_id)


def test_shares_sum_to_the_result_of_the_run(run: RunInfo) -> None:
    found = attribute(run, agents=[*VOTERS, "ChainWatcher", "FearAnalyzer"])
    results = json.loads((run.path / "results.json").read_text())
    assert found.method == "exact"
    assert found.initial_equity == results["initial_equity"]
    assert len(found.coalitions) == 16
    close = 1e-9 * found.initial_equity
    assert abs(sum(a.shapley for a in found.agents) - (found.whole - found.empty)) <= close
    assert abs(found.residual) <= close
    recorded = sum(trade["pnl"] for trade in results["trades"])
    assert found.whole == pytest.approx(recorded, abs=1e-6)
    assert any(a.shapley != 0 for a in found.agents)


def test_the_empty_coalition_and_leaving_one_out_are_replays_of_their_own(run: RunInfo) -> None:
    found = attribute(run, agents=VOTERS)
    values = {coalition.agents: Decimal(coalition.result) for coalition in found.coalitions}
    whole, first, second, empty = (
        values[VOTERS], values[VOTERS[:1]], values[VOTERS[1:]], values[()],
    )  # fmt: skip
    one, other = found.agents
    assert one.left_out == pytest.approx(float(whole - second), abs=1e-9)
    assert other.left_out == pytest.approx(float(whole - first), abs=1e-9)
    by_hand = ((first - empty) + (whole - second)) / 2
    assert one.shapley == pytest.approx(float(by_hand), abs=1e-9)
    # The same numbers from whole runs with a folder and a journal.
    again = replay_history(configured_like(run), without=[VOTERS[0]])
    gained = again.results.equity[-1] - again.results.initial_equity
    assert float(second) == pytest.approx(gained, abs=1e-6)


def configured_like(run: RunInfo):  # type: ignore[no-untyped-def]
    from mirrorcore.swarm.rerun import recorded_config

    return recorded_config(run, run.path.parent)


def test_an_agent_nobody_reads_is_owed_exactly_nothing(run: RunInfo) -> None:
    found = attribute(run, agents=["MomentumScout", "TradeAnalyst", "DataSentry"])
    nobody = found.of("TradeAnalyst")
    assert nobody is not None
    assert (nobody.shapley, nobody.left_out) == (0.0, 0.0)
    momentum = found.of("MomentumScout")
    assert momentum is not None
    assert momentum.shapley != 0.0


def test_by_default_voters_and_whom_the_gate_listens_to_are_in_question(run: RunInfo) -> None:
    told: list[tuple[int, int | None]] = []
    found = attribute(run, pairs=2, progress=lambda done, total: told.append((done, total)))
    assert {a.id for a in found.agents} == {
        "MomentumScout", "MeanReverter", "ChainWatcher", "MacroWatcher",
        "FlowReader", "FundamentalSage", "PairsArb",
        "EgoProcessor", "FearAnalyzer", "SelfAwarenessAgent", "RiskSentinel", "GreedSensor",
    }  # fmt: skip
    assert found.method == "sampled"
    assert found.orders == 4
    assert all(a.error is not None and a.error >= 0 for a in found.agents)
    total = sum(a.shapley for a in found.agents)
    assert abs(total - (found.whole - found.empty)) <= 1e-9 * found.initial_equity
    assert told[-1] == (len(found.coalitions), len(found.coalitions))
    assert [done for done, _ in told] == list(range(1, len(found.coalitions) + 1))


def test_the_number_of_processes_changes_nothing(run: RunInfo) -> None:
    agents = [*VOTERS, "FearAnalyzer"]
    assert attribute(run, agents=agents, jobs=2) == attribute(run, agents=agents, jobs=1)


def test_without_an_oracle_nothing_is_traded_and_it_is_said(run: RunInfo) -> None:
    found = attribute(run, agents=["OracleEngine"])
    assert found.empty == 0.0
    assert found.agents[0].shapley == pytest.approx(found.whole)
    assert "trade nothing" in found.notes[0]
    assert "oracle" in found.notes[0]


def test_what_is_found_is_kept_in_the_folder_of_the_run(run: RunInfo) -> None:
    found = attribute(run, agents=VOTERS)
    assert load_attribution(run.path.parent) is None
    path = save_attribution(found, run.path)
    assert path == run.path / "attribution.json"
    assert load_attribution(run.path) == found
    path.write_text("{")
    with pytest.raises(MirrorCoreError, match=r"attribution\.json cannot be read"):
        load_attribution(run.path)
    path.unlink()


def test_a_run_that_does_not_repeat_is_not_attributed(run: RunInfo, tmp_path: Path) -> None:
    identity = dict(run.identity)
    identity["parts"] = {**identity["parts"], "fills": "0" * 32}
    identity["fingerprint"] = "0" * 32
    forged = RunInfo(run.id, run.path, run.status, identity, run.created_ns)
    with pytest.raises(CheckFailedError, match="fills differ"):
        attribute(forged, agents=VOTERS)


def test_a_killed_run_and_a_paper_run_are_refused(run: RunInfo) -> None:
    killed = {k: v for k, v in run.identity.items() if k != "fingerprint"}
    with pytest.raises(UsageError, match="no fingerprint"):
        attribute(RunInfo(run.id, run.path, run.status, killed, run.created_ns))
    with pytest.raises(UsageError, match="is running") as caught:
        attribute(RunInfo(run.id, run.path, RunStatus.RUNNING, killed, run.created_ns))
    assert caught.value.hint == "ask again when it has ended"
    paper = {**run.identity, "start_tick": 5}
    with pytest.raises(UsageError, match="traded on paper"):
        attribute(RunInfo(run.id, run.path, run.status, paper, run.created_ns))


def test_an_unknown_agent_is_named_with_what_was_meant(run: RunInfo) -> None:
    with pytest.raises(UsageError) as caught:
        attribute(run, agents=["MomentumScot"])
    assert "MomentumScot" in caught.value.message
    assert caught.value.hint == "did you mean MomentumScout?"
