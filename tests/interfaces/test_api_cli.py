"""The server as a user meets it: ``run`` and ``token`` in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_world import LiveSwarm
from command_calls import PROGRAM, Caller, in_terminal
from raw_http import ask, until

from mirrorcore.errors import RefusedError
from mirrorcore.interfaces.api import serving
from mirrorcore.interfaces.api.listening import bind
from mirrorcore.interfaces.api.tokens import Tokens

SWARM = ("run", "--symbols", "2", "--warmup", "1d", "--bars", "90000", "--speed", "3000")


@contextmanager
def running(runs: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A swarm in a process of its own, and what its control.json says."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *SWARM, "--runs", str(runs), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        found = until(lambda: list(runs.glob("*/control.json")), 60)
        yield process, json.loads(found[0].read_text())
    finally:
        process.kill()
        process.communicate()


def test_a_run_is_served_and_says_where(tmp_path: Path, call: Caller) -> None:
    with running(call.runs, "--port", "0") as (process, reach):
        port = int(reach["url"].rpartition(":")[2])
        assert reach["pid"] == process.pid
        assert reach["tokens"] == str(call.runs / "tokens.json")
        token = Tokens.open(call.runs).secret("viewer")
        status = until(
            lambda: (
                (said := ask(port, "/api/v1/status", token=token)).status == 200
                and said.document["result"]["ticks"]
                and said.document
            ),
            60,
        )
        assert status["result"]["run"] == reach["run"]
        shown = call("token", "show", "--role", "viewer", "--json").document
        assert shown["tokens"] == {"viewer": token}
        assert shown["running"] == [reach["url"]]
        assert f"{reach['url']}/#t={token}" in call("token", "show", "--role", "viewer").out
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert f"Dashboard  http://127.0.0.1:{port}/  (" in out
    # What is piped may be kept: a token belongs on a screen alone.
    assert not any(Tokens.open(call.runs).secret(role) in out for role in ("viewer", "operator"))
    assert "#t=" not in out
    assert not list(call.runs.glob("*/control.json"))


def test_on_a_screen_the_address_carries_the_operator_s_token(tmp_path: Path) -> None:
    child = in_terminal(*SWARM, "--runs", str(tmp_path), "--port", "0", columns=150)
    child.expect(r"Dashboard  http://127\.0\.0\.1:\d+/#t=([\w-]{43})")
    assert child.match[1] == Tokens.open(tmp_path).secret("operator")
    child.expect("MomentumScout")  # before its first tick there is nothing to report
    child.sendintr()
    child.expect("Report")
    child.close(force=True)


def test_new_tokens_by_the_command_line_shut_out_a_running_page(call: Caller) -> None:
    with LiveSwarm(call.runs.parent) as swarm:
        old = swarm.token("operator")
        assert ask(swarm.port, "/api/v1/status", token=old).status == 200
        assert call("token", "rotate", "--role", "operator").code == 0
        assert ask(swarm.port, "/api/v1/status", token=old).status == 401
        assert swarm.get("/api/v1/status", "operator").status == 200


def test_a_role_that_is_none_is_refused(call: Caller) -> None:
    said = call("token", "show", "--role", "root")
    assert said.code == 2
    assert "viewer, operator, admin" in said.err


def test_no_dashboard_is_no_server(call: Caller) -> None:
    said = call("run", "--symbols", "2", "--warmup", "1d", "--seconds", "1", "--no-dashboard")
    assert said.code == 0
    assert "Dashboard" not in said.out + said.err
    assert not (call.runs / "tokens.json").exists()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with LiveSwarm(tmp_path, web__port=port) as swarm:
            assert port < swarm.port < port + 50
            assert f"port {port} is taken, {swarm.port} is free" in swarm.said


def quick(tmp_path: Path, **settings: Any) -> tuple[str, list[str]]:
    """How a short run ended, and what was said of its dashboard."""
    from mirrorcore.config import load_config
    from mirrorcore.swarm.paper import run_paper

    given = {
        "market.symbols": 2, "market.bars": 310, "paper.warmup": "1d", "paper.speed": 1e6,
        "web.port": 0, "storage.runs": str(tmp_path / "runs"), **settings,
    }  # fmt: skip
    config = load_config(None, {}, list(given.items())).config
    said: list[str] = []
    outcome = run_paper(config, attach=serving.served(config.web, said.append))
    return outcome.results.identity.status, said


def test_without_the_extra_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, said = quick(tmp_path)
    assert status == "finished"
    assert said == [
        "no dashboard: uvicorn is not installed; pip install 'mirrorcore-x[web]' brings it"
    ]


def test_with_tokens_others_may_read_the_run_goes_on(tmp_path: Path) -> None:
    Tokens.open(tmp_path / "runs").path.chmod(0o644)
    status, said = quick(tmp_path)
    assert status == "finished"
    assert len(said) == 1
    assert "may be read by others" in said[0]
    assert "mirrorcore token rotate" in said[0]


def test_an_address_that_cannot_be_listened_on_leaves_the_run_alone(tmp_path: Path) -> None:
    status, said = quick(tmp_path, **{"web.host": "203.0.113.1", "web.behind_proxy": True})
    assert status == "finished"
    assert said[0].startswith("no dashboard: 203.0.113.1")


def test_an_address_others_can_reach_keeps_a_run_from_starting(
    tmp_path: Path, call: Caller
) -> None:
    file = tmp_path / "open.toml"
    file.write_text('[web]\nhost = "0.0.0.0"\n', encoding="utf-8")
    said = call("run", "--config", str(file))
    assert said.code == 3
    assert "web.behind_proxy = true" in said.err
    assert call.made() == []
    from mirrorcore.config.model import WebConfig

    with pytest.raises(RefusedError, match="can be reached from other machines"):
        serving.served(WebConfig(host="0.0.0.0"), print)


def test_a_run_is_the_same_with_and_without_a_server(tmp_path: Path, call: Caller) -> None:
    more = ("--symbols", "2", "--warmup", "1d", "--bars", "310", "--speed", "1000000", "--json")
    marks = [
        call("run", *more, flag, "--port", "0").document["fingerprint"]
        for flag in ("--dashboard", "--no-dashboard")
    ]
    assert marks[0] == marks[1]
