"""Runs with agents that hold them up: ended, recorded, and repeated to the same fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
from swarm_world import configured, entries

from mirrorcore.config.model import RunConfig
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm import stalls
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.sources import open_source
from mirrorcore.swarm.why import explain
from mirrorcore.syncbus import Ending, Stall

PAPER = {
    "market__bars": 320,
    "paper__speed": 1_000_000.0,
    "paper__warmup": "1d",
    "costs__fee_bps": 0,
    "costs__slippage_bps": 0,
}
AGENTS = """
    import asyncio
    import time

    import numpy as np

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent

    class Votes(TickAgent):
        calls = 0

        def _analyze(self, tick):
            self.calls += 1
            drawn = {symbol: self.rng.random() - 0.5 for symbol in self.context.symbols}
            if self.calls == 9:
                self.misbehave(tick)
            return {"signal": drawn}

    class Spins(Votes):
        def misbehave(self, tick):
            while True:
                self.rng.random()

    class Sleeps(Votes):
        def misbehave(self, tick):
            time.sleep(0.5)

    class PublishesThenSpins(Votes):
        def misbehave(self, tick):
            tick.handle.publish({"mood": 1.0})
            tick.handle.publish({"mood": 2.0})
            while True:
                pass

    class CatchesOnce(Votes):
        def misbehave(self, tick):
            try:
                while True:
                    len("work")
            except BaseException:
                tick.handle.publish({"mood": 3.0})

    class Guide(BaseAgent):
        votes = False
        calls = 0

        async def _analyze(self, relevant_data):
            self.calls += 1
            if self.calls == 9:
                await self.misbehave()
            return {"calls": self.calls}

    class SpinsInBlocks(BlockAgent):
        votes = True
        state = {"forecast": StateField("vote", "probability", 0, 1, "symbols", True)}

        def __init__(self, agent_id):
            super().__init__(agent_id, ("technical",))

        def _analyze(self, block):
            z = block.value("technical", "z_96")
            while FIRST <= block.ts[-1] and block.ts[0] <= FIRST:
                pass
            return {"forecast": 0.5 - 0.05 * np.tanh(z)}

    class SpinsAtOnce(Guide):
        async def misbehave(self):
            while True:
                pass

    class SpinsLater(Guide):
        async def misbehave(self):
            await self.syncbus.update_agent_state(self.agent_id, {"mood": 1.0})
            await asyncio.sleep(0.001)
            await self.syncbus.update_agent_state(self.agent_id, {"mood": 2.0})
            while True:
                pass
"""
HISTORY = {"market__bars": 320, "journal__mode": "full"}
NAMES = (
    "Spins",
    "Sleeps",
    "PublishesThenSpins",
    "CatchesOnce",
    "SpinsAtOnce",
    "SpinsLater",
)


def recorded(run: Path) -> list[Stall]:
    with JournalReader(run / "journal.sqlite") as reader:
        assert reader.verify().holds
        return stalls.stalls_of(reader)


def info(config: RunConfig):  # type: ignore[no-untyped-def]
    return RunRegistry(config.storage.runs).find("last")


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("paper", "rerun", "stretch"):
        monkeypatch.setattr(f"mirrorcore.swarm.{module}.PAPER_DEADLINE_NS", 150_000_000)
    for module in ("replay", "stretch"):
        monkeypatch.setattr(f"mirrorcore.swarm.{module}.HISTORY_DEADLINE_NS", 300_000_000)


@pytest.mark.parametrize("name", NAMES)
def test_a_paper_run_with_a_stall_is_repeated_to_the_same_fingerprint(
    tmp_path: Path, name: str
) -> None:
    config = configured(tmp_path, entries([name]), AGENTS, **PAPER)
    told: list[Stall] = []
    outcome = run_paper(config, stalled=told.append)
    assert outcome.results.identity.status == "finished"
    assert outcome.results.accounting_residual == 0
    seen = [stall for stall in recorded(outcome.path) if stall.agent_id == name]
    assert seen
    first = seen[0]
    assert first.raised is (name != "CatchesOnce")
    assert first.later is (name == "SpinsLater")
    assert first.publishes == {"PublishesThenSpins": 2, "CatchesOnce": 2, "SpinsLater": 2}.get(
        name, 0
    )
    assert (first.ended is Ending.NATIVE) is (name == "Sleeps")
    assert [stall.agent_id for stall in told][:1] == [name]
    agent = next(agent for agent in outcome.results.agents if agent.id == name)
    assert agent.isolations >= 1
    assert any(
        name in warning and "held the loop" in warning for warning in outcome.results.warnings
    )
    again = rerun(info(config))
    assert again.differing == ()
    assert again.same


def test_a_call_that_is_not_made_again_costs_no_time(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["Sleeps"]), AGENTS, **PAPER)
    run_paper(config)
    file = tmp_path / "agents.py"
    # The agent's file is not part of a rerun's check: were the call made, it would never return.
    file.write_text(file.read_text().replace("time.sleep(0.5)", "time.sleep(10**6)"))
    again = rerun(info(config))
    assert again.differing in ((), ("input:agent Sleeps",))


def spinning_block(folder: Path, **settings: object) -> RunConfig:
    """An agent of the block form that spins at the 300th tick."""
    config = configured(folder, **settings)
    block = next(open_source(config).blocks(start_tick=300, max_rows=1))
    agents = AGENTS.replace("FIRST", str(int(block.ts[0])))
    return configured(folder, entries(["SpinsInBlocks"]), agents, **settings)


def test_a_block_agent_that_spins_on_paper_is_ended_and_repeated(tmp_path: Path) -> None:
    config = spinning_block(tmp_path, **PAPER)
    outcome = run_paper(config)
    assert [stall.raised for stall in recorded(outcome.path)] == [True]
    agent = next(agent for agent in outcome.results.agents if agent.id == "SpinsInBlocks")
    assert (agent.isolations, agent.failures) == (1, 1)
    again = rerun(info(config))
    assert again.differing == ()


@pytest.mark.parametrize("name", ["Spins", "PublishesThenSpins", "SpinsAtOnce"])
def test_a_replay_of_history_is_not_held_up_for_good(tmp_path: Path, name: str) -> None:
    config = configured(tmp_path, entries([name]), AGENTS, **HISTORY)
    outcome = replay_history(config)
    assert outcome.results.identity.status == "finished"
    assert recorded(outcome.path)[0].agent_id == name
    again = rerun(info(config))
    assert again.differing == ()
    explanation = explain(RunRegistry(config.storage.runs).find(outcome.run_id), "D200")
    assert explanation.proof.same


def test_why_obeys_the_record_of_a_paper_run(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["PublishesThenSpins"]), AGENTS, **PAPER)
    outcome = run_paper(config)
    explanation = explain(RunRegistry(config.storage.runs).find(outcome.run_id), "D310")
    assert explanation.proof.same


def test_a_block_agent_that_spins_in_history_is_ended_in_its_turn(tmp_path: Path) -> None:
    config = spinning_block(tmp_path, **HISTORY)
    told: list[Stall] = []
    outcome = replay_history(config, block_rows=4, stalled=told.append)
    assert [stall.agent_id for stall in told] == ["SpinsInBlocks", "SpinsInBlocks"]
    # Ahead of its turn it is ended as well, but only its turn is on its account.
    assert [stall.call for stall in recorded(outcome.path)] == [301]
    agent = next(agent for agent in outcome.results.agents if agent.id == "SpinsInBlocks")
    assert (agent.isolations, agent.failures) == (1, 1)
    # However its blocks are cut: a rerun takes them as large as they come.
    again = rerun(info(config))
    assert again.differing == ()
    explanation = explain(RunRegistry(config.storage.runs).find(outcome.run_id), "D302")
    assert explanation.proof.same
