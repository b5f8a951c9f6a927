"""The register of runs: identities whole at any moment, status by what lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mirrorcore.clock import SECOND
from mirrorcore.errors import UsageError
from mirrorcore.journal import JournalError, RunRegistry, RunStatus, write_atomic

NOON = 1_704_110_400 * SECOND  # 2024-01-01 12:00 UTC


def on_disk(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((path / "run.json").read_text())
    return content


def test_a_run_has_a_folder_with_its_identity(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path / "runs")
    run = registry.create("replay", {"seed": 42, "config": {"é": [1.5]}}, now=NOON)
    assert run.id.startswith("20240101-120000-")
    assert len(run.id) == len("20240101-120000-") + 8
    assert on_disk(run.path) == {
        "id": run.id,
        "mode": "replay",
        "status": "running",
        "created": "2024-01-01T12:00:00+00:00",
        "created_ns": NOON,
        "seed": 42,
        "config": {"é": [1.5]},
    }
    assert run.journal == tmp_path / "runs" / run.id / "journal.sqlite"
    info = registry.find(run.id)
    assert (info.mode, info.created, info.journal) == (
        "replay",
        "2024-01-01T12:00:00+00:00",
        run.journal,
    )
    assert registry.show(run.id)["seed"] == 42
    assert registry.show(run.id)["path"] == str(run.path)
    run.release()


def test_identifiers_sort_by_time_and_never_collide(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    runs = [registry.create("replay", {}, now=NOON + second * SECOND) for second in (5, 0, 0, 9)]
    ids = [run.id for run in runs]
    assert len(set(ids)) == 4
    assert [run.id for run in registry.runs()] == sorted(ids, reverse=True)
    assert registry.find("last").id == ids[3]
    for run in runs:
        run.release()


def test_status_goes_from_running_to_one_end(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    run = registry.create("replay", {}, now=NOON)
    assert registry.find("last").status is RunStatus.RUNNING
    run.update(fingerprint="abc", metrics={"sharpe": float("nan"), "n": [float("inf"), 1.0]})
    run.finish(RunStatus.FINISHED, trades=7)
    info = registry.find("last")
    assert info.status is RunStatus.FINISHED
    assert info.identity["fingerprint"] == "abc"
    assert info.identity["metrics"] == {"sharpe": None, "n": [None, 1.0]}
    assert info.identity["trades"] == 7
    assert str(info.identity["ended"]).endswith("+00:00")
    for status in RunStatus:
        with pytest.raises(ValueError, match=f"a run that is finished cannot become {status}"):
            run.finish(status)
    with pytest.raises(ValueError, match="id, status of a run cannot be updated"):
        run.update(status="failed", id="x", note=1)
    assert "note" not in on_disk(run.path)


def test_what_json_cannot_hold_leaves_the_old_identity(tmp_path: Path) -> None:
    run = RunRegistry(tmp_path).create("replay", {}, now=NOON)
    before = on_disk(run.path)
    with pytest.raises(TypeError):
        run.update(thing=object())
    assert on_disk(run.path) == before == run.identity
    run.release()


def test_a_run_whose_process_was_killed_is_interrupted(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from mirrorcore.journal import RunRegistry
        run = RunRegistry(Path(sys.argv[1])).create("paper", {})
        print(run.id, flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    registry = RunRegistry(tmp_path)
    assert registry.find(run_id).status is RunStatus.RUNNING
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert registry.find(run_id).status is RunStatus.INTERRUPTED
    assert registry.show(run_id)["status"] == "interrupted"
    assert on_disk(tmp_path / run_id)["status"] == "running"


def test_runs_are_found_by_any_unambiguous_end(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    for name in (
        "20240101-120000-aaaa1111",
        "20240101-120000-bbbb2222",
        "20240202-000000-cccc1111",
    ):
        registry.create("replay", {}, now=NOON, run_id=name).release()
    assert registry.find("20240202").id == "20240202-000000-cccc1111"
    assert registry.find("bbbb2222").id == "20240101-120000-bbbb2222"
    for name, problem in {
        "20240101": "2 runs fit '20240101': ",
        "1111": "2 runs fit '1111'",
        "20240101-120000-aaaa1112": "did you mean 20240101-120000-aaaa1111",
        "zzz": "there is no run 'zzz'",
        "": "there is no run ''",
    }.items():
        with pytest.raises(UsageError) as caught:
            registry.find(name)
        assert problem in str(caught.value)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "last", "a/b"])
def test_names_that_cannot_be_folders_are_refused(tmp_path: Path, name: str) -> None:
    registry = RunRegistry(tmp_path / "runs")
    if name:
        with pytest.raises(UsageError, match="cannot name a run"):
            registry.create("replay", {}, now=NOON, run_id=name)
    assert registry.runs() == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    first = registry.create("replay", {"n": 1}, now=NOON, run_id="mine")
    with pytest.raises(UsageError, match="there is a run mine in"):
        registry.create("replay", {"n": 2}, now=NOON, run_id="mine")
    assert on_disk(first.path)["n"] == 1
    first.release()


def test_no_runs_yet(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path / "none")
    assert registry.runs() == []
    with pytest.raises(UsageError, match="there is no run in"):
        registry.find("last")
    assert not (tmp_path / "none").exists()


def test_other_folders_are_no_runs_and_damaged_ones_are_named(tmp_path: Path) -> None:
    registry = RunRegistry(tmp_path)
    registry.create("replay", {}, now=NOON, run_id="good").release()
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for name, content in (("half", '{"id": "ha'), ("odd", '{"id": "odd", "status": "paused"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    assert [run.id for run in registry.runs()] == ["good"]
    assert [Path(str(error).split()[0]).parent.name for error in registry.damaged()] == [
        "half",
        "odd",
    ]
    with pytest.raises(JournalError, match="is damaged"):
        registry.find("half")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    write_atomic(file, "old")

    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            write_atomic(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    write_atomic(file, b"new")
    assert file.read_text() == "new"


def test_a_reader_never_sees_half_an_identity(tmp_path: Path) -> None:
    """A process writes without pause and is killed; the file is whole each time it is read."""
    code = """
        import sys
        from pathlib import Path
        from mirrorcore.journal import RunRegistry
        run = RunRegistry(Path(sys.argv[1])).create("paper", {}, run_id="busy")
        print("ready", flush=True)
        number = 0
        while True:
            number += 1
            run.update(number=number, text="x" * (number % 7 * 1000))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    seen: set[object] = set()
    while len(seen) < 10:
        content = on_disk(tmp_path / "busy")
        seen.add(content.get("number"))
    process.kill()
    process.communicate(timeout=30)
    assert on_disk(tmp_path / "busy")["id"] == "busy"
    assert RunRegistry(tmp_path).find("busy").status is RunStatus.INTERRUPTED
