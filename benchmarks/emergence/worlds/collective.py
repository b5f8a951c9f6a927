"""Collective intelligence: a swarm that forecasts better than every one of its members.

Votes are probabilities that the next outcome is 1; the swarm's forecast is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtr

from benchmarks.emergence.worlds.world import World, onset_of, returns, smooth

AGENTS = 15


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    kind: str = "clones",
    strength: float = 0.0,
    late: bool = False,
) -> World:
    """One run. The swarm averages the votes' log-odds, sharpened where that is planted."""
    rng = np.random.default_rng([seed, 7005])
    onset = onset_of(rng, ticks) if late else 0
    after = (np.arange(ticks) >= onset).astype(float)
    latent = rng.normal(size=(ticks, agents))  # independent pieces of private information
    noise = rng.normal(size=ticks)
    sharpen = 1.0
    if kind in ("diverse", "error_cancel"):
        # Probit weight ``strength`` of all information together.
        whole = latent.sum(axis=1) / np.sqrt(agents)
        if kind == "error_cancel":
            whole = latent[:, 0]
        outcome = (strength * after * whole + noise > 0).astype(float)
        if kind == "diverse":
            each = strength / np.sqrt(agents) * latent * after[:, None]
        else:
            seen = whole[:, None] + 1.2 * rng.normal(size=(ticks, agents))
            each = strength * after[:, None] * seen / (1 + 1.2**2)
        votes = ndtr(each)
        sharpen = float(agents) if kind == "diverse" else 1.8
    else:
        signal = rng.normal(size=ticks)
        outcome = (0.4 * signal + noise > 0).astype(float)
        if kind == "clones":
            votes = ndtr(0.4 * signal[:, None] + 0.0 * latent)
        elif kind == "expert":
            votes = ndtr(0.1 * latent)
            votes[:, 0] = ndtr(0.4 * signal)
        elif kind == "shrinkage":
            outcome = (rng.random(ticks) < 0.5).astype(float)
            votes = ndtr(0.8 * latent)
        elif kind == "best_switches":
            best = (np.arange(ticks) // 500) % agents
            own = smooth(latent, 0.5)
            votes = ndtr(0.3 * own)
            outcome = (0.3 * own[np.arange(ticks), best] * 0.0 + noise > 0).astype(float)
        else:  # a loud herd of two thirds that shares one useless opinion
            votes = ndtr(0.2 * signal[:, None] + 0.3 * latent)
            votes[:, : 2 * agents // 3] = ndtr(rng.normal(size=ticks))[:, None]
    odds = np.log(votes) - np.log1p(-votes)
    swarm = 1.0 / (1.0 + np.exp(-sharpen * odds.mean(axis=1)))
    last = np.concatenate([[0.0], outcome[:-1]])
    columns = {"ret": returns(rng, ticks), "votes": votes, "swarm": swarm, "outcome": last}
    if not strength:
        return World({}, columns)
    return World({}, columns, onset)


def again(seed: int, **asked: Any) -> World:
    """The same words with another number of agents, drawn run by run."""
    rng = np.random.default_rng([seed, 7105])
    return make(seed + 100_000, agents=int(rng.integers(8, 31)), **asked)


NULLS: dict[str, Callable[[int], World]] = {
    kind: partial(make, kind=kind)
    for kind in ("clones", "expert", "shrinkage", "best_switches", "herd")
}
NULLS |= {f"again {kind}": partial(again, kind=kind) for kind in ("clones", "expert", "herd")}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "diverse .35": (partial(make, kind="diverse", strength=0.35, ticks=4000), 1000),
    "again diverse .35": (partial(again, kind="diverse", strength=0.35, ticks=4000), 1000),
    "diverse .7": (partial(make, kind="diverse", strength=0.7, ticks=4000), 500),
    "onset_diverse .8": (partial(make, kind="diverse", strength=0.8, late=True, ticks=4000), 500),
    "error_cancel .8": (partial(make, kind="error_cancel", strength=0.8, ticks=4000), 1800),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
