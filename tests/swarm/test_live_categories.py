"""All six categories of a live run are filled by sources of their own, a true chain among them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import live_world
import polled_servers
from chain_evm import Evm, running

from mirrorcore.clock import SECOND, wall_now
from mirrorcore.journal import RunRegistry
from mirrorcore.market.records import CATEGORIES, FeedRecord
from mirrorcore.swarm.feeds import open_feed, open_sources
from mirrorcore.swarm.live_paper import run_live
from mirrorcore.swarm.recorded import Recorded
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run

BTC, ETH = live_world.SYMBOLS
READER = """
from mirrorcore import BaseAgent

UNITS = {
    ("macro", "eur_usd"): "USD for one EUR",
    ("macro", "vix"): "index points",
    ("fundamental", "supply"): "million coins",
    ("fundamental", "hashrate"): "EH/s",
}

class UnitReader(BaseAgent):
    heard = 0

    async def _analyze(self, data):
        for (category, name), unit in UNITS.items():
            values = data[category]["BTC/USDT"]
            if name in values and values.source(name):
                self.heard += 1
                if values.unit(name) != unit:
                    raise ValueError(f"{name} is in {values.unit(name)!r}")
        return {"mood": float(self.heard)}
"""


def world() -> polled_servers.World:
    today = datetime.fromtimestamp(wall_now() // SECOND, UTC).date()
    days = [(today - timedelta(days=back)).isoformat() for back in (6, 5, 4)]
    return polled_servers.World(
        fear=[(wall_now() // SECOND - 3600, "25")],
        rates={"USD": dict.fromkeys(days, "1.0842")},
        documents={"supply": {"coins": 19_700_000}},
    )


def test_six_categories_are_filled_and_the_run_comes_out_the_same_again(tmp_path: Path) -> None:
    with live_world.served() as url, live_world.services(world()) as base, running() as node:
        elsewhere = base.replace("127.0.0.1", "localhost")  # with a limit of its own
        supply = {"name": "fundamental.supply", "value": "coins", "unit": "coins", "symbol": BTC}
        chain = {"chain_id": 31337, "confirmations": 1, "poll": "50ms"}
        sources = [
            {"kind": "fear_greed", "url": base},
            {"kind": "ecb", "url": elsewhere, "params": {"currencies": ["USD"]}},
            {"kind": "json", "url": f"{elsewhere}/json/supply", "params": {"series": [supply]}},
            {"kind": "ethereum", "params": {**chain, "node": "NODE"}},
        ]
        config = live_world.configured(tmp_path, url, sources=sources)
        evm = Evm(node)

        def mine(records: Sequence[FeedRecord]) -> None:
            evm.mine()

        try:
            ended = run_live(
                config,
                open_feed(config),
                sources=open_sources(config, {"NODE": node}),
                seconds=3.0,
                shown=mine,
            )
        finally:
            evm.close()
    recorded = RunRegistry(tmp_path).find(ended.outcome.run_id)
    assert {name: health.faults for name, health in ended.health.items()} == {
        name: {} for name in ("binance", "fear_greed", "ecb", "json", "ethereum")
    }
    _, block = live_world.journalled(recorded)
    view = block.view(0, live_world.SYMBOLS)
    for category, name, symbol, source in (
        ("technical", "trade_count", ETH, "binance"),
        ("risk", "spread_bps", ETH, "binance"),
        ("sentiment", "fear_greed", ETH, "fear_greed"),
        ("macro", "eur_usd", ETH, "ecb"),
        ("fundamental", "supply", BTC, "json"),
        ("onchain", "base_fee_gwei", ETH, "ethereum"),
    ):
        values = view[category][symbol]
        assert values[name] >= 0, name
        assert values.source(name) == source
        age = values.age_ns(name)
        assert age is not None
        assert 0 <= age < 30 * SECOND
    assert set(view) == set(CATEGORIES)
    assert view["macro"][BTC]["eur_usd"] == 1.0842
    assert view["onchain"][BTC].unit("base_fee_gwei") == "gwei"
    assert view["macro"][BTC].unit("eur_usd") == "USD for one EUR"
    again = rerun(recorded)
    assert again.same, again.differing


def test_the_unit_a_source_declares_reaches_the_agents_live_and_in_each_repetition(
    tmp_path: Path,
) -> None:
    today = datetime.fromtimestamp(wall_now() // SECOND, UTC).date()
    day = str(today - timedelta(days=2))
    brought = polled_servers.World(
        rates={"USD": {day: "1.0842"}},
        vintages={"VIXCLS": [(day, day, "17.5"), (str(today), str(today), ".")]},
        documents={"network": {"coins": 19.7, "rate": 600.5}},
    )
    (tmp_path / "own.py").write_text(READER)
    reader = {"id": "UnitReader", "file": str(tmp_path / "own.py"), "class": "UnitReader"}
    reader["interests"] = ["macro", "fundamental"]  # type: ignore[assignment]

    def heard(run: Run) -> bool:
        return run.recorder.ticks >= 3 and all(
            run.sources()[name].records for name in ("ecb", "fred", "json")
        )

    with live_world.served() as url, live_world.services(brought) as base:
        supply = {"name": "fundamental.supply", "value": "coins", "unit": "million coins"}
        rate = {"name": "fundamental.hashrate", "value": "rate", "unit": "EH/s", "symbol": BTC}
        vix = {"id": "VIXCLS", "name": "macro.vix", "unit": "index points"}
        network = {"series": [supply, rate]}
        sources = [
            {"kind": "ecb", "url": base, "params": {"currencies": ["USD"]}},
            {"kind": "fred", "url": base, "params": {"series": [vix]}},
            {"kind": "json", "url": f"{base}/json/network", "params": network},
        ]
        config = live_world.configured(tmp_path / "runs", url, sources=sources, agent=[reader])
        ended = run_live(
            config,
            open_feed(config),
            sources=open_sources(config, {"FRED_API_KEY": polled_servers.FRED_KEY}),
            seconds=60.0,
            attach=live_world.ended_when(heard),
        )
    runs = RunRegistry(tmp_path / "runs")
    recorded = runs.find(ended.outcome.run_id)
    _, block = live_world.journalled(recorded)
    assert block.view(0, live_world.SYMBOLS)["macro"][BTC]["vix"] == 17.5
    with Recorded(recorded) as past:
        *_, last = past.blocks(past.first)
    assert last.series["fundamental.hashrate"].units == ("EH/s", "")
    again = rerun(recorded)
    assert again.same, again.differing
    once_more = rerun(runs.find(again.outcome.run_id))
    assert once_more.same, once_more.differing
    for outcome in (ended.outcome, again.outcome, once_more.outcome):
        (reading,) = (one for one in outcome.results.agents if one.id == "UnitReader")
        assert (reading.calls >= 3, reading.failures, reading.last_error) == (True, 0, "")
