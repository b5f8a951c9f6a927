"""Same inputs, same run; other inputs, another run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from swarm_world import candles, configured, differing, digests, on_candles

from mirrorcore.config import to_toml
from mirrorcore.swarm.replay import replay_history


def recorded(folder: Path, data: Path) -> dict[str, str]:
    outcome = replay_history(on_candles(folder, data))
    assert outcome.results.accounting_residual == 0
    return dict(outcome.parts)


def test_blocks_of_1_7_and_4096_give_the_same_run(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=420, costs__fee_bps=0, costs__slippage_bps=0)
    whole, swarm = digests(config)
    assert swarm.parts.path.ledger.turnover > 0
    for rows in (1, 7):
        parts, other = digests(config, rows)
        assert differing(whole, parts) == []
        for member in swarm.members:
            mine, theirs = (x.parts.bus.statistics(member.agent_id) for x in (swarm, other))
            for figure in ("calls", "failures", "version", "published", "delivered"):
                assert getattr(mine, figure) == getattr(theirs, figure), (member.agent_id, figure)


def test_another_hash_seed_in_another_process_gives_the_same_run(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=400)
    done = subprocess.run(
        [sys.executable, "-m", "mirrorcore.swarm.again"],
        input=to_toml(config),
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == digests(config)[0]


def test_a_run_and_its_repetition_have_one_fingerprint_and_the_seed_counts(
    tmp_path: Path,
) -> None:
    runs = [replay_history(configured(tmp_path / str(i))) for i in range(2)]
    assert runs[0].fingerprint == runs[1].fingerprint
    assert runs[0].run_id != runs[1].run_id
    assert runs[0].parts == runs[1].parts
    other = replay_history(configured(tmp_path / "other", seed=8))
    assert other.fingerprint != runs[0].fingerprint
    assert "decisions" in differing(dict(runs[0].parts), dict(other.parts))


def test_one_changed_bar_changes_the_fingerprint(tmp_path: Path) -> None:
    first = recorded(tmp_path / "a", candles(tmp_path / "data"))
    again = recorded(tmp_path / "b", candles(tmp_path / "same"))
    assert [name for name in first if first[name] != again[name]] == []
    changed = recorded(tmp_path / "c", candles(tmp_path / "changed", changed=600))
    different = [name for name in first if first[name] != changed[name]]
    assert any(name.startswith("input:") for name in different)
    assert "agent:MomentumScout" in different


def test_an_agent_less_leaves_the_independent_ones_as_they_were(tmp_path: Path) -> None:
    config = configured(tmp_path, market__bars=400)
    whole, _ = digests(config)
    without, _ = digests(config, without=["SentimentEar"])
    changed = differing(whole, without)
    assert "agent:OracleEngine" in changed
    for name in ("DataSentry", "MomentumScout", "MeanReverter", "VolatilitySeer", "ChainWatcher"):
        assert f"agent:{name}" not in changed


@pytest.mark.parametrize("seed", [1])
def test_costs_enter_orders_and_not_what_analysts_say(tmp_path: Path, seed: int) -> None:
    free, _ = digests(configured(tmp_path / "a", seed=seed, costs__fee_bps=0))
    dear, _ = digests(configured(tmp_path / "b", seed=seed, costs__fee_bps=50))
    changed = differing(free, dear)
    assert "agent:OracleEngine" in changed
    assert "agent:MomentumScout" not in changed
