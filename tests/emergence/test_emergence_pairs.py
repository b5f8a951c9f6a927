"""Sums over pairs of agents against the plain way of computing them."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorcore.emergence.coordination import CoordinationDetector
from mirrorcore.emergence.detector import Array
from mirrorcore.emergence.pairs import PairSums, leading, leading_subspace


def planted(rng: np.random.Generator, agents: int, size: float) -> Array:
    """Noise, and a group of six that goes together."""
    matrix: Array = rng.normal(size=(agents, agents)) / np.sqrt(agents) / 2
    group = rng.permutation(agents)[:6]
    matrix[np.ix_(group, group)] += size
    return matrix


@pytest.mark.parametrize("agents", [3, 20, 150])
def test_leading_directions_are_those_of_full_decompositions(agents: int) -> None:
    rng = np.random.default_rng(agents)
    matrices = rng.normal(size=(3, 3, 3))
    if agents > 3:
        matrices = np.stack([planted(rng, agents, 0.7) for _ in range(3)])
    even = (matrices + matrices.transpose(0, 2, 1)) / 2
    vector = leading(even, symmetric=True)[0]
    left, right = leading(matrices, symmetric=False)
    for number, matrix in enumerate(matrices):
        top = np.linalg.eigh(even[number])[1][:, -1]
        assert abs(top @ vector[number]) > 0.999
        u, _, v = np.linalg.svd(matrix)
        assert abs(left[number] @ u[:, 0]) > 0.999
        assert abs(right[number] @ v[0]) > 0.999


def test_the_largest_eigenvalue_is_meant_and_not_the_largest_by_size() -> None:
    matrix = np.diag([-5.0, 1.0, 0.0, 0.0]) + 0.1
    vector = leading(matrix[None], symmetric=True)[0][0]
    assert abs(vector[1]) > 0.9


def test_a_subspace_is_found_and_taken_up_again() -> None:
    rng = np.random.default_rng(5)
    matrix = (planted(rng, 80, 1.0) + planted(rng, 80, 0.7)).astype(np.float32)
    exact = np.linalg.svd(matrix)
    left, sizes, right = leading_subspace(matrix, None)
    left, sizes, right = leading_subspace(matrix, right)
    assert np.allclose(sizes[:2], exact[1][:2], rtol=1e-3)
    assert np.allclose(np.abs(np.diag(exact[0][:, :2].T @ left[:, :2])), 1.0, atol=1e-3)
    assert np.allclose(np.abs(np.diag(exact[2][:2] @ right[:, :2])), 1.0, atol=1e-3)


def test_recent_products_fade_and_are_taken_at_their_lag() -> None:
    rng = np.random.default_rng(6)
    agents, lags, block, memory = 7, 2, 16, 40.0
    errors = rng.normal(size=(2, 6 * block + lags, agents))
    sums = PairSums(agents, 2, lags, (memory,))
    for start in range(lags, errors.shape[1], block):
        long = errors[:, start - lags : start + block]
        slots = sums.learn(long[:, lags:], long, 10_000)
        assert slots == list(range(6))
    for channel, lag in ((0, 0), (1, 2)):
        expected = np.zeros((agents, agents))
        for start in range(lags, errors.shape[1], block):
            now = errors[channel, start : start + block]
            then = errors[channel, start - lag : start - lag + block]
            keep = np.exp(-block / memory)
            expected = keep * expected + (1 - keep) * now.T @ then / block
        assert np.allclose(sums.recent(channel * 3 + lag, 0), expected, atol=1e-5)


def test_very_many_agents_are_followed_in_turns() -> None:
    rng = np.random.default_rng(7)
    sums = PairSums(500, 1, 1, (100.0,))
    seen = []
    for _ in range(4):
        block = rng.normal(size=(1, 32, 500))
        long = np.concatenate([np.zeros((1, 1, 500)), block], axis=1)
        seen.append(sums.learn(block, long, 10_000))
    assert seen == [[1], [0], [1], [0]]
    diagonal = np.diag(sums.recent(0, 0))
    assert 0.6 < diagonal.mean() < 0.8, "1 - exp(-128 / 100) of a variance of one"


def test_what_was_always_common_is_left_out_and_the_new_is_not() -> None:
    """Agents 0 to 3 go together all the time, 4 to 7 only lately."""
    rng = np.random.default_rng(8)
    agents, block = 20, 64
    sums = PairSums(agents, 1, 0, (160.0,))
    nothing = np.zeros((agents, agents), dtype=bool)

    def feed(blocks: int, late: float) -> None:
        for _ in range(blocks):
            errors = rng.normal(size=(1, block, agents))
            errors[0, :, :4] += rng.normal(size=(block, 1))
            errors[0, :, 4:8] += late * rng.normal(size=(block, 1))
            sums.learn(errors, errors, 256)

    feed(40, 0.0)
    left, _, size = sums.aim([0], nothing)
    assert size[0, 0] < 0.3, "there is nothing new"
    feed(8, 1.2)
    left, _, size = sums.aim([0], nothing)
    assert size[0, 0] > 0.5
    assert set(np.flatnonzero(np.abs(left[0, 0]) > 0.35)) == {4, 5, 6, 7}
    known = nothing.copy()
    known[4:8, 4:8] = True
    left, _, size = sums.aim([0], known)
    assert (np.abs(left[0, 0, 4:8]) > 0.35).sum() < 3, "pairs that are known are no news"


def test_sums_over_pairs_leave_out_agents_themselves_and_known_pairs() -> None:
    rng = np.random.default_rng(9)
    detector = CoordinationDetector({"subs": np.zeros((6, 0))})
    detector._known[np.ix_([1, 2, 4], [1, 2, 4])] = True
    detector._known[np.ix_([0, 4], [0, 4])] = True
    left, right = rng.normal(size=(2, 5, 6))
    open_pairs = ~detector._known & ~np.eye(6, dtype=bool)
    expected = np.einsum("bi,ij,bj->b", left, open_pairs.astype(float), right)
    assert np.allclose(detector._over_pairs(left, right), expected)
