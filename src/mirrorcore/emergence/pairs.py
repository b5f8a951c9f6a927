"""Which agents' errors go together: sums over pairs of agents, and their leading directions.

Nothing here takes a full decomposition: leading directions come from a few products, so that a
thousand agents can be followed. Of very many agents a pair's sums are brought up to date in turns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorcore.emergence.detector import Array, Numbers

Single = npt.NDArray[np.float32]

_GAP = 1024
_TURN = 250
_DIRECTIONS = 12
_STEPS = (8, 6)
_CUT = 1.5


class PairSums:
    """Products of errors of all pairs of N agents, by channel and lag (a *slot*): now and before.

    ``memories``: over how many ticks each of the recent averages fades. The reference holds
    everything but the last ``_GAP`` ticks.
    """

    def __init__(self, agents: int, channels: int, lags: int, memories: tuple[float, ...]) -> None:
        self._lags, self._memories = lags, memories
        slots = channels * (lags + 1)
        self._recent = np.zeros((slots, len(memories), agents, agents), dtype=np.float32)
        self._reference = np.zeros((slots, agents, agents), dtype=np.float32)
        self._reference_ticks = 0
        self._turns = max(1, agents // _TURN)
        self._blocks: list[tuple[Single, Single]] = []
        self._count = 0
        self.learned = 0
        """Ticks taken."""
        nothing = np.zeros((agents, 0))
        self._common = [(nothing, nothing)] * slots
        self._basis: list[Single | None] = [None] * slots

    def recent(self, slot: int, memory: int) -> Array:
        """Recent average of the products, (N, N): row now, column ``lag`` ticks before."""
        out: Array = self._recent[slot, memory].astype(np.float64)
        return out

    def learn(self, now: Array, lagged: Array, directions_every: int) -> list[int]:
        """Take errors (channels, B, N), and (channels, lags + B, N) from earlier; the slots that
        are up to date now."""
        size = now.shape[1]
        self._blocks.append((now.astype(np.float32), lagged.astype(np.float32)))
        self._count += 1
        self.learned += size
        if self.learned % directions_every == 0:
            self._look_back(size)
        newest = self._blocks[-self._turns :]
        ticks = size * len(newest)
        slots = range(self._count % self._turns, len(self._reference), self._turns)
        for slot in slots:
            product = self._product(newest, slot)
            for memory, span in enumerate(self._memories):
                keep = float(np.exp(-size * self._turns / span))
                self._recent[slot, memory] *= np.float32(keep)
                self._recent[slot, memory] += np.float32((1 - keep) / ticks) * product
        return list(slots)

    def _product(self, blocks: list[tuple[Single, Single]], slot: int) -> Single:
        channel, lag = divmod(slot, self._lags + 1)
        start = self._lags - lag
        now = np.concatenate([block[0][channel] for block in blocks])
        then = [block[1][channel, start : start + block[0].shape[1]] for block in blocks]
        out: Single = now.T @ np.concatenate(then)
        return out

    def _look_back(self, size: int) -> None:
        kept = max(min(_GAP, self.learned // 2) // size, self._turns)
        old, self._blocks = self._blocks[:-kept], self._blocks[-kept:]
        for slot in range(len(self._reference)):
            if old:
                self._reference[slot] += self._product(old, slot)
        self._reference_ticks += size * len(old)
        if self._reference_ticks < 256:
            return
        for slot, total in enumerate(self._reference):
            matrix = total / np.float32(self._reference_ticks)
            np.fill_diagonal(matrix, 0.0)
            left, sizes, right = leading_subspace(matrix, self._basis[slot])
            self._basis[slot] = right
            # Noise alone has singular values up to about 2r + r², r² = agents / ticks.
            ratio = np.sqrt(len(matrix) / self._reference_ticks)
            keep = sizes > 2.0 * ratio + ratio**2
            self._common[slot] = left[:, keep].astype(np.float64), right[:, keep].astype(np.float64)

    def aim(self, slots: list[int], known: npt.NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        """Where the strongest of what is new in these slots lies.

        Left and right directions (slots, memories, N) of length one, and how much of each is left,
        (slots, memories), when what was always common is taken away. ``known`` (N, N) pairs are
        left out.
        """
        matrices = self._recent[slots]
        cut = _CUT / np.sqrt(np.array(self._memories, dtype=np.float32))[None, :, None, None]
        even = [place for place, slot in enumerate(slots) if slot % (self._lags + 1) == 0]
        for place in even:
            matrices[place] = (matrices[place] + matrices[place].transpose(0, 2, 1)) / 2
        shrunk = np.minimum(np.maximum(matrices, -cut), cut)
        matrices -= shrunk
        members = np.flatnonzero(known.any(axis=1))
        if len(members):
            inner = np.ix_(np.arange(len(slots)), np.arange(matrices.shape[1]), members, members)
            matrices[inner] *= ~known[np.ix_(members, members)]
        diagonal = np.arange(matrices.shape[-1])
        matrices[:, :, diagonal, diagonal] = 0.0
        shape = matrices.shape[:3]
        left, right = np.empty(shape), np.empty(shape)
        odd = [place for place in range(len(slots)) if place not in even]
        for places, symmetric in ((even, True), (odd, False)):
            if places:
                several = matrices[places].reshape(-1, *matrices.shape[2:])
                sides = leading(several, symmetric)
                left[places], right[places] = (
                    side.reshape(len(places), *shape[1:]) for side in sides
                )
        sizes = np.empty(shape[:2])
        for place, slot in enumerate(slots):
            both = []
            for side, before in zip((left, right), self._common[slot], strict=True):
                side[place] -= (side[place] @ before) @ before.T
                length = np.sqrt((side[place] ** 2).sum(axis=1))
                side[place] /= np.maximum(length, 1e-12)[:, None]
                both.append(length)
            sizes[place] = np.minimum(*both)
        return left, right, sizes


def leading(matrices: npt.NDArray[Any], symmetric: bool) -> tuple[Array, Array]:
    """Leading singular vectors (S, N) left and right of (S, N, N) matrices, nearly.

    Of symmetric ones the vector of the largest eigenvalue, twice. From the Krylov space of the
    agent most bound to others.
    """
    count, agents = matrices.shape[:2]
    steps = min(_STEPS[0] if symmetric else _STEPS[1], agents)
    basis = np.zeros((count, steps, agents), dtype=matrices.dtype)
    images = np.zeros_like(basis)
    most: Numbers = np.einsum("sij,sij->sj", matrices, matrices).argmax(axis=1)
    basis[np.arange(count), 0, most] = 1.0
    turned = matrices.transpose(0, 2, 1)
    for step in range(steps):
        image = np.matmul(matrices, basis[:, step, :, None])
        if not symmetric:
            image = np.matmul(turned, image)
        images[:, step] = image[:, :, 0]
        if step + 1 == steps:
            break
        fresh = images[:, step, :, None]
        scale = np.sqrt((fresh**2).sum(axis=1, keepdims=True))
        seen = basis[:, : step + 1]
        for _ in range(2):
            fresh = fresh - np.matmul(seen.transpose(0, 2, 1), np.matmul(seen, fresh))
        length = np.sqrt((fresh**2).sum(axis=1, keepdims=True))
        # Where nothing new is left, rounding errors are no direction.
        fresh = np.where(length > 1e-4 * scale, fresh / np.maximum(length, 1e-20), 0.0)
        basis[:, step + 1] = fresh[:, :, 0]
    small = np.matmul(basis, images.transpose(0, 2, 1)).astype(np.float64)
    small = (small + small.transpose(0, 2, 1)) / 2
    mix = np.linalg.eigh(small)[1][:, :, -1]
    right = _unit(np.matmul(mix[:, None, :], basis)[:, 0])
    if symmetric:
        return right, right
    return _unit(np.matmul(matrices, right[:, :, None].astype(matrices.dtype))[:, :, 0]), right


def _unit(vectors: Array) -> Array:
    wide = vectors.astype(np.float64)
    out: Array = wide / np.maximum(np.sqrt((wide**2).sum(axis=1)), 1e-12)[:, None]
    return out


def leading_subspace(matrix: Single, start: Single | None) -> tuple[Single, Single, Single]:
    """Up to 12 leading singular vectors (N, K) left, values (K,) and vectors right, nearly.

    ``start``: the right vectors of a matrix that was much the same, where there was one.
    """
    agents = len(matrix)
    rounds = 2
    if start is None:
        strongest = np.argsort((matrix**2).sum(axis=1))[-min(_DIRECTIONS, agents) :]
        start, rounds = matrix[strongest].T, 5
    left, right = start, start
    for _ in range(rounds):
        left = np.linalg.qr(matrix @ right)[0]
        right = np.linalg.qr(matrix.T @ left)[0]
    u, sizes, v = np.linalg.svd(left.T @ matrix @ right)
    return left @ u, sizes, right @ v.T
