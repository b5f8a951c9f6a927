"""A run on real data is shared out among its agents, and the shares add up to its result."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.evidence.record import Finding, no_data
from benchmarks.measure import DATA
from mirrorcore.config import load_config
from mirrorcore.journal import RunInfo, RunRegistry
from mirrorcore.report.attribution import Attribution
from mirrorcore.report.results import RunResults
from mirrorcore.swarm.attribution import attribute
from mirrorcore.swarm.replay import replay_history

FOLDER = "crypto_5m"
PAIRS = 3
"""Of antithetic orders of the default agents: adding up is to be shown, not small errors."""
CLOSE = 1e-9
"""Of initial equity, the largest sum of roundings."""
UNREAD = "TradeAnalyst"
"""An agent that nobody reads, and so is owed nothing."""

CLAIM = (
    "a run on crypto_5m without a config: what the voters' pulls earned and the desk add up to its "
    "result, and Shapley values by replay, of all coalitions and of sampled ones, to the result "
    f"less that of the empty coalition, to {CLOSE:g} of equity; an agent nobody reads is owed 0"
)


def run(*, quick: bool = False) -> Finding:
    folder = DATA / FOLDER
    if not folder.is_dir():
        return no_data(CLAIM, FOLDER)
    short = [("market.timerange", "20250501-20250504")] if quick else []
    with tempfile.TemporaryDirectory(prefix="mirrorcore-attribution-") as runs:
        config = load_config(
            None,
            {},
            [
                ("market.source", "recorded"),
                ("market.directory", str(folder)),
                ("storage.runs", runs),
                *short,
            ],
        ).config
        outcome = replay_history(config)
        recorded = RunRegistry(Path(runs)).find(outcome.run_id)
        shared = _shared(recorded, outcome.results, quick=quick)
    results = outcome.results
    column, gap = _column(results)
    residuals = {name: _residual(found) for name, found in shared.items()}
    unread = shared["exact"].of(UNREAD)
    facts = {
        "pulls and desk add up": abs(gap) <= CLOSE,
        **{f"Shapley, {name}, adds up": abs(r) <= CLOSE for name, r in residuals.items()},
        f"{UNREAD} is owed 0": unread is not None and unread.shapley == unread.left_out == 0.0,
    }
    return Finding(
        CLAIM,
        passed=all(facts.values()),
        headline=_headline(results, column, gap, shared, residuals, facts),
        figures={
            "facts": facts,
            "initial_equity": results.initial_equity,
            "result": float(results.equity[-1]) - results.initial_equity,
            "fills": results.fills,
            "by_pull": column,
            "by_pull_residual_of_equity": gap,
            "shapley_residual_of_equity": residuals,
            "shapley": {name: _plain(found) for name, found in shared.items()},
        },
        seeds=[config.seed],
        data=dict(results.identity.input_digests),
    )


def _shared(recorded: RunInfo, results: RunResults, *, quick: bool) -> dict[str, Attribution]:
    """All coalitions of the strongest voters and the unread agent; and the default, sampled."""
    pulled = sorted(
        (agent for agent in results.agents if agent.votes),
        key=lambda agent: (-abs(agent.contribution or 0.0), agent.id),
    )
    most = 1 if quick else 3
    few = [agent.id for agent in pulled[:most]] + [UNREAD]
    jobs = os.cpu_count() or 1
    found = {"exact": attribute(recorded, agents=few, jobs=jobs)}
    if not quick:
        found["sampled"] = attribute(recorded, pairs=PAIRS, jobs=jobs)
    return found


def _column(results: RunResults) -> tuple[dict[str, float], float]:
    """What each pull and the desk earned; how far their sum is off, as a share of equity."""
    column = {a.id: a.contribution for a in results.agents if a.contribution is not None}
    if results.swarm.desk is not None:
        column["desk"] = results.swarm.desk
    gained = Fraction(float(results.equity[-1])) - Fraction(results.initial_equity)
    total = sum((Fraction(value) for value in column.values()), Fraction(0))
    return column, float((total - gained) / Fraction(results.initial_equity))


def _residual(found: Attribution) -> float:
    """How far the values as written are off whole - empty as replayed, as a share of equity."""
    total = sum((Fraction(share.shapley) for share in found.agents), Fraction(0))
    results = {coalition.agents: Fraction(coalition.result) for coalition in found.coalitions}
    shared = results[tuple(share.id for share in found.agents)] - results[()]
    return float((total - shared) / Fraction(found.initial_equity))


def _plain(found: Attribution) -> dict[str, Any]:
    return {
        "method": found.method,
        "orders": found.orders,
        "replays": len(found.coalitions),
        "whole": found.whole,
        "empty": found.empty,
        "agents": [asdict(share) for share in found.agents],
    }


def _headline(
    results: RunResults,
    column: dict[str, float],
    gap: float,
    shared: dict[str, Attribution],
    residuals: dict[str, float],
    facts: dict[str, bool],
) -> list[str]:
    gained = float(results.equity[-1]) - results.initial_equity
    told = ", ".join(f"{name} {value:+.2f}" for name, value in column.items())
    lines = [f"result {gained:+.2f} {results.currency} = {told}; off by {abs(gap):.1e} of equity"]
    for name, found in shared.items():
        told = ", ".join(
            f"{share.id} {share.shapley:+.2f}"
            + ("" if share.error is None else f" ± {share.error:.2f}")
            for share in found.agents
        )
        lines.append(
            f"Shapley, {name}, {len(found.coalitions)} replays: {told}; empty {found.empty:+.2f}; "
            f"off by {abs(residuals[name]):.1e} of equity"
        )
    failed = [fact for fact, holds in facts.items() if not holds]
    return [*lines, *([f"FAILED: {', '.join(failed)}"] if failed else [])]
