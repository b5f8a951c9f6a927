"""Where there is nothing to find, nothing is found: the swarm in a market without an edge.

Preset ``null`` is a martingale by construction, so no strategy has an expected gain in it before
costs. One year a seed; the Sharpe ratio is the report's own, of daily returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from benchmarks.evidence.record import Finding
from benchmarks.replay import YEAR_BARS, timed_replay
from mirrorcore.report.evaluation import evaluate
from mirrorcore.report.metrics import daily_closes, daily_returns, sharpe, with_start
from mirrorcore.report.results import RunResults

SYMBOLS = 8
LEAST_FILLS = 200
LEVEL = 0.99
COSTS: dict[str, list[tuple[str, object]]] = {
    "cost 0": [("costs.fee_bps", 0.0), ("costs.slippage_bps", 0.0)],
    "default costs": [],
}
CLAIM = (
    "null preset, eight seeds of one year: mean Sharpe at cost 0 within its 99 % interval of 0, "
    f"at least {LEAST_FILLS} fills a run"
)


def year(seed: int, costs: str, bars: int) -> dict[str, Any]:
    """One replay: what came of it."""
    settings = [
        ("market.preset", "null"),
        ("market.symbols", SYMBOLS),
        ("market.bars", bars),
        ("seed", seed),
        *COSTS[costs],
    ]
    outcome, spent = timed_replay(settings)
    results = outcome.results
    return {
        "seed": seed,
        "sharpe": evaluate(results).measures["sharpe"].value,
        "ungated_sharpe": ungated_sharpe(results),
        "fills": results.fills,
        "trades": len(results.closed_trades),
        "total_return": float(results.equity[-1] / results.initial_equity - 1.0),
        "mean_gross": float(results.gross.mean()),
        "mean_gate": float(results.gate.mean()),
        "accounting_residual": str(results.accounting_residual),
        "fingerprint": outcome.fingerprint,
        "market": next(iter(results.identity.input_digests.values())),
        "cpu_s": round(spent, 1),
    }


def ungated_sharpe(results: RunResults) -> float:
    """Of the shadow book: what the votes earned before gates, limits and fills."""
    curve = with_start(
        results.ts,
        results.shadow_equity,
        results.identity.period_start,
        results.initial_equity,
    )
    return float(sharpe(daily_returns(daily_closes(curve)[1])))


def interval(values: list[float]) -> dict[str, Any]:
    """Mean over seeds with its t interval."""
    sample = np.array(values)
    mean, error = float(sample.mean()), float(stats.sem(sample))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, len(sample) - 1)) * error
    return {
        "mean": mean,
        "sd": float(sample.std(ddof=1)),
        "interval": [mean - half, mean + half],
        "covers_0": bool(abs(mean) <= half),
    }


def run(*, quick: bool = False) -> Finding:
    seeds, bars = (range(2), 1_500) if quick else (range(8), YEAR_BARS)
    years = {costs: [year(seed, costs, bars) for seed in seeds] for costs in COSTS}
    figures: dict[str, Any] = {"symbols": SYMBOLS, "bars": bars, "level": LEVEL}
    headline = []
    for costs, found in years.items():
        summary = interval([y["sharpe"] for y in found])
        summary["ungated"] = interval([y["ungated_sharpe"] for y in found])
        summary["least_fills"] = min(y["fills"] for y in found)
        figures[costs] = {**summary, "years": found}
        low, high = summary["interval"]
        headline.append(
            f"{costs}: mean Sharpe {summary['mean']:+.2f} (99 % interval {low:+.2f} .. {high:+.2f})"
            f", fewest fills {summary['least_fills']:,}"
        )
    free = figures["cost 0"]
    balanced = all(float(y["accounting_residual"]) == 0 for found in years.values() for y in found)
    enough = free["least_fills"] >= LEAST_FILLS
    return Finding(
        CLAIM,
        passed=bool(free["covers_0"] and enough and balanced),
        headline=headline,
        figures=figures,
        seeds=list(seeds),
        data={f"null, seed {y['seed']}": y["market"] for y in years["cost 0"]},
    )
