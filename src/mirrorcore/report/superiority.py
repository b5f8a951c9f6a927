"""Whether the best of several beats a benchmark by more than being the best explains: the test for
superior predictive ability (Hansen 2005), with the stationary bootstrap (Politis & Romano 1994)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report.bootstrap import block_length, stationary_indices

REPETITIONS = 2000
SEED = 20050401
_CHUNK = 2_000_000  # resampled numbers held in memory at a time


@dataclass(frozen=True, slots=True)
class Superiority:
    """``p``: how often the best of as many without superiority would look as good.

    ``best`` is the column with the largest statistic, ``statistic`` its studentised mean.
    ``resolution`` is the smallest p that ``repetitions`` can show.
    """

    p: float
    best: int
    statistic: float
    repetitions: int
    block_days: float

    @property
    def resolution(self) -> float:
        return 1.0 / (self.repetitions + 1)


def superiority(
    excess: Floats, rng: np.random.Generator, repetitions: int = REPETITIONS
) -> Superiority:
    """Hansen's consistent p that no column of ``excess`` (days, N) has a mean above 0.

    ``excess`` is each configuration's return less the benchmark's. The statistic is
    max(0, max_k sqrt(n) mean_k / s_k), s_k from the bootstrap. Under the null the means are
    recentred to 0, but for columns so bad (below -sqrt(2 log log n) s_k / sqrt(n)) that they cannot
    be the best: those keep theirs and so do not blunt the test. p counts the resamples that reach
    the statistic, and the sample itself. Columns that never vary are no candidates.

    Raises
    ------
    ValueError: fewer than 20 days, or no column that varies.
    """
    days = len(excess)
    varies = np.ptp(excess, axis=0) > 1e-15
    if days < 20 or not np.any(varies):
        raise ValueError(f"{days} days and {int(varies.sum())} columns that vary, needs 20 and 1")
    columns = np.flatnonzero(varies)
    values = excess[:, columns]
    mean = values.mean(axis=0)
    length = max(block_length(values[:, k]) for k in range(len(columns)))
    drawn = _means(values, rng, repetitions, length)
    # A mean of resamples has the mean of the sample, whatever the blocks: they wrap around.
    error = np.sqrt(np.mean((drawn - mean) ** 2, axis=0))
    standing = mean / error
    kept = standing >= -np.sqrt(2.0 * np.log(np.log(days)))
    null = np.maximum(((drawn - np.where(kept, mean, 0.0)) / error).max(axis=1), 0.0)
    best = int(np.argmax(standing))
    reached = max(0.0, float(standing[best]))
    p = (1 + int(np.count_nonzero(null >= reached))) / (1 + repetitions)
    return Superiority(p, int(columns[best]), float(standing[best]), repetitions, length)


def _means(values: Floats, rng: np.random.Generator, repetitions: int, length: float) -> Floats:
    """Mean (repetitions, N) of each column over each resample of the days."""
    days, count = values.shape
    means = np.empty((repetitions, count))
    step = max(1, _CHUNK // (days * count))
    for start in range(0, repetitions, step):
        stop = min(repetitions, start + step)
        index = stationary_indices(days, stop - start, length, rng)
        means[start:stop] = values[index].mean(axis=1)
    return means
