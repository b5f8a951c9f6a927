"""What is shown of a run is what the run is: its bus, its books, its journal, its reasons."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driven_run import DrivenRun
from rich.console import Console

from mirrorcore import ConsoleMonitor
from mirrorcore.clock import MILLISECOND, MINUTE, SECOND, Stopwatch
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.states import RunnerState
from mirrorcore.interfaces.cli.live import frame, headline, news
from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.difference import whole
from mirrorcore.interfaces.live.model import ClientModel, Heard
from mirrorcore.interfaces.live.picture import COLUMNS, Picture, action_of
from mirrorcore.interfaces.live.rules import Clips
from mirrorcore.interfaces.live.table import AgentTable
from mirrorcore.journal import RunRegistry
from mirrorcore.journal.reader import JournalReader
from mirrorcore.swarm.control.actions import (
    AdjustRisk,
    By,
    Exit,
    Life,
    PauseEntries,
    ResumeEntries,
    ResumeTrading,
)
from mirrorcore.swarm.watching import Onlooker, look
from mirrorcore.swarm.why import explain_all
from mirrorcore.trading.hits import HitLog
from mirrorcore.trading.trades import trade_row

OWN = """
    from mirrorcore import BaseAgent


    class Steady(BaseAgent):
        async def _analyze(self, relevant_data):
            return {"signal": 0.4, "confidence": 0.7}


    class Raises(BaseAgent):
        async def _analyze(self, relevant_data):
            raise ValueError("<b>never</b>")
"""
ENTRIES = """
    [[agent]]
    id = "Steady"
    file = "agents.py"
    class = "Steady"

    [[agent]]
    id = "Raises"
    file = "agents.py"
    class = "Raises"
"""
BY = By("tester")


def plain(picture: Picture) -> dict[str, Any]:
    """What a client of it knows."""
    model = ClientModel()
    model.receive(wire.snapshot(1, 0, picture, "hello"))
    known: dict[str, Any] = json.loads(
        json.dumps({**model.state(), "ts": model.ts, "wall": model.wall})
    )
    return known


def columns(shown: dict[str, Any], agent: str) -> dict[str, Any]:
    row = shown["agents"]["id"].index(agent)
    return {name: values[row] for name, values in shown["agents"].items()}


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenRun]:
    with DrivenRun(tmp_path_factory.mktemp("driven"), ENTRIES, OWN) as driven:
        driven.ticks(90)
        driven.run.control.act(Exit(("AAA/USD",)), BY, "to see a trade close")
        driven.ticks(10)
        yield driven


@pytest.fixture
def shown(driven: DrivenRun) -> dict[str, Any]:
    return plain(driven.panel.look())


# -- against the run -------------------------------------------------------------------------------


def test_the_top_line_is_the_ledgers(driven: DrivenRun, shown: dict[str, Any]) -> None:
    run, top, now = driven.run, shown["top"], look(driven.run)
    path = run.swarm.parts.path
    exact = path.ledger.equity(run.recorder.last_prices) / 10**path.ledger.units.places
    assert top["eq"] == pytest.approx(exact, abs=0.005)
    assert (top["eq0"], top["cur"], top["tick"]) == (100_000.0, "USD", 100)
    assert top["number"] == driven.first + 99
    assert shown["ts"] == now.ts // MILLISECOND
    assert top["dd"] == pytest.approx(now.drawdown, abs=5e-5)
    assert top["gross"] == pytest.approx(now.gross, abs=5e-5)
    assert top["gate"] == pytest.approx(now.gate, abs=5e-5)
    assert (top["fear"], top["conf"]) == pytest.approx((now.fear, now.confidence), abs=5e-4)
    assert (top["gw"], top["fills"], top["trades"]) == ("active", now.fills, now.trades_closed)
    assert top["fees"] == pytest.approx(path.ledger.fees / 10**path.ledger.units.places, abs=0.005)
    assert top["n"] == len(now.agents) == sum(top["st"]) == sum(top["hp"])
    assert top["halted"] == {"AAA/USD": "exit"}


def test_agents_are_those_of_the_bus(driven: DrivenRun, shown: dict[str, Any]) -> None:
    bus = driven.run.swarm.parts.bus
    for agent in look(driven.run).agents:
        row, counts = columns(shown, agent.id), bus.statistics(agent.id)
        assert shown["enums"]["kind"][row["kind"]] == agent.kind
        assert shown["enums"]["st"][row["st"]] == agent.state
        assert row["conf"] == (
            None if agent.confidence is None else pytest.approx(agent.confidence, abs=0.0051)
        )
        assert row["lean"] == (
            None if agent.lean is None else pytest.approx(agent.lean, abs=0.0051)
        )
        assert row["pnl"] == (
            None if agent.pnl is None else pytest.approx(100 * agent.pnl, abs=0.0051)
        )
        view = bus.read(agent.id)
        assert row["t"] == (view.t // MILLISECOND if view.version else None)
        assert row["v"] == counts.version
        assert row["err"] == agent.last_error


def test_a_failing_agent_is_seen(driven: DrivenRun, shown: dict[str, Any]) -> None:
    row = columns(shown, "Raises")
    assert shown["enums"]["st"][row["st"]] in ("isolated", "failed", "probing")
    assert row["fails"] == driven.run.swarm.parts.bus.statistics("Raises").failures > 0
    assert row["hp"] < 0.4
    assert "<b>never</b>" in row["err"]
    lives = [event for event in shown["ev"] if event["who"] == "Raises"]
    assert {"failure", "isolated"} <= {event["kind"] for event in lives}
    assert any("<b>never</b>" in event["text"] for event in lives)


def test_signals_are_what_the_vote_leans_to(shown: dict[str, Any]) -> None:
    steady = columns(shown, "Steady")
    assert (steady["lean"], steady["conf"]) == (0.4, 0.7)
    assert action_of(steady["lean"]) == "buy"
    assert action_of(columns(shown, "ArchCtrl")["lean"]) == "none"


def test_books_are_those_of_the_journal(driven: DrivenRun, shown: dict[str, Any]) -> None:
    symbols = driven.run.swarm.context.symbols
    units = driven.run.swarm.parts.path.ledger.units
    with JournalReader(driven.run.folder.journal) as reader:
        entries = [(entry.kind, entry.body) for entry in reader.entries()]
    fills = [body for kind, body in entries if kind == "fill"]
    assert fills
    assert len(shown["fills"]) == len(fills)
    for row, (client, sequence, symbol, ts, _, lots, price, fee, _) in zip(
        shown["fills"], fills, strict=True
    ):
        assert client.endswith(row["ord"][1:])
        assert row["id"].startswith(f"O{sequence}/")
        assert (row["sym"], row["t"]) == (symbols[symbol], ts // MILLISECOND)
        assert row["qty"] * row["side"] == pytest.approx(int(lots) * units.lot_base[symbol])
        assert row["px"] == float(units.price(symbol, price))
        assert row["fee"] == pytest.approx(int(fee) / 10**units.places, abs=0.005)
    orders = {body[1]: body for kind, body in entries if kind == "order"}
    assert {row["id"] for row in shown["ord"].values()} == {f"O{number}" for number in orders}
    for name, row in shown["ord"].items():
        assert row["status"] == orders[int(name[1:])][7]


def test_a_closed_trade_is_told(driven: DrivenRun, shown: dict[str, Any]) -> None:
    ledger = driven.run.swarm.parts.path.ledger
    assert [row["id"] for row in shown["tr"]] == [f"T{trade.number}" for trade in ledger.trades]
    row, trade = shown["tr"][-1], ledger.trades[-1]
    assert row["sym"] == "AAA/USD"
    assert row["net"] == pytest.approx(trade.net / 10**ledger.units.places, abs=0.005)
    assert row["ret"] == pytest.approx(trade.net / abs(trade.entry_value), abs=5e-6)
    table = trade_row(trade, ledger.units)
    assert row["entry"] == pytest.approx(float(table["open_rate"]), rel=1e-6)
    assert row["exit"] == pytest.approx(float(table["close_rate"]), rel=1e-6)
    assert row["qty"] == pytest.approx(table["amount"])
    assert row["fees"] == pytest.approx(float(table["fee_open"] + table["fee_close"]), abs=0.005)
    assert shown["pos"]["AAA/USD"]["trade"] is None


def test_positions_add_up(driven: DrivenRun, shown: dict[str, Any]) -> None:
    for row in shown["pos"].values():
        assert row["value"] == pytest.approx(row["qty"] * row["mark"], abs=0.01)
        assert row["weight"] == pytest.approx(row["value"] / shown["top"]["eq"], abs=1e-4)
    ledger, prices = driven.run.swarm.parts.path.ledger, driven.run.recorder.last_prices
    scale = 10**ledger.units.places
    for trade in ledger.open_trades(prices):
        row = shown["pos"][driven.run.swarm.context.symbols[trade.symbol]]
        assert row["trade"] == f"T{trade.number}"
        gained = trade.gross - trade.realised
        assert row["upnl"] == pytest.approx(gained / scale, abs=0.005)
        moved = row["qty"] * (row["mark"] - row["avg"])
        assert moved == pytest.approx((trade.gross - trade.realised) / scale, abs=0.02)
    held = sum(abs(row["weight"]) for row in shown["pos"].values())
    assert held == pytest.approx(shown["top"]["gross"], abs=2e-4)


def test_curves_are_the_results_table(driven: DrivenRun, shown: dict[str, Any]) -> None:
    table = driven.run.recorder.columns
    equity, benchmark = table.joined("equity"), table.joined("benchmark")
    n, t, shown_equity, drawdown, shown_benchmark = zip(*shown["eq"], strict=True)
    assert n == tuple(range(1, 101))
    assert list(t) == (table.instants() // MILLISECOND).tolist()
    np.testing.assert_allclose(shown_equity, equity, atol=0.0051)
    np.testing.assert_allclose(shown_benchmark, benchmark, atol=0.0051)
    peak = np.maximum.accumulate(np.maximum(equity, 0))
    np.testing.assert_allclose(drawdown, 1 - equity / peak, atol=1e-5)
    for name, column in (("fear", 2), ("confidence", 3), ("gate", 4)):
        told = [point[column] for point in shown["emo"]]
        np.testing.assert_allclose(told, table.joined(name), atol=5.1e-4)
    assert all(point[5] is not None for point in shown["emo"])


def test_candles_are_the_markets_before_and_since(driven: DrivenRun, shown: dict[str, Any]) -> None:
    market = next(iter(driven.source.blocks(max_rows=driven.first + 100)))
    for s, candles in enumerate(shown["px"].values()):
        rows = np.flatnonzero(market.present[:, s])
        assert [candle[0] for candle in candles] == (
            market.open_ts[rows, s] // MILLISECOND
        ).tolist()
        np.testing.assert_allclose([c[4] for c in candles], market.close[rows, s], rtol=1e-6)
        np.testing.assert_allclose([c[5] for c in candles], market.volume[rows, s], rtol=1e-5)


def test_limits_show_use_bounds_and_hits(driven: DrivenRun, shown: dict[str, Any]) -> None:
    risk, limits = shown["risk"], driven.run.swarm.parts.path.limits
    assert risk["gross"]["now"] == pytest.approx(shown["top"]["gross"], abs=1e-4)
    assert risk["gross"]["limit"] == limits.config.gross
    assert risk["net"]["now"] == pytest.approx(abs(shown["top"]["net"]), abs=1e-4)
    largest = max(abs(row["weight"]) for row in shown["pos"].values())
    assert risk["per_symbol"]["now"] == pytest.approx(largest, abs=1e-4)
    assert risk["gross"]["most"] == pytest.approx(1.25 * limits.config.gross)
    assert risk["drawdown"]["now"] == pytest.approx(limits.drawdown, abs=5e-5)
    assert risk["price_collar"]["now"] is None
    assert not any(row["bound"] for row in risk.values())


def test_the_flow_is_counted_on_the_edges(driven: DrivenRun, shown: dict[str, Any]) -> None:
    flow, bus = shown["flow"], driven.run.swarm.parts.bus
    cells = {(flow["from"][a], flow["to"][b]): numbers for a, b, *numbers in flow["m"]}
    published, delivered, merged, lost, pending = cells["fear_analyzer", "arch_ctrl"]
    assert published == bus.read("FearAnalyzer").version
    assert published == delivered + merged + lost + pending
    # An agent that works in blocks is handed what it reads; nothing of it waits.
    assert cells["oracle", "allocator"][4] == 0
    assert columns(shown, "Allocator")["mb"] == 0


# -- why -------------------------------------------------------------------------------------------


def test_reasons_are_those_that_why_finds(tmp_path: Path) -> None:
    with DrivenRun(tmp_path, ENTRIES, OWN) as driven:
        driven.ticks(2)
        while not driven.run.swarm.parts.path.venue.working:
            driven.ticks(1)
        ticks = driven.run.recorder.ticks
        told = plain(driven.panel.look())["dec"]
    info = RunRegistry(driven.run.config.storage.runs).find("last")
    number = driven.first + ticks - 1
    found = explain_all(info, [f"D{number} {symbol}" for symbol in told])
    assert len(found) == 3
    assert any(row["orders"] for row in told.values())
    for (symbol, row), answer in zip(told.items(), found, strict=True):
        facts = answer.decisions[0]
        assert answer.proof.same
        assert (row["id"], row["tick"], facts.symbol) == (facts.id, number, symbol)
        assert row["orders"] == [f"O{client.rsplit('-', 1)[1]}" for client in facts.orders]
        for name, places in (("target", 4), ("wanted", 4), ("held", 4)):
            assert row[name] == pytest.approx(getattr(facts, name), abs=0.51 * 10**-places)
        fusion = facts.fusion
        assert fusion is not None
        assert row["forecast"] == pytest.approx(fusion.forecast, abs=5.1e-4)
        assert row["edge"] == pytest.approx(fusion.edge, abs=5.1e-4)
        assert row["conviction"] == pytest.approx(fusion.conviction, abs=5.1e-4)
        assert row["gate"] == pytest.approx(facts.gate.share, abs=5.1e-5)
        votes = {vote.agent: vote for vote in facts.votes}
        assert row["voters"] == len(votes)
        for vote in row["votes"]:
            same = votes[vote["a"]]
            assert vote["pull"] == pytest.approx(same.pull, abs=5.1e-6)
            assert vote["market"] == pytest.approx(same.market_pull, abs=5.1e-6)
            assert vote["p"] == (
                None if same.forecast is None else pytest.approx(same.forecast, abs=5.1e-4)
            )
        strength = [abs(vote["pull"]) + abs(vote["market"]) for vote in row["votes"]]
        assert strength == pytest.approx(sorted(strength, reverse=True), abs=2e-5)
        assert sum(vote["pull"] for vote in row["votes"]) == pytest.approx(row["edge"], abs=6e-4)


def test_reasons_are_told_at_once_and_then_once_a_second(tmp_path: Path) -> None:
    with DrivenRun(tmp_path) as driven:
        told = []
        for _ in range(21):
            driven.ticks(1)
            tables = driven.panel.build(0.1).tables
            assert tables["pos"]["AAA/USD"]["mark"] is not None
            told.append(next(iter(tables["dec"].values()))["tick"])
        assert told == [*[driven.first] * 10, *[driven.first + 10] * 10, driven.first + 20]
        assert driven.panel.look().tables["dec"]["AAA/USD"]["tick"] == driven.first + 20
        driven.ticks(1)
        now = driven.panel.look().tables["dec"]["AAA/USD"]["tick"]
        assert now == driven.first + 21, "who asks is told what is"


def test_limits_that_bound_are_among_the_reasons(tmp_path: Path) -> None:
    with DrivenRun(tmp_path) as driven:
        driven.ticks(30)
        assert not any(row["clips"] for row in driven.panel.look().tables["dec"].values())
        free = plain(driven.panel.look())
        assert abs(free["top"]["net"]) < 0.9 * free["top"]["gross"], "long and short"
        assert free["risk"]["net"]["now"] == pytest.approx(abs(free["top"]["net"]), abs=1e-4)
        driven.run.control.act(AdjustRisk("per_symbol", 0.001), BY)
        driven.run.control.act(AdjustRisk("gross", 0.0005), BY)
        driven.ticks(1)
        shown = plain(driven.panel.look())
        clips = [clip for row in shown["dec"].values() for clip in row["clips"]]
        assert {clip["limit"] for clip in clips} >= {"per_symbol", "gross"}
        clip = next(clip for clip in clips if clip["limit"] == "per_symbol")
        assert abs(clip["asked"]) > abs(clip["allowed"]) == 0.001
        assert clip in shown["dec"][clip["sym"]]["clips"]
        assert shown["risk"]["per_symbol"]["hits"] > 0
        assert any(e["kind"] == "limit" and e["who"] == "per_symbol" for e in shown["ev"])
        # A tick at which nothing is sized is held by the same limits still.
        path = driven.run.swarm.parts.path
        for _ in range(12):
            driven.ticks(1)
            if path.planned_at != driven.run.swarm.parts.clock.now():
                break
        assert path.planned_at != driven.run.swarm.parts.clock.now()
        later = plain(driven.panel.look())
        assert any(row["clips"] for row in later["dec"].values())


# -- commands --------------------------------------------------------------------------------------


def test_what_an_operator_does_shows(tmp_path: Path) -> None:
    with DrivenRun(tmp_path) as driven:
        control = driven.run.control
        driven.ticks(3)
        control.act(Life("pause", ("MomentumScout",)), BY, "noise")
        control.act(AdjustRisk("gross", 0.5), BY)
        control.act(PauseEntries(), BY)
        driven.ticks(1)
        shown = plain(driven.panel.look())
        row = columns(shown, "MomentumScout")
        assert shown["enums"]["st"][row["st"]] == "paused"
        assert shown["top"]["st"][shown["enums"]["st"].index("paused")] == 1
        assert shown["top"]["blocked"] == ["entries"]
        assert set(shown["top"]["halted"].values()) == {"paused"}
        done = [event["text"] for event in shown["ev"] if event["kind"] == "command"]
        assert len(done) == 3
        assert "pause" in done[0]
        assert "MomentumScout" in done[0]
        assert "gross" in done[1]
        assert {event["who"] for event in shown["ev"] if event["kind"] == "command"} == {"tester"}
        assert sum(event["kind"] == "halt" for event in shown["ev"]) == 3
        control.act(ResumeEntries(), BY)
        stopped = control.stop("cancel", "enough", BY)
        assert plain(driven.panel.look())["top"]["gw"] == "halted"  # latched, not yet carried out
        driven.ticks(1)
        assert stopped.done()
        shown = plain(driven.panel.look())
        assert (shown["top"]["gw"], shown["top"]["gw_reason"]) == ("halted", "enough")
        assert (shown["top"]["blocked"], shown["top"]["halted"]) == ([], {})
        assert any(e["kind"] == "gateway" and e["sev"] == 2 for e in shown["ev"])
        control.stop("cancel", "still", BY)
        driven.ticks(1)
        shown = plain(driven.panel.look())
        assert sum(event["kind"] == "gateway" for event in shown["ev"]) == 1
        assert shown["top"]["alerts"] == len(shown["alerts"]) > 0
        number = next(iter(shown["alerts"]))
        control.alerts.acknowledge(int(number), "tester")
        after = plain(driven.panel.look())
        assert after["alerts"][number]["ack"] == "tester"
        assert after["top"]["alerts"] == shown["top"]["alerts"] - 1


@pytest.mark.parametrize(
    ("by", "reason", "why"),
    [
        (By("operator", origin="web"), "enough", "by operator (web): enough"),
        (By("operator", origin="web"), "", "emergency stop by operator (web)"),
        (By("signal", origin="signal"), "", "emergency stop by signal"),
    ],
)
def test_who_stopped_it_is_on_the_screen_of_the_run(
    tmp_path: Path, by: By, reason: str, why: str
) -> None:
    out = Console(width=160, height=60, file=io.StringIO())
    with DrivenRun(tmp_path, shown=False) as driven:
        control, onlooker = driven.run.control, Onlooker(driven.run)
        driven.ticks(1)
        open_ = onlooker.look()
        assert (open_.gateway, open_.gateway_why) == ("active", "")
        assert "gateway" not in headline(open_)
        control.act(Life("pause", ("MomentumScout",)), BY)
        control.stop("cancel", reason, by)
        latched = onlooker.look()
        assert latched.gateway == "halted"  # not yet carried out, and closed all the same
        assert latched.gateway_why == (reason or f"emergency stop by {by}")
        driven.ticks(1)
        control.stop("cancel", "again", By("other"))
        driven.ticks(1)
        closed = onlooker.look()
        assert (closed.gateway, closed.gateway_why) == ("halted", why)
        with out.capture() as captured:
            out.print(frame(closed, out))
        screen = captured.get()
        assert f"gateway HALTED: {why}" in screen
        assert f"{by}: emergency_stop cancel: {reason or 'emergency stop by'}" in screen
        assert "tester: pause MomentumScout" in screen
        assert headline(closed).endswith(f"gateway HALTED: {why}")
        assert f"gateway HALTED: {why}" in asyncio.run(ConsoleMonitor(driven.run).lines())[0]
        control.act(ResumeTrading("calm"), BY)
        driven.ticks(1)
        assert (onlooker.look().gateway, onlooker.look().gateway_why) == ("active", "")


def test_an_onlooker_tells_what_is_new_at_the_end_and_once(tmp_path: Path) -> None:
    with DrivenRun(tmp_path, shown=False) as driven:
        control, onlooker = driven.run.control, Onlooker(driven.run)
        told: list[str] = []
        before: tuple[str, ...] = ()
        for command in ("pause", "resume", "pause"):
            control.act(Life(command, ("MomentumScout",)), BY)
            driven.ticks(1)
            now = onlooker.look().events
            told += news(before, now)
            before = now
        assert list(before) == told
        assert [text for text in told if text.startswith("tester: ")] == [
            f"tester: {command} MomentumScout" for command in ("pause", "resume", "pause")
        ]
        assert any(text.startswith("MomentumScout: paused") for text in told)


def test_events_have_one_order_and_numbers_without_a_gap(shown: dict[str, Any]) -> None:
    assert [event["id"] for event in shown["ev"]] == [f"E{i + 1}" for i in range(len(shown["ev"]))]


def test_sources_of_a_live_run_are_told(tmp_path: Path) -> None:
    one = SourceHealth(
        name="binance", state=RunnerState.LIVE, reason="", breaker="closed",
        records={"trade": 7, "quote": 2}, duplicates=1, replayed=0, backfilled=0,
        gaps={"sequence": 2}, filled=1, unfilled=1, conflated=0, dropped=3, pending=4,
        connections=1, reconnects=0, faults={"http": 5}, stale=0, stale_symbols=(),
        silence_ns=250 * MILLISECOND, skew_ns=-3 * MILLISECOND, skew_alarms=0,
    )  # fmt: skip
    with DrivenRun(tmp_path) as driven:
        driven.ticks(1)
        assert plain(driven.panel.look())["src"] == {}
        driven.run.sources = lambda: {"binance": one}
        shown = plain(driven.panel.look())
        row = shown["src"]["binance"]
        assert {name: row[name] for name in ("state", "breaker", "ok", "records", "gaps")} == {
            "state": "live", "breaker": "closed", "ok": True, "records": 9, "gaps": 2,
        }  # fmt: skip
        assert (row["faults"], row["dropped"], row["pending"], row["skew"]) == (5, 3, 4, -3)
        assert row["breaker"] in shown["enums"]["cb"]
        assert shown["wall"] - row["heard"] == 250
        assert (shown["top"]["real"], shown["top"]["speed"]) == (True, None)
        silent = dataclasses.replace(
            one, state=RunnerState.STALE, reason="silence", stale_symbols=("AAA/USD",)
        )
        driven.run.sources = lambda: {"binance": silent}
        shown = plain(driven.panel.look())
        assert (shown["src"]["binance"]["ok"], shown["src"]["binance"]["stale"]) == (
            False, ["AAA/USD"],
        )  # fmt: skip
        event = shown["ev"][-1]
        assert (event["kind"], event["who"], event["sev"]) == ("source", "binance", 1)
        assert event["text"] == "live → stale: silence"


# -- little by little ------------------------------------------------------------------------------


def test_many_small_looks_come_to_the_same_as_one(tmp_path: Path) -> None:
    with DrivenRun(tmp_path, ENTRIES, OWN) as driven:
        channel = Channel(1, driven.panel.build())
        model = ClientModel()
        model.receive(channel.snapshot("hello"))
        for _ in range(60):
            driven.ticks(1)
            frame = channel.advance(driven.panel.build())
            assert frame is not None
            assert model.receive(frame) is Heard.APPLIED
        fresh = AgentTable(driven.run)
        once = fresh.build(1.0)
        fresh.close()
        little = driven.panel.build().agents
        for name in COLUMNS:
            if name in ("id", "kind", "st", "conf", "lean", "t"):
                assert same(little.columns[name], once.columns[name]), name
        watch = Stopwatch()
        while watch.wall_ns() < 10 * SECOND:
            little = driven.panel.build().agents
            if all(same(little.columns[name], once.columns[name]) for name in COLUMNS):
                break
        assert all(same(little.columns[name], once.columns[name]) for name in COLUMNS)
        frame = channel.advance(driven.panel.build())
        if frame is not None:
            model.receive(frame)
        client = ClientModel()
        client.receive(channel.snapshot("hello"))
        assert json.dumps(model.state()) == json.dumps(client.state())


def same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return bool(one == other)
    return bool(np.array_equal(one, other, equal_nan=True))


def test_what_is_the_matter_shows_within_a_second_and_counters_within_five(
    tmp_path: Path,
) -> None:
    with DrivenRun(tmp_path) as driven:
        driven.ticks(1)
        bus = driven.run.swarm.parts.bus
        said = bus.register("said", kind="saying")
        hears = bus.register(
            "hears", kind="hearing", interests=("said",), on_tick=lambda _: hears.acknowledge()
        )
        table = AgentTable(driven.run)
        row = list(table.build(1.0).columns["id"]).index("hears")

        def at(name: str) -> Any:
            # A little less than a second later: no more is looked at than has to be.
            return table.build(0.999).columns[name][row]

        for _ in range(6):
            said.publish({"x": 1.0})
            assert at("mb") == 1
            bus.tick(None, ["hears"])
            assert at("mb") == 0
        calls = bus.statistics("hears").calls
        for _ in range(20):
            bus.tick(None, ["hears"])
        assert calls + 20 in [at("calls") for _ in range(5)]
        table.close()


def test_what_did_not_change_is_the_same_object(driven: DrivenRun) -> None:
    first, second = driven.panel.look(), driven.panel.look()
    assert first.eq is second.eq
    assert first.candles is second.candles
    assert first.tables["ord"] is second.tables["ord"]
    assert first.agents.columns["conf"] is second.agents.columns["conf"]


def test_a_picture_never_changes(driven: DrivenRun) -> None:
    before = driven.panel.look()
    told = json.dumps(plain(before))
    driven.ticks(1)
    driven.panel.look()
    assert json.dumps(plain(before)) == told


# -- the run that is looked at ---------------------------------------------------------------------


def test_a_run_that_is_looked_at_is_the_same_run(tmp_path: Path) -> None:
    marks = []
    for shown in (True, False):
        with DrivenRun(tmp_path / str(shown), ENTRIES, OWN, shown=shown) as driven:
            for _ in range(30):
                driven.ticks(1)
                if shown:
                    driven.panel.build()
        marks.append(driven.outcome.fingerprint)
    assert marks[0] == marks[1]


def test_while_nobody_looks_a_picture_is_made_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at a swarm that is held up by then sees how it was a moment before."""
    monkeypatch.setattr("mirrorcore.interfaces.live.panel.UNSEEN_S", 0.0)
    with DrivenRun(tmp_path) as driven:
        driven.ticks(3)
        assert driven.panel.hub.latest.top["tick"] == 3


def test_while_nobody_looks_hardly_a_picture_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrorcore.interfaces.live.panel.UNSEEN_S", 3600.0)
    with DrivenRun(tmp_path) as driven:
        made: list[Picture] = []
        build = driven.panel.build
        monkeypatch.setattr(driven.panel, "build", lambda *a: made.append(build(*a)) or made[-1])
        driven.ticks(20)
        assert not made
        driven.panel.hub.rate = 10
        driven.ticks(1)
        assert len(made) == 1
        # What happened before is in it all the same.
        assert len(made[0].eq.points) == 21
        driven.panel.hub.rate = 0


def test_a_defect_of_the_view_ends_the_view_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DrivenRun(tmp_path) as driven:
        driven.ticks(1)

        def broken(_: object) -> None:
            raise RuntimeError("no candles")

        monkeypatch.setattr(driven.panel._candles, "note", broken)
        driven.ticks(3)
        assert driven.run.recorder.ticks == 4
        assert list(driven.run.warnings) == ["the live view has ended: RuntimeError: no candles"]
    assert driven.outcome.results.warnings[0].startswith("the live view has ended")


def test_the_end_is_shown_with_the_orders_it_withdraws(tmp_path: Path) -> None:
    with DrivenRun(tmp_path) as driven:
        path = driven.run.swarm.parts.path
        for _ in range(60):
            driven.ticks(1)
            if path.venue.working:
                break
        working = [f"O{order.sequence}" for order in path.venue.working]
        assert working
    last = driven.panel.hub.latest
    for name in working:
        assert last.tables["ord"][name]["status"] == "cancelled"
        assert last.tables["ord"][name]["outcome"] == "end of run"


def test_the_day_begins_at_midnight(tmp_path: Path) -> None:
    day = 24 * 60 * MINUTE
    with DrivenRun(tmp_path, first=280) as driven:
        driven.ticks(20)
        shown = plain(driven.panel.look())
    points = shown["eq"]
    midnight = points[-1][1] * MILLISECOND // day * day
    before = [p[2] for p in points if p[1] * MILLISECOND < midnight]
    assert before, "the run crosses no midnight"
    assert shown["top"]["day"] == pytest.approx(points[-1][2] / before[-1] - 1, abs=1e-5)


def test_whole_has_every_section_of_the_page(driven: DrivenRun) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")
    told = whole(driven.panel.look())
    for section in told:
        assert f"`{section}`" in page, section
    for name in (*told["top"], *COLUMNS):
        assert f"`{name}`" in page, name
    tables = {name: rows for name, rows in told.items() if name in ("pos", "ord", "risk", "dec")}
    for name, rows in tables.items():
        for key in next(iter(rows.values())):
            assert f"`{key}`" in page, f"{name}.{key}"


def test_an_agent_that_comes_later_gets_a_row_of_its_own(tmp_path: Path) -> None:
    with DrivenRun(tmp_path) as driven:
        driven.ticks(2)
        channel = Channel(1, driven.panel.look())
        model = ClientModel()
        model.receive(channel.snapshot("hello"))
        before = model.n
        bus = driven.run.swarm.parts.bus
        handle = bus.register("Late", kind="late")
        handle.publish({"confidence": 0.25})
        model.receive(channel.advance(driven.panel.look()) or b"")
        assert model.n == before + 1
        late = model.agent(before)
        assert (late["id"], late["kind"], late["conf"]) == ("Late", "late", 0.25)
        bus.remove("Late")
        model.receive(channel.advance(driven.panel.look()) or b"")
        assert (model.n, model.agent(before)["st"]) == (before + 1, "removed")
        again = bus.register("Late", kind="late")
        again.publish({"confidence": 0.5})
        model.receive(channel.advance(driven.panel.look()) or b"")
        agent = model.agent(before)
        assert (model.n, agent["st"], agent["conf"]) == (before + 1, "running", 0.5)


def test_what_a_closed_gateway_held_back_has_no_amount() -> None:
    """Once `asked 0, got 0` for every symbol after a stop."""
    hits = HitLog()
    clips = Clips(hits, ["BTC/USDT"])
    hits.note(0, "gateway", 0, 0.0, 0.0)
    hits.note(0, "gross", None, 1.75, 1.5)
    texts = [text for _, _, _, text in clips.take_firsts()]
    assert texts == [
        "BTC/USDT: an order was not let through", "the whole book: asked 1.75, got 1.5",
    ]  # fmt: skip
