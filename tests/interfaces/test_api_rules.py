"""The rules of the server that need no server: names, rates, forms, files of the page."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import SECOND
from mirrorcore.config import load_config
from mirrorcore.errors import ConfigError
from mirrorcore.interfaces.api import live_routes, pulse
from mirrorcore.interfaces.api.allowance import Buckets, Window
from mirrorcore.interfaces.api.command_routes import Outcomes, parse, problem_of
from mirrorcore.interfaces.api.connections import Connections
from mirrorcore.interfaces.api.doorkeeper import Doorkeeper, plain
from mirrorcore.interfaces.api.origins import Names, reached_at
from mirrorcore.interfaces.api.page import INDEX, read_page
from mirrorcore.interfaces.api.problems import Problem, encode
from mirrorcore.interfaces.live.hub import Hub
from mirrorcore.trading.gateway import Gateway


class Time:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    time = Time()
    bucket = Buckets(5, 10, now=time)
    assert [bucket.take("a") for _ in range(10)] == [0.0] * 10
    assert bucket.take("a") == pytest.approx(0.2)
    assert bucket.take("b") == 0.0  # another token has a bucket of its own
    time.pass_(0.2)
    assert bucket.take("a") == 0.0
    assert bucket.take("a") > 0
    time.pass_(1000)
    assert [bucket.take("a") for _ in range(11)].count(0.0) == 10


def test_a_window_counts_any_minute() -> None:
    time = Time()
    window = Window(10, 60, now=time)
    for _ in range(10):
        assert window.admit("a") == 0.0
        time.pass_(1)
    assert window.admit("a") == pytest.approx(50)
    assert window.admit("b") == 0.0
    time.pass_(50)
    assert window.admit("a") == 0.0
    assert window.admit("a") > 0


def test_the_memory_of_addresses_is_bounded() -> None:
    window, bucket = Window(10, 60, most=50, now=Time()), Buckets(1, 1, most=50, now=Time())
    for number in range(10_000):
        window.admit(str(number))
        bucket.take(str(number))
    assert len(window._seen) == 50
    assert len(bucket._left) == 50


class Known:
    def role_of(self, given: str) -> str | None:
        return {"v": "viewer", "o": "operator", "a": "admin"}.get(given)


@pytest.fixture
def written() -> list[Any]:
    return []


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def door(written: list[Any], time: Time) -> Doorkeeper:
    return Doorkeeper(Known(), written.append, now=time)


def code(call: Any, *arguments: Any, **named: Any) -> str:
    try:
        call(*arguments, **named)
    except Problem as problem:
        return problem.code
    return ""


def test_only_bearers_of_a_token_have_a_role(door: Doorkeeper) -> None:
    assert door.role("Bearer v", "x") == "viewer"
    assert door.role("bearer  o", "x") == "operator"
    for wrong in ("", "v", "Basic v", "Bearer", "Bearer x", "Bearer v v"):
        assert code(door.role, wrong, "x") == "unauthenticated"


def test_a_role_may_do_what_lower_ones_may_and_no_more(door: Doorkeeper) -> None:
    order = {"v": 0, "o": 1, "a": 2}
    for token, height in order.items():
        for depth, needed in enumerate(("viewer", "operator", "admin")):
            told = code(door.role, f"Bearer {token}", "x", needed)
            assert told == ("" if height >= depth else "read_only")


def test_guessing_is_limited_and_a_right_token_never(door: Doorkeeper, time: Time) -> None:
    told = [code(door.role, f"Bearer guess{n}", "1.2.3.4") for n in range(12)]
    assert told == ["unauthenticated"] * 10 + ["rate_limited"] * 2
    assert door.role("Bearer o", "1.2.3.4") == "operator"
    assert code(door.role, "Bearer guess", "5.6.7.8") == "unauthenticated"
    time.pass_(61)
    assert code(door.role, "Bearer guess", "1.2.3.4") == "unauthenticated"


def test_what_is_refused_is_written_down_but_not_without_end(
    door: Doorkeeper, written: list[Any], time: Time
) -> None:
    for _ in range(500):
        door.refused("1.2.3.4\x1b[2J", Problem(421, "bad_host", ""), "/\n" + "x" * 5000)
    assert len(written) == 60
    assert door.refusals["bad_host"] == 500
    assert written[0]["address"] == "1.2.3.4\ufffd[2J"
    assert len(written[0]["path"]) == 200
    time.pass_(60)
    door.refused("1.2.3.4", Problem(403, "bad_origin", ""), "/")
    door.refused("1.2.3.4", Problem(404, "not_found", ""), "/")  # a typing error is no attack
    assert len(written) == 61


NAMES = Names.of("127.0.0.1", 8420, ["dash.example.org"])


def judged(host: Any = "127.0.0.1:8420", origin: Any = (), site: str = "", **more: Any) -> str:
    hosts = [host] if isinstance(host, str) else host
    origins = [origin] if isinstance(origin, str) else origin
    return code(NAMES.check, hosts, origins, site, **{"navigates": False, **more})


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8420", "localhost:8420", "LOCALHOST:8420", "[::1]:8420", "dash.example.org"]
)
def test_own_names_are_answered(host: str) -> None:
    assert judged(host) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8420", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8420.evil",
        "localhost", "127.0.0.1:8420@evil", "2130706433:8420", "0.0.0.0:8420", "", [], "[::1]",
        ["127.0.0.1:8420", "127.0.0.1:8420"], "dash.example.org.evil", "127.0.0.1:8420,evil",
    ],
)  # fmt: skip
def test_foreign_names_are_not(host: Any) -> None:
    assert judged(host) == "bad_host"


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8420", "http://localhost:8420", "https://dash.example.org"]
)
def test_own_pages_may_ask(origin: str) -> None:
    assert judged(origin=origin) == ""


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "https://127.0.0.1:8420", "http://127.0.0.1",
        "http://127.0.0.1:8421", "http://127.0.0.1:8420.evil.example", "file://", "",
        ["http://127.0.0.1:8420", "http://evil.example"], "http://127.0.0.1:8420/",
    ],
)  # fmt: skip
def test_other_pages_may_not(origin: Any) -> None:
    assert judged(origin=origin) == "bad_origin"


def test_a_browser_that_says_cross_site_is_believed() -> None:
    assert judged(site="cross-site") == "bad_origin"
    assert judged(site="same-site") == "bad_origin"
    assert judged(site="cross-site", navigates=True) == ""
    assert judged(site="same-origin") == ""
    assert judged(site="none") == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", "10.0.0.1"])
def test_an_address_others_can_reach_is_refused(tmp_path: Path, host: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f'[web]\nhost = "{host}"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        load_config(file, {})
    for more in ("behind_proxy = true", "enabled = false"):
        file.write_text(f'[web]\nhost = "{host}"\n{more}\n', encoding="utf-8")
        assert load_config(file, {}).config.web.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_s_own_addresses_are_not(tmp_path: Path, host: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f'[web]\nhost = "{host}"\n', encoding="utf-8")
    assert load_config(file, {}).config.web.host == host


def test_a_server_for_all_addresses_is_reached_at_this_machine_s_own() -> None:
    assert reached_at("0.0.0.0") == "127.0.0.1"
    assert reached_at("::") == "[::1]"
    assert reached_at("192.168.1.5") == "192.168.1.5"
    assert "0.0.0.0:8420" not in Names.of("0.0.0.0", 8420).hosts
    assert "192.168.1.5:8420" in Names.of("192.168.1.5", 8420).hosts


HOSTILE = "<script>alert(1)</script>&\u2028\x1b[2J\x00\ud800"


def test_json_cannot_be_taken_for_a_page() -> None:
    told = encode({"a": HOSTILE, HOSTILE: [1.5, float("nan"), float("inf"), None, True]})
    assert b"<" not in told
    assert b"&" not in told
    read = json.loads(told)
    assert read["a"] == HOSTILE.replace("\ud800", "?")
    assert list(read.values())[1] == [1.5, None, None, None, True]


def test_a_stranger_s_text_is_short_and_moves_no_cursor() -> None:
    assert "\x1b" not in plain(HOSTILE)
    assert "\x00" not in plain(HOSTILE)
    assert len(plain("x" * 10_000)) == 200


@given(st.binary(max_size=300))
def test_any_body_is_a_command_or_a_problem(body: bytes) -> None:
    assert code(lambda: parse(body).name) in {"", "bad_args"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'{"name": 1}', b'{"name": ""}', b'{"name": "x", "more": 1}',
        b'{"name": "x", "args": []}', b'{"name": "x", "timeout_s": 1e9}', b"[" * 60_000,
        b'{"name": "x", "args": {"a": NaN}}', b'{"name": "' + b"x" * 65 + b'"}', b"\xff",
        b'{"name": "x", "reason": "' + b"x" * 501 + b'"}', b'{"name":"x"}{"name":"y"}',
        b'{"name":"x","args":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused(body: bytes) -> None:
    assert code(parse, body) == "bad_args"


class Stuck:
    """The WebSocket of a client that reads nothing."""

    def __init__(self) -> None:
        self.scope = {"client": ("127.0.0.1", 4711)}
        self.headers: dict[str, str] = {}
        self._heard = asyncio.Event()

    async def accept(self) -> None: ...

    async def receive(self) -> dict[str, str]:
        if self._heard.is_set():
            await asyncio.Event().wait()
        self._heard.set()
        return {"type": "websocket.receive", "text": '{"op":"hello","v":2,"token":"v"}'}

    async def send_text(self, text: str) -> None:
        await asyncio.Event().wait()


def test_a_client_that_reads_nothing_is_let_go(
    door: Doorkeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_routes, "SEND_SECONDS", 0.05)
    aborted: list[Any] = []

    class Line:
        def abort(self) -> None:
            aborted.append("line")

    async def all_of_it() -> int:
        hub = Hub(Future, run="r", mode="paper")
        hub.open()
        connections = Connections()
        connections.upgraded(("127.0.0.1", 4711), Line())  # type: ignore[arg-type]
        desk = live_routes.LiveDesk(hub, door, connections)
        await asyncio.wait_for(desk.live(Stuck()), 10)  # type: ignore[arg-type]
        await desk.drained()
        return hub.connected

    assert asyncio.run(all_of_it()) == 0
    assert aborted == ["line"]


def picture(**top: Any) -> Any:
    fine = {"tick": 7, "gw": "active", "n": 4, "hp": [3, 1, 0]}
    return SimpleNamespace(top={**fine, **top}, tables={"src": {}})


@pytest.mark.parametrize(
    ("top", "reasons"),
    [
        ({}, []),
        ({"tick": 0}, ["no_tick_yet"]),
        ({"gw": "reducing"}, ["gateway_reducing"]),
        ({"gw": "halted", "hp": [1, 0, 3]}, ["gateway_halted", "agents_unhealthy"]),
        ({"hp": [2, 0, 2]}, []),
    ],
)
def test_readiness_has_reasons(top: dict[str, Any], reasons: list[str]) -> None:
    idle = pulse.Pulse(Future)
    assert pulse.unready(idle, picture(**top)) == reasons
    sick = picture()
    sick.tables["src"]["venue"] = {"ok": False}
    assert pulse.unready(idle, sick) == ["source_not_ok"]


def test_what_is_known_of_a_swarm_that_is_held_up_goes_before_its_last_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For how long it has owed an answer, and that a stop has closed its gateway since."""
    owed = 0.0
    monkeypatch.setattr(pulse.Pulse, "silent_s", property(lambda _: owed))
    gateway = Gateway()
    better = pulse.aside(pulse.Pulse(Future), gateway)
    shown = {"gw": "active", "gw_reason": "", "held": 0}
    assert better(shown) == {}
    owed = 3.9
    assert better(shown) == {"held": 3}
    gateway.latch("the operator's")
    assert better(shown) == {"held": 3, "gw": "halted", "gw_reason": "the operator's"}
    owed = 1.9
    assert better({**shown, "gw": "halted", "gw_reason": "a drawdown"}) == {}


def test_a_swarm_that_owes_an_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_BEAT_S", 0.005)
    monkeypatch.setattr(pulse, "SILENT_S", 0.05)
    asked: list[Future[None]] = []

    def ask() -> Future[None]:
        asked.append(Future())
        return asked[-1]

    async def all_of_it() -> None:
        beating = pulse.Pulse(ask)
        task = asyncio.ensure_future(beating.beat())
        async with asyncio.timeout(10):
            while pulse.unready(beating, picture()) != ["swarm_silent"]:
                await asyncio.sleep(0.005)
            assert len(asked) == 1  # it is not asked again while it owes an answer
            asked[0].set_result(None)
            while pulse.unready(beating, picture()):
                await asyncio.sleep(0.005)
            assert beating.answer_s >= 0.05
            while len(asked) < 2:
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(all_of_it())


def test_outcomes_are_for_their_role_and_those_above() -> None:
    kept = Outcomes(most=2)
    kept.keep("operator", {"id": "1", "result": "secret"})
    assert code(kept.find, "viewer", "1") == "not_found"
    assert kept.find("operator", "1")["result"] == "secret"
    assert kept.find("admin", "1")["result"] == "secret"
    for number in ("2", "3"):
        kept.keep("viewer", {"id": number})
    assert code(kept.find, "admin", "1") == "not_found"
    assert kept.find("viewer", "3")["id"] == "3"


def test_an_outcome_with_an_error_is_a_problem_that_carries_it() -> None:
    error = {
        "code": "confirm_required", "message": "m", "hint": "h", "http": 428,
        "confirm": "token", "targets": ["a"],
    }  # fmt: skip
    outcome = {"id": "1", "status": "rejected", "error": error}
    problem = problem_of(outcome)
    assert problem is not None
    assert problem.document() == {
        "type": "urn:mirrorcore:error:confirm_required", "title": "Precondition Required",
        "status": 428, "detail": "m", "code": "confirm_required", "hint": "h",
        "confirm": "token", "targets": ["a"], "outcome": outcome,
    }  # fmt: skip
    assert problem_of({**outcome, "error": None}) is None


def test_the_page_is_its_files_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<p>")
    (page / "assets" / "a-1.js").write_text("1")
    (page / "notes.exe").write_text("x")
    (page / ".stamp").write_text("x")
    found = read_page(page)
    assert sorted(found) == ["assets/a-1.js", "index.html"]
    assert found["assets/a-1.js"].lasting
    assert not found["index.html"].lasting


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    found = read_page(tmp_path / "none")
    assert list(found) == [INDEX]
    assert b"pip install -e ." in found[INDEX].body
    assert b"<script" not in found[INDEX].body
    assert b"style=" not in found[INDEX].body


def test_nesting_is_counted_where_it_is_and_not_within_texts() -> None:
    deep = b"[" * 32_000
    bodies = [
        b'{"name":"x","args":{"a":"' + b"]" * 32_000 + b'","b":' + deep,
        b'{"name":"x","args":{"a":' + b'["]",' * 5_000 + deep,
        b'{"name":"x","args":{"a":"\\"]",' + b'"b":' + deep,
    ]
    for body in bodies:
        with pytest.raises(Problem, match="nested too deep"):
            parse(body)
    text = "[" * 50 + '\\"' + "{" * 50
    told = parse(json.dumps({"name": "annotate", "args": {"text": text}}).encode())
    assert told.args == {"text": text}
