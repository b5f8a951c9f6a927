"""What counts as a trial, and that the best of many is refused what it would get alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_examples import run_of, trade

from mirrorcore.errors import DataError
from mirrorcore.journal import RunRegistry, RunStatus
from mirrorcore.market.block import Floats
from mirrorcore.report import Evaluation, evaluate, summarise
from mirrorcore.report.checks import STORED, Check
from mirrorcore.report.trials import Trials, count_trials, daily_of, standing_of, track_of


class Folder:
    """A folder of runs that are told by their run.json alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made = 0

    def run(
        self,
        trial: str,
        ratio: float | None,
        *,
        days: int = 365,
        data: str = "d1",
        seed: int = 1,
        status: RunStatus = RunStatus.FINISHED,
    ) -> Path:
        self.made += 1
        identity = {"trial": trial, "source": "market", "inputs": {"market": data}, "seed": seed}
        run = RunRegistry(self.root).create("replay", identity, now=self.made)
        run.finish(status, track={"ratio": ratio, "days": days})
        return run.path

    def trials(self, folder: Path) -> Trials:
        own = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return count_trials(self.root, own)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestCount:
    def test_alone(self, folder: Folder) -> None:
        assert folder.trials(folder.run("a", 0.1)) == Trials(1, 0.0)

    def test_other_seeds_are_the_same_trial(self, folder: Folder) -> None:
        for seed in range(8):
            run = folder.run("a", 0.01 * seed, seed=seed)
        assert folder.trials(run) == Trials(1, 0.0)

    def test_other_configurations_are_others(self, folder: Folder) -> None:
        ratios = [0.1, -0.05, 0.02]
        runs = [folder.run(name, ratio) for name, ratio in zip("abc", ratios, strict=True)]
        for run in runs:
            found = folder.trials(run)
            assert found.count == 3
            assert found.variance == pytest.approx(np.var(ratios, ddof=1))

    def test_on_other_data_they_are_none(self, folder: Folder) -> None:
        folder.run("a", 0.1, data="elsewhere")
        assert folder.trials(folder.run("b", 0.2)).count == 1

    @pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.INTERRUPTED])
    def test_a_run_that_was_stopped_counts_once_it_has_a_sharpe(
        self, folder: Folder, status: RunStatus
    ) -> None:
        own = folder.run("a", 0.1)
        folder.run("b", None, days=1, status=status)
        assert folder.trials(own).count == 1
        folder.run("b", -0.2, days=40, status=status)
        assert folder.trials(own).count == 2

    def test_seeds_are_averaged_before_they_are_compared(self, folder: Folder) -> None:
        folder.run("a", 0.3)
        folder.run("a", 0.1)
        found = folder.trials(folder.run("b", 0.0))
        assert found.variance == pytest.approx(np.var([0.2, 0.0], ddof=1))

    def test_variations_of_evaluate_count(self, folder: Folder) -> None:
        """For all but the configuration they vary, which was fixed before they were seen."""
        run = folder.run("a", 0.1)
        again, other, adopted = (folder.run(name, 0.1) for name in "aed")
        trials = [{"trial": name, "ratio": 0.05, "days": 365} for name in "bcd"]
        (run / STORED).write_text(json.dumps({"trials": trials, "checks": []}), encoding="utf-8")
        # a, e and d have runs of their own; b and c were seen in the evaluation of a alone.
        assert folder.trials(run).count == folder.trials(again).count == 3
        assert folder.trials(other).count == folder.trials(adopted).count == 5

    def test_what_cannot_be_read_is_said(self, folder: Folder) -> None:
        own, other = folder.run("a", 0.1), folder.run("b", 0.1)
        (other / "run.json").write_text("{", encoding="utf-8")
        (folder.run("c", 0.2) / STORED).write_text("{", encoding="utf-8")
        assert folder.trials(own) == Trials(2, pytest.approx(0.005), 2)

    def test_hundreds_are_read_at_once(self, folder: Folder) -> None:
        for number in range(120):
            run = folder.run(f"{number}", 0.001 * number)
        assert folder.trials(run).count == 120


class TestStanding:
    def test_checks_are_read_back(self, folder: Folder) -> None:
        run = folder.run("a", 0.1)
        check = {"name": "costs", "label": "Costs × 2", "shown": "Sharpe 1.00", "bar": "above 0",
                 "passed": True}  # fmt: skip
        document = {"trials": [], "checks": [check]}
        (run / STORED).write_text(json.dumps(document), encoding="utf-8")
        assert standing_of(run).checks == (
            Check("costs", "Costs × 2", "Sharpe 1.00", "above 0", True),
        )

    def test_a_damaged_file_is_an_error(self, folder: Folder) -> None:
        run = folder.run("a", 0.1)
        (run / STORED).write_text('{"checks": 7}', encoding="utf-8")
        with pytest.raises(DataError, match=r"evaluation\.json is damaged"):
            standing_of(run)


def judged(returns: Floats, standing: Any = None) -> Evaluation:
    results = run_of(100 * np.cumprod(1 + returns), trades=tuple(trade(1.0, i) for i in range(60)))
    return evaluate(results, standing)


class TestLuck:
    """The best of a hundred strategies without any edge."""

    def test_the_best_of_many_is_evidence_alone_and_refused_among_its_trials(
        self, folder: Folder
    ) -> None:
        drawn = np.random.default_rng(11).normal(0, 0.01, (100, 365))
        tracks = [track_of(returns) for returns in drawn]
        best = int(np.argmax([track.ratio or 0.0 for track in tracks]))
        runs = [folder.run(f"{n}", t.ratio, days=t.days) for n, t in enumerate(tracks)]
        alone = judged(drawn[best])
        assert alone.verdict.evidence == "evidence"
        among = judged(drawn[best], standing_of(runs[best]))
        assert among.verdict.evidence == "weak"
        assert "(100 configurations tried)" in among.verdict.reasons[1]
        assert (among.measures["deflated_sharpe"].value or 0.0) < 0.9

    def test_an_edge_survives_its_trials(self, folder: Folder) -> None:
        rng = np.random.default_rng(12)
        market = rng.normal(0.0022, 0.008, 365)
        # Variations of one idea: they share most of what they do.
        drawn = [market + rng.normal(0, 0.002, 365) for _ in range(12)]
        for number, returns in enumerate(drawn):
            track = track_of(returns)
            run = folder.run(f"{number}", track.ratio, days=track.days)
        found = judged(drawn[-1], standing_of(run))
        assert found.trials.count == 12
        assert found.verdict.evidence == "evidence"

    def test_the_document_shows_it(self, folder: Folder) -> None:
        returns = np.random.default_rng(3).normal(0.002, 0.01, 365)
        folder.run("b", -0.1)
        run = folder.run("a", track_of(returns).ratio)
        found = judged(returns, standing_of(run))
        summary = summarise(run_of(100 * np.cumprod(1 + returns)), found)
        assert summary["trials"]["count"] == summary["metrics"]["trials"] == 2
        assert summary["metrics"]["deflated_sharpe"] < summary["metrics"]["probabilistic_sharpe"]
        assert "deflated Sharpe above 0.95" in summary["verdict"]["rule"]


def test_track_is_that_of_the_report() -> None:
    equity = 100 * np.cumprod(1 + np.random.default_rng(5).normal(0.001, 0.01, 90))
    results = run_of(equity)
    track = track_of(daily_of(results))
    assert track.days == 90
    assert track.ratio is not None
    assert track.ratio * 365**0.5 == pytest.approx(evaluate(results).measures["sharpe"].value)
    assert track_of(np.empty(0)).ratio is None
