"""What the forecast errors of agents' answers leave out, and what they keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.emergence.score import run
from benchmarks.emergence.worlds import drift, drift_again
from benchmarks.emergence.worlds.world import World
from mirrorcore.emergence.answers import AnswerBlock, AnswerErrors
from mirrorcore.emergence.detector import Array
from mirrorcore.emergence.drift import BehaviorDriftDetector
from mirrorcore.emergence.market_features import MarketFeatures


def blocks(volatile: float, ticks: int = 3072, lean: bool = True) -> list[AnswerBlock]:
    """Of agents that follow the last return; ``volatile`` times the market from half the run."""
    rng = np.random.default_rng(3)
    returns = rng.normal(size=ticks) * np.where(np.arange(ticks) < ticks // 2, 1.0, volatile)
    private = rng.normal(size=(ticks, 5))
    total = 1.5 * np.tanh(returns)[:, None] + private
    answers = AnswerErrors(
        "here", {"subs": np.zeros((5, 1))}, 64, also="messages", lean=lean, delay=0
    )
    found = []
    for change, one in zip(returns, total, strict=True):
        tick = {"ret": change, "inputs": np.zeros(1), "messages": np.ones(5)}
        block = answers.take(tick | {"actions": np.sign(one) * (np.abs(one) > 0.8)})
        if block is not None:
            found.append(block)
    return found


def test_errors_are_of_unit_variance_and_free_of_the_market() -> None:
    late = blocks(1.0)[-20:]
    errors = np.concatenate([block.errors for block in late], axis=1)
    assert errors.shape == (2, 20 * 64, 5)
    assert np.allclose(errors.std(axis=1), 1.0, atol=0.12)
    rows = np.concatenate([block.rows for block in late])
    assert np.abs(np.corrcoef(rows[:, 0], errors[0, :, 0])[0, 1]) < 0.08
    assert late[-1].seen == 3072
    assert (late[-1].also == 1.0).all()


def test_ticks_unlike_any_learned_from_say_nothing_until_they_are_usual() -> None:
    found = {block.seen: block for block in blocks(8.0)}
    assert found[1536].usable.mean() > 0.9
    first = found[1536 + 64]
    assert first.usable.mean() < 0.5
    assert (first.errors[:, first.usable == 0.0] == 0.0).all()
    assert found[3072].usable.mean() > 0.6


def test_the_short_list_of_features_tells_volatility_and_what_it_bends() -> None:
    """An agent that acts more when the market is louder has changed nothing of its policy."""
    rng = np.random.default_rng(4)
    features = MarketFeatures(1)
    loud = np.repeat(rng.uniform(0.3, 3.0, 64), 64)
    returns = (loud * rng.normal(size=4096)).reshape(64, 64)
    rows = np.concatenate([features.rows(some, np.zeros((64, 1))) for some in returns])[512:]
    size = np.log(loud[512:])

    def told(columns: Array) -> float:
        fit = columns @ np.linalg.lstsq(columns, size, rcond=None)[0]
        return float(np.corrcoef(fit, size)[0, 1])

    assert told(rows[:, features.lean]) > 0.8
    assert told(rows[:, features.core]) < 0.5


@pytest.mark.parametrize(
    ("make", "seed", "ticks"),
    [
        pytest.param(drift_again.NULLS["again covariate"], 170, 9000, id="a louder market"),
        pytest.param(drift_again.NULLS["again covariate_feed"], 6002, 5600, id="an input moved"),
        pytest.param(drift_again.NULLS["again covariate_feed"], 7005, 8000, id="held at one side"),
        pytest.param(drift.NULLS["persistent"], 7003, 3600, id="leans to one side"),
    ],
)
def test_what_is_no_other_policy_is_no_drift(
    make: Callable[[int], World], seed: int, ticks: int
) -> None:
    """Each of these was once a finding."""
    world = make(seed)
    detector = BehaviorDriftDetector(world.static)
    for _, tick in zip(range(ticks), world.ticks(), strict=False):
        assert not detector.update(tick)


@pytest.mark.parametrize("seed", [142, 171, 178])
def test_what_a_young_forecast_did_badly_is_not_held_against_an_agent_for_ever(seed: int) -> None:
    """Their bets gained while little was learned; later they act more often, or less."""
    world = drift.PLANTED["frequency .7"][0](seed)
    assert world.onset is not None
    found = [at for at, _ in run(world, BehaviorDriftDetector).findings]
    assert found
    assert world.onset < found[0] <= world.onset + 1000


def test_three_that_drift_among_eight_are_not_taken_for_what_moves_them_all() -> None:
    outcome = run(drift.make(4, planted="gradual", strength=0.8, ticks=4000, agents=8),
                  BehaviorDriftDetector)  # fmt: skip
    delay = outcome.delay()
    assert delay is not None
    assert delay <= 800, "what three gain would be taken off everyone's bets"
    assert {agent for _, agents in outcome.findings for agent in agents} <= set(outcome.agents)
