"""Regimes: the market switches, and agents with noisy views of their own come to believe it.

An agent estimates log-volatility and trend from returns it sees with errors of its own; 60 % of
agents look, the others' beliefs wander by themselves. Between switches volatility clusters mildly:
the swings of :func:`benchmarks.emergence.worlds.world.returns` are as large as a switch and nearly
as fast, so that no one could tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import lfilter

from benchmarks.emergence.worlds.world import Array, World, onset_of, smooth

AGENTS = 20
_SCALE = 0.001


def _average(values: Array, rate: float) -> Array:
    start = values[:50].mean(axis=0, keepdims=True) * (1.0 - rate)
    out, _ = lfilter([rate], [1.0, rate - 1.0], values, axis=0, zi=start)
    return np.asarray(out)


def _beliefs(rng: np.random.Generator, seen: Array, agents: int, looks: Array) -> Array:
    """(T, N, 2) log-volatility and trend as each agent estimates them from its own view."""
    out = np.empty((len(seen), agents, 2))
    for agent in range(agents):
        if not looks[agent]:
            wandering = smooth(rng.normal(size=(len(seen), 2)), rng.uniform(0.9, 0.97))
            out[:, agent] = 0.25 * wandering + np.array([np.log(_SCALE), 0.0])
            continue
        view = seen + 0.4 * _SCALE * rng.normal(size=len(seen))
        power = np.minimum(view**2, (8 * _SCALE) ** 2)
        out[:, agent, 0] = 0.5 * np.log(_average(power, 2.0 / rng.uniform(15.0, 40.0)))
        out[:, agent, 1] = _average(np.clip(view / _SCALE, -6, 6), 2.0 / rng.uniform(15.0, 40.0))
    return out + 0.05 * rng.normal(size=out.shape)


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    planted: str | None = None,
    strength: float = 1.0,
    trap: str | None = None,
    cluster: float = 0.15,
    lasting: float = 0.95,
    watch: float = 0.6,
) -> World:
    """One run; ``planted`` is vol, trend or both, ``trap`` blind, herd or outliers.

    ``cluster``: spread of log-volatility between switches, which keeps ``lasting`` of itself a
    tick. ``watch``: share of the agents that look.
    """
    # Quiet worlds share no chance: their alarms are independent.
    rng = np.random.default_rng([seed, 7007, *f"{trap}{cluster}".encode()])
    onset = onset_of(rng, ticks)
    length = ticks // 8
    since = np.arange(ticks) - onset
    # Three switches: away, back, away again.
    switches = np.where(since < 0, 0, np.minimum(since // length + 1, 3))
    state = (switches % 2).astype(float)
    side = float(rng.choice([-1.0, 1.0]))
    log_vol = cluster * smooth(rng.normal(size=ticks), lasting)
    shock = rng.standard_t(5, size=ticks) / np.sqrt(5 / 3)
    if trap == "outliers":
        wild = rng.choice(ticks, ticks // 400, replace=False)
        shock[wild] = 8.0 * rng.choice([-1.0, 1.0], len(wild))
    quiet = _SCALE * np.exp(log_vol) * shock
    changes = quiet
    if planted in ("vol", "both") or trap == "blind":
        changes = changes * np.exp(side * strength * state)
    if planted in ("trend", "both") or trap == "blind":
        drift = (strength if planted == "trend" else 2.0 * strength) / 4.0
        changes = changes + side * drift * _SCALE * (2.0 * state - 1.0)
    looks = rng.permutation(np.arange(agents) < round(watch * agents))
    beliefs = _beliefs(rng, quiet if trap == "blind" else changes, agents, looks)
    if trap == "herd":
        beliefs[:, looks] += side * state[:, None, None]
    columns = {"ret": changes, "beliefs": beliefs}
    if planted is None:
        return World({}, columns)
    return World({}, columns, onset, tuple(int(i) for i in np.flatnonzero(looks)))


def again(seed: int, **asked: Any) -> World:
    """The same words with other numbers, drawn run by run."""
    rng = np.random.default_rng([seed, 7107])
    return make(
        seed + 100_000,
        agents=int(rng.integers(12, 31)),
        cluster=float(rng.uniform(0.1, 0.2)),
        lasting=float(rng.uniform(0.9, 0.96)),
        watch=float(rng.uniform(0.5, 0.75)),
        **asked,
    )


NULLS: dict[str, Callable[[int], World]] = {
    "stationary": partial(make),
    "clustered": partial(make, cluster=0.4),
    "blind": partial(make, trap="blind"),
    "herd": partial(make, trap="herd"),
    "outliers": partial(make, trap="outliers"),
    "again stationary": again,
    "again blind": partial(again, trap="blind"),
    "again herd": partial(again, trap="herd"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "vol 1.0": (partial(make, planted="vol", strength=1.0, ticks=4000), 80),
    "trend 2.0": (partial(make, planted="trend", strength=2.0, ticks=4000), 80),
    "both 1.0": (partial(make, planted="both", strength=1.0, ticks=4000), 80),
    "again vol 1.0": (partial(again, planted="vol", strength=1.0, ticks=4000), 80),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
