"""``mirrorcore doctor``: what is amiss is told with what to do; keys are never shown."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from command_calls import ROOT, Call, Caller
from served_exchange import served_exchange

from mirrorcore.clock import SECOND
from mirrorcore.config.model import SourceConfig
from mirrorcore.config.source_params import PARAMS, variables_of
from mirrorcore.exchange.faults import Fault
from mirrorcore.interfaces.cli import examinations
from mirrorcore.swarm.recruiting import STANDARD

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FRED_API_KEY", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "X_BEARER_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def findings(told: Call) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in told.document["findings"]}


def test_a_healthy_place_is_said_to_be_so(call: Caller) -> None:
    told = call("doctor", "--json")
    assert (told.code, told.document["healthy"]) == (0, True)
    found = findings(told)
    assert found["packages"]["says"].startswith(f"numpy {metadata.version('numpy')}")
    assert f"ccxt {metadata.version('ccxt')}" in found["extra exchange"]["says"]
    assert found["configuration"]["says"].endswith(f"valid, {len(STANDARD)} agents")
    assert found[f"folder {call.runs}"]["says"] == "can be written to, made when used"
    assert call.made() == []
    shown = call("doctor")
    assert (shown.code, shown.err) == (0, "")
    assert "free disk" in shown.out


def test_keys_are_looked_for_and_never_shown(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRED_API_KEY", KEY)
    monkeypatch.setenv("REDDIT_CLIENT_ID", KEY)
    monkeypatch.setenv("X_BEARER_TOKEN", "short")
    told = call("doctor", "--json")
    assert told.code == 1
    found = findings(told)
    assert (found["key fred"]["level"], found["key fred"]["says"]) == ("ok", "FRED_API_KEY set")
    assert found["key reddit"]["level"] == "warning"
    assert "REDDIT_CLIENT_SECRET is not" in found["key reddit"]["says"]
    assert found["key x"]["level"] == "problem"
    assert "holds no usable key" in found["key x"]["says"]
    for text in (told.out, told.err, call("doctor").out):
        assert KEY not in text
        assert "short" not in text


def test_the_variables_of_configured_sources_are_looked_for(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        '[[sources]]\nkind = "fred"\nparams = { key = "MY_FRED" }\n'
        '[[sources]]\nkind = "ethereum"\nname = "main"\nparams = { node = "MY_NODE" }\n'
        '[[sources]]\nkind = "ethereum"\nname = "local"\nurl = "http://127.0.0.1:8545"\n'
        '[[sources]]\nkind = "x"\nparams = { query = "btc" }\n'
    )
    monkeypatch.setenv("MY_NODE", "https://node.example/" + KEY)
    monkeypatch.delenv("MY_FRED", raising=False)
    told = call("doctor", "--config", str(file), "--json")
    found = findings(told)
    assert told.code == 1
    assert found["source fred"]["level"] == found["source x"]["level"] == "problem"
    assert found["source fred"]["says"].startswith("MY_FRED is not set")
    assert found["source fred"]["hint"] == "export MY_FRED=… before you start"
    assert (found["source main"]["level"], found["source main"]["says"]) == ("ok", "MY_NODE set")
    assert found["source local"]["says"] == "needs no variable"
    assert "key x" not in found, "told with its source"
    assert found["key fred"]["says"].startswith("not set"), "of the variable nobody configured"
    assert KEY not in told.out


_TOKEN = {"address": "0x" + 40 * "1", "symbol": "A", "decimals": 1}
_POOL = {"address": "0x" + 40 * "2", "symbol": "A/B", "base": _TOKEN, "quote": _TOKEN}
REQUIRED: dict[str, dict[str, Any]] = {
    "reddit": {"subreddit": "a", "user_agent": "me"},
    "x": {"query": "a"},
    "json": {"series": [{"name": "onchain.a", "value": "a", "unit": "a"}]},
    "calendar": {"file": "unlocks.csv"},
    "uniswap_v2": {"pools": [_POOL]},
    "uniswap_v3": {"pools": [_POOL]},
    "dune": {"query": 1, "series": {"a": "onchain.a"}},
    "exchange": {"venue": "binance"},
}


@pytest.mark.parametrize("kind", PARAMS)
def test_every_setting_that_names_a_variable_is_one_that_is_looked_for(kind: str) -> None:
    named = {
        name: f"SET_BY_{name.upper()}"
        for name, field in PARAMS[kind].model_fields.items()
        if "environment variable" in str(field.description)
    }
    source = SourceConfig(kind=kind, params=REQUIRED.get(kind, {}) | named)  # type: ignore[arg-type]
    assert set(variables_of(source)) == set(named.values())


def test_every_mistake_of_a_configuration_is_a_line(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('seeed = 3\n[market]\ntimeframe = "5"\n')
    told = call("doctor", "--config", str(file), "--json")
    assert told.code == 1
    wrong = [one for one in told.document["findings"] if one["subject"] == "configuration"]
    assert [one["level"] for one in wrong] == ["problem", "problem"]
    assert "did you mean seed?" in wrong[0]["says"]
    assert str(file) in wrong[0]["hint"]
    missing = call("doctor", "--config", str(tmp_path / "none.toml"))
    assert (missing.code, "Traceback" in missing.err) == (1, False)
    assert "none.toml" in missing.out
    assert "check the path" in missing.out
    assert "mend it" not in missing.out


def test_a_folder_that_is_a_file_is_a_problem(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    told = call("doctor", "--runs", str(tmp_path / "taken"), "--json", runs=False)
    (one,) = [f for f in told.document["findings"] if f["subject"].startswith("folder")]
    assert (told.code, one["level"]) == (1, "problem")
    assert one["says"].endswith("taken is a file")


def test_an_extra_that_is_not_installed_is_a_warning(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = examinations._version
    monkeypatch.setattr(
        examinations, "_version", lambda name: None if name == "feedparser" else known(name)
    )
    told = call("doctor", "--json")
    assert told.code == 0
    one = findings(told)["extra sources"]
    assert (one["level"], one["hint"]) == ("warning", "pip install mirrorcore-x[sources]")
    assert one["says"].startswith("feedparser not installed")


def test_a_package_that_is_not_installed_is_a_problem(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = examinations._version
    monkeypatch.setattr(
        examinations, "_version", lambda name: None if name == "polars" else known(name)
    )
    told = call("doctor")
    assert told.code == 1
    assert "polars missing" in told.out


def test_what_is_looked_for_is_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def names(requirements: list[str]) -> tuple[str, ...]:
        return tuple(re.split(r"[<>=\[]", one)[0] for one in requirements)

    assert set(examinations._CORE) == set(names(project["dependencies"]))
    for extra, (packages, _) in examinations._EXTRAS.items():
        assert packages == names(project["optional-dependencies"][extra])
    least = ".".join(map(str, examinations._LEAST_PYTHON))
    assert project["requires-python"] == f">={least}"


def test_a_clock_is_compared_with_the_venues(call: Caller) -> None:
    with served_exchange(symbols=("BTC/USDT",), history=10 * SECOND) as venue:
        told = call("doctor", "--url", venue.url, "--json")
        one = findings(told)["clock against binance"]
        assert (told.code, one["level"]) == (0, "ok")
        ahead = Fault(kind="clock_offset", offset=3.0, seconds=600)
        venue.do(venue.exchange.inject, ahead)
        told = call("doctor", "--url", venue.url, "--json")
        one = findings(told)["clock against binance"]
        assert (told.code, one["level"]) == (1, "problem")
        offset = int(re.match(r"([+-][\d,]+) ms", one["says"])[1].replace(",", ""))  # type: ignore[index]
        assert -3_200 < offset < -2_800
        assert "NTP" in one["hint"]
    gone = call("doctor", "--url", venue.url, "--json")
    assert (gone.code, findings(gone)["clock against binance"]["level"]) == (1, "problem")


def test_a_venue_that_tells_no_time_or_does_not_exist_is_said_to(call: Caller) -> None:
    told = call("doctor", "--venue", "bitfinex", "--json")
    assert (told.code, findings(told)["clock against bitfinex"]["says"]) == (
        0, "bitfinex tells no time",
    )  # fmt: skip
    told = call("doctor", "--venue", "bitfinx", "--json")
    one = findings(told)["clock against bitfinx"]
    assert (told.code, one["hint"]) == (1, "did you mean 'bitfinex'?")


def test_little_room_and_few_files_are_told(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    usage = type("Usage", (), {"free": 50 << 20})
    monkeypatch.setattr(examinations.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    told = call("doctor", "--json")
    found = findings(told)
    assert (told.code, found["free disk"]["level"]) == (1, "problem")
    assert (found["open files"]["level"], found["open files"]["hint"]) == (
        "warning", "ulimit -n 1024",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--url", "here"), "--url was 'here'"), (("--venue",), "requires an argument")],
)
def test_a_call_that_cannot_be_read_says_why(
    call: Caller, arguments: tuple[str, ...], says: str
) -> None:
    refused = call("doctor", *arguments, runs=False)
    assert (refused.code, says in refused.err) == (2, True), refused.err
