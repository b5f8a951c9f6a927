"""What is watched for, by type: the guide's name of a finding, and how far a detector is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mirrorcore.emergence.collective import SwarmIntelligenceDetector
from mirrorcore.emergence.coordination import CoordinationDetector
from mirrorcore.emergence.detector import Detector
from mirrorcore.emergence.drift import BehaviorDriftDetector
from mirrorcore.emergence.measured import MEASURED
from mirrorcore.emergence.novelty import NovelStrategyDetector
from mirrorcore.emergence.regime import RegimeConsensusDetector
from mirrorcore.emergence.risk import AdaptiveRiskDetector
from mirrorcore.emergence.specialisation import SpecializationDetector


@dataclass(frozen=True, slots=True)
class Standing:
    """One detector. ``guide`` is the type of its findings in the guide's dictionaries.

    ``experimental``: it has not been shown to keep its bars, of false findings and of power.
    """

    detector: type[Detector]
    guide: str
    experimental: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """What was measured on quiet worlds of 10,000 ticks: in how many of ``runs`` it alarmed.

    ``upper`` is the upper end of Wilson's 95 % interval of that share, ``worst`` the share in the
    world in which it was largest.
    """

    alarms: int
    runs: int
    upper: float
    worst: float

    @property
    def share(self) -> float:
        return self.alarms / self.runs

    def __str__(self) -> str:
        return (
            f"{self.alarms} of {self.runs:,} quiet runs of 10,000 ticks alarmed "
            f"({self.share:.1%}, up to {self.upper:.1%} by its 95 % interval; "
            f"in the worst world {self.worst:.1%})"
        )


def rate(kind: str) -> Rate | None:
    """The measured rate of a type; None where the bench has not been run."""
    numbers = MEASURED.get(kind)
    return None if numbers is None else Rate(*numbers)


def rate_told(kind: str) -> str:
    """The measured rate of a type in words."""
    known = rate(kind)
    return "not measured" if known is None else str(known)


STANDINGS: Mapping[str, Standing] = {
    "coordination": Standing(CoordinationDetector, "spontaneous_sync", True),
    "drift": Standing(BehaviorDriftDetector, "behavior_drift", True),
    "specialisation": Standing(SpecializationDetector, "emergent_specialization", True),
    "novelty": Standing(NovelStrategyDetector, "novel_strategy", False),
    "collective": Standing(SwarmIntelligenceDetector, "collective_intelligence", False),
    "risk": Standing(AdaptiveRiskDetector, "adaptive_risk", True),
    "regime": Standing(RegimeConsensusDetector, "regime_consensus", True),
}
"""By type, in the order in which they are shown."""
