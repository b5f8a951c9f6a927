"""What the gate of fear is worth: insurance against an edge that dies, and what it costs.

Six worlds of daily results of a book sized for the default volatility target, 4,000 paths of 1,000
days each. The gate is the product's: the equations of ``mirrorcore.agents.mind.fear`` with the
agent's own weights, the default drawdown limit and ArchCtrl's veto, read off the ungated book, in
force from the next day on. A path shows drawdown and streak; volatility, jumps and the crowd are
market drivers, stay unknown here and therefore 0, as they would in the agent. It is compared with
a constant lever of the same mean exposure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.evidence.record import Finding
from mirrorcore.agents.base import Context
from mirrorcore.agents.mind import fear as equations
from mirrorcore.agents.mind.arch_ctrl import ArchCtrl
from mirrorcore.agents.mind.fear_analyzer import FearAnalyzer
from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats

SEED = 20_261
PATHS, DAYS = 4_000, 1_000
TRADING_DAYS = 252
HALF_LIFE = "10d"
"""Of fear where a step is a day; 24 h is for steps of an hour."""
LEAST_GAIN, MOST_COST = 2.0, 0.10
CLAIM = (
    f"on {PATHS:,} paths of {DAYS:,} days, at the same mean exposure: where the edge dies mid-way "
    f"the gate has at least {LEAST_GAIN:.0f}× the constant lever's Sharpe ratio; with independent "
    f"results it costs at most {MOST_COST:.0%} of it; profit never raises fear; the gate opens "
    "again after it was shut"
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One gate: the book's volatility a day and the constants of fear."""

    daily_volatility: float
    one: float
    kept: float
    period: float
    veto: float


def setting(half_life: str) -> Setting:
    """The product's own constants for steps of a day."""
    context = Context(symbols=("A/B",), bar_ns=DAY)
    agent = FearAnalyzer(half_life=half_life, appraisal="1d")
    return Setting(
        daily_volatility=context.volatility_target / float(np.sqrt(TRADING_DAYS)),
        one=equations.LIMIT_SHARE * context.drawdown_limit,
        kept=float(0.5 ** (DAY / agent.half_life_ns)),
        period=DAY / agent.half_life_ns,
        veto=ArchCtrl().veto_fear,
    )


# -- worlds: (paths, days) results a day of a book that is never cut ------------------------------

World = Callable[[np.random.Generator, int, int, float], Floats]


def _autoregression(rng: np.random.Generator, paths: int, days: int, half_life: float) -> Floats:
    """(paths, days) of unit variance, from its stationary law."""
    keep = 0.5 ** (1.0 / half_life)
    path = np.empty((paths, days))
    path[:, 0] = rng.standard_normal(paths)
    for day in range(1, days):
        fresh = rng.standard_normal(paths)
        path[:, day] = keep * path[:, day - 1] + np.sqrt(1.0 - keep * keep) * fresh
    return path


def _sharpe(yearly: Any) -> Any:
    """A Sharpe ratio a year as a mean in daily deviations."""
    return yearly / np.sqrt(TRADING_DAYS)


def independent(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    return np.asarray(vol * (_sharpe(1.0) + rng.standard_normal((paths, days))))


def edge_dies(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    mean = np.where(np.arange(days) < days // 2, _sharpe(1.5), _sharpe(-1.0))
    return np.asarray(vol * (mean + rng.standard_normal((paths, days))))


def slow_edge(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    mean = _sharpe(0.5 + 1.5 * _autoregression(rng, paths, days, 60.0))
    return np.asarray(vol * (mean + rng.standard_normal((paths, days))))


def reverting(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    shock = rng.standard_normal((paths, days + 1))
    swings = (shock[:, 1:] - 0.15 * shock[:, :-1]) / np.sqrt(1.0 + 0.15**2)
    return np.asarray(vol * (_sharpe(1.0) + swings))


def _storms(rng: np.random.Generator, paths: int, days: int) -> Floats:
    """Volatility about 1, root mean square 1, log-normal with a half-life of 20 days."""
    return np.asarray(np.exp(0.5 * _autoregression(rng, paths, days, 20.0) - 0.25))


def storms_paid(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    return np.asarray(independent(rng, paths, days, vol) * _storms(rng, paths, days))


def storms_unpaid(rng: np.random.Generator, paths: int, days: int, vol: float) -> Floats:
    return np.asarray(
        vol * (_sharpe(1.0) + rng.standard_normal((paths, days)) * _storms(rng, paths, days))
    )


WORLDS: dict[str, World] = {
    "independent": independent,
    "edge dies": edge_dies,
    "slowly varying edge": slow_edge,
    "mean-reverting results": reverting,
    "storms, paid for": storms_paid,
    "storms, not paid for": storms_unpaid,
}


# -- the gate --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Felt:
    """(paths, days): share in force on each day, fear and the ungated book's peak after it."""

    share: Floats
    fear: Floats


def feel(results: Floats, chosen: Setting) -> Felt:
    """Walk all paths through the equations of fear, day by day."""
    paths, days = results.shape
    weight = equations.WEIGHTS
    equity, peak = np.ones(paths), np.ones(paths)
    fear, streak = np.zeros(paths), np.zeros(paths)
    squares, count = np.zeros(paths), 0.0
    memory = 0.5 ** (1.0 / 30.0)
    share, felt = np.empty_like(results), np.empty_like(results)
    for day in range(days):
        share[:, day] = np.where(fear > chosen.veto, 0.0, equations.gate_factor(fear))
        result = results[:, day]
        equity = equity * (1.0 + result)
        peak = np.maximum(peak, equity)
        squares = memory * squares + result * result
        count = memory * count + 1.0
        streak = equations.streak_after(
            chosen.kept * streak, np.log1p(result), np.sqrt(squares / count), chosen.period
        )
        pressure = weight["drawdown"] * equations.drawdown_driver(1.0 - equity / peak, chosen.one)
        pressure = pressure + weight["streak"] * equations.streak_driver(streak)
        fear = equations.fear_after(fear, equations.target(pressure), chosen.kept)
        felt[:, day] = fear
    return Felt(share, felt)


def judged(results: Floats) -> dict[str, float]:
    """Mean over paths of the Sharpe ratio and of the deepest drawdown, and its 95 % quantile."""
    ratio = np.mean(results, axis=1) / np.std(results, axis=1) * np.sqrt(TRADING_DAYS)
    equity = np.cumprod(1.0 + results, axis=1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    deepest = np.max(1.0 - equity / peak, axis=1)
    return {
        "sharpe": round(float(np.mean(ratio)), 3),
        "drawdown": round(float(np.mean(deepest)), 4),
        "drawdown_p95": round(float(np.quantile(deepest, 0.95)), 4),
    }


def compared(results: Floats, felt: Felt) -> dict[str, Any]:
    """The gate beside a constant lever of the same mean exposure."""
    exposure = float(np.mean(felt.share))
    # A gain of the day with no fear driver risen: fear must not be above the day before's.
    rose = (felt.fear[:, 1:] > felt.fear[:, :-1] * (1 + 1e-12)) & (results[:, 1:] > 0.0)
    shut = (felt.share == 0.0).any(axis=1)
    first = np.argmax(felt.share == 0.0, axis=1)
    later = np.where(np.arange(results.shape[1]) > first[:, np.newaxis], felt.share, 0.0)
    reopened = shut & (np.max(later, axis=1) > 0.5)
    return {
        "exposure": round(exposure, 3),
        "constant": judged(exposure * results),
        "gate": judged(felt.share * results),
        "gains_that_raised_fear": int(np.count_nonzero(rose)),
        "paths_shut": int(np.count_nonzero(shut)),
        "of_them_reopened": int(np.count_nonzero(reopened)),
    }


def recovery(chosen: Setting) -> dict[str, float]:
    """A crash that shuts the gate, then a year of steady gains: the lowest and the last share."""
    results = np.concatenate([np.full(10, -0.04), np.full(TRADING_DAYS, 0.004)])[np.newaxis]
    share = feel(results, chosen).share[0]
    return {"lowest": float(share.min()), "last": round(float(share[-1]), 3)}


def measured(paths: int, days: int, chosen: Setting) -> dict[str, Any]:
    """Each world, from a generator of its own."""
    found = {}
    for number, (name, world) in enumerate(WORLDS.items()):
        rng = np.random.default_rng([SEED, number])
        results = world(rng, paths, days, chosen.daily_volatility)
        found[name] = compared(results, feel(results, chosen))
    return found


def run(*, quick: bool = False) -> Finding:
    paths, days = (200, 400) if quick else (PATHS, DAYS)
    chosen = setting(HALF_LIFE)
    worlds = measured(paths, days, chosen)
    # The agent's default half-life, meant for steps of an hour, at steps of a day: for comparison.
    quickly = measured(paths, days, setting("24h"))
    dies, calm = worlds["edge dies"], worlds["independent"]
    gain = dies["gate"]["sharpe"] / dies["constant"]["sharpe"]
    cost = 1.0 - calm["gate"]["sharpe"] / calm["constant"]["sharpe"]
    scared = sum(world["gains_that_raised_fear"] for world in worlds.values())
    back = recovery(chosen)
    recovered = back["lowest"] == 0.0 and back["last"] > 0.9
    met = {
        # A constant lever that loses has no ratio to be a multiple of.
        "edge_dies": dies["constant"]["sharpe"] > 0.0 and gain >= LEAST_GAIN,
        "cost": cost <= MOST_COST,
        "profit": scared == 0,
        "recovery": recovered,
    }
    return Finding(
        CLAIM,
        passed=all(met.values()),
        headline=[
            f"edge dies: {gain:.2f}×; independent: costs {cost:.1%}; gains that raised fear: "
            f"{scared}; after a crash {back['lowest']:.0%}, a year later {back['last']:.0%}",
            *(_line(name, world) for name, world in worlds.items()),
        ],
        figures={
            "paths": paths,
            "days": days,
            "half_life": HALF_LIFE,
            "met": met,
            "gain": round(gain, 3),
            "cost": round(cost, 4),
            "recovery": back,
            "worlds": worlds,
            "half_life_24h": quickly,
        },
        seeds=[SEED],
    )


def _line(name: str, world: dict[str, Any]) -> str:
    lever, gate = world["constant"], world["gate"]
    return (
        f"{name}: Sharpe {lever['sharpe']:.2f} → {gate['sharpe']:.2f}, deepest drawdown "
        f"{lever['drawdown']:.1%} → {gate['drawdown']:.1%}, P95 {lever['drawdown_p95']:.1%} → "
        f"{gate['drawdown_p95']:.1%}"
    )
