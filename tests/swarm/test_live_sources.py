"""What a live run hears beside its venue: true servers, and some that fail, on one machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import live_world
import polled_servers
import pytest

from mirrorcore.clock import DAY, HOUR, SECOND, iso, wall_now
from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.running.states import RunnerState
from mirrorcore.errors import ConfigError, DataError
from mirrorcore.journal import JournalReader, RunInfo, RunRegistry
from mirrorcore.market.records import Bar, FeedRecord, Text
from mirrorcore.swarm.feeds import open_feed, open_sources
from mirrorcore.swarm.live_paper import LiveOutcome, run_live
from mirrorcore.swarm.live_sources import believed_tokens
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.source_remarks import SourceRemarks

BTC, ETH = live_world.SYMBOLS
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
POOL = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"


def rss(*titles: str) -> bytes:
    when = format_datetime(datetime.fromtimestamp((wall_now() - HOUR) // SECOND, UTC))
    items = "".join(
        f"<item><title>{title}</title><link>http://news.test/{number}</link>"
        f"<guid>{number}</guid><pubDate>{when}</pubDate></item>"
        for number, title in enumerate(titles)
    )
    channel = f"<channel><title>News</title><link>http://news.test</link>{items}</channel>"
    return f'<?xml version="1.0"?><rss version="2.0">{channel}</rss>'.encode()


def traded(folder: Path, world: polled_servers.World) -> tuple[LiveOutcome, RunInfo, list[Any]]:
    """Beside a mood, a feed, a second venue, a document without the value and a node that nobody
    runs, until all of them were heard or have failed."""
    shown: list[FeedRecord] = []

    def heard(run: Run) -> bool:
        failed = all(run.sources()[name].faults for name in ("json", "ethereum"))
        named = {one.source for one in shown} >= {"fear_greed", "wire", "second"}
        return run.recorder.ticks >= 2 and failed and named

    with live_world.served() as url, live_world.services(world) as base:
        # By another name it is another host, with a limit of its own.
        elsewhere = base.replace("127.0.0.1", "localhost")
        supply = {"name": "fundamental.supply", "value": "coins", "unit": "coins"}
        sources = [
            {"kind": "fear_greed", "url": base},
            {"kind": "feed", "name": "wire", "url": f"{base}/feed"},
            {"kind": "exchange", "name": "second", "url": url, "params": {"venue": "binance"}},
            {"kind": "json", "url": f"{elsewhere}/json/other", "params": {"series": [supply]}},
            {"kind": "ethereum", "url": "http://127.0.0.1:1"},
            {"kind": "calendar", "params": {"file": str(folder / "unlocks.csv")}},
        ]
        unlocks(folder, "1", symbol="X/USD")
        config = live_world.configured(folder, url, sources=sources)
        ended = run_live(
            config,
            open_feed(config),
            sources=open_sources(config, {}),
            seconds=60.0,
            shown=shown.extend,
            attach=live_world.ended_when(heard),
        )
    return ended, RunRegistry(folder).find(ended.outcome.run_id), shown


def test_the_categories_hold_what_services_bring_and_one_that_fails_stops_nothing(
    tmp_path: Path,
) -> None:
    world = polled_servers.World(
        fear=[(wall_now() // SECOND - 3600, "25")],
        feed=rss("Bitcoin soars to record high", "Ethereum plunges after huge hack"),
        documents={"other": {"amount": 1}},
    )
    ended, recorded, shown = traded(tmp_path, world)
    identity = ended.outcome.results.identity
    assert identity.status == "interrupted"  # by us, when everything had been heard
    assert identity.ticks >= 2
    assert sum(isinstance(one, Text) for one in shown) == 2

    records, block = live_world.journalled(recorded)
    view = block.view(0, live_world.SYMBOLS)["sentiment"]
    for symbol in (BTC, ETH):
        mood = view[symbol]
        assert mood["fear_greed"] == 25
        for name, unit, source in (
            ("fear_greed", "index", "fear_greed"),
            ("news", "share", "news"),
            ("news_count", "headlines", "news"),
        ):
            assert (mood.unit(name), mood.source(name)) == (unit, source)
            age = mood.age_ns(name)
            assert age is not None
            assert 0 < age < 30 * SECOND
    assert view[BTC]["news"] > 0 > view[ETH]["news"]
    # Two venues bring trades; bars and books are those of the one that is traded on.
    assert {one.source for one in records if isinstance(one, Bar)} == {"binance"}
    assert any(one.source == "second" for one in shown)
    (odd,) = (one for one in ended.outcome.results.warnings if one.startswith("source calendar"))
    assert "X/USD is not in this run" in odd

    health = ended.health
    assert next(iter(health)) == "binance"
    assert health["fear_greed"].state is health["wire"].state is RunnerState.LIVE
    assert health["wire"].records == {"text": 2}
    for name in ("json", "ethereum"):
        assert sum(health[name].faults.values()) >= 1
        assert health[name].state is not RunnerState.LIVE
        assert health[name].records.get("observation", 0) == 0
    with JournalReader(recorded.journal) as reader:
        assert [entry for entry in reader.entries("halts") if entry.body["causes"]] == []
    again = rerun(recorded)
    assert again.same, again.differing


def opened(tmp_path: Path, text: str, environment: Mapping[str, str]) -> dict[str, list[Any]]:
    config = configured(tmp_path, text)
    return {kind: list(found) for kind, found in open_sources(config, environment).items()}


def configured(tmp_path: Path, text: str) -> RunConfig:
    file = tmp_path / "mirrorcore.toml"
    market = '[market]\nsource = "exchange"\nsymbols = ["BTC/USDT", "ETH/USDT"]\n'
    file.write_text(market + text, encoding="utf-8")
    return load_config(file, {}).config


EVERYTHING = f"""
[[sources]]
kind = "fred"
params = {{ series = [{{ id = "VIXCLS", name = "macro.vix", unit = "index points" }}] }}
[[sources]]
kind = "ecb"
params = {{ currencies = ["USD"] }}
[[sources]]
kind = "reddit"
params = {{ subreddit = "bitcoin", user_agent = "linux:test:1 (by /u/nobody)" }}
[[sources]]
kind = "x"
params = {{ query = "bitcoin" }}
[[sources]]
kind = "dune"
symbols = ["BTC/USDT", "ETH/USDT"]
params = {{ query = 7, series = {{ active = "onchain.active" }}, symbol_column = "pair" }}
[[sources]]
kind = "ethereum"
name = "mainnet"
[sources.params]
node = "NODE"
exchanges = ["{POOL}"]
markets = {{ ETH = "ETH/USDT" }}
tokens = [{{ address = "{USDC}", symbol = "USDC", decimals = 6, threshold = 100000 }}]
[[sources]]
kind = "uniswap_v3"
url = "http://127.0.0.1:8545"
[[sources.params.pools]]
address = "{POOL}"
symbol = "ETH/USDT"
base = {{ address = "{WETH}", symbol = "WETH", decimals = 18 }}
quote = {{ address = "{USDC}", symbol = "USDC", decimals = 6 }}
"""
KEYS = {
    "FRED_API_KEY": polled_servers.FRED_KEY,
    "REDDIT_CLIENT_ID": polled_servers.REDDIT_ID,
    "REDDIT_CLIENT_SECRET": polled_servers.REDDIT_SECRET,
    "X_BEARER_TOKEN": polled_servers.X_TOKEN,
    "DUNE_API_KEY": "dune-key-0123456789",
    "NODE": "https://node.test/v3/key-of-the-node",
}


def test_each_kind_opens_under_its_name_and_category(tmp_path: Path) -> None:
    found = opened(tmp_path, EVERYTHING, KEYS)
    names = {kind: [one.spec.name for one in group] for kind, group in found.items()}
    assert names == {
        "macro": ["fred", "ecb"],
        "sentiment": ["reddit", "x"],
        "onchain": ["dune", "mainnet", "uniswap_v3"],
    }
    assert found["macro"][0].spec.units == {"macro.vix": "index points"}
    assert found["onchain"][0].spec.symbols == (BTC, ETH)
    assert ETH in found["onchain"][1].spec.symbols
    assert found["onchain"][2].spec.symbols == (ETH,)


UNLOCKS = """
[[sources]]
kind = "calendar"
[sources.params]
file = "{file}"
supply = {{ "BTC/USDT" = "19800000" }}
"""
ROW = "a,{symbol},unlock,2090-03-16,2024-01-10,{amount},\n"


def unlocks(tmp_path: Path, amount: str, symbol: str = BTC) -> str:
    file = tmp_path / "unlocks.csv"
    file.write_text(
        "id,symbol,kind,at,announced,amount,withdrawn\n" + ROW.format(amount=amount, symbol=symbol)
    )
    return UNLOCKS.format(file=file)


def test_a_calendar_with_an_amount_below_zero_stops_the_run_before_it_begins(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match=r"unlocks\.csv: row 1 .*: the amount is -19800000000"):
        opened(tmp_path, unlocks(tmp_path, "-19800000000"), {})


def test_what_is_odd_in_a_calendar_is_passed_on_once(tmp_path: Path) -> None:
    (source,) = opened(tmp_path, unlocks(tmp_path, "19800001"), {})["fundamental"]
    told: list[str] = []
    remarks = SourceRemarks([source], told.append)
    remarks.pass_on()
    asyncio.run(source.collect())
    remarks.pass_on()
    assert len(told) == 1
    assert told[0].startswith("source calendar: ")
    assert "sets 19800001 coins free, more than the 19800000 in circulation" in told[0]
    file = tmp_path / "unlocks.csv"
    file.write_text(file.read_text() + ROW.format(amount="1", symbol="X/USD"))
    asyncio.run(source.collect())
    remarks.pass_on()
    assert len(told) == 2
    assert "row 2 " in told[1]


def test_only_tokens_that_are_named_are_believed(tmp_path: Path) -> None:
    believed = believed_tokens(configured(tmp_path, EVERYTHING))
    assert believed is not None
    assert USDC in believed
    assert WETH not in believed
    assert believed_tokens(configured(tmp_path, "")) is None


@pytest.mark.parametrize("variable", sorted(KEYS))
def test_a_source_whose_variable_is_not_set_is_named_before_the_run(
    variable: str, tmp_path: Path
) -> None:
    without = {name: key for name, key in KEYS.items() if name != variable}
    with pytest.raises(ConfigError, match=f"source .*{variable}") as told:
        opened(tmp_path, EVERYTHING, without)
    assert f"export {variable}=" in told.value.hint
    assert not any(key in f"{told.value}{told.value.hint}" for key in KEYS.values())


def test_what_cannot_be_true_of_a_contract_is_said_by_the_name_of_the_source(
    tmp_path: Path,
) -> None:
    same = EVERYTHING.replace(WETH, USDC)
    with pytest.raises(ConfigError, match="source uniswap_v3: pool ETH/USDT has twice the token"):
        opened(tmp_path, same, KEYS)


CALENDAR = """
[[sources]]
kind = "calendar"
params = { file = "%s", supply = { "BTC/USDT" = "20000" } }
"""


def test_a_calendar_of_unlocks_is_read_from_its_file(tmp_path: Path) -> None:
    table = tmp_path / "unlocks.csv"
    told, due = (iso(wall_now() + days * DAY) for days in (-10, 5))
    table.write_text(
        f"id,symbol,kind,at,announced,amount,withdrawn\na,BTC/USDT,unlock,{due},{told},1000,\n",
        encoding="utf-8",
    )
    (source,) = opened(tmp_path, CALENDAR % table, {})["fundamental"]
    found = {one.series: one.value for one in asyncio.run(source.collect())}
    assert found["fundamental.unlock_share"] == pytest.approx(0.05)
    assert found["fundamental.event_in_days"] == pytest.approx(5, abs=0.01)


def test_a_calendar_that_is_not_there_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        opened(tmp_path, CALENDAR % (tmp_path / "none.csv"), {})
    wrong = (CALENDAR % "a.csv").replace("BTC/USDT", "BTC/USD")
    with pytest.raises(ConfigError, match="is no symbol of market"):
        opened(tmp_path, wrong, {})


def test_what_to_do_about_a_source_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        opened(tmp_path, '[[sources]]\nkind = "fred"\n', {})
    assert told.value.message.startswith("source fred: ")
    assert told.value.hint
    assert told.value.hint not in told.value.message
