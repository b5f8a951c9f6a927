"""Coordination: a private part that becomes common, among agents that share a market anyway.

An agent acts with the sign of its market-driven part plus a private, persistent part, beyond a
threshold of its own. Planted, six agents' private parts come to share something that nobody logged;
each private part alone looks as before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.emergence.worlds.world import Array, World, momentum, onset_of, returns, smooth

AGENTS = 20
GROUP = 6


def _drive(rng: np.random.Generator, kind: str, changes: Array, agents: int) -> Array:
    """(T, N) what each agent makes of the market, of a spread near one."""
    now = np.clip(changes / changes.std(), -5, 5)
    slow = [momentum(changes, span) for span in (3, 8, 20)]
    weights = rng.dirichlet([1.0, 1.0, 1.0, 1.0], size=agents)
    parts = np.stack([now, *slow], axis=1)
    if kind == "independent":
        return np.zeros((len(changes), agents))
    if kind == "nonlinear":
        calm = np.abs(slow[1]) < 0.8
        bent = np.stack(
            [
                np.tanh(3 * slow[0]),
                slow[1] * calm * 1.5,
                np.sign(now) * (np.abs(now) > 0.7),
                -slow[2] * (np.abs(now) > 1),
            ],
            axis=1,
        )
        return bent @ weights.T
    drive = parts @ weights.T
    drive /= drive.std(axis=0)
    if kind == "lagged":
        lags = rng.integers(0, 4, size=agents)
        drive = np.stack([np.roll(drive[:, i], lags[i]) for i in range(agents)], axis=1)
    return drive


def _private(
    rng: np.random.Generator, ticks: int, agents: int, memory: Array
) -> tuple[Array, Callable[[int], Array]]:
    """Private parts (T, N), and a maker of one more of the same kind with a given memory."""
    own = smooth(rng.normal(size=(ticks, agents)), memory)

    def another(like: int) -> Array:
        return smooth(rng.normal(size=ticks), float(memory[like]))

    return own, another


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    drive: str = "common",
    strength: float = 1.0,
    slow: bool = False,
    planted: str | None = None,
    coupling: float = 0.0,
    extra: str | None = None,
) -> World:
    """One run; ``planted`` is sync, leadlag or timing, ``extra`` a trap besides the market."""
    rng = np.random.default_rng([seed, 7001])
    changes = returns(rng, ticks)
    if extra == "vol_break":
        changes[ticks // 2 :] *= 3.0
    market = strength * _drive(rng, drive, changes, agents)
    memory = rng.uniform(0.97, 0.99, agents) if slow else rng.uniform(0.3, 0.8, agents)
    own, another = _private(rng, ticks, agents, memory)
    onset = onset_of(rng, ticks)
    group = np.sort(rng.choice(agents, GROUP, replace=False))
    inputs = smooth(rng.normal(size=(ticks, 2)), np.array([0.5, 0.9]))
    subs = np.zeros((agents, 2))
    messages = np.zeros((ticks, agents))
    threshold = np.tile(rng.uniform(0.3, 1.0, agents), (ticks, 1))
    after = np.arange(ticks) >= onset
    if extra == "shared_feed":
        market[:, group] += 1.5 * inputs[:, :1]
        subs[group, 0] = 1
    if extra == "clock":
        closing = np.arange(ticks) % int(rng.choice([5, 8, 12, 20, 30])) == 0
        threshold = np.where(closing[:, None], 0.2, threshold + 1.0)
    gate = np.ones((ticks, agents))
    if planted == "sync" or extra == "explicit":
        common = another(int(group[0]))
        mixed = np.sqrt(1 - coupling**2) * own[:, group] + coupling * common[:, None]
        told = after & (rng.random(ticks) < (0.3 if extra == "explicit" else 1.0))
        own[:, group] = np.where(told[:, None], mixed, own[:, group])
        if extra == "explicit":
            messages[np.ix_(told, group)] = 1
    elif planted == "leadlag":
        lags = rng.integers(1, 3, size=GROUP - 1)
        for follower, lag in zip(group[1:], lags, strict=True):
            led = np.sqrt(1 - coupling**2) * own[:, follower]
            led = led + coupling * np.roll(own[:, group[0]], lag)
            own[:, follower] = np.where(after, led, own[:, follower])
    if planted == "timing" or extra == "gated":
        each = rng.random((ticks, agents)) < 0.35
        shared = rng.random(ticks) < 0.35
        follow = (rng.random((ticks, agents)) < coupling) & after[:, None]
        keep = np.ones(agents, dtype=bool)
        keep[group] = False
        follow[:, keep] = False
        gate = np.where(follow, shared[:, None], each).astype(float)
    total = market + own
    actions = np.sign(total) * (np.abs(total) > threshold) * gate
    columns = {"ret": changes, "inputs": inputs, "actions": actions, "messages": messages}
    if planted is None:
        return World({"subs": subs}, columns)
    return World({"subs": subs}, columns, onset, tuple(int(i) for i in group))


NULLS: dict[str, Callable[[int], World]] = {
    "independent": partial(make, drive="independent"),
    "common": partial(make),
    "common_strong": partial(make, strength=2.0),
    "nonlinear": partial(make, drive="nonlinear", strength=1.5),
    "lagged": partial(make, drive="lagged"),
    "persistent": partial(make, slow=True),
    "shared_feed": partial(make, extra="shared_feed"),
    "clock": partial(make, extra="clock"),
    "explicit": partial(make, extra="explicit", coupling=0.8),
    "vol_break": partial(make, strength=1.5, extra="vol_break"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "sync .7": (partial(make, planted="sync", coupling=0.7, ticks=4000), 512),
    "leadlag .8": (partial(make, planted="leadlag", coupling=0.8, ticks=4000), 768),
    "timing .6": (partial(make, planted="timing", coupling=0.6, ticks=4000), 768),
    "sync_common .8": (
        partial(make, planted="sync", coupling=0.8, strength=1.5, ticks=4000),
        768,
    ),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
