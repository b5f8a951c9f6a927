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
    from mirrorcore.data_sources.manager import DataSourceManager
    from mirrorcore.data_sources.recorded import RecordedSource
    from mirrorcore.data_sources.simulated import SimulatedSource
    from mirrorcore.errors import MirrorCoreError
    from mirrorcore.market.categories import DataCategorizer
    from mirrorcore.market.pipeline import DataPipeline
    from mirrorcore.market.validator import MarketDataProcessor
    from mirrorcore.swarm.paper import run_paper
    from mirrorcore.swarm.replay import replay_history
    from mirrorcore.swarm.rerun import rerun
    from mirrorcore.swarm.run import RunOutcome
    from mirrorcore.swarm.sources import open_source
    from mirrorcore.syncbus import HighPerformanceSyncBus, ResilientSyncBus, SyncBus

__version__ = "0.1.0"

_HOMES: dict[str, str] = {
    "BaseAgent": "mirrorcore.agents.base",
    "BlockAgent": "mirrorcore.agents.base",
    "BlockInput": "mirrorcore.agents.base",
    "Context": "mirrorcore.agents.base",
    "DataCategorizer": "mirrorcore.market.categories",
    "DataPipeline": "mirrorcore.market.pipeline",
    "DataSourceManager": "mirrorcore.data_sources.manager",
    "HighPerformanceSyncBus": "mirrorcore.syncbus",
    "MarketDataProcessor": "mirrorcore.market.validator",
    "MirrorCoreError": "mirrorcore.errors",
    "RecordedSource": "mirrorcore.data_sources.recorded",
    "ResilientSyncBus": "mirrorcore.syncbus",
    "RunConfig": "mirrorcore.config",
    "RunOutcome": "mirrorcore.swarm.run",
    "SimulatedSource": "mirrorcore.data_sources.simulated",
    "StateField": "mirrorcore.agents.base",
    "SyncBus": "mirrorcore.syncbus",
    "Tick": "mirrorcore.agents.base",
    "TickAgent": "mirrorcore.agents.base",
    "load_config": "mirrorcore.config",
    "open_source": "mirrorcore.swarm.sources",
    "replay_history": "mirrorcore.swarm.replay",
    "rerun": "mirrorcore.swarm.rerun",
    "run_paper": "mirrorcore.swarm.paper",
}

__all__ = [
    "BaseAgent",
    "BlockAgent",
    "BlockInput",
    "Context",
    "DataCategorizer",
    "DataPipeline",
    "DataSourceManager",
    "HighPerformanceSyncBus",
    "MarketDataProcessor",
    "MirrorCoreError",
    "RecordedSource",
    "ResilientSyncBus",
    "RunConfig",
    "RunOutcome",
    "SimulatedSource",
    "StateField",
    "SyncBus",
    "Tick",
    "TickAgent",
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
