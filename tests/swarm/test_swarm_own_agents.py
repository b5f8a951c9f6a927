"""A user's own agents, written as the guide has them or in twenty lines, take part in the run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from swarm_world import configured, differing, digests, entries, statistics

from mirrorcore.agents.base import BaseAgent
from mirrorcore.agents.roster import load_agent_class
from mirrorcore.report.results import AgentRecord, RunResults
from mirrorcore.swarm.replay import replay_history

GUIDE_BASE = '''
    class BaseAgent:
        def __init__(self, agent_id, data_interests):
            self.agent_id = agent_id
            self.data_interests = data_interests  # ['technical', 'sentiment']

        async def process_market_update(self, categorized_data):
            """Each agent processes only what it cares about"""
            relevant_data = {
                category: data
                for category, data in categorized_data.items()
                if category in self.data_interests
            }

            # Process and update own state
            new_state = await self._analyze(relevant_data)
            await self.syncbus.update_agent_state(self.agent_id, new_state)
'''
GUIDE_AGENT = """
    class TrendFollower(BaseAgent):
        async def _analyze(self, relevant_data):
            momentum = {
                symbol: values.get("momentum_72", 0.0)
                for symbol, values in relevant_data["technical"].items()
            }
            return {
                "status": "active",
                "confidence": 0.7,
                "signal": {symbol: 0.5 if m > 0 else -0.5 for symbol, m in momentum.items()},
            }
"""
OURS = "    from mirrorcore import BaseAgent\n"
TWENTY_LINES = """
    import numpy as np

    from mirrorcore import StateField, TickAgent


    class Contrarian(TickAgent):
        cadence_ns = 3600 * 10**9
        horizon_ns = 4 * 3600 * 10**9
        votes = True
        state = {"forecast": StateField("vote", "probability", 0, 1, "symbols", True)}

        def __init__(self, agent_id, strength=0.05):
            super().__init__(agent_id, ("technical",))
            self.strength = strength

        def _analyze(self, tick):
            z = tick.value("technical", "z_96")
            return {"forecast": 0.5 - self.strength * np.tanh(z)}
"""
LATE = """
    import numpy as np

    from mirrorcore import BaseAgent

    class Late(BaseAgent):
        calls = 0

        async def _analyze(self, relevant_data):
            self.calls += 1
            if self.calls <= 400:
                return {"mood": 1.0}
            return {"signal": 0.5 if self.calls % 100 < 50 else -0.5}
"""


def record(results: RunResults, agent_id: str) -> AgentRecord:
    return next(agent for agent in results.agents if agent.id == agent_id)


@pytest.mark.parametrize("base", [GUIDE_BASE, OURS], ids=["the guide's own base", "ours"])
def test_an_agent_exactly_as_in_the_guide_votes_and_is_weighed(tmp_path: Path, base: str) -> None:
    text = entries(["TrendFollower"], 'interests = ["technical"]')
    agents = textwrap.dedent(base) + textwrap.dedent(GUIDE_AGENT)
    config = configured(
        tmp_path, text, agents, market__bars=1400, costs__fee_bps=0, costs__slippage_bps=0
    )
    results = replay_history(config).results
    mine = record(results, "TrendFollower")
    assert mine.state == "running"
    assert (mine.calls, mine.failures) == (1400, 0)
    assert mine.votes
    assert mine.forecasts > 2_000
    assert mine.hit_rate is not None
    assert 0.3 < mine.hit_rate < 0.7
    assert mine.shadow_pnl_gross != 0.0
    assert mine.last_weight != 0.0
    assert results.weights is not None
    assert results.weights.names[-1] == "TrendFollower"
    assert results.weights.matrix[-1, -1] != 0.0
    assert results.fills > 0
    assert not any(agent.failures for agent in results.agents)
    assert results.accounting_residual == 0


def test_an_own_agent_of_twenty_lines_moves_what_the_swarm_does(tmp_path: Path) -> None:
    assert len(textwrap.dedent(TWENTY_LINES).strip().splitlines()) <= 20
    settings = {"market__bars": 1400, "costs__fee_bps": 0, "costs__slippage_bps": 0}
    config = configured(
        tmp_path / "with",
        entries(["Contrarian"], "params = { strength = 0.1 }"),
        TWENTY_LINES,
        **settings,
    )
    outcome = replay_history(config)
    mine = record(outcome.results, "Contrarian")
    assert (mine.calls, mine.failures, mine.votes) == (117, 0, True)
    assert mine.last_weight != 0.0
    assert mine.forecasts > 2_000
    assert outcome.results.fills > 0
    plain = replay_history(configured(tmp_path / "without", **settings))
    changed = differing(dict(plain.parts), dict(outcome.parts))
    assert {"agent:OracleEngine", "decisions", "orders", "fills"} <= set(changed)
    assert "agent:MomentumScout" not in changed


def test_the_file_of_an_own_agent_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["Contrarian"]), TWENTY_LINES, market__bars=40)
    first = replay_history(config)
    (tmp_path / "agents.py").write_text(textwrap.dedent(TWENTY_LINES) + "# a remark\n")
    second = replay_history(config)
    assert differing(dict(first.parts), dict(second.parts)) == ["input:agent Contrarian"]
    assert first.fingerprint != second.fingerprint


def test_a_first_vote_late_in_the_run_joins_and_changes_nothing_before(tmp_path: Path) -> None:
    config = configured(tmp_path / "late", entries(["Late"]), LATE, market__bars=700)
    plain = configured(tmp_path / "plain", market__bars=700)
    from mirrorcore.market.block import Ints
    from mirrorcore.swarm.sources import open_source

    instants: Ints = np.concatenate([b.ts for b in open_source(plain).blocks()])
    before = int(instants[399])
    _, with_late = digests(config, cuts=[before])
    _, without = digests(plain, cuts=[before])
    assert list(with_late.context.voters) == [*without.context.voters, "Late"]
    assert differing(with_late.digests.at(before), without.digests.at(before)) == []
    assert "agent:OracleEngine" in differing(with_late.digests.results(), without.digests.results())
    for member in with_late.members:
        assert statistics(with_late, member.agent_id).failures == 0, member.agent_id
    mind = with_late.parts.bus.read("SelfAwarenessAgent").state
    assert mind["trust"].shape == (len(with_late.context.voters),)
    short = configured(tmp_path / "late", entries(["Late"]), LATE, market__bars=420)
    assert differing(digests(short, 97)[0], digests(short, 1)[0]) == []


def test_views_do_not_depend_on_where_blocks_end(tmp_path: Path) -> None:
    """Who may vote sees what was concluded the tick before, also at a block's first row."""
    agents = """
        from mirrorcore import BaseAgent

        class Reads(BaseAgent):
            async def _analyze(self, relevant_data):
                seen = relevant_data["performance"]
                return {"known": len(seen), "shadow": seen.get("shadow_equity", -1.0)}
    """
    config = configured(
        tmp_path, entries(["Reads"], 'interests = ["performance"]'), agents, market__bars=200
    )
    whole, swarm = digests(config)
    assert swarm.parts.bus.read("Reads").state["shadow"] > 0
    for rows in (7, 1):
        assert differing(whole, digests(config, rows)[0]) == []


def test_an_agent_cannot_write_for_another_or_read_what_it_did_not_declare(
    tmp_path: Path,
) -> None:
    agents = """
        from mirrorcore import BaseAgent, TickAgent

        class Forger(BaseAgent):
            async def _analyze(self, relevant_data):
                await self.syncbus.update_agent_state("ArchCtrl", {"gate": 1.0})

        class Curious(TickAgent):
            def _analyze(self, tick):
                return {"close": tick.value("technical", "close")}

        class Nosy(TickAgent):
            def _analyze(self, tick):
                return {"gate": tick.state("ArchCtrl").state["gate"]}
    """
    names = ("Forger", "Curious", "Nosy")
    results = replay_history(configured(tmp_path, entries(names), agents, market__bars=200)).results
    assert "PermissionError: Forger tried to write the state of ArchCtrl" in (
        record(results, "Forger").last_error
    )
    assert "Curious read technical" in record(results, "Curious").last_error
    assert "without a declared interest" in record(results, "Nosy").last_error
    assert {record(results, name).state for name in names} == {"failed"}


def test_which_class_of_a_file_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "agents.py"
    file.write_text(textwrap.dedent(GUIDE_BASE) + textwrap.dedent(GUIDE_AGENT))
    cls = load_agent_class(file)
    assert cls.__name__ == "TrendFollower"
    assert not issubclass(cls, BaseAgent)
    assert load_agent_class(file, "TrendFollower") is not cls
