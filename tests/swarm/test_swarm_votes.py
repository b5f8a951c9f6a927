"""Votes, how they fade, and how well each of them did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import HOUR, MINUTE
from mirrorcore.swarm.scoreboard import FIELDS, Scoreboard
from mirrorcore.swarm.votes import Ballot, read_vote

SYMBOLS = ("A/USD", "B/USD", "C/USD")
T0 = 1_700_000_000_000_000_000
CUTS = (1, 7, 4096)


def in_pieces(ticks: int, rows: int) -> list[slice]:
    return [slice(first, min(first + rows, ticks)) for first in range(0, ticks, rows)]


# -- the ballot -----------------------------------------------------------------------------------


def ballot(*voters: str, lasting: int = HOUR, fading: int = 4 * HOUR) -> Ballot:
    made = Ballot(SYMBOLS)
    for voter in voters:
        made.admit(voter, lasting, fading)
    return made


def test_a_voter_that_has_said_nothing_has_no_opinion() -> None:
    votes = ballot("one", "two").counted(T0)
    assert votes.shape == (1, 3, 2)
    assert np.isnan(votes).all()


def test_a_vote_counts_in_full_for_its_cadence_then_fades_over_its_horizon() -> None:
    made = ballot("one")
    made.cast("one", T0, np.array([0.9, 0.1, np.nan]))

    def seen(age: int) -> list[float]:
        values: list[float] = made.counted(T0 + age)[0, :, 0].tolist()
        return values

    assert seen(0)[:2] == [0.9, 0.1]
    assert seen(HOUR)[:2] == [0.9, 0.1]
    assert seen(3 * HOUR)[:2] == pytest.approx([0.7, 0.3])
    assert seen(5 * HOUR - 1)[0] > 0.5
    assert np.isnan(seen(5 * HOUR)).all()
    assert all(math.isnan(seen(age)[2]) for age in (0, HOUR, 3 * HOUR))


@given(st.floats(0, 1), st.lists(st.integers(0, 10 * HOUR), min_size=2, max_size=2))
def test_a_fading_vote_never_gets_stronger_and_never_changes_sides(
    vote: float, ages: list[int]
) -> None:
    made = ballot("one")
    made.cast("one", T0, np.full(3, vote))
    early, late = (np.nan_to_num(made.counted(T0 + age) - 0.5) for age in sorted(ages))
    assert (np.abs(late) <= np.abs(early) + 1e-15).all()
    assert (late * early >= 0).all()


def test_a_newcomer_is_the_last_column_and_changes_nobody_elses_bits() -> None:
    made = ballot("one", "two")
    made.cast("one", T0, np.array([0.51, 0.52, 0.53]))
    made.cast("two", T0 - 2 * HOUR, np.array([0.41, 0.42, 0.43]))
    before = made.counted(T0 + HOUR)
    made.admit("late", 0, MINUTE)
    assert "late" in made
    assert "later" not in made
    after = made.counted(T0 + HOUR)
    assert after.shape == (1, 3, 3)
    assert np.array_equal(after[:, :, :2], before)
    assert np.isnan(after[:, :, 2]).all()


def test_a_ballot_goes_on_from_its_checkpoint() -> None:
    made, other = ballot("one"), ballot("one")
    made.cast("one", T0, np.array([0.6, 0.7, 0.8]))
    other.restore(made.checkpoint())
    assert np.array_equal(other.counted(T0 + 2 * HOUR), made.counted(T0 + 2 * HOUR))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"forecast": np.array([0.1, 0.5, 0.9])}, [0.1, 0.5, 0.9]),
        ({"forecast": 0.7}, [0.7, 0.7, 0.7]),
        ({"forecast": {"C/USD": 0.2, "X/USD": 0.9}}, [None, None, 0.2]),
        ({"signal": 1}, [1.0, 1.0, 1.0]),
        ({"signal": -0.5}, [0.25, 0.25, 0.25]),
        ({"signal": {"A/USD": 0.0, "B/USD": -1.0}}, [0.5, 0.0, None]),
        ({"signal": np.array([0.2, 0.0, -0.2])}, [0.6, 0.5, 0.4]),
        ({"forecast": 0.6, "signal": -1.0}, [0.6, 0.6, 0.6]),
        ({"forecast": np.array([-0.1, 1.1, np.nan])}, [None, None, None]),
        ({"signal": 3.0}, [None, None, None]),
        ({"signal": "buy"}, [None, None, None]),
        ({"forecast": np.array([0.5, 0.5])}, [None, None, None]),
        ({"forecast": None}, [None, None, None]),
    ],
)
def test_votes_are_read_in_every_form(
    state: dict[str, Any], expected: Sequence[float | None]
) -> None:
    vote = read_vote(state, SYMBOLS)
    assert vote is not None
    assert [None if math.isnan(v) else v for v in vote.tolist()] == pytest.approx(expected)


def test_a_state_without_a_vote_is_none() -> None:
    assert read_vote({"confidence": 0.9}, SYMBOLS) is None


# -- the scoreboard -------------------------------------------------------------------------------


def world(
    seed: int, ticks: int, forecasts: int, holes: float = 0.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (ticks, len(SYMBOLS))
    present = rng.random(shape) >= holes
    returns = np.where(present, rng.normal(0, 1e-3, shape), 0.0)
    returns[rng.random(shape) < 0.1] = 0.0
    vol = np.where(rng.random(shape) < 0.1, np.nan, rng.uniform(5e-4, 2e-3, shape))
    said = rng.random((*shape, forecasts))
    said[rng.random(said.shape) < 0.2] = np.nan
    said[rng.random(said.shape) < 0.1] = 0.5
    return said, returns, vol, present


def plainly(
    said: np.ndarray,
    returns: np.ndarray,
    vol: np.ndarray,
    present: np.ndarray,
    horizon: int,
    i: int,
) -> list[float]:
    """The sums of forecast ``i`` over ``horizon`` bars, one forecast after the other."""
    sums = dict.fromkeys(FIELDS, 0.0)
    for now in range(horizon, len(said)):
        made = now - horizon
        for s in range(len(SYMBOLS)):
            p = float(said[made, s, i])
            moved = sum(float(r) for r in returns[made + 1 : now + 1, s])
            if math.isnan(p) or p == 0.5 or moved == 0.0 or not present[now, s]:
                continue
            rise = moved > 0
            y = 1.0 if rise else 0.0
            bounded = min(max(p, 0.01), 0.99)
            x = math.log(bounded / (1 - bounded))
            scale = float(vol[made, s]) * math.sqrt(horizon)
            z = min(max(moved / scale, -4.0), 4.0) if scale > 0 else 0.0
            sums["n"] += 1
            sums["hits"] += (p > 0.5) == rise
            sums["claimed"] += max(p, 1 - p)
            sums["brier"] += (p - y) ** 2
            sums["xx"] += x * x / 4
            sums["xy"] += x * (y - 0.5) / 2
            sums["ic_xy"] += x * z
            sums["ic_xx"] += x * x
            sums["ic_yy"] += z * z
    return list(sums.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_scores_are_those_of_a_plain_second_bookkeeping(seed: int) -> None:
    horizons = [1, 1, 3, 12]
    said, returns, vol, present = world(seed, 120, len(horizons))
    board = Scoreboard(horizons, len(SYMBOLS))
    path = board.update(said, returns, vol, present)
    for i, horizon in enumerate(horizons):
        wanted = plainly(said, returns, vol, present, horizon, i)
        assert path[-1, :, i].tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        early = plainly(said[:50], returns[:50], vol[:50], present[:50], horizon, i)
        assert path[49, :, i].tolist() == pytest.approx(early, rel=1e-9, abs=1e-9)
    assert path[-1, 0].min() > 20


def test_a_forecast_is_scored_when_its_horizon_is_over_and_not_before() -> None:
    board = Scoreboard([5], 1)
    said = np.full((12, 1, 1), np.nan)
    said[2] = 0.9
    returns = np.full((12, 1), 0.001)
    path = board.update(said, returns, np.full((12, 1), 0.001), np.ones((12, 1), bool))
    assert path[:, 0, 0].tolist() == [0.0] * 7 + [1.0] * 5
    assert path[-1, 1, 0] == 1.0


@given(st.integers(0, 2**32), st.sampled_from([1, 7, 33]))
@settings(max_examples=15, deadline=None)
def test_scores_do_not_depend_on_how_ticks_are_cut(seed: int, rows: int) -> None:
    said, returns, vol, present = world(seed, 80, 3)
    whole = Scoreboard([1, 4, 9], len(SYMBOLS)).update(said, returns, vol, present)
    board = Scoreboard([1, 4, 9], len(SYMBOLS))
    pieces = [board.update(said[p], returns[p], vol[p], present[p]) for p in in_pieces(80, rows)]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_one_that_joins_is_scored_from_then_on_and_moves_nobody_elses_bits() -> None:
    said, returns, vol, present = world(3, 90, 3)
    alone = Scoreboard([1, 4], len(SYMBOLS)).update(said[:, :, :2], returns, vol, present)
    board = Scoreboard([1, 4], len(SYMBOLS))
    first = board.update(said[:40, :, :2], returns[:40], vol[:40], present[:40])
    board.admit(2)
    second = board.update(said[40:], returns[40:], vol[40:], present[40:])
    assert np.array_equal(np.concatenate([first, second[:, :, :2]]), alone)
    wanted = plainly(said[40:], returns[40:], vol[40:], present[40:], 2, 2)
    assert second[-1, :, 2].tolist() == pytest.approx(wanted, rel=1e-9)


def test_the_scoreboard_goes_on_from_its_checkpoint() -> None:
    said, returns, vol, present = world(4, 60, 2)
    board, other = Scoreboard([1, 6], len(SYMBOLS)), Scoreboard([1, 6], len(SYMBOLS))
    board.update(said[:30], returns[:30], vol[:30], present[:30])
    other.restore(board.checkpoint())
    rest = (said[30:], returns[30:], vol[30:], present[30:])
    assert np.array_equal(board.update(*rest), other.update(*rest))
