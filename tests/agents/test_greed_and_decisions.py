"""GreedSensor and DecisionMirror against policies and records whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agents_world import CONTEXT, START, SYMBOLS, attached, lone_tick, one_tick
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.agents.mind.decisions import Book
from mirrorcore.clock import HOUR

MIDNIGHT = START - START % (24 * HOUR) + 24 * HOUR
S = len(SYMBOLS)

# -- greed ----------------------------------------------------------------------------------------


def greedy(
    targets: list[Any], equity: list[float], moves: Any = 0.0, index: float = 50.0, **params: Any
) -> list[dict[str, Any]]:
    """The sensor over hourly targets; ``moves`` in deviations of a day."""
    agent, handle = attached("GreedSensor", **params)
    states = []
    for hour, (target, worth) in enumerate(zip(targets, equity, strict=True)):
        ts = MIDNIGHT + hour * HOUR
        handle.clock.advance_to(ts)
        handle.put("Allocator", {"target": np.broadcast_to(np.asarray(target, float), S).copy()})
        values = {
            "technical": {"momentum_288": 0.01 * math.sqrt(288) * np.asarray(moves, float)},
            "risk": {"vol_slow": 0.01},
            "sentiment": {"fear_greed": index},
        }
        view = {"shadow_equity": worth}
        states.append(lone_tick(agent, handle, ts, data=one_tick(ts, values), performance=view))
    return states


WIN = [1.01**hour for hour in range(60)]
LOSE = [0.99**hour for hour in range(60)]


def growing(hours: int = 60) -> list[float]:
    return [0.1 * 1.05**hour for hour in range(hours)]


@given(
    st.lists(st.floats(-0.05, 0.05), min_size=5, max_size=40),
    st.lists(st.sampled_from([-0.2, 0.2]), min_size=40, max_size=40),
    st.floats(-5, 5),
    st.floats(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_a_fixed_size_is_never_greedy(
    results: list[float], sides: list[float], move: float, index: float
) -> None:
    """Whatever it wins, whatever has moved, whichever side it takes: exactly zero."""
    equity = np.cumprod(1 + np.array(results)).tolist()
    for state in greedy(sides[: len(equity)], equity, move, index, tolerance=0.0):
        assert (state["greed"], state["m_greed"]) == (0.0, 1.0)
        assert state["creep_score"] == state["chase_score"] == state["fomo_score"] == 0.0


def test_size_after_wins_is_greed_and_after_losses_is_not() -> None:
    bold = greedy(growing(), WIN)[-1]
    stubborn = greedy(growing(), LOSE)[-1]
    shrinking = greedy(growing()[::-1], WIN)[-1]
    assert bold["greed"] > 0.1
    assert bold["creep_score"] > 1.0 > stubborn["creep_score"] == 0.0
    assert bold["m_greed"] == pytest.approx(1 - 0.5 * bold["greed"])
    assert stubborn["greed"] == shrinking["greed"] == 0.0


def test_entries_after_extended_moves_are_chasing() -> None:
    flat = [1.0] * 60
    chasing = greedy(growing(), flat, moves=3.0)[-1]
    assert chasing["chase_score"] > 1.0
    assert chasing["greed"] > 0.1
    assert greedy(growing(), flat, moves=0.9)[-1]["chase_score"] == 0.0, "not extended"
    assert greedy(growing(), flat, moves=-3.0)[-1]["chase_score"] == 0.0, "against the move"
    short = greedy([-size for size in growing()], flat, moves=-3.0)[-1]
    assert short["chase_score"] == pytest.approx(chasing["chase_score"])


def test_buying_with_a_greedy_crowd_is_fomo() -> None:
    flat = [1.0] * 60
    assert greedy(growing(), flat, index=95.0)[-1]["fomo_score"] > 1.0
    assert greedy(growing(), flat, index=40.0)[-1]["fomo_score"] == 0.0
    assert greedy([-size for size in growing()], flat, index=95.0)[-1]["fomo_score"] == 0.0


def test_sizes_that_have_nothing_to_do_with_results_are_rarely_greed() -> None:
    rng = np.random.default_rng(5)
    hours = 4_000
    targets = [0.1 * np.exp(0.2 * rng.normal(size=S)) for _ in range(hours)]
    equity = np.cumprod(1 + 0.003 * rng.normal(size=hours)).tolist()
    factor = np.mean([state["m_greed"] for state in greedy(targets, equity)])
    assert factor > 0.8


def test_greed_fades_by_half_in_its_half_life() -> None:
    targets = growing() + [growing()[-1]] * 24
    states = greedy(targets, WIN + [WIN[-1]] * 24, half_life="24h")
    assert states[-1]["creep_score"] == pytest.approx(states[59]["creep_score"] / 2)


def test_the_unit_of_capital_is_nothing_to_be_greedy_of() -> None:
    one = greedy(growing(), WIN)
    other = greedy([5 * size for size in growing()], [1e6 * worth for worth in WIN])
    for a, b in zip(one, other, strict=True):
        assert a["greed"] == pytest.approx(b["greed"], abs=1e-9)


def test_greed_is_a_factor_of_the_gate() -> None:
    agent, handle = attached("ArchCtrl")
    handle.put("GreedSensor", {"m_greed": 0.6})
    state = lone_tick(agent, handle, START, execution={"gateway": "ACTIVE"})
    assert state["gate"] == state["m_greed"] == pytest.approx(0.6)
    assert "greed ×0.60" in state["reasons"]


# -- decisions ------------------------------------------------------------------------------------


def mirrored(
    targets: list[list[float]], prices: list[list[float]], gates: list[float], **params: Any
) -> list[dict[str, Any]]:
    agent, handle = attached("DecisionMirror", replace(CONTEXT, cost_per_side=1e-3), **params)
    states = []
    for hour, (target, price, gate) in enumerate(zip(targets, prices, gates, strict=True)):
        ts = MIDNIGHT + hour * HOUR
        handle.clock.advance_to(ts)
        handle.put("Allocator", {"target": np.array(target)})
        handle.put("OracleEngine", {"edge": np.array([0.1, 0.1, -0.1])})
        handle.put("ArchCtrl", {"gate": gate})
        data = one_tick(ts, {"technical": {"close": np.array(price)}})
        states.append(lone_tick(agent, handle, ts, data=data))
    return states


WEIGHT = st.sampled_from([-0.3, -0.1, 0.0, 0.1, 0.2])
PRICE = st.one_of(st.floats(50, 200), st.floats(50, 200), st.just(math.nan))
HISTORY = st.integers(6, 20).flatmap(
    lambda hours: st.tuples(
        st.lists(st.lists(WEIGHT, min_size=S, max_size=S), min_size=hours, max_size=hours),
        st.lists(st.lists(PRICE, min_size=S, max_size=S), min_size=hours, max_size=hours),
        st.lists(st.floats(0, 1), min_size=hours, max_size=hours),
    )
)


def brute_force(
    targets: list[list[float]], prices: list[list[float]], gates: list[float], horizon: int
) -> dict[str, float]:
    """Regret of every decision, one by one: what was done against each thing that could have been.

    Nothing is forgotten.
    """
    stake = regret = opened = closed = unresolved = 0.0
    for hour in range(1, len(targets)):
        for symbol in range(S):
            change = targets[hour][symbol] - targets[hour - 1][symbol]
            entry = prices[hour][symbol]
            if change == 0.0 or math.isnan(entry):
                continue
            opened += 1
            for later in range(hour + horizon, min(len(prices), hour + 2 * horizon + 1)):
                price = prices[later][symbol]
                if not math.isnan(price):
                    full = change * (price / entry - 1) - 1e-3 * abs(change)
                    best = max(0.0, full)
                    regret += best - gates[hour] * full
                    stake += abs(full)
                    closed += 1
                    break
            else:
                if hour + 2 * horizon < len(prices):
                    closed += 1
                    unresolved += 1
    rate = regret / stake if stake else 0.0
    return {"regret": rate, "opened": opened, "closed": closed, "unresolved": unresolved}


@given(HISTORY)
@settings(max_examples=60, deadline=None)
def test_regret_is_that_of_every_counterfactual_by_brute_force(history: Any) -> None:
    state = mirrored(*history, horizon="4h", half_life="100000d")[-1]
    for name, value in brute_force(*history, horizon=4).items():
        assert state[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name


@given(HISTORY)
@settings(max_examples=60, deadline=None)
def test_each_decision_is_closed_once(history: Any) -> None:
    before = {"opened": 0.0, "closed": 0.0}
    for state in mirrored(*history):
        assert state["opened"] == state["closed"] + state["open"]
        assert state["opened"] >= before["opened"]
        assert state["closed"] >= before["closed"]
        before = state
    # Whatever is left comes to its end when there is nothing more to decide.
    targets, prices, gates = history
    quiet = 9
    state = mirrored(
        targets + [targets[-1]] * quiet, prices + [[100.0] * S] * quiet, gates + [1.0] * quiet
    )[-1]
    assert state["open"] == 0.0
    assert state["opened"] == state["closed"]


def test_a_decision_is_judged_by_the_first_price_after_its_horizon() -> None:
    book = Book(4 * HOUR, 0.0)
    book.record(0, np.array([0.5, 0.0, -0.2]), np.array([100.0, 100.0, 50.0]), 0.25)
    assert list(book.close(3 * HOUR, np.array([200.0, 200.0, 200.0]))) == []
    (closed,) = book.close(4 * HOUR, np.array([110.0, 1.0, math.nan]))
    assert (closed.symbols, closed.gate) == ([0], 0.25)
    np.testing.assert_allclose(closed.full, [0.05])
    (closed,) = book.close(5 * HOUR, np.array([1.0, 1.0, 60.0]))
    assert closed.symbols == [2]
    np.testing.assert_allclose(closed.full, [-0.04])
    assert list(book.close(6 * HOUR, np.array([1.0, 1.0, 1.0]))) == []
    assert (book.opened, book.closed, book.unresolved, book.open) == (2, 2, 0, 0)


def test_regret_tells_caution_from_action() -> None:
    hours = 30
    flat = [[0.0] * S] + [[0.1] * S] * (hours - 1)
    up = [[100.0 * 1.01**hour] * S for hour in range(hours)]
    down = [[100.0 * 0.99**hour] * S for hour in range(hours)]
    shut, open_ = [0.0] * hours, [1.0] * hours
    assert mirrored(flat, up, shut)[-1]["caution"] == pytest.approx(1.0)
    assert mirrored(flat, up, open_)[-1]["regret"] == 0.0
    assert mirrored(flat, down, open_)[-1]["action"] == pytest.approx(1.0)
    assert mirrored(flat, down, shut)[-1]["regret"] == 0.0


def test_flips_and_consistency_are_counted() -> None:
    back_and_forth = [[0.1 * (-1) ** hour, 0.0, 0.0] for hour in range(21)]
    prices = [[100.0] * S] * 21
    state = mirrored(back_and_forth, prices, [1.0] * 21, half_life="100000d")[-1]
    assert state["flip_rate"] == 1.0
    # The edge of the first symbol points up, every other change does.
    assert state["consistency"] == pytest.approx(0.5, rel=1e-3)


def test_a_lesson_needs_evidence() -> None:
    rng = np.random.default_rng(0)
    hours = 300
    targets = (0.1 * rng.normal(size=(hours, S))).tolist()
    noise = (100 * np.exp(np.cumsum(0.01 * rng.normal(size=(hours, S)), axis=0))).tolist()
    assert mirrored(targets[:20], noise[:20], [1.0] * 20)[-1]["lessons"] == ""
    steps = np.diff(np.array(targets), axis=0, prepend=0.0)
    knows = 100 * np.exp(np.cumsum(np.roll(0.05 * steps, 1, axis=0), axis=0))
    said = mirrored(targets, knows.tolist(), [0.0] * hours)[-1]["lessons"]
    lost = mirrored(targets, (1e4 / knows).tolist(), [1.0] * hours)[-1]["lessons"]
    assert "decisions lost more than chance explains" in lost
    assert "the gate cost more on winners" in said or "decisions earned" in said
