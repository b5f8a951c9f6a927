"""Adaptive risk: exposures that begin to answer volatility or losses, among those that always did.

Log exposure is an own level plus conviction (half the logged signal) plus slow private noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.emergence.worlds.world import Array, World, onset_of, smooth

AGENTS = 20
GROUP = 6


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    planted: str | None = None,
    strength: float = 0.0,
    trap: str | None = None,
) -> World:
    """One run; ``planted`` is vol_adapt, vol_ramp (over 200 ticks) or dd_adapt."""
    rng = np.random.default_rng([seed, 7006])
    onset = onset_of(rng, ticks)
    after = (np.arange(ticks) >= onset).astype(float)
    log_vol = 0.5 * smooth(rng.normal(size=ticks), 0.97)
    if trap == "vol_break":
        log_vol = log_vol + np.log(2.5) * after
    changes = 0.001 * np.exp(log_vol) * rng.standard_t(5, size=ticks) / np.sqrt(5 / 3)
    signal = smooth(rng.normal(size=(ticks, agents)), 0.9)
    if trap == "via_signal":
        signal = signal - 0.8 * log_vol[:, None]
    memory = 0.998 if trap == "slow" else 0.9
    noise = 0.3 * smooth(rng.normal(size=(ticks, agents)), memory)
    exposure = rng.normal(0, 0.3, agents) + 0.5 * signal + noise
    if trap == "coded":
        exposure = exposure - log_vol[:, None]
    if trap == "delever":
        exposure = exposure - 0.7 * after[:, None]
    chosen = np.zeros(agents)
    group = np.sort(rng.choice(agents, GROUP, replace=False))
    chosen[group] = strength
    share = np.clip((np.arange(ticks) - onset) / 200, 0, 1) if planted == "vol_ramp" else after
    if planted in ("vol_adapt", "vol_ramp"):
        exposure = exposure - share[:, None] * chosen * log_vol[:, None]
    side = np.sign(rng.normal(size=(ticks, agents)))
    pnl, drawdown = _accounts(side * np.exp(exposure), changes)
    if planted == "dd_adapt":
        scaled = drawdown / (drawdown.std(axis=0) + 1e-12)
        exposure = exposure - share[:, None] * chosen * scaled
        pnl, _ = _accounts(side * np.exp(exposure), changes)
    columns = {
        "ret": changes,
        "exposure": np.exp(exposure),
        "signal": signal,
        "logvol": log_vol,
        "drawdown": drawdown,
        "pnl": pnl,
    }
    static = {"baseline_end": ticks // 4}
    if planted is None:
        return World(static, columns)
    return World(static, columns, onset, tuple(int(i) for i in group))


def _accounts(held: Array, changes: Array) -> tuple[Array, Array]:
    """Profit a tick of what was held before it, and the loss since the best of 500 ticks."""
    pnl = np.zeros_like(held)
    pnl[1:] = held[:-1] * changes[1:, None]
    worth = np.cumsum(pnl, axis=0)
    best = worth.copy()
    step = 1
    while step < 500:
        best[step:] = np.maximum(best[step:], best[:-step])
        step *= 2
    return pnl, best - worth


NULLS: dict[str, Callable[[int], World]] = {
    "fixed": partial(make),
    **{
        trap: partial(make, trap=trap)
        for trap in ("slow", "coded", "via_signal", "vol_break", "delever")
    },
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "vol_adapt .6": (partial(make, planted="vol_adapt", strength=0.6, ticks=5000), 800),
    "vol_adapt .4": (partial(make, planted="vol_adapt", strength=0.4, ticks=5000), 600),
    "vol_ramp .6": (partial(make, planted="vol_ramp", strength=0.6, ticks=5000), 1000),
    "dd_adapt .6": (partial(make, planted="dd_adapt", strength=0.6, ticks=5000), 1000),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
