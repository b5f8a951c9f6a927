"""What can be configured: every setting once, with its default and the reason for it.

The description of a field is its documentation; :func:`mirrorcore.config.render.describe` lists
them. Here is the whole of it; its tables are in the modules it is put together from. Only pydantic
and the clock are imported by them, and only when a configuration is loaded.
"""

from __future__ import annotations

from typing import Annotated, Literal

from mirrorcore.config.market import (
    DEFAULT_SYMBOL_COUNT,
    InstrumentConfig,
    MarketConfig,
    SeriesConfig,
    SourceConfig,
    VenueConfig,
)
from mirrorcore.config.quantities import Tables, TimeRange
from mirrorcore.config.running import (
    EmergenceConfig,
    JournalConfig,
    PaperConfig,
    StorageConfig,
    WebConfig,
)
from mirrorcore.config.section import Section, setting
from mirrorcore.config.swarm import AgentEntry, AgentsConfig, FaultConfig, FusionConfig
from mirrorcore.config.trading import AccountConfig, CostsConfig, RiskConfig

SCHEMA_VERSION = 1


class RunConfig(Section):
    """All of it. ``RunConfig()`` is the configuration of an empty file."""

    schema_version: Literal[1] = setting(
        SCHEMA_VERSION, "version of this layout, so that a later one can read an old file"
    )
    seed: int = setting(
        42, "where all randomness comes from; fixed, so that two runs agree", ge=0, lt=2**63
    )
    market: MarketConfig = setting(MarketConfig(), "where the market comes from")
    exchange: VenueConfig = setting(VenueConfig(), "the venue a live market comes from")
    account: AccountConfig = setting(AccountConfig(), "what the swarm trades with")
    costs: CostsConfig = setting(CostsConfig(), "what trading takes")
    risk: RiskConfig = setting(RiskConfig(), "hard limits outside every agent")
    agents: AgentsConfig = setting(AgentsConfig(), "the roster to start from")
    fusion: FusionConfig = setting(FusionConfig(), "how votes become targets")
    paper: PaperConfig = setting(PaperConfig(), "a run in front of you")
    web: WebConfig = setting(WebConfig(), "the dashboard and API beside a paper run")
    emergence: EmergenceConfig = setting(
        EmergenceConfig(), "what watches for behaviour nobody wrote"
    )
    journal: JournalConfig = setting(JournalConfig(), "what a replay of history writes down")
    storage: StorageConfig = setting(StorageConfig(), "where runs are kept")
    sources: Annotated[tuple[SourceConfig, ...], Tables] = setting(
        (), "what a live run listens to beside its venue; only what is named here is asked"
    )
    instruments: Annotated[tuple[InstrumentConfig, ...], Tables] = setting(
        (), "what symbols trade in"
    )
    agent: Annotated[tuple[AgentEntry, ...], Tables] = setting((), "agents of your own")
    faults: Annotated[tuple[FaultConfig, ...], Tables] = setting((), "faults made on purpose")


__all__ = [
    "DEFAULT_SYMBOL_COUNT",
    "SCHEMA_VERSION",
    "AccountConfig",
    "AgentEntry",
    "AgentsConfig",
    "CostsConfig",
    "EmergenceConfig",
    "FaultConfig",
    "FusionConfig",
    "InstrumentConfig",
    "JournalConfig",
    "MarketConfig",
    "PaperConfig",
    "RiskConfig",
    "RunConfig",
    "Section",
    "SeriesConfig",
    "SourceConfig",
    "StorageConfig",
    "TimeRange",
    "VenueConfig",
    "WebConfig",
]
