"""The ungated book, the paper books of the voters, and the gate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import DAY, HOUR, MINUTE, YEAR
from mirrorcore.market.block import MarketBlock
from mirrorcore.swarm.gate import DEAD_BAND, GateFollower
from mirrorcore.swarm.ungated import UngatedBook
from mirrorcore.swarm.voter_books import VoterBooks
from mirrorcore.syncbus import StateView

BAR = 5 * MINUTE
T0 = 1_700_000_000_000_000_000


# -- the ungated book -----------------------------------------------------------------------------


def moves(seed: int, ticks: int = 200, symbols: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.cumsum(rng.normal(0, 0.02, (ticks, symbols)), axis=0)
    return targets, rng.normal(0, 2e-3, (ticks, symbols))


def test_the_ungated_book_is_that_of_a_plain_second_bookkeeping() -> None:
    targets, returns = moves(1)
    cost = 1.5e-3
    path = UngatedBook(3, cost, 48.0).update(targets, returns)
    equity = peak = 1.0
    held = [0.0, 0.0, 0.0]
    decay = 0.5 ** (1 / 48)
    squares = weight = 0.0
    for t in range(len(targets)):
        earned = sum(w * math.expm1(r) for w, r in zip(held, returns[t].tolist(), strict=True))
        wanted = targets[t].tolist()
        gained = earned - cost * sum(abs(a - b) for a, b in zip(wanted, held, strict=True))
        equity *= 1 + gained
        peak = max(peak, equity)
        squares = decay * squares + (1 - decay) * gained * gained
        weight = decay * weight + (1 - decay)
        held = wanted
        assert path.equity[t] == pytest.approx(equity, rel=1e-12)
        assert path.drawdown[t] == pytest.approx(1 - equity / peak, abs=1e-12)
        assert path.volatility[t] == pytest.approx(math.sqrt(squares / weight), rel=1e-9)


def test_a_target_earns_from_the_next_bar_on_and_never_the_bar_that_made_it() -> None:
    returns = np.array([[0.1], [0.1], [0.1]])
    path = UngatedBook(1, 0.0, 10.0).update(np.array([[0.0], [1.0], [0.0]]), returns)
    assert path.returns.tolist() == pytest.approx([0.0, 0.0, math.expm1(0.1)])


def test_a_bar_cannot_take_more_than_everything() -> None:
    path = UngatedBook(1, 0.0, 10.0).update(np.full((3, 1), -5.0), np.full((3, 1), 2.0))
    assert (path.equity > 0).all()
    assert (path.drawdown <= 1).all()


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_ungated_book_has_the_same_bits_in_any_blocks(rows: int) -> None:
    targets, returns = moves(2)
    whole = UngatedBook(3, 1e-3, 24.0).update(targets, returns)
    book = UngatedBook(3, 1e-3, 24.0)
    parts = [
        book.update(targets[i : i + rows], returns[i : i + rows])
        for i in range(0, len(targets), rows)
    ]
    for name in ("returns", "equity", "drawdown", "volatility"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(whole, name))
    again = UngatedBook(3, 1e-3, 24.0)
    again.restore(book.checkpoint())
    assert np.array_equal(
        again.update(targets, returns).equity, book.update(targets, returns).equity
    )


# -- the voters' books ----------------------------------------------------------------------------


def market(seed: int, ticks: int, symbols: int = 2) -> MarketBlock:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, (ticks, symbols)), axis=0))
    opened = np.concatenate([np.full((1, symbols), 100.0), close[:-1]])
    ts = T0 + BAR * np.arange(1, ticks + 1, dtype=np.int64)
    return MarketBlock(
        index=0,
        ts=ts,
        present=np.ones((ticks, symbols), bool),
        open_ts=np.repeat(ts[:, None] - BAR, symbols, axis=1),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.full((ticks, symbols), 1e6),
        flags=np.zeros((ticks, symbols), np.int64),
        series={},
    )


def books(cost: float = 0.0, smoothing: int = 0) -> VoterBooks:
    return VoterBooks(2, BAR, 0.10, cost, smoothing_ns=smoothing, band=1.0, symbol_cap=0.36)


def foreseeing(block: MarketBlock, ahead: int = 24) -> np.ndarray:
    """(T, S) votes that know where the price goes."""
    close = np.log(block.close)
    later = np.concatenate([close[ahead:], np.repeat(close[-1:], ahead, axis=0)])
    return 0.5 + 0.4 * np.sign(later - close)


def test_a_voter_who_knows_earns_and_its_opposite_loses_the_same_before_costs() -> None:
    block = market(1, 1500)
    good = foreseeing(block)
    votes = np.stack([good, 1.0 - good, np.full_like(good, np.nan)], axis=2)
    made = books()
    made.admit(3)
    total = made.update(block, votes, np.full_like(block.close, 1e-3))
    gross = total[-1, 0]
    assert gross[0] > 0.02
    assert gross[1] == pytest.approx(-gross[0])
    assert gross[2] == 0.0
    dear = books(cost=1.5e-3)
    dear.admit(3)
    paid = dear.update(block, votes, np.full_like(block.close, 1e-3))[-1]
    assert (paid[1, :2] < paid[0, :2]).all()
    assert paid[1, 2] == 0.0


def test_a_book_aims_at_the_target_whatever_scale_its_owner_votes_on() -> None:
    block = market(2, 2500)
    rng = np.random.default_rng(5)
    vote = 0.5 + 0.4 * np.sign(rng.normal(size=(50, 2)))[np.arange(2500) // 50]
    timid = 0.5 + (vote - 0.5) / 100
    made = books()
    made.admit(2)
    path = made.update(block, np.stack([vote, timid], axis=2), np.full_like(block.close, 1e-3))
    assert path[:, 0, 0] == pytest.approx(path[:, 0, 1], abs=1e-9)
    realised = np.std(np.diff(path[500:, 0, 0])) * math.sqrt(YEAR / BAR)
    assert 0.06 < realised < 0.14


def test_where_a_price_hardly_moves_a_book_is_capped_like_the_swarms() -> None:
    block = market(6, 400)
    vote = foreseeing(block)[:, :, None]
    usual = np.full_like(block.close, 1e-3)
    calm = usual.copy()
    calm[200:] = 1e-9
    made, bounded = books(cost=1e-3), books(cost=1e-3)
    for book in (made, bounded):
        book.admit()
    # At the cap of .36 and one bar's return r the book can earn no more than .36 |r| a symbol.
    path = bounded.update(block, vote, calm)[:, 0, 0]
    earned = np.abs(np.diff(path))[201:-1]
    most = 0.36 * np.abs(block.open[1:] / block.open[:-1] - 1.0).sum(axis=1)[202:]
    assert (earned <= most + 1e-12).all()
    assert earned.sum() > 0.5 * most.sum()
    assert made.update(block, vote, usual)[-1, 0, 0] != path[-1]


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_voters_books_have_the_same_bits_in_any_blocks_and_when_one_joins(rows: int) -> None:
    block = market(3, 240)
    rng = np.random.default_rng(4)
    votes = rng.random((240, 2, 3))
    votes[rng.random(votes.shape) < 0.2] = np.nan
    vol = rng.uniform(5e-4, 2e-3, (240, 2))
    alone = books(1e-3, HOUR)
    alone.admit(2)
    whole = alone.update(block, votes[:, :, :2], vol)
    made = books(1e-3, HOUR)
    made.admit(2)
    parts = []
    for first in range(0, 240, rows):
        rows_now = slice(first, min(first + rows, 240))
        if first >= 100 and first - rows < 100:
            made.admit()
        width = 3 if first >= 100 else 2
        piece = block.rows(rows_now.start, rows_now.stop)
        parts.append(made.update(piece, votes[rows_now, :, :width], vol[rows_now])[:, :, :2])
    assert np.array_equal(np.concatenate(parts), whole)


# -- the gate -------------------------------------------------------------------------------------


def spoken(gate: object, *, age: int = 0, stale: bool = False, version: int = 1) -> StateView:
    return StateView("ArchCtrl", {"gate": gate}, version, T0, stale, age)


def follower() -> GateFollower:
    return GateFollower(watched=True, patience_ns=3 * HOUR)


def test_without_a_gate_the_whole_target_is_held() -> None:
    gate = GateFollower(watched=False, patience_ns=HOUR)
    assert (gate.share, gate.silent) == (1.0, False)
    assert not gate.follow(None)


def test_small_moves_are_not_followed_and_large_ones_are() -> None:
    gate = follower()
    assert gate.follow(spoken(0.8))
    assert gate.share == 0.8
    assert not gate.follow(spoken(0.8 + 0.9 * DEAD_BAND))
    assert not gate.follow(spoken(0.8 - 0.9 * DEAD_BAND))
    assert gate.share == 0.8
    assert gate.follow(spoken(0.8 - 1.1 * DEAD_BAND))
    assert gate.share == pytest.approx(0.8 - 1.1 * DEAD_BAND)


@given(st.floats(1e-9, 1.0))
def test_a_gate_that_closes_is_followed_from_wherever_it_was(share: float) -> None:
    gate = follower()
    gate.follow(spoken(share))
    gate.follow(spoken(0.0))
    assert gate.share == 0.0


@pytest.mark.parametrize(
    "view",
    [
        None,
        spoken(1.0, version=0),
        spoken(1.0, stale=True),
        spoken(1.0, age=3 * HOUR + 1),
        spoken(math.nan),
        spoken("wide open"),
        spoken(1.5),
        spoken(-0.1),
        StateView("ArchCtrl", {"mood": 1.0}, 1, T0, False, 0),
    ],
)
def test_a_gate_that_says_nothing_of_use_fails_closed(view: StateView | None) -> None:
    gate = follower()
    assert gate.silent
    gate.follow(spoken(0.6))
    assert not gate.silent
    assert gate.follow(view)
    assert gate.silent
    assert gate.share == 0.6
    assert not gate.follow(view)
    assert gate.follow(spoken(0.61))
    assert (gate.silent, gate.share) == (False, 0.61)


def test_the_gate_goes_on_from_its_checkpoint() -> None:
    gate, other = follower(), follower()
    gate.follow(spoken(0.4))
    other.restore(gate.checkpoint())
    assert (other.share, other.silent) == (0.4, False)
    assert not other.follow(spoken(0.41, age=DAY // 24))


def test_present_only_where_there_is_a_bar() -> None:
    block = market(9, 50)
    gone = replace(block, present=np.zeros_like(block.present))
    made = books()
    made.admit(1)
    votes = np.full((50, 2, 1), 0.9)
    assert (made.update(gone, votes, np.full_like(block.close, 1e-3)) == 0).all()
