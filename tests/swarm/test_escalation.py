"""An agent that fails for good closes the gateway only if the swarm cannot do without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorcore.config import load_config
from mirrorcore.swarm.replay import replay_history

BROKEN = """
from mirrorcore import BaseAgent


class Broken(BaseAgent):
    async def _analyze(self, relevant_data):
        raise ValueError("always")
"""


@pytest.mark.parametrize("essential", [False, True])
def test_only_an_essential_failure_closes_the_gateway(tmp_path: Path, essential: bool) -> None:
    (tmp_path / "broken.py").write_text(BROKEN, encoding="utf-8")
    entry = {
        "id": "Broken",
        "file": str(tmp_path / "broken.py"),
        "interests": ["technical"],
        "cadence": "5m",
        "essential": essential,
    }
    settings = [
        ("storage.runs", str(tmp_path / "runs")),
        ("market.symbols", 2),
        ("market.bars", 900),
        ("agent", [entry]),
    ]
    outcome = replay_history(load_config(None, {}, settings).config)
    broken = next(agent for agent in outcome.results.agents if agent.id == "Broken")
    assert broken.state == "failed"
    closed = [warning for warning in outcome.results.warnings if "gateway" in warning]
    assert bool(closed) is essential
    if essential:
        assert "Broken, which is essential, has failed for good" in closed[0]
