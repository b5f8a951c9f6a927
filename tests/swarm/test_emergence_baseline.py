"""A run starts from what another has learned, or is told why it cannot."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from swarm_world import configured, entries

from benchmarks.evidence.planted import AGENTS
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import ConfigError
from mirrorcore.journal import RunRegistry
from mirrorcore.swarm.emergence.baseline import LEARNED, NAME, Baseline
from mirrorcore.swarm.emergence.feed import SETTLING
from mirrorcore.swarm.emergence.written import read_findings
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import RunOutcome

OWN = AGENTS.read_text(encoding="utf-8")
NAMES = {**dict.fromkeys(("Anna", "Bert", "Carl", "Dora"), "Private"), "Xena": "Fed", "Yves": "Fed"}
BEFORE = 1900
"""Ticks of the run that learns: the common feed begins later."""


def config(
    folder: Path, bars: int, agents: dict[str, str] = NAMES, **settings: object
) -> RunConfig:
    text = '[agents]\npreset = "none"\n' + entries(agents, 'interests = ["technical"]')
    wanted = {
        "market__preset": "null",
        "market__symbols": 1,
        "market__bars": bars,
        "emergence__history": True,
        "emergence__detectors": ["coordination", "collective"],
        **settings,
    }
    return configured(folder, text, OWN, **wanted)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    return replay_history(config(tmp_path_factory.mktemp("learned"), BEFORE))


def test_a_run_leaves_what_it_has_learned(learned: RunOutcome) -> None:
    header = Baseline(learned.path / NAME).header
    assert header.run == learned.run_id
    assert header.voters == tuple(NAMES)
    assert header.symbols == ("AAA/USD",)
    seen = BEFORE - SETTLING - 1
    assert header.ticks == {"coordination": seen, "collective": seen}
    assert len(header.roster) == len(header.config) == len(header.layout) == 32


def test_a_run_that_starts_from_it_has_nothing_to_learn(
    learned: RunOutcome, tmp_path: Path
) -> None:
    """The feed begins at tick 2,000; 2,400 ticks alone are found in 450 with what was learned."""
    again = config(tmp_path, 2450, emergence__learned=str(learned.path / NAME), seed=8)
    told = read_findings(replay_history(again).path / "journal.sqlite")
    (one,) = [found for found in told.findings if found.type == "coordination"]
    assert one.agents == ("Xena", "Yves")
    assert 2000 < one.tick < 2450
    assert one.window[0] < one.window[1] == one.tick


def test_the_repetition_of_a_paper_run_starts_from_the_same(
    learned: RunOutcome, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    file.write_bytes((learned.path / NAME).read_bytes())
    settings = {"paper__speed": 1e6, "paper__warmup": "0s", "emergence__history": False}
    wanted = config(tmp_path / "paper", 140, emergence__learned=str(file), **settings)
    outcome = run_paper(wanted)
    assert not [text for text in outcome.results.warnings if "emergence" in text]
    file.unlink()
    report = rerun(RunRegistry(wanted.storage.runs).find(outcome.run_id))
    assert report.same
    assert not [text for text in report.outcome.results.warnings if "emergence" in text]
    kept = [Baseline(path / NAME).header for path in (outcome.path, report.outcome.path)]
    seen = BEFORE - SETTLING - 1 + 140 - SETTLING - 1
    assert kept[0].ticks == {"coordination": seen, "collective": seen}
    assert msgspec.structs.replace(kept[0], run="") == msgspec.structs.replace(kept[1], run="")
    assert (report.outcome.path / LEARNED).is_file()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"agents": {**NAMES, "Zora": "Private"}}, "learned of other agents"),
        ({"agents": {**NAMES, "Anna": "Steady"}}, "learned of other agents"),
        ({"market__symbols": 2}, "its symbols are AAA/USD, here AAA/USD, BBB/USD"),
    ],
)
def test_one_that_does_not_fit_is_refused_before_anything_is_written(
    change: dict[str, object], why: str, learned: RunOutcome, tmp_path: Path
) -> None:
    wanted = config(tmp_path, 100, emergence__learned=str(learned.path / NAME), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=why):
        replay_history(wanted)
    assert not list(wanted.storage.runs.glob("*"))


def test_other_detectors_are_refused(
    learned: RunOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrorcore.swarm.emergence.baseline.layout", lambda: "another")
    wanted = config(tmp_path, 100, emergence__learned=str(learned.path / NAME))
    with pytest.raises(ConfigError, match="detectors are not those of version"):
        replay_history(wanted)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "cannot be read"),
        (b"something else", "is no baseline"),
        (b"cut", "is damaged"),
        (b"format", "has format 9, this version reads 1"),
    ],
)
def test_a_file_that_is_none_is_refused(
    data: bytes | None, why: str, learned: RunOutcome, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "file"
    good = (learned.path / NAME).read_bytes()
    if data == b"format":
        monkeypatch.setattr("mirrorcore.swarm.emergence.baseline.FORMAT", 9)
        file = replay_history(config(tmp_path / "other", 80)).path / NAME
        monkeypatch.undo()
    elif data is not None:
        file.write_bytes(good[:-3] if data == b"cut" else data)
    with pytest.raises(ConfigError, match=why):
        Baseline(file)
