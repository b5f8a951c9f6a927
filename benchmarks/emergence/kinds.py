"""Which detector is judged on which worlds, beside which naive rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.emergence import naive
from benchmarks.emergence.score import Rule
from benchmarks.emergence.worlds import (
    collective,
    coordination,
    coordination_again,
    drift,
    drift_again,
    novelty,
    regime,
    risk,
    risk_estimated,
    specialisation,
)
from benchmarks.emergence.worlds.world import World
from mirrorcore.emergence.collective import SwarmIntelligenceDetector
from mirrorcore.emergence.coordination import CoordinationDetector
from mirrorcore.emergence.drift import BehaviorDriftDetector
from mirrorcore.emergence.novelty import NovelStrategyDetector
from mirrorcore.emergence.regime import RegimeConsensusDetector
from mirrorcore.emergence.risk import AdaptiveRiskDetector
from mirrorcore.emergence.specialisation import SpecializationDetector

Build = Callable[[Mapping[str, Any]], Rule]
Maker = Callable[[int], World]


@dataclass(frozen=True)
class Kind:
    """A detector, its naive rival, quiet worlds, and planted ones with the ticks allowed."""

    detector: Build
    naive: Build
    nulls: Mapping[str, Maker]
    planted: Mapping[str, tuple[Maker, int]]


KINDS: dict[str, Kind] = {
    "coordination": Kind(
        CoordinationDetector,
        naive.SameAction,
        {**coordination.NULLS, **coordination_again.NULLS},
        {**coordination.PLANTED, **coordination_again.PLANTED},
    ),
    "specialisation": Kind(
        SpecializationDetector,
        naive.MostlyOneTask,
        specialisation.NULLS,
        specialisation.PLANTED,
    ),
    "novelty": Kind(NovelStrategyDetector, naive.GainUnlikeKnown, novelty.NULLS, novelty.PLANTED),
    "drift": Kind(
        BehaviorDriftDetector,
        naive.ActionMixMoved,
        {**drift.NULLS, **drift_again.NULLS},
        {**drift.PLANTED, **drift_again.PLANTED},
    ),
    "collective": Kind(
        SwarmIntelligenceDetector,
        naive.BetterThanAverage,
        collective.NULLS,
        collective.PLANTED,
    ),
    "risk": Kind(
        AdaptiveRiskDetector,
        naive.LessWhenVolatile,
        {**risk.NULLS, **risk_estimated.NULLS},
        {**risk.PLANTED, **risk_estimated.PLANTED},
    ),
    "regime": Kind(RegimeConsensusDetector, naive.BeliefsElsewhere, regime.NULLS, regime.PLANTED),
}
"""By type of finding."""
