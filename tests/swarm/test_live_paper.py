"""A paper swarm on a live venue: the local exchange on real sockets, in a thread of its own."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from live_world import SYMBOLS, configured, ended_when, served

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.live import SourceError
from mirrorcore.errors import ConfigError, DataError
from mirrorcore.exchange.faults import Fault
from mirrorcore.journal import JournalReader, RunInfo, RunRegistry
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.records import Bar, FeedRecord, Record, Trade
from mirrorcore.swarm.control.actions import AdjustRisk, By, Life
from mirrorcore.swarm.control.requests import Done
from mirrorcore.swarm.feeds import open_feed, open_sources
from mirrorcore.swarm.live_history import FILE, LiveHistory
from mirrorcore.swarm.live_paper import LiveOutcome, run_live
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.sources import open_source


def traded(
    folder: Path, faults: Sequence[Fault] = (), **more: Any
) -> tuple[LiveOutcome, RunInfo, list[FeedRecord]]:
    """Some seconds of a run, and every record that it was shown."""
    shown: list[FeedRecord] = []
    with served(faults) as url:
        config = configured(folder, url, **more)
        ended = run_live(config, open_feed(config), seconds=4.0, shown=shown.extend)
    return ended, RunRegistry(folder).find(ended.outcome.run_id), shown


def test_a_run_on_sockets_is_journalled_whole_and_comes_out_the_same_again(
    tmp_path: Path,
) -> None:
    ended, recorded, shown = traded(tmp_path, [Fault(kind="drop", at=1.5)])
    identity = ended.outcome.results.identity
    assert identity.status == "finished"
    assert identity.ticks >= 2
    assert ended.outcome.results.accounting_residual == 0
    health = ended.health["binance"]
    assert health.faults == {"connection": 1}
    assert health.state == "live"
    for symbol in SYMBOLS:
        seqs = [one.seq for one in shown if isinstance(one, Trade) and one.symbol == symbol]
        assert sorted(seqs) == list(range(min(seqs), min(seqs) + len(seqs)))
    with JournalReader(recorded.journal) as reader:
        ticks = list(reader.bodies("input", list[Record]))
    assert sum(isinstance(one, Bar) for _, records in ticks for one in records) >= 2
    again = rerun(recorded)
    assert again.same, again.differing


def test_commands_between_ticks_of_a_live_market_are_carried_out_and_repeated(
    tmp_path: Path,
) -> None:
    """Also while the market is waited for: the answer comes before the next tick."""
    asked: list[Future[Done]] = []

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        def command() -> None:
            ticks = run.recorder.ticks
            by = By("tester")
            if ticks == 1 and not asked:
                asked.append(run.control.act(Life("pause", ("MomentumScout",)), by))
                asked.append(run.control.act(AdjustRisk("gross", 0.01), by))
            elif ticks == 2 and len(asked) == 2:
                thread = threading.Thread(
                    target=lambda: asked.append(run.control.stop("flatten", "enough", by))
                )
                thread.start()
                thread.join()

        run.control.on_change.append(command)
        yield

    with served() as url:
        config = configured(tmp_path, url)
        ended = run_live(config, open_feed(config), seconds=4.0, attach=attach)
    done = [future.result() for future in asked]
    assert len(done) == 3
    assert done[0].acked == ["MomentumScout"]
    assert done[2].result["gateway"] == "halted"
    assert done[2].ms < 900, "a bar lasts a second, and nobody waits for it"
    recorded = RunRegistry(tmp_path).find(ended.outcome.run_id)
    again = rerun(recorded)
    assert again.same, again.differing


def test_commands_before_the_first_tick_are_repeated_at_the_instant_they_were_given(
    tmp_path: Path,
) -> None:
    (tmp_path / "hears.py").write_text(
        textwrap.dedent("""
            from mirrorcore import StateField, TickAgent

            class Hears(TickAgent):
                state = {"heard": StateField("when it heard of a stop, ns")}
                votes = False

                def on_signal(self, command):
                    self.handle.publish({"heard": float(self.clock.now())})

                def _analyze(self, tick):
                    return None
        """)
    )
    said: list[Future[Done]] = []

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        said.append(run.control.stop("cancel", "not yet", By("tester")))
        yield

    with served() as url:
        config = configured(
            tmp_path, url, agent=[{"id": "Hears", "file": str(tmp_path / "hears.py")}]
        )
        ended = run_live(config, open_feed(config), seconds=3.0, attach=attach)
    recorded = RunRegistry(tmp_path).find(ended.outcome.run_id)
    with JournalReader(recorded.journal) as reader:
        (begun,) = reader.entries("begin")
        (command,) = reader.entries("command")
        first = next(reader.entries("input"))
    assert command.body["tick"] == begun.body["tick"] == said[0].result().tick
    assert begun.ts == command.ts == ended.outcome.results.identity.period_start
    assert begun.ts != first.ts - ended.outcome.results.identity.bar_ns
    again = rerun(recorded)
    assert again.same, again.differing
    assert again.outcome.results.identity.period_start == begun.ts


def test_the_bars_of_a_run_are_the_venues_own_where_its_candles_are_listened_to(
    tmp_path: Path,
) -> None:
    with served() as url:
        config = configured(
            tmp_path,
            url,
            sources=[
                {"kind": "exchange", "url": url, "params": {"venue": "binance", "candles": True}}
            ],
        )
        ended = run_live(config, open_feed(config), sources=open_sources(config, {}), seconds=5.0)
    # How many can be compared is a question of the machine: a starved one has a clock to correct.
    assert (ended.bars.different, ended.bars.missing) == (0, 0)
    assert list(ended.health["exchange"].records) == ["bar"]


def test_a_limit_and_a_page_of_a_gateway_before_the_run_end_none(tmp_path: Path) -> None:
    faults = [Fault(kind="html"), Fault(kind="rate_limit", target="klines")]
    with served(faults) as url:
        config = configured(tmp_path, url)
        ended = run_live(
            config, open_feed(config), seconds=60.0, attach=ended_when(lambda run: True)
        )
    assert ended.outcome.results.identity.status == "interrupted"  # by us, after its first tick


def test_a_venue_that_only_sends_pages_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    with served([Fault(kind="html", count=0, seconds=60)]) as url:
        config = configured(tmp_path, url)
        with pytest.raises(SourceError, match="a page came instead of data"):
            run_live(config, open_feed(config), seconds=1.0)
    assert not any(tmp_path.iterdir()), "a run that did not begin leaves nothing"


def test_a_symbol_that_falls_silent_is_halted_in_the_journal(tmp_path: Path) -> None:
    silence = Fault(kind="stale", at=0.5, seconds=10.0, target="btcusdt")
    ended, recorded, _ = traded(tmp_path, [silence], **{"exchange.stale_after": "1s"})
    with JournalReader(recorded.journal) as reader:
        told = [dict(entry.body["causes"]) for entry in reader.entries("halts")]
    assert {0: "stale"} in told
    (remark,) = [one for one in ended.outcome.results.warnings if "took no new risk" in one]
    assert remark.startswith("BTC/USDT took no new risk in ")
    assert remark.endswith(" ticks: stale")
    again = rerun(recorded)
    assert again.same
    repeated = RunRegistry(tmp_path).find(again.outcome.run_id)
    assert rerun(repeated).same, "what was repeated can be repeated in turn"


def test_a_clients_own_defect_costs_one_connection_and_no_trade(tmp_path: Path) -> None:
    """Half a message ends its reader without a word; only silence would show it."""
    half = Fault(kind="malformed", at=0.5, target="btcusdt@aggTrade")
    ended, _, shown = traded(tmp_path, [half])
    health = ended.health["binance"]
    assert health.faults == {"client": 1}
    assert health.breaker == "closed"
    assert health.state == "live"
    assert any("outside of any call" in one for one in ended.outcome.results.warnings)
    seqs = [one.seq for one in shown if isinstance(one, Trade) and one.symbol == SYMBOLS[0]]
    assert sorted(seqs) == list(range(min(seqs), min(seqs) + len(seqs)))


def test_a_venue_that_is_not_there_leaves_no_run_behind(tmp_path: Path) -> None:
    config = configured(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(SourceError, match="no connection"):
        run_live(config, open_feed(config), seconds=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_live_market_has_no_history_to_backtest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no history"):
        open_source(configured(tmp_path, "http://127.0.0.1:1"))


def test_a_live_market_needs_its_symbols_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="named for an exchange"):
        configured(tmp_path, "http://127.0.0.1:1", **{"market.symbols": 3})


def bar(minute: int, close: float = 1.0) -> Bar:
    start = 1_700_000_000 * SECOND + minute * 60 * SECOND
    return Bar(
        source="v", symbol="A/B", ts_event=start, ts_recv=start + 60 * SECOND,
        ts_avail=start + 60 * SECOND, open=1.0, high=close, low=1.0, close=close, volume=1.0,
    )  # fmt: skip


def test_the_candles_of_the_warm_up_are_kept_with_the_run(tmp_path: Path) -> None:
    history = LiveHistory("v", [undescribed("A/B")], 60 * SECOND, [bar(0), bar(1), bar(2)])
    assert history.ticks_total() == 3
    assert history.last_ts == bar(2).ts_avail
    history.save(tmp_path)
    again = LiveHistory.load(tmp_path)
    assert again.digest() == history.digest()
    assert again.instruments == history.instruments
    assert [float(block.close[0, 0]) for block in again.blocks(max_rows=1)] == [1.0, 1.0, 1.0]
    other = LiveHistory("v", [undescribed("A/B")], 60 * SECOND, [bar(0), bar(1), bar(2, 2.0)])
    assert other.digest() != history.digest()


@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_candles_that_are_gone_or_damaged_are_said_so(damage: str, tmp_path: Path) -> None:
    if damage == "cut":
        LiveHistory("v", [undescribed("A/B")], 60 * SECOND, [bar(0)]).save(tmp_path)
        whole = (tmp_path / FILE).read_bytes()
        (tmp_path / FILE).write_bytes(whole[:-9])
    with pytest.raises(DataError, match="cannot be read") as told:
        LiveHistory.load(tmp_path)
    assert "own folder" in told.value.hint
