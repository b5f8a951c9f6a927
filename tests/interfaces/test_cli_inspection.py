"""Commands that look and do not trade: agents, configuration, checks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command_calls import EXAMPLES, Caller

from mirrorcore.agents.roster import ROSTER
from mirrorcore.config import load_config

CHEAT = '''
import numpy as np

from mirrorcore import BlockAgent, StateField


class Cheat(BlockAgent):
    """Says what the next bar will do."""

    kind, votes = "cheat", True
    state = {"forecast": StateField("p", "", 0, 1, "symbols", True)}

    def __init__(self, agent_id="Cheat"):
        super().__init__(agent_id, ["technical"])

    def _analyze(self, block):
        close = block.value("technical", "close")
        following = np.vstack([close[1:], close[-1:]])
        return {"forecast": np.where(following > close, 0.9, 0.1)}
'''


def test_agents_are_listed(call: Caller) -> None:
    listed = call("agents", "list", "--json", runs=False)
    assert listed.code == 0
    cards = {card["id"]: card for card in listed.document["agents"]}
    assert cards.keys() == ROSTER.keys()
    text = call("agents", "list", runs=False).out
    for name in ROSTER:
        assert name in text


@pytest.mark.parametrize("name", sorted(ROSTER))
def test_an_agent_is_shown_as_it_is(call: Caller, name: str) -> None:
    from mirrorcore.agents.roster import agent_class, parameters

    cls = agent_class(name)
    card = call("agents", "show", name, "--json", runs=False).document
    agent = cls(name)
    assert card["reads"] + card["reads_agents"] == [*agent.data_interests, *agent.agent_interests]
    assert [field["name"] for field in card["publishes"]] == list(cls.state)
    for field in card["publishes"]:
        declared = cls.state[field["name"]]
        assert field["unit"] == declared.unit
        assert field["low"] == (None if declared.low == float("-inf") else declared.low)
    given = {one["name"]: one["default"] for one in card["parameters"]}
    assert given == {key: value.default for key, value in parameters(cls).items()}
    text = call("agents", "show", name, runs=False).out
    assert card["summary"] in text
    for field in card["publishes"]:
        assert field["name"] in text


def test_agents_of_a_users_file_are_shown(call: Caller) -> None:
    file = str(EXAMPLES / "own_agents.toml")
    mine = call("agents", "show", "MyAgent", "-c", file, "--json", runs=False).document
    assert mine["form"] == "block"
    assert mine["parameters"] == [{"name": "strength", "required": False, "default": 0.05}]
    guide = call("agents", "show", "GuideAgent", "-c", file, "--json", runs=False).document
    assert guide["form"] == "guide"
    assert guide["reads"] == ["technical"]
    assert guide["cadence"] == "1h"


def test_config_show_says_where_values_come_from(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[costs]\nfee_bps = 3\nslippage_bps = 3\n", encoding="utf-8")
    monkeypatch.setenv("MIRRORCORE__RISK__GROSS", "1.25")
    given = ("-c", str(file), "--slippage", "4", "--without", "EgoProcessor")
    shown = call("config", "show", "--json", *given)
    settings = shown.document["settings"]
    assert settings["costs.fee_bps"] == {
        "value": 3.0, "origin": "file", "where": f"{file}:2",
    }  # fmt: skip
    assert settings["risk.gross"]["origin"] == "environment"
    assert settings["risk.gross"]["value"] == 1.25
    assert settings["costs.slippage_bps"]["origin"] == "command line"
    assert settings["costs.slippage_bps"]["value"] == 4
    assert settings["agents.without"]["value"] == ["EgoProcessor"]
    assert settings["seed"] == {"value": 42, "origin": "default", "where": None}
    text = call("config", "show", "--origin", *given).out
    [line] = [line for line in text.splitlines() if line.startswith("costs.fee_bps")]
    assert line.endswith(f"3.0  # {file}:2")


def test_config_show_is_a_file_that_loads_to_the_same(call: Caller, tmp_path: Path) -> None:
    shown = call("config", "show", "--explain", "--seed", "9", "--symbols", "BTC-USDT")
    file = tmp_path / "again.toml"
    file.write_text(shown.out, encoding="utf-8")
    again = load_config(file, {}).config
    assert again.seed == 9
    assert again.market.symbols == ("BTC/USDT",)
    assert "# where all randomness comes from" in shown.out


def test_config_check(call: Caller, tmp_path: Path) -> None:
    good = call("config", "check", str(EXAMPLES / "own_agents.toml"), runs=False)
    assert good.code == 0
    assert "24 agents" in good.out
    broken = tmp_path / "broken.toml"
    broken.write_text('[[agent]]\nid = "X"\nfile = "x.py"\n', encoding="utf-8")
    (tmp_path / "x.py").write_text("def f(:\n", encoding="utf-8")
    refused = call("config", "check", str(broken), runs=False)
    assert refused.code == 3
    assert "line 1 of" in refused.err
    odd = tmp_path / "odd.toml"
    odd.write_text('[market]\ndirectory = "."\n', encoding="utf-8")
    warned = call("config", "check", str(odd), "--json", runs=False)
    assert warned.code == 0
    assert "market.directory" in warned.document["warnings"][0]
    assert warned.document["warnings"][0] in warned.err


@pytest.mark.parametrize(
    ("check", "more"),
    [("determinism", ()), ("lookahead", ("--cuts", "2")), ("accounting", ())],
)
def test_checks_pass(call: Caller, check: str, more: tuple[str, ...]) -> None:
    done = call("check", check, "--bars", "300", "--symbols", "2", "--json", *more)
    assert done.code == 0
    assert done.document["check"] == check
    assert done.document["passed"] is True
    assert done.document["lines"]
    assert call.made() == []


def test_a_cheating_agent_fails_the_check(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "cheat.py").write_text(CHEAT, encoding="utf-8")
    file = tmp_path / "cheat.toml"
    entry = {"id": "Cheat", "file": "cheat.py"}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
    file.write_text(f"[[agent]]\n{text}", encoding="utf-8")
    given = ("--bars", "300", "--symbols", "2", "--cuts", "2", "-c", str(file))
    caught = call("check", "lookahead", "--json", *given)
    assert caught.code == 5
    assert "agent:Cheat" in caught.document["details"]["differing"]
    shown = call("check", "lookahead", *given)
    assert shown.code == 5
    assert "lookahead: FAILED" in shown.out


def test_config_check_says_what_a_run_would_not_find(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live = tmp_path / "live.toml"
    live.write_text(
        '[market]\nsource = "exchange"\nsymbols = ["BTC/USDT"]\n[exchange]\nvenue = "krakn"\n'
        '[[sources]]\nkind = "calendar"\nparams = { file = "none.csv" }\n'
        '[[sources]]\nkind = "exchange"\nparams = { venue = "bitstmp" }\n',
        encoding="utf-8",
    )
    refused = call("config", "check", str(live), runs=False)
    assert refused.code == 3
    assert 'live.toml:5: exchange.venue = "krakn": CCXT knows no such venue' in refused.err
    assert 'did you mean "kraken"?' in refused.err
    assert 'sources[1].params.file = "none.csv": there is no such file' in refused.err
    assert 'sources[2].params.venue = "bitstmp"' in refused.err
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    unknown = call("config", "check", str(live), runs=False)
    assert "krakn" not in unknown.err, "without CCXT nobody can say"
    assert "none.csv" in unknown.err
    (tmp_path / "none.csv").touch()
    assert call("config", "check", str(live), runs=False).code == 0

    recorded = tmp_path / "recorded.toml"
    recorded.write_text(
        '[market]\nsource = "recorded"\ndirectory = "candles"\n'
        '[[market.series]]\nname = "macro.x"\npath = "x.csv"\n',
        encoding="utf-8",
    )
    refused = call("config", "check", str(recorded), runs=False)
    assert "there is no such file or folder" in refused.err
    assert "market.series[1].path" in refused.err
    assert call("config", "show", "--config", str(recorded), runs=False).code == 0
