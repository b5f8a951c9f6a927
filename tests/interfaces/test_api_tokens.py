"""Tokens and the files only their owner may read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorcore.errors import RefusedError
from mirrorcore.interfaces.api import tokens as module
from mirrorcore.interfaces.api.discovery import Reach, announce, reach_of, withdraw
from mirrorcore.interfaces.api.tokens import Tokens, rotate
from mirrorcore.interfaces.commands import ROLES


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_tokens_are_made_once_and_stay(tmp_path: Path) -> None:
    first = Tokens.open(tmp_path / "runs")
    again = Tokens.open(tmp_path / "runs")
    assert [first.secret(role) for role in ROLES] == [again.secret(role) for role in ROLES]
    assert mode(first.path) == 0o600
    assert all(len(first.secret(role)) >= 43 for role in ROLES)  # 256 bits in base 64


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_mode_is_right_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert mode(Tokens.open(tmp_path).path) == 0o600
    finally:
        os.umask(before)


def test_each_token_gives_its_role_and_others_give_none(tmp_path: Path) -> None:
    tokens = Tokens.open(tmp_path)
    assert [tokens.role_of(tokens.secret(role)) for role in ROLES] == list(ROLES)
    good = tokens.secret("operator")
    for wrong in ("", " ", good[:-1], good + "x", good.upper(), "x" * 100_000, "\ud800", "ä" * 43):
        assert tokens.role_of(wrong) is None


def test_every_token_is_compared_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = Tokens.open(tmp_path)
    compared = []
    real = module.hmac.compare_digest

    def counted(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr(module.hmac, "compare_digest", counted)
    for given in (tokens.secret("viewer"), tokens.secret("admin"), "no such token"):
        compared.clear()
        tokens.role_of(given)
        assert len(compared) == len(ROLES)
        # Hashes, so that not even the length of a token can be told from the time it takes.
        assert all(len(b) == 32 for _, b in compared)


def test_rotated_tokens_count_at_once_in_a_server_that_runs(tmp_path: Path) -> None:
    tokens = Tokens.open(tmp_path)
    old = {role: tokens.secret(role) for role in ROLES}
    rotate(tmp_path, "operator")
    assert tokens.role_of(old["operator"]) is None
    assert tokens.role_of(old["viewer"]) == "viewer"
    rotate(tmp_path)
    assert [tokens.role_of(old[role]) for role in ROLES] == [None, None, None]
    assert tokens.role_of(Tokens.open(tmp_path).secret("admin")) == "admin"
    assert mode(tokens.path) == 0o600


def test_a_deleted_file_revokes_and_is_made_anew(tmp_path: Path) -> None:
    tokens = Tokens.open(tmp_path)
    old = tokens.secret("operator")
    tokens.path.unlink()
    assert tokens.role_of(old) is None
    assert tokens.role_of(Tokens.open(tmp_path).secret("operator")) == "operator"


def test_a_file_others_may_read_is_refused(tmp_path: Path) -> None:
    path = Tokens.open(tmp_path).path
    for loose in (0o640, 0o604, 0o622, 0o644):
        path.chmod(loose)
        with pytest.raises(RefusedError, match="may be read by others") as told:
            Tokens.open(tmp_path)
        assert "mirrorcore token rotate" in told.value.hint


def test_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = Tokens.open(tmp_path / "a").path
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "tokens.json").symlink_to(elsewhere)
    with pytest.raises(RefusedError, match="cannot be used"):
        Tokens.open(tmp_path / "b")


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '{"tokens": {}}',
        json.dumps({"tokens": dict.fromkeys(ROLES, "short")}),
        json.dumps({"tokens": dict.fromkeys(ROLES, "x" * 43)}),
        json.dumps({"tokens": {"viewer": "a" * 43, "operator": "b" * 43, "admin": None}}),
    ],
)
def test_a_damaged_file_is_refused_and_never_falls_back(tmp_path: Path, document: str) -> None:
    path = Tokens.open(tmp_path).path
    path.write_text(document, encoding="utf-8")
    with pytest.raises(RefusedError) as told:
        Tokens.open(tmp_path)
    assert "rotate" in told.value.hint


def test_a_file_damaged_while_a_server_runs_locks_nobody_out_and_lets_nobody_in(
    tmp_path: Path,
) -> None:
    tokens = Tokens.open(tmp_path)
    good = tokens.secret("operator")
    tokens.path.write_text("{", encoding="utf-8")
    assert tokens.role_of(good) == "operator"
    assert tokens.role_of("{") is None


def test_two_processes_that_make_tokens_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mirrorcore.interfaces.api.tokens import Tokens;"
        "sys.stdin.readline(); print(Tokens.open(Path(sys.argv[1])).secret('admin'))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = []
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in running:
        out, _ = one.communicate(timeout=30)
        assert one.returncode == 0
        said.append(out)
    assert len(set(said)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


def reach(pid: int) -> Reach:
    return Reach(pid, "run-1", "paper", "http://127.0.0.1:8420", "/x/tokens.json", "2026-01-01")


def test_where_a_swarm_can_be_reached_is_written_and_taken_away(tmp_path: Path) -> None:
    announce(tmp_path, reach(os.getpid()))
    assert mode(tmp_path / "control.json") == 0o600
    assert reach_of(tmp_path) == reach(os.getpid())
    withdraw(tmp_path)
    assert reach_of(tmp_path) is None


def test_another_process_s_reach_is_left_alone(tmp_path: Path) -> None:
    announce(tmp_path, reach(os.getpid() + 1))
    withdraw(tmp_path)
    assert reach_of(tmp_path) == reach(os.getpid() + 1)
    (tmp_path / "control.json").chmod(0o644)
    assert reach_of(tmp_path) is None  # others may have written it
