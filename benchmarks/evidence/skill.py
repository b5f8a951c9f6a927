"""Where there is skill it is found: the swarm against the oracle that knows the hidden alpha.

Preset ``plain``, five symbols, one year of 5-minute bars, the first week left out, no cost, no gate
of the mind and no limit on drawdown. The directional oracle holds alpha over volatility in every
symbol; its Sharpe ratio is that of its returns bar by bar, within 15 % of IC·√(bars·symbols). The
swarm's is of daily returns of its book, after all fills. One setting throughout: the standard one.
The ablation learns on whole returns instead of residuals to the cross-section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import Settings
from benchmarks.evidence.years import (
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
EIGHT, SIXTEEN = range(8), range(16)
CLAIM = (
    "preset plain, five symbols, one year, first week dropped, one setting, cost 0: median Sharpe "
    "over the directional oracle's ≥ 1.0 at ic .02 (each ≥ .6), ≥ .8 at .01, ≥ .4 at .004; the "
    "ablation without residual targets beside it"
)

Case = tuple[str, float, Settings, Sequence[int]]
"""Name, ic, settings, seeds."""
Bar = tuple[str, float, str, str, float]
"""Case and ic, which figure, which statistic of it over the seeds, its least value."""
_WHOLE: Settings = (*FREE, *OPEN, ("fusion.residual", False))
CASES: tuple[Case, ...] = (
    ("free", 0.02, (*FREE, *OPEN), EIGHT),
    ("free", 0.01, (*FREE, *OPEN), EIGHT),
    ("free", 0.004, (*FREE, *OPEN), SIXTEEN),
    ("ablated", 0.02, _WHOLE, EIGHT),
    ("ablated", 0.01, _WHOLE, EIGHT),
    ("ablated", 0.004, _WHOLE, EIGHT),
)
BARS: tuple[Bar, ...] = (
    ("free", 0.02, "ratio", "median", 1.0),
    ("free", 0.02, "ratio", "least", 0.6),
    ("free", 0.01, "ratio", "median", 0.8),
    ("free", 0.004, "ratio", "median", 0.4),
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


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of some cases."""

    cases: dict[tuple[str, float], dict[str, Any]]
    years: list[dict[str, Any]]
    oracles: dict[float, dict[int, dict[str, float]]]

    def held(self, bars: Sequence[Bar]) -> bool:
        return all(
            self.cases[case, ic][figure][which] >= least for case, ic, figure, which, least in bars
        )

    @property
    def headline(self) -> list[str]:
        return [_told(case) for case in self.cases.values()]

    def figures(self, bars: int) -> dict[str, Any]:
        return {
            "symbols": SYMBOLS,
            "bars": bars,
            "oracles": self.oracles,
            "cases": list(self.cases.values()),
        }

    @property
    def data(self) -> dict[str, str]:
        return {
            f"{year['case']}, ic {year['ic']:g}, seed {year['seed']}": year["market"]
            for year in self.years
        }


def tried(cases: Sequence[Case], bars: int) -> Tried:
    """All seeds of all cases, with the oracle beside them where the market is plain."""
    plain = [case for case in cases if case[0] != "default"]
    known = {
        ic: oracles(ic, max((c[3] for c in plain if c[1] == ic), key=len), bars)
        for ic in dict.fromkeys(case[1] for case in plain)
    }
    found = years(wanted(cases, bars))
    for year in found:
        if year["case"] != "default":
            year["ratio"] = year["sharpe"] / known[year["ic"]][year["seed"]]["directional"]
    summed = {}
    for name, ic, _, seeds in cases:
        mine = [year for year in found if (year["case"], year["ic"]) == (name, ic)]
        told: dict[str, Any] = {"case": name, "ic": ic, "seeds": len(seeds)}
        told["sharpe"], told["verdicts"] = summary(mine, "sharpe"), verdicts(mine)
        if name != "default":
            told["ratio"] = summary(mine, "ratio")
        summed[name, ic] = {**told, "years": mine}
    return Tried(summed, found, known)


def _told(case: dict[str, Any]) -> str:
    shown = f"{case['case']}, ic {case['ic']:g}: median Sharpe {case['sharpe']['median']:.2f}"
    if "ratio" in case:
        shown += f", {case['ratio']['median']:.2f} of the oracle's (least "
        shown += f"{case['ratio']['least']:.2f})"
    return f"{shown}, evidence in {case['verdicts'].get('evidence', 0)} of {case['seeds']}"


def run(*, quick: bool = False) -> Finding:
    cases = [(n, ic, s, seeds[:1]) for n, ic, s, seeds in CASES] if quick else CASES
    bars = 4_500 if quick else YEAR_BARS
    found = tried(cases, bars)
    return Finding(
        CLAIM,
        passed=found.held(BARS) and balanced(found.years),
        headline=found.headline,
        figures=found.figures(bars),
        seeds=list(SIXTEEN),
        data=found.data,
    )
