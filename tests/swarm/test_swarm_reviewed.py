"""What a review of the swarm found: each once wrong, each now held."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from swarm_world import configured, differing, digests, entries, statistics

from mirrorcore.agents.reading import number
from mirrorcore.errors import ConfigError
from mirrorcore.journal import RunRegistry, RunStatus
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.votes import read_vote


@pytest.mark.parametrize("count", [1, 7])
def test_a_silent_analyst_that_fails_is_called_at_every_tick(tmp_path: Path, count: int) -> None:
    fault = f'[[faults]]\nagent = "VolatilitySeer"\nat = 40\nkind = "raise"\ncount = {count}\n'
    config = configured(tmp_path, fault, market__bars=300)
    blocks, swarm = digests(config, rows=4096)
    ticks, other = digests(config, rows=1)
    assert differing(blocks, ticks) == []
    assert statistics(swarm, "VolatilitySeer").calls == statistics(other, "VolatilitySeer").calls
    assert statistics(swarm, "VolatilitySeer").calls > 280


READER = """
    import numpy as np

    from mirrorcore import BlockAgent, StateField


    class Reader(BlockAgent):
        votes = False
        agent_interests = ("VolatilitySeer",)
        state = {"seen": StateField("what it read", shape="symbols", missing=True)}

        def _analyze(self, block):
            return {"seen": block.others["VolatilitySeer"]["vol_forecast"].copy()}


    class Vandal(BlockAgent):
        votes = False
        data_interests = ("technical",)
        state = {"seen": StateField("what it read", shape="symbols", missing=True)}

        def _analyze(self, block):
            close = block.value("technical", "close")
            close *= 0
            return {"seen": close}
"""


def test_a_block_agent_reads_another_in_blocks_of_one(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["Reader"]), READER, market__bars=200)
    blocks, swarm = digests(config, rows=4096)
    ticks, other = digests(config, rows=1)
    assert blocks == ticks
    assert statistics(swarm, "Reader").calls == statistics(other, "Reader").calls == 200


def test_nobody_can_change_the_market(tmp_path: Path) -> None:
    plain, _ = digests(configured(tmp_path / "plain", market__bars=300))
    config = configured(tmp_path, entries(["Vandal"]), READER, market__bars=300)
    beside, swarm = digests(config)
    assert differing(plain, beside) == []
    assert statistics(swarm, "Vandal").failures > 0


HOSTILE = """
    import sys

    import numpy as np

    from mirrorcore import BaseAgent


    class Exits(BaseAgent):
        async def _analyze(self, relevant_data):
            sys.exit(0)


    class Words(BaseAgent):
        async def _analyze(self, relevant_data):
            return {"forecast": np.array(["up"] * 3)}


    class Huge(BaseAgent):
        async def _analyze(self, relevant_data):
            return {"signal": 10**400, "n": 2**70}


    class Speaks(BaseAgent):
        async def _analyze(self, relevant_data):
            return {"signal": 0.1}


    class Takes(BaseAgent):
        def __init__(self, agent_id, *, gain: float = 1.0):
            super().__init__(agent_id)
            self.gain = gain

        async def _analyze(self, relevant_data):
            return {"gain": self.gain}
"""


@pytest.mark.parametrize("name", ["Exits", "Words", "Huge"])
def test_no_state_and_no_exit_of_an_agent_ends_the_run(tmp_path: Path, name: str) -> None:
    plain, _ = digests(configured(tmp_path / "plain", market__bars=120))
    config = configured(tmp_path, entries([name]), HOSTILE, market__bars=120)
    beside, swarm = digests(config)
    assert differing(plain, beside) == []
    assert swarm.parts.bus.accounting_residual() == 0
    assert (statistics(swarm, name).failures > 0) is (name == "Exits")


def test_an_agent_file_that_exits_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["A"]), "import sys\nsys.exit(0)", market__bars=50)
    with pytest.raises(ConfigError, match="SystemExit"):
        digests(config)


@pytest.mark.parametrize(
    ("params", "said"), [('gain = "x"', "gain was 'x'"), ("gian = 1.0", "did you mean gain")]
)
def test_params_of_own_agents_are_checked(tmp_path: Path, params: str, said: str) -> None:
    text = entries(["Takes"], f"params = {{ {params} }}")
    with pytest.raises(ConfigError) as caught:
        digests(configured(tmp_path, text, HOSTILE, market__bars=50))
    assert said in str(caught.value)


def test_a_misspelt_interest_is_named_with_what_was_meant(tmp_path: Path) -> None:
    text = entries(["Speaks"], 'interests = ["technicl"]')
    with pytest.raises(ConfigError) as caught:
        digests(configured(tmp_path, text, HOSTILE, market__bars=50))
    assert "'technicl'" in caught.value.message
    assert "'technical'" in caught.value.hint


def test_a_swarm_may_begin_without_voters(tmp_path: Path) -> None:
    desk = "".join(f'[[agent]]\nid = "{name}"\n' for name in ("OracleEngine", "Allocator"))
    text = '[agents]\npreset = "none"\n' + desk + entries(["Speaks"])
    _, swarm = digests(configured(tmp_path, text, HOSTILE, market__bars=200))
    assert list(swarm.context.voters) == ["Speaks"]


def test_large_caps_are_within_the_allocators_bounds(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        market__bars=600,
        risk__per_symbol=2.0,
        risk__gross=6.0,
        risk__net=6.0,
        risk__volatility_target=1.0,
    )
    _, swarm = digests(config)
    assert statistics(swarm, "Allocator").failures == 0


def test_votes_are_numbers_or_nothing() -> None:
    symbols = ["A", "B"]
    for odd in (np.array(["up", "up"]), 10**400, "up", {"A": 10**400}, None):
        vote = read_vote({"forecast": odd}, symbols)
        assert vote is not None
        assert np.isnan(vote).all()
    assert np.isnan(number({"n": 10**400}, "n"))


def test_a_voter_that_takes_its_whole_vote_back_has_none(tmp_path: Path) -> None:
    agent = """
        from mirrorcore import BaseAgent


        class Fickle(BaseAgent):
            calls = 0

            async def _analyze(self, relevant_data):
                self.calls += 1
                return {"signal": 0.5} if self.calls < 10 else {"signal": "none"}
    """
    _, swarm = digests(configured(tmp_path, entries(["Fickle"]), agent, market__bars=60))
    now = swarm.parts.clock.now()
    counted = swarm.parts.analysis._ballot.counted(now)
    assert np.isnan(counted[0, :, swarm.context.voters.index("Fickle")]).all()


def test_an_interrupted_replay_and_the_rerun_of_a_rerun_can_be_compared(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=9000, market__symbols=2)
    registry = RunRegistry(config.storage.runs)

    def stop(done: int, _total: int | None) -> None:
        if done < 5000:
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = replay_history(config, progress=stop)
    assert registry.find(outcome.run_id).status is RunStatus.INTERRUPTED
    assert 0 < outcome.results.identity.ticks < 9000
    again = rerun(registry.find(outcome.run_id))
    assert again.same, again.differing
    assert rerun(registry.find(again.outcome.run_id)).same


def test_the_rerun_of_a_paper_rerun_is_the_same(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=320, paper__warmup="1d", paper__speed=1e6)
    registry = RunRegistry(config.storage.runs)
    first = run_paper(config)
    second = rerun(registry.find(first.run_id))
    third = rerun(registry.find(second.outcome.run_id))
    assert second.same
    assert third.same
    assert third.outcome.results.identity.ticks == 32


def test_a_trade_names_the_voters_that_weighed_most(tmp_path: Path) -> None:
    outcome = replay_history(configured(tmp_path, market__bars=1500))
    results = outcome.results
    assert results.weights is not None
    assert results.trades
    for trade in results.trades:
        row = int(np.searchsorted(results.weights.ts, trade.open_ts, side="right")) - 1
        if row < 0:
            assert trade.voters == ()
            continue
        weights = dict(zip(results.weights.names, results.weights.matrix[row], strict=True))
        assert all(weights[name] == weight for name, weight in trade.voters)
        heaviest = max(weights.values(), key=abs)
        assert (trade.voters[0][1] == heaviest) if heaviest else trade.voters == ()


def test_an_agent_can_move_neither_the_clock_nor_the_list_of_voters(tmp_path: Path) -> None:
    _, swarm = digests(configured(tmp_path, market__bars=20))
    before = swarm.parts.clock.now(), list(swarm.parts.voters)
    for member in swarm.members:
        clock, voters = member.agent.clock, member.agent.context.voters
        assert clock.now() == before[0]
        with pytest.raises(AttributeError):
            clock.advance_to(before[0] + 1)
        with pytest.raises(AttributeError):
            voters.append("me")
        with pytest.raises(TypeError):
            voters[0] = "me"
    assert (swarm.parts.clock.now(), list(swarm.parts.voters)) == before
