"""Nothing an agent does can hurt another one; what it did is in the results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from swarm_world import (
    FAULTY,
    FAULTY_CLASSES,
    candles,
    configured,
    differing,
    digests,
    entries,
    on_candles,
    statistics,
)

from mirrorcore.report.results import AgentRecord, RunResults
from mirrorcore.swarm.replay import replay_history

SAID = {
    "Raises": "ValueError: I always do this",
    "Hangs": "beyond its deadline of 0.25 s",
    "Unknown": "StateError",
    "Floods": "FloodError",
    "Undeclared": "'secret', which its schema does not declare",
}

SOMETIMES = """
    import asyncio

    import numpy as np

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent
    from mirrorcore.market.features.filters import Ema


    class Counting(TickAgent):
        votes = False
        state = {"calls": StateField("calls so far"), "luck": StateField("a random number")}

        def prepare(self):
            self.calls = 0

        def _analyze(self, tick):
            self.calls += 1
            if self.calls in (150, 151):
                raise RuntimeError("not twice")
            return {"calls": float(self.calls), "luck": float(self.rng.normal())}


    class Rows(BlockAgent):
        votes = True
        state = {
            "forecast": StateField("vote", "probability", 0, 1, "symbols", True),
            "total": StateField("sum of what was seen"),
        }

        def __init__(self, agent_id):
            super().__init__(agent_id, ("technical",))
            self.total = 0.0

        def _analyze(self, block):
            ticks, symbols = block.shape
            first = block.market.market.index
            noise = self.rng.normal(size=(ticks, symbols))
            for bad in (200, 201):
                if first <= bad < first + ticks:
                    raise RuntimeError(f"row {bad}")
            path = np.cumsum(np.concatenate([[self.total], noise[:, 0]]))
            self.total = float(path[-1])
            return {"forecast": 0.5 + 0.1 * np.tanh(noise), "total": path[1:]}


    class Holes(Rows):
        def _analyze(self, block):
            ticks, symbols = block.shape
            rows = np.arange(block.market.market.index, block.market.market.index + ticks)
            total = np.where(rows == 170, np.nan, rows.astype(float))
            return {"forecast": np.full((ticks, symbols), 0.5), "total": total}


    class Filtering(Rows):
        '''Holds what no checkpoint can encode, and fails.'''

        def prepare(self):
            self.ema = Ema(half_life_bars=5.0, columns=1)

        def _analyze(self, block):
            made = super()._analyze(block)
            made["total"] = self.ema(made["total"][:, None])[:, 0]
            return made


    class Misremembers(Rows):
        def recall(self, memory):
            raise KeyError("forgotten")
"""


def record(results: RunResults, agent_id: str) -> AgentRecord:
    return next(agent for agent in results.agents if agent.id == agent_id)


# -- spectators -----------------------------------------------------------------------------------


def test_faulty_spectators_change_no_other_part_of_the_fingerprint(tmp_path: Path) -> None:
    base, _ = digests(configured(tmp_path / "base"))
    parts, swarm = digests(configured(tmp_path / "more", entries(FAULTY_CLASSES), FAULTY))
    assert set(parts) - set(base) == {f"agent:{name}" for name in FAULTY_CLASSES}
    assert differing(base, parts) == []
    assert swarm.parts.bus.accounting_residual() == 0
    for name in FAULTY_CLASSES:
        assert statistics(swarm, name).failures > 3
    others = [m.agent_id for m in swarm.members if m.agent_id not in FAULTY_CLASSES]
    assert not any(statistics(swarm, name).failures for name in others)


def test_isolations_restarts_end_and_last_error_of_each_are_in_the_results(
    tmp_path: Path,
) -> None:
    outcome = replay_history(configured(tmp_path, entries(FAULTY_CLASSES), FAULTY))
    for name in FAULTY_CLASSES:
        agent = record(outcome.results, name)
        assert agent.state == "failed"
        assert agent.isolations >= 1
        assert agent.restarts >= 1
        assert agent.failures >= agent.isolations
        assert SAID[name] in agent.last_error
        assert agent.health < 0.5
    assert outcome.results.accounting_residual == 0
    assert not any("gateway" in warning for warning in outcome.results.warnings)


def test_one_that_ignores_its_cancellation_neither_holds_up_the_run_nor_its_end(
    tmp_path: Path,
) -> None:
    agents = """
        import asyncio

        from mirrorcore import BaseAgent

        class Stubborn(BaseAgent):
            async def _analyze(self, relevant_data):
                while True:
                    try:
                        await asyncio.sleep(3600)
                    except asyncio.CancelledError:
                        if self.clock.now() < 0:
                            return
    """
    base, _ = digests(configured(tmp_path / "base", market__bars=300))
    parts, swarm = digests(
        configured(tmp_path / "more", entries(["Stubborn"]), agents, market__bars=300)
    )
    assert differing(base, parts) == []
    assert statistics(swarm, "Stubborn").expired >= 1


# -- in the place of agents that others read ------------------------------------------------------

PLACES = [
    ("ChainWatcher", "Hangs"),
    ("EgoProcessor", "Raises"),
    ("ArchCtrl", "Floods"),
    ("OracleEngine", "Undeclared"),
    ("Allocator", "Hangs"),
    ("VolatilitySeer", "Unknown"),
    ("RiskSentinel", "Undeclared"),
    ("FearAnalyzer", "Floods"),
]


@pytest.mark.parametrize(("place", "fault"), PLACES)
def test_a_fault_in_the_place_of_an_agent_that_others_read(
    tmp_path: Path, place: str, fault: str
) -> None:
    config = configured(tmp_path, entries({place: fault}), FAULTY, market__bars=600)
    outcome = replay_history(config)
    results = outcome.results
    assert results.identity.status == "finished"
    assert results.identity.ticks == 600
    assert results.accounting_residual == 0
    assert record(results, place).state == "failed"
    assert not any(agent.failures for agent in results.agents if agent.id != place)
    reducing = [w for w in results.warnings if "gateway active → reducing" in w]
    assert bool(reducing) is (place in ("OracleEngine", "Allocator"))
    if place == "ArchCtrl":
        assert results.fills == 0, "a gate that never spoke lets nothing grow"
    if place in ("OracleEngine", "Allocator"):
        assert any("nothing is traded" in warning for warning in results.warnings)


def test_all_five_at_once_in_places_that_others_read(tmp_path: Path) -> None:
    places = ("ChainWatcher", "EgoProcessor", "VolatilitySeer", "RiskSentinel", "TradeAnalyst")
    text = entries(dict(zip(places, FAULTY_CLASSES, strict=True)))
    results = replay_history(configured(tmp_path, text, FAULTY)).results
    assert results.accounting_residual == 0
    assert results.identity.ticks == 800
    assert {record(results, place).state for place in places} == {"failed"}


def test_an_essential_agent_that_fails_for_good_leaves_only_reductions(tmp_path: Path) -> None:
    text = '[[faults]]\nagent = "OracleEngine"\nat = 1500\nkind = "raise"\ncount = 100000\n'
    settings = {"market.bars": 2200, "costs.fee_bps": 0, "costs.slippage_bps": 0}
    results = replay_history(configured(tmp_path, text, **_dunder(settings))).results
    oracle = record(results, "OracleEngine")
    assert oracle.state == "failed"
    assert any("OracleEngine, which is essential" in warning for warning in results.warnings)
    assert results.gross[1490:1500].max() > 0
    # Later positions only shrink: gross moves with prices, not with trades that open.
    assert results.gross[-1] <= results.gross[1500:1600].max() * 1.05
    assert results.accounting_residual == 0


def _dunder(settings: dict[str, object]) -> dict[str, object]:
    return {name.replace(".", "__"): value for name, value in settings.items()}


def test_while_the_gate_is_silent_positions_do_not_grow(tmp_path: Path) -> None:
    text = '[[faults]]\nagent = "ArchCtrl"\nat = 1200\nkind = "raise"\ncount = 100000\n'
    settings = {"market.bars": 2500, "costs.fee_bps": 0, "costs.slippage_bps": 0}
    config = configured(tmp_path, text, **_dunder(settings))
    whole = replay_history(configured(tmp_path / "whole", **_dunder(settings))).results
    results = replay_history(config).results
    assert record(results, "ArchCtrl").state == "failed"
    silent = slice(1300, None)
    assert results.gross[1199] > 0
    assert np.array_equal(results.gross[:1200], whole.gross[:1200])
    grown = np.diff(results.gross[silent])
    assert results.gross[silent].max() <= results.gross[1199:1300].max() * 1.2
    assert whole.gross[silent].max() > results.gross[-1]
    assert (grown < 0.02).all()


# -- now and then ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("Counting", (4096, 1)),
        ("Rows", (4096, 97, 1)),
        ("Holes", (4096, 97)),
        ("Filtering", (4096, 97)),
        ("Misremembers", (4096, 97)),
    ],
)
def test_an_error_lands_on_the_same_bar_however_ticks_are_cut(
    tmp_path: Path, name: str, cuts: tuple[int, ...]
) -> None:
    config = configured(tmp_path, entries([name]), SOMETIMES, market__bars=260)
    runs = [digests(config, rows) for rows in cuts]
    (whole, swarm), *others = runs
    counts = statistics(swarm, name)
    assert counts.failures == (1 if name == "Holes" else 2)
    assert counts.state == "running"
    for parts, other in others:
        assert differing(whole, parts) == []
        mine = statistics(other, name)
        for figure in ("calls", "failures", "restarts", "expired", "state", "version", "refused"):
            assert getattr(mine, figure) == getattr(counts, figure), figure
        assert other.parts.bus.accounting_residual() == 0


def test_an_isolated_block_agent_comes_back_and_is_cut_the_same_again(tmp_path: Path) -> None:
    text = '[[faults]]\nagent = "MeanReverter"\nat = 150\nkind = "raise"\ncount = 7\n'
    config = configured(tmp_path, text, market__bars=360)
    runs = [digests(config, rows) for rows in (4096, 113, 1)]
    whole, swarm = runs[0]
    counts = statistics(swarm, "MeanReverter")
    assert counts.restarts >= 1
    assert counts.failures == 7
    assert counts.state == "running"
    for parts, other in runs[1:]:
        assert differing(whole, parts) == []
        mine = statistics(other, "MeanReverter")
        assert (mine.calls, mine.failures, mine.restarts, mine.skipped) == (
            counts.calls,
            counts.failures,
            counts.restarts,
            counts.skipped,
        )


def test_a_restart_continues_from_the_last_checkpoint_in_any_blocks(tmp_path: Path) -> None:
    """Checkpoints are taken at multiples of 4,096 ticks, wherever blocks end."""
    agents = """
        from mirrorcore import StateField, TickAgent

        class Keeps(TickAgent):
            votes = False
            cadence_ns = 3600 * 10**9
            state = {"calls": StateField("calls so far")}

            def __init__(self, agent_id):
                super().__init__(agent_id)
                self.calls = 0

            def _analyze(self, tick):
                self.calls += 1
                return {"calls": float(self.calls)}
    """
    text = entries(["Keeps"]) + '[[faults]]\nagent = "Keeps"\nat = 4200\nkind = "hang"\n'
    data = candles(tmp_path / "data", ticks=4400, symbols=1)
    config = on_candles(tmp_path, data, text, agents)
    (whole, swarm), (other, _) = (digests(config, rows) for rows in (4096, 1000))
    assert statistics(swarm, "Keeps").restarts == 1
    state = swarm.parts.bus.read("Keeps").state
    assert 4400 / 12 - 15 < state["calls"] < 4400 / 12
    assert differing(whole, other) == []


def test_an_agent_whose_own_checkpoint_fails_is_blamed_for_it(tmp_path: Path) -> None:
    agents = """
        from mirrorcore import BaseAgent

        class Forgets(BaseAgent):
            votes = False

            def remember(self):
                raise RuntimeError("nothing comes to mind")

            async def _analyze(self, relevant_data):
                return {"mood": 1.0}
    """
    text = entries(["Forgets"], 'cadence = "4h"')
    config = configured(tmp_path, text, agents, market__bars=4097, market__symbols=1)
    results = replay_history(config).results
    assert "nothing comes to mind" in record(results, "Forgets").last_error
    assert results.identity.status == "finished"


INSANE = """
    import numpy as np

    from mirrorcore import BlockAgent, StateField
    from mirrorcore.agents.desk.allocator import Allocator
    from mirrorcore.agents.desk.oracle_engine import OracleEngine

    ANYTHING = StateField("whatever", shape="symbols", missing=True)


    class Unknown(Allocator):
        state = {"target": ANYTHING, "budget": StateField("budget")}
        wrong = float("nan")

        def _analyze(self, block):
            made = super()._analyze(block)
            rows = block.market.market.index + np.arange(block.shape[0])
            target = np.where((rows % 50 == 7)[:, None], self.wrong, made["target"])
            return {**made, "target": target}


    class Huge(Unknown):
        wrong = 1e300


    class Certain(OracleEngine):
        state = {**OracleEngine.state, "forecast": ANYTHING}

        def _analyze(self, block):
            made = super()._analyze(block)
            return {**made, "forecast": np.full(block.shape, 1e300)}


    class Loud(BlockAgent):
        votes = True
        state = {"forecast": ANYTHING}

        def _analyze(self, block):
            return {"forecast": np.full(block.shape, -1e300)}
"""


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("Allocator", "Unknown"),
        ("Allocator", "Huge"),
        ("OracleEngine", "Certain"),
        ("Loud", "Loud"),
    ],
)
def test_insane_numbers_of_ones_own_are_failures_and_no_more(
    tmp_path: Path, place: str, name: str
) -> None:
    settings = {"costs.fee_bps": 0, "costs.slippage_bps": 0, "market.bars": 500}
    config = configured(tmp_path, entries({place: name}), INSANE, **_dunder(settings))
    results = replay_history(config).results
    mine = record(results, place)
    assert mine.failures > 0
    assert "StateError" in mine.last_error
    assert results.accounting_residual == 0
    assert results.gross.max() < 1.5
    assert np.isfinite(results.shadow_equity).all()
    assert not any(agent.failures for agent in results.agents if agent.id != place)
