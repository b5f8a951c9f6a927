"""Why: every answer comes out of the run's own stretch, run again, and is compared with it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from swarm_world import candles, configured, entries, on_candles

from mirrorcore.errors import UsageError
from mirrorcore.journal import JournalError, JournalReader, RunInfo, RunRegistry
from mirrorcore.journal.coding import encode
from mirrorcore.report.explanation import Explanation
from mirrorcore.report.why_screen import why_lines
from mirrorcore.swarm import engine, recorded, replay
from mirrorcore.swarm import run as running
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.why import explain, explain_all, what_there_is

EVERY = 256
"""Ticks between checkpoints in these tests, so that a short run has several."""

GUIDE = """
    import asyncio

    from mirrorcore import BaseAgent


    class Dip(BaseAgent):
        def __init__(self, agent_id, interests=("technical",)):
            super().__init__(agent_id, list(interests))
            self.last = {}

        async def _analyze(self, relevant_data):
            await asyncio.sleep(0.01)
            votes = {}
            for symbol, values in relevant_data["technical"].items():
                last = self.last.get(symbol, values["close"])
                self.last[symbol] = values["close"]
                votes[symbol] = max(-1.0, min(1.0, 100 * (last / values["close"] - 1)))
            return {"signal": votes}


    class Cannot(Dip):
        '''Holds what no checkpoint can encode.'''

        def __init__(self, agent_id, interests=("technical",)):
            super().__init__(agent_id, interests)
            self.held = {object()}


    class Forgets(Dip):
        '''Says that it can be continued, and leaves out what matters.'''

        def remember(self):
            return {"last": {}}
"""


@pytest.fixture(autouse=True)
def _frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, running, recorded):
        monkeypatch.setattr(module, "CHECKPOINT_TICKS", EVERY)


def replayed(folder: Path, text: str = "", agents: str = "", **settings: object) -> RunInfo:
    config = configured(folder, text, agents, **settings)
    outcome = replay_history(config, block_rows=EVERY)
    return RunRegistry(outcome.path.parent).find(outcome.run_id)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunInfo:
    with pytest.MonkeyPatch.context() as patch:
        for module in (engine, running, recorded):
            patch.setattr(module, "CHECKPOINT_TICKS", EVERY)
        # Cheap to trade, so that a few days have trades enough.
        return replayed(tmp_path_factory.mktemp("run"), costs__fee_bps=1, costs__slippage_bps=1)


def trades_of(info: RunInfo) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((info.path / "results.json").read_text())["trades"]
    return found


def check_sums(answer: Explanation) -> int:
    """The pulls shown add up to the edges shown; how many decisions were looked at."""
    for decision in answer.decisions:
        fusion = decision.fusion
        assert fusion is not None
        pulls = [vote.pull for vote in decision.votes]
        market = [vote.market_pull for vote in decision.votes]
        assert sum(p for p in pulls if p is not None) == pytest.approx(fusion.edge, abs=1e-15)
        assert sum(p for p in market if p is not None) == pytest.approx(
            fusion.market_edge, abs=1e-15
        )
        assert decision.wanted == pytest.approx(decision.target * decision.gate.share, abs=1e-15)
        assert decision.gate.factors.keys() >= {"m_ego", "m_fear", "m_herd", "m_risk"}
        for read in decision.reads:
            if read.known_at is not None:
                assert read.known_at <= decision.ts
                assert read.age_ns == decision.ts - read.known_at
    return len(answer.decisions)


# -- what is answered -----------------------------------------------------------------------------


def test_every_trade_of_a_run_is_explained_by_an_equal_stretch(run: RunInfo) -> None:
    trades = trades_of(run)
    assert len(trades) >= 4
    assert any(not trade["is_open"] for trade in trades)
    answers = explain_all(run, [str(trade["id"]) for trade in trades])
    for trade, answer in zip(trades, answers, strict=True):
        assert answer.proof.same is True
        assert answer.proof.orders_compared > 0
        assert answer.trade is not None
        assert (answer.id, answer.trade.symbol) == (trade["id"], trade["symbol"])
        assert answer.trade.side == trade["side"]
        assert float(answer.trade.entry) == trade["open_price"]
        assert check_sums(answer) == len(answer.orders)
        assert answer.orders[0].id == answer.trade.opened_by
        # The first decision is that of the order which opened it, at that order's instant.
        assert [d.ts for d in answer.decisions] == [order.ts for order in answer.orders]
        if not answer.trade.is_open:
            assert float(answer.trade.net) == pytest.approx(trade["pnl"])
            assert answer.orders[-1].id == answer.trade.closed_by
        assert answer.trade.symbol in answer.headline


def test_a_run_whose_decisions_came_late_is_run_again_as_late(tmp_path: Path) -> None:
    config = configured(tmp_path, costs__fee_bps=0, costs__slippage_bps=0)
    outcome = replay_history(config, block_rows=EVERY, delay=2)
    info = RunRegistry(outcome.path.parent).find(outcome.run_id)
    late = [trade["id"] for trade in trades_of(info)][-3:]
    for answer in explain_all(info, [str(name) for name in late]):
        assert answer.proof.same is True
        assert answer.proof.begun_at[0] is not None
        assert answer.proof.orders_compared > 0


def test_the_last_is_the_trade_that_was_closed_last(run: RunInfo) -> None:
    names = [str(one["id"]) for one in trades_of(run) if not one["is_open"]]
    closed = [answer.trade for answer in explain_all(run, names)]
    ended = max((one.closed or 0, int(one.id[1:])) for one in closed if one is not None)
    answer = explain(run, "last")
    assert answer.trade is not None
    assert (answer.trade.closed, int(answer.trade.id[1:])) == ended
    document = json.loads(json.dumps(answer.document(), default=str))
    assert why_lines(Explanation.read(document), 100) == why_lines(answer, 100)
    screen = " ".join(why_lines(answer, 100))
    assert f"Trade {answer.trade.id} " in screen
    assert "so far" not in screen, "it is over"


def test_of_a_thousand_votes_those_that_pulled_most_are_shown(run: RunInfo) -> None:
    answer = explain(run, "D500 BBB/USD")
    (decision,) = answer.decisions
    first = decision.votes[0]
    many = [replace(first, agent=f"V{at}", pull=0.001 * at, market_pull=0.0) for at in range(1000)]
    crowd = replace(answer, decisions=(replace(decision, votes=tuple(many)),))
    lines = why_lines(crowd, 100)
    shown = [line.split()[0] for line in lines if line.strip().startswith("V")]
    assert shown == [f"V{at}" for at in range(988, 1000)], "in their own order"
    others = next(line for line in lines if "988 others" in line)
    assert f"{sum(0.001 * at for at in range(988)):+.4f}" in others
    few = replace(answer, decisions=(replace(decision, votes=tuple(many[:12])),))
    assert "others" not in "".join(why_lines(few, 100))


def test_an_order_and_its_fill(run: RunInfo) -> None:
    with JournalReader(run.journal) as reader:
        fills = [entry.body for entry in reader.entries("fill")]
    client_id, sequence, _, ts, _, lots, *_ = fills[len(fills) // 2]
    by_number, by_id, fill = explain_all(run, [f"O{sequence}", client_id, f"{client_id}/1"])
    assert by_number.document() == by_id.document()
    assert by_number.orders[0].status == "filled"
    assert by_number.orders[0].id in by_number.decisions[0].orders
    assert fill.kind == "fill"
    assert fill.fills[0].ts == ts
    assert (fill.fills[0].quantity > 0) == (int(lots) > 0)
    assert by_number.trades
    assert check_sums(by_number) == 1


def test_a_decision_by_tick_and_by_instant(run: RunInfo) -> None:
    by_tick = explain(run, "D500 BBB/USD")
    assert by_tick.decisions[0].tick == 500
    assert by_tick.decisions[0].symbol == "BBB/USD"
    assert by_tick.proof.begun_at == (256,)
    assert by_tick.proof.ticks == EVERY
    # Tick 500 closes 501 bars of five minutes after the start; minutes later it is still the last.
    for asked in ("2025-01-02T17:45 BBB/USD", "2025-01-02 17:47 bbb/usd"):
        assert explain(run, asked).document()["decisions"] == by_tick.document()["decisions"]
    at_the_end = explain(run, "2025-01-02T21:21")
    assert at_the_end.decisions[0].tick == 543
    most = max(at_the_end.decisions[0].book, key=lambda line: abs(line.wanted - line.held))
    assert at_the_end.decisions[0].symbol == most.symbol


def test_what_is_shown_of_a_decision_is_what_the_journal_has(run: RunInfo) -> None:
    with JournalReader(run.journal) as reader:
        decisions = [entry.body for entry in reader.entries("decision")]
    tick, share, wanted = decisions[-1]
    shown = explain(run, f"D{tick}").decisions[0]
    assert shown.gate.share == share
    assert [line.wanted for line in shown.book] == wanted


def test_the_list_of_what_there_is(run: RunInfo) -> None:
    trades, orders, ticks = what_there_is(run, 3)
    assert len(trades) == len(orders) == 3
    assert trades[-1].startswith(str(trades_of(run)[-1]["id"]).partition(" ")[0][:1])
    assert ticks == ["D0", "D799"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("T999", "its trades are T1 to T"),
        ("O99999", "its orders are O1 to O"),
        ("nothing-99", "its orders are O1 to O"),
        ("D800", "its ticks are D0 to D799"),
        ("D5 BBB/USX", "did you mean BBB/USD"),
        ("D5/1", "ask for T12"),
        ("hello", "ask for T12"),
        ("", "ask for T12"),
        ("2025-13-01T00:00", "write it as 2025-03-01T12:05"),
        ("2031-01-01", "it ends at 2025-01-03"),
        ("2019-01-01", "its decisions are from 2025-01-0"),
        ("2025-01-01T00:01 AAA/USD", "its decisions are from 2025-01-0"),
        ("O1/7", "it "),
    ],
)
def test_an_id_that_is_none_says_what_there_is(run: RunInfo, asked: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(run, asked)
    assert says in caught.value.hint


def test_a_part_that_several_orders_have_is_ambiguous(run: RunInfo) -> None:
    prefix = f"{run.id[-8:]}-1"
    assert explain(run, prefix).id == prefix
    with pytest.raises(UsageError, match="orders fit"):
        explain(run, f"{run.id[-8:]}-")


# -- limits ---------------------------------------------------------------------------------------


def test_a_clipped_order_names_its_limit_with_what_was_asked_and_allowed(tmp_path: Path) -> None:
    info = replayed(tmp_path, risk__net=0.002)
    with JournalReader(info.journal) as reader:
        hits = [entry.body for entry in reader.entries("limit")]
        orders = [entry.body for entry in reader.entries("order")]
    assert any(hit["limit"] == "net" for hit in hits)
    answers = explain_all(info, [str(order[0]) for order in orders[:40]])
    clips = [clip for a in answers for d in a.decisions for clip in d.clips]
    assert clips
    for clip in clips:
        assert clip.limit == "net"
        assert abs(clip.allowed) < abs(clip.asked)
    clipped = next(a for a in answers if a.decisions[0].clips)
    assert clipped.decisions[0].clips[0].limit in clipped.headline


def test_a_vetoed_order_names_the_cause(tmp_path: Path) -> None:
    info = replayed(tmp_path, risk__orders_per_minute=1)
    with JournalReader(info.journal) as reader:
        orders = [entry.body for entry in reader.entries("order")]
    vetoed = [order for order in orders if "vetoed" in order]
    assert vetoed
    answer = explain(info, vetoed[0][0])
    assert answer.orders[0].status == "vetoed"
    assert answer.orders[0].outcome == "order_rate"
    assert "order_rate vetoed it" in answer.headline
    assert any(clip.limit == "order_rate" for clip in answer.decisions[0].clips)
    assert answer.orders[0].id in answer.decisions[0].orders
    assert answer.proof.same is True


def test_an_order_that_a_drawdown_forced_says_so(tmp_path: Path) -> None:
    info = replayed(tmp_path, risk__drawdown=0.0003, costs__fee_bps=1)
    with JournalReader(info.journal) as reader:
        orders = [entry.body for entry in reader.entries("order")]
    forced = [order for order in orders if "drawdown" in order]
    assert forced
    answer = explain(info, forced[0][0])
    assert answer.orders[0].reason == "drawdown"
    assert answer.decisions[0].blocked == ("drawdown",)
    assert answer.decisions[0].gateway == "reducing"
    assert "on account of drawdown" in answer.headline
    # Long after the tick at which it tripped, it is still what keeps the book flat.
    later = explain(info, "D799")
    assert later.decisions[0].blocked == ("drawdown",)
    assert "the drawdown limit has been reached" in later.headline
    assert later.proof.same is True


# -- own agents, faults, paper --------------------------------------------------------------------


def test_own_agents_in_the_guides_form_and_faults(tmp_path: Path) -> None:
    faults = '\n[[faults]]\nagent = "ChainWatcher"\nat = 300\ncount = 7\n'
    info = replayed(tmp_path, entries(["Dip"]) + faults, GUIDE)
    answers = explain_all(info, ["D310", "D600", str(trades_of(info)[-1]["id"])])
    assert all(answer.proof.same for answer in answers)
    # Its stretch begins where ChainWatcher is already isolated or back again.
    later = explain(info, "D600 AAA/USD")
    assert later.proof.begun_at == (512,)
    dip = next(vote for vote in later.decisions[0].votes if vote.agent == "Dip")
    assert dip.forecast is not None
    assert "AAA/USD" in later.decisions[0].symbol
    assert any(read.readers[-1:] == ("Dip",) for read in later.decisions[0].reads)


def test_an_agent_that_cannot_be_encoded_has_the_run_begin_at_its_start(tmp_path: Path) -> None:
    info = replayed(tmp_path, entries(["Cannot"]), GUIDE)
    with JournalReader(info.journal) as reader:
        assert list(reader.entries("checkpoint")) == []
    answer = explain(info, "D600")
    assert answer.proof.begun_at == (None,)
    assert answer.proof.same is True
    assert answer.proof.blocks == 3


def test_an_agent_that_forgets_is_found_out_and_the_start_serves(tmp_path: Path) -> None:
    info = replayed(tmp_path, entries(["Forgets"]), GUIDE)
    answer = explain(info, "D600")
    assert answer.proof.begun_at == (None,)
    assert answer.proof.same is True
    assert "does not remember" in answer.proof.remarks[0]


def test_a_paper_run_is_explained_from_its_records(tmp_path: Path) -> None:
    config = configured(
        tmp_path, entries(["Dip"]), GUIDE, market__bars=360, paper__speed=1_000_000.0
    )
    outcome = run_paper(config, start_tick=230)
    info = RunRegistry(outcome.path.parent).find(outcome.run_id)
    # Before the first checkpoint it begins after the warm-up, which is not run again.
    early, late = explain(info, "D240"), explain(info, "D350")
    assert early.proof.begun_at == (230,)
    assert early.proof.ticks == 11
    assert (early.proof.same, late.proof.same) == (True, True)
    assert late.proof.begun_at[0] in (230, 256)
    for trade in trades_of(info)[:3]:
        assert explain(info, str(trade["id"])).proof.same is True


def test_a_run_that_was_killed_is_explained_as_far_as_it_got(tmp_path: Path) -> None:
    """Its journal has what was on disk; here, cut off after its second checkpoint."""
    info = replayed(tmp_path)
    with sqlite3.connect(info.journal) as journal:
        (last,) = journal.execute(
            "SELECT seq FROM entries WHERE kind = 'checkpoint' ORDER BY seq LIMIT 1 OFFSET 1"
        ).fetchone()
        journal.execute("DELETE FROM entries WHERE seq > ?", (last,))
    identity = {k: v for k, v in info.identity.items() if k not in ("journal_head", "fingerprint")}
    killed = RunInfo(info.id, info.path, info.status, identity, info.created_ns)
    assert explain(killed, "D511").proof.same is True
    with pytest.raises(UsageError, match="no decision D512"):
        explain(killed, "D512")
    trades, orders, _ = what_there_is(killed, 100)
    assert trades
    assert explain(killed, orders[-1].split()[0]).proof.same is True


def test_orders_of_a_block_whose_hash_was_lost_are_shown_as_not_proven(tmp_path: Path) -> None:
    info = replayed(tmp_path, market__bars=500)
    with sqlite3.connect(info.journal) as journal:
        (last,) = journal.execute("SELECT max(seq) FROM entries WHERE kind = 'block'").fetchone()
        journal.execute("DELETE FROM entries WHERE seq >= ?", (last,))
    identity = {k: v for k, v in info.identity.items() if k != "journal_head"}
    killed = RunInfo(info.id, info.path, info.status, identity, info.created_ns)
    with JournalReader(killed.journal) as reader:
        orders = [entry.body for entry in reader.entries("order")]
    late = [order for order in orders if order[3] > 1_735_689_600_000_000_000 + 257 * 300 * 10**9]
    assert late
    assert explain(killed, late[0][0]).proof.same is None


# -- tampering ------------------------------------------------------------------------------------


def altered(info: RunInfo, into: Path) -> RunInfo:
    shutil.copytree(info.path, into / info.path.name)
    return RunRegistry(into).find(info.id)


@pytest.mark.parametrize("kind", ["checkpoint", "block", "order", "decision"])
def test_a_journal_in_which_a_bit_was_flipped_is_not_believed(
    run: RunInfo, tmp_path: Path, kind: str
) -> None:
    info = altered(run, tmp_path)
    with sqlite3.connect(info.journal) as journal:
        seq, body = journal.execute(
            "SELECT seq, body FROM entries WHERE kind = ? ORDER BY seq LIMIT 1", (kind,)
        ).fetchone()
        flipped = bytearray(body)
        flipped[len(body) // 2] ^= 1
        journal.execute("UPDATE entries SET body = ? WHERE seq = ?", (bytes(flipped), seq))
    with pytest.raises(JournalError, match=f"entry {seq} "):
        explain(info, "D600")


def test_a_market_that_was_changed_is_reported_and_shown(tmp_path: Path) -> None:
    data = candles(tmp_path / "data", ticks=600)
    config = on_candles(tmp_path / "run", data)
    outcome = replay_history(config, block_rows=EVERY)
    info = RunRegistry(outcome.path.parent).find(outcome.run_id)
    assert explain(info, "D400").proof.same is True
    file = sorted(data.glob("*.parquet"))[0]
    bars = pl.read_parquet(file)
    close = bars["close"].to_numpy().copy()
    close[300] = np.nextafter(close[300], 0) * 0.999
    low = np.minimum(bars["low"].to_numpy(), close)
    bars.with_columns(close=pl.Series(close), low=pl.Series(low)).write_parquet(file)
    changed = explain(info, "D400")
    assert changed.proof.same is False
    assert changed.proof.changes[0].startswith("the market: digest")
    assert "decisions of ticks 256 to 511" in changed.proof.differing[0]
    # Before the changed bar everything is as it was, and said so beside the change.
    before = explain(info, "D200")
    assert before.proof.same is True
    assert before.proof.changes


def test_a_hash_that_the_run_does_not_give_is_reported(tmp_path: Path) -> None:
    """A journal rewritten as a whole, its chain intact, is found out by running again."""
    from mirrorcore.journal.entries import GENESIS, link

    info = replayed(tmp_path, market__bars=300)
    with sqlite3.connect(info.journal) as journal:
        rows = journal.execute("SELECT seq, ts, kind, body FROM entries ORDER BY seq").fetchall()
        head = GENESIS
        for seq, ts, kind, body in rows:
            if kind == "block":
                body = encode({"first": 0, "ticks": 256, "decisions": "0" * 32})
            head = link(head, seq, ts, kind, body)
            journal.execute(
                "UPDATE entries SET body = ?, hash = ? WHERE seq = ?", (body, head, seq)
            )
    identity = {**info.identity, "journal_head": head.hex()}
    forged = RunInfo(info.id, info.path, info.status, identity, info.created_ns)
    answer = explain(forged, "D100")
    assert answer.proof.same is False
    assert "recorded 000000000000" in answer.proof.differing[0]


def test_checkpoints_leave_the_fingerprint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_them = replayed(tmp_path / "with")
    monkeypatch.setattr(running, "capture", lambda *_: None)
    without = replayed(tmp_path / "without")
    with JournalReader(with_them.journal) as reader:
        assert reader.counts()["checkpoint"] == 3
    with JournalReader(without.journal) as reader:
        assert "checkpoint" not in reader.counts()
    assert with_them.identity["fingerprint"] == without.identity["fingerprint"]
    assert replay.CHECKPOINT_TICKS == 4096
