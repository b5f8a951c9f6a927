"""Novelty: agents that earn with something no coded strategy does, among many who are lucky.

Half of the agents trade noise, half noisy variants of the known strategies; the planted two trade a
predictor of a given Sharpe ratio a tick.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.emergence.worlds.world import World, momentum, returns, smooth, unit

AGENTS = 40
GROUP = 2


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    known_edge: float = 0.0,
    strength: float = 0.0,
    source: str = "hidden_feed",
    trap: str | None = None,
) -> World:
    """One run; ``strength`` is the planted Sharpe ratio a tick, ``source`` what predicts."""
    rng = np.random.default_rng([seed, 7003])
    noise = returns(rng, ticks)
    scale = noise.std()
    feeds = smooth(rng.normal(size=(ticks, 3)), np.array([0.5, 0.8, 0.9]))
    hour = np.sin(2 * np.pi * np.arange(ticks) / 48.0) * np.sqrt(2.0)
    signal = {
        "hidden_feed": feeds[:, 1],
        "interaction": feeds[:, 1] * np.sign(noise),
        "seasonal": hour,
    }[source]
    changes = noise.copy()
    changes[1:] += scale * strength * signal[:-1] + scale * known_edge * feeds[:-1, 0]
    known = np.stack(
        [
            np.tanh(momentum(changes, 10)),
            -np.tanh(changes / scale),
            np.tanh(feeds[:, 0]),
            np.sign(momentum(changes, 40)),
        ],
        axis=1,
    )
    positions = np.empty((ticks, agents))
    half = agents // 2
    positions[:, :half] = smooth(rng.normal(size=(ticks, half)), rng.uniform(0, 0.95, half))
    weights = rng.dirichlet(np.ones(4) * 0.5, agents - half)
    variants = known @ weights.T
    variants = variants / variants.std(axis=0)
    if trap == "mix_known":
        calm = (np.abs(momentum(changes, 20)) < 1.0)[:, None]
        variants = np.where(calm, unit(known[:, 2])[:, None], variants)
    positions[:, half:] = variants + 0.6 * rng.normal(size=variants.shape)
    if trap == "novel_loser":
        losing = -np.sign(np.roll(changes, -1))[:, None] * (rng.random((ticks, GROUP)) < 0.2)
        positions[:, :GROUP] = losing + 0.5 * rng.normal(size=(ticks, GROUP))
    group = np.sort(rng.choice(half, GROUP, replace=False))
    if strength:
        positions[:, group] = signal[:, None] + 0.3 * rng.normal(size=(ticks, GROUP))
    pnl = np.zeros_like(positions)
    pnl[1:] = positions[:-1] * changes[1:, None]
    columns = {"ret": changes, "positions": positions, "pnl": pnl, "known": known, "feeds": feeds}
    static = {"known_names": ("momentum", "reversal", "feed", "trend")}
    if not strength:
        return World(static, columns)
    return World(static, columns, 0, tuple(int(i) for i in group))


NULLS: dict[str, Callable[[int], World]] = {
    "noise": partial(make),
    "noise_many": partial(make, agents=200),
    "novel_loser": partial(make, trap="novel_loser"),
    "known_profit": partial(make, known_edge=0.1),
    "mix_known": partial(make, known_edge=0.1, trap="mix_known"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "hidden_feed .12": (partial(make, strength=0.12, ticks=5000), 4000),
    "hidden_feed .08": (partial(make, strength=0.08, ticks=5000), 4000),
    "interaction .12": (partial(make, strength=0.12, source="interaction", ticks=5000), 4000),
    "seasonal .12": (partial(make, strength=0.12, source="seasonal", ticks=5000), 4000),
}
"""Name: maker, and within how many ticks of the start it must be found."""
