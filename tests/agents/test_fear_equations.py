"""The equations of fear: the agent and the evidence about the gate walk the same path."""

from __future__ import annotations

import math

import numpy as np
import pytest
from agents_world import CONTEXT, attached, lone_tick
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evidence.gate import HALF_LIFE, Setting, feel, recovery, setting
from mirrorcore.agents.mind import fear
from mirrorcore.clock import DAY

START = 20_000 * DAY


@given(st.lists(st.integers(-80, 80).map(lambda n: n / 1000), min_size=3, max_size=40))
@settings(max_examples=40, deadline=None)
def test_the_evidence_feels_what_the_agent_feels(results: list[float]) -> None:
    chosen = setting(HALF_LIFE)
    path = np.array([results])
    walked = feel(path, chosen).fear[0]
    agent, handle = attached("FearAnalyzer", half_life=HALF_LIFE, appraisal="1d")
    # The agent's volatility is one of bars; the evidence's of days.
    daily = math.sqrt(DAY / CONTEXT.bar_ns)
    equity, squares, count = np.cumprod(1 + np.array(results)), 0.0, 0.0
    memory = 0.5 ** (1 / 30)
    lone_tick(agent, handle, START, performance={"shadow_equity": 1.0, "shadow_volatility": 0.0})
    for day, (result, worth) in enumerate(zip(results, equity.tolist(), strict=True)):
        squares, count = memory * squares + result**2, memory * count + 1
        view = {
            "shadow_equity": worth,
            "shadow_drawdown": 1 - worth / max(1.0, float(equity[: day + 1].max())),
            "shadow_volatility": math.sqrt(squares / count) / daily,
        }
        state = lone_tick(agent, handle, START + (day + 1) * DAY, performance=view)
        assert state["fear"] == pytest.approx(walked[day], abs=1e-9)


@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_gain_raises_no_fear_on_any_path(results: list[float]) -> None:
    felt = feel(np.array([results]), setting(HALF_LIFE)).fear[0]
    gained = np.array(results[1:]) > 0
    assert np.all(felt[1:][gained] <= felt[:-1][gained] + 1e-12)


def test_half_the_limit_leaves_about_half_the_risk() -> None:
    """As the optimal control of a drawdown (Grossman and Zhou, 1993): what is left to the limit."""
    driver = fear.drawdown_driver(0.1, fear.LIMIT_SHARE * 0.2)
    share = fear.gate_factor(fear.target(fear.WEIGHTS["drawdown"] * driver))
    assert share == pytest.approx(0.5, abs=0.01)


def test_a_gate_that_was_shut_opens_again() -> None:
    back = recovery(setting(HALF_LIFE))
    assert back["lowest"] == 0.0
    assert back["last"] > 0.9


def test_streaks_of_arrays_are_those_of_numbers() -> None:
    rng = np.random.default_rng(0)
    change, usual = 0.02 * rng.normal(size=50), np.where(rng.random(50) < 0.1, 0.0, 0.01)
    streak = rng.random(50)
    together = fear.streak_after(streak, change, usual, 0.1)
    alone = [float(fear.streak_after(*row, 0.1)) for row in zip(streak, change, usual, strict=True)]
    assert together.tolist() == alone


def test_the_setting_is_the_products_own() -> None:
    chosen = setting(HALF_LIFE)
    assert chosen == Setting(
        daily_volatility=pytest.approx(0.10 / math.sqrt(252)),
        one=pytest.approx(0.10),
        kept=pytest.approx(0.5**0.1),
        period=pytest.approx(0.1),
        veto=0.9,
    )
