"""Who is in a swarm and in which order; what a mistake in the configuration is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from swarm_world import configured, digests, entries, statistics

from mirrorcore.errors import ConfigError
from mirrorcore.swarm.recruiting import STANDARD, recruit
from mirrorcore.swarm.replay import replay_history

BLOCKS = """
    import numpy as np

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent

    class Last(BlockAgent):
        agent_interests = ("Middle",)
        state = {"x": StateField("sum")}
        def _analyze(self, block):
            return {"x": block.others["Middle"]["x"] + 1.0}

    class Middle(BlockAgent):
        agent_interests = ("First",)
        state = {"x": StateField("sum")}
        def _analyze(self, block):
            return {"x": block.others["First"]["x"] * 2.0}

    class First(BlockAgent):
        agent_interests = ()
        state = {"x": StateField("number of the tick")}
        def __init__(self, agent_id):
            super().__init__(agent_id, ("technical",))
            self.seen = 0.0
        def _analyze(self, block):
            ticks = block.shape[0]
            self.seen += ticks
            return {"x": self.seen - ticks + 1.0 + np.arange(ticks)}

    class InCircle(BlockAgent):
        agent_interests = ("InCircleToo",)
        state = {"x": StateField("never")}

    class InCircleToo(InCircle):
        agent_interests = ("InCircle",)

    class Ticking(TickAgent):
        def _analyze(self, tick):
            return {"x": 1.0}

    class ReadsTicking(BlockAgent):
        agent_interests = ("Ticking",)
        state = {"x": StateField("never")}

    class Mute(BlockAgent):
        votes = True
        state = {"x": StateField("no forecast")}

    class Says(BlockAgent):
        state = {"forecast": StateField("vote", "probability", 0, 1, "symbols", True)}

    class OwnState(BaseAgent):
        def __init__(self, agent_id, data_interests=()):
            super().__init__(agent_id, data_interests)
            self.state = {"mood": 3}
            self.votes = ["none of yours"]
        async def _analyze(self, relevant_data):
            return {"mood": 4.0}

    class WrongState(BaseAgent):
        state = {"mood": "float"}

    class Fails(BaseAgent):
        def __init__(self, agent_id):
            raise KeyError("strength")

    class NeedsInterests(BaseAgent):
        def __init__(self, agent_id, data_interests):
            super().__init__(agent_id, data_interests)
"""


def ids(folder: Path, text: str = "", agents: str = "", **settings: object) -> list[str]:
    return [m.agent_id for m in recruit(configured(folder, text, agents, **settings))]


def test_the_standard_swarm_comes_in_its_order(tmp_path: Path) -> None:
    assert tuple(ids(tmp_path)) == STANDARD


def test_block_agents_come_after_those_they_read_whatever_the_file_says(tmp_path: Path) -> None:
    text = entries(["Last", "Middle", "First"])
    assert ids(tmp_path, text, BLOCKS)[-3:] == ["First", "Middle", "Last"]
    _, swarm = digests(configured(tmp_path, text, BLOCKS, market__bars=50))
    state = swarm.parts.bus.read("Last").state
    assert state["x"] == 2 * 50 + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entries(["InCircle", "InCircleToo"]), ["InCircle → InCircleToo → InCircle", "circle"]),
        (entries(["Ticking", "ReadsTicking"]), ["ReadsTicking", "cannot read Ticking"]),
        (entries(["Fails"]), ["'Fails'", "KeyError: 'strength'"]),
        (entries(["NeedsInterests"]), ["NeedsInterests cannot be built", "interests"]),
        (entries(["Mute"]), ["'Mute' votes", "no forecast"]),
        (entries(["WrongState"]), ["mood", "StateField"]),
        (entries(["Ticking"], "params = { speed = 3 }"), ["Ticking cannot be built", "speed"]),
        ('[[agent]]\nid = "X"\ntype = "MomentumScot"', ["MomentumScot", "MomentumScout"]),
        ('[agents]\nwithout = ["ArchControl"]', ["ArchControl", "did you mean 'ArchCtrl'?"]),
        ('[[faults]]\nagent = "ArchCtlr"\nat = 3', ["ArchCtlr", "did you mean 'ArchCtrl'?"]),
        ('[[faults]]\nagent = "MeanReverter"\nat = 3\nkind = "hang"', ["in blocks", "raise"]),
        ('[agents]\npreset = "none"', ["no agents", "[[agent]]"]),
    ],
)
def test_a_mistake_is_told_with_what_was_probably_meant(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        recruit(configured(tmp_path, text, BLOCKS))
    for part in said:
        assert part in str(caught.value)


def test_left_out_agents_are_not_there_and_an_unknown_one_is_a_mistake(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert [m.agent_id for m in recruit(config, ["ArchCtrl"])] == [
        name for name in STANDARD if name != "ArchCtrl"
    ]
    with pytest.raises(ConfigError, match="did you mean 'Allocator'"):
        recruit(config, ["Alocator"])


def test_an_entry_with_a_standard_id_replaces_that_agent_in_its_place(tmp_path: Path) -> None:
    text = '[[agent]]\nid = "MeanReverter"\nfile = "agents.py"\nclass = "Ticking"\n'
    members = recruit(configured(tmp_path, text, BLOCKS))
    assert tuple(m.agent_id for m in members) == STANDARD
    assert type(members[STANDARD.index("MeanReverter")].agent).__name__ == "Ticking"


def test_what_the_entry_says_wins_over_the_class(tmp_path: Path) -> None:
    text = entries(
        ["NeedsInterests"],
        'interests = ["risk", "ArchCtrl", "performance"]\ncadence = "2h"\nhorizon = "1d"\n'
        "essential = true",
    )
    member = recruit(configured(tmp_path, text, BLOCKS))[-1]
    assert member.interests == ("risk", "performance")
    assert member.agent_interests == ("ArchCtrl",)
    assert (member.cadence_ns, member.horizon_ns) == (7_200 * 10**9, 86_400 * 10**9)
    assert member.essential


def test_a_block_agent_that_declares_a_forecast_votes(tmp_path: Path) -> None:
    assert recruit(configured(tmp_path, entries(["Says"]), BLOCKS))[-1].votes is True


def test_own_attributes_called_state_and_votes_are_the_agents_own_affair(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["OwnState"]), BLOCKS, market__bars=40)
    assert recruit(config)[-1].schema == {}
    _, swarm = digests(config)
    assert swarm.parts.bus.read("OwnState").state["mood"] == 4.0
    assert statistics(swarm, "OwnState").failures == 0


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("raise", "DrillFault: drill: EgoProcessor was told to fail"),
        ("hang", "beyond its deadline"),
        ("nan", "StateError"),
        ("flood", "FloodError"),
        ("undeclared", "a_field_nobody_declared"),
    ],
)
def test_a_drill_hits_its_agent_alone_and_is_over_after_its_count(
    tmp_path: Path, kind: str, told: str
) -> None:
    text = f'[[faults]]\nagent = "EgoProcessor"\nat = 100\nkind = "{kind}"\ncount = 2\n'
    _, swarm = digests(configured(tmp_path, text, market__bars=900))
    counts = statistics(swarm, "EgoProcessor")
    failed = {m.agent_id: statistics(swarm, m.agent_id).failures for m in swarm.members}
    assert failed.pop("EgoProcessor") >= 2
    assert not any(failed.values())
    assert counts.state == "running"
    assert swarm.parts.bus.accounting_residual() == 0
    again = configured(tmp_path, text, market__bars=200)
    outcome = replay_history(again)
    record = next(a for a in outcome.results.agents if a.id == "EgoProcessor")
    assert told in record.last_error
