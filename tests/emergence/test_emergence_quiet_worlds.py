"""The traps: worlds in which naive rules alarm and a detector must not. Fixed seeds, short runs.

Rates over many seeds are what `benchmarks.emergence` measures; here a regression is caught.
"""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.score import run, wilson
from benchmarks.emergence.worlds import (
    collective,
    coordination,
    drift,
    novelty,
    regime,
    risk,
    specialisation,
)

TICKS = 3000
TRAPS = {
    "coordination common_strong": partial(coordination.make, strength=2.0),
    "coordination clock": partial(coordination.make, extra="clock"),
    "coordination shared_feed": partial(coordination.make, extra="shared_feed"),
    "coordination explicit": partial(coordination.make, extra="explicit", coupling=0.9),
    "specialisation coded_roles": partial(specialisation.make, coded=1.5),
    "specialisation demand": partial(specialisation.make, demand=1.0),
    "novelty known_profit": partial(novelty.make, known_edge=0.1),
    "novelty noise_many": partial(novelty.make, agents=200),
    "drift covariate": partial(drift.make, trap="covariate"),
    "drift covariate_feed": partial(drift.make, trap="covariate_feed"),
    "risk coded": partial(risk.make, trap="coded"),
    "risk delever": partial(risk.make, trap="delever"),
    "risk vol_break": partial(risk.make, trap="vol_break"),
    "regime blind": partial(regime.make, trap="blind"),
    "regime herd": partial(regime.make, trap="herd"),
    "collective clones": partial(collective.make, kind="clones"),
    "collective shrinkage": partial(collective.make, kind="shrinkage"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_raises_nothing(trap: str) -> None:
    kind = KINDS[trap.split(maxsplit=1)[0]]
    for seed in (11, 12):
        world = TRAPS[trap](seed, ticks=TICKS)
        assert run(world, kind.detector).findings == ()


@pytest.mark.parametrize(
    "trap",
    [
        "coordination common_strong",
        "specialisation coded_roles",
        "novelty noise_many",
        "drift covariate",
        "risk coded",
        "regime herd",
        "collective shrinkage",
    ],
)
def test_the_naive_rule_falls_into_it(trap: str) -> None:
    world = TRAPS[trap](11, ticks=TICKS)
    assert run(world, KINDS[trap.split(maxsplit=1)[0]].naive).early() == 1


def test_wilson_interval() -> None:
    # Wilson 1927, worked by hand for 0 of 73 and 10 of 200 at z = 1.96.
    assert wilson(0, 73)[1] == pytest.approx(0.0500, abs=5e-4)
    low, high = wilson(10, 200)
    assert (low, high) == pytest.approx((0.02738, 0.08962), abs=5e-4)
    assert wilson(0, 0) == (0.0, 1.0)
