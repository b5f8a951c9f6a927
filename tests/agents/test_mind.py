"""Ego, fear, self-awareness and the gate: the invariants of measured emotions."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from agents_world import (
    BAR,
    CONTEXT,
    START,
    VOTERS,
    Hours,
    attached,
    lone_tick,
    one_tick,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorcore.agents.mind.ego_processor import Record
from mirrorcore.agents.mind.fear_analyzer import FearAnalyzer
from mirrorcore.agents.mind.opinions import effective_number
from mirrorcore.clock import DAY, HOUR, MINUTE

CALM = {"shadow_drawdown": 0.0, "shadow_equity": 1.0, "shadow_volatility": 1e-3}
MIDNIGHT = START // DAY * DAY + DAY


# -- fear ---------------------------------------------------------------------------------------


def market(ratio: float = 1.0, jumps: float = 0.0, index: float = 50.0) -> dict[str, Any]:
    return {
        "risk": {"vol_ratio": ratio, "jump_share": jumps},
        "sentiment": {"fear_greed": index},
    }


def frightened(
    agent: Any, handle: Any, ts: int, values: dict[str, Any] | None = None, **view: float
) -> dict[str, Any]:
    return lone_tick(
        agent, handle, ts, data=one_tick(ts, values or market()), performance={**CALM, **view}
    )


def test_fear_is_one_minus_exp_of_its_weighted_drivers() -> None:
    agent, handle = attached("FearAnalyzer")
    state = frightened(agent, handle, START, market(2.0, 0.5, 20.0), shadow_drawdown=0.1)
    jump = 0.5 - 1.645 * math.sqrt(((math.pi / 2) ** 2 + math.pi - 5) / 96)
    drivers = {"drawdown": 1.0, "volatility": math.log(2) / 0.7, "jump": jump, "sentiment": 0.6}
    for name, value in drivers.items():
        assert state[f"{name}_driver"] == pytest.approx(value), name
    pressure = 1.0 + 0.5 * drivers["volatility"] + 0.2 * jump + 0.2 * 0.6
    assert state["fear"] == pytest.approx(1 - math.exp(-pressure))
    assert state["m_fear"] == pytest.approx(1 - 0.8 * state["fear"])


DRIVERS = st.tuples(
    st.floats(0, 2), st.floats(0.2, 10), st.floats(0, 1), st.floats(0, 100), st.floats(-0.2, 0.2)
)


def fear_of(level: tuple[float, float, float, float, float], later: float = 0.0) -> float:
    """Fear after a state of the world and one more hour of it, with the book's change."""
    drawdown, ratio, jumps, index, change = level
    agent, handle = attached("FearAnalyzer")
    for hour, equity in enumerate((1.0, 1.0 + change, (1.0 + change) * (1.0 + later))):
        state = frightened(
            agent,
            handle,
            MIDNIGHT + hour * HOUR,
            market(ratio, jumps, index),
            shadow_drawdown=drawdown,
            shadow_equity=equity,
        )
    fear: float = state["fear"]
    return fear


@given(DRIVERS, st.integers(0, 4), st.floats(0.001, 1))
@settings(max_examples=100, deadline=None)
def test_fear_rises_with_each_driver(level: Any, which: int, more: float) -> None:
    worse = list(level)
    # Drawdown, volatility and jumps up; the index and the change of equity down.
    worse[which] += (more, more, more, -50 * more, -0.2 * more)[which]
    worse[3] = max(worse[3], 0.0)
    assert fear_of(tuple(worse)) >= fear_of(level) - 1e-12


@given(
    st.lists(st.floats(-0.03, 0.03), min_size=2, max_size=30),
    st.integers(0, 29),
    st.floats(0.0001, 0.5),
    st.floats(0, 0.01),
)
@settings(max_examples=100, deadline=None)
def test_profit_alone_never_raises_fear(
    changes: list[float], at: int, profit: float, volatility: float
) -> None:
    richer = list(changes)
    richer[at % len(changes)] += profit

    def path(moves: list[float]) -> list[float]:
        agent, handle = attached("FearAnalyzer")
        equity = peak = 1.0
        fears = []
        for hour, move in enumerate(moves):
            equity *= 1.0 + move
            peak = max(peak, equity)
            view = {
                "shadow_equity": equity,
                "shadow_drawdown": 1 - equity / peak,
                "shadow_volatility": volatility,
            }
            fears.append(frightened(agent, handle, MIDNIGHT + hour * HOUR, **view)["fear"])
        return fears

    for richer_fear, fear in zip(path(richer), path(changes), strict=True):
        assert richer_fear <= fear + 1e-12


def test_gains_frighten_nobody() -> None:
    agent, handle = attached("FearAnalyzer")
    for hour in range(100):
        state = frightened(agent, handle, MIDNIGHT + hour * HOUR, shadow_equity=1.05**hour)
        assert state["fear"] == 0.0


@given(st.integers(1, 10**15), st.floats(0.01, 5))
@settings(max_examples=60, deadline=None)
def test_without_reason_fear_halves_in_exactly_its_half_life(
    half_life: int, drawdown: float
) -> None:
    agent, handle = attached("FearAnalyzer", half_life=f"{half_life / 1e6:.6f}ms")
    half_life = agent.half_life_ns
    fear = frightened(agent, handle, START, shadow_drawdown=drawdown)["fear"]
    later = frightened(agent, handle, START + half_life)["fear"]
    assert later == fear / 2


@pytest.mark.parametrize("loss", [0.0, 0.002])
def test_sixty_minutes_are_one_hour(loss: float) -> None:
    paths = []
    for step in (MINUTE, HOUR):
        agent, handle = attached("FearAnalyzer")
        frightened(agent, handle, MIDNIGHT, market(3.0), shadow_drawdown=0.1)
        for ts in range(MIDNIGHT + step, MIDNIGHT + 6 * HOUR + 1, step):
            # The book loses on the hour or not at all; the rest of the world stands still.
            equity = 1.0 - loss * ((ts - MIDNIGHT) // HOUR)
            state = frightened(agent, handle, ts, shadow_equity=equity)
        paths.append(state)
    assert (paths[0]["streak_driver"] > 0) == (loss > 0)
    # A driver that moves within an hour is felt within it; one that stands still fades alike.
    names = ("streak_driver",) if loss else tuple(paths[0])
    for name in names:
        assert paths[0][name] == pytest.approx(paths[1][name], abs=1e-12), name


def test_fear_jumps_up_and_fades_slowly() -> None:
    agent, handle = attached("FearAnalyzer")
    frightened(agent, handle, START)
    high = frightened(agent, handle, START + BAR, shadow_drawdown=0.125)["fear"]
    assert high == pytest.approx(1 - math.exp(-1.25))
    faded = [frightened(agent, handle, START + k * HOUR)["fear"] for k in range(1, 30)]
    assert faded[0] > 0.95 * high
    assert all(b < a for a, b in pairwise(faded))


def test_panic_holds_from_seven_tenths_down_to_a_half() -> None:
    agent, handle = attached("FearAnalyzer")
    # 1 - exp(-d) = .75, d in halves of the limit of .2
    first = frightened(agent, handle, START, shadow_drawdown=0.1 * math.log(4))
    assert (round(first["fear"], 3), first["panic"]) == (0.75, 1.0)
    state = first
    hour = 0
    while state["fear"] >= 0.5:
        assert state["panic"] == 1.0
        hour += 1
        state = frightened(agent, handle, START + hour * HOUR)
    assert state["panic"] == 0.0
    assert hour > 10
    middling = frightened(agent, handle, START + 100 * HOUR, shadow_drawdown=0.1)
    assert 0.5 < middling["fear"] < 0.7
    assert middling["panic"] == 0.0


def test_a_streak_of_losses_hurts_more_than_the_gains_console() -> None:
    def streak(changes: list[float]) -> float:
        agent, handle = attached("FearAnalyzer")
        equity, driver = 1.0, 0.0
        frightened(agent, handle, MIDNIGHT, shadow_equity=equity)
        for hour, change in enumerate(changes, 1):
            equity *= math.exp(change)
            state = frightened(agent, handle, MIDNIGHT + hour * HOUR, shadow_equity=equity)
            driver = state["streak_driver"]
        return driver

    usual = 1e-3 * math.sqrt(12)
    gain = 1.5 / 24
    assert streak([-usual]) == pytest.approx(gain * 2.25 / 3)
    assert streak([-usual, usual]) == pytest.approx(
        (gain * 2.25 * 0.5 ** (1 / 24) - gain) / 3, rel=1e-9
    )
    assert streak([-usual] * 10) > streak([-usual] * 5) > streak([-usual, usual] * 5) > 0
    assert streak([usual] * 5) == 0.0
    assert streak([-100 * usual]) == pytest.approx(3 * gain * 2.25 / 3), "one blow counts as 3"


def test_an_unknown_driver_holds_and_costs_confidence() -> None:
    agent, handle = attached("FearAnalyzer")
    known = frightened(agent, handle, START, market(3.0), shadow_drawdown=0.1)
    blind = lone_tick(agent, handle, START + BAR, performance={"shadow_drawdown": math.nan})
    for name in ("drawdown_driver", "volatility_driver"):
        assert blind[name] == known[name] > 0
    assert blind["fear"] >= known["fear"] - 1e-12
    assert blind["confidence"] < known["confidence"]


def test_capital_and_price_units_leave_fear_alone() -> None:
    hours = Hours(24)
    plain = hours.run("FearAnalyzer")
    for view in hours.performance:
        view["equity"], view["initial_equity"] = view["equity"] * 1000, 1e8
        view["shadow_equity"] *= 1000
    for one, other in zip(plain, hours.run("FearAnalyzer"), strict=True):
        assert one["fear"] == pytest.approx(other["fear"], abs=1e-9)


def test_the_weights_are_those_of_the_docstring() -> None:
    assert dict(FearAnalyzer.weights) == {
        "drawdown": 1.0,
        "volatility": 0.5,
        "streak": 0.3,
        "jump": 0.2,
        "sentiment": 0.2,
    }


# -- ego ----------------------------------------------------------------------------------------


class Trader:
    """A swarm that states log-odds x and is right with the probability of s x."""

    def __init__(self, slope: float, size: float = 0.4, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.slope, self.size = slope, size
        self.sums = dict.fromkeys(("n", "hits", "claimed", "xx", "xy"), 0.0)

    def hour(self, count: int = 24) -> dict[str, Any]:
        x = self.size * self.rng.normal(size=count)
        p = 1 / (1 + np.exp(-x))
        y = self.rng.random(count) < 1 / (1 + np.exp(-self.slope * x))
        self.sums["n"] += count
        self.sums["hits"] += float(np.sum((p > 0.5) == y))
        self.sums["claimed"] += float(np.sum(np.maximum(p, 1 - p)))
        self.sums["xx"] += float(np.sum(0.25 * x * x))
        self.sums["xy"] += float(np.sum(0.5 * x * (y - 0.5)))
        return {f"score_{k}": np.array([0.0, v]) for k, v in self.sums.items()}


def ego_of(slope: float, hours: int = 2000, seed: int = 0, **params: Any) -> dict[str, Any]:
    agent, handle = attached("EgoProcessor", **params)
    trader = Trader(slope, seed=seed)
    for hour in range(hours):
        view = {**trader.hour(), "drawdown": 0.0, "shadow_equity": 1.0}
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
    return state


def test_a_calibrated_trader_is_not_called_overconfident() -> None:
    states = [ego_of(1.0, seed=seed) for seed in range(4)]
    assert abs(np.mean([s["overconfidence"] for s in states])) < 0.01
    assert np.mean([abs(s["ego"]) for s in states]) < 0.3
    assert all(s["calibration"] == pytest.approx(1.0, abs=0.25) for s in states)
    assert np.mean([s["m_ego"] for s in states]) > 0.9
    assert all(s["confidence"] > 0.95 for s in states)


def test_who_claims_more_than_it_shows_is_cut() -> None:
    braggart, fool, modest = ego_of(0.3), ego_of(0.0), ego_of(2.0)
    assert braggart["calibration"] == pytest.approx(0.3, abs=0.2)
    assert braggart["overconfidence"] > 0.02
    assert braggart["ego"] > 0.8
    assert braggart["m_ego"] < 0.4
    assert fool["m_ego"] < 0.25
    assert fool["confidence"] < 0.99
    assert modest["ego"] < -0.5
    assert modest["overconfidence"] < 0
    assert modest["m_ego"] == 1.0, "modesty is no reason to lever up"


def calibration_error(p: Any, y: Any, bins: int = 15) -> float:
    """Expected calibration error with bins of equal mass."""
    order = np.argsort(p)
    groups = np.array_split(order, bins)
    return sum(abs(p[g].mean() - y[g].mean()) * len(g) for g in groups) / len(p)


@pytest.mark.parametrize("boast", [0.5, 1.0, 2.0, 4.0])
def test_the_measured_slope_repairs_stated_confidence(boast: float) -> None:
    """Odds stated too large or too small by a factor are calibrated again after 2,000 forecasts."""
    agent, handle = attached("EgoProcessor")
    trader = Trader(1 / boast, size=0.6 * boast)
    for hour in range(84):
        view = trader.hour()
        slope = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)["calibration"]
    rng = np.random.default_rng(9)
    x = 0.6 * rng.normal(size=20_000)
    y = (rng.random(x.size) < 1 / (1 + np.exp(-x))).astype(float)
    null = math.sqrt(2 / math.pi) * math.sqrt(15 * 0.25 / x.size)
    repaired = calibration_error(1 / (1 + np.exp(-slope * boast * x)), y)
    # The slope itself is known to one standard error after 2,000 forecasts.
    error = 1 / math.sqrt(84 * 24 * 0.25 * 0.36 * boast**2 + 4)
    assert repaired <= null + 0.01 + 2 * error * boast * 0.25 * 0.6 * math.sqrt(2 / math.pi)
    if boast != 1.0:
        assert repaired < 0.6 * calibration_error(1 / (1 + np.exp(-boast * x)), y)


def test_the_hit_rate_is_a_beta_posterior() -> None:
    record = Record()
    record.fold(1.0, 40.0, 29.0, 24.0, 1.0, 0.4)
    exact = stats.beta(1 + 29 / record.dispersion(), 1 + 11 / record.dispersion())
    mean, error = record.rate()
    assert mean == pytest.approx(exact.mean())
    assert error == pytest.approx(exact.std())
    agent, handle = attached("EgoProcessor")
    trader = Trader(1.0)
    for hour in range(60):
        view = trader.hour()
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
    a_b = agent._record
    dispersion = a_b.dispersion()
    a, b = 1 + a_b._hits / dispersion, 1 + (a_b._n - a_b._hits) / dispersion
    assert state["confidence"] == pytest.approx(stats.beta.sf(0.5, a, b), abs=0.02)


def test_hits_that_come_together_count_as_fewer() -> None:
    rng = np.random.default_rng(1)
    alone, together = Record(), Record()
    for _ in range(2000):
        alone.fold(1.0, 24.0, float(rng.binomial(24, 0.5)), 12.0, 0.0, 0.0)
        together.fold(1.0, 24.0, 24.0 * float(rng.random() < 0.5), 12.0, 0.0, 0.0)
    assert alone.dispersion() == pytest.approx(1.0, abs=0.1)
    assert together.dispersion() == pytest.approx(24.0, rel=0.1)
    assert together.rate()[1] > 4 * alone.rate()[1]


def test_stress_follows_the_loss_and_not_the_confidence() -> None:
    levels = []
    for slope in (0.0, 1.0):
        agent, handle = attached("EgoProcessor")
        trader = Trader(slope)
        stress = []
        for hour in range(100):
            view = {**trader.hour(), "drawdown": 0.002 * hour}
            stress.append(
                lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)["stress"]
            )
        levels.append(stress)
    assert levels[0] == levels[1]
    assert all(b > a for a, b in pairwise(levels[0]))
    assert levels[0][50] == pytest.approx(1 - math.exp(-2 * 0.1 / CONTEXT.drawdown_limit))


def test_a_streak_counts_hours_of_one_sign() -> None:
    agent, handle = attached("EgoProcessor")
    equity = [1.0, 1.1, 1.2, 1.2, 1.3, 1.0, 0.9, 1.0]
    streaks = [
        lone_tick(agent, handle, MIDNIGHT + h * HOUR, performance={"shadow_equity": value})[
            "streak"
        ]
        for h, value in enumerate(equity)
    ]
    assert streaks == [0, 1, 2, 2, 3, -1, -2, 1]


def test_the_ego_is_the_same_called_each_minute_or_each_hour() -> None:
    states = []
    for step in (MINUTE, HOUR):
        agent, handle = attached("EgoProcessor")
        trader = Trader(0.3)
        view: dict[str, Any] = {}
        for ts in range(MIDNIGHT, MIDNIGHT + 48 * HOUR + 1, step):
            if ts % HOUR == 0:
                view = {**trader.hour(), "drawdown": 0.1}
            state = lone_tick(agent, handle, ts, performance=view)
        states.append(state)
    for name, value in states[0].items():
        # The mood has moved on within the hours as well; what it moves to is the same.
        assert value == pytest.approx(states[1][name], abs=2e-2 if "ego" in name else 1e-12), name


@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 5), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_record_levers_up(scores: list[tuple[float, ...]]) -> None:
    agent, handle = attached("EgoProcessor")
    names = ("score_n", "score_hits", "score_claimed", "score_xx", "score_xy")
    for hour, row in enumerate(scores):
        view = {name: np.array([value]) for name, value in zip(names, row, strict=True)}
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
        assert 0.0 <= state["m_ego"] <= 1.0


# -- self-awareness -----------------------------------------------------------------------------


class Forecasters:
    """Voters with planted information coefficients; products of standardised vote and return."""

    def __init__(self, ics: list[float], seed: int = 0, per_hour: int = 96) -> None:
        self.ics = np.array([*ics, 0.0])
        self.rng = np.random.default_rng(seed)
        self.per_hour = per_hour
        self.sums = {name: np.zeros(len(ics) + 1) for name in ("n", "xy", "xx", "yy")}

    def hours(self, count: int = 1) -> dict[str, Any]:
        n = count * self.per_hour
        noise = self.rng.normal(size=len(self.ics)) * math.sqrt(n)
        self.sums["n"] += n
        self.sums["xy"] += 0.3 * (n * self.ics + noise)
        self.sums["xx"] += 0.09 * n
        self.sums["yy"] += n
        named = {"n": "ic_n", "xy": "ic_xy", "xx": "ic_xx", "yy": "ic_yy"}
        view: dict[str, Any] = {f"score_{named[k]}": v.copy() for k, v in self.sums.items()}
        return {**view, "score_n": self.sums["n"].copy()}


def aware(voters: int, **params: Any) -> tuple[Any, Any]:
    context = replace(CONTEXT, voters=tuple(f"v{i}" for i in range(voters)))
    return attached("SelfAwarenessAgent", context, **params)


def test_trust_ranks_forecasters_as_their_true_skill_does() -> None:
    ics = list(np.linspace(0.0, 0.03, 20))
    agent, handle = aware(20)
    crowd = Forecasters(list(np.random.default_rng(3).permutation(ics)))
    for step in range(90 * 6):
        state = lone_tick(agent, handle, MIDNIGHT + step * 4 * HOUR, performance=crowd.hours(4))
    true = crowd.ics[:-1]
    assert stats.spearmanr(state["trust"], true).statistic > 0.95
    assert np.abs(state["trust"] - true).max() < 0.01
    inside = np.abs(state["trust"] - true) < 2 * state["trust_error"]
    assert inside.mean() >= 0.8


def test_trust_shrinks_towards_the_family_while_there_is_little_evidence() -> None:
    agent, handle = aware(5)
    crowd = Forecasters([0.02] * 5, per_hour=10)
    for step in range(10):
        state = lone_tick(agent, handle, MIDNIGHT + step * 4 * HOUR, performance=crowd.hours(4))
    raw = agent._raw_ic()
    assert np.ptp(state["trust"]) < 0.3 * np.ptp(raw)
    assert (state["trust_error"] > 0).all()


def test_lost_skill_is_detected_after_the_time_theory_says() -> None:
    ic, threshold, per_hour = 0.10, 4.6, 20
    theory = (threshold - 1) / (ic * ic / 2)
    delays = []
    # Many voters at once; each has just lost a skill of .10.
    agent, handle = aware(400, reference_ic=ic, threshold=threshold, period="1h", half_life="3650d")
    crowd = Forecasters([0.0] * 400, per_hour=per_hour)
    hit = np.full(400, np.nan)
    for hour in range(1, 400):
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=crowd.hours())
        newly = np.isnan(hit) & (state["drift"] >= 1.0)
        hit[newly] = (hour - 1) * per_hour
        if not np.isnan(hit).any():
            break
    delays = hit[~np.isnan(hit)]
    assert len(delays) > 380
    assert np.median(delays) == pytest.approx(theory, rel=0.25)


def test_a_skilled_voter_seldom_alarms_and_an_alarm_ends_when_skill_returns() -> None:
    agent, handle = aware(50, reference_ic=0.1, period="1h")
    crowd = Forecasters([0.1] * 50, per_hour=20)
    alarmed = np.zeros(50, dtype=bool)
    hours = iter(range(1, 1000))

    def run(count: int) -> dict[str, Any]:
        for hour in islice(hours, count):
            state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=crowd.hours())
            np.logical_or(alarmed, state["drift"] >= 1, out=alarmed)
        return state

    run(200)
    # Mean run without a false alarm is about 18,000 observations; these are 4,000.
    assert alarmed.mean() < 0.35
    crowd.ics[:25] = 0.0
    assert (run(120)["drift"][:25] == 1).mean() > 0.9
    crowd.ics[:25] = 0.1
    assert (run(150)["drift"][:25] < 1).mean() > 0.9


def test_alarms_are_as_rare_in_a_crowd_that_moves_together() -> None:
    class Herd(Forecasters):
        """Eight symbols carry one product: 20 independent observations look like 160."""

        def hours(self, count: int = 1) -> dict[str, Any]:
            n = count * self.per_hour
            self.sums["xy"] += 0.3 * self.rng.normal(size=len(self.ics)) * math.sqrt(7 * n)
            return super().hours(count)

    agent, handle = aware(60, reference_ic=0.1, period="1h")
    crowd = Herd([0.1] * 60, per_hour=160)
    for hour in range(1, 200):
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=crowd.hours())
    assert agent._phi.mean() > 4
    assert (state["drift"] >= 1).mean() < 0.2


def test_the_number_of_opinions() -> None:
    rng = np.random.default_rng(2)
    independent = rng.normal(size=(6, 4000))
    same = np.repeat(rng.normal(size=(1, 4000)), 6, axis=0)
    pairs = np.concatenate([independent[:3], independent[:3]])

    def number(votes: Any) -> float:
        return effective_number(votes @ votes.T)[0]

    assert number(independent) == pytest.approx(6, abs=0.1)
    assert number(same) == pytest.approx(1, abs=1e-9)
    assert number(-same * np.arange(1, 7)[:, None]) == pytest.approx(1, abs=1e-9)
    assert number(pairs) == pytest.approx(3, abs=0.1)
    lam = np.linalg.eigvalsh(np.corrcoef(independent[:, :50]))
    assert number(
        independent[:, :50] - independent[:, :50].mean(axis=1, keepdims=True)
    ) == pytest.approx(lam.sum() ** 2 / (lam**2).sum())


def test_a_crowd_that_begins_to_agree_is_herding() -> None:
    agent, handle = attached("SelfAwarenessAgent")
    rng = np.random.default_rng(5)
    symbols = len(CONTEXT.symbols)

    def look(step: int, alike: bool) -> dict[str, Any]:
        ts = MIDNIGHT + step * 4 * HOUR
        handle.clock.advance_to(ts)
        common = rng.normal(size=symbols)
        for voter in VOTERS:
            own = common if alike else rng.normal(size=symbols)
            handle.put(voter, {"forecast": 0.5 + 0.02 * own})
        return lone_tick(agent, handle, ts)

    for step in range(300):
        state = look(step, alike=False)
    assert state["m_herd"] > 0.95
    assert state["coherence"] < 0.2
    assert state["opinions"] > 3.5
    for step in range(300, 400):
        state = look(step, alike=True)
    assert state["coherence"] > 0.8
    assert state["m_herd"] < 0.7


def test_a_vote_of_the_guides_form_is_heard_too() -> None:
    agent, handle = attached("SelfAwarenessAgent")
    handle.clock.advance_to(START)
    handle.put(VOTERS[0], {"signal": 0.4})
    handle.put(VOTERS[1], {"signal": {"AAA/USD": -1.0}})
    handle.put(VOTERS[2], {"forecast": "up"})
    assert lone_tick(agent, handle, START)["opinions"] == pytest.approx(
        effective_number(np.array([[0.12, -0.1], [-0.1, 0.25]]))[0]
    )


# -- the gate -----------------------------------------------------------------------------------


def factors(
    handle: Any,
    ego: float = 1.0,
    fear: float = 0.0,
    herd: float = 1.0,
    risk: float = 1.0,
    greed: float = 1.0,
) -> None:
    handle.put("EgoProcessor", {"m_ego": ego})
    handle.put("FearAnalyzer", {"fear": fear, "m_fear": 1 - 0.8 * fear})
    handle.put("GreedSensor", {"m_greed": greed})
    handle.put("SelfAwarenessAgent", {"m_herd": herd})
    handle.put("RiskSentinel", {"risk_budget": risk})


def gated(agent: Any, handle: Any, ts: int, gateway: str = "ACTIVE", **given: float) -> Any:
    handle.clock.advance_to(ts)
    if given:
        factors(handle, **given)
    return lone_tick(agent, handle, ts, execution={"gateway": gateway})


def test_the_gate_is_the_product_of_its_factors() -> None:
    agent, handle = attached("ArchCtrl")
    state = gated(agent, handle, START, ego=0.9, fear=0.5, greed=0.95, herd=0.8, risk=0.7)
    assert state["gate"] == pytest.approx(0.9 * 0.6 * 0.95 * 0.8 * 0.7)
    assert state["confidence"] == 1.0
    assert state["reasons"] == "ego ×0.90, fear ×0.60, greed ×0.95, herd ×0.80, risk ×0.70"


UNIT = st.floats(-2, 2)


@given(st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_gate_stays_within_zero_and_one(rows: list[tuple[float, ...]]) -> None:
    agent, handle = attached("ArchCtrl")
    for hour, (ego, fear, herd, risk) in enumerate(rows):
        ts = START + hour * HOUR
        state = gated(agent, handle, ts, ego=ego, fear=fear, herd=herd, risk=risk)
        assert 0.0 <= state["gate"] <= 1.0


def test_without_reports_the_gate_does_not_open() -> None:
    agent, handle = attached("ArchCtrl")
    handle.members = {"EgoProcessor", "FearAnalyzer", "SelfAwarenessAgent", "RiskSentinel"}
    state = gated(agent, handle, START)
    assert state["gate"] == 0.0
    assert "FearAnalyzer has not reported" in state["reasons"]
    assert gated(agent, handle, START + HOUR, ego=1.0)["gate"] == 1.0


def test_an_agent_that_is_not_in_the_swarm_has_no_factor() -> None:
    agent, handle = attached("ArchCtrl")
    handle.clock.advance_to(START)
    handle.put("FearAnalyzer", {"fear": 0.5, "m_fear": 0.6})
    state = gated(agent, handle, START)
    assert state["gate"] == pytest.approx(0.6)
    assert "no EgoProcessor" in state["reasons"]
    assert state["confidence"] < 1
    # But one that was there and has left is missed.
    del handle.states["FearAnalyzer"]
    state = gated(agent, handle, START + HOUR)
    assert state["gate"] == pytest.approx(0.6)
    assert "FearAnalyzer has left the swarm" in state["reasons"]


def test_stale_inputs_let_the_gate_fall_and_not_rise() -> None:
    agent, handle = attached("ArchCtrl")
    assert gated(agent, handle, START, ego=0.5)["gate"] == pytest.approx(0.5)
    handle.put("FearAnalyzer", {"fear": 0.25, "m_fear": 0.8})
    for hour in range(1, 8):
        ts = START + hour * HOUR
        handle.clock.advance_to(ts)
        handle.put("EgoProcessor", {"m_ego": 1.0})
        handle.put("GreedSensor", {"m_greed": 1.0})
        handle.put("SelfAwarenessAgent", {"m_herd": 1.0})
        handle.put("RiskSentinel", {"risk_budget": 1.0 if hour < 6 else 0.1})
        state = gated(agent, handle, ts)
        if hour <= 3:
            assert state["gate"] == pytest.approx(0.8), "three cadences old is not stale"
        elif hour < 6:
            assert "FearAnalyzer is" in state["reasons"]
            assert state["gate"] == pytest.approx(0.8), "it may not rise, nor need it fall"
        else:
            assert state["gate"] == pytest.approx(0.08)
    handle.put("RiskSentinel", {"risk_budget": 1.0})
    assert gated(agent, handle, START + 8 * HOUR)["gate"] == pytest.approx(0.08)
    assert gated(agent, handle, START + 9 * HOUR, ego=1.0)["gate"] == 1.0


def test_an_agent_that_is_down_counts_as_stale() -> None:
    agent, handle = attached("ArchCtrl")
    gated(agent, handle, START, ego=0.5)
    handle.put("EgoProcessor", {"m_ego": 1.0}, stale=True)
    state = gated(agent, handle, START + HOUR)
    assert state["gate"] == pytest.approx(0.5)
    assert "EgoProcessor is down" in state["reasons"]


def test_a_veto_lasts_its_cool_down_in_time_and_then_ends() -> None:
    agent, handle = attached("ArchCtrl", cool_down="12h")
    assert gated(agent, handle, START, fear=0.95)["gate"] == 0.0
    for hour in range(1, 12):
        state = gated(agent, handle, START + hour * HOUR, fear=0.1)
        assert (state["gate"], state["veto"]) == (0.0, 1.0)
        assert state["cool_down"] == 3600.0 * (12 - hour)
        assert f"veto of fear, {12 - hour}h left" in state["reasons"]
    state = gated(agent, handle, START + 12 * HOUR, fear=0.1)
    assert (state["gate"], state["veto"]) == (pytest.approx(0.92), 0.0)


@given(
    st.sampled_from(["HALTED", "REDUCING", "halted"]),
    st.tuples(UNIT, UNIT, UNIT, UNIT),
    st.dictionaries(st.sampled_from(["override", "gate", "m_ego", "fear"]), UNIT),
)
@settings(max_examples=60, deadline=None)
def test_nothing_opens_the_gate_of_a_closed_gateway(
    gateway: str, given_factors: tuple[float, ...], extra: dict[str, float]
) -> None:
    agent, handle = attached("ArchCtrl")
    open_ = gated(agent, handle, START, ego=0.6)["gate"]
    names = ("ego", "fear", "herd", "risk")
    for hour in range(1, 4):
        factors(handle, **dict(zip(names, given_factors, strict=True)))
        handle.put("EgoProcessor", {"m_ego": 1.0, **extra})
        state = gated(agent, handle, START + hour * HOUR, gateway)
        assert 0.0 <= state["gate"] <= open_
        assert gateway.upper() in state["reasons"]
        open_ = state["gate"]


def test_a_stop_that_keeps_the_book_leaves_the_gate_as_it_was() -> None:
    """What the swarm goes on from when the stop is lifted."""
    agent, handle = attached("ArchCtrl")
    assert gated(agent, handle, START, ego=0.5)["gate"] == pytest.approx(0.5)
    for hour in (1, 2):
        state = gated(agent, handle, START + hour * HOUR, "HALTED", ego=0.9)
        assert state["gate"] == pytest.approx(0.5)
    assert gated(agent, handle, START + 3 * HOUR, ego=0.9)["gate"] == pytest.approx(0.9)


def test_the_swarm_recovers_after_it_was_cut_to_nothing() -> None:
    """Fear is read off the shadow book, so a gate of 0 is no end."""
    fear, fear_handle = attached("FearAnalyzer")
    gate, gate_handle = attached("ArchCtrl")
    gates = []
    for hour in range(200):
        ts = MIDNIGHT + hour * HOUR
        # A crash of the shadow book that is made good from the second day on.
        drawdown = 1.5 if hour < 24 else max(0.0, 1.5 - 0.05 * (hour - 24))
        state = frightened(fear, fear_handle, ts, shadow_drawdown=drawdown)
        gate_handle.clock.advance_to(ts)
        factors(gate_handle)
        gate_handle.put("FearAnalyzer", state)
        gates.append(gated(gate, gate_handle, ts)["gate"])
    assert max(gates[:30]) == 0.0
    assert gates[-1] > 0.9
