"""What is left of a planted skill after costs, gates and limits, and whether a report sees it.

The worlds of :mod:`benchmarks.evidence.skill`. *dear*: 5 bp a side, no gate and no limit on
drawdown. *guarded*: with all gates and limits, without cost and at 5 bp. *default*: the preset of
that name with the costs a user has. The last two have no bar and are reported.
"""

from __future__ import annotations

from benchmarks.evidence.record import Finding
from benchmarks.evidence.skill import EIGHT, Bar, Case, tried
from benchmarks.evidence.years import FIVE, FREE, OPEN, balanced
from benchmarks.replay import YEAR_BARS

FOUR, THIRTY = range(4), range(30)
LEAST_EVIDENCE = 27
CLAIM = (
    "preset plain, five symbols, one year, first week dropped, 5 bp a side: median net Sharpe ≥ 6 "
    f"at ic .02 and ≥ 2.5 at .01, verdict evidence in at least {LEAST_EVIDENCE} of 30 at .02; with "
    "all gates and limits, and preset default at default costs, reported"
)
CASES: tuple[Case, ...] = (
    ("dear", 0.02, (*FIVE, *OPEN), THIRTY),
    ("dear", 0.01, (*FIVE, *OPEN), EIGHT),
    ("guarded dear", 0.02, FIVE, EIGHT),
    ("guarded dear", 0.01, FIVE, EIGHT),
    ("guarded free", 0.02, FREE, FOUR),
    ("guarded free", 0.01, FREE, FOUR),
    ("guarded free", 0.004, FREE, FOUR),
    ("default", 0.006, (), EIGHT),
)
BARS: tuple[Bar, ...] = (
    ("dear", 0.02, "sharpe", "median", 6.0),
    ("dear", 0.01, "sharpe", "median", 2.5),
)


def run(*, quick: bool = False) -> Finding:
    cases = [(n, ic, s, seeds[:1]) for n, ic, s, seeds in CASES] if quick else CASES
    bars = 4_500 if quick else YEAR_BARS
    found = tried(cases, bars)
    evident = found.cases["dear", 0.02]["verdicts"].get("evidence", 0)
    return Finding(
        CLAIM,
        passed=found.held(BARS) and evident >= LEAST_EVIDENCE and balanced(found.years),
        headline=found.headline,
        figures=found.figures(bars),
        seeds=list(THIRTY),
        data=found.data,
    )
