"""What holds for every detector: causal, repeatable, and clear about what is wrong with a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.worlds import (
    collective,
    coordination,
    drift,
    novelty,
    regime,
    risk,
    specialisation,
)
from benchmarks.emergence.worlds.world import World
from mirrorcore.emergence.coordination import CoordinationDetector
from mirrorcore.emergence.drift import BehaviorDriftDetector
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.specialisation import SpecializationDetector
from mirrorcore.errors import UsageError

LOUD: dict[str, Callable[[], World]] = {
    "coordination": lambda: coordination.make(3, planted="sync", coupling=0.9, ticks=3000),
    "specialisation": lambda: specialisation.make(3, strength=3.0, ticks=4000),
    "novelty": lambda: novelty.make(3, strength=0.3, ticks=2000),
    "drift": lambda: drift.make(3, planted="flip", strength=0.9, ticks=3600),
    "collective": lambda: collective.make(3, kind="diverse", strength=0.8, late=True, ticks=1500),
    "risk": lambda: risk.make(3, planted="vol_adapt", strength=1.0, ticks=3600),
    "regime": lambda: regime.make(3, planted="both", strength=1.3, ticks=3200),
}
"""A short world with a strong effect for each kind."""


@pytest.fixture(scope="module")
def runs() -> Mapping[str, tuple[World, list[Finding]]]:
    return {kind: (world := make(), feed(kind, world)) for kind, make in LOUD.items()}


def feed(kind: str, world: World, ticks: int | None = None) -> list[Finding]:
    detector = KINDS[kind].detector(world.static)
    found: list[Finding] = []
    for number, tick in enumerate(world.ticks()):
        if number == ticks:
            break
        found += detector.update(tick)
    return found


def with_other_future(world: World, cut: int, seed: int) -> World:
    """The same until the cut; afterwards its own ticks in another order."""
    order = np.arange(len(world))
    np.random.default_rng(seed).shuffle(order[cut:])
    columns = {key: column[order] for key, column in world.columns.items()}
    return World(world.static, columns, world.onset, world.agents)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strong_effect_is_found_after_its_onset_and_named(
    kind: str, runs: Mapping[str, tuple[World, list[Finding]]]
) -> None:
    world, found = runs[kind]
    assert found, "nothing was found"
    assert all(finding.type == kind for finding in found)
    assert found[0].raised_at >= (world.onset or 0)
    named = {agent for finding in found for agent in finding.agents}
    assert named <= set(world.agents)
    assert bool(named) == bool(world.agents)


@pytest.mark.parametrize("kind", KINDS)
def test_a_finding_carries_its_null_its_evidence_and_its_window(
    kind: str, runs: Mapping[str, tuple[World, list[Finding]]]
) -> None:
    for finding in runs[kind][1]:
        assert finding.e is not None
        assert finding.e >= 20 * 0.999, "less than the budget asks for"
        assert 0 <= finding.window[0] < finding.window[1] == finding.raised_at
        assert len(finding.null) > 30
        assert "does not" in finding.summary
        assert np.isfinite(finding.effect.value)


def test_a_finding_says_what_the_field_would(
    runs: Mapping[str, tuple[World, list[Finding]]],
) -> None:
    """The division of labour, now and before; the order parameter of those who act together."""
    roles = runs["specialisation"][1][0].evidence
    assert roles["division_of_labour"] > 1.5 * roles["division_of_labour_before"] > 0
    together = runs["coordination"][1][0]
    chance = np.sqrt(2 / (np.pi * len(together.agents)))
    assert together.evidence["order_parameter"] > chance * 0.5
    assert together.evidence["order_parameter"] <= 1


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None)
@given(share=st.floats(0.3, 1.0), seed=st.integers(0, 2**16))
def test_no_finding_depends_on_the_future(
    kind: str,
    share: float,
    seed: int,
    runs: Mapping[str, tuple[World, list[Finding]]],
) -> None:
    world, found = runs[kind]
    cut = int(len(world) * share)
    other = feed(kind, with_other_future(world, cut, seed), cut)
    assert other == [finding for finding in found if finding.raised_at < cut]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ticks_give_the_same_findings(
    kind: str, runs: Mapping[str, tuple[World, list[Finding]]]
) -> None:
    world, found = runs[kind]
    assert feed(kind, world) == found


BAD: dict[str, list[tuple[str, Any, str]]] = {
    "coordination": [("actions", np.full(20, 2.0), "outside -1 to 1"), ("messages", 0.0, "dim")],
    "specialisation": [("tasks", np.full(20, 9.0), "outside 0 to 4")],
    "novelty": [("known", np.zeros(3), "3 known instead of 4")],
    "drift": [("actions", np.full(20, -1.5), "outside -1 to 1")],
    "risk": [("drawdown", np.full(20, -0.1), "negative"), ("logvol", np.zeros(2), "dim")],
    "regime": [("beliefs", np.zeros((20, 3)), "3 log-volatility and trend instead of 2")],
    "collective": [("votes", np.full(15, 1.1), "outside 0 to 1"), ("outcome", 0.5, "0.5")],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_tick_is_refused_with_what_and_where(kind: str) -> None:
    world = LOUD[kind]()
    tick = next(world.ticks())
    name = type(KINDS[kind].detector(world.static)).__name__
    for key in tick:
        for value, said in ((np.full(np.shape(tick[key]), np.nan), "not finite"), ("x", "numeric")):
            with pytest.raises(UsageError, match=said) as caught:
                KINDS[kind].detector(world.static).update({**tick, key: value})
            assert name in caught.value.message
            assert repr(key) in caught.value.message
            assert caught.value.hint
        with pytest.raises(UsageError, match="missing"):
            KINDS[kind].detector(world.static).update({k: v for k, v in tick.items() if k != key})
    for key, value, said in BAD[kind]:
        with pytest.raises(UsageError, match=said):
            KINDS[kind].detector(world.static).update({**tick, key: value})


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("coordination", "subs"),
        ("drift", "subs"),
        ("drift", "baseline_end"),
        ("risk", "baseline_end"),
        ("specialisation", "n_tasks"),
        ("novelty", "known_names"),
    ],
)
def test_a_missing_fact_is_named(kind: str, key: str) -> None:
    static = {k: v for k, v in LOUD[kind]().static.items() if k != key}
    with pytest.raises(UsageError, match=key):
        KINDS[kind].detector(static)


def test_the_number_of_agents_may_not_change() -> None:
    world = LOUD["collective"]()
    detector = KINDS["collective"].detector(world.static)
    first, second = (tick for tick, _ in zip(world.ticks(), range(2), strict=False))
    detector.update(first)
    with pytest.raises(UsageError, match="14 agents instead of 15"):
        detector.update({**second, "votes": second["votes"][:14]})


def test_a_finding_has_one_kind_of_evidence() -> None:
    effect = Effect("x", 1.0, "sd", "up")
    for p, e in ((None, None), (0.01, 100.0)):
        with pytest.raises(ValueError, match="either"):
            Finding("drift", (), effect, "null", (0, 1), 1, "summary", p=p, e=e)


def test_agents_that_read_no_input_and_never_change_are_nobody_s_defect() -> None:
    """A swarm may have no inputs at all, and a block in which nobody changes his task."""
    rng = np.random.default_rng(1)
    roles = SpecializationDetector({"n_tasks": 3})
    coordination = CoordinationDetector({"subs": np.zeros((4, 0))})
    drift = BehaviorDriftDetector({"subs": np.zeros((4, 0)), "baseline_end": 1000})
    found: list[object] = []
    for _ in range(3000):
        told = {"ret": float(rng.normal()), "inputs": np.zeros(0), "messages": np.zeros(4)}
        told |= {"actions": rng.integers(-1, 2, 4), "confidence": np.full(4, 0.5)}
        found += roles.update({"ret": 0.0, "tasks": np.zeros(5), "demand": np.ones(3)})
        found += [*coordination.update(told), *drift.update(told)]
    assert found == []
