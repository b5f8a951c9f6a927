"""Runs with agents that hold them up: ended, recorded, and repeated to the same fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
from swarm_world import configured, entries

from mirrorcore.config.model import RunConfig
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm import stalls
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.rerun import rerun
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

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent

    class Votes(TickAgent):
        votes = True
        data_interests = ("technical",)
        calls = 0

        def _analyze(self, tick):
            self.calls += 1
            draw = self.rng.random(len(tick.value("technical", "rsi_14")))
            if self.calls == 9:
                self.misbehave(tick)
            return {"signal": draw - 0.5}

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
    assert first.publishes == {"PublishesThenSpins": 2, "CatchesOnce": 1, "SpinsLater": 2}.get(
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
