"""Each analyst on markets where the right answer is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from agents_world import (
    BAR,
    CONTEXT,
    START,
    Stage,
    analyze_block,
    attached,
    categorized,
    channels,
    holes,
    market_of,
    walk,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorcore.agents.analysts.data_sentry import DOUBTFUL
from mirrorcore.agents.analysts.decayed import DecayedSum, full_weight
from mirrorcore.agents.analysts.votes import Arrivals
from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Floats, MarketBlock, Series
from mirrorcore.market.features import FeatureEngine
from mirrorcore.market.records import Flag

DATA = Path(__file__).parents[3] / "shared" / "data"


# -- decayed sums -------------------------------------------------------------------------------


def plain_sum(ts: np.ndarray, x: Floats, half_life: int) -> Floats:
    """The definition, term by term."""
    rows = [
        sum(x[s] * 0.5 ** ((ts[t] - ts[s]) / half_life) for s in range(t + 1))
        for t in range(len(ts))
    ]
    return np.array(rows)


GAPS = st.lists(st.integers(1, 40), min_size=1, max_size=40)


@given(GAPS, st.integers(0, 2**32), st.sampled_from([BAR, HOUR, 30 * DAY]))
@settings(max_examples=60, deadline=None)
def test_a_decayed_sum_is_its_definition_at_any_ticks(
    gaps: list[int], seed: int, half_life: int
) -> None:
    ts = START + BAR * np.cumsum(gaps)
    x = np.random.default_rng(seed).normal(size=(len(ts), 2))
    np.testing.assert_allclose(
        DecayedSum(half_life, 2)(ts, x), plain_sum(ts, x, half_life), rtol=1e-12, atol=1e-12
    )


@given(GAPS, st.lists(st.integers(0, 40), max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_decayed_sum_has_the_same_bits_in_any_blocks_and_beside_any_ticks(
    gaps: list[int], cuts: list[int]
) -> None:
    ts = START + BAR * np.cumsum(gaps)
    x = np.random.default_rng(3).normal(size=(len(ts), 1))
    whole = DecayedSum(2 * HOUR, 1)(ts, x)
    edges = sorted({0, len(ts), *(c for c in cuts if c < len(ts))})
    cut = DecayedSum(2 * HOUR, 1)
    parts = [cut(ts[a:b], x[a:b]) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)
    # Ticks in between, which belong to other symbols, add nothing and change no bit.
    dense = np.arange(ts[0], ts[-1] + BAR, BAR)
    spread = np.zeros((len(dense), 1))
    at = (ts - ts[0]) // BAR
    spread[at] = x
    assert np.array_equal(DecayedSum(2 * HOUR, 1)(dense, spread)[at], whole)


def test_a_decayed_sum_halves_after_its_half_life() -> None:
    ts = np.array([START, START + 12 * HOUR, START + 36 * HOUR])
    x = np.array([[1.0], [0.0], [0.0]])
    assert DecayedSum(12 * HOUR, 1)(ts, x)[:, 0] == pytest.approx([1.0, 0.5, 0.125], rel=1e-14)


def test_the_full_weight_is_where_a_sum_of_ones_ends() -> None:
    ts = START + BAR * np.arange(3000)
    total = DecayedSum(HOUR, 1)(ts, np.ones((3000, 1)))
    assert total[-1, 0] == pytest.approx(full_weight(HOUR, BAR), rel=1e-12)


def test_arrivals_tell_new_values_from_repeated_ones() -> None:
    ts = np.array([10, 20, 30, 40])
    stamps = np.array([[0], [15], [15], [35]])
    arrivals = Arrivals(1)
    parts = [arrivals(ts[i : i + 2], stamps[i : i + 2]) for i in (0, 2)]
    new, age, elapsed = (np.concatenate(part)[:, 0] for part in zip(*parts, strict=True))
    assert new.tolist() == [False, True, False, True]
    assert age.tolist() == [-1, 5, 15, 5]
    assert elapsed.tolist() == [-1, 5, 15, 25]


# -- momentum -----------------------------------------------------------------------------------


def test_mirrored_prices_give_the_mirrored_vote() -> None:
    returns = walk(800)
    up, down = (
        Stage(categorized(market_of(sign * returns))).output("MomentumScout") for sign in (1, -1)
    )
    np.testing.assert_allclose(up["momentum"], -down["momentum"], atol=1e-9)
    np.testing.assert_allclose(up["forecast"], 1 - down["forecast"], atol=1e-12)
    rising = Stage(categorized(market_of(returns + 5e-4))).output("MomentumScout")
    assert (rising["forecast"][-1] > 0.5).all()


def test_momentum_is_the_naive_reference() -> None:
    ticks = 700
    data = categorized(market_of(walk(ticks), present=holes(ticks, 3, 0.2)))
    output = Stage(data).output("MomentumScout")
    r, vol = data.values["technical"]["return_1"], data.values["risk"]["vol_slow"]
    for s in range(3):
        total = squares = 0.0
        last = None
        for t in range(ticks):
            total, squares = total * 0.5 ** (1 / 144), squares * 0.5 ** (1 / 72)
            if data.market.present[t, s] and np.isfinite(vol[t, s]):
                n = t - last if last is not None else 1
                u = r[t, s] / vol[t, s]
                total, squares = total + np.clip(u, -6 * n**0.5, 6 * n**0.5), squares + n
                last = t
        score = np.clip(total / np.sqrt(squares), -3, 3)
        assert output["momentum"][-1, s] == pytest.approx(score, abs=1e-9)
        assert output["forecast"][-1, s] == pytest.approx(1 / (1 + np.exp(-0.08 * score)))


def test_momentum_is_standard_normal_on_a_random_walk_with_gaps() -> None:
    returns = np.random.default_rng(1).normal(size=(3000, 20)) * 1e-3
    shown = holes(3000, 20, 0.3)
    context = replace(CONTEXT, symbols=tuple(f"S{i}/USD" for i in range(20)))
    output = Stage(categorized(market_of(returns, present=shown)), context).run(
        "MomentumScout", 4096, half_life="2h"
    )
    z = output["momentum"][500:]
    assert abs(z.mean()) < 0.1
    assert z.std() == pytest.approx(1.0, abs=0.1)


def test_no_opinion_before_a_half_life_and_after_the_last_bar_is_old() -> None:
    ticks = 600
    shown = np.ones((ticks, 3), dtype=bool)
    shown[500:, 1] = False
    data = categorized(market_of(walk(ticks), present=shown))
    output = Stage(data).run("MomentumScout", 64, half_life="4h", stale_after="30m")
    opinion = np.isfinite(output["forecast"])
    known = int(np.argmax(np.isfinite(data.values["risk"]["vol_slow"][:, 0])))
    first = known + 4 * HOUR // BAR
    assert not opinion[:first].any()
    assert opinion[first:500].all()
    assert opinion[500:, 0].all()
    assert opinion[500:505, 1].all(), "half an hour old is not yet stale"
    assert not opinion[506:, 1].any()


def test_several_scouts_with_other_half_lives_disagree() -> None:
    stage = Stage(categorized(market_of(walk(1200))))
    fast, slow = (stage.run("MomentumScout", 4096, half_life=h) for h in ("1h", "1d"))
    assert abs(np.corrcoef(fast["momentum"][400:, 0], slow["momentum"][400:, 0])[0, 1]) < 0.8


# -- mean reversion -----------------------------------------------------------------------------


def reverting(ticks: int, half_life_bars: float, symbols: int = 3, seed: int = 4) -> Floats:
    """Returns of a price that reverts to a level (Ornstein-Uhlenbeck, exact steps)."""
    phi = 0.5 ** (1 / half_life_bars)
    rng = np.random.default_rng(seed)
    level = np.zeros(symbols)
    levels = [level]
    for _ in range(ticks):
        level = phi * level + 1e-3 * rng.normal(size=symbols)
        levels.append(level)
    return np.diff(np.array(levels), axis=0)


def test_the_half_life_of_a_reverting_price_is_recovered() -> None:
    bars = 6.0
    data = categorized(market_of(reverting(12_000, bars)))
    output = Stage(data).run("MeanReverter", 4096, half_life="8h")
    assert output["half_life"][-1] * HOUR / BAR == pytest.approx(np.full(3, bars), rel=0.2)
    assert (output["evidence"][-1] > 0.9).all()
    assert output["confidence"][-1] > 0.9
    # It leans against the deviation, and is right in that.
    z, forecast = output["deviation"][2000:-1], output["forecast"][2000:-1]
    assert ((forecast < 0.5) == (z > 0)).all()
    nexts = data.values["technical"]["return_1"][2001:]
    assert np.corrcoef(output["reversion"][2000:-1].ravel(), nexts.ravel())[0, 1] > 0.1


def test_on_a_random_walk_there_is_next_to_no_reversion() -> None:
    context = replace(CONTEXT, symbols=tuple(f"S{i}/USD" for i in range(20)))
    data = categorized(market_of(walk(6000, 20, seed=2)))
    output = Stage(data, context).output("MeanReverter")
    assert (output["evidence"][-1] > 0).mean() <= 0.1
    assert np.abs(output["reversion"][2000:]).mean() < 0.005
    assert output["confidence"][2000:].mean() < 0.05


# -- volatility ---------------------------------------------------------------------------------


def breathing(ticks: int, symbols: int, seed: int = 6) -> tuple[Floats, Floats]:
    """Returns with slowly varying volatility, and that volatility."""
    rng = np.random.default_rng(seed)
    log_vol = np.zeros(symbols)
    path = np.empty((ticks, symbols))
    for t in range(ticks):
        log_vol = 0.995 * log_vol + 0.05 * rng.normal(size=symbols)
        path[t] = log_vol
    sigma = 1e-3 * np.exp(path)
    return sigma * rng.normal(size=(ticks, symbols)), sigma


def qlike(variance: Floats, returns: Floats) -> float:
    """Mean of ln v + r² / v (Patton, 2011); lower is better."""
    known = np.isfinite(variance) & np.isfinite(returns) & (variance > 0)
    v, r = variance[known], returns[known]
    return float(np.mean(np.log(v) + r * r / v))


def ewma(returns: Floats, half_life_bars: float) -> Floats:
    b = 0.5 ** (1 / half_life_bars)
    path, total = np.zeros_like(returns), np.zeros(returns.shape[1])
    for t, row in enumerate(np.nan_to_num(returns)):
        total = b * total + (1 - b) * row * row
        path[t] = total / (1 - b ** (t + 1))
    return path


def test_the_volatility_forecast_beats_averages_and_comes_near_the_truth() -> None:
    returns, sigma = breathing(8000, 3)
    data = categorized(market_of(returns))
    vol = Stage(data).output("VolatilitySeer")["vol_forecast"]
    after = slice(2001, None)
    ours = qlike(vol[2000:-1] ** 2, returns[after])
    truth = qlike(sigma[after] ** 2, returns[after])
    assert ours < qlike(data.values["risk"]["vol_slow"][2000:-1] ** 2, returns[after])
    assert ours < qlike(ewma(returns, 288)[2000:-1], returns[after])
    assert ours - truth < 0.12


def kupiec(exceeded: int, n: int, p: float) -> float:
    """p-value of the proportion-of-failures test (Kupiec, 1995)."""
    rate = exceeded / n
    ratio = stats.binom.logpmf(exceeded, n, rate) - stats.binom.logpmf(exceeded, n, p)
    return float(stats.chi2.sf(2 * ratio, 1))


@pytest.mark.parametrize("tail", [0.05, 0.01])
def test_value_at_risk_is_exceeded_as_often_as_it_says(tail: float) -> None:
    returns, _ = breathing(12_000, 1)
    context = replace(CONTEXT, symbols=("A/USD",))
    output = Stage(categorized(market_of(returns)), context).run(
        "VolatilitySeer", 4096, tail_probability=tail
    )
    loss, limit = -returns[3001:, 0], output["value_at_risk"][3000:-1, 0]
    beyond = loss > limit
    assert kupiec(int(beyond.sum()), beyond.size, tail) > 0.01
    expected = output["tail"][3000:-1, 0][beyond].mean()
    assert loss[beyond].mean() == pytest.approx(expected, rel=0.15)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real market data is absent")
def test_on_recorded_markets_volatility_and_its_tail_hold() -> None:
    import polars as pl

    files = sorted((DATA / "crypto_5m").glob("*.parquet"))
    frames = [pl.read_parquet(file) for file in files]
    close = np.stack([frame["close"].to_numpy()[:20_000] for frame in frames], axis=1)
    returns = np.diff(np.log(close), axis=0, prepend=np.log(close[:1]))
    context = replace(CONTEXT, symbols=tuple(file.stem for file in files))
    output = Stage(categorized(market_of(returns)), context).output("VolatilitySeer")
    nexts = returns[3001:]
    ours = qlike(output["vol_forecast"][3000:-1] ** 2, nexts)
    for half_life in (12, 24, 72, 288):
        assert ours < qlike(ewma(returns, half_life)[3000:-1], nexts), half_life
    beyond = -nexts > output["value_at_risk"][3000:-1]
    assert np.allclose(beyond.mean(axis=0), 0.05, atol=0.01)


def test_volatility_stands_out_against_its_usual_level() -> None:
    returns, _ = breathing(5000, 3)
    returns[-24:] *= 6.0
    output = Stage(categorized(market_of(returns))).output("VolatilitySeer")
    assert (output["vol_z"][-1] > output["vol_z"][-30]).all()
    assert (output["vol_z"][-1] > 1.5).all()


# -- side channels ------------------------------------------------------------------------------


def hidden_alpha(ticks: int, seed: int = 7) -> tuple[MarketBlock, Floats]:
    """A market whose whales and crowd know something of a slow alpha, and that alpha."""
    rng = np.random.default_rng(seed)
    phi = 0.5 ** (BAR / (12 * HOUR))
    alpha = np.zeros((ticks, 3))
    for t in range(1, ticks):
        alpha[t] = phi * alpha[t - 1] + np.sqrt(1 - phi * phi) * rng.normal(size=3)
    returns = 1e-3 * rng.normal(size=(ticks, 3))
    returns[1:] += 1e-3 * 0.02 * alpha[:-1]
    past = np.zeros((ticks, 3))
    decay = 0.5 ** (BAR / (6 * HOUR))
    for t in range(1, ticks):
        past[t] = decay * past[t - 1] + returns[t] / 1e-3 * np.sqrt(1 - decay**2)
    noise = rng.normal(size=(2, ticks, 3))
    series = channels(ticks, 3)
    series["onchain.whale_flow"] = np.sinh(1.2 * (0.5 * alpha + 0.87 * noise[0]))
    series["sentiment.score"] = np.tanh(0.5 * (0.6 * past + 0.3 * alpha + 0.74 * noise[1]))
    return market_of(returns, series=series), alpha


def test_whales_and_crowds_are_heard_through_the_noise() -> None:
    block, alpha = hidden_alpha(6000)
    stage = Stage(categorized(block))
    after = slice(1500, None)
    flow = stage.output("ChainWatcher")["flow_z"][after].ravel()
    mood = stage.output("SentimentEar")["sentiment"][after].ravel()
    assert np.corrcoef(flow, alpha[after].ravel())[0, 1] > 0.75
    assert np.corrcoef(mood, alpha[after].ravel())[0, 1] > 0.55
    raw = block.series["sentiment.score"].value[after].ravel()
    assert np.corrcoef(raw, alpha[after].ravel())[0, 1] < 0.45


def test_herding_is_measured_and_taken_out_of_the_vote() -> None:
    block, _ = hidden_alpha(6000)
    data = categorized(block)
    output = Stage(data).output("SentimentEar")
    assert (output["herding"][-1] > 0.4).all()
    momentum = Stage(data).run("MomentumScout", 4096, half_life="6h")["momentum"]
    z = output["sentiment"][2000:].ravel()
    assert abs(np.corrcoef(z, momentum[2000:].ravel())[0, 1]) < 0.25
    mirrored = {**block.series}
    score = mirrored["sentiment.score"]
    mirrored["sentiment.score"] = Series(-score.value, score.known_at)
    other = Stage(categorized(replace(block, series=mirrored))).output("SentimentEar")
    np.testing.assert_allclose(other["sentiment"], -output["sentiment"], atol=1e-9)


def test_a_silent_source_is_no_neutral_vote() -> None:
    block = market_of(walk(300), series=channels(300, 3))
    whale = block.series["onchain.whale_flow"]
    known = whale.known_at.copy()
    known[200:] = known[199]
    late = replace(block, series={**block.series, "onchain.whale_flow": Series(whale.value, known)})
    output = Stage(categorized(late)).output("ChainWatcher")
    assert np.isfinite(output["forecast"][199 + 24]).all()
    assert np.isnan(output["forecast"][199 + 25 :]).all()
    without = replace(block, series={})
    for name in ("ChainWatcher", "SentimentEar"):
        mute = Stage(categorized(without)).output(name)
        assert np.isnan(mute["forecast"]).all()
        assert (mute["confidence"] == 0).all()


def test_gas_and_the_fear_index_enter_no_vote() -> None:
    series = channels(400, 3)
    returns = walk(400)
    plain = Stage(categorized(market_of(returns, series=series)))
    series["onchain.gas"] = series["onchain.gas"] * np.linspace(1, 50, 400)[:, None]
    series["sentiment.fear_greed"] = np.full((400, 3), 10.0)
    other = Stage(categorized(market_of(returns, series=series)))
    for name, field in (("ChainWatcher", "gas_z"), ("SentimentEar", "contrarian")):
        assert np.array_equal(
            plain.output(name)["forecast"], other.output(name)["forecast"], equal_nan=True
        )
        assert not np.array_equal(plain.output(name)[field], other.output(name)[field])
    assert other.output("SentimentEar")["contrarian"] == pytest.approx(0.8)


def test_a_huge_flow_is_an_alert_for_its_own_symbol_alone() -> None:
    series = channels(400, 3)
    series["onchain.whale_flow"][350, 1] = 1e6
    output = Stage(categorized(market_of(walk(400), series=series))).output("ChainWatcher")
    assert output["whale_alert"][350].tolist() == [0.0, 1.0, 0.0]
    assert output["whale_alert"].sum() < 20


# -- feeds --------------------------------------------------------------------------------------


def test_a_feed_halts_one_bar_after_the_limit_and_not_before() -> None:
    shown = np.ones((60, 3), dtype=bool)
    shown[40:, 0] = False
    shown[:, 2] = False
    output = Stage(categorized(market_of(walk(60), present=shown))).run(
        "DataSentry", 16, halt_after=4
    )
    assert output["stale_ns"][43, 0] == 4 * BAR
    assert output["halt"][:44, 0].tolist() == [0.0] * 44
    assert (output["halt"][44:, 0] == 1.0).all()
    assert (output["halt"][:, 1] == 0.0).all()
    assert (output["halt"][:, 2] == 1.0).all(), "a feed that never came"
    assert output["feed_quality"][-1, 2] == 0.0


def test_quality_is_one_for_a_perfect_feed_and_falls_with_each_fault() -> None:
    ticks = 400
    shown = np.ones((ticks, 3), dtype=bool)
    shown[::2, 1] = False
    block = market_of(walk(ticks), present=shown)
    flags = np.zeros((ticks, 3), dtype=np.int64)
    flags[::4, 2] = int(Flag.OUTLIER)
    output = Stage(categorized(replace(block, flags=flags))).output("DataSentry")
    perfect, holey, doubtful = output["feed_quality"][-1]
    assert perfect == pytest.approx(1.0, abs=1e-9)
    assert holey == pytest.approx(0.5, abs=0.02)
    assert doubtful == pytest.approx(0.75, abs=0.02)
    assert output["confidence"][-1] == pytest.approx((perfect + holey + doubtful) / 3)


@pytest.mark.parametrize("flag", list(Flag))
def test_flags_that_doubt_a_value_count_and_the_others_do_not(flag: Flag) -> None:
    block = market_of(walk(100))
    flags = np.full((100, 3), int(flag))
    output = Stage(categorized(replace(block, flags=flags))).output("DataSentry")
    assert output["doubt"][-1] == pytest.approx(1.0 if flag & DOUBTFUL else 0.0)


def test_quality_recovers() -> None:
    shown = np.ones((600, 3), dtype=bool)
    shown[200:260] = False
    output = Stage(categorized(market_of(walk(600), present=shown))).output("DataSentry")
    assert output["feed_quality"][258, 0] < 0.1
    assert output["feed_quality"][-1, 0] > 0.9


# -- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("MomentumScout", {"half_life": "0s"}),
        ("MomentumScout", {"strength": float("nan")}),
        ("MeanReverter", {"memory": "-1h"}),
        ("VolatilitySeer", {"tail_probability": 0.5}),
        ("DataSentry", {"halt_after": 0}),
        ("FearAnalyzer", {"drawdown_limit": 2.0}),
        ("ArchCtrl", {"veto_fear": 1.5}),
        ("RiskSentinel", {"taper_from": 1.0}),
    ],
)
def test_a_parameter_out_of_bounds_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        attached(name, **params)
    assert next(iter(params)) in str(caught.value)


def test_minute_bars_and_hourly_bars_work_alike() -> None:
    for bar in (MINUTE, HOUR):
        context = replace(CONTEXT, bar_ns=bar)
        agent, _ = attached("MomentumScout", context, stale_after="2h")
        block = market_of(walk(2500))
        ts = START + bar * np.arange(2500)
        moved = replace(block, ts=ts, open_ts=np.repeat((ts - bar)[:, None], 3, axis=1))
        output = analyze_block(agent, FeatureEngine(3, bar).update(moved))
        opinion = np.isfinite(output["forecast"][:, 0])
        assert opinion[-1]
        assert not opinion[: 12 * HOUR // bar].any()
