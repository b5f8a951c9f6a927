"""RegimeOracle and MacroWatcher on markets whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from agents_world import BAR, CONTEXT, analyze_block, attached, categorized, market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.agents.analysts.switching import SwitchingFilter
from mirrorcore.clock import DAY, HOUR
from mirrorcore.data_sources.simulation.model import MarketModel
from mirrorcore.data_sources.simulation.presets import preset
from mirrorcore.market.block import Floats, MarketBlock, Series
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.features import FeatureEngine

HOURLY = HOUR // BAR

# -- regimes --------------------------------------------------------------------------------------


def planted(segments: list[tuple[int, float]], seed: int) -> dict[str, Floats]:
    """RegimeOracle over stretches of (hours, volatility), three symbols of one factor."""
    rng = np.random.default_rng(seed)
    vol = np.concatenate([np.full(hours * HOURLY, v) for hours, v in segments])
    factor, own = rng.normal(size=(len(vol), 1)), rng.normal(size=(len(vol), 3))
    returns = 1e-3 * vol[:, None] * (0.9 * factor + np.sqrt(1 - 0.81) * own)
    agent, _ = attached("RegimeOracle")
    return analyze_block(agent, categorized(market_of(returns)))


NAMES = ("p_calm", "p_normal", "p_turbulent", "p_crisis")


def test_regime_probabilities_sum_to_one() -> None:
    states = planted([(240, 1.0), (24, 3.0), (100, 0.5)], 0)
    total = sum(states[name] for name in NAMES)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    best = np.argmax(np.stack([states[name] for name in NAMES]), axis=0)
    assert np.array_equal(states["regime"], best)


def test_a_planted_switch_is_seen_within_hours_at_a_low_rate_of_false_alarms() -> None:
    """From usual to double volatility: within 6 h in 19 of 20, at most one alarm in 20 quiet days.

    The alarm is a probability of turbulence or crisis above one half.
    """
    delays, false_alarms, quiet_hours = [], 0, 0
    for seed in range(20):
        states = planted([(20 * 24, 1.0), (48, 2.0)], seed)
        alarm = states["p_turbulent"] + states["p_crisis"] > 0.5
        hourly = alarm[HOURLY - 1 :: HOURLY]
        begun = 20 * 24
        quiet = hourly[5 * 24 : begun]  # after the filter has learned what is usual
        false_alarms += int(np.count_nonzero(quiet[1:] & ~quiet[:-1]))
        quiet_hours += len(quiet)
        after = np.flatnonzero(hourly[begun:])
        delays.append(int(after[0]) if after.size else 999)
        change = states["change_probability"]
        assert change[(begun + 6) * HOURLY] > 0.5 > change[(begun - 1) * HOURLY]
    assert sorted(delays)[18] < 6
    assert false_alarms <= quiet_hours / 24 / 20


def test_direction_and_units_of_volatility_say_nothing() -> None:
    returns = 1e-3 * np.random.default_rng(1).normal(size=(3_000, 3))
    one = analyze_block(attached("RegimeOracle")[0], categorized(market_of(returns)))
    other = analyze_block(attached("RegimeOracle")[0], categorized(market_of(-returns * 4)))
    for name in NAMES:
        np.testing.assert_allclose(one[name], other[name], atol=1e-9)


def test_the_filter_is_bayes_rule_over_all_paths() -> None:
    """Against the sum over every path of states, for a short history."""
    from itertools import pairwise, product

    levels, stays, readings = (0.0, 1.0, 2.5), (5.0, 3.0, 2.0), (0.2, 1.3, 0.9, 2.2)
    follower = SwitchingFilter(levels, stays, ages=2)
    for reading in readings:
        follower.step(reading, 0.5)
    weights = np.zeros(3)
    recent = total = 0.0
    for path in product(range(3), repeat=len(readings) + 1):
        chance = 1 / 3
        for a, b in pairwise(path):
            chance *= 1 - 1 / stays[a] if a == b else 1 / stays[a] / 2
        for state, reading in zip(path[1:], readings, strict=True):
            chance *= np.exp(-0.5 * (reading - levels[state]) ** 2 / 0.5)
        weights[path[-1]] += chance
        total += chance
        recent += chance if path[-1] != path[-2] or path[-2] != path[-3] else 0.0
    np.testing.assert_allclose(follower.states(), weights / total, rtol=1e-9)
    assert follower.recent() == pytest.approx(recent / total)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_reading_breaks_the_filter(readings: list[tuple[float, float]]) -> None:
    follower = SwitchingFilter((0.0, 1.0, 2.0), (9.0, 5.0, 3.0), ages=4)
    for reading, variance in readings:
        follower.step(reading, variance)
    assert follower.states().sum() == pytest.approx(1.0)
    assert 0.0 <= follower.recent() <= 1.0 + 1e-12


# -- macro ----------------------------------------------------------------------------------------


@cache
def simulated(name: str, seed: int, years: int) -> CategorizedBlock:
    """Hourly bars of three symbols of a preset, with its macro releases."""
    symbols = CONTEXT.symbols
    model = MarketModel(preset(name), seed, symbols, HOUR, 10 * 365 * DAY)
    blocks = []
    while sum(len(block.ts) for block in blocks) < years * 365 * 24:
        blocks.append(model.next_block())
    ts = np.concatenate([block.ts for block in blocks])
    shape = (len(ts), len(symbols))
    rows: dict[str, Any] = {
        key: np.concatenate([getattr(block, key) for block in blocks], axis=1).T.copy()
        for key in ("open", "high", "low", "close", "volume")
    }
    value = np.concatenate([block.series["macro.surprise"][0][0] for block in blocks])
    known = np.concatenate([block.series["macro.surprise"][1] for block in blocks])
    series = Series(
        np.repeat(value[:, None], shape[1], axis=1), np.repeat(known[:, None], shape[1], axis=1)
    )
    market = MarketBlock(
        index=0,
        ts=ts,
        present=np.ones(shape, dtype=bool),
        open_ts=np.repeat((ts - HOUR)[:, None], shape[1], axis=1),
        flags=np.zeros(shape, dtype=np.int64),
        series={"macro.surprise": series},
        **rows,
    )
    return FeatureEngine(shape[1], HOUR).update(market)


def watched(name: str, seed: int, years: int, **params: Any) -> dict[str, Floats]:
    agent, _ = attached("MacroWatcher", replace(CONTEXT, bar_ns=HOUR), **params)
    return analyze_block(agent, simulated(name, seed, years))


def test_the_planted_drift_is_found_with_its_sign_and_nothing_where_there_is_none() -> None:
    """Twenty years of weekly releases, worth 4 to 5 standard errors in the default market."""
    found = [watched("default", seed, 20) for seed in range(2)]
    empty = [watched("null", seed, 20) for seed in range(2)]
    for states in found:
        assert states["drift"][-1] > 2.0
        late = slice(-3 * 365 * 24, None)
        vote = states["forecast"][late] - 0.5
        speaks = vote[:, 0] != 0.0
        assert speaks.any()
        assert np.all(np.sign(vote[speaks, 0]) == np.sign(states["surprise"][late][speaks]))
        assert np.all(vote == vote[:, :1]), "one vote for all symbols"
    for states in empty:
        assert abs(states["drift"][-1]) < 2.0
        assert np.all(states["forecast"][-365 * 24 :] == 0.5)


def test_it_speaks_within_the_window_alone() -> None:
    states = watched("default", 0, 20)
    outside = states["event_window"] == 0.0
    assert np.all(states["forecast"][outside & np.isfinite(states["forecast"][:, 0])] == 0.5)
    assert np.all(states["risk_on"][outside] == 0.0)
    # Six bars of an hour from the one that published it: the window opens at the exact instant.
    known = simulated("default", 0, 20).known_at["macro"]["surprise"][:, 0]
    ts = simulated("default", 0, 20).market.ts
    expected = (known > 0) & (ts - known < 6 * HOUR)
    assert np.array_equal(states["event_window"] == 1.0, expected)


def test_a_value_that_is_known_later_counts_later() -> None:
    """The vintage: what was published a day late opens its window a day late."""
    data = simulated("default", 0, 1)
    late = DAY // HOUR
    column, stamp = data.values["macro"]["surprise"], data.known_at["macro"]["surprise"]
    blank = np.full_like(column[:late], np.nan)
    moved = CategorizedBlock(
        data.market,
        {**data.values, "macro": {"surprise": np.concatenate([blank, column[:-late]])}},
        {
            **data.known_at,
            "macro": {
                "surprise": np.concatenate(
                    [np.zeros_like(stamp[:late]), np.where(stamp > 0, stamp + DAY, 0)[:-late]]
                )
            },
        },
    )
    context = replace(CONTEXT, bar_ns=HOUR)
    on_time = analyze_block(attached("MacroWatcher", context)[0], data)["event_window"]
    delayed = analyze_block(attached("MacroWatcher", context)[0], moved)["event_window"]
    assert on_time.any()
    assert np.array_equal(delayed[late:], on_time[:-late])
    assert not delayed[:late].any()


def test_units_of_the_surprise_do_not_matter() -> None:
    data = simulated("default", 0, 1)
    scaled = CategorizedBlock(
        data.market,
        {**data.values, "macro": {"surprise": 250.0 * data.values["macro"]["surprise"]}},
        data.known_at,
    )
    context = replace(CONTEXT, bar_ns=HOUR)
    one = analyze_block(attached("MacroWatcher", context)[0], data)
    other = analyze_block(attached("MacroWatcher", context)[0], scaled)
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-9, atol=1e-12, err_msg=name)
