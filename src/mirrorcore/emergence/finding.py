"""What a detector says: a claim, the null hypothesis it speaks against, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FindingType = Literal[
    "coordination", "specialisation", "novelty", "drift", "collective", "risk", "regime"
]


@dataclass(frozen=True, slots=True)
class Effect:
    """How large, in which unit, and which way (``up`` or ``down`` from what it was before)."""

    name: str
    value: float
    unit: str
    direction: Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim about the swarm.

    ``agents`` are indices into the arrays a detector was fed with; empty where the claim is about
    the swarm as a whole. ``window`` holds the first and last tick (counted from 0) of the data the
    claim rests on, ``raised_at`` the tick at which it was made. Exactly one of ``p`` and ``e`` is
    set and refers to ``null``: ``p`` is corrected for every comparison its detector makes in
    10,000 ticks, ``e`` is an e-value over 10,000 ticks, so 1 / e bounds the chance of ever seeing
    it there under the null. ``evidence`` holds the numbers behind it.
    """

    type: FindingType
    agents: tuple[int, ...]
    effect: Effect
    null: str
    window: tuple[int, int]
    raised_at: int
    summary: str
    p: float | None = None
    e: float | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.p is None) == (self.e is None):
            raise ValueError("a finding carries either a p-value or an e-value")
