"""What is planted in a run is found, named and explained, and without it nothing is found."""

from __future__ import annotations

import pytest

from benchmarks.evidence.planted import PLANTS, findings_of

SEED = 7


@pytest.mark.parametrize(
    ("name", "way", "words"),
    [
        ("one agent changed half-way", "up", "no longer answers"),
        ("agents that settle", "up", "tasks of their own"),
        ("one agent that grows careful", "down", "volatil"),
        ("a market that switches, and is seen to", "up", "volatility rose"),
    ],
)
def test_it_is_found_however_ticks_are_cut(name: str, way: str, words: str) -> None:
    plant = PLANTS[name]
    found = findings_of(plant, SEED)
    (one,) = found
    assert one.type == plant.type
    assert set(one.agents) <= set(plant.named)
    assert one.agents
    assert plant.onset < one.tick < plant.ticks
    assert one.e is not None
    assert one.e >= 20
    assert one.effect.direction == way
    assert words in one.summary
    if plant.type != "regime":  # which is about the swarm, and tells how many
        assert ", ".join(one.agents) in one.summary
    assert "this does not" in one.summary.lower()
    assert one.explained == ""
    assert findings_of(plant, SEED, rows=97) == found


@pytest.mark.parametrize("name", ["a market that switches, and is seen to"])
def test_without_it_nothing_is_found(name: str) -> None:
    assert findings_of(PLANTS[name], SEED, planted=False) == []
