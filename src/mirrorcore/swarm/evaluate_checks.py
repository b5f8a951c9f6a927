"""The checks of ``mirrorcore evaluate``: figures in, outcomes with their bars out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report import metrics
from mirrorcore.report.checks import Check
from mirrorcore.report.overfitting import GROUPS, overfitting
from mirrorcore.report.permutation import permutation
from mirrorcore.report.splits import walk_forward
from mirrorcore.report.superiority import SEED, superiority

SIGNIFICANT = 0.05
LARGEST_PBO = 0.2
LARGEST_LOSS = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration with its daily ``returns`` (days,)."""

    label: str
    returns: Floats

    @property
    def sharpe(self) -> float | None:
        """A year's; None where the returns never vary."""
        found = float(metrics.sharpe(self.returns))
        return found if np.isfinite(found) else None


def stress_check(name: str, label: str, guards: str, stressed: Candidate) -> Check:
    """The run under worse conditions must still earn."""
    bar, value = "a Sharpe above 0", stressed.sharpe
    if value is None:
        return Check(name, label, "no Sharpe: nothing was earned or lost", bar, False, guards)
    return Check(name, label, f"Sharpe {value:.2f}", bar, value > 0, guards, value)


def walk_forward_check(candidates: Sequence[Candidate], embargo: int) -> Check:
    """Choose on one stretch, score on the next: what the choosing would have earned."""
    matrix = np.column_stack([one.returns for one in candidates])
    splits = walk_forward(len(matrix), embargo)
    chosen, earned = [], []
    for split in splits:
        ratios = np.nan_to_num(metrics.sharpe(matrix[split.train].T), nan=-np.inf)
        best = int(np.argmax(ratios))
        chosen.append(candidates[best].label)
        earned.append(matrix[split.test, best])
    out = Candidate("out of sample", np.concatenate(earned))
    value = out.sharpe
    guards = "Settings that were chosen on the very days they are judged on."
    bar = "a Sharpe above 0"
    if value is None:
        return Check("walk_forward", "walk-forward", "no Sharpe", bar, False, guards)
    picks = f"{len(set(chosen))} configuration{'s' if len(set(chosen)) > 1 else ''} chosen"
    shown = (
        f"Sharpe {value:.2f} over {len(out.returns)} days out of sample "
        f"({len(splits)} rolls, embargo {embargo} d, {picks})"
    )
    return Check("walk_forward", "walk-forward", shown, bar, value > 0, guards, value)


def overfitting_check(candidates: Sequence[Candidate]) -> Check:
    """Whether the best in one half of the days is any good in the other.

    Among variations that are all as good as each other the winner's rank is chance and PBO is near
    a half without any harm; so it is enough, instead, that the winner hardly ever lost.
    """
    bar = f"PBO below {LARGEST_PBO}, or a loss in less than {LARGEST_LOSS:.0%} of the splits"
    guards = "A best of many that is best by chance."
    if len(candidates) < 2:
        return Check("pbo", "PBO by CSCV", "nothing to choose from", bar, None, guards)
    found = overfitting(np.column_stack([one.returns for one in candidates]))
    shown = (
        f"PBO {found.pbo:.2f} over {found.splits:,} splits of {GROUPS} groups, the winner lost in "
        f"{found.loss:.1%}"
    )
    passed = found.pbo < LARGEST_PBO or found.loss < LARGEST_LOSS
    return Check("pbo", "PBO by CSCV", shown, bar, passed, guards, found.pbo)


def superiority_check(candidates: Sequence[Candidate]) -> Check:
    """Whether the best of all beats not trading by more than being the best explains."""
    matrix = np.column_stack([one.returns for one in candidates])
    bar = f"p below {SIGNIFICANT}"
    guards = "The luck of the best among all that were tried."
    label = "SPA against cash"
    try:
        found = superiority(matrix, np.random.default_rng(SEED))
    except ValueError as error:
        return Check("spa", label, str(error), bar, None, guards)
    shown = (
        f"p {found.p:.4f} (best: {candidates[found.best].label}; {found.repetitions:,} resamples, "
        f"blocks of {found.block_days:.1f} d)"
    )
    return Check("spa", label, shown, bar, found.p < SIGNIFICANT, guards, found.p)


def better_variation(candidates: Sequence[Candidate]) -> tuple[str, float] | None:
    """The variation that beats the run most, and the SPA p of it; None without variations."""
    if len(candidates) < 2:
        return None
    matrix = np.column_stack([one.returns for one in candidates])
    try:
        found = superiority(matrix[:, 1:] - matrix[:, :1], np.random.default_rng(SEED))
    except ValueError:
        return None  # every variation came out as the run itself
    return candidates[1 + found.best].label, found.p


def permutation_check(weights: Floats, returns: Floats, days: int) -> Check:
    """Whether what was held moved with what the market did next."""
    bar = f"p below {SIGNIFICANT}"
    guards = "Gains that any positions of this size and rhythm would have made."
    label = "permutation of positions"
    try:
        found = permutation(weights, returns, days)
    except ValueError as error:
        return Check("permutation", label, str(error), bar, None, guards)
    shown = (
        f"p {found.p:.4f} (at least {found.resolution:.4f} with {found.shifts} shifts by whole "
        f"days; earned {100 * found.earned:.2f} % before costs, shifted "
        f"{100 * found.elsewhere:.2f} %)"
    )
    return Check("permutation", label, shown, bar, found.p < SIGNIFICANT, guards, found.p)
