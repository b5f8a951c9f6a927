"""Indices by which the field describes a swarm, for the evidence of a finding; none is a test."""

from __future__ import annotations

import numpy as np

from mirrorcore.emergence.detector import Array


def division_of_labour(counts: Array) -> float:
    """How much of the choice of a task is told by who chooses, 0 to 1.

    Mutual entropy of agents and tasks over the entropy of tasks (Gorelick, Bertram, Killeen and
    Fewell 2004), from how often each agent chose each task, (N, M). 0 where all choose alike, or
    nothing but one task; few choices give more than that by chance.
    """
    total = counts.sum()
    if total <= 0:
        return 0.0
    shares = counts / total
    tasks = _entropy(shares.sum(axis=0))
    if tasks <= 0.0:
        return 0.0
    mutual = _entropy(shares.sum(axis=1)) + tasks - _entropy(shares.ravel())
    return min(max(mutual / tasks, 0.0), 1.0)


def _entropy(shares: Array) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def order_parameter(actions: Array) -> float:
    """Length of the mean action, averaged over ticks, 0 to 1, of (T, N) actions from -1 to 1.

    That of Kuramoto (1984), of agents that can only be in or out of phase: 1 where all always act
    alike; about sqrt(2 / (pi N)) where each tosses a coin at every tick.
    """
    return float(np.abs(actions.mean(axis=1)).mean())
