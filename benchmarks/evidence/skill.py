"""Where there is skill it is found: the swarm against the oracle that knows the hidden alpha.

Preset ``plain``, five symbols, one year of 5-minute bars, the first week left out. The directional
oracle holds alpha over volatility in every symbol, without cost; its Sharpe ratio is that of its
returns bar by bar, within 15 % of IC·√(bars·symbols). The swarm's is of daily returns of its
book, after all fills. One setting throughout: the standard one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import Settings
from benchmarks.evidence.years import (
    FIVE,
    FREE,
    OPEN,
    WEEK,
    Year,
    balanced,
    verdicts,
    years,
)
from benchmarks.replay import YEAR_BARS
from mirrorcore.clock import DAY
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.data_sources.simulation import oracle

SYMBOLS = 5
EIGHT, SIXTEEN, THIRTY = range(8), range(16), range(30)
LEAST_EVIDENCE = 27
CLAIM = (
    "preset plain, five symbols, one year, first week dropped, one setting: median Sharpe over the "
    "directional oracle's ≥ 1.0 at ic .02 (each ≥ .6), ≥ .8 at .01, ≥ .4 at .004, without cost; "
    "at 5 bp a side median net Sharpe ≥ 6 at .02 and ≥ 2.5 at .01; verdict evidence in at least "
    f"{LEAST_EVIDENCE} of 30 at .02"
)

Case = tuple[str, float, Settings, Sequence[int]]
CASES: tuple[Case, ...] = (
    *(("free", ic, (*FREE, *OPEN), s) for ic, s in ((0.02, EIGHT), (0.01, EIGHT))),
    ("free", 0.004, (*FREE, *OPEN), SIXTEEN),
    ("dear", 0.02, (*FIVE, *OPEN), THIRTY),
    ("dear", 0.01, (*FIVE, *OPEN), EIGHT),
    *(
        ("ablated", ic, (*FREE, *OPEN, ("fusion.residual", False)), s)
        for ic, s in ((0.02, EIGHT), (0.01, EIGHT), (0.004, SIXTEEN))
    ),
    *(("guarded free", ic, FREE, EIGHT) for ic in (0.02, 0.01, 0.004)),
    *(("guarded dear", ic, FIVE, EIGHT) for ic in (0.02, 0.01)),
    ("default", 0.006, (), EIGHT),
)
"""Name, ic, settings, seeds. *guarded* is with all gates and limits, *default* the preset of that
name with the costs a user has; both are reported and have no bar."""
BARS = (
    # case, ic, figure, statistic, at least
    ("free", 0.02, "ratio", "median", 1.0),
    ("free", 0.02, "ratio", "least", 0.6),
    ("free", 0.01, "ratio", "median", 0.8),
    ("free", 0.004, "ratio", "median", 0.4),
    ("dear", 0.02, "sharpe", "median", 6.0),
    ("dear", 0.01, "sharpe", "median", 2.5),
)


def oracles(ic: float, seeds: Sequence[int], bars: int) -> dict[int, dict[str, float]]:
    """By seed: what the directional and the neutral oracle earn from the second week on."""
    found = {}
    for seed in seeds:
        source = SimulatedSource("plain", seed=seed, symbols=SYMBOLS, bars=bars, ic=ic)
        known = oracle.truth(source)
        first = WEEK * DAY // source.bar_ns
        found[seed] = {
            name: oracle.sharpe(positions(known)[first:], known.returns[first:], source.bar_ns)
            for name, positions in (
                ("directional", oracle.directional_positions),
                ("neutral", oracle.neutral_positions),
            )
        }
    return found


def wanted(cases: Sequence[Case], bars: int) -> list[Year]:
    made = []
    for name, ic, settings, seeds in cases:
        preset = "default" if name == "default" else "plain"
        market: Settings = (
            ("market.preset", preset),
            ("market.ic", ic),
            ("market.symbols", SYMBOLS),
            ("market.bars", bars),
        )
        made += [
            Year(seed, (*market, *settings), drop_days=WEEK, tables={"case": name, "ic": ic})
            for seed in seeds
        ]
    return made


def summary(found: Sequence[dict[str, Any]], figure: str) -> dict[str, float]:
    values = np.array([year[figure] for year in found])
    return {
        "median": float(np.median(values)),
        "least": float(values.min()),
        "most": float(values.max()),
    }


def run(*, quick: bool = False) -> Finding:
    cases = [(n, ic, s, seeds[:1]) for n, ic, s, seeds in CASES] if quick else CASES
    bars = 4_500 if quick else YEAR_BARS
    known = {
        ic: oracles(ic, max((c[3] for c in cases if c[1] == ic), key=len), bars)
        for ic in (0.02, 0.01, 0.004)
    }
    found = years(wanted(cases, bars))
    figures: dict[str, Any] = {"symbols": SYMBOLS, "bars": bars, "oracles": known, "cases": []}
    for year in found:
        if year["case"] != "default":
            year["ratio"] = year["sharpe"] / known[year["ic"]][year["seed"]]["directional"]
    headline = []
    for name, ic, _, seeds in cases:
        mine = [year for year in found if (year["case"], year["ic"]) == (name, ic)]
        told: dict[str, Any] = {"case": name, "ic": ic, "seeds": len(seeds)}
        told["sharpe"], told["verdicts"] = summary(mine, "sharpe"), verdicts(mine)
        if name != "default":
            told["ratio"] = summary(mine, "ratio")
        figures["cases"].append({**told, "years": mine})
        shown = f"{name}, ic {ic:g}: median Sharpe {told['sharpe']['median']:.2f}"
        if "ratio" in told:
            shown += f", {told['ratio']['median']:.2f} of the oracle's (least "
            shown += f"{told['ratio']['least']:.2f})"
        headline.append(
            f"{shown}, evidence in {told['verdicts'].get('evidence', 0)} of {len(mine)}"
        )
    by = {(case["case"], case["ic"]): case for case in figures["cases"]}
    held = [by[case, ic][figure][which] >= least for case, ic, figure, which, least in BARS]
    evident = by["dear", 0.02]["verdicts"].get("evidence", 0)
    return Finding(
        CLAIM,
        passed=all(held) and evident >= LEAST_EVIDENCE and balanced(found),
        headline=headline,
        figures=figures,
        seeds=list(THIRTY),
        data={
            f"{year['case']}, ic {year['ic']:g}, seed {year['seed']}": year["market"]
            for year in found
        },
    )
