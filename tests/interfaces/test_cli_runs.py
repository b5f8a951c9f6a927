"""Commands that run the swarm: what they answer is what the run has in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_calls import EXAMPLES, SMALL, Call, Caller

from mirrorcore.journal import JournalReader
from mirrorcore.swarm.recruiting import STANDARD

PROMISED = {
    "run_id", "fingerprint", "fingerprint_parts", "symbol_bars", "ticks", "cpu_s", "wall_s",
    "peak_rss_mb", "trades", "fills", "orders", "metrics", "intervals", "agents",
    "accounting_residual", "warnings", "report",
}  # fmt: skip


def backtest(call: Caller, *more: str) -> Call:
    return call("backtest", *SMALL, "--json", *more)


def test_backtest_answers_with_one_document(call: Caller) -> None:
    done = backtest(call)
    assert done.code == 0
    assert done.err == ""
    document = done.document
    assert document.keys() >= PROMISED
    assert document["ticks"] == 600
    assert document["symbol_bars"] == 1800
    assert document["fills"] > 0
    assert document["accounting_residual"] == 0
    assert not isinstance(document["accounting_residual"], str)
    assert document["metrics"]["total_return"] == pytest.approx(
        document["final_equity"] / document["initial_equity"] - 1
    )
    agents = document["agents"]
    assert agents["MomentumScout"]["calls"] == 600
    assert agents["MomentumScout"]["votes"] is True
    assert agents["Allocator"]["restarts"] == 0
    assert "hit_rate" not in agents["Allocator"]
    folder = Path(document["path"])
    assert folder.parent == call.runs
    identity = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert identity["fingerprint"] == document["fingerprint"]
    assert identity["status"] == "finished"
    with JournalReader(folder / "journal.sqlite") as reader:
        assert sum(1 for _ in reader.entries("fill")) == document["fills"]
    page = Path(document["report"])
    assert page.parent == folder
    assert document["run_id"] in page.read_text(encoding="utf-8")


def test_the_same_twice_and_otherwise_with_another_seed(call: Caller) -> None:
    first, second = backtest(call, "--no-report"), backtest(call, "--no-report")
    other = backtest(call, "--no-report", "--seed", "7")
    assert first.document["run_id"] != second.document["run_id"]
    assert first.document["fingerprint"] == second.document["fingerprint"]
    assert first.document["fingerprint_parts"] == second.document["fingerprint_parts"]
    assert other.document["fingerprint"] != first.document["fingerprint"]
    assert first.document["report"] is None
    assert not (Path(first.document["path"]) / "report.html").exists()


def test_options_of_a_backtest_reach_the_run(call: Caller) -> None:
    document = call(
        "backtest", "--bars", "300", "--symbols", "btcusdt, ETH-USDT", "--timeframe", "1h",
        "--preset", "null", "--ic", "0", "--seed", "5", "--fee", "1", "--slippage", "2",
        "--balance", "5000.5", "--without", "SentimentEar", "--without", "ChainWatcher,DataSentry",
        "--json",
    ).document  # fmt: skip
    assert document["symbols"] == ["BTC/USDT", "ETH/USDT"]
    assert document["timeframe"] == "1h"
    assert document["data"] == "simulated.null"
    assert document["seeds"] == {"run": 5}
    assert document["costs"]["fee_bps"] == 1
    assert document["costs"]["slippage_bps"] == 2
    assert document["initial_equity"] == 5000.5
    gone = {"SentimentEar", "ChainWatcher", "DataSentry"}
    assert not gone & document["agents"].keys()
    assert "MomentumScout" in document["agents"]


def test_a_person_gets_the_report_screen(call: Caller) -> None:
    shown = call("backtest", *SMALL)
    assert shown.code == 0
    assert shown.err == ""
    for said in ("Total return", "SelfAwarenessAgent", "Fingerprint", "Report  ", "report.html"):
        assert said in shown.out
    assert "\x1b" not in shown.out


def test_replay_repeats_a_run_and_names_what_differs(call: Caller) -> None:
    first = backtest(call, "--no-report").document
    again = call("replay", "last", "--json")
    assert again.code == 0
    assert again.document["same"] is True
    assert again.document["repeats"] == first["run_id"]
    assert again.document["run_id"] != first["run_id"]

    file = Path(first["path"]) / "run.json"
    identity = json.loads(file.read_text(encoding="utf-8"))
    identity["fingerprint"] = "0" * 32
    identity["parts"]["agent:ChainWatcher"] = "0" * 32
    file.write_text(json.dumps(identity), encoding="utf-8")
    other = call("replay", first["run_id"], "--json")
    assert other.code == 5
    assert other.document["differing"] == ["agent:ChainWatcher"]
    shown = call("replay", first["run_id"])
    assert shown.code == 5
    assert "agent:ChainWatcher" in shown.out


def test_paper_runs_to_the_end_and_replays_to_the_same(call: Caller) -> None:
    paper = call(
        "run", "--symbols", "2", "--bars", "330", "--warmup", "1d", "--speed", "1000000", "--json"
    )
    assert paper.code == 0
    assert paper.document["mode"] == "paper"
    assert paper.document["ticks"] == 330 - 288
    assert (
        f"{len(STANDARD)} agents running" in paper.err
    )  # without a terminal: lines, beside the document
    assert call("replay", "last", "--json").document["same"] is True


def test_report_again_and_elsewhere(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webbrowser

    first = backtest(call, "--no-report").document
    shown = call("report", "last", "--json")
    assert shown.code == 0
    for name in ("fingerprint", "metrics", "intervals", "agents", "trades"):
        assert shown.document[name] == first[name]
    assert shown.document["report"] == str(Path(first["path"]) / "report.html")
    elsewhere = tmp_path / "elsewhere.html"
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    assert call("report", "last", "--html", str(elsewhere), "--no-open").code == 0
    assert "<html" in elsewhere.read_text(encoding="utf-8")
    assert opened == []
    assert call("report", "last", "--open").code == 0
    assert opened == [(Path(first["path"]) / "report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    refused = call("report", "last", "--open")
    assert refused.code == 1
    assert "no browser opened" in refused.err


def test_runs_are_listed_and_shown(call: Caller) -> None:
    empty = call("runs", "list")
    assert empty.code == 0
    assert "no runs in" in empty.out
    first = backtest(call, "--no-report").document
    second = backtest(call, "--no-report", "--seed", "3").document
    damaged = call.runs / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text("{", encoding="utf-8")

    listed = call("runs", "list", "--json")
    rows = listed.document["runs"]
    assert [row["run_id"] for row in rows] == [second["run_id"], first["run_id"]]
    assert rows[0]["seed"] == 3
    assert rows[0]["fingerprint"] == second["fingerprint"]
    assert len(listed.document["damaged"]) == 1
    assert "damaged" in listed.err
    assert first["run_id"] in call("runs", "list").out

    shown = call("runs", "show", first["run_id"], "--json").document
    assert shown["parts"] == first["fingerprint_parts"]
    assert {"run.json", "journal.sqlite", "results.parquet"} <= set(shown["files"])
    text = call("runs", "show", first["run_id"]).out
    assert first["fingerprint"] in text
    assert "[market]" in text


def test_demo_crashes_an_agent_and_it_recovers(call: Caller) -> None:
    shown = call("demo", "--days", "3", "--seconds", "6", "--json")
    assert shown.code == 0
    year, paper = shown.document["replay"], shown.document["paper"]
    assert year["symbol_bars"] == 3 * 288 * 8
    assert paper["mode"] == "paper"
    assert paper["period"]["start"] == year["period"]["end"]
    crashed = paper["agents"]["ChainWatcher"]
    assert crashed["failures"] == 7
    assert crashed["isolations"] >= 1
    assert crashed["restarts"] >= 2
    assert crashed["state"] == "running"
    others = [agent for name, agent in paper["agents"].items() if name != "ChainWatcher"]
    assert [agent["failures"] for agent in others] == [0] * (len(STANDARD) - 1)
    told = shown.err.splitlines()
    marks = ("failure DrillFault", "isolated", "restart", "recovered")
    seen = [next(i for i, line in enumerate(told) if mark in line) for mark in marks]
    assert seen == sorted(seen)
    assert Path(year["report"]).is_file()
    assert Path(paper["report"]).is_file()


def test_own_agents_vote_and_trade(call: Caller) -> None:
    file = str(EXAMPLES / "own_agents.toml")
    together = call("backtest", "-c", file, "--bars", "500", "--no-report", "--json").document
    for name in ("MyAgent", "GuideAgent"):
        agent = together["agents"][name]
        assert agent["votes"] is True
        assert agent["forecasts"] > 0
        assert agent["failures"] == 0
    assert together["fills"] > 0
    # They alone: every order comes of their votes. Free of cost, or two days would be too short.
    others = (
        "MomentumScout,MeanReverter,SentimentEar,ChainWatcher,MacroWatcher,"
        "FlowReader,FundamentalSage,PairsArb"
    )
    free = ("--fee", "0", "--slippage", "0")
    alone = call(
        "backtest", "-c", file, "--bars", "500", "--without", others, *free, "--no-report", "--json"
    ).document
    voters = {name for name, agent in alone["agents"].items() if agent["votes"]}
    assert voters == {"MyAgent", "GuideAgent"}
    assert alone["fills"] > 0
    lines = (EXAMPLES / "my_agent.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 20
