"""What agents believe about the market reaches the monitor as they declare it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from swarm_world import configured, entries

from mirrorcore.errors import ConfigError
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.emergence.feed import SETTLING, Feed, Shown
from mirrorcore.swarm.emergence.written import read_findings
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.replay import replay_history

BELIEVERS = """
    import numpy as np

    from mirrorcore import BlockAgent, StateField, TickAgent


    class Voter(BlockAgent):
        votes = True
        state = {"forecast": StateField("of a rise", low=0, high=1, shape="symbols")}

        def _analyze(self, block):
            return {"forecast": np.full(block.shape, 0.6)}


    class InBlocks(BlockAgent):
        votes = False
        believes = {"log_volatility": {"heat": 2.0, "cold": -1.0}, "trend": {"heat": 1.0}}
        state = {
            "heat": StateField("of each symbol", shape="symbols"),
            "cold": StateField("of all"),
        }

        def _analyze(self, block):
            ticks, symbols = block.shape
            index = block.market.market.index + np.arange(ticks)
            return {
                "heat": index[:, None] + 1000.0 * np.arange(symbols),
                "cold": index * 0.5,
            }


    class NowAndThen(TickAgent):
        votes = False
        believes = {"trend": {"guess": 1.0}}

        def _analyze(self, tick):
            number = tick.market.market.index + tick.row
            if number % 10:
                return None
            return {"guess": "nobody knows" if number % 20 else float(number), "other": 1.0}
"""


class Watches:
    """Feeds itself as the monitor does, and keeps the beliefs it is shown."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.feed = Feed(swarm.members, swarm.context.symbols, [0, 1])
        swarm.witnesses.append(self.feed.beliefs.heard)
        self.shown: list[Shown] = []

    def block(self, record: BlockRecord) -> None:
        batch = self.feed.take(record, self.swarm.context.voters, (), ())
        self.shown += self.feed.ticks(batch)


def shown(folder: Path, rows: int) -> Watches:
    made: list[Watches] = []

    def observe(swarm: Swarm) -> Watches:
        made.append(Watches(swarm))
        return made[0]

    text = '[agents]\npreset = "none"\n' + entries(["Voter", "InBlocks", "NowAndThen"])
    config = configured(folder, text, BELIEVERS, market__symbols=2, market__bars=120)
    replay_history(config, observe=observe, block_rows=rows)
    return made[0]


@pytest.mark.parametrize("rows", [4096, 7, 1])
def test_each_says_it_in_its_own_way_however_ticks_are_cut(rows: int, tmp_path: Path) -> None:
    seen = shown(tmp_path, rows)
    cast = seen.feed.cast
    assert cast is not None
    assert (cast.believers, cast.believed) == (
        ("InBlocks", "NowAndThen"),
        ("log_volatility", "trend"),
    )
    assert len(seen.shown) == 2 * (120 - SETTLING - 1)
    for one in seen.shown:
        told = one.tick - 1  # what was decided at a tick is shown at the next
        heat = told + 1000.0 * one.symbol
        expected = [[2.0 * heat - 0.5 * told, heat], [0.0, told // 20 * 20]]
        np.testing.assert_array_equal(one.values["beliefs"], expected)


def test_nobody_believes_anything_and_it_says_so(tmp_path: Path) -> None:
    text = '[agents]\npreset = "none"\n' + entries(["Voter"])
    settings: Mapping[str, Any] = {
        "market__bars": 80,
        "emergence__history": True,
        "emergence__detectors": ["regime"],
    }
    outcome = replay_history(configured(tmp_path, text, BELIEVERS, **settings))
    watch = read_findings(outcome.path / "journal.sqlite").watched["regime"]
    assert "no agent declares what it believes" in watch.idle
    assert watch.ticks == 0


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ('{"weather": {"heat": 1.0}}', "the class's believes is"),
        ('{"trend": "heat"}', "the class's believes is"),
        ('{"trend": {"hope": 1.0}}', "believes by hope, which it does not publish"),
    ],
)
def test_what_cannot_be_believed_is_refused(declared: str, why: str, tmp_path: Path) -> None:
    code = BELIEVERS.replace('{"trend": {"heat": 1.0}}', declared).replace(
        '{"log_volatility": {"heat": 2.0, "cold": -1.0}, "trend": {"heat": 1.0}}', declared
    )
    text = '[agents]\npreset = "none"\n' + entries(["InBlocks"])
    with pytest.raises(ConfigError, match=why):
        replay_history(configured(tmp_path, text, code, market__bars=10))
