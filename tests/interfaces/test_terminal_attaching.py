"""Finding the swarm that runs: by its lock and its control.json, and what is said where none is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.attaching import NotAttachedError, attach, find_running
from mirrorcore.journal import RunDirectory, RunRegistry, RunStatus

Starter = Callable[..., RunDirectory]


@pytest.fixture
def start(tmp_path: Path) -> Starter:
    """Runs that go on in this process, each holding its lock."""
    registry = RunRegistry(tmp_path)
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"version": 1, "tokens": {"viewer": "v", "operator": "o"}}))

    def begin(name: str, mode: str = "paper", *, served: bool = True) -> RunDirectory:
        folder = registry.create(mode, {}, run_id=name)
        if served:
            control = {
                "version": 1,
                "pid": os.getpid(),
                "run": name,
                "url": "http://127.0.0.1:8420/",
                "tokens": str(tokens),
            }
            (folder.path / "control.json").write_text(json.dumps(control))
        return folder

    return begin


def test_the_only_swarm_that_runs_is_found(tmp_path: Path, start: Starter) -> None:
    start("ended").finish(RunStatus.FINISHED)
    start("history", mode="replay")
    folder = start("mine")
    found = attach(tmp_path)
    assert (found.run, found.mode, found.url) == ("mine", "paper", "http://127.0.0.1:8420")
    assert found.folder == folder.path
    assert found.pid == os.getpid()
    assert found.token("operator") == "o"


def test_a_token_of_a_role_that_has_none(tmp_path: Path, start: Starter) -> None:
    folder = start("mine")
    with pytest.raises(NotAttachedError, match="no token of role 'admin'") as caught:
        attach(tmp_path).token("admin")
    assert "viewer, operator" in caught.value.hint
    folder.release()


def test_nothing_runs(tmp_path: Path, start: Starter) -> None:
    with pytest.raises(NotAttachedError, match="no swarm runs") as caught:
        attach(tmp_path)
    assert "mirrorcore run" in caught.value.hint


def test_a_killed_run_misleads_nobody(tmp_path: Path, start: Starter) -> None:
    start("killed").release()  # the lock goes with the process, control.json stays
    with pytest.raises(NotAttachedError, match="no swarm runs"):
        attach(tmp_path)
    with pytest.raises(NotAttachedError, match="killed is not going on: interrupted"):
        attach(tmp_path, "killed")


def test_of_several_one_has_to_be_named(tmp_path: Path, start: Starter) -> None:
    folders = [start("one"), start("two")]
    with pytest.raises(NotAttachedError, match="2 swarms run") as caught:
        attach(tmp_path)
    assert "one" in caught.value.hint
    assert "two" in caught.value.hint
    assert attach(tmp_path, "one").run == "one"
    with pytest.raises(UsageError, match="no run 'three'"):
        attach(tmp_path, "three")
    for folder in folders:
        folder.release()


def test_a_run_without_a_server(tmp_path: Path, start: Starter) -> None:
    folder = start("bare", served=False)
    assert find_running(tmp_path).id == "bare"
    with pytest.raises(NotAttachedError, match="without its server"):
        attach(tmp_path)
    folder.release()


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"pid": 1}', "names no url"),
        ('{"url": "http://127.0.0.1:1"}', "names no pid"),
        ('{"url": "http://127.0.0.1:1", "pid": 1, "tokens": "/nowhere"}', "cannot be read"),
        ('{"url": "http://127.0.0.1:1", "pid": 1, "tokens": "TOKENS"}', "holds no tokens"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, start: Starter, control: str, message: str
) -> None:
    folder = start("mine")
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    (folder.path / "control.json").write_text(control.replace("TOKENS", str(empty)))
    with pytest.raises(NotAttachedError, match=message) as caught:
        attach(tmp_path)
    assert caught.value.hint
    folder.release()
