"""The bench itself: what it counts, that runs add up in a file, that worlds are repeatable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.emergence import cost
from benchmarks.emergence.__main__ import main
from benchmarks.emergence.kinds import KINDS
from benchmarks.emergence.score import Outcome
from benchmarks.emergence.summary import evidence, planted_rows, quiet_rows, totals
from benchmarks.emergence.tables import planted_cells, quiet_cells


def line(**given: object) -> dict[str, object]:
    plain = {"kind": "drift", "scenario": "stationary", "seed": 0, "ticks": 10_000, "onset": None}
    return {**plain, "agents": [], "findings": [], "us_a_tick": 1.0, **given}


def test_delay_counts_from_the_onset_and_early_before_it() -> None:
    outcome = Outcome(((10, (1,)), (60, (2,)), (90, (2,))), 100, 50, (2,))
    assert (outcome.delay(), outcome.early()) == (10, 1)
    assert Outcome(((10, ()),), 100, None, ()).early() == 1
    assert Outcome((), 100, 50, ()).delay() is None


def test_tables_and_totals_by_hand() -> None:
    planted = {"scenario": "flip .5", "onset": 100, "agents": [1, 2]}
    lines = [
        line(naive=[5]),
        line(seed=1, findings=[[7, [1]], [9, [1]]]),
        line(**planted, findings=[[150, [1, 3]]], naive=[20]),
        line(**planted, seed=1, findings=[[90, [2]], [900, [2]]]),
    ]
    assert totals(lines) == {"drift": {"quiet": 2, "alarmed": 1, "planted": 2, "in_time": 1}}
    quiet = quiet_cells("drift", quiet_rows(lines, "drift"))
    # One of two: no bar is missed with so few, but a share of one half pooled over all worlds is.
    assert quiet[0][:5] == ["drift: stationary", "1/2", "0.500", "[0.095, 0.905]", "**no**"]
    assert quiet[0][5:7] == ["1.0000", "1/1"]
    assert quiet[1][0] == "drift: all of them"
    cells = planted_cells("drift", planted_rows(lines, "drift"))[0]
    # Within 400 ticks one of two; median of 50 and 800; precision one half and one.
    assert cells[:4] == ["drift: flip .5", "400", "1/2", "0.500"]
    assert cells[-6:] == ["**no**", "425", "0.50", "0.75", "1/2", "1/1"]


def test_evidence_asks_for_every_world_and_enough_seeds() -> None:
    def runs(scenario: str, seeds: int, **given: object) -> list[dict[str, object]]:
        return [line(scenario=scenario, seed=s, commit="c", **given) for s in range(seeds)]

    quiet = runs("stationary", 200) + runs("persistent", 200)
    frequency = {"scenario": "frequency .7", "onset": 100, "agents": [1]}
    found = [line(**frequency, seed=s, commit="c", findings=[[150, [1]]]) for s in range(200)]
    shown = evidence(quiet + found, "drift")
    assert shown.passed is True
    assert list(shown.seeds) == list(range(200))
    assert shown.figures["runs_at_commit"] == {"c": 600}
    # One seed short, one loud world, and less power than this effect's own bar of 90 %.
    assert not evidence(quiet[:-1] + found, "drift").passed
    loud = runs("covariate", 200)
    for one in loud[:20]:
        one["findings"] = [[5, [0]]]
    assert not evidence(quiet + found + loud, "drift").passed
    for missed, passes in ((20, True), (21, False)):
        few = [*found[missed:], *({**told, "findings": []} for told in found[:missed])]
        assert evidence(quiet + few, "drift").passed is passes


def test_runs_add_up_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.jsonl"
    for _ in range(2):
        assert main(["collective", "--quick", "--into", str(file)]) == 0
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert last["kinds"]["collective"]["planted"] == 1
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_every_detector_s_cost_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["--quick"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert [row["detector"] for row in rows] == list(KINDS)
    assert all(row["us_a_tick"] > 0 for row in rows)


def test_the_cost_is_judged_by_the_sum_and_by_growth() -> None:
    def rows(at_100: float, grown: int) -> list[dict[str, object]]:
        return [
            {"detector": "d", "agents": agents, "us_a_tick": spent, "bytes_half": 100,
             "bytes_end": grown}
            for agents, spent in ((100, at_100), (100, 100.0), (1000, 9_000.0))
        ]  # fmt: skip

    assert cost.evidence(rows(400.0, 101)).passed is True
    assert cost.evidence(rows(401.0, 101)).passed is False
    assert cost.evidence(rows(400.0, 103)).passed is False
    assert cost.cells(rows(401.0, 101))[3][:3] == ["all, **missed**: 500", "100", "501"]


def test_an_unknown_kind_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["weather"])
    assert "there is no weather" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_worlds_are_repeatable_and_tell_the_truth(kind: str) -> None:
    for name, (make, allowed) in KINDS[kind].planted.items():
        world = make(5)
        again = make(5)
        for key, column in world.columns.items():
            assert np.array_equal(column, again.columns[key]), name
            assert len(column) == len(world)
        assert world.onset is not None
        assert world.onset + allowed <= len(world), name
    for make_null in list(KINDS[kind].nulls.values())[:1]:
        assert make_null(5).onset is None
