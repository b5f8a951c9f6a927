"""Whether choosing the best in the past chooses the best in the future: combinatorially symmetric
cross-validation (Bailey, Borwein, López de Prado & Zhu 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mirrorcore.market.block import Floats

GROUPS = 16
_CHUNK = 4_000_000  # numbers held in memory at a time


@dataclass(frozen=True, slots=True)
class Overfitting:
    """``pbo``: share of the ``splits`` whose winner came out in the lower half out of sample.

    ``loss``: share in which it lost money out of sample. ``winners`` (N,) counts how often each
    configuration won in sample.
    """

    pbo: float
    loss: float
    splits: int
    winners: tuple[int, ...]


def overfitting(returns: Floats, groups: int = GROUPS) -> Overfitting:
    """Probability of backtest overfitting over ``returns`` (days, configurations).

    The days are cut into ``groups`` equal stretches (the first days that do not fill them are left
    out); every choice of half of them is once the sample in which the best Sharpe ratio is chosen,
    the other half what it is ranked on. The rank w in (0, 1) of the winner among all N is
    rank / (N + 1); PBO is the share of splits with log(w / (1 - w)) <= 0.

    Raises
    ------
    ValueError: fewer than two configurations, an odd number of groups, or less than two days each.
    """
    days, count = returns.shape
    if count < 2:
        raise ValueError(f"{count} configuration, needs two: there is nothing to choose from")
    if groups < 2 or groups % 2:
        raise ValueError(f"groups was {groups}, must be even and 2 or more")
    length = days // groups
    if length < 2:
        raise ValueError(f"{days} days for {groups} groups, needs {2 * groups}")
    parts = returns[days - length * groups :].reshape(groups, length, count)
    # Centred first, since the difference of two large squares has no digits left.
    centre = parts.mean(axis=(0, 1))
    sums, squares = (parts - centre).sum(axis=1), ((parts - centre) ** 2).sum(axis=1)
    chosen = np.array(list(combinations(range(groups), groups // 2)))
    inside = np.zeros((len(chosen), groups), dtype=bool)
    np.put_along_axis(inside, chosen, True, axis=1)
    low = lost = 0
    winners = np.zeros(count, dtype=np.int64)
    step = max(1, _CHUNK // (groups * count))
    for start in range(0, len(inside), step):
        picked = inside[start : start + step].astype(np.float64)
        within = _ratios(picked, sums, squares, centre, length * groups // 2)
        beyond = _ratios(1.0 - picked, sums, squares, centre, length * groups // 2)
        best = np.argmax(within, axis=1)
        reached = np.take_along_axis(beyond, best[:, None], axis=1)
        below = (beyond < reached).sum(axis=1)
        level = (beyond == reached).sum(axis=1)
        rank = (below + (level + 1) / 2.0) / (count + 1)
        low += int(np.count_nonzero(rank <= 0.5))
        lost += int(np.count_nonzero(reached[:, 0] < 0))
        winners += np.bincount(best, minlength=count)
    splits = len(inside)
    return Overfitting(low / splits, lost / splits, splits, tuple(winners.tolist()))


def _ratios(picked: Floats, sums: Floats, squares: Floats, centre: Floats, n: int) -> Floats:
    """Sharpe ratio (splits, N) of the days in the picked groups; 0 where nothing varied."""
    total = np.einsum("sg,gn->sn", picked, sums)
    spread = np.einsum("sg,gn->sn", picked, squares) - total**2 / n
    deviation = np.sqrt(np.maximum(spread, 0.0) / (n - 1))
    mean = total / n + centre
    ratios: Floats = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 1e-15)
    return ratios
