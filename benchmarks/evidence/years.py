"""Simulated years through the whole swarm, two at a time, and the figures that came of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.evidence.setting import Settings, configured
from mirrorcore.clock import DAY, Stopwatch
from mirrorcore.market.block import Floats
from mirrorcore.report.evaluation import evaluate
from mirrorcore.report.metrics import daily_closes, daily_returns, sharpe, with_start
from mirrorcore.report.results import RunResults
from mirrorcore.swarm.replay import replay_history

WEEK = 7
"""Days left out at the begin of a year where a point says so: nothing can be known yet."""

FREE: Settings = (("costs.fee_bps", 0.0), ("costs.slippage_bps", 0.0))
FIVE: Settings = (("costs.fee_bps", 2.5), ("costs.slippage_bps", 2.5))
"""5 bp a side: half of it fee, half slippage."""
OPEN: Settings = (("risk.drawdown", 1.0), ("agents.without", ("ArchCtrl",)))
"""No gate of the mind and no limit on drawdown: what fusion and sizing are worth by themselves."""


@dataclass(frozen=True, slots=True)
class Year:
    """A run to be made: the settings beside those of its market."""

    seed: int
    settings: Settings
    agents: Sequence[Mapping[str, Any]] = ()
    drop_days: int = 0
    tables: Mapping[str, Any] = field(default_factory=dict)
    """What is told apart by, copied into the figures."""


def years(wanted: Sequence[Year]) -> list[dict[str, Any]]:
    """The figures of each, in the order asked for."""
    workers = min(os.cpu_count() or 1, len(wanted))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(one, wanted))


def one(year: Year) -> dict[str, Any]:
    """One replay in a folder of its own, so that its register holds no other trial."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-year-") as runs:
        config = configured(runs, [("seed", year.seed), *year.settings], year.agents)
        watch = Stopwatch()
        outcome = replay_history(config)
        spent = watch.cpu_ns() / 1e9
        results = outcome.results
        verdict = evaluate(results).verdict
        return {
            **year.tables,
            "seed": year.seed,
            "sharpe": yearly_sharpe(results, results.equity, year.drop_days),
            "ungated_sharpe": yearly_sharpe(results, results.shadow_equity, year.drop_days),
            "total_return": float(results.equity[-1] / results.initial_equity - 1.0),
            "verdict": verdict.evidence,
            "reasons": list(verdict.reasons),
            "fills": results.fills,
            "trades": len(results.closed_trades),
            "mean_gate": float(results.gate.mean()),
            "accounting_residual": str(results.accounting_residual),
            "fingerprint": outcome.fingerprint,
            "market": market_digest(results),
            "cpu_s": round(spent, 1),
        }


def market_digest(results: RunResults) -> str:
    """The digest of the source the year was replayed from."""
    digests = results.identity.input_digests
    return next(value for name, value in digests.items() if not name.startswith("agent "))


def yearly_sharpe(results: RunResults, equity: Floats, drop_days: int = 0) -> float:
    """The report's Sharpe ratio, of daily returns, without the first days; NaN if flat."""
    curve = with_start(results.ts, equity, results.identity.period_start, results.initial_equity)
    midnights, closes = daily_closes(curve)
    kept = midnights >= results.identity.period_start + drop_days * DAY
    return float(sharpe(daily_returns(closes[kept])))


def interval(values: Sequence[float], level: float = 0.99) -> dict[str, Any]:
    """Mean over seeds with its t interval."""
    sample = np.array(values)
    mean, error = float(sample.mean()), float(stats.sem(sample))
    half = float(stats.t.ppf(0.5 + level / 2, len(sample) - 1)) * error
    return {
        "mean": mean,
        "sd": float(sample.std(ddof=1)),
        "level": level,
        "interval": [mean - half, mean + half],
        "covers_0": bool(abs(mean) <= half),
    }


def balanced(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the books of all of them did, to the last unit."""
    return all(float(year["accounting_residual"]) == 0 for year in found)


def verdicts(found: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How often each verdict was given."""
    names = sorted({year["verdict"] for year in found})
    return {name: sum(year["verdict"] == name for year in found) for name in names}
