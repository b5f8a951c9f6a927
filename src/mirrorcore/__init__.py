"""MirrorCore-X: a trading swarm of specialised agents over SyncBus.

The public names resolve when first used (PEP 562): ``import mirrorcore`` loads none of the rooms
below it, so a command that only prints its help does not pay for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirrorcore.agents.base import (
        BaseAgent,
        BlockAgent,
        BlockInput,
        Context,
        StateField,
        Tick,
        TickAgent,
    )
    from mirrorcore.config import RunConfig, load_config
    from mirrorcore.data_sources.chain.dune import DuneSource
    from mirrorcore.data_sources.chain.ethereum import EthereumSource
    from mirrorcore.data_sources.exchange import ExchangeSource
    from mirrorcore.data_sources.guide_names import (
        BinanceSource,
        CoinbaseSource,
        NewsSource,
        TwitterSource,
    )
    from mirrorcore.data_sources.macro.fred import FredSource
    from mirrorcore.data_sources.manager import DataSourceManager
    from mirrorcore.data_sources.recorded import RecordedSource
    from mirrorcore.data_sources.simulated import SimulatedSource
    from mirrorcore.data_sources.social.feed import FeedSource
    from mirrorcore.data_sources.social.reddit import RedditSource
    from mirrorcore.data_sources.social.x import XSource
    from mirrorcore.emergence.guide_names import (
        BehaviorDriftDetector,
        CoordinationDetector,
        NovelStrategyDetector,
        SpecializationDetector,
        SwarmIntelligenceDetector,
    )
    from mirrorcore.errors import MirrorCoreError
    from mirrorcore.interfaces.api.dashboard import AgentDashboard
    from mirrorcore.interfaces.commands import CommandInterface
    from mirrorcore.interfaces.console.console import InteractiveConsole
    from mirrorcore.interfaces.terminal.plain import ConsoleMonitor
    from mirrorcore.market.categories import DataCategorizer
    from mirrorcore.market.pipeline import DataPipeline
    from mirrorcore.market.validator import MarketDataProcessor
    from mirrorcore.swarm.emergence.monitor import EmergenceMonitor
    from mirrorcore.swarm.paper import run_paper
    from mirrorcore.swarm.replay import replay_history
    from mirrorcore.swarm.rerun import rerun
    from mirrorcore.swarm.run import RunOutcome
    from mirrorcore.swarm.sources import open_source
    from mirrorcore.syncbus import HighPerformanceSyncBus, ResilientSyncBus, SyncBus

__version__ = "0.1.0"

_HOMES: dict[str, str] = {
    "AgentDashboard": "mirrorcore.interfaces.api.dashboard",
    "BaseAgent": "mirrorcore.agents.base",
    "BehaviorDriftDetector": "mirrorcore.emergence.guide_names",
    "BinanceSource": "mirrorcore.data_sources.guide_names",
    "BlockAgent": "mirrorcore.agents.base",
    "BlockInput": "mirrorcore.agents.base",
    "CoinbaseSource": "mirrorcore.data_sources.guide_names",
    "CommandInterface": "mirrorcore.interfaces.commands",
    "ConsoleMonitor": "mirrorcore.interfaces.terminal.plain",
    "Context": "mirrorcore.agents.base",
    "CoordinationDetector": "mirrorcore.emergence.guide_names",
    "DataCategorizer": "mirrorcore.market.categories",
    "DataPipeline": "mirrorcore.market.pipeline",
    "DataSourceManager": "mirrorcore.data_sources.manager",
    "DuneSource": "mirrorcore.data_sources.chain.dune",
    "EmergenceMonitor": "mirrorcore.swarm.emergence.monitor",
    "EthereumSource": "mirrorcore.data_sources.chain.ethereum",
    "ExchangeSource": "mirrorcore.data_sources.exchange",
    "FeedSource": "mirrorcore.data_sources.social.feed",
    "FredSource": "mirrorcore.data_sources.macro.fred",
    "HighPerformanceSyncBus": "mirrorcore.syncbus",
    "InteractiveConsole": "mirrorcore.interfaces.console.console",
    "MarketDataProcessor": "mirrorcore.market.validator",
    "MirrorCoreError": "mirrorcore.errors",
    "NewsSource": "mirrorcore.data_sources.guide_names",
    "NovelStrategyDetector": "mirrorcore.emergence.guide_names",
    "RecordedSource": "mirrorcore.data_sources.recorded",
    "RedditSource": "mirrorcore.data_sources.social.reddit",
    "ResilientSyncBus": "mirrorcore.syncbus",
    "RunConfig": "mirrorcore.config",
    "RunOutcome": "mirrorcore.swarm.run",
    "SimulatedSource": "mirrorcore.data_sources.simulated",
    "SpecializationDetector": "mirrorcore.emergence.guide_names",
    "StateField": "mirrorcore.agents.base",
    "SwarmIntelligenceDetector": "mirrorcore.emergence.guide_names",
    "SyncBus": "mirrorcore.syncbus",
    "Tick": "mirrorcore.agents.base",
    "TickAgent": "mirrorcore.agents.base",
    "TwitterSource": "mirrorcore.data_sources.guide_names",
    "XSource": "mirrorcore.data_sources.social.x",
    "load_config": "mirrorcore.config",
    "open_source": "mirrorcore.swarm.sources",
    "replay_history": "mirrorcore.swarm.replay",
    "rerun": "mirrorcore.swarm.rerun",
    "run_paper": "mirrorcore.swarm.paper",
}

__all__ = [
    "AgentDashboard",
    "BaseAgent",
    "BehaviorDriftDetector",
    "BinanceSource",
    "BlockAgent",
    "BlockInput",
    "CoinbaseSource",
    "CommandInterface",
    "ConsoleMonitor",
    "Context",
    "CoordinationDetector",
    "DataCategorizer",
    "DataPipeline",
    "DataSourceManager",
    "DuneSource",
    "EmergenceMonitor",
    "EthereumSource",
    "ExchangeSource",
    "FeedSource",
    "FredSource",
    "HighPerformanceSyncBus",
    "InteractiveConsole",
    "MarketDataProcessor",
    "MirrorCoreError",
    "NewsSource",
    "NovelStrategyDetector",
    "RecordedSource",
    "RedditSource",
    "ResilientSyncBus",
    "RunConfig",
    "RunOutcome",
    "SimulatedSource",
    "SpecializationDetector",
    "StateField",
    "SwarmIntelligenceDetector",
    "SyncBus",
    "Tick",
    "TickAgent",
    "TwitterSource",
    "XSource",
    "__version__",
    "load_config",
    "open_source",
    "replay_history",
    "rerun",
    "run_paper",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mirrorcore' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
