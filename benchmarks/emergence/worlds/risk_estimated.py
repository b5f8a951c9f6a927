"""Adaptive risk once more, less conveniently than in ``risk``.

Volatility is what can be estimated from returns; conviction is a bend of the signal with half of
the agents; volatility targets have a floor; drawdown is since the very best, and answered to with a
limit.

The logarithm of an agent's exposure is a level of its own plus its conviction plus slow private
noise. Planted, six agents begin to hold less in rough markets, or more the deeper they are under
water; drawdowns are in units of what a steady agent's equity strays in 2,000 ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.signal import lfilter

from benchmarks.emergence.worlds.world import Array, World, onset_of, returns, smooth

AGENTS = 20
GROUP = 6


def _log_volatility(changes: Array, span: float = 20.0) -> Array:
    """What anyone can estimate of the volatility now."""
    rate = 2.0 / (span + 1.0)
    start = float((changes[:100] ** 2).mean())
    power, _ = lfilter([rate], [1.0, rate - 1.0], changes**2, zi=[(1.0 - rate) * start])
    out: Array = 0.5 * np.log(power)
    return out


def make(
    seed: int,
    *,
    ticks: int = 10_000,
    agents: int = AGENTS,
    planted: str | None = None,
    strength: float = 0.0,
    trap: str | None = None,
) -> World:
    """One run; ``planted`` is vol_adapt, vol_ramp or dd_adapt, ``trap`` a null's name."""
    # Quiet worlds share no chance: their alarms are independent.
    rng = np.random.default_rng([seed, 7006, *f"{trap}".encode()])
    changes = returns(rng, ticks)
    onset = onset_of(rng, ticks)
    after = (np.arange(ticks) >= onset).astype(float)
    scale = float(changes.std())
    if trap in ("vol_break", "vol_break_coded"):
        changes = changes * np.where(after > 0, 2.5, 1.0)
    rough = _log_volatility(changes) - np.log(scale)
    memory = rng.uniform(0.995, 0.999, agents) if trap == "slow" else rng.uniform(0.9, 0.98, agents)
    private = 0.6 * smooth(rng.normal(size=(ticks, agents)), memory)
    signal = smooth(rng.normal(size=(ticks, agents)), rng.uniform(0.5, 0.9, agents))
    if trap == "via_signal":
        signal = signal * np.exp(-0.6 * after * rough)[:, None]
    # Some agents hold more when they are surer, others when they are more bullish.
    conviction = np.where(rng.random(agents) < 0.5, np.abs(signal), 0.5 * signal)
    log_exposure = rng.normal(0.0, 0.5, agents) + rng.uniform(0.3, 0.8, agents) * conviction
    log_exposure = log_exposure + private
    if trap == "delever":
        # All at once, at the roughest tick of the middle of the run.
        middle = slice(ticks * 4 // 10, ticks * 6 // 10)
        worst = middle.start + int(rough[middle].argmax())
        log_exposure[worst:] -= 1.0
    if trap in ("coded", "vol_break_coded"):
        # A volatility target with a floor: it does not go on for ever.
        log_exposure -= 0.8 * np.minimum(rough, 1.2)[:, None]
    group = np.sort(rng.choice(agents, GROUP, replace=False))
    share = after
    if planted == "vol_ramp":
        share = np.clip((np.arange(ticks) - onset) / 200.0, 0.0, 1.0)
    if planted in ("vol_adapt", "vol_ramp"):
        log_exposure[:, group] -= strength * (share * rough)[:, None]
    answer = np.zeros(agents)
    if planted == "dd_adapt":
        answer[group] = strength
    if trap == "coded_drawdown":
        answer[:] = -0.5
        share = np.ones(ticks)
    exposure, pnl, drawdown = _trade(changes, log_exposure, np.sign(signal), share, answer, scale)
    columns = {
        "ret": changes,
        "exposure": exposure,
        "signal": signal,
        "logvol": rough,
        "drawdown": drawdown,
        "pnl": pnl,
    }
    static = {"baseline_end": ticks // 4}
    if planted is None:
        return World(static, columns)
    return World(static, columns, onset, tuple(int(i) for i in group))


def _trade(
    changes: Array, planned: Array, side: Array, share: Array, answer: Array, scale: float
) -> tuple[Array, Array, Array]:
    """Exposure (T, N) with the answer to drawdown, the profit of each last decision, drawdown."""
    unit = scale * np.sqrt(2000.0) * np.exp(planned.mean(axis=0))
    exposure, pnl, drawdown = (np.zeros_like(planned) for _ in range(3))
    equity, peak = np.zeros(planned.shape[1]), np.zeros(planned.shape[1])
    for tick, change in enumerate(changes):
        if tick:
            pnl[tick] = exposure[tick - 1] * side[tick - 1] * change
        equity = equity + pnl[tick]
        peak = np.maximum(peak, equity)
        drawdown[tick] = (peak - equity) / unit
        answered = answer * share[tick] * np.minimum(drawdown[tick], 4.0)
        exposure[tick] = np.exp(planned[tick] + answered)
    return exposure, pnl, drawdown


NULLS: dict[str, Callable[[int], World]] = {
    "estimated fixed": partial(make),
    "estimated slow": partial(make, trap="slow"),
    "estimated coded": partial(make, trap="coded"),
    "estimated coded_drawdown": partial(make, trap="coded_drawdown"),
    "estimated via_signal": partial(make, trap="via_signal"),
    "estimated vol_break": partial(make, trap="vol_break"),
    "estimated vol_break_coded": partial(make, trap="vol_break_coded"),
    "estimated delever": partial(make, trap="delever"),
}

PLANTED: dict[str, tuple[Callable[[int], World], int]] = {
    "estimated vol_adapt .4": (partial(make, planted="vol_adapt", strength=0.4, ticks=4000), 600),
    "estimated vol_adapt .6": (partial(make, planted="vol_adapt", strength=0.6, ticks=4000), 600),
    "estimated vol_ramp .6": (partial(make, planted="vol_ramp", strength=0.6, ticks=4000), 800),
    "estimated dd_adapt .6": (partial(make, planted="dd_adapt", strength=0.6, ticks=4000), 1000),
}
"""Name: maker, and within how many ticks of the onset it must be found."""
