"""What a run writes down for those who count trials, and runs that decide late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.report.trials import standing_of
from mirrorcore.swarm.identity import trial_key
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import RunOutcome


def config(runs: Path, *more: tuple[str, object], bars: int = 1200) -> RunConfig:
    settings = [
        ("storage.runs", str(runs)), ("market.symbols", 3), ("market.bars", bars),
        ("market.preset", "plain"), ("market.ic", 0.05), ("fusion.smoothing", "10m"),
        ("market.timeframe", "5m"), ("costs.fee_bps", 0.0), ("costs.slippage_bps", 0.0), *more,
    ]  # fmt: skip
    return load_config(None, {}, settings).config


def trials(outcome: RunOutcome) -> int:
    return standing_of(outcome.path).trials.count


class TestKey:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("seed", 7), ("storage.runs", "elsewhere"), ("journal.mode", "full"),
            ("market.preset", "default"),
        ],
    )  # fmt: skip
    def test_what_is_no_choice(self, tmp_path: Path, key: str, value: object) -> None:
        assert trial_key(config(tmp_path, (key, value))) == trial_key(config(tmp_path))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("fusion.band", 2.0), ("costs.fee_bps", 1.0), ("agents.without", ["ChainWatcher"]),
            ("market.sparse", True), ("risk.gross", 1.0),
        ],
    )  # fmt: skip
    def test_what_is_one(self, tmp_path: Path, key: str, value: object) -> None:
        assert trial_key(config(tmp_path, (key, value))) != trial_key(config(tmp_path))

    def test_leaving_out_is_the_same_however_it_is_said(self, tmp_path: Path) -> None:
        told = config(tmp_path, ("agents.without", ["ChainWatcher", "SentimentEar"]))
        asked = trial_key(config(tmp_path), ["SentimentEar", "ChainWatcher"])
        assert trial_key(told) == asked

    def test_late_decisions_are_another(self, tmp_path: Path) -> None:
        assert trial_key(config(tmp_path), (), 1) != trial_key(config(tmp_path))


def test_runs_are_counted_by_what_they_were_told(tmp_path: Path) -> None:
    """The same again and a repetition are one trial; without an agent is a second."""
    first = replay_history(config(tmp_path))
    identity = json.loads((first.path / "run.json").read_text(encoding="utf-8"))
    assert identity["track"]["days"] == 4
    assert trials(first) == 1
    replay_history(config(tmp_path))
    assert trials(first) == 1
    replay_history(config(tmp_path), without=["ChainWatcher"])
    assert trials(first) == 2
    # Another seed is another simulated market, and has its own count.
    assert trials(replay_history(config(tmp_path, ("seed", 9)))) == 1


class TestDelay:
    def test_late_by_so_many_ticks(self, tmp_path: Path) -> None:
        """The first order comes later by the delay; the run says so and repeats itself."""
        plain = replay_history(config(tmp_path, bars=900))
        late = replay_history(config(tmp_path, bars=900), delay=3)
        assert late.fingerprint != plain.fingerprint
        assert late.parts["delay"] == "3"
        assert "delay" not in plain.parts
        assert late.parts["fills"] != plain.parts["fills"]
        bar = plain.results.identity.bar_ns
        opened = [min(t.open_ts for t in run.results.trades) for run in (plain, late)]
        assert opened[1] - opened[0] == 3 * bar
        from mirrorcore.journal import RunRegistry

        report = rerun(RunRegistry(tmp_path).find(late.run_id))
        assert report.same

    def test_blocks_make_no_difference(self, tmp_path: Path) -> None:
        runs = [
            replay_history(config(tmp_path, bars=700), delay=2, block_rows=rows)
            for rows in (4096, 61)
        ]
        assert runs[0].parts == runs[1].parts
