"""Specialisation: agents that come to prefer tasks of their own.

Each agent keeps its task with a chance, else draws one by how attractive the tasks are to all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.emergence.worlds.world import Array, World, onset_of, returns, smooth

AGENTS = 20
TASKS = 5


def _work(rng: np.random.Generator, appeal: Array, stay: float) -> Array:
    """Tasks (T, N) from log-odds (T, N, M): kept with chance ``stay``, else drawn."""
    ticks, agents, _ = appeal.shape
    weights = np.exp(appeal - appeal.max(axis=2, keepdims=True))
    limits = np.cumsum(weights / weights.sum(axis=2, keepdims=True), axis=2)
    drawn = (rng.random((ticks, agents, 1)) > limits).sum(axis=2)
    anew = rng.random((ticks, agents)) >= stay
    anew[0] = True
    last = np.maximum.accumulate(np.where(anew, np.arange(ticks)[:, None], 0), axis=0)
    return np.take_along_axis(drawn, last, axis=0).astype(float)


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    tasks: int = TASKS,
    stay: float = 0.9,
    uneven: float = 0.4,
    lasting: float = 0.98,
    demand: float = 0.0,
    coded: float = 0.0,
    streaks: float = 0.0,
    strength: float = 0.0,
    over: int = 0,
    share: float = 1.0,
) -> World:
    """One run; a ``strength`` other than zero plants roles of that many log-odds.

    ``uneven``: spread of what draws all agents alike. ``coded``: log-odds of roles from the first
    tick. ``streaks``: spread of private log-odds that keep ``lasting`` of themselves a tick.
    """
    rng = np.random.default_rng([seed, 7002])
    onset = onset_of(rng, ticks)
    wanted = demand * smooth(rng.normal(size=(ticks, tasks)), 0.995)
    base = rng.normal(0.0, uneven, tasks)
    roles = rng.permutation(np.arange(agents) % tasks)
    appeal = np.repeat((wanted + base)[:, None, :], agents, axis=1)
    if coded:
        appeal[:, np.arange(agents), roles] += coded
    if streaks:
        appeal += streaks * smooth(rng.normal(size=(ticks, agents * tasks)), lasting).reshape(
            ticks, agents, tasks
        )
    group = np.sort(rng.choice(agents, max(int(agents * share), 1), replace=False))
    own = rng.permutation(np.arange(agents) % tasks)
    if strength:
        ramp = np.arange(ticks) - onset
        grown = np.clip(ramp / over, 0, 1) if over else (ramp >= 0).astype(float)
        for agent in group:
            appeal[:, agent, own[agent]] += strength * grown
    columns = {
        "ret": returns(rng, ticks),
        "tasks": _work(rng, appeal, stay),
        "demand": wanted,
    }
    static = {"n_tasks": tasks}
    if not strength:
        return World(static, columns)
    return World(static, columns, onset, tuple(int(i) for i in group))


def again(seed: int, **asked: Any) -> World:
    """The same words with other numbers, drawn run by run."""
    rng = np.random.default_rng([seed, 7102])
    return make(
        seed + 100_000,
        agents=int(rng.integers(15, 31)),
        tasks=int(rng.integers(4, 9)),
        uneven=float(rng.uniform(0.2, 0.6)),
        lasting=float(rng.uniform(0.95, 0.98)),
        **{"stay": float(rng.uniform(0.85, 0.93)), **asked},
    )


NULLS: dict[str, Callable[[int], World]] = {
    "uniform": partial(make),
    "demand": partial(make, demand=1.0),
    "sticky": partial(make, stay=0.97),
    "coded_roles": partial(make, coded=1.5),
    "turnover": partial(make, streaks=1.0),
    "again uniform": again,
    "again demand": partial(again, demand=1.2),
    "again sticky": partial(again, stay=0.96),
    "again coded_roles": partial(again, coded=2.0),
    "again turnover": partial(again, streaks=1.2),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "abrupt 1.0": (partial(make, strength=1.0, ticks=6000), 1000),
    "gradual 1.5": (partial(make, strength=1.5, over=500, ticks=6000), 1500),
    "subset 1.5": (partial(make, strength=1.5, share=1 / 3, ticks=6000), 1700),
    "demand 1.5": (partial(make, strength=1.5, demand=1.0, ticks=6000), 1600),
    "again abrupt 1.0": (partial(again, strength=1.0, ticks=5000), 1000),
    "again subset 1.5": (partial(again, strength=1.5, share=1 / 3, ticks=5000), 1700),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
