"""What each voter's pull earned: against a plain second bookkeeping, and exact in whole runs."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from swarm_world import configured, entries

from mirrorcore.swarm.checks import run_through
from mirrorcore.swarm.contributions import Contributions, Pulls, pulls_of
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.sources import open_source

TALKER = """
    from mirrorcore import BaseAgent


    class Talker(BaseAgent):
        async def _analyze(self, relevant_data):
            values = relevant_data["technical"]
            return {"signal": {s: 0.2 if v["return_1"] > 0 else -0.2 for s, v in values.items()}}
"""


def random_rows(rng: np.random.Generator, ticks: int, symbols: int, voters: int) -> Pulls:
    return Pulls(
        rng.standard_normal((ticks, symbols, voters)),
        rng.standard_normal((ticks, voters)),
        rng.random((ticks, symbols)),
        rng.random(ticks),
    )


def rows_of(pulls: Pulls, first: int, stop: int, voters: int | None = None) -> Pulls:
    return Pulls(
        pulls.residual[first:stop, :, :voters],
        pulls.common[first:stop, :voters],
        pulls.slope[first:stop],
        pulls.common_slope[first:stop],
    )


def second_books(pulls: Pulls, capital: np.ndarray, prices: np.ndarray) -> list[float]:
    """Tick by tick, voter by voter, as the definition says it."""
    ticks, symbols, voters = pulls.residual.shape
    earned = [0.0] * voters
    for t in range(ticks - 1):
        for i in range(voters):
            weights = [pulls.residual[t, s, i] * pulls.slope[t, s] for s in range(symbols)]
            mean = sum(weights) / symbols if symbols > 1 else 0.0
            for s in range(symbols):
                weight = weights[s] - mean + pulls.common[t, i] * pulls.common_slope[t]
                if prices[t, s] > 0:
                    moved = prices[t + 1, s] / prices[t, s] - 1.0
                    earned[i] += capital[t] * weight * moved
    return earned


@pytest.mark.parametrize("symbols", [1, 4])
def test_a_voter_earns_what_the_market_does_to_its_part(symbols: int) -> None:
    rng = np.random.default_rng(3)
    pulls = random_rows(rng, 50, symbols, 3)
    capital = rng.random(50) * 1000
    prices = np.round(100 * np.exp(np.cumsum(rng.standard_normal((50, symbols)) * 0.01, axis=0)))
    prices[:20, 0] = 0.0  # a symbol that begins later
    books = Contributions(symbols)
    books.update([pulls], capital, prices)
    assert books.known
    assert books.totals == pytest.approx(second_books(pulls, capital, prices), rel=1e-9)


@pytest.mark.parametrize("length", [1, 7, 50])
def test_blocks_of_any_length_give_the_same_bits(length: int) -> None:
    rng = np.random.default_rng(4)
    pulls, capital = random_rows(rng, 50, 3, 2), rng.random(50) * 1000
    prices = 100 + rng.integers(-5, 5, (50, 3)).astype(np.float64)
    whole, cut, rowwise = Contributions(3), Contributions(3), Contributions(3)
    whole.update([pulls], capital, prices)
    for first in range(0, 50, length):
        stop = min(50, first + length)
        cut.update([rows_of(pulls, first, stop)], capital[first:stop], prices[first:stop])
        rowwise.update(
            [rows_of(pulls, row, row + 1) for row in range(first, stop)],
            capital[first:stop],
            prices[first:stop],
        )
    assert cut.totals.tobytes() == whole.totals.tobytes() == rowwise.totals.tobytes()


def test_a_voter_that_joins_late_earns_from_then_on() -> None:
    rng = np.random.default_rng(5)
    pulls, capital = random_rows(rng, 30, 2, 2), np.full(30, 100.0)
    prices = 100 + rng.integers(-5, 5, (30, 2)).astype(np.float64)
    books = Contributions(2)
    books.update([rows_of(pulls, 0, 20, 1), rows_of(pulls, 20, 30)], capital, prices)
    late = Pulls(pulls.residual.copy(), pulls.common.copy(), pulls.slope, pulls.common_slope)
    late.residual[:20, :, 1] = late.common[:20, 1] = 0.0
    assert books.totals == pytest.approx(second_books(late, capital, prices), rel=1e-9)


def test_agents_that_do_not_say_are_not_asked_again() -> None:
    assert pulls_of(object(), object()) is None
    books = Contributions(2)
    books.update([], np.ones(3), np.ones((3, 2)))
    assert not books.known


def test_voters_and_desk_add_up_to_the_result_of_the_run(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=2500, costs__fee_bps=1.0, costs__slippage_bps=0.0)
    results = replay_history(config).results
    parts = [agent.contribution for agent in results.agents if agent.contribution is not None]
    assert len(parts) == sum(agent.votes for agent in results.agents) > 0
    assert results.fills > 0
    silent = {a.id for a in results.agents if a.votes and a.contribution == 0}
    # Releases are weeks apart; there is no flow, no fundamental and no pair in this market.
    assert silent <= {"MacroWatcher", "FlowReader", "FundamentalSage", "PairsArb"}
    assert results.swarm.desk is not None
    total = sum((Fraction(part) for part in [*parts, results.swarm.desk]), Fraction(0))
    gained = float(results.equity[-1]) - results.initial_equity
    assert abs(float(total) - gained) <= 1e-9 * results.initial_equity
    assert math.fsum([*parts, results.swarm.desk]) == pytest.approx(gained, abs=1e-9)


@pytest.mark.parametrize("agents", ["", TALKER])
def test_whole_runs_attribute_alike_in_any_blocks(tmp_path: Path, agents: str) -> None:
    """Also where a voter speaks tick by tick, and joins with its first vote."""
    text = entries(["Talker"], 'interests = ["technical"]') if agents else ""
    config = configured(tmp_path, text, agents, market__bars=400)
    found = [
        run_through(config, open_source(config), rows=rows)[1].contributions.totals
        for rows in (7, 400)
    ]
    assert found[0].tobytes() == found[1].tobytes()
    assert len(found[0]) == (9 if agents else 8)
    # MomentumScout still waits for its longest mean, MacroWatcher for releases enough, and the
    # three after it for data this market does not have.
    assert np.all(np.delete(found[0], [0, 4, 5, 6, 7]) != 0)


def test_without_a_gate_clips_and_costs_the_voters_explain_the_book(tmp_path: Path) -> None:
    """With no band, no costs and no gate the desk is left with clips and the delay of a fill."""
    minds = ["EgoProcessor", "FearAnalyzer", "RiskSentinel", "SelfAwarenessAgent", "ArchCtrl"]
    config = configured(
        tmp_path,
        market__bars=9000,
        market__preset="plain",
        market__ic=0.05,
        costs__fee_bps=0.0,
        costs__slippage_bps=0.0,
        fusion__band=0.0,
        agents__without=minds,
    )
    results = replay_history(config).results
    gained = float(results.equity[-1]) - results.initial_equity
    assert results.swarm.desk is not None
    assert gained > 0
    assert abs(results.swarm.desk) < 0.3 * gained
