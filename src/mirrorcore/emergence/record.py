"""A finding as it is told: with the names of its agents and the ticks of the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mirrorcore.emergence.detector import BUDGET, HORIZON
from mirrorcore.emergence.finding import Finding
from mirrorcore.emergence.standing import STANDINGS

_AGENTS = re.compile(r"\b([Aa]gents?) (\d+(?:, \d+)*)")


class FoundEffect(msgspec.Struct, frozen=True):
    """How large, in which unit, ``up`` or ``down``."""

    name: str
    value: float
    unit: str
    direction: str


class Found(msgspec.Struct, frozen=True):
    """One finding of a run; a journal entry of kind ``finding``.

    ``number`` counts from 1. ``guide`` is the guide's name of the type. ``tick`` and ``window`` are
    tick numbers of the run, ``ts`` market time in ns, all of when it was raised. ``explained`` says
    why it is none, and is empty where nothing explains it; ``experimental`` that its detector has
    not been shown to keep its bars. ``alert`` is the alert to acknowledge it by, 0 without one;
    ``symbol`` the one it is about, empty where it is about all.
    """

    number: int
    type: str
    guide: str
    tick: int
    ts: int
    window: tuple[int, int]
    agents: tuple[str, ...]
    effect: FoundEffect
    null: str
    p: float | None
    e: float | None
    summary: str
    evidence: dict[str, float]
    given: tuple[str, ...]
    experimental: bool
    explained: str = ""
    alert: int = 0
    symbol: str = ""

    @property
    def chance(self) -> float:
        """How likely at most such a finding is in 10,000 ticks of which the null is true."""
        return float(self.p) if self.p is not None else min(1.0, 1.0 / float(self.e or 1.0))

    def dictionary(self) -> dict[str, Any]:
        """As the guide has it; ``significance_score`` is 1 less the chance under the null."""
        agents: dict[str, Any] = {"agents": list(self.agents)}
        if len(self.agents) == 1:
            agents["agent"] = self.agents[0]
        more: dict[str, Any] = {}
        if self.type == "drift":
            more["drift_magnitude"] = self.effect.value
        if self.type == "novelty":
            more["pattern"] = dict(self.evidence)
            more["performance"] = self.effect.value
        return {
            "type": self.guide,
            "description": self.summary,
            **agents,
            **more,
            "significance_score": 1.0 - self.chance,
            "p_value": self.p,
            "e_value": self.e,
            "null": self.null,
            "effect": msgspec.to_builtins(self.effect),
            "window": list(self.window),
            "tick": self.tick,
            "symbol": self.symbol,
            "evidence": dict(self.evidence),
            "experimental": self.experimental,
            "explained": self.explained,
        }


def found(
    finding: Finding,
    number: int,
    names: Sequence[str],
    given: Sequence[str],
    window: tuple[int, int],
    tick: int,
    ts: int,
    explained: str,
    symbol: str = "",
) -> Found:
    """A finding with names for indices."""
    standing, effect = STANDINGS[finding.type], finding.effect
    return Found(
        number=number,
        type=finding.type,
        guide=standing.guide,
        tick=tick,
        ts=ts,
        window=window,
        agents=tuple(names[i] for i in finding.agents),
        effect=FoundEffect(effect.name, float(effect.value), effect.unit, effect.direction),
        null=finding.null,
        p=finding.p,
        e=finding.e,
        summary=_named(finding.summary, names),
        evidence={key: float(value) for key, value in finding.evidence.items()},
        given=tuple(given),
        experimental=standing.experimental,
        explained=explained,
        symbol=symbol,
    )


def _named(text: str, names: Sequence[str]) -> str:
    def put(match: re.Match[str]) -> str:
        numbers = match[2].split(", ")
        return f"{match[1]} {', '.join(names[int(i)] for i in numbers)}"

    return _AGENTS.sub(put, text)


def budget(ticks: int) -> float:
    """False findings of one type that are to be expected in so many ticks, at most."""
    return BUDGET * ticks / HORIZON
