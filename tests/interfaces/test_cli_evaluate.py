"""``mirrorcore evaluate``: the whole of it on a small market, bad input, and a stop half-way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pexpect
import pytest
from command_calls import PROGRAM, Caller, in_terminal, plain

TINY = ("--preset", "plain", "--ic", "0.1", "--symbols", "3", "--timeframe", "1h",
        "--bars", "1540", "--fee", "0.5", "--slippage", "0.5")  # fmt: skip
VARY = ("--vary", "fusion.band=0.25,0.5")


def temporary() -> list[str]:
    return sorted(p.name for p in Path(gettempdir()).glob("mirrorcore-evaluate-*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    runs = tmp_path_factory.mktemp("evaluated")
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, "evaluate", *TINY, *VARY, "--jobs", "2", "--json",
         "--runs", str(runs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return runs, json.loads(said.stdout)


class TestWhole:
    def test_every_check_with_its_figure(self, made: tuple[Path, dict[str, object]]) -> None:
        _, document = made
        checks = {check["name"]: check for check in document["checks"]}  # type: ignore[attr-defined]
        assert list(checks) == ["costs", "delay", "walk_forward", "pbo", "spa", "permutation"]
        for check in checks.values():
            assert check["shown"]
            assert check["bar"]
            assert check["guards"]
            assert isinstance(check["value"], float)
        # An information coefficient of 0.1 is a gift; only what it is called depends on length.
        assert [c["passed"] for c in checks.values()] == [True] * 6
        assert document["verdict"]["evidence"] == "weak"  # type: ignore[index]
        assert "64 days, needs 180" in " ".join(document["verdict"]["reasons"])  # type: ignore[index]

    def test_one_run_with_the_outcome_in_its_folder(
        self, made: tuple[Path, dict[str, object]]
    ) -> None:
        runs, document = made
        [folder] = runs.iterdir()
        stored = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        assert stored == document["evaluation"]
        assert [t["label"] for t in stored["trials"]] == ["fusion.band=0.25", "fusion.band=0.5"]
        assert "permutation of positions" in (folder / "report.html").read_text(encoding="utf-8")

    def test_the_report_reads_it(self, made: tuple[Path, dict[str, object]], call: Caller) -> None:
        runs, document = made
        said = call("report", "last", "--json", "--runs", str(runs), runs=False)
        assert said.document["checks"] == document["checks"]
        shown = call("report", "last", "--runs", str(runs), runs=False)
        assert "walk-forward: passed" in shown.out

    def test_other_runs_count_its_variations(
        self, made: tuple[Path, dict[str, object]], call: Caller
    ) -> None:
        """The variation that is adopted afterwards is one of three that were seen."""
        runs, document = made
        assert document["trials"]["count"] == 1  # type: ignore[index]
        adopted = runs.parent / "band.toml"
        adopted.write_text("[fusion]\nband = 0.25\n", encoding="utf-8")
        said = call(
            "backtest", "-c", str(adopted), *TINY, "--json", "--no-report", "--runs", str(runs),
            runs=False,
        )  # fmt: skip
        assert said.document["trials"]["count"] == 3
        plain_run = call("report", str(document["run_id"]), "--json", "--runs", str(runs),
                         runs=False)  # fmt: skip
        assert plain_run.document["trials"]["count"] == 2


class TestBadInput:
    @pytest.mark.parametrize(
        ("vary", "code", "said"),
        [
            ("fusion.bnad=1,2", 3, "did you mean band?"),
            ("fusion.band=-1,2", 3, "fusion.band"),
            ("fusion.band", 2, "has no values"),
            ("fusion.band=", 2, "has no values"),
            ("market.ic=0.1,0.2", 2, "changes what the swarm is tried on"),
            ("seed=1,2", 2, "changes what the swarm is tried on"),
            ("fusion.band=" + ",".join(map(str, range(1, 70))), 2, "at most 64"),
        ],
    )
    def test_vary(self, call: Caller, vary: str, code: int, said: str) -> None:
        found = call("evaluate", *TINY, "--vary", vary)
        assert found.code == code
        assert said in found.err
        assert "Traceback" not in found.err
        assert call.made() == []

    def test_a_key_twice(self, call: Caller) -> None:
        found = call("evaluate", *TINY, "--vary", "fusion.band=1", "--vary", "fusion.band=2")
        assert (found.code, call.made()) == (2, [])
        assert "given twice" in found.err

    def test_too_short_a_history_says_how_long_it_must_be(self, call: Caller) -> None:
        found = call("evaluate", "--bars", "600", "--symbols", "3")
        assert found.code == 4
        assert "the history has 2 whole days, a walk-forward needs 53" in found.err
        assert call.made() == []


def test_killed_half_way_nobody_goes_on(tmp_path: Path) -> None:
    """Even where there was no time to say goodbye."""
    before = temporary()
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "evaluate", "--symbols", "4", "--bars", "16000",
         "--jobs", "2", "--runs", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(lambda: at_work(before))
    child.kill()
    child.wait()
    wait_until(lambda: not fresh(before))
    [folder] = tmp_path.iterdir()
    assert not (folder / "evaluation.json").exists()


def fresh(before: list[str]) -> list[str]:
    return [name for name in temporary() if name not in before]


def at_work(before: list[str]) -> bool:
    """Whether a process has begun its replay."""
    return any(list(Path(gettempdir(), name).glob("*/*")) for name in fresh(before))


def wait_until(reached: Callable[[], bool]) -> None:
    """Look now and then: other processes have no virtual clock."""
    for _ in range(600):
        if reached():
            return
        time.sleep(0.1)
    pytest.fail("not reached within a minute")


def test_stopped_half_way_leaves_the_run_and_nothing_else(tmp_path: Path) -> None:
    before = temporary()
    child = in_terminal("evaluate", "--symbols", "4", "--bars", "30000", "--jobs", "2",
                        "--runs", str(tmp_path))  # fmt: skip
    child.expect("more replays", timeout=120)
    wait_until(lambda: at_work(before))
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "complete are" in plain(child.before)
    [folder] = tmp_path.iterdir()
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["status"] == "finished"
    assert not (folder / "evaluation.json").exists()
    assert temporary() == before
