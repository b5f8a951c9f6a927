"""What the trades were worth: figures over the net profits of closed trades, in order of their end.

Where a figure has no value the function gives NaN, and the caller says why.
"""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report.distributions import student_two_sided

_FLAT = 1e-12


def win_rate(profits: Floats) -> float:
    """Trades that made money / all closed trades; one of exactly 0 is neither won nor lost."""
    return float(np.mean(profits > 0)) if len(profits) else float("nan")


def loss_rate(profits: Floats) -> float:
    """Trades that lost money / all closed trades."""
    return float(np.mean(profits < 0)) if len(profits) else float("nan")


def average_win(profits: Floats) -> float:
    """Mean profit of the trades that made money."""
    wins = profits[profits > 0]
    return float(np.mean(wins)) if len(wins) else float("nan")


def average_loss(profits: Floats) -> float:
    """Mean loss of the trades that lost money, as a positive figure."""
    losses = profits[profits < 0]
    return float(-np.mean(losses)) if len(losses) else float("nan")


def payoff(profits: Floats) -> float:
    """Average win / average loss."""
    return average_win(profits) / average_loss(profits)


def profit_factor(profits: Floats) -> float:
    """Sum of the wins / sum of the losses."""
    lost = float(-np.sum(profits[profits < 0]))
    return float(np.sum(profits[profits > 0])) / lost if lost > 0 else float("nan")


def expectancy(profits: Floats) -> float:
    """win rate * average win - loss rate * average loss: the mean profit of a trade."""
    if not len(profits):
        return float("nan")
    won = win_rate(profits) * average_win(profits) if np.any(profits > 0) else 0.0
    lost = loss_rate(profits) * average_loss(profits) if np.any(profits < 0) else 0.0
    return won - lost


def expectancy_ratio(profits: Floats) -> float:
    """(1 + payoff) * win rate - 1: expected profit per unit at risk."""
    return (1.0 + payoff(profits)) * win_rate(profits) - 1.0


def system_quality(profits: Floats) -> float:
    """SQN = sqrt(N) * mean(p) / std(p, ddof=1). Tharp (2008)."""
    if len(profits) < 2:
        return float("nan")
    spread = float(np.std(profits, ddof=1))
    if spread <= _FLAT * float(np.max(np.abs(profits))):
        return float("nan")
    return float(np.sqrt(len(profits)) * np.mean(profits) / spread)


def mean_profit_p_value(profits: Floats) -> float:
    """Two-sided p of Student's t-test (1908) that the mean profit is 0.

    Its t is :func:`system_quality`. It takes trades as independent, which overlapping ones are
    not: read it as a lower bound.
    """
    statistic = system_quality(profits)
    if not np.isfinite(statistic):
        return float("nan")
    return student_two_sided(statistic, len(profits) - 1)


def longest_streak(hits: np.typing.NDArray[np.bool_]) -> int:
    """Most consecutive True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hits.astype(np.int8), [0]))))
    return int(np.max(edges[1::2] - edges[::2], initial=0))
