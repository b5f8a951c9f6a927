"""The paper books against a loop over ticks, symbols and voters, and over every way to cut."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_world import World, instrument, limit_config

from mirrorcore.clock import MINUTE
from mirrorcore.market.block import Floats, MarketBlock
from mirrorcore.trading import CostModel, ShadowBook, ShadowResult

RATE = 0.0015
BAR = 5 * MINUTE
START = 1_700_000_000 * 10**9 // BAR * BAR


def market(seed: int, ticks: int, symbols: int, late: bool = False) -> MarketBlock:
    """A random market with holes; ``late`` bars arrive some ticks after they closed."""
    rng = np.random.default_rng(seed)
    present = rng.random((ticks, symbols)) < 0.8
    close = np.exp(np.cumsum(rng.normal(0, 0.01, (ticks, symbols)), axis=0)) * 100
    open_ = close * np.exp(rng.normal(0, 0.01, (ticks, symbols)))
    ts = START + BAR * np.arange(1, ticks + 1, dtype=np.int64)
    delay = rng.integers(0, 4, (ticks, symbols)) if late else np.zeros((ticks, symbols), int)
    open_ts = ts[:, None] - BAR * (1 + delay)
    nan = np.where(present, 1.0, np.nan)
    return MarketBlock(
        index=0,
        ts=ts,
        present=present,
        open_ts=np.where(present, open_ts, 0),
        open=open_ * nan,
        high=np.maximum(open_, close) * nan,
        low=np.minimum(open_, close) * nan,
        close=close * nan,
        volume=nan * 10,
        flags=np.zeros((ticks, symbols), dtype=np.int64),
    )


def wishes(seed: int, ticks: int, symbols: int, voters: int) -> Floats:
    rng = np.random.default_rng(seed + 1)
    weights = np.round(rng.normal(0, 0.3, (ticks, symbols, voters)), 1)
    weights[rng.random(weights.shape) < 0.1] = np.nan
    return weights


def by_loop(block: MarketBlock, weights: Floats, lookback: int) -> dict[str, list[list[float]]]:
    """One voter, one symbol, one tick at a time, in plain Python."""
    ticks, symbols, voters = weights.shape
    gross = [[0.0] * voters for _ in range(ticks)]
    turnover = [[0.0] * voters for _ in range(ticks)]
    hits = [[0] * voters for _ in range(ticks)]
    calls = [[0] * voters for _ in range(ticks)]
    for s in range(symbols):
        for n in range(voters):
            held, last = 0.0, math.nan
            for t in range(ticks):
                if not block.present[t, s]:
                    continue
                before = held
                decided = [r for r in range(t) if block.ts[r] <= block.open_ts[t, s]]
                if decided and decided[-1] >= t - lookback:
                    wish = float(weights[decided[-1], s, n])
                    held = 0.0 if math.isnan(wish) else wish
                open_, close = float(block.open[t, s]), float(block.close[t, s])
                result = held * (close / open_ - 1)
                if not math.isnan(last):
                    result += before * (open_ / last - 1)
                last = close
                gross[t][n] += result
                turnover[t][n] += abs(held - before)
                calls[t][n] += result != 0
                hits[t][n] += result > 0
    return {"gross": gross, "turnover": turnover, "calls": calls, "hits": hits}


def in_blocks(
    book: ShadowBook, block: MarketBlock, weights: Floats, size: int
) -> dict[str, Floats]:
    parts: list[ShadowResult] = [
        book.update(block.rows(k, k + size), weights[k : k + size])
        for k in range(0, len(block), size)
    ]
    return {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(ShadowResult)
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), late=st.booleans(), lookback=st.sampled_from([1, 3, 64]))
def test_every_book_equals_the_loop(seed: int, late: bool, lookback: int) -> None:
    block, weights = market(seed, 30, 3, late), wishes(seed, 30, 3, 2)
    result = ShadowBook(3, 2, RATE, lookback).update(block, weights)
    expected = by_loop(block, weights, lookback)
    np.testing.assert_allclose(result.gross, expected["gross"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result.turnover, expected["turnover"], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(result.calls, expected["calls"])
    np.testing.assert_array_equal(result.hits, expected["hits"])
    np.testing.assert_allclose(result.net, result.gross - RATE * result.turnover)
    np.testing.assert_allclose(result.total_net[-1], result.net.sum(axis=0))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    late=st.booleans(),
    voters=st.sampled_from([1, 2, 17]),
    symbols=st.sampled_from([1, 8, 9]),
)
def test_cuts_do_not_change_a_bit(seed: int, late: bool, voters: int, symbols: int) -> None:
    ticks = 60
    block, weights = market(seed, ticks, symbols, late), wishes(seed, ticks, symbols, voters)
    whole = in_blocks(ShadowBook(symbols, voters, RATE), block, weights, 4096)
    for size in (1, 7):
        cut = in_blocks(ShadowBook(symbols, voters, RATE), block, weights, size)
        for name, values in whole.items():
            assert values.tobytes() == cut[name].tobytes(), (name, size)


def test_the_future_does_not_change_the_past() -> None:
    block, weights = market(5, 50, 3, late=True), wishes(5, 50, 3, 4)
    whole = ShadowBook(3, 4, RATE).update(block, weights)
    first = ShadowBook(3, 4, RATE).update(block.rows(0, 30), weights[:30])
    assert whole.total_net[:30].tobytes() == first.total_net.tobytes()


def test_a_restored_book_goes_on_to_the_bit() -> None:
    block, weights = market(6, 50, 3), wishes(6, 50, 3, 4)
    book = ShadowBook(3, 4, RATE)
    book.update(block.rows(0, 20), weights[:20])
    twin = ShadowBook(3, 4, RATE)
    twin.restore(book.checkpoint())
    expected = book.update(block.rows(20, 50), weights[20:])
    assert twin.update(block.rows(20, 50), weights[20:]).total_net.tobytes() == (
        expected.total_net.tobytes()
    )
    with pytest.raises(ValueError, match=r"must be \(64, 3, 5\)"):
        ShadowBook(3, 5, RATE).restore(book.checkpoint())


def test_a_decision_earns_nothing_from_the_bar_it_was_made_on() -> None:
    """Whoever votes for the bar just seen holds it at the next open: no profit from the past."""
    block = market(7, 400, 2)
    flat = np.nan_to_num(block.close / block.open - 1)
    hindsight = np.sign(flat)[:, :, None]
    foresight = np.sign(np.roll(flat, -1, axis=0))[:, :, None]
    assert abs(ShadowBook(2, 1, 0.0).update(block, hindsight).gross.sum()) < 1.0
    assert ShadowBook(2, 1, 0.0).update(block, foresight).gross.sum() > 4.0


def test_a_bar_that_claims_to_open_now_still_takes_the_decision_before() -> None:
    block, weights = market(10, 30, 2), wishes(10, 30, 2, 3)
    claimed = replace(block, open_ts=np.where(block.present, block.ts[:, None], 0))
    expected = ShadowBook(2, 3, RATE).update(block, weights)
    assert ShadowBook(2, 3, RATE).update(claimed, weights).net.tolist() == expected.net.tolist()


def test_costs_are_paid_on_the_change_alone() -> None:
    block = market(8, 40, 1)
    weights = np.ones((40, 1, 1))
    result = ShadowBook(1, 1, RATE).update(block, weights)
    assert result.turnover.sum() == 1.0
    assert result.gross.sum() - result.net.sum() == pytest.approx(RATE)


def test_paper_book_and_ledger_agree_where_weights_are_small() -> None:
    """The same wishes through the order path: 0.4 % of equity compounds next to nothing."""
    ticks = 200
    rng = np.random.default_rng(9)
    close = np.cumsum(rng.integers(-3000, 3001, ticks)) + 2_000_000
    opens = np.roll(close, 1)
    opens[0] = close[0]
    weights = np.repeat(rng.choice([-0.004, 0.0, 0.004], ticks // 10), 10)
    world = World(
        [instrument()],
        costs=CostModel(10, 5),
        limits=limit_config(),
        initial="100000000",
    )
    for t in range(ticks):
        world.tick([float(weights[t])], [int(close[t])], opens=[int(opens[t])])
    profit = world.equity / world.ledger.initial - 1
    ts = START + BAR * np.arange(1, ticks + 1, dtype=np.int64)
    column = np.ones((ticks, 1))
    block = MarketBlock(
        index=0, ts=ts, present=column > 0, open_ts=(ts - BAR)[:, None],
        open=opens[:, None] / 100, high=column, low=column, close=close[:, None] / 100,
        volume=column, flags=np.zeros((ticks, 1), dtype=np.int64),
    )  # fmt: skip
    paper = ShadowBook(1, 1, CostModel(10, 5).rate).update(block, weights[:, None, None])
    assert profit == pytest.approx(paper.total_net[-1, 0], rel=0.02)
    assert profit != 0


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="weights had shape"):
        ShadowBook(2, 1, RATE).update(market(1, 5, 2), np.zeros((5, 2, 2)))
    with pytest.raises(ValueError, match="cost_rate"):
        ShadowBook(2, 1, -0.1)
    with pytest.raises(ValueError, match="symbols, voters, lookback"):
        ShadowBook(0, 1, 0.1)


def test_an_empty_block_is_nothing() -> None:
    book = ShadowBook(2, 3, RATE)
    empty = market(1, 5, 2).rows(0, 0)
    assert book.update(empty, np.zeros((0, 2, 3))).net.shape == (0, 3)
