"""Skill that moves is followed: half-way the whale channel and an empty one change places.

The swarm has a watcher on each of the two. What it would score had it changed over at once, the
oracle-switch score, is what the same swarm scores in the same market without the swap: prices are
equal to the bit, and the channel that knows is known from the start. Scores are Sharpe ratios of
the 30 days before each bar. The price of being able to follow is what the stable market pays for
the short memory, against the same swarm with the long one alone.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import Settings, configured
from benchmarks.evidence.years import FREE, OPEN, WEEK, market_digest, yearly_sharpe
from benchmarks.replay import YEAR_BARS
from mirrorcore.market.block import Floats
from mirrorcore.swarm.replay import replay_history

SYMBOLS = 5
IC = 0.02
SEEDS = range(8)
TRAILING_DAYS = 30
BACK = 0.8
MOST_COST = 0.10
BARS_A_DAY = 288
CLAIM = (
    "skills exchanged half-way: bars until the trailing 30-day Sharpe is back at 80 % of the "
    "oracle-switch score are reported; the stable world costs at most 10 % for it"
)
_LONG_ALONE: Settings = (("fusion.short_half_life", "365d"),)


def trailing(returns: Floats, bars: int) -> Floats:
    """(T,) yearly Sharpe ratio of the ``bars`` returns up to each bar, NaN before there are."""
    first, second = (np.cumsum(np.concatenate([[0.0], x])) for x in (returns, returns * returns))
    mean = (first[bars:] - first[:-bars]) / bars
    spread = np.sqrt(np.maximum((second[bars:] - second[:-bars]) / bars - mean * mean, 1e-30))
    scored = mean / spread * np.sqrt(365 * BARS_A_DAY)
    return np.concatenate([np.full(bars - 1, np.nan), scored])


def replayed(job: tuple[str, int, Settings, int]) -> dict[str, Any]:
    """One run: its returns bar by bar, and its yearly Sharpe."""
    name, seed, settings, bars = job
    with tempfile.TemporaryDirectory(prefix="mirrorcore-swap-") as runs:
        market: Settings = (
            ("seed", seed), ("market.preset", "plain"), ("market.ic", IC),
            ("market.symbols", SYMBOLS), ("market.bars", bars),
        )  # fmt: skip
        decoy = {"id": "DecoyWatcher", "type": "ChainWatcher", "params": {"series": "decoy_flow"}}
        config = configured(runs, [*market, *FREE, *OPEN, *settings, ("agent", [decoy])])
        results = replay_history(config).results
    equity = np.concatenate([[results.initial_equity], results.equity])
    return {
        "name": name,
        "seed": seed,
        "returns": equity[1:] / equity[:-1] - 1.0,
        "sharpe": yearly_sharpe(results, results.equity, WEEK),
        "market": market_digest(results),
        "residual": str(results.accounting_residual),
    }


def bars_until_back(moved: Floats, known: Floats, swap: int, window: int) -> dict[str, Any]:
    """From the swap on: how deep the score fell, and when it was back for the first time since."""
    share = trailing(moved, window)[swap:] / trailing(known, window)[swap:]
    deepest = int(np.argmin(share[: 2 * window]))
    back = np.flatnonzero(share[deepest:] >= BACK)
    return {
        "deepest_share": float(share[deepest]),
        "bars_until_back": int(deepest + back[0])
        if len(back) and share[deepest] < BACK
        else (0 if share[deepest] >= BACK else None),
    }


def run(*, quick: bool = False) -> Finding:
    seeds, bars = (range(1), 6_000) if quick else (SEEDS, YEAR_BARS)
    window = (2 if quick else TRAILING_DAYS) * BARS_A_DAY
    swap = bars // 2
    moved: Settings = (("market.swap", f"{swap * 5}m"),)
    # A channel beside them, so that the stable market has both from the start.
    stable: Settings = (("market.swap", f"{bars * 5 * 2}m"),)
    jobs = [
        (name, seed, settings, bars)
        for seed in seeds
        for name, settings in (
            ("moved", moved),
            ("stable", stable),
            ("moved, long memory alone", (*moved, *_LONG_ALONE)),
            ("stable, long memory alone", (*stable, *_LONG_ALONE)),
        )
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(replayed, jobs))
    by = {(one["name"], one["seed"]): one for one in found}
    rows = []
    for seed in seeds:
        row: dict[str, Any] = {"seed": seed}
        for tail in ("", ", long memory alone"):
            told = bars_until_back(
                by[f"moved{tail}", seed]["returns"], by[f"stable{tail}", seed]["returns"],
                swap, window,
            )  # fmt: skip
            row |= {f"{name}{tail}": value for name, value in told.items()}
            row |= {
                f"{n}_sharpe{tail}": by[f"{n}{tail}", seed]["sharpe"] for n in ("moved", "stable")
            }
        row["cost"] = 1.0 - row["stable_sharpe"] / row["stable_sharpe, long memory alone"]
        rows.append(row)
    cost = float(np.median([row["cost"] for row in rows]))
    headline = [f"stable world: costs {100 * cost:+.1f} % of its Sharpe (median)"]
    for tail in ("", ", long memory alone"):
        times = [row[f"bars_until_back{tail}"] for row in rows]
        reached = sorted(time for time in times if time is not None)
        median = float(np.median([np.inf if t is None else t for t in times]))
        headline.append(
            f"swap{tail}: median {median:,.0f} bars ({median / BARS_A_DAY:.0f} days) until 80 % of "
            f"the oracle-switch score, reached in {len(reached)} of {len(times)}; deepest share "
            f"{np.median([row[f'deepest_share{tail}'] for row in rows]):.2f}"
        )
    return Finding(
        CLAIM,
        passed=cost <= MOST_COST and all(float(one["residual"]) == 0 for one in found),
        headline=headline,
        figures={"ic": IC, "symbols": SYMBOLS, "bars": bars, "swap_bar": swap, "seeds": rows},
        seeds=list(seeds),
        data={f"{one['name']}, seed {one['seed']}": one["market"] for one in found},
    )
