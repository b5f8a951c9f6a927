"""FlowReader, FundamentalSage and PairsArb on markets whose answer is known."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agents_world import BAR, CONTEXT, START, Stage, attached, categorized, market_of, walk

from mirrorcore.agents.analysts.cointegration import critical_value, find_pairs
from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Floats, MarketBlock
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.swarm.contract import same_bits

VOTERS = ("FlowReader", "FundamentalSage", "PairsArb")


def _whole(value: Floats) -> Floats:
    return np.repeat(value[:, np.newaxis], 3, axis=1)


def _with(ticks: int, series: dict[str, Floats], returns: Floats | None = None) -> CategorizedBlock:
    moves = walk(ticks) if returns is None else returns
    return categorized(market_of(moves, series=series))


# -- without data -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VOTERS)
def test_without_data_there_is_no_opinion(name: str) -> None:
    output = Stage(categorized(market_of(walk(400)))).output(name)
    assert np.isnan(output["forecast"]).all()
    assert (output["confidence"] == 0).all()


@pytest.mark.parametrize("name", ["FlowReader", "FundamentalSage"])
def test_without_data_a_block_costs_next_to_nothing(name: str) -> None:
    stage = Stage(categorized(market_of(walk(4096))))
    agent, _ = attached(name)
    scout, _ = attached("MomentumScout")

    def cost(one: Any) -> float:
        began = time.process_time()
        stage.feed(one, 0, 4096, 4096)
        return time.process_time() - began

    assert min(cost(agent) for _ in range(5)) < 0.3 * min(cost(scout) for _ in range(5))


@pytest.mark.parametrize("name", ["FlowReader", "FundamentalSage"])
def test_a_series_that_begins_late_gives_the_same_as_one_that_was_always_there(name: str) -> None:
    """Live a series is absent until its first value, in replay it is there and unknown."""
    ticks, begins = 700, 300
    series = {
        "technical.trade_imbalance": np.sin(np.arange(ticks)),
        "fundamental.supply": np.full(ticks, 1e7),
        "fundamental.activity": 1e5 + 100.0 * (np.arange(ticks) // 50),
    }
    for value in series.values():
        value[:begins] = np.nan
    whole = _with(ticks, {label: _whole(value) for label, value in series.items()})
    bare = categorized(market_of(walk(ticks)))
    agent, _ = attached(name)
    one = Stage(whole).output(name)
    first = Stage(bare).feed(agent, 0, begins, 100)
    second = Stage(whole).feed(agent, begins, ticks, 100)
    joined = {field: np.concatenate([first[field], second[field]]) for field in first}
    assert same_bits(one, joined) == []


# -- FlowReader ---------------------------------------------------------------------------------


def test_buyers_in_a_hurry_are_followed_and_mirrored_flow_is_leant_against() -> None:
    rng = np.random.default_rng(3)
    flow = np.clip(0.1 * rng.normal(size=400), -1, 1)
    flow[390:] = 0.9
    bought = Stage(_with(400, {"technical.trade_imbalance": _whole(flow)})).output("FlowReader")
    sold = Stage(_with(400, {"technical.trade_imbalance": _whole(-flow)})).output("FlowReader")
    assert (bought["forecast"][-1] > 0.55).all()
    np.testing.assert_allclose(bought["forecast"] + sold["forecast"], 1.0, atol=1e-12)
    assert bought["toxicity"][-1, 0] == pytest.approx(0.64, abs=0.02)
    np.testing.assert_array_equal(bought["toxicity"], sold["toxicity"])


def test_the_imbalance_equals_one_computed_by_hand() -> None:
    flow = np.array([0.5, -0.25, 1.0])
    output = Stage(_with(3, {"technical.book_imbalance": _whole(flow)})).output("FlowReader")
    keep = 2.0 ** (-BAR / (30 * MINUTE))
    smooth = [
        sum(f * keep ** (t - s) for s, f in enumerate(flow[: t + 1]))
        / sum(keep ** (t - s) for s in range(t + 1))
        for t in range(3)
    ]
    slow = 2.0 ** (-BAR / (30 * DAY))
    weights = slow ** np.arange(2, -1, -1)
    rms = np.sqrt(np.sum(weights * np.square(smooth)) / weights.sum())
    assert output["imbalance"][-1, 0] == pytest.approx(smooth[-1] / rms, rel=1e-9)
    assert np.isnan(output["toxicity"]).all()  # there were no trades


def test_a_spread_wider_than_usual_takes_from_the_vote() -> None:
    flow = np.full(400, 0.5)
    spread = np.full(400, 2.0)
    wide = spread.copy()
    wide[-1] = 20.0
    series = {"technical.trade_imbalance": _whole(flow), "risk.spread_bps": _whole(spread)}
    calm = Stage(_with(400, series)).output("FlowReader")
    torn = Stage(_with(400, {**series, "risk.spread_bps": _whole(wide)})).output("FlowReader")
    assert calm["imbalance"][-1, 0] == pytest.approx(1.0, rel=1e-6)
    assert torn["imbalance"][-1, 0] == pytest.approx(2.045 / 20, rel=0.01)
    assert torn["spread"][-1, 0] == 20.0


def test_old_flow_is_no_flow() -> None:
    flow = np.full(400, 0.5)
    data = _with(400, {"technical.trade_imbalance": _whole(flow)})
    frozen = data.known_at["technical"]["trade_imbalance"].copy()
    frozen[200:] = frozen[200]
    known = {
        **data.known_at,
        "technical": {**data.known_at["technical"], "trade_imbalance": frozen},
    }
    output = Stage(CategorizedBlock(data.market, data.values, known)).output("FlowReader")  # type: ignore[arg-type]
    assert np.isfinite(output["forecast"][212]).all()
    assert np.isnan(output["forecast"][213:]).all()
    assert (output["confidence"][213:] == 0).all()


# -- FundamentalSage ----------------------------------------------------------------------------


def _network(ticks: int, activity: Floats, returns: Floats, **more: Floats) -> Stage:
    series = {
        "fundamental.supply": _whole(np.full(ticks, 1e7)),
        "fundamental.activity": _whole(activity),
        **{f"fundamental.{name}": _whole(value) for name, value in more.items()},
    }
    return Stage(_with(ticks, series, returns))


def test_dear_against_its_use_is_leant_against_and_use_that_grows_with_it_is_not() -> None:
    ticks = 900
    moves = walk(ticks)
    moves[800:] += 2e-3
    steady = _network(ticks, np.full(ticks, 1e5), moves).output("FundamentalSage")
    assert (steady["fair_gap"][-1] > 1.5).all()
    assert (steady["forecast"][-1] < 0.48).all()
    risen = np.where(np.arange(ticks) < 800, 1.0, np.exp(2e-3 * (np.arange(ticks) - 799)))
    grown = _network(ticks, 1e5 * risen, moves).output("FundamentalSage")
    assert (grown["fair_gap"][-1] < steady["fair_gap"][-1] - 1.0).all()


def test_an_unlock_that_is_due_presses_and_a_stale_calendar_does_not() -> None:
    ticks = 400
    share = np.where(np.arange(ticks) < 100, 0.0, 0.02)
    output = Stage(_with(ticks, {"fundamental.unlock_share": _whole(share)})).output(
        "FundamentalSage"
    )
    assert (output["unlock_pressure"][:100] == 0).all()
    np.testing.assert_allclose(output["unlock_pressure"][100:], 2.0)
    assert np.isnan(output["forecast"][:100]).all()
    np.testing.assert_allclose(output["forecast"][100:], 1 / (1 + np.exp(2.0 * 0.08)))
    data = _with(ticks, {"fundamental.unlock_share": _whole(np.full(ticks, 0.02))})
    frozen = np.full((ticks, 3), data.market.ts[0])
    known = {**data.known_at, "fundamental": {"unlock_share": frozen}}
    old = Stage(CategorizedBlock(data.market, data.values, known)).run(  # type: ignore[arg-type]
        "FundamentalSage", ticks, stale_after="12h"
    )
    assert np.isfinite(old["forecast"][144]).all()
    assert np.isnan(old["forecast"][145:]).all()


def test_an_event_is_risk_that_grows_while_nothing_new_is_said_and_no_vote() -> None:
    ticks = 400
    data = _with(ticks, {"fundamental.event_in_days": _whole(np.full(ticks, 1.0))})
    known = {
        **data.known_at,
        "fundamental": {"event_in_days": np.full((ticks, 3), data.market.ts[0])},
    }
    output = Stage(CategorizedBlock(data.market, data.values, known)).output("FundamentalSage")  # type: ignore[arg-type]
    days = 1.0 - np.arange(ticks) * BAR / DAY
    np.testing.assert_allclose(output["days_to_event"][:288, 0], days[:288], atol=1e-9)
    np.testing.assert_allclose(output["event_risk"][:288, 0], 2.0 ** (-days[:288] / 2.0))
    # What is past is no event ahead.
    assert np.isnan(output["days_to_event"][289:]).all()
    assert (output["event_risk"][289:] == 0).all()
    assert np.isnan(output["forecast"]).all()


def test_swaps_count_by_their_own_usual_size() -> None:
    flow = 1e6 * np.random.default_rng(4).normal(size=300)
    one = Stage(_with(300, {"onchain.dex_flow": _whole(flow)})).output("FlowReader")
    other = Stage(_with(300, {"onchain.dex_flow": _whole(1e-6 * flow)})).output("FlowReader")
    assert np.isfinite(one["forecast"][-1]).all()
    np.testing.assert_allclose(one["imbalance"], other["imbalance"], rtol=1e-9)


# -- PairsArb -----------------------------------------------------------------------------------

QUICK = {"sample": "5m", "window": 120, "review": "6h"}


def _planted(ticks: int, seed: int = 1) -> Floats:
    """Log returns of three symbols: the second follows 1.5 of the first, the third nobody."""
    rng = np.random.default_rng(seed)
    first, third = np.cumsum(1e-3 * rng.normal(size=(2, ticks)), axis=1)
    gap = np.zeros(ticks)
    for t in range(1, ticks):
        gap[t] = 0.7 * gap[t - 1] + 5e-4 * rng.normal()
    levels = np.stack([first, 1.5 * first + gap, third], axis=1)
    return np.diff(levels, axis=0, prepend=0.0)


def _pairs(data: CategorizedBlock, size: int = 4096, **params: Any) -> dict[str, Floats]:
    return Stage(data).run("PairsArb", size, **{**QUICK, **params})


def test_a_planted_pair_is_found_with_its_slope() -> None:
    output = _pairs(categorized(market_of(_planted(600))))
    last = output["pair"][-1]
    assert last[:2].tolist() == [1.0, 0.0]
    assert np.isnan(last[2])
    assert output["beta"][-1, 1] == pytest.approx(1.5, rel=0.1)
    assert output["statistic"][-1, 1] < critical_value(0.01, 120)
    assert output["confidence"][-1] == pytest.approx(2 / 3)
    assert np.isnan(output["forecast"][:120]).all()


def test_it_leans_against_the_residual_and_its_votes_are_right() -> None:
    returns = _planted(3000)
    output = _pairs(categorized(market_of(returns)))
    z, forecast = output["spread_z"][:-1, 1], output["forecast"][:-1, 1]
    said = np.isfinite(forecast)
    assert said.sum() > 1500
    assert (np.sign(forecast[said] - 0.5) == -np.sign(z[said])).all()
    # The pair's return after the vote: the second less 1.5 times the first.
    follows = (returns[1:, 1] - 1.5 * returns[1:, 0])[said]
    assert np.corrcoef(forecast[said] - 0.5, follows)[0, 1] > 0.2


@pytest.mark.parametrize("size", [1, 7, 97])
def test_blocks_of_any_size_find_the_same_pairs(size: int) -> None:
    data = categorized(market_of(_planted(400)))
    whole = _pairs(data)
    assert np.isfinite(whole["forecast"]).any()
    assert same_bits(whole, _pairs(data, size)) == []


def test_the_future_changes_no_pair() -> None:
    data = categorized(market_of(_planted(500)))
    whole, short = _pairs(data), _pairs(data.rows(0, 300))
    assert same_bits({name: values[:300] for name, values in whole.items()}, short) == []


def test_a_pair_goes_on_from_its_checkpoint() -> None:
    data = categorized(market_of(_planted(500)))
    stage = Stage(data)
    agent, _ = attached("PairsArb", **QUICK)
    stage.feed(agent, 0, 290, 50)
    saved = agent.checkpoint()
    stage.feed(agent, 290, 500, 50)
    fresh, _ = attached("PairsArb", **QUICK)
    fresh.restore(saved)
    rest = stage.feed(fresh, 290, 500, 70)
    whole = _pairs(data)
    assert same_bits({name: values[290:] for name, values in whole.items()}, rest) == []


def test_a_pair_that_breaks_is_given_up_until_the_next_review() -> None:
    reviews = (START + BAR * np.arange(600)) // (6 * HOUR)
    returns = _planted(600)
    calm = np.isfinite(_pairs(categorized(market_of(returns)))["forecast"][:, 1])
    begins = (np.flatnonzero(np.diff(reviews)) + 1).tolist()
    review = next(row for row in begins if row < 500 and calm[row : row + 72].all())
    broken = review + 5
    returns[broken, 1] += 0.2
    output = _pairs(categorized(market_of(returns)))["forecast"][:, 1]
    assert np.isfinite(output[review:broken]).all()
    assert np.isnan(output[broken : review + 72]).all()


def test_without_a_partners_price_there_is_no_opinion() -> None:
    present = np.ones((600, 3), dtype=bool)
    present[500:, 0] = False
    output = _pairs(categorized(market_of(_planted(600), present=present)))
    assert np.isfinite(output["forecast"][499, 1])
    assert np.isnan(output["forecast"][520:, 1]).all()


@pytest.mark.parametrize("level", [0.01, 0.05, 0.10])
def test_unrelated_walks_pair_no_more_often_than_the_level_says(level: float) -> None:
    rng = np.random.default_rng(11)
    runs, samples = 3000, 120
    found = sum(
        find_pairs(np.cumsum(rng.normal(size=(samples, 2)), axis=0), level).partner[0] >= 0
        for _ in range(runs)
    )
    # A slope below 0 is no pair: half of the rejections at most, in fact about as many.
    rate = found / runs
    error = np.sqrt(level * (1 - level) / runs)
    assert rate <= level / 2 + 4 * error
    assert rate > level / 10


def test_the_critical_values_reject_as_often_as_they_say() -> None:
    from mirrorcore.agents.analysts.cointegration import _reversion

    rng = np.random.default_rng(5)
    samples, runs = 240, 4000
    x, y = np.cumsum(rng.normal(size=(2, samples, runs)), axis=1)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    residual = y - x * (np.sum(x * y, axis=0) / np.sum(x * x, axis=0))
    statistic = _reversion(residual)
    for level in (0.01, 0.05, 0.10):
        rate = np.mean(statistic < critical_value(level, samples))
        assert rate == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / runs))


def test_copies_of_one_price_are_no_pair() -> None:
    path = np.cumsum(np.random.default_rng(2).normal(size=(120, 1)), axis=0)
    pairs = find_pairs(np.concatenate([path, path], axis=1), 0.05)
    assert (pairs.partner == -1).all()


def test_a_level_nobody_tabulated_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"level was 0\.2"):
        attached("PairsArb", level=0.2)


def test_prices_are_compared_as_they_stood_before_the_sample() -> None:
    """A context of hourly bars: a sample each bar, and never the bar of the vote itself."""
    hourly = replace(CONTEXT, bar_ns=HOUR)
    agent, _ = attached("PairsArb", hourly, sample="1h", window=20, review="1h")
    market: MarketBlock = market_of(_planted(30))
    stage = Stage(categorized(market), hourly)
    stage.feed(agent, 0, 30, 30)
    hours = (market.ts // HOUR).tolist()
    changes = [row for row in range(1, 30) if hours[row] != hours[row - 1]]
    last = np.log(market.close[changes[-1] - 1])
    np.testing.assert_array_equal(agent._ring[len(changes) - 1], last)
