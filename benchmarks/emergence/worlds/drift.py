"""Drift: the policy of three agents changes, while everything they react to may change as well.

An agent acts with the sign of its weights on the last return, a momentum and two feeds, plus
private noise, beyond a threshold of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.emergence.worlds.world import World, momentum, onset_of, returns, smooth

AGENTS = 20
GROUP = 3


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    planted: str | None = None,
    strength: float = 0.0,
    trap: str | None = None,
) -> World:
    """One run; ``planted`` is abrupt, gradual, flip or frequency."""
    rng = np.random.default_rng([seed, 7004])
    changes = returns(rng, ticks)
    onset = onset_of(rng, ticks)
    after = np.arange(ticks) >= onset
    scale = changes.std()
    if trap == "covariate":
        changes = np.where(after, 3.0, 1.0) * changes
    inputs = smooth(rng.normal(size=(ticks, 2)), np.array([0.6, 0.9]))
    if trap == "covariate_feed":
        inputs[:, 1] += 1.5 * after
    seen = np.stack(
        [
            np.clip(changes / scale, -5, 5),
            np.clip(momentum(changes, 10), -5, 5),
            inputs[:, 0],
            inputs[:, 1],
        ],
        axis=1,
    )
    before = rng.normal(size=(agents, 4))
    before *= rng.uniform(0.8, 1.4, (agents, 1)) / np.linalg.norm(before, axis=1, keepdims=True)
    fresh = rng.normal(size=(agents, 4))
    fresh *= np.linalg.norm(before, axis=1, keepdims=True) / np.linalg.norm(
        fresh, axis=1, keepdims=True
    )
    group = np.sort(rng.choice(agents, GROUP, replace=False))
    chosen = np.isin(np.arange(agents), group)
    share = after.astype(float)
    if planted == "gradual":
        share = np.clip((np.arange(ticks) - onset) / 800.0, 0.0, 1.0)
    moved = share[:, None] * chosen[None, :] * strength  # (T, N)
    if planted == "flip":
        drive = (seen @ before.T) * (1.0 - 2.0 * moved)
    elif planted in ("abrupt", "gradual"):
        drive = (seen @ before.T) * (1.0 - moved) + (seen @ fresh.T) * moved
    else:
        drive = seen @ before.T
    memory = rng.uniform(0.96, 0.99, agents) if trap == "persistent" else np.full(agents, 0.3)
    private = smooth(rng.normal(size=(ticks, agents)), memory)
    threshold = np.tile(rng.uniform(0.4, 1.0, agents), (ticks, 1))
    if planted == "frequency":
        threshold = threshold * np.exp(moved * rng.choice([-1.0, 1.0], agents))
    total = drive + private
    columns = {
        "ret": changes,
        "inputs": inputs,
        "actions": np.sign(total) * (np.abs(total) > threshold),
        "confidence": np.clip(np.abs(total) / 3.0, 0.0, 1.0),
    }
    static = {"subs": np.ones((agents, 2)), "baseline_end": ticks // 4}
    if planted is None:
        return World(static, columns)
    return World(static, columns, onset, tuple(int(i) for i in group))


NULLS: dict[str, Callable[[int], World]] = {
    "stationary": partial(make),
    "covariate": partial(make, trap="covariate"),
    "covariate_feed": partial(make, trap="covariate_feed"),
    "persistent": partial(make, trap="persistent"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "abrupt .7": (partial(make, planted="abrupt", strength=0.7, ticks=4000), 400),
    "gradual .8": (partial(make, planted="gradual", strength=0.8, ticks=4000), 1000),
    "flip .5": (partial(make, planted="flip", strength=0.5, ticks=4000), 400),
    "frequency .7": (partial(make, planted="frequency", strength=0.7, ticks=4000), 1000),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
