"""Agents of the swarm in processes of their own: they decide the same, and end no run."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from swarm_world import configured, digests, entries

from mirrorcore.agents.base import Tick
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import ConfigError
from mirrorcore.journal import RunRegistry
from mirrorcore.market.categories import sealed
from mirrorcore.market.features.engine import FeatureEngine
from mirrorcore.swarm.assembly import assemble
from mirrorcore.swarm.away import packed, unpacked
from mirrorcore.swarm.engine import Engine
from mirrorcore.swarm.members import TickView
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.recruiting import recruit
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.sources import open_source
from mirrorcore.swarm.why import explain

PAPER = {
    "market__bars": 330,
    "paper__speed": 1_000_000.0,
    "paper__warmup": "1d",
    "costs__fee_bps": 0,
    "costs__slippage_bps": 0,
}
AGENTS = """
    import os

    import numpy as np

    from mirrorcore import BaseAgent, StateField, TickAgent

    if "MIRRORCORE_TEST_PIDS" in os.environ:
        with open(os.environ["MIRRORCORE_TEST_PIDS"], "a") as pids:
            pids.write(f"{os.getpid()}\\n")


    class Calm(TickAgent):
        kind = "calm"
        votes = True
        horizon_ns = 4 * 3600 * 10**9
        agent_interests = ("FearAnalyzer",)
        state = {
            "forecast": StateField("vote", "probability", 0, 1, "symbols", True),
            "noise": StateField("its own chance", "", 0, 1),
            "fear": StateField("what it read", "", -1, 1),
        }

        def __init__(self, agent_id="Calm", *, memory: float = 0.9):
            super().__init__(agent_id, ["risk", "technical"])
            self.memory = memory

        def prepare(self):
            self.calm = np.zeros(len(self.context.symbols))

        def _analyze(self, tick):
            ratio = tick.value("risk", "vol_ratio")
            z = tick.value("technical", "z_96")
            fresh = np.where(np.isfinite(ratio * z), np.tanh(ratio - z), 0.0)
            self.calm = self.memory * self.calm + (1 - self.memory) * fresh
            other = tick.state("FearAnalyzer")
            fear = -1.0 if other is None else other.state.get("fear", -1.0)
            return {
                "forecast": 0.5 + 0.2 * self.calm,
                "noise": float(self.rng.random()),
                "fear": fear,
            }


    class Dips(BaseAgent):
        async def _analyze(self, relevant_data):
            assert "sentiment" not in relevant_data
            signal = {}
            for symbol, values in relevant_data["technical"].items():
                z = values["z_96"]
                if z == z:
                    signal[symbol] = max(-1.0, min(1.0, -0.05 * z))
            return {"signal": signal, "told": "equity" in relevant_data["performance"]}


    class Crashes(TickAgent):
        votes = False
        calls = 0

        def _analyze(self, tick):
            self.calls += 1
            if self.calls == 12:
                os._exit(11)
            return {"calls": float(self.calls)}


    class Spins(Crashes):
        def _analyze(self, tick):
            self.calls += 1
            if self.calls == 12:
                sum(iter(int, 1))
            return {"calls": float(self.calls)}


    class NeverBuilt(Crashes):
        def __init__(self, agent_id):
            os._exit(12)
"""
ISOLATED = 'isolation = "process"'
ALL = (
    entries(["Calm"], ISOLATED + "\nparams = { memory = 0.8 }")
    + entries(["Dips"], ISOLATED + '\ninterests = ["technical", "performance"]')
    + '[[agent]]\nid = "FearAnalyzer"\nisolation = "process"\n'
)


def info(config: RunConfig):  # type: ignore[no-untyped-def]
    return RunRegistry(config.storage.runs).find("last")


def test_in_replay_it_is_an_agent_of_the_loop_and_decides_the_same(tmp_path: Path) -> None:
    texts = {"loop": ALL.replace(ISOLATED, ""), "process": ALL}
    found = {
        name: digests(configured(tmp_path / name, text, AGENTS, market__bars=700))[0]
        for name, text in texts.items()
    }
    assert found["loop"] == found["process"]


def test_in_paper_it_says_the_same_from_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    monkeypatch.setenv("MIRRORCORE_TEST_PIDS", str(pids))
    outcomes = {}
    for name, text in {"loop": ALL.replace(ISOLATED, ""), "process": ALL}.items():
        config = configured(tmp_path / name, text, AGENTS, **PAPER)
        outcomes[name] = run_paper(config)
        lived = {int(line) for line in pids.read_text().split()}
        # Not even its file is executed in this process.
        assert (os.getpid() in lived) is (name == "loop")
        pids.unlink()
    loop, process = outcomes["loop"], outcomes["process"]
    assert process.results.accounting_residual == 0
    for agent in process.results.agents:
        assert agent.failures == 0, agent
    calls = {agent.id: agent.calls for agent in process.results.agents}
    assert calls["Calm"] == calls["Dips"] == 330 - 288
    # What they published, and when, to the bit: the way of the answers differs, not the answers.
    for name in ("agent:Calm", "agent:Dips"):
        assert process.parts[name] == loop.parts[name]
    again = rerun(info(configured(tmp_path / "process", ALL, AGENTS, **PAPER)))
    assert again.differing == ()
    assert again.same


@pytest.mark.parametrize("name", ["Crashes", "Spins"])
def test_what_ends_its_process_does_not_end_the_run(tmp_path: Path, name: str) -> None:
    config = configured(tmp_path, entries([name], ISOLATED), AGENTS, **PAPER)
    outcome = run_paper(config)
    assert outcome.results.identity.status == "finished"
    assert outcome.results.identity.ticks == 330 - 288
    assert outcome.results.accounting_residual == 0
    mine = next(agent for agent in outcome.results.agents if agent.id == name)
    assert mine.failures >= 1
    assert mine.isolations >= 1
    assert ("code 11" if name == "Crashes" else "deadline") in mine.last_error
    assert not any(a.failures for a in outcome.results.agents if a.id != name)
    again = rerun(info(config))
    assert again.differing == ()
    assert again.same


@pytest.mark.parametrize(("kind", "told"), [("nan", "'forecast'"), ("hang", "deadline")])
def test_a_rehearsed_failure_happens_in_its_process(tmp_path: Path, kind: str, told: str) -> None:
    fault = f'[[faults]]\nagent = "Calm"\nat = 300\nkind = "{kind}"\ncount = 1\n'
    config = configured(tmp_path, entries(["Calm"], ISOLATED) + fault, AGENTS, **PAPER)
    outcome = run_paper(config)
    mine = next(agent for agent in outcome.results.agents if agent.id == "Calm")
    assert mine.failures == 1
    assert told in mine.last_error
    assert outcome.results.accounting_residual == 0
    assert rerun(info(config)).same


def test_why_asks_the_agent_in_its_process_again(tmp_path: Path) -> None:
    config = configured(tmp_path, ALL, AGENTS, **PAPER)
    run_paper(config)
    answer = explain(info(config), "D325")
    assert answer.proof.same is True
    # No checkpoint holds an agent that lives elsewhere: it begins after the warm-up.
    assert answer.proof.begun_at == (None,)
    calm = next(vote for vote in answer.decisions[0].votes if vote.agent == "Calm")
    assert calm.forecast is not None


def test_a_member_of_the_loop_moves_with_its_memory(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["Crashes"]), AGENTS, market__bars=300)
    source = open_source(config)
    swarm = assemble(config, source, "moves", processes=True)
    bus = swarm.parts.bus
    block = next(iter(source.blocks(max_rows=300)))
    market = sealed(FeatureEngine(len(source.symbols), source.bar_ns).update(block))
    view = TickView(299, int(block.ts[299]), 299, market, {}, {})
    engine = Engine(swarm.parts)

    async def quiet() -> None:
        while bus.suspended:
            await bus.isolation.breathe()
        bus.admit()

    async def main() -> None:
        for _ in range(3):
            bus.tick(view, ["Crashes"])
        engine.save_checkpoints()
        bus.tick(view, ["Crashes"])
        assert bus.read("Crashes").state["calls"] == 4.0
        assert bus.isolation.relocate(bus._agents["Crashes"])
        assert bus.restart("Crashes")
        await bus.started()
        await quiet()
        bus.tick(view, ["Crashes"])
        await quiet()
        # It goes on from its last checkpoint, which the loop has made.
        assert bus.read("Crashes").state["calls"] == 4.0
        assert bus.isolation.has("Crashes")
        # What is left of it here no longer speaks for it.
        engine.save_checkpoints()
        assert bus.statistics("Crashes").failures == 0
        bus.restart("Crashes")
        await bus.started()
        await quiet()
        bus.tick(view, ["Crashes"])
        await quiet()
        # And then from the one it has made itself, after its first call.
        assert bus.read("Crashes").state["calls"] == 5.0
        await bus.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[agent]]\nid = "MomentumScout"\nisolation = "process"\n', "computes in blocks"),
        (entries(["NeverBuilt"], ISOLATED), "its process ended with code 12"),
        (entries({"Mine": "NotThere"}, ISOLATED), "has no class 'NotThere'"),
        (entries(["Calm"], ISOLATED + "\nparams = { memry = 1.0 }"), "unknown parameter 'memry'"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_runs(
    tmp_path: Path, text: str, message: str
) -> None:
    config = configured(tmp_path, text, AGENTS, **PAPER)
    with pytest.raises(ConfigError) as caught:
        run_paper(config)
    assert message in caught.value.message
    assert not list((tmp_path / "runs").glob("*"))


def test_another_isolation_than_there_is_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="isolation"):
        configured(tmp_path, entries(["Calm"], 'isolation = "thread"'), AGENTS)


def test_a_tick_arrives_as_it_was(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=300)
    source = open_source(config)
    features = FeatureEngine(len(source.symbols), source.bar_ns)
    block = next(iter(source.blocks(max_rows=300)))
    flow = replace(block.series["onchain.whale_flow"], units=("coins",) * len(source.symbols))
    block = replace(block, series={**block.series, "onchain.whale_flow": flow})
    market = sealed(features.update(block))
    interests = ("technical", "onchain")
    performance = {"equity": 1.0}
    view = TickView(299, int(block.ts[299]), 299, market, performance, {})
    again = unpacked(packed(view, interests, ("A",)))
    here, there = (
        Tick(v.ts, v.row, v.market, None, interests)  # type: ignore[arg-type]
        for v in (view, again)
    )
    assert (again.ts, again.index, dict(again.performance)) == (view.ts, 299, {})
    names = 0
    for category in interests:
        for name in market.values[category]:  # type: ignore[index]
            names += 1
            np.testing.assert_array_equal(there.value(category, name), here.value(category, name))
            np.testing.assert_array_equal(there.age_ns(category, name), here.age_ns(category, name))
    assert names > 10
    assert not again.market.values.keys() - {"technical", "onchain"}
    symbol = source.symbols[0]
    assert again.market.view(0, source.symbols)["onchain"][symbol].unit("whale_flow") == "coins"
    for name in ("open", "close", "volume", "open_ts", "flags", "present"):
        np.testing.assert_array_equal(
            getattr(again.market.market, name)[0], getattr(market.market, name)[299]
        )
    assert set(again.market.market.series) == {
        name for name in market.market.series if name.startswith("onchain")
    }
    assert not there.value("technical", "z_96").flags.writeable
    assert recruit(config)
