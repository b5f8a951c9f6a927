"""Whom to believe, and how far: twenty planted forecasters, ranked and recalibrated.

Preset ``plain`` with ic .03, five symbols, one year. Forecaster i knows the share i/19 of the
hidden alpha, in noise that lasts three hours, so that its information coefficient is i/19 of .03.
What the oracle makes of them is its own published ``trust`` after the year, the posterior mean.

Calibration: half of the forecasters state log-odds as their knowledge justifies, half eight times
as sure. The expected calibration error (Naeini et al., 2015; 15 bins of equal mass) of what was
said and of what the oracle's recalibrator made of it before the bar it was about, over the second
half of the year, against the error a calibrated forecaster of as many forecasts shows by chance.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from benchmarks.replay import YEAR_BARS
from mirrorcore.agents.desk.intervals import decay, segments
from mirrorcore.agents.desk.recalibration import Recalibrator, log_odds
from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.calibration import calibration_error
from mirrorcore.swarm.assembly import assemble
from mirrorcore.swarm.engine import Engine
from mirrorcore.swarm.sources import open_source

SYMBOLS, FORECASTERS, IC = 5, 20, 0.03
SEEDS = range(12)
MEDIAN_RANK, LEAST_RANK = 0.95, 0.88
OVERSTATED = 8.0
MOST_HARM = 0.005
_LOGIT_PER_SD = 1.5957691216057308  # 4 φ(0), the slope of a normal probability at 0
CLAIM = (
    "twenty planted forecasters, IC 0 to .03: Spearman of trust and true IC, median over 12 seeds "
    "≥ .95, each ≥ .88; calibration error at least halved for the overconfident, at most .005 "
    "worse for the calibrated"
)


def planted(seed: int, bars: int) -> list[dict[str, Any]]:
    """``[[agent]]`` entries of the forecasters, every other one overconfident."""
    entries = []
    for i in range(FORECASTERS):
        share = i / (FORECASTERS - 1)
        fair = _LOGIT_PER_SD * IC * share
        slope = fair if i % 2 == 0 else max(OVERSTATED * fair, 0.1)
        entries.append(
            {
                "id": f"Planted{i}",
                "class": "Planted",
                "params": {
                    "seed": seed, "bars": bars, "ic": IC, "share": share, "slope": slope,
                },
            }
        )  # fmt: skip
    return entries


def year(job: tuple[int, int]) -> dict[str, Any]:
    """One market through features, forecasters and oracle; nothing is traded."""
    seed, bars = job
    settings = [
        ("seed", seed), ("market.preset", "plain"), ("market.ic", IC),
        ("market.symbols", SYMBOLS), ("market.bars", bars),
        ("costs.fee_bps", 0.0), ("costs.slippage_bps", 0.0),
        ("agents.without", ("MomentumScout", "MeanReverter", "SentimentEar", "ChainWatcher")),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mirrorcore-trust-") as runs:
        config = configured(runs, settings, planted(seed, bars))
    source = open_source(config)
    swarm = assemble(config, source, "trial")
    engine = Engine(swarm.parts)
    ts, returns = [], []
    for block in source.blocks():
        engine.warm(block)
        ts.append(block.ts)
        returns.append(block.close)
    position = [swarm.context.voters.index(f"Planted{i}") for i in range(FORECASTERS)]
    trust = swarm.parts.bus.read("OracleEngine").state["trust"][position]
    true = IC * np.arange(FORECASTERS) / (FORECASTERS - 1)
    votes = np.stack([_votes(swarm.members, f"Planted{i}") for i in range(FORECASTERS)], axis=2)
    closes = np.concatenate(returns)
    return {
        "seed": seed,
        "spearman": float(stats.spearmanr(trust, true).statistic),
        "trust": [float(value) for value in trust],
        "true": [float(value) for value in true],
        "market": source.digest(),
        **calibration(np.concatenate(ts), votes, closes),
    }


def _votes(members: Any, agent_id: str) -> Floats:
    """(bars, S) what a forecaster said throughout: a function of what it knows."""
    agent = next(member.agent for member in members if member.agent_id == agent_id)
    said: Floats = 1.0 / (1.0 + np.exp(-agent.slope * agent.x))
    return said


def calibration(ts: Ints, votes: Floats, closes: Floats) -> dict[str, Any]:
    """Errors of each forecaster as it spoke, as recalibrated online, and of a perfect one."""
    rises = np.full(closes.shape, np.nan)
    moved = np.diff(closes, axis=0)
    rises[1:] = np.where(moved == 0.0, np.nan, (moved > 0.0) * 1.0)
    stated = log_odds(votes)
    made, said = Recalibrator(FORECASTERS), np.zeros_like(stated)
    before = np.concatenate([np.zeros_like(stated[:1]), stated[:-1]])
    for first, stop, _ in segments(ts, 4 * HOUR):
        rows = slice(first, stop)
        said[rows] = made(stated[rows])
        made.observe(before[rows].reshape(-1, FORECASTERS), rises[rows].reshape(-1))
        made.refit(decay(4 * HOUR, 90 * DAY, 1))
    late = slice(len(ts) // 2, len(ts) - 1)
    y = rises[late.start + 1 :].reshape(-1)
    known = np.isfinite(y)
    rng = np.random.default_rng(0)
    told: list[dict[str, Any]] = []
    for i in range(FORECASTERS):
        p, q = (_probability(x[late, :, i].reshape(-1)[known]) for x in (stated, said))
        luck = (rng.random(len(q)) < q).astype(np.float64)
        told.append(
            {
                "forecaster": i,
                "overconfident": bool(i % 2),
                "stated": calibration_error(p, y[known]),
                "recalibrated": calibration_error(q, y[known]),
                "by_chance": calibration_error(q, luck),
                "slope": float(made.slope[i]),
            }
        )
    return {"calibration": told}


def _probability(stated: Floats) -> Floats:
    p: Floats = 1.0 / (1.0 + np.exp(-stated))
    return p


def run(*, quick: bool = False) -> Finding:
    seeds, bars = (range(1), 4_096) if quick else (SEEDS, YEAR_BARS)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(year, [(seed, bars) for seed in seeds]))
    ranks = np.array([one["spearman"] for one in found])
    rows = [row for one in found for row in one["calibration"]]
    sure = [row for row in rows if row["overconfident"]]
    fair = [row for row in rows if not row["overconfident"]]
    stated, mended = (np.mean([row[name] for row in sure]) for name in ("stated", "recalibrated"))
    harm = max(row["recalibrated"] - row["stated"] for row in fair)
    largest = max(
        abs(t - true) for one in found for t, true in zip(one["trust"], one["true"], strict=True)
    )
    return Finding(
        CLAIM,
        passed=bool(
            np.median(ranks) >= MEDIAN_RANK
            and ranks.min() >= LEAST_RANK
            and mended <= 0.5 * stated
            and harm <= MOST_HARM
        ),
        headline=[
            f"Spearman: median {np.median(ranks):.3f}, least {ranks.min():.3f}",
            f"calibration error of the overconfident: {stated:.4f} as stated, {mended:.4f} "
            f"recalibrated, {np.mean([row['by_chance'] for row in sure]):.4f} by chance alone",
            f"largest harm to a calibrated one {harm:+.4f}",
        ],
        figures={"years": found, "largest_error_of_trust": float(largest), "bars": bars},
        seeds=list(seeds),
        data={f"plain, ic .03, seed {one['seed']}": one["market"] for one in found},
    )
