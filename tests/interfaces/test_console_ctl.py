"""``mirrorcore ctl``: one command for a swarm that runs elsewhere, and how its end is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_calls import Caller, plain
from console_world import TOKENS, Served, announce, piped, served, spawn

from mirrorcore.interfaces.attaching import attach
from mirrorcore.interfaces.commands.failures import HTTP
from mirrorcore.interfaces.console.doors import RemoteDoor
from mirrorcore.interfaces.console.reading import Request
from mirrorcore.interfaces.console.telling import exit_code_of
from mirrorcore.journal import RunRegistry


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("ctl")) as found:
        yield found


@pytest.fixture
def ctl(call: Caller, swarm: Served) -> Caller:
    call.runs = swarm.runs
    return call


@pytest.mark.parametrize("line", [
    "statsu", "orders limit=many", "pause_agent", "adjust_risk colour 1", "adjust_risk gross 0",
    "inspect Nobody", "exit NO/ONE",
])  # fmt: skip
def test_a_refusal_is_the_same_whichever_door(ctl: Caller, swarm: Served, line: str) -> None:
    """The code and the status of what HTTP answers, also of what the line itself refuses."""
    name, *rest = line.split()
    names = {"orders": [], "adjust_risk": ["name", "value"], "inspect": ["agent"],
             "exit": ["target"]}  # fmt: skip
    args = dict(zip(names.get(name, ()), rest, strict=False))
    args |= dict([rest[0].split("=")] if name == "orders" else [])
    by_http = RemoteDoor(attach(swarm.runs, swarm.run_id), "operator").call_now(Request(name, args))
    by_ctl = ctl("ctl", *line.split(), "--json")
    script = f"{line}\n"
    by_console = json.loads(piped(swarm, script, "--json").stdout)
    expected = (by_http["status"], by_http["error"]["code"], by_http["error"]["http"])
    for told in (by_ctl.document, by_console):
        assert (told["status"], told["error"]["code"], told["error"]["http"]) == expected, told
        assert told.keys() == by_http.keys()
        assert told["name"] == name
    assert by_ctl.code == exit_code_of(by_http)


def test_a_role_that_may_not_is_refused_as_the_swarm_refuses_it(ctl: Caller) -> None:
    done = ctl("ctl", "pause_agent", "MomentumScout", "--role", "viewer", "--json")
    assert done.code == 6
    assert (done.document["status"], done.document["error"]["code"]) == ("rejected", "read_only")


def state(swarm: Served, agent: str) -> str:
    return str(swarm.swarm.run.swarm.parts.bus.status(agent))


def test_reading_shows_what_the_registry_says(ctl: Caller, swarm: Served) -> None:
    done = ctl("ctl", "status", "--json")
    assert done.code == 0, done.err
    assert done.document["name"] == "status"
    assert done.document["result"]["run"] == swarm.run_id
    shown = ctl("ctl", "agents")
    assert "MomentumScout" in shown.out
    assert "health" in shown.out


def test_a_paused_agent_is_paused_and_the_record_says_by_whom(ctl: Caller, swarm: Served) -> None:
    done = ctl("ctl", "pause_agent", "MomentumScout", "--reason", "it is loud", "--json")
    assert done.code == 0, done.err
    assert done.document["acked"] == ["MomentumScout"]
    assert state(swarm, "MomentumScout") == "paused"
    newest = ctl("ctl", "audit", "--limit", "1", "--json").document["result"]
    text = json.dumps(newest)
    assert "it is loud" in text
    assert '"origin": "console"' in text
    assert ctl("ctl", "resume_agent", "target=MomentumScout").code == 0
    assert state(swarm, "MomentumScout") != "paused"


def test_every_call_has_a_key_of_its_own(ctl: Caller, swarm: Served) -> None:
    before = len(swarm.asked)
    for _ in range(2):
        assert ctl("ctl", "annotate", "twice").code == 0
    keys = [headers["Idempotency-Key"] for method, _, headers, _ in swarm.asked[before:]
            if method == "POST"]  # fmt: skip
    assert len(keys) == len({*keys}) == 2


def test_what_has_to_be_confirmed_is_refused_without_a_person(ctl: Caller, swarm: Served) -> None:
    done = ctl("ctl", "isolate_agent", "DataSentry")
    assert done.code == 6
    assert "--yes confirms it" in done.err
    assert state(swarm, "DataSentry") != "isolated"
    as_json = ctl("ctl", "isolate_agent", "DataSentry", "--json")
    assert as_json.code == 6
    assert as_json.document["error"]["code"] == "confirm_required"
    assert as_json.document["error"]["targets"] == ["DataSentry"]


def test_yes_confirms(ctl: Caller, swarm: Served) -> None:
    done = ctl("ctl", "restart_agent", "DataSentry", "--yes")
    assert done.code == 0, done.err
    assert "1 of 1 acknowledged" in done.out


@pytest.mark.parametrize(("answer", "code", "says"), [
    ("n", 1, "not confirmed; nothing was changed"),
    ("y", 0, "1 of 1 acknowledged"),
])  # fmt: skip
def test_a_person_is_asked(
    swarm: Served, tmp_path: Path, answer: str, code: int, says: str
) -> None:
    child = spawn("ctl", "restart_agent", "FlowReader", "--runs", str(swarm.runs), home=tmp_path)
    child.expect("Go on")
    assert "FlowReader" in child.before
    child.sendline(answer)
    child.expect(child_end())
    child.close()
    assert says in plain(child.before)
    assert child.exitstatus == code


def child_end() -> object:
    import pexpect

    return pexpect.EOF


def test_dry_run_changes_nothing(ctl: Caller, swarm: Served) -> None:
    done = ctl("ctl", "pause_agent", "kind:momentum_scout", "--dry-run", "--json")
    assert done.code == 0
    assert done.document["status"] == "dry_run"
    assert done.document["result"]["targets"] == ["MomentumScout"]
    assert state(swarm, "MomentumScout") != "paused"


@pytest.mark.parametrize(("arguments", "code", "says"), [
    ((), 2, "no command was given"),
    (("stauts",), 2, "did you mean status"),
    (("pause_agent",), 2, "needs target"),
    (("pause_agent", "NoSuch"), 2, "no agent 'NoSuch'"),
    (("pause_agent", "MomentumScout", "--colour", "red"), 2, "has no argument"),
    (("adjust_risk", "gross", "1000"), 6, "→"),
    (("inspect", "MomentumScout", "history=9999"), 2, "at most 500"),
    (("adjust_risk", "gross", "-1"), 2, "value was -1, must be at least 0"),
    (("cancel_order", "O999999"), 2, "O999999"),
    (("pause_agent", "MomentumScout", "--role", "viewer"), 6, "the role operator"),
    (("emergency_stop", "--role", "viewer"), 6, "needs the role operator"),
    (("status", "--role", "boss"), 2, "must be viewer, operator, admin"),
    (("status", "--token", "wrong"), 6, "no such token"),
    (("status", "--token", "@/nowhere"), 1, "cannot be read"),
    (("status", "--url", "ftp://x"), 2, "must be as http://"),
    (("status", "--url", "http://127.0.0.1:1"), 2, "--url needs a --token"),
    (("status", "--run", "nonsense"), 2, "nonsense"),
])  # fmt: skip
def test_refusals_are_told_and_have_their_exit_codes(
    ctl: Caller, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = ctl("ctl", *arguments)
    assert done.code == code, done.err
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_stop_of_a_viewer_was_no_stop(swarm: Served) -> None:
    assert swarm.swarm.run.swarm.parts.path.gateway.latched is None
    assert not (swarm.folder / "STOP").exists()


def test_every_code_of_the_registry_has_an_exit_code() -> None:
    for code, http in HTTP.items():
        found = exit_code_of({"status": "failed", "error": {"code": code, "http": http}})
        assert found in (1, 2, 4, 6)
        assert found != 0


def test_another_swarm_by_its_address(ctl: Caller, swarm: Served, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(TOKENS["viewer"] + "\n")
    done = ctl(
        "ctl", "status", "--url", swarm.url + "/", "--token", f"@{secret}", "--role", "viewer",
        "--json", runs=False,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.document["result"]["run"] == swarm.run_id


def test_help_says_what_there_is(ctl: Caller) -> None:
    everything = ctl("ctl", "help")
    assert everything.code == 0
    assert "pause_agent TARGET" in everything.out
    one = ctl("ctl", "help", "adjust_risk")
    assert "gross or net" in one.out
    assert "confirm" in one.out
    assert ctl("ctl", "help", "--json").document["commands"][0]["name"]


def test_nothing_is_typed_into_the_void(call: Caller, tmp_path: Path) -> None:
    done = call("ctl", "status")
    assert done.code == 1
    assert "no swarm runs in" in done.err
    folder = RunRegistry(call.runs).create("paper", {}, run_id="quiet")
    bare = call("ctl", "status")
    assert bare.code == 1
    assert "without its server" in bare.err
    assert "an emergency_stop works all the same" in bare.err
    announce(folder.path, call.runs, "http://127.0.0.1:9")
    dead = call("ctl", "status", "--json")
    assert dead.code == 1
    assert "does not answer at http://127.0.0.1:9" in dead.document["error"]["message"]
    folder.release()


def test_of_two_swarms_one_has_to_be_named(ctl: Caller, swarm: Served) -> None:
    other = RunRegistry(swarm.runs).create("paper", {}, run_id="other")
    try:
        done = ctl("ctl", "status")
        assert done.code == 1
        assert "2 swarms run" in done.err
        assert swarm.run_id in done.err
        assert ctl("ctl", "status", "--run", swarm.run_id).code == 0
    finally:
        other.release()
