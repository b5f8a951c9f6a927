"""The API of a real paper run over real sockets: roles, commands, views, and what attacks it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_world import HOSTILE, ROLES, LiveSwarm
from prometheus_client.parser import text_string_to_metric_families
from raw_http import Said, ask, connect, read_answer, until

from mirrorcore.interfaces.api.views import VIEWS
from mirrorcore.interfaces.commands import SPECS


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("http")) as world:
        yield world


WITHIN = {"agent": "FearAnalyzer", "id": "D300"}
READS = ["/api/v1/commands", "/api/v1/openapi.json", "/agents/status", "/metrics"] + [
    f"/api/v1/{view.path}" + (f"/{WITHIN[view.within]}" if view.within else "")
    for view in VIEWS
    if view.command != "why"
]
OPEN = ["/", "/healthz", "/readyz", "/version"]
CHANGING = [name for name, spec in SPECS.items() if spec.changes]
ARGS: dict[str, dict[str, Any]] = {
    "adjust_risk": {"name": "gross", "value": 0.5},
    "cancel_order": {"order": "O1"},
    "ack_alert": {"id": 1},
    "annotate": {"text": "x"},
}


def args_of(name: str) -> dict[str, Any]:
    named = [param.name for param in SPECS[name].params if param.required]
    return ARGS.get(name, {"target": "MomentumScout"} if "target" in named else {})


def together(*calls: Callable[[], object], seconds: float = 60) -> None:
    """Each in a thread of its own, all at once."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
        assert not thread.is_alive()


# -- who may


def test_without_a_token_nothing_is_told(swarm: LiveSwarm) -> None:
    for path in [*READS, "/api/v1/why/last", "/api/v1/commands/x"]:
        said = ask(swarm.port, path)
        assert (said.status, said.code) == (401, "unauthenticated"), path
        assert said.headers["www-authenticate"] == "Bearer"
        assert "FearAnalyzer" not in said.body.decode()
    said = ask(swarm.port, "/api/v1/commands", method="POST", body={"name": "emergency_stop"})
    assert said.status == 401
    assert swarm.run.swarm.parts.path.gateway.state.value == "active"


def test_what_is_open_tells_little(swarm: LiveSwarm) -> None:
    for path in OPEN:
        said = ask(swarm.port, path)
        assert said.status == 200, path
        assert swarm.run.folder.id not in said.body.decode()


def test_every_read_is_there_for_a_viewer(swarm: LiveSwarm) -> None:
    for path in READS:
        assert swarm.get(path).status == 200, path


@pytest.mark.parametrize("name", CHANGING)
def test_a_viewer_changes_nothing(swarm: LiveSwarm, name: str) -> None:
    said = swarm.command(name, "viewer", f"v-{name}", **args_of(name))
    assert (said.status, said.code) == (403, "read_only")
    assert said.document["outcome"]["status"] == "rejected"
    assert swarm.run.swarm.parts.path.gateway.state.value == "active"


def test_refused_attempts_are_in_the_journal(swarm: LiveSwarm) -> None:
    ask(swarm.port, "/api/v1/status", token="x" * 43)
    ask(swarm.port, "/api/v1/status", host="evil.example")
    found = swarm.audit()
    codes = {body["code"] for body in found if body.get("event") == "refused"}
    assert {"unauthenticated", "bad_host"} <= codes
    refused = next(body for body in found if body.get("code") == "bad_host")
    assert refused["by"]["address"] == "127.0.0.1"
    assert refused["path"] == "/api/v1/status"
    assert "x" * 43 not in json.dumps(found)


def test_a_role_is_shown_what_it_may(swarm: LiveSwarm) -> None:
    seen = {role: swarm.get("/api/v1/commands", role).document for role in ROLES}
    assert {role: told["role"] for role, told in seen.items()} == {role: role for role in ROLES}
    names = {role: [one["name"] for one in told["commands"]] for role, told in seen.items()}
    assert "emergency_stop" not in names["viewer"]
    assert "emergency_stop" in names["operator"]
    assert names["admin"] == list(SPECS)


# -- commands


def test_a_command_is_done_and_recorded(swarm: LiveSwarm) -> None:
    said = swarm.command("pause_agent", "operator", "p1", target="MeanReverter", _reason="why not")
    assert said.status == 200, said.body
    told = said.document
    assert (told["status"], told["acked"]) == ("done", ["MeanReverter"])
    status = swarm.get("/agents/status?fields=status").document
    assert status["MeanReverter"] == {"status": "paused"}
    record = next(body for body in swarm.audit() if body.get("id") == told["id"])
    assert record["by"] == {
        "name": "operator", "role": "operator", "origin": "http", "address": "127.0.0.1",
    }  # fmt: skip
    assert (record["command"], record["reason"]) == ("pause_agent", "why not")
    again = swarm.get(f"/api/v1/commands/{told['id']}", "operator")
    assert again.document == told
    assert swarm.get(f"/api/v1/commands/{told['id']}", "viewer").status == 404
    assert swarm.command("resume_agent", "operator", "p2", target="MeanReverter").status == 200


def test_the_same_key_is_the_same_command(swarm: LiveSwarm) -> None:
    first = swarm.command("annotate", "operator", "k1", text="once")
    again = swarm.command("annotate", "operator", "k1", text="once")
    assert first.document == again.document
    other = swarm.command("annotate", "operator", "k1", text="twice")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    texts = [
        body["args"].get("text") for body in swarm.audit() if body.get("command") == "annotate"
    ]
    assert texts.count("once") == 1
    assert texts.count("twice") <= 1  # refused, and written down as that


def test_the_same_key_from_two_clients_at_once_is_done_once(swarm: LiveSwarm) -> None:
    said: list[Said] = []
    together(
        *4 * [lambda: said.append(swarm.command("annotate", "operator", "k2", text="at once"))]
    )
    assert len({json.dumps(one.document, sort_keys=True) for one in said}) == 1
    done = [body for body in swarm.audit() if body.get("args", {}).get("text") == "at once"]
    assert len(done) == 1


def test_what_only_reads_is_not_kept(swarm: LiveSwarm) -> None:
    """Or a viewer could fill the memory with pasts of agents."""
    asked = [swarm.command("inspect", "viewer", "r1", agent="FearAnalyzer") for _ in range(2)]
    first, again = (said.document["id"] for said in asked)
    assert first != again
    assert swarm.get(f"/api/v1/commands/{first}", "admin").status == 404


def test_a_change_needs_a_key_and_a_stop_does_not(swarm: LiveSwarm) -> None:
    said = swarm.command("annotate", text="x")
    assert (said.status, said.code) == (400, "idempotency_key_required")
    assert swarm.command("emergency_stop", _dry_run=True).status == 200


def test_what_is_dangerous_has_to_be_confirmed(swarm: LiveSwarm) -> None:
    said = swarm.command("restart_agent", "operator", "c1", target="MeanReverter")
    assert (said.status, said.code) == (428, "confirm_required")
    token = said.document["confirm"]
    assert said.document["targets"] == ["MeanReverter"]
    other = swarm.command("restart_agent", "operator", "c2", target="MomentumScout", _confirm=token)
    assert other.status == 428
    token = swarm.command("restart_agent", "operator", "c3", target="MeanReverter").document[
        "confirm"
    ]
    stolen = swarm.command("restart_agent", "admin", "c4", target="MeanReverter", _confirm=token)
    assert stolen.status == 428  # a token is its caller's alone, and gone when it was tried
    token = swarm.command("restart_agent", "operator", "c5", target="MeanReverter").document[
        "confirm"
    ]
    done = swarm.command("restart_agent", "operator", "c6", target="MeanReverter", _confirm=token)
    assert done.status == 200, done.body


@pytest.mark.parametrize(
    ("name", "args", "status", "code"),
    [
        ("no_such", {}, 404, "unknown_command"),
        ("pause_agent", {}, 400, "bad_args"),
        ("pause_agent", {"target": "Nobody"}, 404, "unknown_agent"),
        ("pause_agent", {"target": "x" * 2001}, 400, "bad_args"),
        ("inspect", {"agent": HOSTILE}, 404, "unknown_agent"),
        ("orders", {"limit": 0}, 422, "out_of_bounds"),
        ("orders", {"limit": "many"}, 400, "bad_args"),
        ("adjust_risk", {"name": "gross", "value": 1e5}, 422, "exceeds_hard_limit"),
        ("cancel_order", {"order": "O999"}, 404, "not_found"),
        ("emergency_stop", {"level": "everything"}, 400, "bad_args"),
        ("resume_trading", {}, 409, "conflict"),
    ],
)
def test_every_error_says_what_is_wrong(
    swarm: LiveSwarm, name: str, args: dict[str, Any], status: int, code: str
) -> None:
    said = swarm.command(name, "operator", f"e-{name}-{code}", **args)
    assert (said.status, said.code) == (status, code), said.body
    assert said.headers["content-type"] == "application/problem+json"
    assert said.document["title"]
    assert said.document["detail"]
    assert b"<" not in said.body


def test_a_door_says_who_it_is(swarm: LiveSwarm) -> None:
    said = swarm.command("annotate", "operator", "d1", {"x_mirrorcore_door": "console"}, text="a")
    own = f"http://127.0.0.1:{swarm.port}"
    page = swarm.command("annotate", "operator", "d2", {"origin": own}, text="b")
    odd = swarm.command("annotate", "operator", "d3", {"x_mirrorcore_door": "root"}, text="c")
    origins = {body["id"]: body["by"]["origin"] for body in swarm.audit() if "command" in body}
    told = [origins[one.document["id"]] for one in (said, page, odd)]
    assert told == ["console", "web", "http"]


def test_a_flood_is_limited_and_never_delays_a_stop(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as swarm:
        said: list[Said] = []

        def hurry(mine: int) -> None:
            for n in range(10):
                said.append(swarm.at_once("annotate", "operator", f"f{mine}-{n}", text="x"))

        together(*(lambda mine=mine: hurry(mine) for mine in range(8)))
        limited = [one for one in said if one.status == 429]
        assert len(limited) >= 5
        assert int(limited[0].headers["retry-after"]) >= 1
        assert limited[0].code == "rate_limited"
        stops = [swarm.at_once("emergency_stop", _reason="flooded") for _ in range(20)]
        assert {one.status for one in stops} == {200}
        assert swarm.run.swarm.parts.path.gateway.state.value == "halted"
        assert "mcx_estop_ack_seconds " in swarm.get("/metrics").body.decode()
        ready = ask(swarm.port, "/readyz")
        assert (ready.status, ready.document) == (503, {"ready": False})
        known = until(lambda: (s := swarm.get("/readyz")).status == 503 and s)
        assert "gateway_halted" in known.document["reasons"]
        told = until(lambda: (s := swarm.get("/api/v1/status")).status == 200 and s.document)
        assert told["result"]["gateway"] == "halted"


# -- what is read


def test_views_are_the_commands_answers(swarm: LiveSwarm) -> None:
    for view in VIEWS:
        if view.within or view.command in {"audit", "health", "flow", "status", "agents"}:
            continue
        told = until(
            lambda view=view: (
                (a := swarm.get(f"/api/v1/{view.path}").document)
                and (b := swarm.command(view.command, "viewer").document)
                and a["tick"] == b["tick"]
                and (a["result"], b["result"])
            )
        )
        assert told[0] == told[1], view


def test_a_view_takes_its_command_s_parameters(swarm: LiveSwarm) -> None:
    told = swarm.get("/api/v1/agents/FearAnalyzer?history=2").document["result"]
    assert told["row"]["id"] == "FearAnalyzer"
    for wrong in ("history=0", "history=x", "more=1", "history=1&history=2"):
        said = swarm.get(f"/api/v1/agents/FearAnalyzer?{wrong}")
        assert said.code in {"bad_args", "out_of_bounds"}, wrong
    rows = swarm.get("/api/v1/agents?target=kind%3Afear_analyzer").document["result"]["agents"]
    assert [row["id"] for row in rows] == ["FearAnalyzer"]


def test_the_guide_s_status_is_paged_filtered_and_marked(swarm: LiveSwarm) -> None:
    names = [member.agent_id for member in swarm.run.swarm.members]
    whole = swarm.get("/agents/status")
    assert list(whole.document) == names
    assert whole.document["Rude"]["status"] in {"isolated", "probing", "running", "failed"}
    pages: list[str] = []
    cursor = ""
    while True:
        said = swarm.get("/agents/status?limit=7" + (f"&cursor={cursor}" if cursor else ""))
        pages += list(said.document)
        cursor = said.headers.get("x-next-cursor", "")
        if not cursor:
            break
    assert pages == names
    only = swarm.get("/agents/status?kind=fear_analyzer&fields=health,status").document
    assert list(only) == ["FearAnalyzer"]
    assert list(only["FearAnalyzer"]) == ["health", "status"]
    for wrong in ("fields=secret", "limit=0", "limit=1001", "limit=x", "cursor=nobody", "a=b"):
        assert swarm.get(f"/agents/status?{wrong}").code == "bad_args"


def test_what_has_not_changed_is_not_sent_again(swarm: LiveSwarm) -> None:
    def unchanged() -> bool:
        tag = swarm.get("/agents/status?fields=kind").headers["etag"]
        said = swarm.get("/agents/status?fields=kind", if_none_match=tag)
        return said.status == 304 and said.body == b""

    until(unchanged)
    assert swarm.get("/agents/status?fields=kind", if_none_match='"other"').status == 200


def test_figures_for_prometheus_are_those_of_the_run(swarm: LiveSwarm) -> None:
    def told() -> dict[str, float]:
        families = text_string_to_metric_families(swarm.get("/metrics").body.decode())
        return {
            sample.name + "".join(f"{{{v}}}" for v in sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    def same() -> Any:
        before = swarm.get("/api/v1/status").document["result"]
        found = told()
        after = swarm.get("/api/v1/status").document["result"]
        return before["ticks"] == after["ticks"] and (before, found)

    swarm.command("help", "viewer")
    status, found = until(same)
    assert found["mcx_equity"] == status["equity"]
    assert found["mcx_drawdown_ratio"] == status["drawdown"]
    assert found["mcx_agents{running}"] == status["agents"]["running"]
    assert found["mcx_fills_total"] == status["fills"]
    assert found["mcx_ticks_total"] == status["ticks"]
    assert sum(v for k, v in found.items() if k.startswith("mcx_agents{")) == len(
        swarm.run.swarm.members
    )
    assert found["mcx_loop_lag_seconds"] < 5
    assert found["mcx_commands_total{help}{http}{done}"] > 0
    assert not any("FearAnalyzer" in key for key in found)


def test_it_says_how_it_is(swarm: LiveSwarm) -> None:
    assert ask(swarm.port, "/healthz").document == {"status": "ok"}
    assert ask(swarm.port, "/version").document["api"] == "v1"
    assert swarm.get("/readyz").document["reasons"] == []


# -- attacks


TRICKS = [
    "/../tokens.json", "/..%2ftokens.json", "/%2e%2e/%2e%2e/tokens.json", "/....//tokens.json",
    "/assets/../../tokens.json", "/assets/..%5c..%5ctokens.json", "//etc/passwd", "///etc/passwd",
    "/etc/passwd", "/file:///etc/passwd", "/%00", "/index.html%00.js", "/.stamp", "/run.json",
    "/control.json", "/journal.sqlite", "/api/v1/../../tokens.json", "/api/v1/agents/../../tokens",
    "/index.html/", "/INDEX.HTML", "/api/v2/status", "/docs", "/redoc", "/openapi.json", "/*",
    "/%c0%ae%c0%ae/tokens.json", "/%ff%fe", "/a" * 500, "/static/../page.py", "/page.py",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_leads_elsewhere(swarm: LiveSwarm, path: str) -> None:
    for token in ("", swarm.token("viewer")):
        said = ask(swarm.port, path, token=token)
        assert said.status in {400, 401, 404, 405}, path
        assert b"root:" not in said.body
        assert swarm.token("admin").encode() not in said.body
        assert said.headers.get("content-type", "").startswith(
            ("application/problem", "text/plain")
        )


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "CONNECT"]
)
def test_no_other_method_does_anything(swarm: LiveSwarm, method: str) -> None:
    for path in ("/api/v1/commands", "/api/v1/status", "/"):
        with connect(swarm.port) as sock:
            sock.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{swarm.port}\r\n"
                f"Content-Type: application/json\r\nConnection: close\r\n\r\n".encode()
            )
            data = sock.recv(65536)
        status = int(data.split()[1])
        assert status in {400, 401, 404, 405}, (method, path)
        assert b"access-control-allow" not in data.lower()


def test_hostile_text_is_json_and_nothing_else_wherever_it_is_shown(swarm: LiveSwarm) -> None:
    text = HOSTILE.replace("\0", "")
    assert swarm.command("annotate", "operator", "h1", text=text, _reason=text).status == 200
    until(lambda: "onerror" in swarm.get("/api/v1/agents/Rude").body.decode())
    shown = 0
    for path in [*READS, f"/api/v1/agents/{'%3Cscript%3E'}", "/api/v1/commands/%3Cscript%3E"]:
        said = swarm.get(path)
        kind = said.headers["content-type"]
        assert said.headers["x-content-type-options"] == "nosniff"
        if path == "/metrics":
            assert kind.startswith("text/plain")
            assert b"onerror" not in said.body
            continue
        assert kind in {"application/json", "application/problem+json"}
        json.loads(said.body)
        assert b"<" not in said.body, path
        assert b"\x1b" not in said.body, path
        shown += b"onerror" in said.body
    assert shown >= 3  # the agent's last error, the audit, the agent itself


def test_no_secret_is_anywhere(swarm: LiveSwarm) -> None:
    secrets = [swarm.token(role).encode() for role in ROLES]
    for path in [*READS, *OPEN]:
        said = swarm.get(path, "admin")
        whole = said.body + str(said.headers).encode()
        assert not any(secret in whole for secret in secrets), path
    # By another process: who closes a file that SQLite has open takes away its locks.
    code = (
        "import sys; from pathlib import Path; "
        "files = [p for p in Path(sys.argv[1]).rglob('*') if p.is_file()]; "
        "print([str(p) for p in files for s in sys.argv[2:] if s.encode() in p.read_bytes()])"
    )
    given = [sys.executable, "-c", code, str(swarm.folder), *(s.decode() for s in secrets)]
    found = subprocess.run(given, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"
    assert not any(secret.decode() in line for secret in secrets for line in swarm.said)


def test_guessing_tokens_is_limited(tmp_path: Path) -> None:
    with LiveSwarm(tmp_path) as swarm:
        told = [ask(swarm.port, "/api/v1/status", token="g" * 43).status for _ in range(15)]
        assert told == [401] * 10 + [429] * 5
        assert swarm.get("/api/v1/status").status == 200  # who has one is not kept out
        assert swarm.command("emergency_stop").status == 200


def test_a_stop_needs_no_second_longer_with_a_thousand_connections(swarm: LiveSwarm) -> None:
    idle = [connect(swarm.port) for _ in range(300)]
    try:
        for one in idle[::3]:
            one.sendall(b"POST /api/v1/commands HTTP/1.1\r\nContent-Length: 5\r\n")
        said = swarm.command("emergency_stop", _dry_run=True)
        assert said.status == 200
    finally:
        for one in idle:
            one.close()


def test_a_form_of_another_page_stops_nothing(swarm: LiveSwarm) -> None:
    """A page of somebody else has no token; and if it had one, the browser would give it away."""
    body = json.dumps({"name": "emergency_stop"})
    for headers in (
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"cookie": f"token={swarm.token()}"},
    ):
        token = "" if "cookie" in headers else swarm.token()
        said = ask(swarm.port, "/api/v1/commands", method="POST", body=body, token=token, **headers)
        assert said.status in {401, 403, 415}, headers
    assert swarm.run.swarm.parts.path.gateway.state.value == "active"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("DELETE", "/api/v1/status", "GET"), ("POST", "/api/v1/status", "GET"),
     ("PUT", "/api/v1/commands", "POST")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["", "text/plain", "application/json"])
def test_a_method_that_is_not_taken_is_told_whatever_the_body_is_said_to_be(
    swarm: LiveSwarm, method: str, path: str, allow: str, kind: str
) -> None:
    headers = {"content_type": kind} if kind else {}
    said = ask(swarm.port, path, method=method, token=swarm.token(), **headers)
    assert (said.status, said.code) == (405, "method_not_allowed")
    assert allow in said.headers["allow"]


def test_one_why_at_a_time(swarm: LiveSwarm) -> None:
    """Each is a process of its own; a viewer must not be able to start a hundred."""
    said: list[int] = []
    together(
        *5 * [lambda: said.append(swarm.get("/api/v1/why/last", timeout=90).status)], seconds=100
    )
    assert said.count(429) == 4, said


def test_nothing_of_it_troubled_the_run(swarm: LiveSwarm) -> None:
    assert [w for w in swarm.run.warnings if "web server" in w] == []
    with connect(swarm.port) as sock:
        sock.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{swarm.port}\r\n\r\n".encode())
        assert read_answer(sock).status == 200
