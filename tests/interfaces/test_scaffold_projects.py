"""``init`` and ``agents new``: what a new user gets works, and what was there stays as it was."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_calls import Caller

from mirrorcore.config import load_config


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def test_a_new_project_runs_and_passes_its_tests(
    call: Caller, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call("init", "mybot", "--json", runs=False)
    assert done.code == 0, done.err
    assert sorted(files_of(here / "mybot")) == [
        ".gitignore",
        "agents/dip_buyer.py",
        "mirrorcore.toml",
        "tests/test_dip_buyer.py",
    ]
    assert done.document["next"][:2] == ["cd mybot", "mirrorcore agents test DipBuyer"]
    monkeypatch.chdir(here / "mybot")
    for form in ("tick", "block"):
        assert call("agents", "new", f"My{form.title()}", "--form", form, runs=False).code == 0
    shown = call("agents", "show", "DipBuyer", "--json", runs=False)
    assert shown.code == 0, shown.err
    assert shown.document["form"] == "guide"
    listed = call("agents", "list", "--json", runs=False).document["agents"]
    assert {"DipBuyer", "MyTick", "MyBlock"} <= {one["id"] for one in listed}
    loaded = load_config("mirrorcore.toml", {})
    assert not loaded.warnings
    assert [entry.id for entry in loaded.config.agent] == [
        "DipBuyer", "MyTick", "MyBlock",
    ]  # fmt: skip
    ran = call("backtest", "-c", "mirrorcore.toml", "--bars", "400", "--no-report", "--json")
    assert ran.code == 0, ran.err
    agents = ran.document["agents"]
    assert agents["DipBuyer"]["forecasts"] > 0
    assert agents["MyBlock"]["failures"] == 0
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
    assert "4 passed" in tests.stdout, "three contracts, and what the agent of the guide thinks"


def test_a_project_of_an_exchange_is_valid_and_its_agent_passes(call: Caller, here: Path) -> None:
    assert call("init", "--template", "crypto", runs=False).code == 0
    config = load_config("mirrorcore.toml", {})
    assert not config.warnings
    assert config.config.market.symbols == ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert call("agents", "test", "agents/dip_buyer.py", runs=False).code == 0


def test_the_test_of_a_new_agent_fails_when_the_agent_is_spoilt(call: Caller, here: Path) -> None:
    assert call("init", runs=False).code == 0
    agent = here / "agents" / "dip_buyer.py"
    agent.write_text(agent.read_text().replace("-0.05 * z", "5.0 * z").replace("min(1.0, ", "("))
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 1
    assert "2 failed" in tests.stdout


def test_a_second_init_changes_nothing(call: Caller, here: Path) -> None:
    assert call("init", runs=False).code == 0
    before = files_of(here)
    again = call("init", runs=False)
    assert again.code == 2
    assert "already; nothing was written" in again.err
    assert files_of(here) == before


def test_what_was_in_the_folder_is_kept(call: Caller, here: Path) -> None:
    (here / ".gitignore").write_text("mine\n")
    done = call("init", "--json", runs=False)
    assert done.code == 0
    assert done.document["kept"] == [".gitignore"]
    assert (here / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_entry_is_added_without_touching_what_is_there(
    call: Caller, here: Path, newline: str
) -> None:
    text = newline.join(["# mine", "seed = 7   # keep", "[market]", "symbols = 2"])
    (here / "mirrorcore.toml").write_bytes(text.encode())  # no newline at its end
    assert call("agents", "new", "GreedyFox", "--form", "block", runs=False).code == 0
    after = (here / "mirrorcore.toml").read_bytes()
    assert after.startswith(text.encode() + newline.encode())
    assert after.count(b"\r\n") == (after.count(b"\n") if newline == "\r\n" else 0)
    assert tomllib.loads(after.decode())["agent"][0]["file"] == "greedy_fox.py"


def test_where_it_cannot_be_added_the_entry_is_shown(call: Caller, here: Path) -> None:
    text = 'agent = [{ id = "Mine", type = "MomentumScout" }]\n'
    (here / "mirrorcore.toml").write_text(text)
    done = call("agents", "new", "GreedyFox", runs=False)
    assert done.code == 0
    assert 'id = "GreedyFox"' in done.out
    assert (here / "mirrorcore.toml").read_text() == text


def test_without_a_configuration_none_is_made(call: Caller, here: Path) -> None:
    done = call("agents", "new", "GreedyFox", runs=False)
    assert done.code == 0
    assert "[[agent]]" in done.out
    assert sorted(files_of(here)) == ["greedy_fox.py", "tests/test_greedy_fox.py"]


@pytest.mark.parametrize(("arguments", "told"), [
    (("agents", "new", "greedy"), "capital first"),
    (("agents", "new", "../Evil"), "cannot name"),
    (("agents", "new", "None"), "cannot name"),
    (("agents", "new", "EgoProcessor"), "agent of the standard swarm"),
    (("agents", "new", "Fox", "--form", "loop"), "guide, tick, block"),
    (("init", "--template", "huge"), "minimal or crypto"),
    (("init", "a_file"), "is a file"),
    (("init", "/proc/mybot"), "/proc/mybot cannot be made"),
    (("init", "x" * 300), "cannot be a folder: File name too long"),
    (("init", "a_file/below"), "a file is in its way"),
])  # fmt: skip
def test_bad_calls_write_nothing(
    call: Caller, here: Path, arguments: tuple[str, ...], told: str
) -> None:
    (here / "a_file").write_text("")
    done = call(*arguments, runs=False)
    assert done.code == 2
    assert told in done.err
    assert sorted(files_of(here)) == ["a_file"]


def test_a_strange_name_is_shown_harmless_and_can_be_typed(call: Caller, here: Path) -> None:
    done = call("init", "a b \x1b[31mred", runs=False)
    assert done.code == 0
    assert "\x1b[31m" not in done.out
    assert "  cd 'a b \u241b[31mred'" in done.out
    again = call("init", "a b \x1b[31mred", runs=False)
    assert again.code == 2
    assert "\x1b[31m" not in again.err
    assert "there already" in again.err


def test_an_id_that_is_taken_and_a_broken_configuration_are_errors(
    call: Caller, here: Path
) -> None:
    config = here / "mirrorcore.toml"
    config.write_text('[[agent]]\nid = "Fox"\ntype = "MomentumScout"\n')
    assert "has an agent Fox already" in call("agents", "new", "Fox", runs=False).err
    config.write_text("[[agent\n")
    broken = call("agents", "new", "Fox", runs=False)
    assert broken.code == 3
    assert "config check" in broken.err
    assert sorted(files_of(here)) == ["mirrorcore.toml"]
