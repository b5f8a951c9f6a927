"""Coordination, written a second time from the same words with other constants, drawn run by run.

Another market (GARCH with Student shocks), other numbers of agents, memories, thresholds as
quantiles, other rules: they stand for the worlds of others. On seeds 200 to 219 it was seen here
that a shorter warm-up does no harm; nothing else of the detector was chosen on these worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.emergence.worlds.market_again import ar, ewma, garch
from benchmarks.emergence.worlds.world import Array, World

GROUP = 6


def _rules(rng: np.random.Generator, kind: str, shocks: Array, agents: int) -> Array:
    """(T, N) what the market makes agents want, each of a spread of one."""
    fast, middle, slow = (ewma(shocks, span) for span in rng.uniform([2, 6, 15], [5, 14, 45]))
    if kind == "nonlinear":
        terms = [
            np.sign(middle) * np.sqrt(np.abs(middle)),
            np.where(np.abs(shocks) > 1.2, -shocks, 0.3 * fast),
            np.abs(shocks) - np.abs(shocks).mean(),
            np.maximum(slow, 0.0) - 0.5 * np.maximum(-fast, 0.0),
        ]
    else:
        terms = [shocks, fast, middle, slow]
    table = np.stack(terms, axis=1)
    table = table / table.std(axis=0)
    wanted = table @ rng.normal([0.4, 0.6, 0.6, 0.3], 0.5, (agents, 4)).T
    if kind == "lagged":
        late = rng.integers(0, 5, agents)
        wanted = np.stack([np.roll(wanted[:, i], k) for i, k in enumerate(late)], axis=1)
        wanted[:5] = 0.0
    out: Array = wanted / wanted.std(axis=0)
    return out


def _acts(
    rng: np.random.Generator,
    total: Array,
    trap: str | None,
    planted: str | None,
    after: NDArray[np.bool_],
    group: NDArray[np.int64],
    coupling: float,
) -> tuple[Array, Array]:
    """(T, N) whether each agent acts, and on which side it would."""
    ticks, count = total.shape
    quiet = rng.uniform(0.25, 0.65, count)
    size = np.sort(np.abs(total), axis=0)
    threshold = size[(quiet * ticks).astype(np.int64), np.arange(count)]
    acts: NDArray[np.bool_] = np.abs(total) > threshold
    if trap == "clock":
        bar = int(rng.choice([4, 6, 10, 15, 24, 48, 60]))
        acts &= np.equal(np.arange(ticks) % bar, bar - 1)[:, None]
    if planted == "timing":
        # Everyone is open 35 % of the time by himself; the group by one gate it shares.
        own_gate, one_gate = rng.random((ticks, count)) < 0.35, rng.random(ticks) < 0.35
        follows: NDArray[np.bool_] = rng.random((ticks, count)) < coupling
        follows &= after[:, None]
        follows[:, np.setdiff1d(np.arange(count), group)] = False
        acts &= np.where(follows, np.expand_dims(one_gate, 1), own_gate)
    return acts.astype(float), np.sign(total)


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int | None = None,
    rules: str = "linear",
    strength: float = 1.0,
    slow: bool = False,
    trap: str | None = None,
    planted: str | None = None,
    coupling: float = 0.0,
) -> World:
    """One run; ``agents`` is drawn from 15 to 30 unless given."""
    rng = np.random.default_rng([seed, 90_210])
    count = agents or int(rng.integers(15, 31))
    onset = int(ticks * rng.uniform(0.4, 0.6))
    after: NDArray[np.bool_] = np.arange(ticks) >= onset
    group = np.sort(rng.permutation(count)[:GROUP])
    moves = garch(rng, ticks, scale=float(np.exp(rng.uniform(-8, -4))))
    if trap == "vol_break":
        moves = np.where(after, 3.0, 1.0) * moves
    shocks = np.clip(moves / moves[: ticks // 4].std(), -6, 6)
    memory = rng.uniform(0.95, 0.995, count) if slow else rng.uniform(0.0, 0.9, count)
    private = np.stack([ar(rng, ticks, one) for one in memory], axis=1)
    feeds = np.stack([ar(rng, ticks, one) for one in rng.uniform(0.0, 0.97, 3)], axis=1)
    subs = (rng.random((count, 3)) < 0.3).astype(float)
    want = strength * _rules(rng, rules, shocks, count)
    if rules == "none":
        want = np.zeros_like(want)
    else:
        want += 0.5 * feeds @ (subs * rng.normal(size=(count, 3))).T
    if trap == "shared_feed":
        subs[:, 2] = 0.0
        subs[group, 2] = 1.0
        want[:, group] += float(rng.uniform(1.0, 1.5)) * np.tanh(feeds[:, 2:])
    messages = np.zeros((ticks, count))
    led: NDArray[np.bool_] = after
    if trap == "explicit":
        led = after & (rng.random(ticks) < rng.uniform(0.1, 0.9))
        messages[np.ix_(led, group)] = rng.integers(1, 3, (int(led.sum()), GROUP))
    rest = np.sqrt(1.0 - coupling**2)
    if planted == "sync" or trap == "explicit":
        shared = ar(rng, ticks, float(np.mean(memory[group])))
        mixed = rest * private[:, group] + coupling * shared[:, None]
        private[:, group] = np.where(led[:, None], mixed, private[:, group])
    if planted == "leadlag":
        leader = private[:, group[0]]
        for follower in group[1:]:
            told = np.roll(leader, int(rng.integers(1, 3)))
            private[after, follower] = (rest * private[:, follower] + coupling * told)[after]
    acts, sides = _acts(rng, want + private, trap, planted, after, group, coupling)
    columns = {
        "ret": moves,
        "inputs": feeds,
        "actions": sides * acts,
        "messages": messages,
    }
    if planted is None:
        return World({"subs": subs}, columns)
    return World({"subs": subs}, columns, onset, tuple(int(i) for i in group))


NULLS: dict[str, Callable[[int], World]] = {
    "again independent": partial(make, rules="none"),
    "again common": partial(make),
    "again common_strong": partial(make, strength=2.0),
    "again nonlinear": partial(make, rules="nonlinear"),
    "again lagged": partial(make, rules="lagged"),
    "again persistent": partial(make, slow=True),
    "again shared_feed": partial(make, trap="shared_feed"),
    "again clock": partial(make, trap="clock"),
    "again explicit": partial(make, trap="explicit", coupling=0.8),
    "again vol_break": partial(make, trap="vol_break"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "again sync .7": (partial(make, planted="sync", coupling=0.7, ticks=4000, agents=20), 512),
    "again leadlag .8": (
        partial(make, planted="leadlag", coupling=0.8, ticks=4000, agents=20),
        768,
    ),
    "again timing .6": (partial(make, planted="timing", coupling=0.6, ticks=4000, agents=20), 768),
    "again sync_common .8": (
        partial(make, planted="sync", coupling=0.8, strength=1.5, ticks=4000, agents=20),
        768,
    ),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
