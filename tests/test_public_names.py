"""The public face: every name is there, none is a promise, and what the guide calls works."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import mirrorcore
from mirrorcore.data_sources.live import StreamSource

GUIDE = (
    "SyncBus",
    "HighPerformanceSyncBus",
    "ResilientSyncBus",
    "BaseAgent",
    "DataPipeline",
    "MarketDataProcessor",
    "DataSourceManager",
    "DataCategorizer",
    "BinanceSource",
    "CoinbaseSource",
    "EthereumSource",
    "DuneSource",
    "TwitterSource",
    "RedditSource",
    "FredSource",
    "NewsSource",
    "ConsoleMonitor",
    "CommandInterface",
    "InteractiveConsole",
    "AgentDashboard",
    "EmergenceMonitor",
    "CoordinationDetector",
    "BehaviorDriftDetector",
    "SwarmIntelligenceDetector",
    "NovelStrategyDetector",
    "SpecializationDetector",
)
BUS_METHODS = (
    "register_agent",
    "update_agent_state",
    "get_relevant_states",
    "get_all_states",
    "get_historical_states",
    "broadcast_market_update",
    "send_command",
    "broadcast_command",
)


@pytest.mark.parametrize("name", mirrorcore.__all__)
def test_every_name_resolves_and_is_listed(name: str) -> None:
    value = getattr(mirrorcore, name)
    assert value is not None
    assert name in dir(mirrorcore)
    home = mirrorcore._HOMES.get(name)
    assert name == "__version__" or value is getattr(import_module(str(home)), name)


def test_all_lists_what_can_be_had() -> None:
    assert set(mirrorcore.__all__) == {*mirrorcore._HOMES, "__version__"}
    assert mirrorcore.__all__ == sorted(mirrorcore.__all__)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(mirrorcore.__file__).read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == mirrorcore._HOMES


def test_names_of_the_guide_are_public() -> None:
    assert set(GUIDE) <= set(mirrorcore.__all__)
    assert mirrorcore.HighPerformanceSyncBus is mirrorcore.SyncBus is mirrorcore.ResilientSyncBus


def test_the_guides_sources_are_those_that_work() -> None:
    binance = mirrorcore.BinanceSource(["BTC/USDT"], kinds=["trade"])
    coinbase = mirrorcore.CoinbaseSource(["BTC/USD"])
    for venue, source in (("binance", binance), ("coinbase", coinbase)):
        assert isinstance(source, mirrorcore.ExchangeSource)
        assert isinstance(source, StreamSource)
        assert source.spec.name == venue
    assert (binance.spec.symbols, binance.spec.kinds) == (("BTC/USDT",), ("trade",))
    assert (binance.spec.tested, coinbase.spec.tested) == (True, False)
    assert mirrorcore.TwitterSource is mirrorcore.XSource
    assert mirrorcore.NewsSource is mirrorcore.FeedSource


@pytest.mark.parametrize("method", BUS_METHODS)
def test_the_bus_has_the_guides_methods(method: str) -> None:
    assert inspect.iscoroutinefunction(getattr(mirrorcore.SyncBus, method))


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SinkBus'"):
        mirrorcore.SinkBus  # noqa: B018  # reading it is the test
