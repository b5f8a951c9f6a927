"""Drift, written a second time from the same words with other constants, drawn run by run.

They stand for the worlds of others (:mod:`benchmarks.emergence.worlds.coordination_again`); but the
detector was mended on seeds 100 to 180, where *again covariate* told what its regression lacked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.emergence.worlds.market_again import ar, ewma, garch
from benchmarks.emergence.worlds.world import World

GROUP = 3


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int | None = None,
    trap: str | None = None,
    planted: str | None = None,
    strength: float = 0.0,
) -> World:
    """One run; ``agents`` is drawn from 12 to 30 unless given."""
    rng = np.random.default_rng([seed, 60_606])
    count = agents or int(rng.integers(12, 31))
    onset = int(ticks * rng.uniform(0.4, 0.6))
    time = np.arange(ticks)
    after = time >= onset
    moves = garch(rng, ticks, scale=float(np.exp(rng.uniform(-8, -4))))
    usual = moves.std()
    if trap == "covariate":
        moves = np.where(after, 3.0, 1.0) * moves
    feeds = np.stack([ar(rng, ticks, one) for one in rng.uniform(0.0, 0.97, 2)], axis=1)
    if trap == "covariate_feed":
        feeds[after, int(rng.integers(2))] += float(rng.choice([-1, 1]) * rng.uniform(1.0, 2.0))
    trend = ewma(moves / usual, float(rng.uniform(4, 30)))
    seen = np.column_stack([np.tanh(moves / usual), np.clip(trend, -4, 4), feeds])
    norm = rng.uniform(0.8, 1.6, count)
    before, fresh = rng.normal(size=(2, count, 4)) + 0.0
    before *= (norm / np.linalg.norm(before, axis=1))[:, None]
    fresh *= (norm / np.linalg.norm(fresh, axis=1))[:, None]
    group = np.sort(rng.permutation(count)[:GROUP])
    moved = np.zeros((ticks, count))
    ramp = np.clip((time - onset) / 800.0, 0.0, 1.0) if planted == "gradual" else after * 1.0
    moved[:, group] = strength * ramp[:, None]
    want = seen @ before.T
    if planted in ("abrupt", "gradual"):
        want = (1.0 - moved) * want + moved * (seen @ fresh.T)
    if planted == "flip":
        want = (1.0 - 2.0 * moved) * want
    memory = rng.uniform(0.93, 0.995, count) if trap == "persistent" else rng.uniform(0, 0.6, count)
    loud = float(rng.uniform(0.6, 1.1))
    total = want + loud * np.stack([ar(rng, ticks, one) for one in memory], axis=1)
    threshold = np.broadcast_to(rng.uniform(0.5, 1.1, count), total.shape)
    if planted == "frequency":
        threshold = threshold * np.exp(moved * rng.choice([-1.0, 1.0], count))
    columns = {
        "ret": moves,
        "inputs": feeds,
        "actions": np.sign(total) * (np.abs(total) > threshold),
        "confidence": 1.0 / (1.0 + np.exp(-np.abs(total))),
    }
    static = {"subs": np.ones((count, 2)), "baseline_end": ticks // 4}
    if planted is None:
        return World(static, columns)
    return World(static, columns, onset, tuple(int(i) for i in group))


NULLS: dict[str, Callable[[int], World]] = {
    "again stationary": partial(make),
    "again covariate": partial(make, trap="covariate"),
    "again covariate_feed": partial(make, trap="covariate_feed"),
    "again persistent": partial(make, trap="persistent"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "again abrupt .7": (partial(make, planted="abrupt", strength=0.7, ticks=4000, agents=20), 400),
    "again gradual .8": (
        partial(make, planted="gradual", strength=0.8, ticks=4000, agents=20),
        1000,
    ),
    "again flip .5": (partial(make, planted="flip", strength=0.5, ticks=4000, agents=20), 400),
    "again frequency .7": (
        partial(make, planted="frequency", strength=0.7, ticks=4000, agents=20),
        1000,
    ),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
