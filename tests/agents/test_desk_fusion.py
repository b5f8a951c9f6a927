"""Fusion and sizing: the regression, the oracle, the allocator and patience, against the truth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agents_world import BAR, CONTEXT, SYMBOLS, attached, categorized, market_of, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.agents.base import BlockInput, Context
from mirrorcore.agents.desk.intervals import decay, segments
from mirrorcore.agents.desk.patience import Patience, held_path, smoothing_bars
from mirrorcore.agents.desk.regression import OnlineRidge
from mirrorcore.agents.desk.volatility import Volatility
from mirrorcore.clock import DAY, HOUR, YEAR
from mirrorcore.market.block import Floats
from mirrorcore.market.categories import CategorizedBlock

FREE = replace(CONTEXT, voters=["good", "noise"], cost_per_side=0.0)


# -- the regression -------------------------------------------------------------------------------


def rows(seed: int, count: int = 400, inputs: int = 4) -> tuple[Floats, Floats, Floats]:
    """Standardised inputs, what followed, and the scores behind them; a tenth unknown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, inputs)) @ rng.normal(size=(inputs, inputs))
    y = x @ rng.normal(size=inputs) * 0.1 + rng.normal(size=count)
    y[rng.random(count) < 0.1] = np.nan
    return x, y, 3.0 * x


def fitted(
    x: Floats, y: Floats, scores: Floats, ridge: float, memories: list[float]
) -> OnlineRidge:
    made = OnlineRidge(x.shape[1], ridge)
    for part, memory in zip(
        np.array_split(np.arange(len(x)), len(memories)), memories, strict=True
    ):
        made.observe(x[part], y[part], scores[part])
        made.refit([memory], memory)
    return made


@pytest.mark.parametrize("ridge", [0.0, 1.0, 50.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_are_those_of_the_augmented_least_squares(seed: int, ridge: float) -> None:
    x, y, scores = rows(seed)
    made = fitted(x, y, scores, ridge, [1.0, 1.0, 1.0])
    known = np.isfinite(y)
    inputs = x.shape[1]
    tall = np.vstack([x[known], math.sqrt(ridge) * np.eye(inputs)])
    wanted, *_ = np.linalg.lstsq(tall, np.concatenate([y[known], np.zeros(inputs)]), rcond=None)
    assert made.weights == pytest.approx(wanted, rel=1e-8)


def test_older_rows_count_less_by_the_memory() -> None:
    x, y, scores = rows(4)
    memories = [0.9, 0.8, 0.5, 0.7]
    made = fitted(x, y, scores, 2.0, memories)
    parts = np.array_split(np.arange(len(x)), len(memories))
    weight = np.concatenate(
        [np.full(len(part), math.prod(memories[number + 1 :])) for number, part in enumerate(parts)]
    )
    weight[~np.isfinite(y)] = 0.0
    moment = (x * weight[:, None]).T @ x + 2.0 * np.eye(x.shape[1])
    wanted = np.linalg.solve(moment, (x * weight[:, None]).T @ np.nan_to_num(y))
    assert made.weights == pytest.approx(wanted, rel=1e-9)


def test_rows_may_come_in_any_portions() -> None:
    x, y, scores = rows(5)
    whole, pieces = OnlineRidge(4, 1.0), OnlineRidge(4, 1.0)
    whole.observe(x, y, scores)
    whole.refit([1.0], 1.0)
    for part in np.array_split(np.arange(len(x)), 37):
        pieces.observe(x[part], y[part], scores[part])
    pieces.refit([1.0], 1.0)
    assert np.array_equal(whole.weights, pieces.weights)
    assert whole.conviction() == pieces.conviction()
    assert np.array_equal(whole.trust(), pieces.trust())


def test_a_silent_newcomer_leaves_everything_else_to_the_bit() -> None:
    x, y, scores = rows(6)
    alone, joined = OnlineRidge(4, 1.0), OnlineRidge(4, 1.0)
    for number, part in enumerate(np.array_split(np.arange(len(x)), 6)):
        alone.observe(x[part], y[part], scores[part])
        if number == 2:
            joined.observe(x[part[:5]], y[part[:5]], scores[part[:5]])
            joined.grow(6)
            part = part[5:]
        wide = [np.pad(v[part], ((0, 0), (0, len(joined.weights) - 4))) for v in (x, scores)]
        joined.observe(wide[0], y[part], wide[1])
        alone.refit([0.99], 0.99)
        joined.refit([0.99], 0.99)
        assert np.array_equal(joined.weights[:4], alone.weights)
        assert not joined.weights[4:].any()
        assert joined.conviction() == alone.conviction()
        assert np.array_equal(joined.trust()[:4], alone.trust())
    joined.grow(3)
    assert len(joined.weights) == 6


def test_the_scale_is_the_root_mean_square_of_what_was_said() -> None:
    made = OnlineRidge(2, 1.0)
    scores = np.array([[3.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    assert not made.standardise(scores, 3.0).any()
    made.observe(np.zeros((3, 2)), np.zeros(3), scores)
    made.refit([1.0], 1.0)
    rms = math.sqrt((9 + 16) / 2)
    assert made.standardise(np.array([[rms, 2.0]]), 3.0)[0] == pytest.approx([1.0, 1.0])
    assert made.standardise(np.array([[99.0, -99.0]]), 3.0)[0].tolist() == [3.0, -3.0]


def test_conviction_is_small_for_luck_and_large_for_skill() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(4_000, 3))
    noise = rng.normal(size=(60, 4_000))
    lucky = [fitted(x, y, x, 10.0, [1.0]).conviction() for y in noise]
    assert np.mean(lucky) < 0.35
    assert np.mean(np.array(lucky) == 0.0) > 0.4
    skilled = [fitted(x, y + 0.2 * x[:, 1], x, 10.0, [1.0]).conviction() for y in noise]
    assert min(skilled) > 0.9
    assert fitted(x, 0.2 * x[:, 1], x, 10.0, [1.0]).trust()[1] == pytest.approx(1.0, abs=0.05)
    assert OnlineRidge(3, 1.0).conviction() == 0.0


def test_trust_is_the_shrunk_correlation() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(20_000, 2))
    y = 2.0 * (0.1 * x[:, 0] + math.sqrt(0.99) * rng.normal(size=20_000))
    trust = fitted(x, y, x, 20_000.0, [1.0]).trust()
    assert trust[0] == pytest.approx(0.05, abs=0.01)
    assert trust[1] == pytest.approx(0.0, abs=0.01)


def test_two_equal_voters_share_the_weight() -> None:
    x, y, scores = rows(9, inputs=1)
    twice = np.repeat(x, 2, axis=1)
    one = fitted(x, y, scores, 1.0, [1.0])
    two = fitted(twice, y, np.repeat(scores, 2, axis=1), 1.0, [1.0])
    assert two.weights[0] == pytest.approx(two.weights[1])
    assert two.weights.sum() == pytest.approx(one.weights[0], rel=0.01)
    assert 0 <= two.conviction() <= 1


# -- the oracle -----------------------------------------------------------------------------------


def planted(
    ticks: int, skill: float, seed: int, sign: float = 1.0
) -> tuple[CategorizedBlock, Floats]:
    """A market whose next open-to-open residual the first voter knows a little of.

    A decision of row t is filled at the open of row t + 1 and earns up to that of row t + 2.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(ticks, len(SYMBOLS)))
    earned = skill * signal + math.sqrt(1 - skill**2) * rng.normal(size=signal.shape)
    returns = np.zeros_like(signal)
    # The bar of row t + 1 runs from its open to the open of row t + 2.
    returns[1:] = 1e-3 * earned[:-1]
    market = categorized(market_of(returns))
    votes = np.stack(
        [0.5 + sign * 0.1 * np.tanh(signal), 0.5 + 0.1 * (rng.random(signal.shape) - 0.5)], 2
    )
    return market, votes


def fuse(
    market: CategorizedBlock,
    votes: Floats,
    context: Context = FREE,
    rows: int = 4096,
    **params: Any,
) -> dict[str, Floats]:
    agent, _ = attached("OracleEngine", context, **params)
    parts = []
    for first in range(0, len(market), rows):
        stop = min(first + rows, len(market))
        parts.append(
            agent._analyze(
                BlockInput(market.rows(first, stop), ("technical", "risk"), {}, votes[first:stop])
            )
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_oracle_finds_the_sign_of_a_planted_skill(seed: int, sign: float) -> None:
    market, votes = planted(6_000, 0.15, seed, sign)
    made = fuse(market, votes, ridge_days=1.0)
    weights = made["weights"][-1]
    assert np.sign(weights[0]) == sign
    assert abs(weights[0]) > 3 * abs(weights[1])
    assert sign * made["trust"][-1][0] > 0.05
    assert made["conviction"][-1] > 0.7


def test_the_oracles_edge_predicts_and_gives_probabilities() -> None:
    market, votes = planted(6_000, 0.2, 3)
    made = fuse(market, votes, ridge_days=1.0)
    opens = market.market.open
    earned = np.log(opens[2:] / opens[1:-1])
    earned -= earned.mean(axis=1, keepdims=True)
    late = slice(3_000, len(earned))
    edge = made["edge"][:-2][late]
    ic = np.corrcoef(edge.ravel(), earned[late].ravel())[0, 1]
    assert ic > 0.08
    assert ((made["forecast"][200:] > 0) & (made["forecast"][200:] < 1)).all()


def test_the_fused_probability_is_calibrated() -> None:
    """Of the bars it gives more than even odds, as many rise as it says."""
    market, votes = planted(12_000, 0.3, 13)
    made = fuse(market, votes, ridge_days=1.0)
    late = slice(4_000, -1)
    said = made["forecast"][late].ravel()
    close = market.market.close
    rose = (close[1:] > close[:-1])[late.start :][: len(said) // 3].ravel().astype(float)
    sure = np.abs(said - 0.5) > 0.04
    claimed = np.maximum(said, 1 - said)[sure].mean()
    right = ((said > 0.5) == (rose > 0.5))[sure].mean()
    assert sure.sum() > 3_000
    assert right == pytest.approx(claimed, abs=0.02)
    assert made["calibration"][-1, 0] != made["calibration"][-1, 1]


def test_without_skill_the_oracle_is_hardly_convinced() -> None:
    convictions = []
    for seed in range(8):
        market, votes = planted(2_500, 0.0, seed)
        convictions.append(fuse(market, votes, ridge_days=1.0, floor=0.0)["conviction"][-1])
    assert np.mean(convictions) < 0.45
    assert np.mean(np.array(convictions) == 0) >= 0.25


def test_the_oracle_gives_the_same_bits_in_any_blocks() -> None:
    market, votes = planted(400, 0.2, 5)
    votes[100:130, 1, 0] = np.nan
    whole = fuse(market, votes)
    for rows_ in (1, 7):
        cut = fuse(market, votes, rows=rows_)
        for name, column in whole.items():
            assert np.array_equal(cut[name], column, equal_nan=True), name


@pytest.mark.parametrize("cut", [50, 333, 780])
def test_the_oracle_does_not_see_the_future(cut: int) -> None:
    market, votes = planted(800, 0.2, 6)
    _, others = planted(800, 0.2, 7)
    prefix = market.market.rows(0, cut)
    changed = np.concatenate([votes[:cut], others[cut:]])
    whole = fuse(market, votes)
    short = fuse(categorized(prefix), votes[:cut])
    mixed = fuse(market, changed)
    for name, column in whole.items():
        assert np.array_equal(short[name], column[:cut], equal_nan=True), name
        assert np.array_equal(mixed[name][:cut], column[:cut], equal_nan=True), name
    assert not np.array_equal(mixed["edge"][cut:], whole["edge"][cut:])


def test_the_fusion_knows_a_decisions_return_only_when_it_has_been_earned() -> None:
    """One enormous bar: no weight may move before the tick that shows the second open."""
    market, votes = planted(300, 0.0, 8)
    bar = 200
    shocked = market.market.open.copy()
    shocked[bar:] *= np.exp(np.array([0.05, -0.05, 0.0]))
    jump = replace(
        market.market,
        open=shocked,
        **{
            name: np.where(
                np.arange(300)[:, None] >= bar,
                getattr(market.market, name) * np.exp(np.array([0.05, -0.05, 0.0])),
                getattr(market.market, name),
            )
            for name in ("high", "low", "close")
        },
    )
    calm = fuse(market, votes, ridge_days=0.1)
    wild = fuse(categorized(jump), votes, ridge_days=0.1)
    moved = np.flatnonzero((calm["weights"] != wild["weights"]).any(axis=1))
    assert moved[0] > bar
    assert moved[0] <= bar + 13


# -- the allocator --------------------------------------------------------------------------------


def sized(edge: Floats, vol: float = 1e-3, context: Context = FREE, **params: Any) -> Floats:
    ticks, symbols = edge.shape
    market = categorized(market_of(walk(ticks, symbols)))
    agent, _ = attached("Allocator", context, **params)
    oracle = {
        "edge": edge,
        "factor_edge": np.zeros(ticks),
        "residual_vol": np.full(edge.shape, vol),
        "factor_vol": np.full(ticks, vol),
        "conviction": np.ones(ticks),
    }
    made: Floats = agent._analyze(BlockInput(market, ("technical",), {"OracleEngine": oracle}))[
        "target"
    ]
    return made


def noise(ticks: int, seed: int = 0, persistence: float = 0.95) -> Floats:
    rng = np.random.default_rng(seed)
    made = np.zeros((ticks, len(SYMBOLS)))
    for t in range(1, ticks):
        made[t] = persistence * made[t - 1] + 0.01 * rng.normal(size=len(SYMBOLS))
    # What is predicted is the residual to the cross-section.
    return made - made.mean(axis=1, keepdims=True)


def test_residual_bets_are_neutral_to_the_market() -> None:
    target = sized(noise(600), band=0.0, symbol_cap=9.0, gross_cap=99.0)
    assert np.abs(target).max() > 0.02
    # Positions stop inside their band, so the sum is small beside the book and not nil.
    assert np.abs(target.sum(axis=1)).max() < 0.1 * np.abs(target).sum(axis=1).max()


def test_caps_hold_for_any_edges() -> None:
    wild = 100.0 * noise(600)
    target = sized(wild, vol=1e-5, symbol_cap=0.3, gross_cap=0.5)
    dear = sized(wild, 1e-4, replace(FREE, cost_per_side=1.5e-3), symbol_cap=0.3, gross_cap=1.4)
    assert np.abs(dear).max() > 0.1, "a calm market is traded at any cost, up to its caps"
    assert np.abs(dear).max() <= 0.3 + 1e-12
    assert np.abs(target).max() <= 0.3 + 1e-12
    assert np.abs(target).sum(axis=1).max() <= 0.5 * 1.25
    assert np.abs(target).max() > 0.1


def test_no_position_where_volatility_or_edge_is_unknown() -> None:
    assert not sized(np.zeros((100, 3))).any()
    assert not sized(noise(100), vol=np.nan).any()
    assert not sized(noise(100), vol=0.0).any()


def test_the_book_of_the_targets_has_the_volatility_it_was_sized_for() -> None:
    vol = 1e-3
    realised = []
    for seed in range(3):
        edge = noise(4_000, seed)
        target = sized(edge, vol, band=0.2, symbol_cap=9.0, gross_cap=99.0)
        rng = np.random.default_rng(100 + seed)
        earned = (target[500:-1] * vol * rng.normal(size=target[501:].shape)).sum(axis=1)
        realised.append(earned.std() * math.sqrt(YEAR / BAR))
    assert np.mean(realised) == pytest.approx(CONTEXT.volatility_target, rel=0.2)


def convinced(edge: Floats, conviction: float, cost: float = 0.0) -> dict[str, Floats]:
    ticks, symbols = edge.shape
    market = categorized(market_of(walk(ticks, symbols)))
    context = replace(FREE, cost_per_side=cost)
    agent, _ = attached("Allocator", context, symbol_cap=9.0, gross_cap=99.0)
    oracle = {
        "edge": edge,
        "factor_edge": np.zeros(ticks),
        "residual_vol": np.full(edge.shape, 1e-3),
        "factor_vol": np.full(ticks, 1e-3),
        "conviction": np.full(ticks, conviction),
    }
    made: dict[str, Floats] = agent._analyze(
        BlockInput(market, ("technical",), {"OracleEngine": oracle})
    )
    return made


def test_half_the_conviction_is_half_the_book_but_for_the_band() -> None:
    edge = noise(300, 3)
    full, half = (convinced(edge, conviction) for conviction in (1.0, 0.5))
    # The least band, .05 of a typical position, around each of the two.
    typical = CONTEXT.volatility_target * math.sqrt(BAR / YEAR) / math.sqrt(len(SYMBOLS)) / 1e-3
    assert np.abs(full["target"]).max() > typical
    assert np.abs(half["target"] - 0.5 * full["target"]).max() < 0.1 * typical
    assert half["budget"][-1] == pytest.approx(0.5 * CONTEXT.volatility_target)


def test_what_is_hardly_believed_is_traded_least() -> None:
    """The band is wider beside a smaller position: trades fall by more than the book does."""
    edge = noise(3_000, 4)
    traded = []
    for conviction in (1.0, 0.1):
        target = convinced(edge, conviction, cost=5e-4)["target"]
        traded.append(np.abs(np.diff(target, axis=0)).sum() / conviction)
    assert traded[1] < 0.7 * traded[0]


# -- patience -------------------------------------------------------------------------------------


def naive(target: Floats, band: Floats, held: Floats) -> Floats:
    path = np.empty_like(target)
    position = held.tolist()
    for t in range(len(target)):
        for s in range(target.shape[1]):
            gap = target[t, s] - position[s]
            if abs(gap) > band[t, s]:
                position[s] = target[t, s] - math.copysign(0.5 * band[t, s], gap)
        path[t] = position
    return path


@given(st.integers(0, 2**32), st.floats(0.0, 2.0), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_the_held_path_is_that_of_a_plain_loop(seed: int, width: float, ticks: int) -> None:
    rng = np.random.default_rng(seed)
    target = np.cumsum(0.3 * rng.normal(size=(ticks, 3)), axis=0)
    band = width * rng.random((ticks, 3))
    held = rng.normal(size=3)
    path, last = held_path(target, band, held)
    assert np.array_equal(path, naive(target, band, held))
    assert np.array_equal(last, path[-1])
    assert (np.abs(path - target) <= band + 1e-12).all()


@pytest.mark.parametrize("rows_", [1, 7, 64])
@pytest.mark.parametrize("cost", [0.0, 5e-4, 1.5e-3])
def test_patience_has_the_same_bits_in_any_blocks(cost: float, rows_: int) -> None:
    def patient() -> Patience:
        return Patience(columns=3, cost_per_side=cost, half_life_bars=12.0, band=0.5)

    rng = np.random.default_rng(11)
    wanted = np.cumsum(rng.normal(size=(200, 3)), axis=0)
    typical = np.full((200, 3), 1.0)
    whole = patient()(wanted, typical)
    one, moved = patient(), []
    for first in range(0, 200, rows_):
        part = slice(first, first + rows_)
        moved.append(one(wanted[part], typical[part]))
        again = patient()
        again.restore(one.checkpoint())
        one = again
    assert np.array_equal(np.concatenate(moved), whole)


def test_patience_grows_with_the_cost() -> None:
    rng = np.random.default_rng(12)
    wanted = np.cumsum(rng.normal(size=(2_000, 1)), axis=0)
    typical = np.full((2_000, 1), 5.0)
    traded = []
    for cost in (0.0, 5e-4, 5e-3):
        patient = Patience(columns=1, cost_per_side=cost, half_life_bars=4.0, band=0.5)
        path = patient(wanted, typical)
        traded.append(np.abs(np.diff(path[:, 0])).sum())
    assert traded[0] > 1.5 * traded[1] > 1.5 * traded[2]
    assert smoothing_bars(10.0, 5e-4) == 10.0
    assert smoothing_bars(10.0, 2e-3) == pytest.approx(20.0)
    assert smoothing_bars(10.0, 0.0) == 0.0


def test_a_bounded_band_lets_a_steady_typical_bet_through() -> None:
    steady, typical = np.ones((50, 1)), np.ones((50, 1))
    dear = {"columns": 1, "cost_per_side": 1.5e-3, "half_life_bars": 0.0, "band": 1.0}
    assert not Patience(**dear)(steady, typical).any()
    assert (Patience(**dear, widest=0.5)(steady, typical) == 0.75).all()


# -- the small parts ------------------------------------------------------------------------------


def test_segments_are_the_intervals_of_market_time() -> None:
    ts = np.array([0, 1, 2, HOUR, HOUR + 1, 5 * HOUR], dtype=np.int64)
    assert list(segments(ts, HOUR)) == [(0, 3, 0), (3, 5, 1), (5, 6, 5)]
    assert list(segments(ts[:0], HOUR)) == []
    assert decay(HOUR, DAY, 24) == 0.5
    assert decay(HOUR, DAY, 0) == 1.0


def test_volatility_is_that_of_a_plain_loop_and_scales_by_what_was_known_before() -> None:
    rng = np.random.default_rng(13)
    returns = 1e-3 * rng.normal(size=(120, 2))
    here = rng.random((120, 2)) > 0.3
    after, scaled = Volatility(10.0, 2).scaled(returns, here)
    keep = 0.5 ** (1 / 10.0)
    for s in range(2):
        squares = weight = before = 0.0
        for t in range(120):
            known = bool(here[t, s]) and before > 0
            if known:
                wanted = min(max(returns[t, s] / before, -4.0), 4.0)
                assert scaled[t, s] == pytest.approx(wanted, rel=1e-9)
            else:
                assert np.isnan(scaled[t, s])
            squares = keep * squares + (1 - keep) * (returns[t, s] ** 2 if here[t, s] else 0.0)
            weight = keep * weight + (1 - keep) * float(here[t, s])
            before = math.sqrt(squares / weight) if weight else 0.0
            if before:
                assert after[t, s] == pytest.approx(before, rel=1e-9)
